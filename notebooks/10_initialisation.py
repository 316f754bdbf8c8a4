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
# # 10 Initialisation and vanishing gradients
#
# A network begins with random weights. How large they are decides whether a deep network learns at
# all. This notebook follows a signal up through twenty layers and its gradient down again, derives
# the right size, and shows what else helps. [Notebook 09](09_optimisers.ipynb) came before: how
# optimisers use gradients.

# %%
import os
from math import log, sqrt

import numpy as np

import pellucid
from pellucid import data, nn, optim, train, viz
from pellucid.figures import style
from pellucid.nn import initialisers


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. Zero is no place to begin
#
# The simplest start would be zero everywhere, or the same number everywhere. Then all units of a
# layer (*unit* is another word for neuron) compute the same, get the same gradient, and stay the
# same for ever: a layer of a hundred units is worth one. Random numbers break that **symmetry**.

# %%
moons = data.moons(200, noise=0.1, seed=0)
different = {}
for name, start in (("constant", initialisers.constant(0.5)), ("random", "xavier_uniform")):
    network = nn.Sequential(nn.Dense(2, 8, "tanh", init=start), nn.Dense(8, 2, init=start), rng=0)
    model = train.Model(network, "cross_entropy", optim.Adam(0.05), ["accuracy"])
    model.fit(moons.x, moons.y, epochs=size(100, 20), seed=0, verbose=False)
    columns = network[0].weight.data.T  # (8, 2): what each unit looks at
    different[name] = len(np.unique(columns.round(4), axis=0))
    accuracy = model.evaluate(moons.x, moons.y)["accuracy"]
    print(f"{name:<9} {different[name]} different units, accuracy {accuracy:.3f}")
assert different == {"constant": 1, "random": 8}

# %% [markdown]
# ## 2. One layer: how a sum grows
#
# A unit adds up $n$ products, $z = \sum_{i=1}^{n} x_i w_i$. The **variance**, Var, is the mean
# square of the distance from the mean; its root is the standard deviation. E means the mean. If the
# weights are independent of each other and of the inputs, with mean 0, then the variances of the
# products add up:
#
# $$\operatorname{Var}(z) = n \cdot \operatorname{Var}(w) \cdot \operatorname{E}[x^2].$$
#
# In words: the variance of a sum of like things grows with their number. Measured:

# %%
rng = np.random.default_rng(0)
print("  n   measured Var(z)   n Var(w) E[x^2]")
for n in (10, 100, 1000):
    x = rng.normal(size=(2000, n))
    w = rng.normal(scale=0.1, size=(n, 200))
    measured, predicted = (x @ w).var(), n * 0.1**2 * (x**2).mean()
    print(f"{n:5d} {measured:14.3f} {predicted:17.3f}")
    assert abs(measured / predicted - 1) < 0.2

# %% [markdown]
# So weights with $\operatorname{Var}(w) = 1/n$ keep the size of a signal: $n \cdot \frac1n = 1$.
# Here $n$ is the *fan-in*, the number of inputs of a unit.
#
# ## 3. Twenty layers
#
# In a deep network the factor is applied again and again. If a layer multiplies the standard
# deviation by 0.5, twenty layers multiply it by $0.5^{20}$, about a millionth; a factor of 2 makes
# it a million. We send a batch through twenty layers of 100 units and look at the output of each.
# $N(0, 0.01^2)$ stands for random numbers from the bell curve with mean 0 and standard deviation
# 0.01; `Xavier` is explained below.

# %%
DEPTH, WIDTH = 20, 100


def tower(activation, init, depth=DEPTH, seed=0):
    """Return a deep network of equal layers, with two outputs."""
    layers = [nn.Dense(WIDTH, WIDTH, activation, init=init) for _ in range(depth)]
    return nn.Sequential(*layers, nn.Dense(WIDTH, 2, init=init), rng=seed)


