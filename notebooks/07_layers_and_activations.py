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
# # 07 Layers and activations
#
# A network is layers in a row. [Before](06_scalars_to_tensors.ipynb) we saw one kind of layer as a
# table. Here we look at what a layer does to data, at the functions that stand between layers, at a
# few other kinds of layers, and at how to make one of your own.

# %%
import os

import numpy as np

import pellucid
from pellucid import Tensor, data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## A layer moves points
#
# A dense layer of two inputs and two neurons takes points of a plane to points of a plane:
# $\tanh(xW + b)$. The product with W turns, stretches and shears; b shifts; tanh bends, and pulls
# everything into a square. Follow a grid through the three steps.

# %%
layer = nn.Dense(2, 2, "tanh", rng=0)
layer.weight.data = np.array([[1.2, 0.7], [0.1, 1.1]], np.float32)
layer.bias.data = np.array([0.3, -0.2], np.float32)

ticks, fine = np.linspace(-2, 2, 9), np.linspace(-2, 2, 60)
lines = [np.stack([np.full(60, t), fine], 1) for t in ticks]
lines += [np.stack([fine, np.full(60, t)], 1) for t in ticks]
stages = {
    "x": lambda x: x,
    "x W + b": lambda x: x @ layer.weight.data + layer.bias.data,
    "tanh(x W + b)": lambda x: layer(x.astype(np.float32)).data,
}
figure, axes = style.panels(None, 1, 3, 8.0, 3.0)
for ax, (name, stage) in zip(axes, stages.items(), strict=True):
    style.dress(ax, name, "", grid=False)
    for number, line in enumerate(lines):
        moved = stage(line)
        colour = style.BLUE if number < len(ticks) else style.ORANGE
        _ = ax.plot(moved[:, 0], moved[:, 1], color=colour, linewidth=0.9)
    _ = ax.set_aspect("equal")
figure

# %% [markdown]
# ## Layers in a row untangle
#
# `nn.Sequential` puts layers in a row. This one takes the two moons through eight neurons to
# **two** neurons, and from there to one score for each class. We train it and look at what arrives
# in the two neurons in the middle. `train.Model` holds the network, a loss and an optimiser, which
# the next two notebooks are about (`Adam` is one of them); `fit` shows it all points as many times
# as there are `epochs`.

# %%
moons = data.moons(200, noise=0.1, seed=0)
network = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 2, "tanh"), nn.Dense(2, 2), rng=0)
model = train.Model(network, "cross_entropy", optim.Adam(0.02), metrics=["accuracy"])


def middle(x):
    """Return what the two neurons in the middle say."""
    with nn.capture(network, ["layers.1"]) as outputs:
        network(x)
    return outputs["layers.1"].data


before = middle(moons.x)
history = model.fit(moons.x, moons.y, epochs=size(100, 5), seed=0, verbose=False)
after = middle(moons.x)
print(f"right: {history['accuracy'][-1]:.1%}")

figure, axes = style.panels(None, 1, 3, 8.0, 3.0)
stages = {"the points": moons.x, "in the middle, untrained": before, "trained": after}
for ax, (name, points) in zip(axes, stages.items(), strict=True):
    style.dress(ax, name, "")
    for label, (colour, marker) in enumerate(((style.BLUE, "o"), (style.ORANGE, "s"))):
        chosen = points[moons.y == label]
        _ = ax.plot(chosen[:, 0], chosen[:, 1], marker, color=colour, markersize=3)
figure

# %% [markdown]
# Trained, the crescents lie apart: a straight line parts them, and the last layer draws it. This is
# what hidden layers are for: they move the data to where the last question is easy.
#
# `summary` shows shapes and counts. (N, 8) means: eight numbers for each of N examples. FLOPs are
# operations with numbers, such as an addition; activations is the memory that is kept for the way
# back.

# %%
print(model.summary())

# %% [markdown]
# ## The functions in between
#
# Without a bent function in between, layers collapse into one. Any bend will do in principle; in
# practice they differ in where they are flat. Here are eight of those in the library, and their
# slopes, found by `pellucid.grad`.

