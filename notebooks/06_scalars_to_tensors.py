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
# # 06 From scalars to tensors
#
# The [scalar network](05_scalar_mlp.ipynb) computes one number at a time, which is good to look at
# and slow. Here the same network is written with tables of numbers (mathematicians say matrices).
# Nothing new is learned about gradients: they are the same numbers, found by the same rules, for a
# whole table at once. We check that, and then measure how much faster it is.

# %%
import os
import time
from statistics import median

import numpy as np

import pellucid
from pellucid import Tensor, data, interop, nn, optim, scalar
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## A layer is a table
#
# Three neurons of two inputs have 3 · 2 weights. Write them as a table W with one column a neuron,
# and the biases as a row b. For an input row x, the weighted sums of all neurons are one product of
# a row and a table:
#
# $$z = x W + b \qquad z_j = \sum_i x_i W_{ij} + b_j$$
#
# In words: entry j of the result is every input times its weight in column j, all added, plus the
# bias of neuron j. NumPy writes this product as `x @ W`; `.T` exchanges rows and columns.

# %%
layer = scalar.Layer(2, 3, rng=0)
W = np.array([[w.data for w in neuron.weights] for neuron in layer.neurons]).T  # (inputs, neurons)
b = np.array([neuron.bias.data for neuron in layer.neurons])
x = [0.5, -1.0]
print("W has the shape", W.shape, "and b the shape", b.shape)
print("neuron by neuron:", [round(out.data, 6) for out in layer(x)])
print("as a table:      ", np.tanh(np.array(x) @ W + b).round(6).tolist())

# %% [markdown]
# ## Many examples are one more axis
#
# Put one example in each row of a table X. Then X W + b holds, in row i, the sums for example i. A
# hundred examples need a single product. Shapes tell what fits: (examples, inputs) times (inputs,
# neurons) is (examples, neurons). The row b is added to every row; this is called **broadcasting**.

# %%
moons = data.moons(100, noise=0.1, seed=0)
X = moons.x.astype(np.float64)
Z = X @ W + b
print(f"X {X.shape} @ W {W.shape} + b {b.shape} -> {Z.shape}")
row_by_row = [[out.data for out in layer(row)] for row in X.tolist()]
assert np.allclose(np.tanh(Z), row_by_row)
print("all 300 numbers agree")

# %% [markdown]
# ## A tensor is a `Value` for tables
#
# `pellucid.Tensor` remembers how it was computed, like `Value`, but holds a whole table. `backward`
# leaves in `grad` a table of the same shape: one slope for each number.

# %%
t = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
total = (t * t).sum()
total.backward()
print("t:", t.data.tolist(), " the sum of squares:", total.item())
print("its slopes, 2 t:", t.grad.tolist())

# %% [markdown]
# ## Backwards through a product of tables
#
# Let G be the gradient that arrives: one number for each entry of Z = X W + b. Entry $W_{ij}$ was
# used once in every row n, multiplied by $X_{ni}$. A number used several times collects from all
# its uses:
#
# $$\frac{\partial L}{\partial W_{ij}} = \sum_n X_{ni} G_{nj} \quad\text{or}\quad dW = X^T G$$
#
# In words: over all examples, the input that the weight was multiplied by, times the gradient that
# arrives, added up. $X^T$ is X with rows and columns exchanged, and dW is the table of all slopes
# of L with respect to the entries of W.
#
# In the same way $dX = G\,W^T$, and since b was added to every row, $db$ is the sum of the rows of
# G. The shapes leave hardly any other choice: dW must look like W.

# %%
tX = Tensor(X, requires_grad=True)
tW = Tensor(W, requires_grad=True)
tb = Tensor(b, requires_grad=True)
G = np.random.default_rng(0).normal(size=Z.shape)  # some gradient that arrives
((tX @ tW + tb) * G).sum().backward()

