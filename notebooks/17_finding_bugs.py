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
# # 17 Checking gradients and finding bugs
#
# Mistakes in a network are silent. It runs, the loss is a number, and often it even falls. This
# notebook shows how to find them: gradients held against differences, a backward pass derived by
# hand beside the computed one, a doctor that knows the usual faults, a museum of them, and an order
# in which to look. It is the last of [the learning path](README.md) and uses what all others made.

# %%
import os
import warnings

import numpy as np

import pellucid
from pellucid import data, museum, nn, optim, train
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. A wrong gradient learns, too
#
# Here is an operation of our own, $\text{softsign}(x) = \frac{x}{1 + |x|}$, with its derivative
# $\frac{1}{(1 + |x|)^2}$: x over one plus its size, and one over the square of that. An operation
# is a class with a value (`forward`) and a rule that carries the gradient $g$ of the loss back
# (`vjp`, for vector-Jacobian product: what arrives, times the slope). `xp` is NumPy, or what takes
# its place. The second class has a mistake: the square was forgotten.


# %%
class Softsign(pellucid.Op):
    """out = x / (1 + |x|);  dx = g / (1 + |x|)^2."""

    casts = "float"

    @staticmethod
    def forward(xp, x):
        return x / (1 + xp.abs(x))

    @staticmethod
    def vjp(xp, g, out, x):
        size = 1 + xp.abs(x)
        return (g / (size * size),)


class WrongSoftsign(Softsign):
    """The same value, and a wrong rule."""

    @staticmethod
    def vjp(xp, g, out, x):
        return (g / (1 + xp.abs(x)),)


class Activation(nn.Module):
    """An operation as a layer."""

    def __init__(self, op):
        self.op = op

    def forward(self, x):
        return pellucid.apply(self.op, x)


moons = data.moons(300, noise=0.2, seed=0)
for op in (Softsign, WrongSoftsign):
    network = nn.Sequential(
        nn.Dense(2, 16), Activation(op), nn.Dense(16, 16), Activation(op), nn.Dense(16, 2), rng=0
    )
    model = train.Model(network, "cross_entropy", optim.Adam(0.01), ["accuracy"])
    model.fit(moons.x, moons.y, epochs=size(60, 10), seed=0, verbose=False)
    print(f"{op.__name__:<14} accuracy {model.evaluate(moons.x, moons.y)['accuracy']:.3f}")

# %% [markdown]
# Nobody would have noticed. The wrong rule keeps the sign of every slope and spoils its size only,
# and Adam makes up for much of that ([notebook 09](09_optimisers.ipynb)). In another network, on
# another day, it will not.
#
# ## 2. A slope can be measured
#
# A derivative is a slope, and a slope can be measured. Move $x$ a little to both sides and divide:
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}.$$
#
# In words: the **central difference** is the rise over the run across $x$. It knows nothing of
# rules, so that it cannot repeat their mistakes. How small should $h$ be? The formula itself is
# wrong by about $h^2 f'''(x) / 6$ (the third derivative, the slope of the slope of the slope), less
# for smaller $h$. But numbers in a computer are rounded, and the difference of two nearly equal
# numbers loses digits: more for smaller $h$.

# %%
steps = 10.0 ** -np.arange(1, 13)
errors = {}
for kind in (np.float64, np.float32):
    at, h = kind(1), steps.astype(kind)
    slope = (np.exp(at + h) - np.exp(at - h)) / (2 * h)
    errors[kind.__name__] = np.abs(slope.astype(float) - np.e) / np.e

figure, [ax] = style.panels(None, 1, 1, 6.4, 3.6)
style.dress(ax, "step h", "relative error of the slope of exp at 1")
looks = {"float64": (style.BLUE, "-o"), "float32": (style.VERMILLION, "--s")}
entries = []
for name, (colour, look) in looks.items():
    (line,) = ax.plot(steps, errors[name], look, color=colour, markersize=4)
    entries.append((name, line))
ax.set_xscale("log")
ax.set_yscale("log")
style.legend_above(ax, entries, columns=2)
figure

# %%
for name, found in errors.items():
    print(f"{name}: best step {steps[found.argmin()]:.0e}, error there {found.min():.0e}")
