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
# # 08 Losses
#
# A loss says in one number how wrong a network is. Training makes this number small and knows
# nothing else of what we want, so choosing the loss is choosing what is learned. This notebook
# looks at the common ones: what they ask for, how they pull, and where they go wrong.
# [Layers](07_layers_and_activations.ipynb) came before; how the number is made small comes next.

# %%
import math
import os

import numpy as np

import pellucid
from pellucid import Tensor, data, nn, optim, train
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## Numbers: how far off?
#
# Let d be the prediction less the target. Three ways to punish it; the loss of many examples is the
# mean:
#
# - squared error, $d^2$ (`MSELoss`, mean squared error): twice as far costs four times as much;
# - absolute error, $|d|$ (`MAELoss`): twice as far costs twice as much;
# - Huber, $d^2/2$ up to 1 and the straight line $|d| - 1/2$ beyond: square near, absolute far.
#
# The slope is the pull on the prediction. The square pulls harder the farther off it is. The
# absolute error pulls everything alike. Huber does both.

# %%
d = np.linspace(-3, 3, 241).reshape(-1, 1)
LOSSES = {"squared": nn.MSELoss(), "absolute": nn.MAELoss(), "Huber": nn.HuberLoss()}
LOOKS = ((style.BLUE, "-"), (style.ORANGE, "--"), (style.GREEN, "-."))


def loss_and_pull(loss, prediction, target):
    """Return the loss of each example by itself, and its slope by the prediction."""
    prediction = Tensor(prediction, requires_grad=True)
    losses = loss.per_example(prediction, Tensor(target))
    losses.sum().backward()
    return losses.data, prediction.grad


figure, [left, right] = style.panels(None, 1, 2, 7.6, 3.4)
style.dress(left, "prediction less target", "loss")
style.dress(right, "prediction less target", "slope")
entries = []
for (name, loss), (colour, dashes) in zip(LOSSES.items(), LOOKS, strict=True):
    losses, pull = loss_and_pull(loss, d, np.zeros_like(d))
    (line,) = left.plot(d, losses, color=colour, linestyle=dashes)
    _ = right.plot(d, pull, color=colour, linestyle=dashes)
    entries.append((name, line))
_ = left.set_ylim(0, 5)
style.legend_above(left, entries, columns=3)
figure

# %% [markdown]
# ## A loss decides what is best
#
# Suppose a network may say only one number for all examples. Which one makes the loss smallest? For
# the squared error it is the **mean** of the targets, for the absolute error the **median**, the
# one in the middle when they are sorted. One wild target shows the difference.

# %%
targets = np.array([1.0, 1.2, 1.4, 1.5, 9.0]).reshape(-1, 1)
constants = np.linspace(0, 10, 2001)
for name, loss in LOSSES.items():
    values = [loss(np.full_like(targets, c), targets).item() for c in constants]
    print(f"{name:<9} best constant {constants[int(np.argmin(values))]:.3f}")
print(f"mean {targets.mean():.3f}, median {np.median(targets):.3f}")

# %% [markdown]
# So it is with a line through points. Five of forty targets were spoiled. (`Adam` finds the line;
# the next notebook says how.) The square follows them, Huber gives in a little, and the absolute
# error hardly notices.

# %%
rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-2, 2, size=(40, 1)), axis=0).astype(np.float32)
y = (0.8 * x + 0.5 + rng.normal(0, 0.15, size=x.shape)).astype(np.float32)
y[-5:] -= 5

figure, [ax] = style.panels(None, 1, 1, 6.2, 3.6)
style.dress(ax, "x", "y")
(points,) = ax.plot(x, y, "o", color=style.MUTED, markersize=4)
entries = [("data", points)]
slopes = {}
for (name, loss), (colour, dashes) in zip(LOSSES.items(), LOOKS, strict=True):
    line = nn.Dense(1, 1, rng=0)
    model = train.Model(line, loss, optim.Adam(0.05))
    _ = model.fit(x, y, epochs=size(300, 100), batch_size=40, seed=0, verbose=False)
    slopes[name] = line.weight.data.item()
    (drawn,) = ax.plot(x, model.predict(x), color=colour, linestyle=dashes)
    entries.append((f"{name}, slope {slopes[name]:.2f}", drawn))
style.legend_above(ax, entries, columns=2)
figure

# %% [markdown]
# The true slope is 0.8. Which loss is right? If the five are mistakes, absolute or Huber. If they
# are what really happens, the square. The computer cannot know; this is a decision about the data.
#
# ## Yes or no: why not squared error?
#
# A network that answers yes or no returns a score z, called a **logit**. The sigmoid makes a
# probability of it, $p = \sigma(z)$. Let the truth be yes. We could punish $(p - 1)^2$. Or, with
# the **cross-entropy** (`BCELoss`, binary cross-entropy), $-\ln p$: the surprise of being told the
# truth.
#
# Look at the left end of both pictures, where the network is sure and wrong.

