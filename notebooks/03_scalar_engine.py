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
# # 03 The scalar engine, line by line
#
# [The notebook before](02_backpropagation_by_hand.ipynb) walked back through a computation by hand.
# Now we build the machine that does it: a number that remembers where it came from. It takes about
# forty lines, written one idea at a time. At the end it is compared with Pellucid's own engine,
# which is the same idea with more functions, and then a small model learns with it. Numbers in this
# notebook are objects, and `__add__` and its like are how Python lets a class decide what `+`
# means; more Python than this is not needed.

# %%
import math
import os
import random
import sys

from pellucid import scalar
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. A number with room for a gradient
#
# Our number holds four things: its value `data`; its gradient `grad`, which begins at 0; its
# `parents`, the numbers it was computed from; and for each parent a `slope`, the derivative of this
# number with respect to that parent. A number we write ourselves has no parents: it is a **leaf**.


# %%
class Number:
    def __init__(self, data, parents=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents
        self.slopes = slopes

    def __repr__(self):
        return f"Number({self.data:g}, grad={self.grad:g})"


Number(3.0)

# %% [markdown]
# ## 2. Computing leaves a trail
#
# Python calls `__add__` for `+` and `__mul__` for `*`. Each of them computes a new number and notes
# the parents and the local slopes, which we know from the notebook before: 1 and 1 for a sum; for a
# product, each factor's slope is the other factor.


# %%
def add(self, other):
    return Number(self.data + other.data, (self, other), (1.0, 1.0))


def multiply(self, other):
    return Number(self.data * other.data, (self, other), (other.data, self.data))


Number.__add__ = add
Number.__mul__ = multiply

a, b, c = Number(2.0), Number(5.0), Number(-4.0)
product = a * b
total = product + c
print(total, "came from", total.parents, "with the slopes", total.slopes)
print(product, "came from", product.parents, "with the slopes", product.slopes)

# %% [markdown]
# ## 3. Going back, a first attempt
#
# Backwards through one number: each parent receives this number's gradient times the slope. The
# obvious program goes on with the parents right away.


# %%
def hasty_backward(number, gradient=1.0):
    """Hand a gradient to a number, and on to all it was computed from."""
    number.grad += gradient
    for parent, slope in zip(number.parents, number.slopes, strict=True):
        hasty_backward(parent, gradient * slope)


hasty_backward(total)
print("a", a, "  b", b, "  c", c)

# %% [markdown]
# The gradients are right: b, a and 1. But look at what happens when results are used twice. Here
# each line doubles the number before it: $x_{k+1} = x_k + x_k$. We count the visits.


# %%
def count_visits(number):
    """The visits that the hasty way pays: one for each way from a number to the result."""
    return 1 + sum(count_visits(parent) for parent in number.parents)


for length in (1, 2, 4, 8, 12):
    x = Number(1.0)
    y = x
    for _ in range(length):
        y = y + y
    print(f"{length:2d} additions: {count_visits(y):6,d} visits")

# %% [markdown]
# Every addition doubles the work: after 50 of them the walk would not end in our lifetime. The
# hasty way goes along every *path*. We want to visit every *number* once, and that is possible:
# wait with a number until its gradient is complete, and only then hand it on.
#
# ## 4. The right order
#
# A number's gradient is complete when all its children, the numbers computed from it, have handed
# theirs on. So: children before parents. We list the numbers so that parents come first, and walk
# the list from its end. Such a list is called a **topological order**. To make one, visit a
# number's parents before writing down the number itself, and nothing twice.


# %%
def in_order(number):
    """Return all numbers that a number was computed from, and itself, parents first."""
    listed, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            listed.append(node)

    visit(number)
    return listed


print([node.data for node in in_order(total)])


# %%
def backward(self):
    order = in_order(self)
    self.grad = 1.0
    for node in reversed(order):
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            parent.grad += node.grad * slope


Number.backward = backward

x = Number(1.0)
y = x
for _ in range(50):
    y = y + y
y.backward()
print(f"50 additions: {len(in_order(y))} visits, dy/dx = {x.grad:.6g}, and 2^50 = {2.0**50:.6g}")

# %% [markdown]
# Note `+=`: a number used several times collects from all its uses. This is the whole of
# backpropagation. All that follows is comfort.
#
# ## 5. Plain numbers, differences, powers
#
# We want to write `2 * x - 1` and `x**2`. Three things are missing. A plain number is turned into a
# leaf. For `2 * x` Python first asks 2, which knows nothing of us, and then us: `__rmul__`, the
# reflected product. And a power with a fixed exponent has the slope $n x^{n-1}$.


# %%
def as_number(other):
    """Return a number of ours: itself, or a leaf of a plain number."""
    return other if isinstance(other, Number) else Number(float(other))


def power(self, n):
    return Number(self.data**n, (self,), (n * self.data ** (n - 1),))


Number.__add__ = lambda self, other: add(self, as_number(other))
Number.__mul__ = lambda self, other: multiply(self, as_number(other))
Number.__pow__ = power
Number.__neg__ = lambda self: self * -1.0
Number.__sub__ = lambda self, other: self + -as_number(other)
Number.__radd__ = lambda self, other: self + other
Number.__rmul__ = lambda self, other: self * other
Number.__rsub__ = lambda self, other: as_number(other) - self

x = Number(3.0)
f = 2 * x**2 - 6 * x + 7
f.backward()
print(f"f(3) = {f.data:g}, f'(3) = {x.grad:g}")

# %% [markdown]
# Value and slope are those of [the first notebook](01_derivatives.ipynb). Differences needed no
# slopes of their own: $a - b$ is $a + (-1) \cdot b$, and the chain rule does the rest.
#
# ## 6. A function of one's own
#
# A new function is one line: its value, and its slope. For tanh the slope is $1 - \tanh^2 x$.


# %%
def tanh(self):
    out = math.tanh(self.data)
    return Number(out, (self,), (1 - out**2,))


Number.tanh = tanh

x = Number(0.5)
(x * x + x).tanh().backward()
step = 1e-6
measured = math.tanh((0.5 + step) ** 2 + 0.5 + step) - math.tanh((0.5 - step) ** 2 + 0.5 - step)
print(f"by the engine {x.grad:.8f}, measured {measured / (2 * step):.8f}")

# %% [markdown]
# ## 7. Is it right? Ask a witness
#
# Pellucid's `scalar.Value` was written apart from our `Number`. Where both agree on many random
# expressions, both are likely to be right. The same program is given to both: take two numbers met
# so far, combine them, and go on.


# %%
def random_expression(kind, seed, steps):
    """Return leaves and result of a random computation with numbers of a kind."""
    rng = random.Random(seed)
    leaves = [kind(rng.uniform(-1, 1)) for _ in range(3)]
    known = list(leaves)
    for _ in range(steps):
        one, two = rng.choice(known), rng.choice(known)
        way = rng.randrange(5)
        if way == 0:
            known.append(one + two)
        elif way == 1:
            known.append(one * two)
        elif way == 2:
            known.append(one - 2 * two)
        elif way == 3:
            known.append((one**2 + two).tanh())
        else:
            known.append(1 - one)
    result = known[-1].tanh() + known[-2] * 0.5
    return leaves, result


compared, largest = size(300, 20), 0.0
for seed in range(compared):
    ours, our_result = random_expression(Number, seed, steps=20)
    theirs, their_result = random_expression(scalar.Value, seed, steps=20)
    our_result.backward()
    their_result.backward()
    for mine, other in zip(ours, theirs, strict=True):
        gap = abs(mine.grad - other.grad) / max(1.0, abs(other.grad))
        largest = max(largest, gap)
print(f"{compared} expressions; the largest relative difference of a gradient is {largest:.1e}")
assert largest < 1e-9

# %% [markdown]
# ## 8. What it cannot do yet
#
# Make a chain of many additions. `visit` calls itself once for each link (this is **recursion**),
# and Python does not like calls that are nested thousands deep.

# %%
links = 5000
x = Number(0.0)
y = x
for _ in range(links):
    y = y + 1
print(
    f"Python allows about {sys.getrecursionlimit():,} nested calls; the chain has {links:,} links"
)
try:
    y.backward()
except RecursionError as error:
    print("RecursionError:", error)

# %% [markdown]
# Adding up the losses of a few thousand examples already makes such a chain. Pellucid's engine
# keeps a list of what is still to be visited instead, and has no such limit:

# %%
x = scalar.Value(0.0)
y = x
for _ in range(links):
    y = y + 1
y.backward()
print(f"y = {y.data:g}, dy/dx = {x.grad:g}")

# %% [markdown]
# ## 9. Learning with forty lines
#
# Points near a line, $y = 1.5 x - 0.7$ and a little noise. The model is $w x + b$; the loss is the
# mean of the squared errors. One step: compute the loss, go back, move w and b against their
# gradients.

# %%
rng = random.Random(0)
xs = [rng.uniform(-2, 2) for _ in range(30)]
ys = [1.5 * x - 0.7 + rng.gauss(0, 0.2) for x in xs]


def mean_squared_error(w, b):
    losses = [(w * x + b - y) ** 2 for x, y in zip(xs, ys, strict=True)]
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total * (1 / len(losses))


w, b = Number(0.0), Number(0.0)
path = []
for step in range(size(40, 40)):
    w.grad = b.grad = 0.0  # or the gradients of all steps would add up
    loss = mean_squared_error(w, b)
    loss.backward()
    path.append((w.data, b.data, loss.data))
    w.data -= 0.1 * w.grad
    b.data -= 0.1 * b.grad
    if step % 10 == 0:
        print(f"step {step:2d}: loss {loss.data:.4f}, w {w.data:.3f}, b {b.data:.3f}")
print(f"at the end: loss {loss.data:.4f}, w {w.data:.3f}, b {b.data:.3f}")

# %%
figure, [left, right] = style.panels(None, 1, 2, 7.6, 3.2)
style.dress(left, "x", "y")
(points,) = left.plot(xs, ys, "o", color=style.BLUE, markersize=4)
ends = [-2.0, 2.0]
(first,) = left.plot(ends, [0.0, 0.0], ":", color=style.MUTED)
(last,) = left.plot(ends, [w.data * x + b.data for x in ends], color=style.VERMILLION)
style.legend_above(left, [("data", points), ("start", first), ("end", last)], columns=3)
style.dress(right, "step", "loss")
_ = right.semilogy([loss for _, _, loss in path], color=style.BLUE)
figure

# %% [markdown]
# The loss does not go to 0: no line passes through all noisy points. It goes to about the square of
# the noise, 0.2² = 0.04.
#
# ## What to remember
#
# - A number that remembers its parents and the slopes to them is all that backpropagation needs.
# - Children before parents: then each number is visited once, and its gradient is complete.
# - `+=`, because a number may be used several times.
# - A new function needs its value and its slope, and nothing else.
# - Set gradients to 0 before the next step.
#
# To read on: [the scalar engine's reference](../docs/api/scalar.md), and [the
# decisions](../docs/explanation/decisions.md) behind the large one.
#
# ## Exercises
#
# **Exercise 1.** Give `Number` the exponential function: a method `x.exp()`. Its slope is its own
# value.


# %% tags=["solution", "hide-input"]
# Solution 1
def exp(self):
    out = math.exp(self.data)
    return Number(out, (self,), (out,))


Number.exp = exp

# %% tags=["check"]
# Check 1: against the library's engine
for data in (-2.0, 0.0, 1.5):
    mine, other = Number(data), scalar.Value(data)
    (mine * mine.exp()).backward()
    (other * other.exp()).backward()
    assert math.isclose(mine.grad, other.grad), f"at {data}: expected {other.grad}, got {mine.grad}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Division without a slope of its own: write `a / b` with what there already is, for
# two numbers and for `1 / b` as well.

# %% tags=["solution", "hide-input"]
# Solution 2: a / b is a times b to the power of -1
Number.__truediv__ = lambda self, other: self * as_number(other) ** -1
Number.__rtruediv__ = lambda self, other: as_number(other) / self

# %% tags=["check"]
# Check 2: the slopes are 1 / b and -a / b^2
p, q = Number(3.0), Number(-4.0)
(p / q).backward()
assert math.isclose(p.grad, 1 / -4), f"expected -0.25, got {p.grad}"
assert math.isclose(q.grad, -3 / 16), f"expected -0.1875, got {q.grad}"
r = Number(2.0)
(1 / r).backward()
assert math.isclose(r.grad, -0.25), f"expected -0.25, got {r.grad}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Write `in_order(number)` without recursion (no function that calls itself), so
# that the chain of 5,000 links works. Keep a list of what is to be visited, and put a number back
# on it, under its parents, before its parents.


# %% tags=["solution", "hide-input"]
# Solution 3: (node, True) means: all its parents are listed, so list it now
def in_order(number):
    listed, seen, waiting = [], set(), [(number, False)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            listed.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting.extend((parent, False) for parent in node.parents)
    return listed


# %% tags=["check"]
# Check 3: a long chain, and every number after its parents in a tangled graph
start = Number(1.0)
end = start
for _ in range(links):
    end = end + 1
end.backward()
assert start.grad == 1.0, f"expected 1, got {start.grad}"
_, tangled = random_expression(Number, seed=1, steps=200)
order = in_order(tangled)
place = {node: i for i, node in enumerate(order)}
assert len(place) == len(order), "a number is listed twice"
assert order[-1] is tangled
assert all(place[parent] < place[node] for node in order for parent in node.parents)
print("Exercise 3 is right.")

# %% [markdown]
# Next: [04 More functions](04_more_functions.ipynb)
