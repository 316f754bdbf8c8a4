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
# # 02 Backpropagation by hand
#
# [The notebook before](01_derivatives.ipynb) measured slopes and found them by rules. Now a longer
# computation is taken apart into small steps, and the slopes of all its numbers are found in one
# walk from the end to the beginning. This walk is called backpropagation. We do every step by hand,
# check it, and only then let the machine do it.

# %%
import math
import os

from pellucid.scalar import Neuron, Value, backprop, draw_graph, why


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## A computation is a graph
#
# The smallest network there is: one weight w and one bias b turn an input x into a prediction, and
# the error L is how far it is from the wanted y, squared.
#
# $$L = (w \cdot x + b - y)^2$$
#
# In words: multiply the input by the weight, add the bias, subtract the target, take the square. We
# give each step a name.

# %%
w, x, b, y = 2.0, 3.0, 1.0, 5.0
p = w * x
q = p + b
e = q - y
L = e**2
print(f"p = {p}, q = {q}, e = {e}, L = {L}")

# %% [markdown]
# The same with `Value`s, which remember what they were computed from. The picture reads from left
# to right: numbers we chose, then each step, then the result. Every box has room for a gradient,
# which is the slope of L with respect to the number in the box. So far nobody has computed any.


# %%
def named(value, name):
    """Give a value the name under which pictures show it."""
    value.label = name
    return value


W, X, B, Y = Value(w, "w"), Value(x, "x"), Value(b, "b"), Value(y, "y")
P = named(W * X, "p")
Q = named(P + B, "q")
E = named(Q - Y, "e")
out = named(E**2, "L")
draw_graph(out)

# %% [markdown]
# ## Walk back, one step at a time
#
# We write $dL/dw$ for the slope of L with respect to w. Begin at the end: if L grows by a little, L
# grows by just as much. So
#
# $$\frac{dL}{dL} = 1$$

# %%
dL_dL = 1.0

# %% [markdown]
# **Through the square $L = e^2$.** The power comes to the front:
#
# $$\frac{dL}{de} = 2e$$
#
# In words: L changes 2e times as fast as e.

# %%
dL_de = 2 * e * dL_dL
print(f"dL/de = {dL_de}")

# %% [markdown]
# **Through the difference $e = q - y$.** When q grows by h, e grows by h; when y grows by h, e
# shrinks by h. The local slopes are 1 and -1. How does L change? L changes dL/de times as fast as
# e, and e changes 1 or -1 times as fast. The chain rule multiplies:
#
# $$\frac{dL}{dq} = \frac{dL}{de} \cdot \frac{de}{dq} \qquad
#   \frac{dL}{dy} = \frac{dL}{de} \cdot \frac{de}{dy}$$
#
# In words: **the gradient that arrives from behind, times the local slope**. This sentence is all
# of backpropagation; what follows only repeats it.

# %%
dL_dq = dL_de * 1.0
dL_dy = dL_de * -1.0
print(f"dL/dq = {dL_dq}, dL/dy = {dL_dy}")

# %% [markdown]
# **Through the sum $q = p + b$.** Both local slopes are 1: a sum hands on what it receives.

# %%
dL_dp = dL_dq * 1.0
dL_db = dL_dq * 1.0
print(f"dL/dp = {dL_dp}, dL/db = {dL_db}")

# %% [markdown]
# **Through the product $p = w \cdot x$.** When w grows by h, p grows by x h: the local slope with
# respect to one factor is the other factor.

# %%
dL_dw = dL_dp * x
dL_dx = dL_dp * w
print(f"dL/dw = {dL_dw}, dL/dx = {dL_dx}")

# %% [markdown]
# ## Is it right?
#
# Steps know nothing of the chain rule. Move each number a little to both sides and look at L.


# %%
def compute(w, x, b, y):
    return (w * x + b - y) ** 2


def slope(function, inputs, name, h=1e-6):
    """The slope of a function of named numbers with respect to one of them, by two steps."""
    more, less = dict(inputs), dict(inputs)
    more[name] += h
    less[name] -= h
    return (function(**more) - function(**less)) / (2 * h)


inputs = {"w": w, "x": x, "b": b, "y": y}
by_hand = {"w": dL_dw, "x": dL_dx, "b": dL_db, "y": dL_dy}
for name, gradient in by_hand.items():
    measured = slope(compute, inputs, name)
    print(f"dL/d{name}: by hand {gradient:7.3f}   measured {measured:7.3f}")
    assert abs(gradient - measured) < 1e-6

# %% [markdown]
# ## Let the machine take the same steps
#
# `backprop` goes back through the graph one step at a time and says what it multiplies. Compare
# each line with ours above.

# %%
steps = list(backprop(out))
for step in steps:
    print(step)
    print()

# %% [markdown]
# A step is also a picture: lit is what the step touches, and on the lines stands the product it
# forms. Here is the second one, through the difference. The dots in p stand for a gradient that is
# still to come; the numbers we chose begin at 0, and theirs will be added to it.

# %%
steps[1].draw()

