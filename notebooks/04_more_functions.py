# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 More functions
#
# [Forty lines](03_scalar_engine.ipynb) were enough for an engine. What makes it useful is a stock
# of functions, each with its slope. This notebook looks at the functions networks are made of, at
# the places where a slope is a matter of choice, and at formulas that are right on paper and wrong
# in a computer.

# %%
import math
import os

import numpy as np

from pellucid.figures import style
from pellucid.scalar import Value, draw_graph


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## A table of slopes
#
# | function | slope | in words |
# | --- | --- | --- |
# | $e^x$ | $e^x$ | its own slope |
# | $\ln x$ | $1/x$ | steep near 0, ever flatter |
# | $\sqrt x$ | $1 / (2 \sqrt x)$ | endlessly steep at 0 |
# | $\sin x$, $\cos x$ | $\cos x$, $-\sin x$ | a quarter turn ahead |
# | $\tanh x$ | $1 - \tanh^2 x$ | flat at both ends |
# | $\sigma(x) = 1/(1+e^{-x})$ | $\sigma(x)(1 - \sigma(x))$ | flat at both ends, at most 1/4 |
# | $\mathrm{relu}(x) = \max(0, x)$ | 0 below 0, 1 above | shut or open |
# | $\lvert x \rvert$ | -1 below 0, 1 above | the sign |
#
# Nobody has to believe it. We ask `Value` for each slope and measure it with steps to both sides.

# %%
FUNCTIONS = {
    "exp": (Value.exp, math.exp),
    "log": (Value.log, math.log),
    "sqrt": (Value.sqrt, math.sqrt),
    "sin": (Value.sin, math.sin),
    "cos": (Value.cos, math.cos),
    "tanh": (Value.tanh, math.tanh),
    "sigmoid": (Value.sigmoid, lambda x: 1 / (1 + math.exp(-x))),
    "relu": (Value.relu, lambda x: max(0.0, x)),
    "abs": (abs, abs),
}


def slope_at(function, number):
    """The slope that the engine finds."""
    x = Value(number)
    function(x).backward()
    return x.grad


def measured_slope(function, number, h=1e-6):
    """The slope over a small step to both sides."""
    return (function(number + h) - function(number - h)) / (2 * h)


for name, (ours, plain) in FUNCTIONS.items():
    places = (0.3, 2.0) if name in ("log", "sqrt") else (-1.2, 0.3, 2.0)
    gaps = [abs(slope_at(ours, place) - measured_slope(plain, place)) for place in places]
    print(f"{name:<8} largest gap {max(gaps):.0e}")
    assert max(gaps) < 1e-8

# %% [markdown]
# Here are the four that stand in most networks, with their slopes. The slope is what a gradient is
# multiplied by on its way back, so the lower row matters as much as the upper one.

# %%
grid = np.linspace(-4, 4, 161)
figure, axes = style.panels(None, 2, 4, 8.0, 3.8)
for column, name in enumerate(("sigmoid", "tanh", "relu", "exp")):
    ours, _ = FUNCTIONS[name]
    top, bottom = axes[column], axes[4 + column]
    style.dress(top, "", name)
    style.dress(bottom, "x", f"slope of {name}")
    _ = top.plot(grid, [ours(Value(x)).data for x in grid], color=style.BLUE)
    _ = bottom.plot(grid, [slope_at(ours, x) for x in grid], color=style.ORANGE)
    if name == "exp":
        _ = top.set_ylim(-0.5, 8), bottom.set_ylim(-0.5, 8)
    else:
        _ = bottom.set_ylim(-0.05, 1.1)  # one scale, to compare
figure

# %% [markdown]
# Through sigmoid a gradient loses at least three quarters: its slope is 1/4 at best. Ten sigmoids
# in a row let through at most a millionth. tanh is better, relu better still where it is open. Here
# the slopes of ten in a row, all at 0.5:

# %%
for name in ("sigmoid", "tanh", "relu"):
    ours, _ = FUNCTIONS[name]
    x = Value(0.5)
    y = x
    for _ in range(10):
        y = ours(y)
    y.backward()
    print(f"ten times {name:<8} slope {x.grad:.2e}")

# %% [markdown]
# ## Functions from functions
#
# Most of the stock is comfort. tanh can be written with exp alone:
#
# $$\tanh x = \frac{e^{2x} - 1}{e^{2x} + 1}$$
#
# The engine walks back through five steps instead of one and finds the same slope: the chain rule
# does not care how a function is cut into pieces.

# %%
x = Value(0.8, "x")
doubled = (2 * x).exp()
pieces = (doubled - 1) / (doubled + 1)
pieces.label = "tanh x"
pieces.backward()
print(f"in pieces: {pieces.data:.10f}, slope {x.grad:.10f}")
print(f"in one:    {x.tanh().data:.10f}, slope {slope_at(Value.tanh, 0.8):.10f}")
draw_graph(pieces)