# %%
NAMES = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", "sigmoid")
line = np.linspace(-4, 4, 161)
figure, axes = style.panels(None, 2, 4, 8.0, 4.2)
for ax, name in zip(axes, NAMES, strict=True):
    function = nn.ACTIVATIONS[name]()
    slope = pellucid.grad(lambda x, function=function: function(x).sum())
    style.dress(ax, name, "")
    (value,) = ax.plot(line, function(Tensor(line)).data, color=style.BLUE)
    (its_slope,) = ax.plot(line, slope(line).data, color=style.ORANGE, linestyle="--")
    _ = ax.set_ylim(-1.2, 3)
style.legend_above(figure, [("value", value), ("slope", its_slope)], columns=2)
figure

# %% [markdown]
# The formulas, each in words:
#
# - relu: $\max(0, x)$; what is negative is cut off.
# - leaky relu: $x$ above 0, $0.01 x$ below; a little gets through.
# - ELU: $x$ above 0, $e^x - 1$ below; it levels off at -1.
# - GELU: $x$ times the chance that a random number from the bell curve (mean 0, deviation 1) is
#   below x; a soft relu.
# - SiLU: $x$ times its sigmoid, $x\,\sigma(x)$; much like GELU, simpler.
# - softplus: $\ln(1 + e^x)$; relu with a round corner.
# - tanh and sigmoid ([notebook 04](04_more_functions.ipynb)): flat at both ends.
#
# ## What the bend does to the answer
#
# The same network, the same points, three activations; the line is the border between the two
# answers. With none (`linear`), the border could only be straight. No straight line helps here, and
# the network answers nearly the same everywhere. relu is made of straight pieces, and so is its
# border. tanh is round.

# %%
circles = data.circles(200, noise=0.08, seed=0)
figure, axes = style.panels(None, 1, 3, 8.0, 3.1)
for ax, name in zip(axes, ("linear", "relu", "tanh"), strict=True):
    candidate = train.Model(
        nn.Sequential(nn.Dense(2, 6, name), nn.Dense(6, 2), rng=3),
        "cross_entropy",
        optim.Adam(0.03),
        metrics=["accuracy"],
    )
    done = candidate.fit(circles.x, circles.y, epochs=size(150, 5), seed=0, verbose=False)
    _ = viz.decision_boundary(candidate, circles.x, circles.y, circles.class_names, 80, ax=ax)
    _ = ax.set_xlabel(name)
    _ = ax.set_ylabel("")
    print(f"{name:<6} right {done['accuracy'][-1]:.0%}")
figure

# %% [markdown]
# ## Where activations go wrong
#
# A **dead** relu gives 0 for every example. Its slope is 0 as well, so its weights get no gradient,
# and it stays dead as long as its inputs stay as they are. A large negative bias kills;
# `layer_statistics` counts.

# %%
healthy = nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 2), rng=0)
killed = nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 2), rng=0)
killed[0].bias.data = np.where(np.arange(16) < 10, -20, 0).astype(np.float32)
for name, candidate in (("healthy", healthy), ("killed", killed)):
    nn.CrossEntropyLoss()(candidate(moons.x), moons.y).backward()
    first = viz.layer_statistics(candidate, moons.x)[0]
    unmoved = (np.abs(candidate[0].weight.grad).sum(axis=0) == 0).mean()
    print(f"{name:<8} dead neurons {first.dead:.0%}, neurons without any gradient {unmoved:.0%}")

# %% [markdown]
# A **saturated** tanh sits where it is flat. The gradient that passes through is multiplied by
# $1 - \tanh^2$, which there is nearly 0. The larger the weights, the worse:

# %%
points = np.random.default_rng(0).normal(size=(500, 20)).astype(np.float32)
for scale in (0.5, 1.0, 5.0, 20.0):
    weights = scale * np.random.default_rng(1).normal(size=(20, 20)) / np.sqrt(20)
    out = np.tanh(points @ weights)
    flat = (np.abs(out) > 0.99).mean()
    print(f"weights x {scale:4.1f}: saturated {flat:4.0%}, mean slope {(1 - out**2).mean():.3f}")

# %% [markdown]
# [Notebook 10](10_initialisation.ipynb) is about starting with weights of the right size.
#
# ## Softmax: an activation for a row
#
# All functions so far treat each number alone. Softmax treats a row: it turns scores into
# probabilities that add up to 1 (see [notebook 04](04_more_functions.ipynb)).