for name, tensor, by_rule in (("W", tW, X.T @ G), ("X", tX, G @ W.T), ("b", tb, G.sum(axis=0))):
    gap = np.abs(tensor.grad - by_rule).max()
    print(f"d{name} has the shape {tensor.grad.shape}; largest gap to the rule {gap:.0e}")
    assert gap < 1e-12

# %% [markdown]
# ## The same network on both engines
#
# `interop.to_tensors` takes a scalar network apart and writes its weights into tables.

# %%
mlp = scalar.MLP(2, [8, 8, 1], output="linear", fused=True, rng=1)
network = interop.to_tensors(mlp)
print(network)
for path, tensor in network.named_parameters().items():
    print(f"{path:<18} {tensor.shape}")

# %% [markdown]
# Both run on the hundred points, with the hinge loss, and go back. Compare the outputs and each of
# the 105 gradients.

# %%
y = 2 * moons.y - 1  # -1 and +1
scores = [mlp(row) for row in X.tolist()]
loss = scalar.hinge(scores, y.tolist())
mlp.zero_grad()
loss.backward()

tensor_loss = nn.HingeLoss()(network(X), y.reshape(-1, 1))
network.zero_grad()
tensor_loss.backward()

print(f"loss {loss.data:.12f} and {tensor_loss.item():.12f}")
gaps = []
for layer_of_scalars, dense in zip(mlp.layers, network, strict=True):
    for j, neuron in enumerate(layer_of_scalars.neurons):
        gaps += [abs(w.grad - dense.weight.grad[i, j]) for i, w in enumerate(neuron.weights)]
        gaps.append(abs(neuron.bias.grad - dense.bias.grad[j]))
print(f"{len(gaps)} gradients; the largest gap is {max(gaps):.0e}")
assert max(gaps) < 1e-12

# %% [markdown]
# The library has this comparison ready. It says nothing where both agree, and where they do not, it
# says how: here one weight was changed behind its back.

# %%
interop.assert_equivalent(mlp, network, X[:10])

tampered = interop.to_tensors(mlp)
tampered[1].weight.data[2, 3] += 1e-6
try:
    interop.assert_equivalent(mlp, tampered, X[:10])
except AssertionError as error:
    print(str(error).splitlines()[0])
    print(str(error).splitlines()[1])

# %% [markdown]
# The two engines share no code, so neither can hide a mistake of the other.
#
# ## The same training
#
# Twenty steps on each, from the same weights. The losses agree to the last digits.

# %%
steps = size(20, 5)
on_scalars = scalar.train(
    mlp, X.tolist(), y.tolist(), scalar.hinge, scalar.SGD(mlp.parameters(), lr=0.5), epochs=steps
)

optimizer, hinge, on_tensors = optim.SGD(0.5), nn.HingeLoss(), []
for _ in range(steps):
    network.zero_grad()
    loss = hinge(network(X), y.reshape(-1, 1))
    loss.backward()
    optimizer.step(network)
    on_tensors.append(loss.item())

for step in range(0, steps, 5):
    print(f"step {step:2d}: {on_scalars[step]:.10f} and {on_tensors[step]:.10f}")
assert np.allclose(on_scalars, on_tensors, rtol=1e-9)

# %% [markdown]
# ## How much faster?
#
# One step of training, for growing numbers of examples: forward, backward, update. The times are
# those of the machine that ran this notebook; what matters is how they grow.


# %%
def seconds(step, repeats):
    """The median time of a call, after one call to warm up."""
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return median(times)


def scalar_step(examples):
    """Return one step of the scalar network on so many examples."""
    points = data.moons(examples, noise=0.1, seed=0)
    rows, targets = points.x.tolist(), (2 * points.y - 1).tolist()
    mlp = scalar.MLP(2, [16, 16, 1], output="linear", fused=True, rng=1)
    optimizer = scalar.SGD(mlp.parameters(), lr=0.1)
    return lambda: scalar.train(mlp, rows, targets, scalar.hinge, optimizer, epochs=1)