# %%
z = np.linspace(-8, 4, 241).reshape(-1, 1)
logits = Tensor(z, requires_grad=True)
((logits.sigmoid() - 1) ** 2).sum().backward()
squared, squared_pull = (1 / (1 + np.exp(-z)) - 1) ** 2, logits.grad
entropy, entropy_pull = loss_and_pull(nn.BCELoss(), z, np.ones_like(z))

figure, [left, right] = style.panels(None, 1, 2, 7.6, 3.2)
style.dress(left, "score z of yes, when yes is right", "loss")
style.dress(right, "score z of yes, when yes is right", "slope")
(one,) = left.plot(z, entropy, color=style.BLUE)
(two,) = left.plot(z, squared, color=style.ORANGE, linestyle="--")
_ = right.plot(z, entropy_pull, color=style.BLUE)
_ = right.plot(z, squared_pull, color=style.ORANGE, linestyle="--")
style.legend_above(left, [("cross-entropy", one), ("squared error", two)], columns=2)
figure

# %% [markdown]
# The squared error is flat where the network is most wrong: the sigmoid's flat end is in its way,
# and there is hardly any pull to get back. The cross-entropy pulls with a strength of up to 1. By
# the chain rule its slope, for a truth y of 1 or 0, is simply
#
# $$\frac{\partial L}{\partial z} = p - y$$
#
# In words: what is said, less what is true.

# %%
for score in (-8.0, -2.0, 0.0, 3.0):
    p = 1 / (1 + math.exp(-score))
    _, pull = loss_and_pull(nn.BCELoss(), np.array([[score]]), np.array([[1.0]]))
    of_square = 2 * (p - 1) * p * (1 - p)
    print(f"z {score:4.1f}: p - y = {p - 1:.6f}, slope {pull.item():.6f}; squared {of_square:.6f}")
    assert math.isclose(pull.item(), p - 1, rel_tol=1e-9)

# %% [markdown]
# ## One of several classes
#
# Now there is a score for each class, softmax ([notebook 04](04_more_functions.ipynb)) makes
# probabilities of them, and the loss of an example is $-\ln p$ of the right class; the loss of a
# batch is the mean. By hand, and by the library:

# %%
scores = np.array([[2.0, 1.0, -1.0], [0.5, 2.5, 0.0], [1.0, 1.0, 1.0]])
labels = np.array([0, 2, 1])
p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
surprise = -np.log(p[np.arange(3), labels])
print("probabilities\n", p.round(4))
print("surprise of each:", surprise.round(4), "mean:", surprise.mean().round(6))
print("by the library:  ", round(nn.CrossEntropyLoss()(scores, labels).item(), 6))

# %% [markdown]
# The gradient is again what is said less what is true, divided by the number of examples, because
# of the mean. True is 1 for the right class and 0 for the others (**one-hot**).

# %%
tensor = Tensor(scores, requires_grad=True)
nn.CrossEntropyLoss()(tensor, labels).backward()
by_rule = (p - data.one_hot(labels, 3)) / len(labels)
print(tensor.grad.round(4))
assert np.allclose(tensor.grad, by_rule, atol=1e-7)

# %% [markdown]
# How large is a large loss? A network that knows nothing gives each of C classes the probability
# 1/C, and pays $\ln C$. A new network should begin near there; if it begins far above, it is sure
# of nonsense.

# %%
digits = data.digits()
untrained = nn.Sequential(nn.Dense(64, 32, "relu"), nn.Dense(32, 10), rng=0)
start = nn.CrossEntropyLoss()(untrained(digits.x), digits.y).item()
print(f"ln 10 = {math.log(10):.3f}; an untrained network on ten digits: {start:.3f}")

# %% [markdown]
# ## Hand the loss logits
#
# Softmax first and the logarithm afterwards loses everything when scores are large: $e^{1000}$ is
# no float. Together they need not: $-\ln p_k = \ln \sum_j e^{z_j} - z_k$ (the logarithm of the sum
# of all powers, less the right score), and the largest score can be taken out of the sum. So the
# losses here take **logits** and do both in one.

# %%
large = np.array([[1000.0, 0.0]])
with np.errstate(all="ignore"):
    naive = -np.log(np.exp(large) / np.exp(large).sum())[0, 1]
print("in two steps:", naive, "  in one:", nn.CrossEntropyLoss()(large, np.array([1])).item())

# %% [markdown]
# A common mistake follows: softmax in the network **and** in the loss. Often nobody notices; there
# is just a network that can never become sure. Here it is refused.