# %% [markdown]
# `backward` takes all steps at once. The walk above left its gradients in the four numbers, and a
# second walk would add to them, so they are first set to 0. The four gradients are ours.

# %%
out.zero_grad()
out.backward()
for value in (W, X, B, Y):
    print(f"dL/d{value.label} = {value.grad}")
    assert value.grad == by_hand[value.label]

# %% [markdown]
# ## What gradients are good for
#
# They say how to move all numbers at once to make L larger: each by a little, in proportion to its
# gradient. To make L smaller, go against it. The input and the target are given, so only the weight
# and the bias move. Training is this step, many times.

# %%
rate = 0.01
trained = {"w": w - rate * dL_dw, "x": x, "b": b - rate * dL_db, "y": y}
change = compute(**trained) - compute(**inputs)
foretold = -rate * (dL_dw**2 + dL_db**2)
print(f"L before {compute(**inputs):.4f}, after one step {compute(**trained):.4f}")
print(f"change {change:.4f}, foretold by the slopes {foretold:.4f}")

# %% [markdown]
# The slopes foretell the change almost, not exactly: on the way they change themselves. The shorter
# the step, the better they agree.

# %%
for rate in (0.01, 0.001, 0.0001):
    trained = {"w": w - rate * dL_dw, "x": x, "b": b - rate * dL_db, "y": y}
    change = compute(**trained) - compute(**inputs)
    print(f"rate {rate:g}: change over foretold {change / (-rate * (dL_dw**2 + dL_db**2)):.4f}")

# %% [markdown]
# ## A number used twice
#
# Let one number t go into the result along several ways:
#
# $$s = t \cdot t + t$$
#
# Each use is a way for t to change s. The changes add up, so the gradient of t is a **sum** over
# its uses. Here t is used three times: in both factors and in the sum.

# %%
t = 3.0
through_left_factor = t
through_right_factor = t
through_the_sum = 1.0
total = through_left_factor + through_right_factor + through_the_sum
print(f"by hand: ds/dt = {total}; by the rules: 2 t + 1 = {2 * t + 1}")

T = Value(t, "t")
S = named(T * T + T, "s")
print(why(T, S))

# %% [markdown]
# Who writes `=` where `+=` is needed loses all ways but the last. This is the most common mistake
# in a first engine of one's own, and it is wrong only when a number is used more than once.
#
# ## A neuron
#
# A neuron of two inputs computes a weighted sum and squeezes it:
#
# $$n = x_1 w_1 + x_2 w_2 + b \qquad o = \tanh n$$
#
# In words: each input times its weight, all added, plus the bias b, through tanh, which maps every
# number between -1 and 1. Its slope is $1 - o^2$, written with its own result. Check that first.

# %%
for n in (-2.0, 0.0, 0.5, 3.0):
    o = math.tanh(n)
    measured = (math.tanh(n + 1e-6) - math.tanh(n - 1e-6)) / 2e-6
    print(f"n = {n:4.1f}   tanh n = {o:7.4f}   1 - o^2 = {1 - o**2:.6f}   measured {measured:.6f}")

# %% [markdown]
# Now the neuron, forward and back by hand. Each line of the second half is "what arrives, times the
# local slope".

# %%
x1, x2, w1, w2, bias = 1.5, 0.0, -2.0, 1.0, 3.8
n = x1 * w1 + x2 * w2 + bias
o = math.tanh(n)
print(f"forward: n = {n:.4f}, o = {o:.4f}")

do_do = 1.0
do_dn = do_do * (1 - o**2)
do_dbias = do_dn * 1.0
do_dw1, do_dx1 = do_dn * x1, do_dn * w1
do_dw2, do_dx2 = do_dn * x2, do_dn * w2
print(f"back: do/dn = {do_dn:.4f}, do/dw1 = {do_dw1:.4f}, do/dx1 = {do_dx1:.4f}, ", end="")
print(f"do/dw2 = {do_dw2:.4f}, do/dx2 = {do_dx2:.4f}, do/db = {do_dbias:.4f}")

# %% [markdown]
# The machine's graph of the same neuron, with its gradients:

# %%
neuron = Neuron(2, "tanh", rng=0)
for weight, number in zip(neuron.weights, (w1, w2), strict=True):
    weight.data = number
neuron.bias.data = bias
inputs_of_neuron = [Value(x1, "x1"), Value(x2, "x2")]
activity = named(neuron(inputs_of_neuron), "o")
activity.backward()
assert math.isclose(neuron.weights[0].grad, do_dw1)
assert math.isclose(inputs_of_neuron[0].grad, do_dx1)
draw_graph(activity)

# %% [markdown]
# ## Why is this gradient 0?
#
# Look at w2: its gradient is 0. The weight could be anything, and the output would be the same,
# because it is multiplied by x2 = 0. `why` follows the ways from a number to the result and names
# the slope that blocks them.

# %%
print(why(neuron.weights[1], activity))

# %% [markdown]
# Another way to lose a gradient: make the weighted sum large. There tanh is flat, the slope
# $1 - o^2$ is almost 0, and so is every gradient behind it. The neuron is **saturated** and learns
# next to nothing. [Notebook 10](10_initialisation.ipynb) is about how to avoid it.

