"""Functions of mathematics on vectors of floats, as the arithmetic they are made of.

Ranges are reduced as in W. J. Cody and W. Waite, "Software Manual for the Elementary Functions"
(1980) and J.-M. Muller, "Elementary Functions" (3rd edition, 2016). The polynomials without another
source were fitted for this file: interpolation at Chebyshev nodes in 50 digits, which comes
within a factor of two of the best there is. Bounds of the errors found, in units in the last
place, with and without fused multiplication and addition:

==========  =======  =======
            float32  float64
==========  =======  =======
exp           1.0      1.2
expm1         1.5      1.8
log           0.9      0.9
log1p         1.5      1.4
tanh          2.5      2.5
erf           2.0      1.5
sin, cos      1.6      2.5
power         0.51     C's
==========  =======  =======

Zeros, subnormal numbers, infinities and NaN give what they give in NumPy. sin and cos of numbers
above 10^5, and powers in float64, are left to C's functions, a lane at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, pi, sqrt

from pellucid.arrays.special import MIDDLE
from pellucid.compiler.llvm.builder import INTEGER, Function, Kind, Value


@dataclass(frozen=True)
class _Format:
    """A float format: how it is laid out, and the polynomials that are exact enough for it.

    Polynomials are of r, s^2 or r^2, highest power first: ``exp`` is (e^r - 1 - r) / r^2 for
    |r| <= log(2) / 2, ``sin`` and ``cos`` are (sin(r) / r - 1) / r^2 and
    (cos(r) - 1 + r^2 / 2) / r^4 for |r| <= pi / 4.
    """

    mantissa: int  # bits
    bias: int  # of the exponent
    log2: tuple[float, float]  # log(2) in two parts, the first of few bits
    overflow: float  # e^x is infinite from here on
    underflow: float  # and 0 from here down
    one: float  # 1 - e^-x is 1 from here on
    exp: tuple[float, ...]
    sin: tuple[float, ...]
    cos: tuple[float, ...]


FORMATS: dict[str, _Format] = {
    "float32": _Format(
        mantissa=23, bias=127, log2=(0.693359375, -2.12194440054690583e-4),
        overflow=89.0, underflow=-104.5, one=18.0,
        exp=(0.0001989103, 0.0013933686, 0.0083333105, 0.041666463, 0.16666667, 0.5),
        sin=(-0.00019587639, 0.008332747, -0.16666664),
        cos=(2.454769e-05, -0.0013888301, 0.041666664),
    ),
    "float64": _Format(
        mantissa=52, bias=1023, log2=(0.693145751953125, 1.42860682030941723e-6),
        overflow=710.0, underflow=-746.0, one=38.0,
        exp=(
            2.5100424157005067e-08, 2.7620138719733994e-07, 2.7557268378684192e-06,
            2.480152119021773e-05, 0.00019841269863105968, 0.0013888888917281794,
            0.008333333333330051, 0.04166666666662399, 0.16666666666666669, 0.5,
        ),
        sin=(
            1.5917988944318488e-10, -2.5051129895962803e-08, 2.7557316093196066e-06,
            -0.00019841269836740527, 0.008333333333330936, -0.16666666666666666,
        ),
        cos=(
            -1.1382544623404147e-11, 2.087614504910828e-09, -2.7557317265876615e-07,
            2.48015872987544e-05, -0.0013888888888887389, 0.041666666666666664,
        ),
    ),
}  # fmt: skip

# (log(1 + r) - r + r^2 / 2) / r^3 for 1 / sqrt(2) <= 1 + r <= sqrt(2)
LOG32 = (
    0.06971612, -0.11479734, 0.1168542, -0.12425687, 0.14249058, -0.16667803, 0.20000716,
    -0.24999997, 0.3333333,
)  # fmt: skip
# (2 atanh(s) / s - 2) / s^2 as a function of s^2; log(1 + r) = 2 atanh(r / (2 + r))
LOG64 = (
    0.14617807153462828, 0.15331611722050653, 0.18182892432537032, 0.22222211089379493,
    0.28571428626253836, 0.3999999999989889, 0.666666666666667,
)  # fmt: skip
# -log(1 - erf(x)) / x - 1 for 0 <= x <= 4
ERF32 = (
    -1.01397724e-07, 2.5587651e-06, -2.8743581e-05, 0.00018809218, -0.00077187974, 0.0018230308,
    -0.0002581504, -0.019121386, 0.10277336, 0.63661957, 0.12837917,
)  # fmt: skip
# erf(x) / x - 1 as a function of x^2, for |x| <= 1
ERF64 = (
    -7.795898827002142e-10, 1.3720064546777686e-08, -1.6208483801871705e-07,
    1.6447424703317362e-06, -1.492473690741966e-05, 0.00012055294904839707,
    -0.0008548325975389692, 0.0052239776071164225, -0.02686617064323777, 0.11283791670945006,
    -0.37612638903183543, 0.12837916709551256,
)  # fmt: skip
# pi / 2 in three parts: the first two have 33 bits, so that their multiples up to 2^20 are exact
HALF_PI = (1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
LOG2_E = 1.4426950408889634  # 1 / log(2)
FAR = 1e5  # where sin and cos are left to C


def exp(f: Function, x: Value) -> Value:
    """Return e^x = 2^n * e^r with r = x - n log(2)."""
    form = FORMATS[x.kind]
    x = _between(f, x, form.underflow, form.overflow)
    n, q = _reduced(f, x, form)
    return _scale(f, q + 1.0, n, form)


def expm1(f: Function, x: Value) -> Value:
    """Return e^x - 1 = 2^n * (e^r - 1) + (2^n - 1)."""
    form = FORMATS[x.kind]
    n, q = _reduced(f, _between(f, x, -form.one, form.overflow), form)
    half = f.from_bits((n + (form.bias - 1)) << form.mantissa)  # 2^(n - 1): 2^n may be infinite
    result = f.multiply_add(half, q, half - 0.5)
    tiny = f.intrinsic("fabs", x) < 2.0 ** -(form.mantissa + 2)
    return f.select(tiny, x, result + result)


def log(f: Function, x: Value) -> Value:
    """Return the logarithm of x = 2^n * (1 + r), where 1 + r is between sqrt(1/2) and sqrt(2)."""
    form = FORMATS[x.kind]
    subnormal = x < 2.0 ** (1 - form.bias)
    scaled = f.select(subnormal, x * 2.0**form.mantissa, x)
    bits = f.bits(scaled)
    shift = _bits(1.0, x.kind) - _bits(sqrt(0.5), x.kind)
    n = f.bitwise("lshr", bits + shift, form.mantissa)  # with the bias
    r = f.from_bits(bits - (n << form.mantissa) + _bits(1.0, x.kind)) - 1.0
    whole = 2.0**form.mantissa  # a number this large has the integer in its last bits
    exponent = f.from_bits(n | _bits(whole, x.kind)) - (whole + form.bias)
    exponent = f.select(subnormal, exponent - form.mantissa, exponent)
    high, low = form.log2
    half_square = r * r * 0.5
    if x.kind == "float32":
        cube = polynomial(f, r, LOG32) * r * (r * r)
        part = f.multiply_add(exponent, low, cube) - half_square
    else:
        s = r / (r + 2.0)
        square = s * s
        tail = polynomial(f, square, LOG64) * square
        part = f.multiply_add(exponent, low, s * (half_square + tail)) - half_square
    result = f.multiply_add(exponent, high, part + r)
    special = f.select(x < 0.0, nan, x)
    special = f.select(f.compare("equal", x, 0.0), -inf, special)
    return f.select((x > 0.0) & (x < inf), result, special)


def log1p(f: Function, x: Value) -> Value:
    """Return log(1 + x): the logarithm of the rounded sum, and what the rounding lost."""
    total = x + 1.0
    lost = (x - (total - 1.0)) / total
    result = log(f, total)
    result = f.select(f.is_nan(lost), result, result + lost)
    tiny = f.intrinsic("fabs", x) < 2.0 ** -(FORMATS[x.kind].mantissa + 2)
    return f.select(tiny, x, result)


def tanh(f: Function, x: Value) -> Value:
    """Return t / (t + 2) with t = e^(2 |x|) - 1, and the sign of x."""
    a = _at_most(f, f.intrinsic("fabs", x), FORMATS[x.kind].one * 1.1)
    t = expm1(f, a + a)
    return f.intrinsic("copysign", t / (t + 2.0), x)


def erf(f: Function, x: Value) -> Value:
    """Return 1 - e^(-t(|x|)) in float32; in float64, above 1, W. J. Cody's ratio of 1969."""
    if x.kind == "float32":
        a = _at_most(f, f.intrinsic("fabs", x), 4.0)
        value = -expm1(f, -f.multiply_add(a, polynomial(f, a, ERF32), a))
        return f.intrinsic("copysign", value, x)
    a = _at_most(f, f.intrinsic("fabs", x), 6.0)  # beyond, erf(x) rounds to 1
    small = f.multiply_add(a, polynomial(f, a * a, ERF64), a)
    large = 1.0 - exp(f, -(a * a)) * (polynomial(f, a, MIDDLE[0]) / polynomial(f, a, MIDDLE[1]))
    return f.intrinsic("copysign", f.select(a <= 1.0, small, large), x)