# %%
try:
    nn.CrossEntropyLoss()(nn.Softmax()(Tensor(scores, requires_grad=True)), labels)
except ValueError as error:
    print(error)

# %% [markdown]
# What it would have cost: the surest that softmax can become, when its scores are probabilities, is
# softmax of a 1 among zeros. The loss cannot fall below what that leaves, however right the
# network.

# %%
for classes in (2, 3, 10, 1000):
    p = math.e / (math.e + classes - 1)
    print(f"{classes:4d} classes: p at most {p:.3f}, loss at least {-math.log(p):.3f}")

# %% [markdown]
# ## Means, and what they weigh
#
# The loss of a batch is a **mean**: a batch twice as large does not pull twice as hard, and the
# learning rate keeps its meaning. When examples matter differently, the mean is weighted:
#
# $$L = \frac{\sum_i w_i L_i}{\sum_i w_i}$$
#
# In words: a weight of 2 counts an example twice, a weight of 0 leaves it out.

# %%
loss = nn.CrossEntropyLoss()
print(f"weights 1, 1, 1: {loss(scores, labels).item():.6f}")
print(f"weights 2, 1, 0: {loss(scores, labels, sample_weight=np.array([2, 1, 0])).item():.6f}")
again = loss(scores[[0, 0, 1]], labels[[0, 0, 1]]).item()
print(f"the first twice, the third left out: {again:.6f}")
doubled = loss(np.concatenate([scores, scores]), np.concatenate([labels, labels])).item()
print(f"the whole batch twice: {doubled:.6f}")

# %% [markdown]
# Classes can be weighed as well. In this problem one point in twenty is of class 1, and the two
# overlap. Without weights the network mostly says 0, and is right 95 times in 100 by doing so. With
# weights it finds the rare ones, and pays with false alarms.

# %%
rng = np.random.default_rng(1)
common, rare = size(1900, 380), size(100, 20)
x = np.concatenate([rng.normal(0, 1, (common, 2)), rng.normal(1.2, 1, (rare, 2))]).astype(
    np.float32
)
y = np.concatenate([np.zeros(common, int), np.ones(rare, int)])
for name, weights in (("no weights", None), ("weights 1 and 19", [1.0, 19.0])):
    network = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 2), rng=0)
    model = train.Model(network, nn.CrossEntropyLoss(class_weight=weights), optim.Adam(0.02))
    _ = model.fit(x, y, epochs=size(20, 10), batch_size=64, seed=0, verbose=False)
    said = model.predict_classes(x)
    found, alarms = (said[y == 1] == 1).mean(), (said[y == 0] == 1).mean()
    accuracy = (said == y).mean()
    print(f"{name:<17} right {accuracy:.0%}, rare found {found:.0%}, false alarms {alarms:.0%}")

# %% [markdown]
# ## Two relatives
#
# **Hinge** wants the score of the right side to be 1 or more, and then stops caring. Cross-entropy
# never stops, but asks ever more softly. For a target of +1:

# %%
z = np.linspace(-3, 4, 141).reshape(-1, 1)
hinge, _ = loss_and_pull(nn.HingeLoss(), z, np.ones_like(z))
entropy, _ = loss_and_pull(nn.BCELoss(), z, np.ones_like(z))
figure, [ax] = style.panels(None, 1, 1, 5.6, 3.2)
style.dress(ax, "score, when yes is right", "loss")
(one,) = ax.plot(z, entropy, color=style.BLUE)
(two,) = ax.plot(z, hinge, color=style.VERMILLION, linestyle="--")
style.legend_above(ax, [("cross-entropy", one), ("hinge", two)], columns=2)
figure

# %% [markdown]
# **Label smoothing** tells the network that the right class has not the probability 1, but a little
# less, and the others a little. Smoothing by 0.1 spreads a tenth evenly over all classes: of three,
# the right one is said to have $0.9 + 0.1/3$, the others $0.1/3$ each. Then the best score is
# finite, that with just these probabilities: to be surer than that costs.

# %%
gap = np.linspace(0, 12, 121)  # the right score above the other two
pairs = np.stack([gap, 0 * gap, 0 * gap], axis=1) - 5  # only differences matter
right = np.zeros(len(gap), int)
for smoothing in (0.0, 0.1):
    values = [
        nn.CrossEntropyLoss(label_smoothing=smoothing)(pairs[i : i + 1], right[:1]).item()
        for i in range(len(gap))
    ]
    best = int(np.argmin(values))
    where = f"at a gap of {gap[best]:.1f}" if best < len(gap) - 1 else "at the end of the range"
    print(f"smoothing {smoothing}: the smallest loss is {values[best]:.4f}, {where}")