assert errors["float64"].min() < 1e-9

# %% [markdown]
# Both curves are a V: on the right the formula's error, on the left that of rounding. In float32,
# numbers of 7 digits, not even the best step gives many; float64 has 16. So gradients are checked
# in float64, with a step in the valley.
#
# ## 3. `gradcheck`
#
# `gradcheck` does this for every input and every parameter. It compares with
#
# $$\text{rel\_error} = \frac{|a - n|}{\max(|a|, |n|)},$$
#
# where $a$ is the gradient and $n$ the slope measured. In words: their difference, as a share of
# the larger. The wrong rule is found at once.

# %%
x = np.random.default_rng(0).normal(size=(4, 3))
print("right:", pellucid.gradcheck(Softsign, x))
print("wrong:", pellucid.gradcheck(WrongSoftsign, x))
assert pellucid.gradcheck(Softsign, x)
assert not pellucid.gradcheck(WrongSoftsign, x)

# %% [markdown]
# A whole model, loss and all, is checked by one line on a few rows:

# %%
print(model.gradcheck(moons.x[:5], moons.y[:5]))  # the network with the wrong softsign

# %% [markdown]
# Look where it fails. Everything **before** the broken operation is wrong, because gradients come
# from behind. What comes after the last broken operation is right. So a table reads like a trail to
# the fault.
#
# A kink is no fault. At 0 ReLU has a slope of 0 on one side and 1 on the other; the two-sided
# measure says one half. `gradcheck` looks at both sides and accepts a gradient that lies between
# them.

# %%
at_kink = np.array([-1.0, 0.0, 2.0])
print(pellucid.gradcheck(lambda x: x.relu(), at_kink))

# %% [markdown]
# ## 4. The backward pass by hand, beside it
#
# `explain_backward` writes the backward pass of a network down as one would on paper: layer by
# layer, with equations, shapes and numbers, computed in plain NumPy. Beside it stands what autograd
# computed.

# %%
small = train.Model(
    nn.Sequential(nn.Dense(2, 3, "tanh"), nn.Dense(3, 2), rng=0), "cross_entropy", optim.SGD(0.1)
)
report = pellucid.explain_backward(small, moons.x[:4], moons.y[:4])
print(report)
assert report.ok

# %% [markdown]
# Read it from the top: the loss hands back $A - Y$, what was said minus what is true. Each layer
# turns that into the gradient of its own weights, $X^T dZ$, and into what the layer before it gets,
# $dZ\,W^T$.
#
# ## 5. The doctor
#
# With right gradients, training can still go wrong. `diagnose` takes a few rows, makes one pass
# forward and backward and a few trial updates, puts everything back, and says what it found. Four
# patients:

# %%
rng = np.random.default_rng(0)


def fresh():
    """Return a healthy network."""
    return nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 2), rng=0)


patients = {
    "healthy": (optim.Adam(0.01), moons.x, moons.y),
    "pixels up to 255, so to say": (optim.Adam(0.01), 255 * moons.x, moons.y),
    "a learning rate of 50": (optim.SGD(50.0), moons.x, moons.y),
    "labels out of order": (optim.Adam(0.01), moons.x, rng.permutation(moons.y)),
}
diagnoses = {}
for name, (optimizer, inputs, labels) in patients.items():
    patient = train.Model(fresh(), "cross_entropy", optimizer)
    diagnoses[name] = patient.diagnose(inputs, labels)
    print(f"{name}: {', '.join(f.kind for f in diagnoses[name]) or 'nothing found'}")
assert not diagnoses["healthy"]
assert all(found for name, found in diagnoses.items() if name != "healthy")

# %% [markdown]
# A finding has evidence in numbers, the reason, and what to change:

# %%
print(diagnoses["labels out of order"])

# %% [markdown]
# In a loop of one's own the commonest mistake is to forget `zero_grad`: gradients add up from batch
# to batch. `train.watch` looks on.

# %%
network, optimizer, loss = fresh(), optim.SGD(0.1), nn.CrossEntropyLoss()
with train.watch(network, optimizer) as findings:
    for xb, yb in data.batches(moons.x, moons.y, batch_size=32, seed=0):
        loss(network(xb), yb).backward()  # and no network.zero_grad()
        optimizer.step(network)
