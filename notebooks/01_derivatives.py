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
# # 01 Derivatives
#
# A network learns by asking one question of each of its numbers: if this number grew a little,
# would the error grow or shrink, and how fast? The answer is a derivative. This notebook says what
# a derivative is, measures it with small steps, finds it exactly by rules, and uses it to walk
# downhill. School mathematics is enough, and to be able to read a little Python.
#
# The cell below is at the top of every notebook, in one form or another. `size` chooses small sizes
# when the notebooks are tested. Lines with `style` or `ax` draw pictures; skip them as you please.

# %%
import math
import os

import numpy as np

import pellucid
from pellucid.figures import style
from pellucid.scalar import Value


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## How fast does it change?
#
# Take a function of one number. We use this one all along:
#
# $$f(x) = 2x^2 - 6x + 7$$
#
# In words: twice the square of x, less six times x, plus seven.


# %%
def f(x):
    return 2 * x**2 - 6 * x + 7


for x in (-1, 0, 1, 2, 3):
    print(f"f({x}) = {f(x)}")

# %% [markdown]
# Stand at x = 3 and take a step of length h to the right. The function changes by f(3 + h) - f(3).
# Divided by the length of the step, this is the change per unit of x: the slope of the line through
# both points. Make the step shorter and shorter.

# %%
x = 3.0
for h in (1.0, 0.1, 0.01, 0.001, 0.0001):
    print(f"h = {h:<7g} change {f(x + h) - f(x):<12.6g} slope {(f(x + h) - f(x)) / h:.6f}")

# %% [markdown]
# The change itself goes to 0, but the slope settles: on 6. This limit, the number that the slopes
# come as near to as we please, is the **derivative** of f at x. It is written df/dx, or f'(x) for
# short:
#
# $$\frac{df}{dx} = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h}$$
#
# In words: the change of f, divided by the change of x that caused it, for smaller and smaller
# changes. In a picture, lines through two points of the curve turn into the line that touches it in
# one.

# %%
figure, [ax] = style.panels(None, 1, 1, 6.0, 3.8)
style.dress(ax, "x", "f(x)")
grid = np.linspace(0, 5, 200)
(curve,) = ax.plot(grid, f(grid), color=style.INK, linewidth=2)
entries = [("f", curve)]
for h, colour, dashes in (
    (1.5, style.SKY, ":"),
    (0.7, style.ORANGE, "--"),
    (1e-6, style.VERMILLION, "-"),
):
    slope = (f(x + h) - f(x)) / h
    (line,) = ax.plot(grid, f(x) + slope * (grid - x), color=colour, linestyle=dashes)
    _ = ax.plot([x, x + h], [f(x), f(x + h)], "o", color=colour)
    entries.append((f"step {h:g}, slope {slope:.2f}", line))
_ = ax.set_ylim(-3, 30)
style.legend_above(ax, entries, columns=2)
figure

# %% [markdown]
# ## The sign says which way is down
#
# A positive derivative means: a little more x makes f larger. A negative one: a little more x makes
# f smaller. Where it is 0, the curve is flat. Here is the slope at many places, measured with a
# step to both sides: over (x - h, x + h) the error is far smaller than over (x, x + h), as a later
# section shows.


# %%
def slope_of(function, x, h=1e-6):
    """The slope over a step to both sides: twice as many points, and a far smaller error."""
    return (function(x + h) - function(x - h)) / (2 * h)


figure, [left, right] = style.panels(None, 1, 2, 7.6, 3.2)
grid = np.linspace(-1.5, 4.5, 200)
style.dress(left, "x", "f(x)")
style.dress(right, "x", "slope of f at x")
_ = left.plot(grid, f(grid), color=style.BLUE)
_ = right.plot(grid, slope_of(f, grid), color=style.ORANGE)
_ = right.axhline(0, color=style.MUTED, linewidth=0.8)
for ax in (left, right):
    _ = ax.axvline(1.5, color=style.MUTED, linewidth=0.8, linestyle=":")
figure

# %% [markdown]
# The slope is itself a function of x, and here a straight line. It is 0 at x = 1.5, and exactly
# there f is lowest.

# %%
print(f"slope at 1.5: {slope_of(f, 1.5):.0e}")
print(f"f just left of it, at it, just right of it: {f(1.4):.4f} {f(1.5):.4f} {f(1.6):.4f}")

# %% [markdown]
# ## Rules instead of steps
#
# Nobody needs steps for a function built from known parts. Four rules are enough here:
#
# - a constant does not change: its derivative is 0;
# - $x^n$ has the derivative $n x^{n-1}$: the power comes to the front, and is one less;
# - a sum changes by the sum of the changes: derivatives add up;
# - a factor that is constant stays as a factor.
#
# So $f'(x) = 2 \cdot 2x - 6 = 4x - 6$, and $f'(3) = 6$, as measured. The formula holds everywhere:


# %%
def df(x):
    return 4 * x - 6


for x in (-2.0, 0.0, 1.5, 3.0):
    print(f"x = {x:6.3f}   by the rules {df(x):8.4f}   by a step {slope_of(f, x):8.4f}")

# %% [markdown]
# Two more rules combine functions. They are all that a network needs:
#
# - **product**: $(uv)' = u'v + uv'$. Each factor changes in turn, while the other stands still.
# - **chain**: for $y = g(u)$ with $u = h(x)$, $\frac{dy}{dx} = \frac{dy}{du} \cdot \frac{du}{dx}$.
#   If u changes 3 times as fast as x, and y twice as fast as u, y changes 6 times as fast as x.
#
# Check the product rule on $x^2 \sin x$, and the chain rule on $\sin(x^2)$: the outer slope
# $\cos(x^2)$ times the inner slope $2x$.

# %%
for x in (0.5, 1.0, 1.7):
    product = 2 * x * math.sin(x) + x**2 * math.cos(x)
    chain = math.cos(x**2) * 2 * x
    print(f"x = {x}, by the rules: product {product:9.6f}, chain {chain:9.6f}")
    product = slope_of(lambda t: t**2 * math.sin(t), x)
    chain = slope_of(lambda t: math.sin(t**2), x)
    print(f"         by a step:    product {product:9.6f}, chain {chain:9.6f}")

# %% [markdown]
# ## How small may a step be?
#
# Why not use steps for everything? First, a computer keeps about 16 digits of a number. Two values
# that are almost equal lose their common digits when subtracted. A long step is wrong because the
# curve bends, a short one because digits are lost. Here is the error for all lengths.

# %%
point, exact = 1.0, math.cos(1.0)
lengths = np.logspace(-15, 0, 61)
forward = np.abs((np.sin(point + lengths) - math.sin(point)) / lengths - exact)
central = np.abs(slope_of(np.sin, point, lengths) - exact)

figure, [ax] = style.panels(None, 1, 1, 6.4, 3.6)
style.dress(ax, "length of the step h", "error of the slope of sin at 1")
(one,) = ax.loglog(lengths, forward, "o-", markersize=3, color=style.ORANGE)
(two,) = ax.loglog(lengths, central, "s--", markersize=3, color=style.BLUE)
style.legend_above(ax, [("step to one side", one), ("to both sides", two)], columns=2)
figure

# %%
print(f"best step to one side:  h = {lengths[forward.argmin()]:.0e}, error {forward.min():.0e}")
print(f"best step to both sides: h = {lengths[central.argmin()]:.0e}, error {central.min():.0e}")

# %% [markdown]
# Second, each input needs a step of its own. A network with a million weights would have to be run
# a million times to learn all slopes once. Rules give all of them in one go, as [the next
# notebook](02_backpropagation_by_hand.ipynb) shows. Still, steps are how rules are *checked*: they
# know nothing of the rules, so they cannot share their mistakes.
#
# ## Several inputs
#
# Let a function take several numbers. Its **partial derivative** with respect to one of them is the
# slope when only that one moves, written with a round d: $\partial d / \partial a$. All of them
# together are the **gradient**.
#
# $$d(a, b, c) = a b + c$$
#
# In words: the product of a and b, plus c.


# %%
def d(a, b, c):
    return a * b + c


a, b, c, h = 4.0, -1.5, 5.0, 1e-6
print(f"d = {d(a, b, c)}")
print(f"slope in a: {(d(a + h, b, c) - d(a, b, c)) / h:.4f}   (the rule says b = {b})")
print(f"slope in b: {(d(a, b + h, c) - d(a, b, c)) / h:.4f}   (the rule says a = {a})")
print(f"slope in c: {(d(a, b, c + h) - d(a, b, c)) / h:.4f}   (the rule says 1)")

# %% [markdown]
# ## The machine that applies the rules
#
# Pellucid applies the rules for us. A `Value` is a number that remembers how it was computed;
# `backward()` follows this trail and leaves in `grad` the derivative with respect to each number.
# How it does this is the subject of the next two notebooks.

# %%
va, vb, vc = Value(a, "a"), Value(b, "b"), Value(c, "c")
out = va * vb + vc
out.backward()
print(f"d = {out.data}: slopes {va.grad}, {vb.grad}, {vc.grad}")

# %% [markdown]
# And `pellucid.grad` turns a function into the function of its slope. It can be applied twice: the
# slope of the slope says how a curve bends. For f it is 4 everywhere. (`item()` makes a plain
# number of the library's.)

# %%
slope = pellucid.grad(f)
bend = pellucid.grad(slope)
for x in (0.0, 3.0):
    print(f"at {x:g}: slope {slope(x).item():g}, slope of the slope {bend(x).item():g}")

