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
# # 05 A scalar MLP
#
# We have [an engine](03_scalar_engine.ipynb) and [a stock of functions](04_more_functions.ipynb).
# Now we stack neurons into a network, a multi-layer perceptron, and let it learn what a single
# neuron cannot: to tell two crescents of points apart. Every number on the way can be looked at.

# %%
import os

import numpy as np

from pellucid import data, scalar, viz
from pellucid.figures import style
from pellucid.scalar import MLP, SGD, Layer, Neuron, Value, draw_graph


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## Neuron, layer, network
#
# A **neuron** computes a weighted sum of its inputs, adds a bias, and passes it through a function:
#
# $$o = \tanh(w_1 x_1 + \dots + w_n x_n + b)$$
#
# A **layer** is several neurons with the same inputs. A **network** is layers in a row: what one
# returns, the next takes.

# %%
neuron = Neuron(2, rng=0)
layer = Layer(2, 3, rng=0)
network = MLP(2, [3, 1], rng=0)
point = [0.5, -1.0]
print("neuron :", neuron(point))
print("layer  :", layer(point))
print("network:", network(point))

# %% [markdown]
# How many numbers can be learned? A neuron of n inputs has n weights and a bias. Three neurons of
# two inputs have 3 · (2 + 1) = 9, and one neuron on top of three has 3 + 1 = 4.

# %%
print(f"neuron {len(neuron.parameters())}, layer {len(layer.parameters())}, ", end="")
print(f"network {len(network.parameters())}")

# %% [markdown]
# A network's output is a `Value` like any other, so it can be walked back. Here is the whole graph
# of a network of two inputs, two neurons and one on top. `fused=True` draws, and computes, each
# weighted sum as a single node.

# %%
small = MLP(2, [2, 1], fused=True, rng=1)
answer = small([Value(0.5, "x1"), Value(-1.0, "x2")])
answer.label = "out"
answer.backward()
draw_graph(answer)

# %% [markdown]
# ## The problem: two moons
#
# A hundred points in two crescents. `noise` scatters them a little. We call the upper one -1 and
# the lower one +1. The network gets the two coordinates and returns one number, the **score**; its
# sign is the answer. In the picture the line is where the score is 0; the stronger the colour, the
# farther from 0 it is.

# %%
moons = data.moons(size(100, 40), noise=0.1, seed=0)
x = moons.x.tolist()
y = [2 * int(label) - 1 for label in moons.y]
print(f"{len(x)} points; the first is at ({x[0][0]:.2f}, {x[0][1]:.2f}) and belongs to {y[0]:+d}")


def accuracy(network):
    """The share of points whose score has the right sign."""
    right = [(network(row).data > 0) == (target > 0) for row, target in zip(x, y, strict=True)]
    return sum(right) / len(right)


def regions(network):
    """Draw what the network answers everywhere."""

    def probability(grid):
        scores = np.array([network(row).data for row in grid.tolist()])
        return 1 / (1 + np.exp(-np.clip(scores, -30, 30)))

    return viz.decision_boundary(probability, moons.x, moons.y, moons.class_names, resolution=60)


network = MLP(2, [8, 8, 1], output="linear", fused=True, rng=1)
print(f"an untrained network of {len(network.parameters())} numbers: {accuracy(network):.0%} right")
regions(network)

# %% [markdown]
# ## A loss: how wrong is it?
#
# Accuracy is no good for learning: it changes in jumps, and its slope is 0 almost everywhere. We
# need a number that changes with every weight. The **hinge** loss of a point with score s and
# target y of -1 or +1 is
#
# $$\max(0,\; 1 - y s)$$
#
# In words: nothing if the score is on the right side and at least 1 away from 0; otherwise, as much
# as is missing. The loss of all points is the mean.

# %%
for score, target in ((2.0, 1), (0.4, 1), (-0.5, 1), (-3.0, -1)):
    loss = scalar.hinge([Value(score)], [target])
    print(f"score {score:4.1f}, target {target:+d}: loss {loss.data:.1f}")

# %% [markdown]
# Move one number of the network, a weight of its last neuron, by very little. The accuracy does not
# notice; the loss does, and says which way is better.

# %%
weight = network.layers[-1].neurons[0].weights[0]
kept = weight.data
for move in (-0.002, -0.001, 0.0, 0.001, 0.002):
    weight.data = kept + move
    loss = scalar.hinge([network(row) for row in x], y)
    print(f"weight {move:+.3f}: right {accuracy(network):.0%}, loss {loss.data:.6f}")
weight.data = kept

# %% [markdown]
# ## One step of learning
#
# Five lines, and there is nothing else in training: scores, loss, gradients, a step against them,
# and gradients back to 0, since `backward` adds to what is there.

# %%
optimizer = SGD(network.parameters(), lr=0.5)

scores = [network(row) for row in x]
loss = scalar.hinge(scores, y)
loss.backward()
optimizer.step()
optimizer.zero_grad()

after = scalar.hinge([network(row) for row in x], y)
print(f"loss before the step {loss.data:.4f}, after it {after.data:.4f}")