print(f"at 0.1 by hand: ln(0.9333 / 0.0333) = {math.log((0.9 + 0.1 / 3) / (0.1 / 3)):.1f}")

# %% [markdown]
# ## Shapes that look alike
#
# Predictions of shape (4, 1) less targets of shape (4,): arrays broadcast this to a table of **all
# pairs**, 16 differences, and nobody complains. The mean of their squares is a number like any
# other. The losses here refuse.

# %%
prediction, target = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([1.0, 2.0, 3.0, 4.0])
print("by hand, although all are right:", ((prediction - target) ** 2).mean())
try:
    nn.MSELoss()(prediction, target)
except pellucid.ShapeError as error:
    print(error)

# %% [markdown]
# ## What to remember
#
# - The loss decides what is best: squared error the mean, absolute error the median.
# - Classification wants cross-entropy on logits; its slope is p - y and never dies where it is
#   needed.
# - A network that knows nothing pays ln C.
# - Softmax once, in the loss.
# - Losses are means; weights say what counts more.
#
# To read on: [a loss of your own](../docs/guides/own_loss.md), [all
# losses](../docs/api/nn_losses.md), [overflow and lost digits](../docs/explanation/numerics.md).
#
# ## Exercises
#
# **Exercise 1.** Without a computer: which `constant` has the smallest absolute error for the
# targets 3, 1, 10, 4 and 7, and what is this `error` (the mean)?

# %% tags=["solution", "hide-input"]
# Solution 1: the median, 4; the distances are 1, 3, 6, 0 and 3
constant, error = 4, 13 / 5

# %% tags=["check"]
# Check 1: all constants are tried
numbers = np.array([3.0, 1.0, 10.0, 4.0, 7.0])
tried = {c: np.abs(numbers - c).mean() for c in np.linspace(0, 12, 1201)}
best = min(tried, key=tried.get)
assert abs(constant - best) < 0.01, f"expected {best:.2f}, got {constant}"
assert abs(error - tried[best]) < 1e-9, f"expected {tried[best]:.2f}, got {error}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** A network gives the right one of 1,000 classes the probability 0.25 in every
# example. What is its cross-entropy, `knows_something`? What would that of a network be that knows
# nothing, `knows_nothing`?

# %% tags=["solution", "hide-input"]
# Solution 2: -ln 0.25 and ln 1000
knows_something, knows_nothing = math.log(4), math.log(1000)

# %% tags=["check"]
# Check 2: made from logits
logits = np.zeros((1, 1000))
nothing = nn.CrossEntropyLoss()(logits, np.array([7])).item()
logits[0, 7] = math.log(0.25 * 999 / 0.75)  # e^z / (e^z + 999) = 0.25
something = nn.CrossEntropyLoss()(logits, np.array([7])).item()
assert math.isclose(knows_something, something), f"expected {something:.4f}, got {knows_something}"
assert math.isclose(knows_nothing, nothing), f"expected {nothing:.4f}, got {knows_nothing}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** The **pinball** loss punishes too low and too high differently: $q\,d$ where the
# distance $d = y - p$ is at least 0, and $(q - 1)\,d$ below. Its best constant is the q-quantile of
# the targets. Write it as a loss of your own, `PinballLoss(q)`: a subclass of `nn.Loss` with
# `per_example(self, prediction, target)`, which returns one number for each example, the mean over
# its columns.


# %% tags=["solution", "hide-input"]
# Solution 3: the larger of the two lines
class PinballLoss(nn.Loss):
    def __init__(self, q):
        self.q = q

    def per_example(self, prediction, target):
        d = target - prediction
        return pellucid.maximum(self.q * d, (self.q - 1) * d).mean(-1)


# %% tags=["check"]
# Check 3: two numbers by hand, its gradient, and the constant that makes it smallest
pinball = PinballLoss(0.9)
low, high = pinball.per_example(Tensor([[1.0], [1.0]]), Tensor([[3.0], [0.0]])).data
assert math.isclose(low, 1.8, rel_tol=1e-6), f"2 too low: expected 0.9 * 2, got {low}"
assert math.isclose(high, 0.1, rel_tol=1e-6), f"1 too high: expected 0.1 * 1, got {high}"
drawn = np.random.default_rng(0).normal(size=(200, 1))
report = pellucid.gradcheck(lambda p: pinball(p, drawn[:6]), drawn[6:12])
assert report.ok, str(report)
tried = [pinball(np.full_like(drawn, c), drawn).item() for c in np.linspace(0, 3, 601)]
best, quantile = np.linspace(0, 3, 601)[int(np.argmin(tried))], np.quantile(drawn, 0.9)
assert abs(best - quantile) < 0.1, f"expected {quantile:.2f}, got {best:.2f}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [09 Gradient descent and optimisers](09_optimisers.ipynb)
