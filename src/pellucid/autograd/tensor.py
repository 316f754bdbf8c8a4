"""`Tensor`: an array that remembers how it was computed, so that gradients find their way back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pellucid.arrays import Axis, DType, Shape
from pellucid.autograd import tape
from pellucid.autograd.apply import DEFAULT_DTYPE, floating, to_array
from pellucid.autograd.apply import apply as untyped_apply
from pellucid.errors import ShapeError
from pellucid.ops import compare, elementwise, linalg, reduce
from pellucid.ops import index as indexing
from pellucid.ops import shape as shaping

apply: Callable[..., Tensor] = untyped_apply
REFLECTED = {  # the operators of ``array + tensor`` by the names of NumPy's functions
    "add": "__radd__",
    "subtract": "__rsub__",
    "multiply": "__rmul__",
    "divide": "__rtruediv__",
    "power": "__rpow__",
    "matmul": "__rmatmul__",
    "bitwise_and": "__rand__",
    "bitwise_or": "__ror__",
    "equal": "__eq__",
    "not_equal": "__ne__",
    "less": "__gt__",
    "less_equal": "__ge__",
    "greater": "__lt__",
    "greater_equal": "__le__",
}
# functions of NumPy that ask about arrays, or compare them
GRADIENT_FREE = (np.allclose, np.argmax, np.argmin, np.argsort, np.array2string, np.array_equal,
                 np.array_equiv, np.array_repr, np.array_str, np.count_nonzero, np.isclose,
                 np.may_share_memory, np.ndim, np.nonzero, np.ones_like, np.result_type, np.save,
                 np.savetxt, np.savez, np.shape, np.shares_memory, np.size,
                 np.zeros_like)  # fmt: skip
OWN_NAMES = {  # of functions that NumPy calls otherwise
    "concatenate": "concat",
    "hstack": "concat",
    "vstack": "concat",
    "transpose": "permute_dims",
    "swapaxes": "permute_dims",
    "moveaxis": "permute_dims",
    "dot": "matmul",
    "amax": "max",
    "amin": "min",
    "around": "round",
}


class Tensor(tape.Node):
    """An n-dimensional array with a gradient.

    Everything computed from a tensor is a tensor, by the operators and indices of NumPy's arrays,
    the methods below and the functions of ``pellucid``. A tensor is a value: no operation changes
    it in place, and ``x += y`` makes a new one. ``data`` is a plain array and ``grad`` one like it,
    or None before `backward`; ``shape`` and ``dtype`` are theirs.

    Python numbers and lists become float32 if they hold a float; NumPy arrays keep their dtype. A
    number or NumPy array that meets a floating-point tensor takes the tensor's dtype, so float32
    stays float32; two tensors of different dtype meet at the wider one, integers at the
    floating-point one's.

    Args:
        data: a number, nested lists of numbers, a NumPy array or a tensor. The memory of an array
            or tensor is shared: do not overwrite an array between computing with it and backward.
        requires_grad: whether `backward` computes a gradient for it; only for floating point.
        dtype: what to convert ``data`` to; by default see above.

    Raises:
        TypeError: ``data`` is not numeric, or ``requires_grad`` is asked of integers.

    >>> import pellucid
    >>> x = pellucid.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4., 6.], dtype=float32)
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __init__(self, data: Any, requires_grad: bool = False, dtype: DType = None) -> None:
        array = to_array(data, dtype)
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(
                f"expected floating-point data for requires_grad=True, got {array.dtype}; "
                'convert it first, for example with dtype="float32"'
            )
        super().__init__(array, requires_grad)

    # what it is

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size  # type: ignore[no-any-return]

    @property
    def is_leaf(self) -> bool:
        """Whether the user made it, rather than a recorded operation."""
        return self.op is None

    def numpy(self) -> NDArray[Any]:
        """Return the data as a NumPy array; no gradient follows it."""
        return np.asarray(self.data)

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            ValueError: there is not exactly one element.
        """
        if self.data.size != 1:
            raise ValueError(
                f"expected a tensor with one element, got shape {self.shape}; use .numpy() for more"
            )
        return self.data.item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers."""
        return self.data.tolist()

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **settings: Any) -> Any:
        """Take over ``array + tensor`` from NumPy; refuse its functions, which know no gradient."""
        name, first = ufunc.__name__, operands[0]
        whole = method == "__call__" and not settings  # settings: array += tensor, for one
        if not whole or name not in REFLECTED or isinstance(first, Tensor):
            raise _no_gradient(name)
        return getattr(self, REFLECTED[name])(first)

    def __array_function__(self, function: Any, _: Any, args: Any, settings: Any) -> Any:
        """Give NumPy's functions plain arrays; refuse where a gradient would be lost by that."""
        if tape.is_recording() and function not in GRADIENT_FREE and _wants((args, settings)):
            raise _no_gradient(function.__name__)
        return function(*_arrays(args), **_arrays(settings))

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(
                f"expected one truth value, got shape {self.shape}; use .any() or .all(), or "
                "pellucid.where to choose element by element"
            )
        return bool(self.data.item())

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError(
                "expected a tensor with at least one axis, got a scalar, which has no length"
            )
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        body = np.array2string(
            self.data, separator=", ", threshold=200, precision=4, prefix="Tensor("
        )
        notes = [] if self.dtype == DEFAULT_DTYPE else [f"dtype={self.dtype}"]
        if self.data.size == 0 or self.data.size > 200:
            notes.append(f"shape={self.shape}")
        if self.op is not None and self.op is not tape.Spent:
            notes.append(f"op={self.op.__name__}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"Tensor({', '.join([body, *notes])})"

    # gradients

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add d self / d leaf to ``grad`` of every leaf that requires it.

        Gradients accumulate over calls until they are set to None. The graph is freed, so a second
        call on it raises `GraphError`, unless the first was told to ``retain_graph``; then it
        accumulates into the leaves once more.

        Args:
            gradient: what to start from, in the shape of this tensor; 1 for a scalar.
            retain_graph: keep the graph for another backward pass.

        Raises:
            GraphError: there is no graph, it was freed, or this is no scalar and ``gradient`` is
                missing.
            ShapeError: ``gradient`` has another shape.
        """
        tape.backward(self, tape.check_seed(self, gradient), retain_graph)

    def detach(self) -> Tensor:
        """Return a constant tensor that shares the data; no gradient passes it."""
        return Tensor(self.data)

    def retain_grad(self) -> Tensor:
        """Ask backward to keep this intermediate result's gradient in ``grad``; returns self."""
        self.retains_grad = True
        return self

    def register_hook(self, hook: tape.Hook) -> Callable[[], None]:
        """Call ``hook(gradient)`` when backward has this tensor's gradient; a result replaces it.

        Returns:
            A function that removes the hook.
        """
        if not self.requires_grad:
            raise TypeError(
                "expected a tensor that requires a gradient, got a constant: no hook would run"
            )
        hooks = self.hooks = self.hooks or []
        hooks.append(hook)
        return lambda: hooks.remove(hook)

    # operators

    def __add__(self, other: Any) -> Tensor:
        return apply(elementwise.Add, self, other)

    def __radd__(self, other: Any) -> Tensor:
        return apply(elementwise.Add, other, self)

    def __sub__(self, other: Any) -> Tensor:
        return apply(elementwise.Subtract, self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return apply(elementwise.Subtract, other, self)

    def __mul__(self, other: Any) -> Tensor:
        return apply(elementwise.Multiply, self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return apply(elementwise.Multiply, other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return apply(elementwise.Divide, self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return apply(elementwise.Divide, other, self)

    def __neg__(self) -> Tensor:
        return apply(elementwise.Negative, self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return apply(elementwise.Abs, self)

    def __pow__(self, exponent: Any) -> Tensor:
        if isinstance(exponent, int | float | np.number):
            n = exponent.item() if isinstance(exponent, np.generic) else exponent
            whole = isinstance(n, int) and (n >= 0 or self.dtype.kind == "f")
            return apply(elementwise.Power, self if whole else floating(self), n=n)
        return apply(elementwise.Exponentiate, self, exponent)

    def __rpow__(self, base: Any) -> Tensor:
        return apply(elementwise.Exponentiate, Tensor(base, dtype=floating(self).dtype), self)

    def __matmul__(self, other: Any) -> Tensor:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return matmul(other, self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return apply(compare.Equal, self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return apply(compare.NotEqual, self, other)

    def __lt__(self, other: Any) -> Tensor:
        return apply(compare.Less, self, other)

    def __le__(self, other: Any) -> Tensor:
        return apply(compare.LessEqual, self, other)

    def __gt__(self, other: Any) -> Tensor:
        return apply(compare.Greater, self, other)

    def __ge__(self, other: Any) -> Tensor:
        return apply(compare.GreaterEqual, self, other)

    def __and__(self, other: Any) -> Tensor:
        return apply(compare.LogicalAnd, *_booleans(self, other))

    def __rand__(self, other: Any) -> Tensor:
        return apply(compare.LogicalAnd, *_booleans(other, self))

    def __or__(self, other: Any) -> Tensor:
        return apply(compare.LogicalOr, *_booleans(self, other))

    def __ror__(self, other: Any) -> Tensor:
        return apply(compare.LogicalOr, *_booleans(other, self))

    def __invert__(self) -> Tensor:
        return apply(compare.LogicalNot, *_booleans(self))

    def __getitem__(self, key: Any) -> Tensor:
        template, arrays = split_key(key)
        try:
            return apply(indexing.Index, self, *arrays, key=template)
        except IndexError as error:
            raise IndexError(f"cannot index a tensor of shape {self.shape}: {error}") from None

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(
            "expected no assignment to a tensor, whose value backward may still need; build a new "
            "one with pellucid.where, concat or scatter_add, or assign to .data outside a graph"
        )

    # shape

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Tensor:  # noqa: N802 - the array API standard's name
        """The tensor with its last two axes exchanged."""
        if self.ndim < 2:
            raise ShapeError(f"mT: expected at least 2 axes, got shape {self.shape}")
        axes = tuple(range(self.ndim))
        return apply(shaping.Transpose, self, axes=(*axes[:-2], axes[-1], axes[-2]))

    def transpose(self, *axes: int) -> Tensor:
        """Return the tensor with its axes in the given order; without one, reversed."""
        n = self.ndim
        order = tuple(a + n if a < 0 else a for a in axes) if axes else tuple(reversed(range(n)))
        if sorted(order) != list(range(n)):
            raise ShapeError(f"transpose: expected each of {self.ndim} axes once, got {axes}")
        return apply(shaping.Transpose, self, axes=order)

    def reshape(self, *shape: int | Shape) -> Tensor:
        """Return the same elements in another shape; one size may be -1 and is worked out."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return apply(shaping.Reshape, self, shape=tuple(sizes))

    def flatten(self, start: int = 0) -> Tensor:
        """Return the tensor with the axes from ``start`` on joined to one."""
        start = start % self.ndim if self.ndim else 0
        rest = 1
        for n in self.shape[start:]:
            rest *= n
        return self.reshape((*self.shape[:start], rest))

    def squeeze(self, axis: int | tuple[int, ...] | None = None) -> Tensor:
        """Return the tensor without the given axes of size 1, by default without any such."""
        if axis is None:
            axis = tuple(a for a, n in enumerate(self.shape) if n == 1)
        return apply(shaping.Squeeze, self, axis=axis)

    def expand_dims(self, axis: int) -> Tensor:
        """Return the tensor with a new axis of size 1."""
        return apply(shaping.ExpandDims, self, axis=axis)

    def broadcast_to(self, shape: Shape) -> Tensor:
        """Return the tensor repeated to a larger shape."""
        return apply(shaping.BroadcastTo, self, shape=tuple(shape))

    def astype(self, dtype: DType) -> Tensor:
        """Return the tensor in another dtype; the gradient comes back in this one's."""
        dtype = np.dtype(dtype)
        x = self if dtype.kind == "f" else self.detach()  # a step function has no gradient
        return apply(elementwise.Cast, x, dtype=dtype)

    # reductions

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the sum over axes."""
        return apply(reduce.Sum, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the mean over axes."""
        return apply(reduce.Mean, self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
        """Return the variance over axes: squared deviations divided by n - ddof."""
        return apply(reduce.Var, self, axis=axis, keepdims=keepdims, ddof=ddof)

    def std(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
        """Return the standard deviation over axes, the root of `var`; slope 0 where it is 0."""
        deviation = self - self.mean(axis, keepdims=True)
        freedom = reduce.count(self.shape, axis) - ddof
        length = apply(reduce.Norm, deviation, axis=axis, keepdims=keepdims)
        out: Tensor = length / (math.sqrt(freedom) if freedom > 0 else math.nan)
        return out

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the largest element over axes."""
        return apply(reduce.Max, self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the smallest element over axes."""
        return apply(reduce.Min, self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the index of the first largest element."""
        return apply(reduce.ArgMax, self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the index of the first smallest element."""
        return apply(reduce.ArgMin, self, axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return whether one element over axes is true."""
        return apply(reduce.Any, self, axis=axis, keepdims=keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return whether all elements over axes are true."""
        return apply(reduce.All, self, axis=axis, keepdims=keepdims)

    # elementwise, as methods where the field writes them so

    def exp(self) -> Tensor:
        """Return e^x."""
        return apply(elementwise.Exp, self)

    def log(self) -> Tensor:
        """Return ln x."""
        return apply(elementwise.Log, self)

    def sqrt(self) -> Tensor:
        """Return the square root."""
        return apply(elementwise.Sqrt, self)

    def tanh(self) -> Tensor:
        """Return tanh x."""
        return apply(elementwise.Tanh, self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e^-x)."""
        return apply(elementwise.Sigmoid, self)

    def relu(self) -> Tensor:
        """Return max(x, 0)."""
        return apply(elementwise.Relu, self)

    def abs(self) -> Tensor:
        """Return |x|."""
        return apply(elementwise.Abs, self)

    def clip(self, low: float | None = None, high: float | None = None) -> Tensor:
        """Return x held between two bounds, which are numbers."""
        bounds = [b.item() if isinstance(b, np.generic) else b for b in (low, high)]
        if not all(b is None or isinstance(b, int | float) for b in bounds):
            raise TypeError(
                f"expected numbers or None as bounds, got {low!r:.60} and {high!r:.60}; "
                "use pellucid.maximum and minimum for arrays"
            )
        x = floating(self) if any(isinstance(b, float) for b in bounds) else self
        return apply(elementwise.Clip, x, low=bounds[0], high=bounds[1])


def _no_gradient(name: str) -> TypeError:
    return TypeError(
        f"expected a function of tensors, got np.{name}, which knows no gradient; use "
        f"pellucid.{OWN_NAMES.get(name, name)} if there is one, or tensor.numpy() where no "
        "gradient is needed"
    )


def _wants(x: Any) -> bool:
    """Whether there is a tensor that requires a gradient among NumPy's arguments."""
    if isinstance(x, list | tuple | dict):
        return any(map(_wants, x.values() if isinstance(x, dict) else x))
    return isinstance(x, Tensor) and x.requires_grad


def _arrays(x: Any) -> Any:
    """Return NumPy's arguments with arrays in place of tensors."""
    if isinstance(x, dict):
        return {name: _arrays(value) for name, value in x.items()}
    if type(x) in (list, tuple):
        return type(x)(map(_arrays, x))
    return x.data if isinstance(x, Tensor) else x


def as_tensor(x: Any) -> Tensor:
    """Return x itself if it is a tensor, otherwise a constant tensor made from it.

    >>> import pellucid
    >>> x = pellucid.as_tensor([1.0, 2.0])
    >>> pellucid.as_tensor(x) is x
    True
    """
    return x if type(x) is Tensor else Tensor(x)


def matmul(a: Any, b: Any) -> Tensor:
    """Return the matrix product over the last two axes; a vector counts as one row or one column.

    Args:
        a: ``(..., n, k)`` or ``(k,)``.
        b: ``(..., k, m)`` or ``(k,)``; leading axes broadcast.

    Returns:
        ``(..., n, m)``, without the axes that a vector lacks.

    Raises:
        ShapeError: an operand is a scalar, or the inner sizes differ.

    >>> import pellucid
    >>> pellucid.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])  # as with @
    Tensor([3., 7.])
    """
    if type(a) is not Tensor:
        a = Tensor(a, dtype=_floating_dtype(b))
    if type(b) is not Tensor:
        b = Tensor(b, dtype=_floating_dtype(a))
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(
            f"matmul: expected vectors or matrices, got {a.shape} @ {b.shape}; use * to scale"
        )
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul: expected (..., n, k) @ (..., k, m), got {a.shape} @ {b.shape}: the inner "
            "sizes differ; transpose one operand, or correct its size"
        )
    row, column = a.ndim == 1, b.ndim == 1
    a = a.expand_dims(0) if row else a
    b = b.expand_dims(1) if column else b
    if a.ndim > 2 and b.ndim == 2:  # one large product instead of a stack of small ones
        rows = math.prod(a.shape[:-1])
        out = apply(linalg.MatMul, a.reshape(rows, a.shape[-1]), b).reshape(
            *a.shape[:-1], b.shape[-1]
        )
    else:
        out = apply(linalg.MatMul, a, b)
    if row or column:
        out = out.squeeze((-2,) * row + (-1,) * column)
    return out


def _booleans(*operands: Any) -> tuple[Any, ...]:
    """Return the operands of a logical operation, or refuse numbers: their bits are not meant."""
    for x in operands:
        kind = x.dtype.kind if isinstance(x, Tensor | np.ndarray | np.generic) else type(x).__name__
        if kind not in ("b", "bool"):
            raise TypeError(
                "expected boolean tensors for &, | and ~, got numbers; compare them first, for "
                "example (x > 0) & (x < 1)"
            )
    return operands


def _floating_dtype(x: Any) -> DType:
    """Return the dtype an array takes beside x: that of a floating-point tensor, else its own."""
    return x.dtype if type(x) is Tensor and x.dtype.kind == "f" else None


def split_key(key: Any) -> tuple[indexing.Key, list[Any]]:
    """Return an index as a template and the integer or boolean arrays that belong into it.

    Raises:
        IndexError: a part of the key is no integer, slice, None, Ellipsis, integer or boolean
            array.
    """
    template: list[Any] = []
    arrays: list[Any] = []
    for part in key if isinstance(key, tuple) else (key,):
        if part is None or part is Ellipsis or isinstance(part, slice):
            template.append(part)
        elif isinstance(part, int | np.integer) and not isinstance(part, bool):
            template.append(int(part))
        else:
            array = part if isinstance(part, Tensor) else Tensor(part)
            if array.dtype.kind not in "iub" and array.size:
                raise IndexError(f"expected integers or booleans as an index, got {array.dtype}")
            template.append(indexing.ARRAY)
            arrays.append(array if array.dtype.kind in "iub" else array.astype(np.int64))  # empty
    return tuple(template), arrays