# %% [markdown]
# ## Many steps
#
# The same five lines in a loop. Large steps at first, smaller ones later: the rate is divided by
# $1 + 0.01 t$ in step t = 0, 1, 2, ...

# %%
network = MLP(2, [8, 8, 1], output="linear", fused=True, rng=1)
optimizer = SGD(network.parameters(), lr=2.0, decay=0.01)
losses, accuracies = [], []
for step in range(size(150, 8)):
    scores = [network(row) for row in x]
    loss = scalar.hinge(scores, y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.data)
    accuracies.append(
        sum((s.data > 0) == (target > 0) for s, target in zip(scores, y, strict=True)) / len(y)
    )
    if step % 25 == 0:
        print(f"step {step:3d}: loss {losses[-1]:.4f}, right {accuracies[-1]:.0%}")
print(f"at the end: loss {losses[-1]:.4f}, right {accuracies[-1]:.0%}")

# %%
figure, [left, right] = style.panels(None, 1, 2, 7.6, 3.0)
style.dress(left, "step", "loss")
style.dress(right, "step", "share of points that are right")
_ = left.plot(losses, color=style.BLUE)
_ = right.plot(accuracies, color=style.ORANGE)
figure

# %%
regions(network)

# %% [markdown]
# The border bends around both crescents. On the way the loss jumps now and then: the steps are
# large. The library has this loop as a function, `scalar.train`, which we use from here on.
#
# ## Why layers?
#
# One neuron draws one straight border: where its weighted sum is 0. No straight line parts these
# moons, so it cannot learn them, however long it tries. The more neurons stand side by side, the
# more bends a border can have.

# %%
for sizes in ([1], [2, 1], [4, 1], [8, 1], [8, 8, 1]):
    candidate = MLP(2, sizes, output="linear", fused=True, rng=1)
    optimizer = SGD(candidate.parameters(), lr=2.0, decay=0.01)
    history = scalar.train(candidate, x, y, scalar.hinge, optimizer, epochs=size(150, 8))
    count = len(candidate.parameters())
    print(
        f"{sizes!s:<10} {count:4d} numbers: loss {history[-1]:.4f}, right {accuracy(candidate):.0%}"
    )

# %% [markdown]
# And layers must not be linear. A linear layer on a linear layer is a linear layer:
# $w_2 (w_1 x) = (w_2 w_1) x$. In words: two weights in a row do what one weight, their product,
# does; the same holds for whole layers, and biases change only where the border lies. Without tanh
# in between, all the neurons together draw one straight border:

# %%
straight = MLP(2, [8, 8, 1], activation="linear", fused=True, rng=1)
optimizer = SGD(straight.parameters(), lr=0.1, decay=0.01)
_ = scalar.train(straight, x, y, scalar.hinge, optimizer, epochs=size(150, 8))
print(f"without tanh: right {accuracy(straight):.0%}")
regions(straight)

# %% [markdown]
# ## What the hidden neurons see
#
# Each neuron of the first layer has a straight border of its own, where its weighted sum is 0. The
# layers behind it put the pieces together. Here are the eight borders of the network that learned
# the moons.

# %%
figure = regions(network)
ax = figure.axes[0]
limits = ax.get_xlim(), ax.get_ylim()
across = np.array(limits[0])
for hidden in network.layers[0].neurons:
    (w1, w2), b = (weight.data for weight in hidden.weights), hidden.bias.data
    if w2 != 0:
        _ = ax.plot(across, -(w1 * across + b) / w2, color=style.INK, linewidth=0.9, linestyle="--")
_ = ax.set_xlim(limits[0]), ax.set_ylim(limits[1])
figure

# %% [markdown]
# ## The forgotten line
#
# Leave out `zero_grad`, and each step is made with the sum of all gradients so far. Nothing
# complains. On a bowl, $L = w^2$, one sees what happens: the sum is like the speed of a ball that
# rolls without friction. It may even be quick, but it never comes to rest.


# %%
def roll(forget, steps):
    """Return where gradient descent on w^2 is after each step."""
    w, places = Value(1.0), []
    for _ in range(steps):
        (w**2).backward()
        w.data -= 0.05 * w.grad
        places.append(w.data)
        if not forget:
            w.grad = 0.0
    return places


def losses_of(forget, steps):
    """Return the losses of the network while it learns the moons."""
    network = MLP(2, [8, 8, 1], output="linear", fused=True, rng=1)
    optimizer = SGD(network.parameters(), lr=2.0, decay=0.01)
    losses = []
    for _ in range(steps):
        loss = scalar.hinge([network(row) for row in x], y)
        loss.backward()
        optimizer.step()
        if not forget:
            optimizer.zero_grad()
        losses.append(loss.data)
    return losses


steps = size(150, 8)
right_way, forgotten = losses_of(False, steps), losses_of(True, steps)
print(f"moons, after {steps} steps: loss {right_way[-1]:.4f}; forgotten {forgotten[-1]:.4f}")

