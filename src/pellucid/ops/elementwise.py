"""Operations on one element at a time, with broadcasting between operands.

Where a function has a kink, the rule is PyTorch's: relu and abs have slope 0 at 0, ties of maximum
and minimum share the gradient equally, clip lets it through on its bounds.
"""

from __future__ import annotations

from pellucid.arrays import Array, DType, Namespace
from pellucid.ops.op import Gradients, Op, chain


class Elementwise(Op):
    """Operands of different dtype meet at a common one."""

    casts = "common"


class Float(Op):
    """Defined on floating point: integers are converted first."""

    casts = "float"


class Add(Elementwise):
    """out = a + b."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a + b

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        return g, g


class Subtract(Elementwise):
    """out = a - b."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a - b

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        return g, lambda: -g


class Multiply(Elementwise):
    """out = a * b;  da = g * b,  db = g * a."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a * b

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        return lambda: g * b, lambda: g * a


class Divide(Float):
    """out = a / b;  da = g / b,  db = -g * a / b^2."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a / b

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        return (
            lambda: g / b if isinstance(b, int | float) else chain(xp, g, 1 / b),
            lambda: chain(xp, g, -out / b),
        )


class Negative(Elementwise):
    """out = -x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return -x

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (-g,)


class Power(Elementwise):
    """out = x ** n for a number n;  dx = g * n * x^(n-1).

    As elsewhere, 0 ** 0 = 1; the slope of 0 ** 0.5 is infinite.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array, *, n: float) -> Array:
        return x**n

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, n: float) -> Gradients:
        if n == 0:
            return (xp.zeros_like(x),)
        if n == 2:
            return (g * (2 * x),)
        return (chain(xp, g, n * x ** (n - 1)),)


class Exponentiate(Float):
    """out = a ** b;  da = g * b * a^(b-1),  db = g * out * log a, which is 0 at a = 0."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a**b

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        return (
            lambda: chain(xp, g, b * a ** xp.where(b == 0, 0.0, b - 1)),
            lambda: chain(xp, g, out * xp.log(xp.where(a == 0, 1.0, a))),
        )


class Square(Elementwise):
    """out = x^2;  dx = 2 g x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return x * x

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * (2 * x),)


class Sqrt(Float):
    """out = sqrt(x);  dx = g / (2 out), infinite at 0."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.sqrt(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, 0.5 / out),)


class Exp(Float):
    """out = e^x;  dx = g * out."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.exp(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, out),)


class Expm1(Float):
    """out = e^x - 1, exact near 0;  dx = g * (out + 1)."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.expm1(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, out + 1),)


class Log(Float):
    """out = ln x;  dx = g / x.  log 0 is -inf, the log of a negative number NaN."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.log(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, 1 / x),)


class Log1p(Float):
    """out = ln(1 + x), exact near 0;  dx = g / (1 + x)."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.log1p(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, 1 / (1 + x)),)


class Sin(Float):
    """out = sin x;  dx = g * cos x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.sin(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, xp.cos(x)),)


class Cos(Float):
    """out = cos x;  dx = -g * sin x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.cos(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (chain(xp, g, -xp.sin(x)),)


class Tanh(Float):
    """out = tanh x;  dx = g * (1 - out^2)."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.tanh(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * (1 - out * out),)


class Sigmoid(Float):
    """out = 1 / (1 + e^-x);  dx = g * out * (1 - out).

    Only e^-|x| is taken, which cannot overflow.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        e = xp.exp(-xp.abs(x))
        return xp.where(x < 0, e, 1.0) / (1 + e)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * (out * (1 - out)),)


class Softplus(Float):
    """out = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|);  dx = g * sigmoid(x) = g * (1 - e^-out)."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * -xp.expm1(-out),)


class Relu(Elementwise):
    """out = max(x, 0);  dx = g where x > 0, else 0 (also at 0).

    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.maximum(x, 0)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * xp.astype(out > 0, g.dtype),)


class LeakyRelu(Float):
    """out = x where x > 0, else slope * x;  dx = g or slope * g alike.

    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    2013.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array, *, slope: float) -> Array:
        return xp.where(x > 0, x, slope * x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, slope: float) -> Gradients:
        return (xp.where(x > 0, g, slope * g),)


class Erf(Float):
    """out = 2/sqrt(pi) * integral of e^(-t^2) from 0 to x;  dx = g * 2/sqrt(pi) * e^(-x^2)."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.erf(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * (1.1283791670955126 * xp.exp(-(x * x))),)


class Abs(Elementwise):
    """out = |x|;  dx = g * sign x, 0 at 0."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.abs(x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g * xp.sign(x),)


class Maximum(Elementwise):
    """out = max(a, b);  the larger operand takes the gradient, equal ones half each."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return xp.maximum(a, b)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        shared = xp.where(a == b, 0.5 * g, 0.0)
        return lambda: xp.where(a > b, g, shared), lambda: xp.where(b > a, g, shared)


class Minimum(Elementwise):
    """out = min(a, b);  the smaller operand takes the gradient, equal ones half each."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return xp.minimum(a, b)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        shared = xp.where(a == b, 0.5 * g, 0.0)
        return lambda: xp.where(a < b, g, shared), lambda: xp.where(b < a, g, shared)


class Clip(Elementwise):
    """out = min(max(x, low), high);  dx = g where low <= x <= high, else 0."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, low: float | None, high: float | None) -> Array:
        return xp.clip(x, low, high)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, low: float | None, high: float | None
    ) -> Gradients:
        return (xp.where(x == out, g, 0.0),)


class Where(Elementwise):
    """out = a where the condition holds, else b;  the operand not chosen receives 0."""

    cast_from = 1

    @staticmethod
    def forward(xp: Namespace, condition: Array, a: Array, b: Array) -> Array:
        return xp.where(condition, a, b)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, condition: Array, a: Array, b: Array) -> Gradients:
        return None, lambda: xp.where(condition, g, 0.0), lambda: xp.where(condition, 0.0, g)


class Identity(Op):
    """out = x: the same value at a new place in the graph."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return x

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        return (g,)


class Cast(Op):
    """out = x in another dtype;  dx = g in the dtype of x."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, dtype: DType) -> Array:
        return xp.astype(x, dtype)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, dtype: DType) -> Gradients:
        return (xp.astype(g, x.dtype),)