# %% [markdown]
# ## A function of your own
#
# When you know the slope, one line is enough: the result, a label (none here), the function's name,
# the parents, the slopes. Here is softplus, $\ln(1 + e^x)$, a relu with a round corner. Its slope
# is the sigmoid.


# %%
def softplus(x):
    return Value(math.log1p(math.exp(x.data)), "", "softplus", (x,), (x.sigmoid().data,))


for number in (-3.0, 0.0, 2.0):
    measured = measured_slope(lambda t: math.log(1 + math.exp(t)), number)
    print(f"at {number:4.1f}: slope {slope_at(softplus, number):.8f}, measured {measured:.8f}")

# %% [markdown]
# The result must be computed from `.data`, and the slope must be the true one. The engine cannot
# see a mistake here; only a check can. This one has a wrong slope:


# %%
def wrong_softplus(x):
    return Value(math.log1p(math.exp(x.data)), "", "softplus", (x,), (x.tanh().data,))


for number in (-3.0, 0.0, 2.0):
    measured = measured_slope(lambda t: math.log(1 + math.exp(t)), number)
    gap = abs(slope_at(wrong_softplus, number) - measured)
    print(f"at {number:4.1f}: off by {gap:.3f}")

# %% [markdown]
# ## Corners
#
# relu and |x| have a corner at 0: the slope jumps, and at the corner itself there is none. A step
# to both sides measures the mean of the two slopes. The engine must say something; Pellucid takes 0
# for both, and shares equally between two equal numbers of a maximum. Any value between the two
# slopes would do as well, and training seldom notices: a computation rarely lands exactly on the
# corner.

# %%
for name in ("relu", "abs"):
    ours, plain = FUNCTIONS[name]
    print(f"{name:<4} at 0: engine {slope_at(ours, 0.0)}, measured {measured_slope(plain, 0.0)}")
one, two = Value(2.0), Value(2.0)
one.max(two).backward()
print(f"max(2, 2): engine {one.grad} and {two.grad}")

# %% [markdown]
# ## Where there is no number
#
# The logarithm of 0, a division by 0: there the engine stops and says so, instead of going on with
# something that is not a number and shows itself a thousand steps later.

# %%
for what in (lambda: Value(0.0).log(), lambda: 1 / Value(0.0), lambda: Value(-1.0).sqrt()):
    try:
        what()
    except (ValueError, ZeroDivisionError) as error:
        print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ## Right on paper, wrong in the computer
#
# $e^x$ leaves the range of a float beyond x = 709. A sigmoid written from the formula then fails,
# although its true value is perfectly tame: nearly 0. Written with whichever of $e^x$ and $e^{-x}$
# is small, it never does. The two forms are equal: the second is the first with numerator and
# denominator times $e^x$.
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{1 + e^x}$$


# %%
def naive_sigmoid(x):
    return 1 / (1 + (-x).exp())


for number in (-20.0, -800.0):
    try:
        naive = f"{naive_sigmoid(Value(number)).data:.3e}"
    except OverflowError as error:
        naive = f"OverflowError, {error}"
    safe = Value(number).sigmoid().data
    print(f"sigmoid({number:g}): by the formula {naive}; by the library {safe:.3e}")
print(f"the smallest number above 0 that a float can be: {math.ulp(0.0):.0e}")

# %% [markdown]
# Digits can also vanish silently. $\ln(1 + e^x)$ for x = -40 adds $4 \cdot 10^{-18}$ to 1, which a
# float of 16 digits cannot hold: the sum is exactly 1, its logarithm 0. `log1p(t)` computes
# $\ln(1 + t)$ without forming 1 + t.

# %%
for number in (-5.0, -20.0, -40.0):
    t = math.exp(number)
    print(
        f"x = {number:5.1f}: ln(1 + e^x) = {math.log(1 + t):.6e}, log1p(e^x) = {math.log1p(t):.6e}"
    )

# %% [markdown]
# ## Softmax, and how it is kept in range
#
# To turn several scores $z_1, \dots, z_n$ into probabilities, take $e$ to the power of each, and
# divide by the sum (written $\sum$):
#
# $$p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# In words: all are made positive, larger ones much more so, and then they are scaled to add up to
# 1. Only differences of scores matter, so the largest may be subtracted from all first. Then no
# power is above 1.


# %%
def softmax(scores):
    largest = max(score.data for score in scores)
    powers = [(score - largest).exp() for score in scores]
    total = powers[0]
    for power in powers[1:]:
        total = total + power
    return [power / total for power in powers]


print([round(p.data, 4) for p in softmax([Value(2.0), Value(1.0), Value(-1.0)])])
print([round(p.data, 4) for p in softmax([Value(1002.0), Value(1001.0), Value(999.0)])])

# %% [markdown]
# A probability depends on every score: raising one score takes from all others. Its slopes are
# $p_i (1 - p_i)$ with respect to its own score and $-p_i p_j$ with respect to another. They add up
# to 0, since raising all scores alike changes nothing.