def tensor_step(examples):
    """Return one step of the same network on tensors."""
    points = data.moons(examples, noise=0.1, seed=0)
    rows, targets = points.x.astype(np.float64), (2 * points.y - 1).reshape(-1, 1)
    mlp = scalar.MLP(2, [16, 16, 1], output="linear", fused=True, rng=1)
    network, optimizer = interop.to_tensors(mlp), optim.SGD(0.1)

    def step():
        network.zero_grad()
        hinge(network(rows), targets).backward()
        optimizer.step(network)

    return step


counts = size([2, 8, 32, 128, 512, 2048], [2, 8, 32])
scalar_times = [seconds(scalar_step(n), 3) for n in counts]
tensor_times = [seconds(tensor_step(n), 15) for n in counts]
for n, slow, fast in zip(counts, scalar_times, tensor_times, strict=True):
    print(
        f"{n:5d} examples: {1e3 * slow:8.2f} ms and {1e3 * fast:6.2f} ms, {slow / fast:6.1f} times"
    )

# %%
figure, [ax] = style.panels(None, 1, 1, 6.2, 3.6)
style.dress(ax, "examples in a step", "milliseconds a step")
(one,) = ax.loglog(counts, [1e3 * t for t in scalar_times], "o-", color=style.ORANGE)
(two,) = ax.loglog(counts, [1e3 * t for t in tensor_times], "s--", color=style.BLUE)
style.legend_above(ax, [("scalars", one), ("tensors", two)], columns=2)
figure

# %% [markdown]
# The scalar engine's time grows with the number of examples. The tensor engine's hardly does at
# first: a step is the same few dozen calls of NumPy for any number of examples, and a call on a
# small table costs mostly the calling. Only large tables take longer. For two examples the gain is
# small; for a thousand it is large.
#
# ## Single precision
#
# Checks want 16 digits (float64), training does not need them. Pellucid's tensors have 7 digits
# (float32) unless told otherwise. They take half the memory and compute faster, as a large product
# shows. `to_tensors` gave us 16, for comparing.

# %%
single = interop.to_tensors(mlp, dtype="float32")
double = interop.to_tensors(mlp)
outputs = double(X).data
gap = np.abs(single(X.astype(np.float32)).data - outputs).max()
print(f"outputs differ by at most {gap:.0e}, and are about {np.abs(outputs).mean():.1f} large")

side = size(1000, 200)
for kind in ("float64", "float32"):
    table = np.ones((side, side), kind)
    taken = seconds(lambda table=table: table @ table, 7)
    print(f"{kind}: {table.nbytes / 1e6:.1f} MB, a product takes {1e3 * taken:.1f} ms")

# %% [markdown]
# ## From tensors to a library
#
# From here on networks are built from tensors directly. This is the one of above, in the words that
# the rest of the notebooks use; [notebook 07](07_layers_and_activations.ipynb) goes through them.

# %%
built = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 8, "tanh"), nn.Dense(8, 1), rng=0)
back = interop.to_scalars(built)
print(f"{sum(p.size for p in built.parameters())} numbers here, {len(back.parameters())} there")
interop.assert_equivalent(back, built.astype("float64"), X[:10])

# %% [markdown]
# ## A third opinion
#
# Where PyTorch is installed, it is asked as well: the gradient of the first layer's weights.

# %%
try:
    import torch
except ImportError:
    torch = None
    print("PyTorch is not installed; the comparison is left out.")