figure, [left, right] = style.panels(None, 1, 2, 7.6, 3.2)
style.dress(left, "step", "w on the bowl")
style.dress(right, "step", "loss on the moons")
for ax, done, missed in ((left, roll(False, 60), roll(True, 60)), (right, right_way, forgotten)):
    (one,) = ax.plot(done, color=style.BLUE)
    (two,) = ax.plot(missed, color=style.VERMILLION, linestyle="--", linewidth=1)
    style.legend_above(ax, [("with zero_grad", one), ("forgotten", two)], columns=2)
figure

# %% [markdown]
# ## Another loss: probabilities
#
# The hinge stops caring once a point is 1 away. **Binary cross-entropy** turns the score z into a
# probability of the answer 1, $p = \sigma(z)$ (targets are now 0 and 1). Its loss is minus the
# logarithm of the probability given to the truth: $-\ln p$ where the truth is 1, and $-\ln(1 - p)$
# where it is 0. It never stops asking for more certainty, but ever more softly.

# %%
labels = [int(label) for label in moons.y]
network = MLP(2, [8, 8, 1], output="linear", fused=True, rng=1)
optimizer = SGD(network.parameters(), lr=2.0, decay=0.01)
history = scalar.train(
    network, x, labels, scalar.binary_cross_entropy, optimizer, epochs=size(150, 8)
)
print(f"loss {history[-1]:.4f}, right {accuracy(network):.0%}")
for row, label in list(zip(x, labels, strict=True))[:3]:
    print(f"truth {label}, probability of 1: {network(row).sigmoid().data:.3f}")

# %% [markdown]
# ## What to remember
#
# - A neuron is a weighted sum, a bias and a bent function; a network is layers of them.
# - Without the bend, any number of layers is one straight border.
# - A loss changes a little with every weight; accuracy jumps.
# - Training is five lines: scores, loss, backward, step, zero_grad.
# - Forgetting zero_grad gives no error, only a ball that never comes to rest.
#
# To read on: [the scalar engine's reference](../docs/api/scalar.md).
#
# ## Exercises
#
# **Exercise 1.** How many numbers does a network of 3 inputs and layers of 4, 4 and 1 neurons
# learn? Count without the computer, and set `count`.

# %% tags=["solution", "hide-input"]
# Solution 1: a neuron of n inputs has n weights and one bias
count = 4 * (3 + 1) + 4 * (4 + 1) + 1 * (4 + 1)

# %% tags=["check"]
# Check 1
expected = len(MLP(3, [4, 4, 1]).parameters())
assert count == expected, f"expected {expected}, got {count}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Exclusive or: the answer is 1 if exactly one of two inputs is 1. Choose by hand
# the weights of two relu neurons, `hidden_weights` (a list for each neuron) and `hidden_biases`,
# and of one linear neuron, `output_weights` and `output_bias`, that compute it. (Hint: $x_1 + x_2$
# is 0, 1 or 2, and what is too much at 2 can be taken away again.)

# %% tags=["solution", "hide-input"]
# Solution 2: relu(x1 + x2) - 2 relu(x1 + x2 - 1)
hidden_weights, hidden_biases = [[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0]
output_weights, output_bias = [1.0, -2.0], 0.0

# %% tags=["check"]
# Check 2: the numbers go into a network of the library
xor = MLP(2, [2, 1], activation="relu", output="linear")
for hidden, weights, bias in zip(xor.layers[0].neurons, hidden_weights, hidden_biases, strict=True):
    hidden.bias.data = bias
    for weight, number in zip(hidden.weights, weights, strict=True):
        weight.data = number
for weight, number in zip(xor.layers[1].neurons[0].weights, output_weights, strict=True):
    weight.data = number
xor.layers[1].neurons[0].bias.data = output_bias
for row in ([0, 0], [0, 1], [1, 0], [1, 1]):
    wanted = row[0] ^ row[1]
    assert abs(xor(row).data - wanted) < 1e-9, f"{row}: expected {wanted}, got {xor(row).data}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Write the hinge loss yourself, `my_hinge(scores, targets)`, with `relu` and
# arithmetic on `Value`s only.


# %% tags=["solution", "hide-input"]
# Solution 3
def my_hinge(scores, targets):
    total = Value(0.0)
    for score, target in zip(scores, targets, strict=True):
        total = total + (1 - target * score).relu()
    return total / len(scores)


# %% tags=["check"]
# Check 3: value and gradients are those of the library
mine, theirs = ([Value(s) for s in (0.3, -0.2, 1.4, -2.0)] for _ in range(2))
targets = [1, 1, -1, -1]
my_loss, their_loss = my_hinge(mine, targets), scalar.hinge(theirs, targets)
my_loss.backward()
their_loss.backward()
assert abs(my_loss.data - their_loss.data) < 1e-12, (
    f"expected {their_loss.data}, got {my_loss.data}"
)
assert [s.grad for s in mine] == [s.grad for s in theirs], [s.grad for s in mine]
print("Exercise 3 is right.")

# %% [markdown]
# Next: [06 From scalars to tensors](06_scalars_to_tensors.ipynb)