# %%
scores = [Value(2.0), Value(1.0), Value(-1.0)]
p = softmax(scores)
p[0].backward()
slopes = [score.grad for score in scores]
print("by the engine ", [round(slope, 6) for slope in slopes], f"sum {abs(sum(slopes)):.0e}")
by_rule = [p[0].data * ((j == 0) - p[j].data) for j in range(3)]
print("by the formula", [round(slope, 6) for slope in by_rule])
assert np.allclose(slopes, by_rule)

# %% [markdown]
# ## The nicest slope of all
#
# The usual punishment for a probability p of the right answer is $-\ln p$: nothing when p = 1, much
# when p is small. Take it of a softmax, walk back to the scores, and almost everything cancels:
#
# $$\frac{\partial (-\ln p_k)}{\partial z_j} = p_j - [j = k]$$
#
# In words: the gradient of each score is its probability, less 1 for the right answer: the sign
# $[j = k]$ is 1 where j is k, and 0 elsewhere. It is the difference between what is said and what
# is true. It is near 0 only where these agree, so a sure mistake is corrected hardest.

# %%
scores = [Value(2.0), Value(1.0), Value(-1.0)]
p = softmax(scores)
right = 2
(-p[right].log()).backward()
print("gradients      ", [round(score.grad, 6) for score in scores])
difference = [p[j].data - (j == right) for j in range(3)]
print("said less true ", [round(number, 6) for number in difference])
assert np.allclose([score.grad for score in scores], difference)

# %% [markdown]
# ## What to remember
#
# - Any function is welcome that brings its value and its slope.
# - How a function is cut into pieces does not change its slope.
# - At a corner the slope is a choice; outside the domain there is none, and an error is better.
# - Formulas must be written so that no step overflows or loses its digits.
# - Softmax with -ln p has the gradient p - y: what is said, less what is true.
#
# To read on: [numbers in a computer](../docs/explanation/numerics.md), about rounding and overflow;
# [the scalar engine's reference](../docs/api/scalar.md).
#
# ## Exercises
#
# **Exercise 1.** Write SiLU, $x \cdot \sigma(x)$, twice: `silu_from_pieces(x)` from functions that
# `Value` has, and `silu(x)` as a function of its own with its slope. By the product rule the slope
# is $\sigma(x) + x\,\sigma(x)\,(1 - \sigma(x))$.


# %% tags=["solution", "hide-input"]
# Solution 1
def silu_from_pieces(x):
    return x * x.sigmoid()


def silu(x):
    s = x.sigmoid().data
    return Value(x.data * s, "", "silu", (x,), (s + x.data * s * (1 - s),))


# %% tags=["check"]
# Check 1: values and slopes against each other, and against steps
for number in (-4.0, -0.5, 0.0, 3.0):
    exact = measured_slope(lambda t: t / (1 + math.exp(-t)), number)
    assert math.isclose(silu(Value(number)).data, silu_from_pieces(Value(number)).data)
    for function in (silu, silu_from_pieces):
        found = slope_at(function, number)
        assert abs(found - exact) < 1e-8, f"at {number}: expected {exact:.8f}, got {found:.8f}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** $\ln(e^{z_1} + \dots + e^{z_n})$ is a soft maximum of the scores. Write it as
# `log_sum_exp(scores)` for a list of `Value`s, so that scores of 1000 do no harm. What are its
# slopes?


# %% tags=["solution", "hide-input"]
# Solution 2: ln of the sum is the largest plus ln of the sum of what was made smaller by it.
# Its slopes are the softmax.
def log_sum_exp(scores):
    largest = max(score.data for score in scores)
    total = Value(0.0)
    for score in scores:
        total = total + (score - largest).exp()
    return total.log() + largest


# %% tags=["check"]
# Check 2
scores = [Value(1000.0), Value(999.0), Value(990.0)]
result = log_sum_exp(scores)
expected = 1000 + math.log(1 + math.exp(-1) + math.exp(-10))
assert math.isclose(result.data, expected), f"expected {expected}, got {result.data}"
result.backward()
shares = [p.data for p in softmax(scores)]
assert np.allclose([score.grad for score in scores], shares), [score.grad for score in scores]
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** How many sigmoids in a row does it take until a gradient is sure to be less than a
# thousandth of what it was? Set `enough` to the smallest number for which the bound of 1/4 for each
# of them guarantees it.

# %% tags=["solution", "hide-input"]
# Solution 3: (1/4)^n < 1/1000 means n > ln 1000 / ln 4 = 4.98
enough = math.ceil(math.log(1000) / math.log(4))

# %% tags=["check"]
# Check 3
assert 0.25**enough < 1e-3 <= 0.25 ** (enough - 1), f"{enough} is not the smallest number"
for start in np.linspace(-5, 5, size(201, 21)):
    x = Value(start)
    y = x
    for _ in range(enough):
        y = y.sigmoid()
    y.backward()
    assert x.grad < 1e-3
print("Exercise 3 is right.")

# %% [markdown]
# Next: [05 A scalar MLP](05_scalar_mlp.ipynb)