if torch is not None:
    tables = [torch.tensor(p.data, requires_grad=True) for p in network.parameters()]
    W1, b1, W2, b2, W3, b3 = tables
    hidden = torch.tanh(torch.tanh(torch.tensor(X) @ W1 + b1) @ W2 + b2)
    margins = 1 - torch.tensor(y.reshape(-1, 1)) * (hidden @ W3 + b3)
    torch.clamp(margins, min=0).mean().backward()
    network.zero_grad()
    hinge(network(X), y.reshape(-1, 1)).backward()
    gap = max(
        np.abs(ours.grad - theirs.grad.numpy()).max()
        for ours, theirs in zip(network.parameters(), tables, strict=True)
    )
    print(f"six tables of gradients; the largest gap to PyTorch is {gap:.0e}")
    assert gap < 1e-12

# %% [markdown]
# ## What to remember
#
# - A layer is a product with a table: $XW + b$, one row an example, one column a neuron.
# - Gradients have the shapes of what they belong to: $dW = X^T G$, $dX = G W^T$, db the sum of
#   rows.
# - The numbers are those of the scalar engine; only the bookkeeping is different.
# - Tables are fast because few calls do much work.
#
# To read on: [tensors](../docs/api/pellucid.md), [from one engine to the
# other](../docs/api/interop.md), and [how many digits training
# needs](../docs/explanation/numerics.md).
#
# ## Exercises
#
# **Exercise 1.** A layer takes 784 inputs to 128 neurons, for 32 examples at a time. What are the
# shapes of X, W, b, Z and of the gradient of W? Write a dictionary `shapes` with the keys "X", "W",
# "b", "Z" and "dW".

# %% tags=["solution", "hide-input"]
# Solution 1
shapes = {"X": (32, 784), "W": (784, 128), "b": (128,), "Z": (32, 128), "dW": (784, 128)}

# %% tags=["check"]
# Check 1
dense, batch = nn.Dense(784, 128, rng=0), np.ones((32, 784), np.float32)
out = dense(batch)
out.sum().backward()
expected = {
    "X": batch.shape,
    "W": dense.weight.shape,
    "b": dense.bias.shape,
    "Z": out.shape,
    "dW": dense.weight.grad.shape,
}
assert shapes == expected, f"expected {expected}, got {shapes}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Write one layer $\tanh(XW + b)$ and its way back with NumPy alone: a function
# `layer_backward(X, W, b, G)`, where G is the gradient of the layer's output, which returns dX, dW
# and db.


# %% tags=["solution", "hide-input"]
# Solution 2: through tanh first, then through the product
def layer_backward(X, W, b, G):
    out = np.tanh(X @ W + b)
    through_tanh = G * (1 - out**2)
    return through_tanh @ W.T, X.T @ through_tanh, through_tanh.sum(axis=0)


# %% tags=["check"]
# Check 2: against the engine
tensors = [Tensor(table, requires_grad=True) for table in (X, W, b)]
((tensors[0] @ tensors[1] + tensors[2]).tanh() * G).sum().backward()
for name, ours, tensor in zip(("dX", "dW", "db"), layer_backward(X, W, b, G), tensors, strict=True):
    assert ours.shape == tensor.shape, f"{name}: expected shape {tensor.shape}, got {ours.shape}"
    assert np.allclose(ours, tensor.grad), f"{name}: the numbers differ"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** `pellucid.gradcheck(function, at)` compares gradients with small steps. Use it on
# the function $\sum (XW)^2$ of W, with the first five rows of X. Print its `report`, and take from
# its only row the `relative_error`: the difference of both as a share of the larger.

# %% tags=["solution", "hide-input"]
# Solution 3
report = pellucid.gradcheck(lambda W: ((Tensor(X[:5]) @ W) ** 2).sum(), W)
print(report)
relative_error = report.rows[0].rel_error

# %% tags=["check"]
# Check 3
again = pellucid.gradcheck(lambda W: ((X[:5] @ W) ** 2).sum(), W)
assert str(report) == str(again), f"expected the report\n{again}\ngot\n{report}"
assert relative_error == again.rows[0].rel_error, f"expected {again.rows[0].rel_error}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [07 Layers and activations](07_layers_and_activations.ipynb)