# %% [markdown]
# ## Walking downhill
#
# Here is why networks want derivatives. Start anywhere and take a step against the slope, again and
# again:
#
# $$x \leftarrow x - \eta f'(x)$$
#
# In words: the new x is the old x, less a small number $\eta$ (the **learning rate**) times the
# slope. Where the curve is steep the steps are long; near the bottom they shrink by themselves.

# %%
x, rate, walk = 3.0, 0.07, [3.0]
for _ in range(size(30, 15)):
    x = x - rate * df(x)
    walk.append(x)
print(f"after {len(walk) - 1} steps x = {x:.6f}; the lowest point is at {1.5:.6f}")

figure, [ax] = style.panels(None, 1, 1, 6.0, 3.4)
style.dress(ax, "x", "f(x)")
grid = np.linspace(-0.2, 3.2, 200)
_ = ax.plot(grid, f(grid), color=style.BLUE)
_ = ax.plot(walk, f(np.array(walk)), "o-", color=style.VERMILLION, markersize=5, linewidth=0.8)
figure

# %% [markdown]
# The rate matters. Too small, and the walk is slow; too large, and each step jumps over the valley,
# in the end to ever higher places.

# %%
for rate in (0.01, 0.07, 0.25, 0.45, 0.51):
    x = 3.0
    for _ in range(30):
        x = x - rate * df(x)
    print(f"rate {rate:<5} after 30 steps x = {x:7.4f}, f(x) = {f(x):8.4f}")

# %% [markdown]
# ## What to remember
#
# - A derivative is change divided by the change that caused it, for ever smaller changes.
# - Its sign says which way is up; where a smooth function is lowest, it is 0.
# - Products and chains of functions have rules of their own; the chain rule multiplies slopes.
# - Steps measure slopes without knowing any rule: slowly and with few digits, but independently.
# - A step against the slope makes the function smaller, if the step is small enough.
#
# To read on: [functions and their gradients](../docs/api/pellucid.md), and [what rounding
# does](../docs/explanation/numerics.md).
#
# ## Exercises
#
# Under each exercise stand one solution and a cell that checks it. Write your own in place of the
# solution, under the same names, and run both.
#
# **Exercise 1.** Find by the rules the derivative of $p(x) = x^3 - 2x$ and write it as a function
# `dp(x)`.


# %% tags=["solution", "hide-input"]
# Solution 1: the power comes to the front and is one less
def dp(x):
    return 3 * x**2 - 2


# %% tags=["check"]
# Check 1: measured with steps, at several places
for x in (-2.0, -0.5, 0.0, 1.0, 3.0):
    measured = slope_of(lambda t: t**3 - 2 * t, x)
    assert abs(dp(x) - measured) < 1e-6, f"at {x}: expected {measured:.6f}, got {dp(x)}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** The sigmoid $\sigma(x) = 1 / (1 + e^{-x})$ squeezes every number between 0 and 1.
# Show on paper with the chain rule that its derivative is $\sigma(x)\,(1 - \sigma(x))$. ($e^x$ is
# its own derivative, so that of $e^{-x}$ is $-e^{-x}$; that of $1/u$ is $-1/u^2$.) At which x is it
# steepest, `steepest_at`, and how steep is it there, `steepest`?

# %% tags=["solution", "hide-input"]
# Solution 2: with u = 1 + e^-x, d(1/u)/du = -1/u^2 and du/dx = -e^-x, so the slope is
# e^-x / (1 + e^-x)^2 = s (1 - s). A product s (1 - s) is largest where both factors are 1/2.
steepest_at, steepest = 0.0, 0.25

# %% tags=["check"]
# Check 2
line = np.linspace(-6, 6, 2401)
slopes = slope_of(lambda t: 1 / (1 + np.exp(-t)), line)
sigma = 1 / (1 + np.exp(-line))
assert np.allclose(slopes, sigma * (1 - sigma), atol=1e-8)
assert abs(line[slopes.argmax()] - steepest_at) < 0.01, f"steepest at {line[slopes.argmax()]}"
assert abs(slopes.max() - steepest) < 1e-6, f"steepest slope is {slopes.max()}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Walk down f once more from x = 3, but find a learning rate `one_step` that takes
# you to the lowest point in a single step. (The slope is 4x - 6, and the way to go is 3 - 1.5.)

# %% tags=["solution", "hide-input"]
# Solution 3: rate * f'(3) must be 3 - 1.5, and f'(3) = 6
one_step = (3 - 1.5) / 6

# %% tags=["check"]
# Check 3: after the step no neighbour is lower
arrived = 3 - one_step * slope_of(f, 3.0)
assert f(arrived) < f(arrived + 1e-3), f"x = {arrived} is not lowest"
assert f(arrived) < f(arrived - 1e-3), f"x = {arrived} is not lowest"
print(f"Exercise 3 is right: the rate {one_step:.4f} is 1 / f'' = 1 / 4.")

# %% [markdown]
# Next: [02 Backpropagation by hand](02_backpropagation_by_hand.ipynb)