# %%
for bias in (3.8, 5.0, 7.0, 12.0):
    neuron.bias.data = bias
    activity = neuron([x1, x2])
    neuron.zero_grad()
    activity.backward()
    gradient = neuron.weights[0].grad
    print(f"n = {x1 * w1 + bias:5.2f}   o = {activity.data:.6f}   do/dw1 = {gradient:.2e}")

# %% [markdown]
# ## Why backwards?
#
# One could also walk forwards: start with one input, and carry along how fast everything changes
# with it. For each further input the walk begins anew: it finds the slopes of *all results* with
# respect to *one input*. Backwards finds the slopes of *one result* with respect to *all inputs*,
# in a single walk. A network has one error and many weights, so backwards wins. Here are many
# slopes from one walk, and one of them measured:

# %%
from pellucid import scalar

count = size(1000, 50)
features = [math.sin(i) for i in range(count)]


def large_neuron(weights):
    """A neuron of many inputs; its weighted sum is one node of the graph, `dot`."""
    return scalar.dot(weights, [Value(number) for number in features], Value(0.1)).tanh()


weights = [Value(math.cos(i) / count) for i in range(count)]
result = large_neuron(weights)
result.backward()

moved = [Value(weight.data + 1e-6 * (i == 7)) for i, weight in enumerate(weights)]
measured = (large_neuron(moved).data - result.data) / 1e-6
print(
    f"{count:,} slopes by one walk; one of them is {weights[7].grad:.5f}, measured {measured:.5f}"
)
print(f"to measure all of them, the neuron would be computed {count + 1:,} times")

# %% [markdown]
# ## What to remember
#
# - A computation is a graph of small steps, each with simple local slopes.
# - Backwards through a step: what arrives from behind, times the local slope.
# - A sum hands its gradient on; a product hands it on times the other factor; tanh times 1 - o².
# - A number used several times receives the sum over its uses.
# - One walk back finds the slopes of one result with respect to everything.
#
# To read on: [the scalar engine's reference](../docs/api/scalar.md).
#
# ## Exercises
#
# **Exercise 1.** For $L = (a + b) \cdot (b + 1)$ at $a = 2$, $b = 3$ find dL/da and dL/db by hand,
# walking back: `answer_a` and `answer_b`. Note that b is used twice.

# %% tags=["solution", "hide-input"]
# Solution 1: u = a + b = 5, v = b + 1 = 4, L = u v
dL_du, dL_dv = 4.0, 5.0
answer_a = dL_du * 1.0
answer_b = dL_du * 1.0 + dL_dv * 1.0  # over both of its uses

# %% tags=["check"]
# Check 1: by steps
at = {"a": 2.0, "b": 3.0}
for name, answer in (("a", answer_a), ("b", answer_b)):
    measured = slope(lambda a, b: (a + b) * (b + 1), at, name)
    assert abs(answer - measured) < 1e-6, f"dL/d{name}: expected {measured:.4f}, got {answer}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** The neuron of this notebook used relu instead of tanh: $o = \max(0, n)$. Write its
# backward pass by hand, as a function `backward_of_relu_neuron(x1, x2, w1, w2, b)` that returns the
# gradients of w1, w2 and b. (relu has the slope 1 above 0, and 0 below.)


# %% tags=["solution", "hide-input"]
# Solution 2: the slope of relu is 1 above 0 and 0 below, the rest is as before
def backward_of_relu_neuron(x1, x2, w1, w2, b):
    n = x1 * w1 + x2 * w2 + b
    do_dn = 1.0 if n > 0 else 0.0
    return do_dn * x1, do_dn * x2, do_dn


# %% tags=["check"]
# Check 2: against steps, once where relu is open and once where it is shut
def relu_neuron(x1, x2, w1, w2, b):
    return max(0.0, x1 * w1 + x2 * w2 + b)


for b in (7.0, -7.0):
    at = {"x1": 2.0, "x2": 0.5, "w1": -3.0, "w2": 1.0, "b": b}
    answers = dict(zip(("w1", "w2", "b"), backward_of_relu_neuron(**at), strict=True))
    for name, answer in answers.items():
        measured = slope(relu_neuron, at, name)
        assert abs(answer - measured) < 1e-6, f"{name}: expected {measured:.4f}, got {answer}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** In $y = x \cdot x \cdot x$ the number x is used three times. How many ways lead
# from x to y (`ways`), and what does each of them contribute at x = 2 (`share`)?

# %% tags=["solution", "hide-input"]
# Solution 3: one way through each factor; each contributes the product of the other two
ways, share = 3, 4.0

# %% tags=["check"]
# Check 3: counted by the library
number = Value(2.0, "x")
found = why(number, number * number * number)
assert found.count == ways, f"expected {found.count} ways, got {ways}"
assert all(path.product == share for path in found.paths), [p.product for p in found.paths]
print("Exercise 3 is right.")

# %% [markdown]
# Next: [03 The scalar engine](03_scalar_engine.ipynb)