def sin(f: Function, x: Value) -> Value:
    """Return the sine of x."""
    return _sine(f, x, "sin", 0)


def cos(f: Function, x: Value) -> Value:
    """Return the cosine of x: the sine a quarter turn on."""
    return _sine(f, x, "cos", 1)


def power(f: Function, x: Value, exponent: Value) -> Value:
    """Return x ** exponent: in float32 as e^(exponent log |x|) in float64, in float64 C's pow."""
    if x.kind == "float64":
        return _each_lane(f, "pow", x, exponent)
    base, wide = f.cast("fpext", x, "float64"), f.cast("fpext", exponent, "float64")
    size = f.intrinsic("fabs", base)
    logarithm = log(f, size)
    product = wide * logarithm
    # 1 ** anything and anything ** 0 are 1, also where the product is 0 * inf or NaN
    one = f.compare("equal", x, 1.0) | f.compare("equal", exponent, 0.0)
    one = one | (f.compare("equal", x, -1.0) & (f.intrinsic("fabs", exponent) >= inf))
    result = f.cast("fptrunc", exp(f, product), "float32")
    half = wide * 0.5
    whole = f.compare("equal", f.intrinsic("floor", wide), wide)
    odd = whole & f.compare("not_equal", f.intrinsic("floor", half), half)
    negative = f.compare("less", f.bits(x), 0)
    result = f.select(negative & odd, -result, result)
    result = f.select((x < 0.0) & (x > -inf) & ~whole, nan, result)
    return f.select(one, 1.0, result)