for finding in findings:
    print(f"{finding.title}: {finding.evidence}")
assert [finding.kind for finding in findings] == ["not-zeroed"]

# %% [markdown]
# ## 6. Messages that say what to do
#
# Some mistakes are refused where they are made. The classic one: a prediction of shape (n, 1) minus
# a target of shape (n,) is a table of n times n differences, in NumPy as elsewhere. Its mean is a
# number, and training goes on, to the mean of all targets.

# %%
prediction, target = np.ones((4, 1)), np.arange(4.0)
print("NumPy's difference has shape", (prediction - target).shape)
try:
    nn.MSELoss()(pellucid.Tensor(prediction), target)
except ValueError as error:
    print(error)

# %% [markdown]
# ## 7. Not a number
#
# One `nan` in a gradient, and after the next update all weights are `nan`. It often comes from a
# branch that was not even taken. Below, `where` chooses 0 for negative numbers; but if the
# derivative of the square root of a negative number is computed along the way, $0 \cdot \text{nan}$
# is still `nan`. Here is the rule written carelessly, by hand, and the library's:

# %%
values = np.array([-1.0, 4.0])
chosen = values > 0
with np.errstate(invalid="ignore"):
    careless = np.where(chosen, 1.0, 0.0) * (0.5 / np.sqrt(values))
x = pellucid.Tensor(values, requires_grad=True)
with np.errstate(invalid="ignore"):
    pellucid.where(x > 0, pellucid.sqrt(x), 0.0).sum().backward()
print("careless:", careless)
print("pellucid:", x.grad)
assert np.isnan(careless[0])
assert np.array_equal(x.grad, [0.0, 0.25])

# %% [markdown]
# And if a loss does become infinite or `nan`, `fit` stops at that batch and says so, in place of
# training on with ruins:

# %%
runaway = train.Model(nn.Sequential(nn.Dense(2, 1), rng=0), "mse", optim.SGD(1e3))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    targets = moons.y[:, None].astype(np.float32)
    history = runaway.fit(moons.x, targets, epochs=20, seed=0, verbose=False)
print(said[0].message)
assert history.stopped

# %% [markdown]
# ## 8. The museum
#
# Classic mistakes, each with code that runs, what comes of it, the check that catches it, and the
# cure.

# %%
for room, exhibits in museum.ROOMS.items():
    print(room)
    for exhibit in exhibits:
        print(f"    {exhibit.name:<18} {exhibit.title()}")

# %%
print(museum.exhibit("averaged-twice").shown())

# %% [markdown]
# Every check is itself checked: it must complain about the wrong code, and be silent about the
# right one. A check that never fails is worth nothing.

# %%
for room in museum.ROOMS.values():
    for exhibit in room:
        assert exhibit.check(exhibit.wrong), f"{exhibit.name}: the mistake was not caught"
        assert not exhibit.check(exhibit.right), f"{exhibit.name}: a false alarm"
print(f"{sum(map(len, museum.ROOMS.values()))} checks caught the mistake and passed the cure")

# %% [markdown]
# ## 9. In which order to look
#
# When a network does not learn, go from the data to the loss, the cheapest question first.
#
# 1. Are the inputs scaled, and do the labels belong to them? (`diagnose`)
# 2. Is the first loss near that of guessing, $\ln(\text{classes})$?
# 3. **Can it learn ten rows by heart?** A network that cannot will learn nothing else. This finds
#   most mistakes in the loss, the loop and the gradients, within a second.
# 4. Are the gradients right? (`gradcheck`)
# 5. Does every layer get a gradient? (`viz.gradient_flow`, [notebook 10](10_initialisation.ipynb))
# 6. Only then: the learning rate, the size of the network, regularisation.

# %%
digits = data.digits()
model = train.Model(
    nn.Sequential(nn.Dense(64, 32, "relu"), nn.Dense(32, 10), rng=0),
    "cross_entropy",
    optim.Adam(0.01),
)
x, y = digits.x[:10], digits.y[:10]
print(f"first loss {model.evaluate(x, y)['loss']:.3f}, guessing {np.log(10):.3f}")
model.fit(x, y, epochs=200, seed=0, verbose=False)
print(f"after 200 updates on ten rows: {model.evaluate(x, y)['loss']:.4f}")
assert model.evaluate(x, y)["loss"] < 0.01
print(f"gradients right: {bool(model.gradcheck(x, y))}")