def spreads(network, x):
    """Return the standard deviation of each layer's output."""
    with nn.capture(network) as outputs, pellucid.no_grad():
        network(x)
    return [outputs[f"layers.{k}"].data.std() for k in range(len(network.layers) - 1)]


inputs = np.random.default_rng(1).normal(size=(256, WIDTH)).astype(np.float32)
starts = {
    "N(0, 0.01²), small": initialisers.normal(std=0.01),
    "N(0, 1), large": initialisers.normal(std=1.0),
    "Xavier": "xavier_normal",
}
lines = {name: spreads(tower("tanh", start), inputs) for name, start in starts.items()}
for name, line in lines.items():
    print(f"{name:<20} after layer 1: {line[0]:.2e}, after layer {DEPTH}: {line[-1]:.2e}")

# %%
LOOKS = [(style.BLUE, "-", "o"), (style.VERMILLION, "--", "s"), (style.GREEN, ":", "^")]


def plot(lines, xlabel, ylabel, log_scale=True):
    """Draw one line for each name."""
    figure, [ax] = style.panels(None, 1, 1, 6.4, 3.6)
    style.dress(ax, xlabel, ylabel)
    entries = []
    for (name, values), (colour, dash, marker) in zip(lines.items(), LOOKS, strict=False):
        at = range(1, len(values) + 1)
        (line,) = ax.plot(at, values, dash, color=colour, marker=marker, markersize=4)
        entries.append((name, line))
    if log_scale:
        ax.set_yscale("log")
    ax.set_xticks(range(0, len(values) + 1, max(1, len(values) // 5)))
    style.legend_above(ax, entries, columns=3)
    return figure


plot(lines, "layer", "standard deviation of its output")

# %% [markdown]
# With small weights nothing arrives at the top: all examples look alike there. With large ones
# everything arrives, but each tanh is driven to -1 or 1, where it is flat. What that does to the
# gradient comes next.
#
# ## 4. The way back
#
# The chain rule multiplies on the way down as well. A layer $h = \tanh(x W)$ hands back
#
# $$\frac{\partial L}{\partial x} = \Big(\frac{\partial L}{\partial h} \odot (1 - h^2)\Big) W^T.$$
#
# In words: the gradient is damped by the slope of the activation, number by number ($\odot$), then
# spread over the inputs by the weights. Flat places, where $1 - h^2$ is nearly 0, and small weights
# make it **vanish**; then the lower layers hear nothing of the loss. Large weights make it grow, or
# **explode**. Which of the two wins?


# %%
def gradients(network, x, labels):
    """Return the root mean square of the gradient at each hidden layer's output."""
    paths = [f"layers.{k}" for k in range(len(network.layers) - 1)]
    with nn.capture(network, paths) as outputs:
        loss = nn.CrossEntropyLoss()(network(x), labels)
    for out in outputs.values():
        out.retain_grad()
    loss.backward()
    return [sqrt(np.mean(outputs[path].grad.astype(float) ** 2)) for path in paths]


labels = np.random.default_rng(2).integers(0, 2, 256)
back = {name: gradients(tower("tanh", s), inputs, labels) for name, s in starts.items()}
for name, line in back.items():
    print(f"{name:<20} first layer's gradient over the last's: {line[0] / line[-1]:.1e}")
plot(back, "layer", "size of the gradient there")

# %% [markdown]
# Read the picture from right to left, the way the gradient goes. With small weights it falls by a
# factor of ten a layer. With large ones it explodes: most units are flat, but the few that are not
# are multiplied by weights of size 1, a hundred at a time. With Xavier's it keeps its size.
#
# ## 5. Xavier's compromise
#
# Forward we want $n_\text{in} \operatorname{Var}(w) = 1$; backward, where a unit feeds
# $n_\text{out}$ others, $n_\text{out} \operatorname{Var}(w) = 1$. Both at once is possible only
# where $n_\text{in} = n_\text{out}$. Xavier Glorot and Bengio, 2010, put the mean of the two
# numbers in their place:
#
# $$\operatorname{Var}(w) = \frac{2}{n_\text{in} + n_\text{out}}.$$
#
# In words: two, divided by the number of inputs and outputs together. Numbers drawn evenly from
# $[-b, b]$ have the variance $b^2 / 3$, so $b = \sqrt{3 \operatorname{Var}(w)}$.

# %%
rng = np.random.default_rng(0)
shape = 300, 100
for name in ("xavier_normal", "xavier_uniform"):
    w = initialisers.INITIALISERS[name](shape, *shape, rng)
    print(f"{name:<15} variance {w.var():.5f}, 2 / (n_in + n_out) = {2 / 400:.5f}, "
          f"largest {abs(w).max():.3f}")  # fmt: skip

# %% [markdown]
# ## 6. ReLU halves, He doubles
#
# ReLU sets the negative half of its inputs to 0. If $z$ is symmetric around 0, half of
# $\operatorname{E}[z^2]$ is lost:
#
# $$\operatorname{E}[\operatorname{relu}(z)^2] = \tfrac12 \operatorname{Var}(z).$$

# %%
z = np.random.default_rng(0).normal(scale=3.0, size=1_000_000)
half = np.mean(np.maximum(z, 0) ** 2)
print(f"E[relu(z)^2] = {half:.3f}, Var(z) / 2 = {z.var() / 2:.3f}")
assert abs(half / (z.var() / 2) - 1) < 0.01

# %% [markdown]
# In words: the mean square behind a ReLU is half of the variance before it. With
# $\operatorname{Var}(w) = 1/n$ the mean square would be halved in every layer, and the standard
# deviation, its root, divided by $\sqrt 2$. He et al., 2015, make up for it:
# $\operatorname{Var}(w) = 2 / n_\text{in}$. A small difference, twenty times over. (Here every
# layer has as many inputs as outputs, so that Xavier's rule is $1/n$.)

# %%
relu_starts = {"Xavier, 1/n": "xavier_normal", "He, 2/n": "he_normal"}
relu_lines = {name: spreads(tower("relu", s), inputs) for name, s in relu_starts.items()}
for name, line in relu_lines.items():
    print(f"{name:<11} layer {DEPTH} over layer 1: {line[-1] / line[0]:.1e}")
print(f"what halving 19 times would give: {0.5 ** (19 / 2):.1e}")
plot(relu_lines, "layer", "standard deviation of its output")

# %% [markdown]
# `nn.Dense` chooses by its activation: He's for ReLU and its kin, Xavier's otherwise.

# %%
for activation in ("relu", "tanh", None):
    layer = nn.Dense(400, 100, activation, rng=0)
    print(f"{activation!s:<5} variance {layer.weight.data.var():.5f}")
print(f"2 / n_in = {2 / 400:.5f}, 2 / (n_in + n_out) = {2 / 500:.5f}")

# %% [markdown]
# ## 7. Does it matter? Train them
#
# Ten hidden layers of tanh, on images of digits, 8 by 8 pixels; the three starts from above.

# %%
digits = data.split(data.digits(), test=0.2, seed=0)


def deep(activation, init, depth=10):
    """Return 64-50-50-...-10."""
    inside = [nn.Dense(50, 50, activation, init=init) for _ in range(depth - 1)]
    first, last = nn.Dense(64, 50, activation, init=init), nn.Dense(50, 10, init=init)
    return nn.Sequential(first, *inside, last, rng=0)


courses, models = {}, {}
for name, start in starts.items():
    model = models[name] = train.Model(
        deep("tanh", start), "cross_entropy", optim.SGD(0.05), ["accuracy"]
    )
    history = model.fit(digits.train.x, digits.train.y, epochs=size(30, 6), seed=0, verbose=False)
    courses[name] = history["loss"]
    accuracy = model.evaluate(digits.test.x, digits.test.y)["accuracy"]
    print(f"{name:<20} last loss {courses[name][-1]:.3f}, test accuracy {accuracy:.3f}")
print(f"the loss of guessing: ln 10 = {log(10):.3f}")
plot(courses, "epoch", "training loss", log_scale=False)

# %% [markdown]
# The same network, the same data, the same optimiser: only the size of the first random numbers
# differs.
#
# ## 8. What the tools say
#
# `viz.gradient_flow` draws how much gradient reaches each parameter. Here for the small start,
# before any training: first the biases, whose gradient is the sum of what arrives at their layer.

# %%
sick = train.Model(deep("tanh", starts["N(0, 0.01²), small"]), "cross_entropy", optim.SGD(0.05))
sick.loss(sick.network(digits.train.x[:64]), digits.train.y[:64]).backward()
arrived = {path: tensor.grad for path, tensor in sick.network.named_parameters().items()}
viz.gradient_flow({path: g for path, g in arrived.items() if "bias" in path})

# %% [markdown]
# The gradient of a *weight* is a product,
# $\partial L / \partial W = x^T \, \partial L / \partial z$: what comes in from below, times what
# arrives from above. At the bottom the gradient is lost, at the top the input. So no weight learns
# anything, in any layer:

# %%
for path in ("layers.0.weight", "layers.5.weight", "layers.10.weight"):
    print(f"{path:<16} largest gradient {abs(arrived[path]).max():.1e}")

# %% [markdown]
# `diagnose`, the library's doctor ([notebook 17](17_finding_bugs.ipynb)), measures the same, and
# says what it means and what to change.

# %%
print(sick.diagnose(digits.train.x, digits.train.y))

# %% [markdown]
# ## 9. The sigmoid's own trouble
#
# The slope of the sigmoid is $s'(z) = s(z)(1 - s(z))$, which is never more than $\tfrac14$. Ten
# layers of it multiply the gradient by less than $(1/4)^{10}$, apart from the weights. The slope of
# tanh reaches 1, that of ReLU is 1 wherever it is not 0. This is why hidden layers use these.

# %%
z = pellucid.Tensor(np.linspace(-6, 6, 1201), requires_grad=True)
z.sigmoid().sum().backward()
print(f"largest slope of the sigmoid: {z.grad.max():.4f}, at z = {z.data[z.grad.argmax()]:.2f}")
print(f"(1/4)^10 = {0.25**10:.1e}")
kinds = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
falls = {name: gradients(tower(name, None, depth=10), inputs, labels) for name in kinds}
for name, line in falls.items():
    print(f"{name:<8} first layer's gradient over the tenth's: {line[0] / line[-1]:.1e}")
assert falls["sigmoid"][0] / falls["sigmoid"][-1] < 1e-3

# %% [markdown]
# ## 10. Two more remedies
#
# **Normalisation** rescales every unit to mean 0 and variance 1 over the batch, whatever the
# weights do (Ioffe and Szegedy, 2015). **Residual connections** add a layer's input to its output,
# $y = x + f(x)$, so that the gradient has a way down that no weight can shrink:
# $\partial y / \partial x = 1 + f'(x)$ (He et al., 2016). Both make training forgiving: here with
# weights that are far too small.

# %%
small = starts["N(0, 0.01²), small"]


def layer():
    """Return a layer of tanh with weights that are too small."""
    return nn.Dense(50, 50, "tanh", init=small)


def normalised():
    """Return a layer whose sums are normalised before the tanh."""
    return nn.Sequential(nn.Dense(50, 50, init=small), nn.BatchNorm1D(50), nn.Tanh())


inside = {"as it is": layer, "normalised": normalised, "residual": lambda: nn.Residual(layer())}
rescued = {}
for name, block in inside.items():
    network = nn.Sequential(
        nn.Dense(64, 50, "tanh"), *(block() for _ in range(9)), nn.Dense(50, 10), rng=0
    )
    model = train.Model(network, "cross_entropy", optim.SGD(0.05), ["accuracy"])
    history = model.fit(digits.train.x, digits.train.y, epochs=size(20, 4), seed=0, verbose=False)
    rescued[name] = model.evaluate(digits.test.x, digits.test.y)["accuracy"]
    print(f"{name:<11} test accuracy {rescued[name]:.3f}")
assert rescued["as it is"] < size(0.3, 0.4) < min(rescued["normalised"], rescued["residual"])

# %% [markdown]
# ## What to remember
#
# - Equal weights stay equal: begin with random ones.
# - A sum of $n$ products has $n$ times the variance. Weights with variance $1/n$ keep the scale.
# - Xavier's $2/(n_\text{in} + n_\text{out})$ for tanh; He's $2/n_\text{in}$ for ReLU, which loses
#   half.
# - Too small and gradients vanish; too large and units saturate and gradients explode.
# - Normalisation and residual connections make a network forgive its start.
#
# To read on: [all initialisers](../docs/api/nn_initialisers.md), [what the doctor
# finds](../docs/doctor.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** A layer of ReLU has 512 inputs. Which standard deviation should its normal weights
# have, by He's rule? Set `deviation`.

# %% tags=["solution", "hide-input"]
# Solution 1
deviation = sqrt(2 / 512)
print(deviation)

# %% tags=["check"]
# Check 1
rng = np.random.default_rng(0)
z = rng.normal(size=(512, 512)) @ rng.normal(scale=deviation, size=(512, 512))
kept = np.mean(np.maximum(z, 0) ** 2)
assert abs(kept - 1) < 0.03, f"expected a layer that keeps E[x^2] = 1, got {kept:.3f}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Leaky ReLU multiplies negative inputs by a slope $a$ instead of setting them to 0.
# By which factor `gain(a)` must the variance $1/n$ be multiplied to keep the scale? (For $a = 0$ it
# must be He's 2, for $a = 1$ the layer is linear.)


# %% tags=["solution", "hide-input"]
# Solution 2
def gain(a):
    """Return what makes up for the loss: half of E[z^2] is kept, half is multiplied by a^2."""
    return 2 / (1 + a**2)


# %% tags=["check"]
# Check 2
rng = np.random.default_rng(1)
for a in (0.0, 0.1, 0.5, 1.0):
    z = rng.normal(scale=sqrt(gain(a)), size=400_000)
    kept = np.mean(np.where(z > 0, z, a * z) ** 2)
    assert abs(kept - 1) < 0.02, f"slope {a}: expected a scale of 1, got {kept:.3f}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** An orthogonal matrix $Q$ turns or mirrors: $Q^T Q$ is the matrix that changes
# nothing, and the length of every vector stays. Compute `ratio`, the length of `inputs[0]` after
# twenty multiplications by different orthogonal matrices over its length before.
# `initialisers.orthogonal()` is a function; called with `((WIDTH, WIDTH), WIDTH, WIDTH, rng)`,
# shape, inputs, outputs and generator, it returns a matrix. What would the ratio be with
# `initialisers.xavier_normal`, called in the same way?

# %% tags=["solution", "hide-input"]
# Solution 3
rng = np.random.default_rng(3)


def length_after(init, vector, times=20):
    """Return the length after multiplications by fresh random matrices."""
    for _ in range(times):
        vector = vector @ init((WIDTH, WIDTH), WIDTH, WIDTH, rng)
    return np.linalg.norm(vector)


before = np.linalg.norm(inputs[0])
ratio = length_after(initialisers.orthogonal(), inputs[0]) / before
print(f"orthogonal {ratio:.4f}")
print(f"Xavier     {length_after(initialisers.xavier_normal, inputs[0]) / before:.4f}")

# %% tags=["check"]
# Check 3
q = initialisers.orthogonal()((WIDTH, WIDTH), WIDTH, WIDTH, np.random.default_rng(9))
expected = np.linalg.norm(q, 2) ** 20  # the largest singular value: the most it can stretch
assert abs(ratio - expected) < 1e-3, f"expected {expected:.4f}, got {ratio:.4f}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [11 Generalisation](11_generalisation.ipynb)