def polynomial(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    """Return the polynomial of x with the coefficients, highest power first (Horner)."""
    first, *others = coefficients
    value = f.constant(first, x.kind, x.lanes)
    for coefficient in others:
        value = f.multiply_add(value, x, coefficient)
    return value


def _at_most(f: Function, x: Value, limit: float) -> Value:
    """Return x, or the limit if x is above; NaN stays."""
    return f.select(x > limit, limit, x)


def _between(f: Function, x: Value, low: float, high: float) -> Value:
    return _at_most(f, f.select(x < low, low, x), high)


def _nearest(f: Function, x: Value, factor: float) -> tuple[Value, Value]:
    """Return the integer nearest to x * factor, as a float and as the signed integer of its size.

    Added to 1.5 * 2^mantissa, a number is rounded to an integer that lies in the last bits.
    """
    shifter = 1.5 * 2.0 ** FORMATS[x.kind].mantissa
    shifted = f.multiply_add(x, factor, shifter)
    return shifted - shifter, f.bits(shifted) - _bits(shifter, x.kind)


def _reduced(f: Function, x: Value, form: _Format) -> tuple[Value, Value]:
    """Return n and e^r - 1, where x = n log(2) + r and n is an integer."""
    whole, n = _nearest(f, x, LOG2_E)
    high, low = form.log2
    r = f.multiply_add(whole, -low, f.multiply_add(whole, -high, x))
    return n, f.multiply_add(r * r, polynomial(f, r, form.exp), r)


def _scale(f: Function, x: Value, n: Value, form: _Format) -> Value:
    """Return x * 2^n in two halves, since 2^n alone may not be a number of the format."""
    whole = n + 2 * form.bias
    half = f.bitwise("lshr", whole, 1)
    return (x * f.from_bits(half << form.mantissa)) * f.from_bits((whole - half) << form.mantissa)


def _sine(f: Function, x: Value, name: str, quadrant: int) -> Value:
    """Return sin(x + quadrant * pi / 2), which is ``name``; x is reduced in float64."""
    form = FORMATS[x.kind]
    wide = f.cast("fpext", x, "float64") if x.kind == "float32" else x
    whole, n = _nearest(f, wide, 2 / pi)
    r = wide
    for part in HALF_PI:
        r = f.multiply_add(whole, -part, r)
    if x.kind == "float32":
        r, n = f.cast("fptrunc", r, "float32"), f.cast("trunc", n, "int32")
    square = r * r
    sine = f.multiply_add(square * r, polynomial(f, square, form.sin), r)
    cosine = f.multiply_add(square * square, polynomial(f, square, form.cos), 1.0 - square * 0.5)
    n = n + quadrant
    value = f.select(f.compare("equal", n & 1, 0), sine, cosine)
    sign = (n & 2) << (30 if x.kind == "float32" else 62)
    value = f.from_bits(f.bits(value) ^ sign)
    if name == "sin":  # -0 stays
        value = f.select(f.compare("equal", x, 0.0), x, value)
    far = f.intrinsic("fabs", wide) > FAR

    def by_lane() -> Value:
        result = _each_lane(f, name, wide)
        result = f.cast("fptrunc", result, "float32") if x.kind == "float32" else result
        return f.select(far, result, value)

    return f.replace_if(f.any(far), value, by_lane)


def _each_lane(f: Function, name: str, *operands: Value) -> Value:
    """Return a C function of float64 for each lane."""
    lanes = operands[0].lanes
    if not lanes:
        return f.call(name, *operands)
    result = f.poison("float64", lanes)
    for lane in range(lanes):
        item = f.call(name, *(f.extract(operand, lane) for operand in operands))
        result = f.insert(result, item, lane)
    return result


def _bits(value: float, kind: Kind) -> int:
    """Return the bits of a positive float as an integer."""
    code, size = ("f", 4) if INTEGER[kind] == "int32" else ("d", 8)
    return int.from_bytes(struct.pack(f"<{code}", value)[:size], "little")