# %% [markdown]
# ## What to remember
#
# - A wrong gradient still learns. Only a check finds it.
# - Differences are measured in float64, with a step that is neither too large nor too small.
# - What fails in `gradcheck` lies before the fault.
# - Ten rows by heart, before anything else.
# - A check must be seen to fail once.
#
# To read on: [the doctor](../docs/doctor.md), [messages and what they mean](../docs/errors.md), [an
# operation of your own](../docs/guides/own_op.md), [the museum](../docs/api/museum.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** Write `slope(f, x, h)`, the central difference of a function of one number. Use it
# to find out whether the derivative of $\ln(1 + e^x)$ is $\tanh x$ or the sigmoid
# $1 / (1 + e^{-x})$; set `answer` to `"tanh"` or `"sigmoid"`.


# %% tags=["solution", "hide-input"]
# Solution 1
def slope(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


measured = slope(lambda x: np.log1p(np.exp(x)), 0.7)
answer = "tanh" if abs(measured - np.tanh(0.7)) < 1e-6 else "sigmoid"
print(answer, measured)

# %% tags=["check"]
# Check 1
assert abs(slope(np.sin, 0.3) - np.cos(0.3)) < 1e-8, "the slope of sin at 0.3 is cos 0.3"
exact = pellucid.grad(lambda x: pellucid.log(1 + pellucid.exp(x)))(0.7)
guess = {"tanh": np.tanh(0.7), "sigmoid": 1 / (1 + np.exp(-0.7))}[answer]
assert abs(guess - float(exact)) < 1e-6, f"expected {exact}, got {guess}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** The rule of this operation, $\text{out} = x\,y$, has a mistake that a test with
# $x = y$ would not find. Write a class `Product` with the same value and the right rule.
#
#     class Mixed(pellucid.Op):
#         casts = "float"
#
#         @staticmethod
#         def forward(xp, x, y):
#             return x * y
#
#         @staticmethod
#         def vjp(xp, g, out, x, y):
#             return g * x, g * y


# %% tags=["solution", "hide-input"]
# Solution 2
class Product(pellucid.Op):
    """out = x y;  dx = g y, dy = g x: each gets the other."""

    casts = "float"

    @staticmethod
    def forward(xp, x, y):
        return x * y

    @staticmethod
    def vjp(xp, g, out, x, y):
        return g * y, g * x


# %% tags=["check"]
# Check 2
a, b = np.random.default_rng(1).normal(size=(2, 3, 4))
found = pellucid.gradcheck(Product, a, b)
assert found, f"expected the slopes that differences show, got\n{found}"
assert np.allclose(pellucid.apply(Product, pellucid.Tensor(a), pellucid.Tensor(b)).data, a * b)
print("Exercise 2 is right.")

# %%
# The patient of exercise 3
sick_x = (1000 + 400 * moons.x).astype(np.float32)
sick = train.Model(fresh(), "cross_entropy", optim.SGD(20.0))

# %% [markdown]
# **Exercise 3.** The patient `sick` with the inputs `sick_x` has two faults. Ask the doctor, and
# build `cured`, a `train.Model` on the same data, and `cured_x`, its inputs, so that the doctor
# finds nothing.

# %% tags=["solution", "hide-input"]
# Solution 3
print(", ".join(finding.title for finding in sick.diagnose(sick_x, moons.y)))
cured_x = data.Standardizer().fit(sick_x).transform(sick_x)
cured = train.Model(fresh(), "cross_entropy", optim.SGD(0.1))

# %% tags=["check"]
# Check 3
assert sick.diagnose(sick_x, moons.y), "the patient was sick"
found = cured.diagnose(cured_x, moons.y)
assert not found, f"expected nothing found, got\n{found}"
assert abs(np.corrcoef(cured_x[:, 0], sick_x[:, 0])[0, 1]) > 0.99, "these are other data"
print("Exercise 3 is right.")