# %%
scores = Tensor([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
shares = nn.Softmax()(scores)
print(shares.data.round(4))
print("sums", shares.data.sum(axis=1))

# %% [markdown]
# ## Other kinds of layers
#
# **Dropout** sets numbers to 0 at random while training, and scales the others up so that the mean
# stays. When the network is used, it does nothing. A layer must know which of the two it is:
# `train()` and `eval()` switch.

# %%
dropout = nn.Dropout(0.5, rng=0)
ones = np.ones((1000, 8), np.float32)
print("training:  ", dropout(ones).data[0].tolist(), f"mean {dropout(ones).data.mean():.2f}")
dropout.eval()
print("evaluation:", dropout(ones).data[0].tolist(), f"mean {dropout(ones).data.mean():.2f}")

# %% [markdown]
# **Normalisation** subtracts the mean and divides by the standard deviation, the usual distance
# from the mean. `BatchNorm1D` does this for each column over the examples of a batch (those
# computed together), `LayerNorm` for each row by itself.

# %%
table = np.array([[1.0, 100.0, 3.0], [2.0, 300.0, 5.0], [3.0, 200.0, 10.0]], np.float32)
by_columns, by_rows = nn.BatchNorm1D(3)(table).data, nn.LayerNorm(3)(table).data
print("batch: means of columns", np.abs(by_columns.mean(axis=0)).round(3).tolist(), end=" ")
print("deviations", by_columns.std(axis=0).round(3).tolist())
print("layer: means of rows   ", np.abs(by_rows.mean(axis=1)).round(3).tolist(), end=" ")
print("deviations", by_rows.std(axis=1).round(3).tolist())

# %% [markdown]
# A batch normalisation, too, must know whether it is in use: there an answer must not depend on who
# else is in the batch. In training it keeps running means of what it sees, and in use it takes
# them.

# %%
norm = nn.BatchNorm1D(20)
for _ in range(100):
    among_others = norm(points).data[0]
norm.eval()
alone = norm(points[:1]).data[0]
print("a row among 500, in training:", among_others[:4].round(2))
print("the same row alone, in use:  ", alone[:4].round(2))
assert np.allclose(among_others, alone, atol=0.01)

# %% [markdown]
# **Residual** adds a layer's input to its output: $x + f(x)$. The slope of the sum is $1 + f'(x)$:
# the 1 lets gradients pass however small $f'$ is. Thirty sigmoid layers stop a gradient; thirty of
# them with the way around do not.

# %%
deep = 30
plain = nn.Sequential([nn.Dense(8, 8, "sigmoid") for _ in range(deep)], rng=0)
residual = nn.Sequential([nn.Residual(nn.Dense(8, 8, "sigmoid")) for _ in range(deep)], rng=0)
for name, candidate in (("plain", plain), ("residual", residual)):
    x = Tensor(points[:50, :8], requires_grad=True)
    candidate(x).sum().backward()
    print(f"{name:<8} mean slope of the output by an input: {np.abs(x.grad).mean():.1e}")

# %% [markdown]
# ## A layer of your own
#
# A layer is a class with attributes and a `forward`. Every tensor among the attributes that
# requires a gradient is a parameter; nothing has to be registered. This one learns, for each
# number, how leaky its relu is:


# %%
class LearnedLeak(nn.Module):
    """out = x where x is positive, a x elsewhere, with one a for each feature."""

    def __init__(self, features):
        self.a = Tensor(np.full(features, 0.25, np.float32), requires_grad=True)

    def forward(self, x):
        return pellucid.where(x > 0, x, self.a * x)


own = nn.Sequential(nn.Dense(2, 8), LearnedLeak(8), nn.Dense(8, 2), rng=0)
print(own)
print(pellucid.gradcheck(own, moons.x[:5]))

# %% [markdown]
# Nobody wrote its way back: it follows from the functions it is made of, and `gradcheck`, which
# measures every slope with small steps, confirms it. It learns like any other layer.

# %%
model = train.Model(own, "cross_entropy", optim.Adam(0.03), metrics=["accuracy"])
history = model.fit(moons.x, moons.y, epochs=size(60, 5), seed=0, verbose=False)
print(f"right {history['accuracy'][-1]:.0%}; learned leaks {own[1].a.data.round(2)}")

# %% [markdown]
# ## When shapes do not fit
#
# The commonest mistake with layers is a shape that does not fit. The message names the layer, what
# it expected, what it got, and what would fit.

# %%
wrong = nn.Sequential(nn.Dense(2, 8, "relu"), nn.Dense(6, 2))
try:
    wrong(moons.x)
except pellucid.ShapeError as error:
    print(error)

# %% [markdown]
# ## What neurons look for
#
# On images the weights of a first-layer neuron are an image themselves. Train on the 8x8 digits for
# a few epochs and look: yellow raises the neuron's output, blue lowers it.

# %%
digits = data.split(data.digits(), test=0.2, seed=0)
reader = train.Model(
    nn.Sequential(nn.Dense(64, 16, "relu"), nn.Dense(16, 10), rng=0),
    "cross_entropy",
    optim.Adam(0.005),
    metrics=["accuracy"],
)
_ = reader.fit(digits.train.x, digits.train.y, epochs=size(20, 2), seed=0, verbose=False)
print(f"right on new digits: {reader.evaluate(digits.test.x, digits.test.y)['accuracy']:.1%}")
viz.weight_images(reader.network[0].weight.data, image_shape=(8, 8))

# %% [markdown]
# ## What to remember
#
# - A dense layer turns, stretches, shifts and bends; layers in a row untangle.
# - The bend in between is what makes layers more than one layer.
# - Flat places cost gradients: dead relus, saturated tanhs.
# - Dropout and batch normalisation behave differently in training and in use.
# - A layer of your own is attributes and a forward; check it with gradcheck.
#
# To read on: [a layer of your own](../docs/guides/own_layer.md), [all layers](../docs/api/nn.md),
# [all activations](../docs/api/nn_activations.md).
#
# ## Exercises
#
# **Exercise 1.** How many `parameters` has
# `Sequential(Dense(64, 128, "relu"), BatchNorm1D(128), Dense(128, 10))`? BatchNorm learns a scale
# and a shift for each column.

# %% tags=["solution", "hide-input"]
# Solution 1
parameters = (64 * 128 + 128) + (128 + 128) + (128 * 10 + 10)

# %% tags=["check"]
# Check 1
built = nn.Sequential(nn.Dense(64, 128, "relu"), nn.BatchNorm1D(128), nn.Dense(128, 10))
expected = sum(p.size for p in built.parameters())
assert parameters == expected, f"expected {expected:,}, got {parameters:,}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Write a layer `Affine(features)` that learns a scale s and a shift t for each
# feature, $s x + t$, starting as the identity: its first output is its input.


# %% tags=["solution", "hide-input"]
# Solution 2
class Affine(nn.Module):
    def __init__(self, features):
        self.s = Tensor(np.ones(features, np.float32), requires_grad=True)
        self.t = Tensor(np.zeros(features, np.float32), requires_grad=True)

    def forward(self, x):
        return self.s * x + self.t


# %% tags=["check"]
# Check 2: it starts as the identity, has the right gradients, and can learn 3 x - 1
affine = Affine(2)
assert np.array_equal(affine(moons.x).data, moons.x), "it does not start as the identity"
assert pellucid.gradcheck(affine, moons.x[:5]).ok
learner = train.Model(affine, "mse", optim.Adam(0.1))
_ = learner.fit(moons.x, 3 * moons.x - 1, epochs=60, batch_size=50, seed=0, verbose=False)
learned = sorted(round(float(p), 1) for tensor in affine.parameters() for p in tensor.data)
assert learned == [-1.0, -1.0, 3.0, 3.0], f"expected shifts of -1 and scales of 3, got {learned}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Two linear layers in a row are one linear layer. Write a function
# `merged(W1, b1, W2, b2)` that returns W and b of that one layer.


# %% tags=["solution", "hide-input"]
# Solution 3: (x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2)
def merged(W1, b1, W2, b2):
    return W1 @ W2, b1 @ W2 + b2


# %% tags=["check"]
# Check 3: against the two layers, with biases that are not 0
rng = np.random.default_rng(0)
pair = nn.Sequential(nn.Dense(5, 7), nn.Dense(7, 3), rng=0)
for dense in pair:
    dense.bias.data = rng.normal(size=dense.bias.shape).astype(np.float32)
W, b = merged(*(parameter.data for parameter in pair.parameters()))
assert W.shape == (5, 3), f"expected the shape (5, 3), got {W.shape}"
rows = rng.normal(size=(10, 5)).astype(np.float32)
assert np.allclose(rows @ W + b, pair(rows).data, atol=1e-5), "the outputs differ"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [08 Losses](08_losses.ipynb)
