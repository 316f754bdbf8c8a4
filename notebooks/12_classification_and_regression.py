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
# # 12 Binary classification and regression
#
# Two kinds of questions: *yes or no?* and *how much?* The data here are made by rules that we know,
# so that for once the best possible answer is known, too: it can be seen how near a network comes
# to it. [Notebook 11](11_generalisation.ipynb) came before: how to tell learning from remembering.

# %%
import os
from math import exp, log

import numpy as np

import pellucid
from pellucid import data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. One number in, one probability out
#
# First *yes or no*. Two clouds of points on a line: class 0 around -1, class 1 around +1, each with
# a standard deviation of one. They overlap, so that in the middle nobody can be sure. Of the points
# that fall at $x$, the share of class 1 is the height of its bell curve over the sum of both
# heights (**Bayes' rule**). Worked out, this is exactly
#
# $$p(x) = \frac{1}{1 + e^{-2x}},$$
#
# a **sigmoid** $s(z) = 1/(1 + e^{-z})$ of $z = 2x + 0$. In words: the further to the right, the
# surer, and in the middle it is even.

# %%
rng = np.random.default_rng(0)


def clouds(n):
    """Return n points on a line and their classes."""
    y = rng.integers(0, 2, n)
    return (rng.normal(size=n) + 2 * y - 1).astype(np.float32)[:, None], y


x, y = clouds(size(4000, 1000))
test_x, test_y = clouds(4000)
print(f"share of class 1 near x = 0.5: {y[abs(x[:, 0] - 0.5) < 0.1].mean():.3f}")
print(f"the formula at 0.5:            {1 / (1 + exp(-2 * 0.5)):.3f}")

# %% [markdown]
# ## 2. Logistic regression is a network without hidden layers
#
# One weight, one bias, and a sigmoid. The loss is the **binary cross-entropy**: for an answer $p$
# where $y$ is 0 or 1,
#
# $$L = -\big[\,y \ln p + (1 - y) \ln (1 - p)\,\big].$$
#
# In words: minus the logarithm of the probability given to what happened. A sure mistake costs
# without bound. The loss takes the score $z$, the *logit*, not $p$, because that is exact even
# where $p$ is rounded to 1 ([notebook 08](08_losses.ipynb)).

# %%
model = train.Model(
    nn.Sequential(nn.Dense(1, 1), rng=0), "bce", optim.Adam(0.02), metrics=["accuracy"]
)
model.fit(x, y, epochs=size(20, 15), seed=0, verbose=False)
weight, bias = (float(p.data.item()) for p in model.network.parameters())
print(f"learned: z = {weight:.3f} x + {bias:.3f}; by Bayes' rule: z = 2 x + 0")
assert abs(weight - 2) < 0.3

# %%
grid = np.linspace(-4, 4, 81, dtype=np.float32)[:, None]
figure, [ax] = style.panels(None, 1, 1, 6.2, 3.4)
style.dress(ax, "x", "probability of class 1")
(points,) = ax.plot(x[:200], y[:200], "|", color=style.MUTED)
(truth,) = ax.plot(grid, 1 / (1 + np.exp(-2 * grid)), color=style.BLUE, linewidth=3)
(found,) = ax.plot(grid, model.predict_proba(grid), "--", color=style.VERMILLION)
style.legend_above(ax, [("200 of the points", points), ("exact", truth), ("learned", found)], 3)
figure

# %% [markdown]
# The gradient of this loss is the simplest there is: $\partial L / \partial z = p - y$, what was
# said minus what happened. And no model can do better than the exact probabilities:

# %%
exact = 1 / (1 + np.exp(-2 * test_x[:, 0].astype(float)))
best = -np.mean(np.where(test_y == 1, np.log(exact), np.log(1 - exact)))
scores = model.evaluate(test_x, test_y)
print(f"loss:     learned {scores['loss']:.4f}, exact {best:.4f}, always one half {log(2):.4f}")
print(f"accuracy: learned {scores['accuracy']:.4f}, exact {((exact > 0.5) == test_y).mean():.4f}")

# %% [markdown]
# ## 3. Two outputs or one?
#
# Two classes can also have two outputs and softmax. That is the same model: softmax of $(a, b)$
# gives class 1 the probability $e^b / (e^a + e^b) = s(b - a)$. Only the difference counts.

# %%
a, b = 0.3, 1.7
print(f"softmax {exp(b) / (exp(a) + exp(b)):.6f}, sigmoid {1 / (1 + exp(a - b)):.6f}")

# %% [markdown]
# ## 4. When accuracy misleads
#
# Now one case in twenty is ill. A model that always says *no* is right in 95 of 100 cases, and
# useless. A real model, two measurements in, tells a probability; **where to draw the line** is
# another decision. Two shares judge it. **Precision**: of those who are called ill, how many are.
# **Recall**: of those who are ill, how many are called.


# %%
def patients(n):
    """Return two measurements of each of n people, and whether they are ill (one in twenty)."""
    ill = (rng.random(n) < 0.05).astype(int)
    measured = rng.normal(size=(n, 2)) + 1.5 * ill[:, None] * np.array([1.0, 1.0])
    return measured.astype(np.float32), ill


x, y = patients(size(8000, 3000))
test_x, test_y = patients(8000)
doctor = train.Model(
    nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 1), rng=0), "bce", optim.Adam(0.01)
)
doctor.fit(x, y, epochs=size(15, 8), seed=0, verbose=False)
chances = doctor.predict_proba(test_x)[:, 0]

print("threshold  accuracy  precision  recall")
for threshold in (0.02, 0.05, 0.2, 0.5, 1.0):
    called = chances >= threshold
    hits, false = (called & (test_y == 1)).sum(), (called & (test_y == 0)).sum()
    precision = f"{hits / (hits + false):9.3f}" if hits + false else "   nobody"
    accuracy, recall = (called == test_y).mean(), hits / test_y.sum()
    print(f"{threshold:9.2f} {accuracy:9.3f} {precision} {recall:8.3f}")

# %% [markdown]
# The last line is the model that always says no: highest or nearly highest accuracy, and it finds
# nobody. A low threshold finds most of the ill and frightens many of the well. Which line is right
# depends on what a missed case costs, and what a false alarm.
#
# Two curves show all thresholds at once. **ROC**: the share of the ill that are called (the *true
# positive rate*) against the share of the well that are called (the *false positive rate*). Its
# area, the **AUC**, has a meaning of its own: the probability that somebody ill gets a higher
# number than somebody well.

# %%
viz.roc_curve(test_y, chances)

# %%
ill, well = chances[test_y == 1], chances[test_y == 0]
pairs = (ill[:, None] > well).mean()
print(f"pairs in the right order: {pairs:.4f}; AUC: {train.metrics.roc_auc(test_y, chances):.4f}")

# %% [markdown]
# Precision against recall is harder to please where cases are rare, and more honest about it. AP,
# average precision, is the area under it.

# %%
viz.precision_recall_curve(test_y, chances)

# %% [markdown]
# ## 5. Is 80 % sure right 80 % of the time?
#
# A model whose probabilities can be taken at their word is **calibrated**. The picture below sorts
# the cases by what was said and counts what happened; on the diagonal the two agree. (Its points on
# the right stand for few people each.) A model trained with `class_weight="balanced"` treats both
# classes as if they were equally common: it finds more of the ill, but its numbers are no longer
# probabilities of this population.

# %%
balanced = train.Model(
    nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 1), rng=0), "bce", optim.Adam(0.01)
)
balanced.fit(x, y, epochs=size(15, 8), class_weight="balanced", seed=0, verbose=False)
weighed = balanced.predict_proba(test_x)[:, 0]
for name, told in (("as they come", chances), ("balanced", weighed)):
    print(f"{name:<12} said on average {told.mean():.3f}, happened {test_y.mean():.3f}, "
          f"found at one half {(told[test_y == 1] >= 0.5).mean():.3f}")  # fmt: skip
assert weighed.mean() > 2 * chances.mean()

# %%
viz.calibration_curve(test_y, chances)

# %% [markdown]
# ## 6. The mean squared error looks for the mean
#
# Now *how much*. In regression the answer is a number. The usual loss is the **mean squared
# error**, $L = \frac1n \sum_i (\hat y_i - y_i)^2$: the mean square of the difference between what
# was said, $\hat y$, and what is true, $y$. If the same $x$ comes with different $y$, the number
# that makes it smallest is their mean. For the **mean absolute error**,
# $\frac1n \sum_i |\hat y_i - y_i|$, it is their median. One wild value moves a mean, not a median.

# %%
values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
candidates = np.linspace(0, 110, 11001)
squared = ((candidates[:, None] - values) ** 2).mean(axis=1)
absolute = abs(candidates[:, None] - values).mean(axis=1)
print(f"smallest squared error at {candidates[squared.argmin()]:.2f}, mean {values.mean():.2f}")
median = np.median(values)
print(f"smallest absolute error at {candidates[absolute.argmin()]:.2f}, median {median:.2f}")

# %% [markdown]
# ## 7. A sine behind noise
#
# Noise cannot be predicted. On new noisy points not even the sine itself has an error of 0: what
# remains is the mean square of their noise, near $0.1^2 = 0.01$. No model can be expected to do
# better. Against the sine itself it can.

# %%
NOISE = 0.1
noisy, fresh = data.sine(500, NOISE, seed=0), data.sine(500, NOISE, seed=1)
sine = data.sine(501)


def curve(loss, targets, epochs=150):
    """Return a network of one input and one output, fitted to the points."""
    network = nn.Sequential(
        nn.Dense(1, 32, "tanh"), nn.Dense(32, 32, "tanh"), nn.Dense(32, 1), rng=0
    )
    rate = optim.schedules.Cosine(0.01, size(epochs, 40) * 16)
    model = train.Model(network, loss, optim.Adam(rate))
    model.fit(noisy.x, targets, epochs=size(epochs, 40), seed=0, verbose=False)
    return model


fit = curve("mse", noisy.y)
mse = train.metrics.mse
print(f"new noisy points: network {mse(fresh.y, fit.predict(fresh.x)):.5f}")
print(f"                  the sine itself {mse(fresh.y, np.sin(fresh.x)):.5f}, their noise")
print(f"the sine itself:  network {mse(sine.y, fit.predict(sine.x)):.5f}")

# %%
viz.regression_fit(noisy.x, noisy.y, fit.predict(noisy.x))

# %% [markdown]
# **R2** puts an error in relation to the spread of the truth:
#
# $$R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2}.$$
#
# In words: 1, less the squared errors over the squared distances from the mean. It is 1 for a
# perfect fit, 0 for a model that always says the mean $\bar y$, and below 0 for one that is worse
# than that. The other errors below are in the unit of the truth; R2 has no unit.

# %%
print(train.regression_report(fresh.y, fit.predict(fresh.x)))
truth, said = fresh.y.astype(float), fit.predict(fresh.x).astype(float)
print(f"by hand: {1 - ((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum():.4f}")

# %% [markdown]
# ## 8. Wild values
#
# One point in twenty is spoiled: a sensor that sometimes reads 5. Squares take such errors very
# seriously, absolute values less so. The **Huber** loss is square for small errors and absolute for
# large ones: smooth in the middle, calm at the ends.

# %%
spoiled = noisy.y.copy()
hit = np.random.default_rng(5).random(len(spoiled)) < 0.05
spoiled[hit] = 5.0
losses = {"squared": "mse", "absolute": "mae", "Huber": nn.HuberLoss(delta=0.2)}
fits, errors = {}, {}
for name, loss in losses.items():
    fits[name] = curve(loss, spoiled).predict(sine.x)
    errors[name] = mse(sine.y, fits[name])
    print(f"{name:<9} mean squared error against the sine: {errors[name]:.4f}")
assert errors["Huber"] < errors["squared"] / 5

# %%
figure, [ax] = style.panels(None, 1, 1, 6.6, 3.8)
style.dress(ax, "x", "y")
(points,) = ax.plot(noisy.x, spoiled, ".", color=style.MUTED, markersize=3, alpha=0.5)
looks = [(style.VERMILLION, "-"), (style.BLUE, "--"), (style.INK, ":")]
lines = [ax.plot(sine.x, fits[n], d, color=c)[0] for n, (c, d) in zip(fits, looks, strict=True)]
style.legend_above(ax, [("points", points), *zip(fits, lines, strict=True)], columns=4)
ax.set_ylim(-1.5, 2.0)  # the spoiled ones lie far above
figure

# %% [markdown]
# ## 9. Targets have a scale, too
#
# Inputs should be near 1 in size, and so should targets. Prices in the hundred thousands ask the
# last layer for weights and biases of that size, and a learning rate of 0.01 moves them by about
# 0.01 an update. The remedy: standardise the targets (subtract their mean, divide by their standard
# deviation), fit, and undo it.

# %%
price = 300_000 + 50_000 * noisy.y
raw = curve("mse", price, epochs=60)
scaler = data.Standardizer().fit(price)
scaled = curve("mse", scaler.transform(price), epochs=60)
answers = scaled.predict(noisy.x) * scaler.scale_ + scaler.mean_
print(f"as they come: R2 {train.metrics.r2(price, raw.predict(noisy.x)):10.3f}")
print(f"standardised: R2 {train.metrics.r2(price, answers):10.3f}")
assert train.metrics.r2(price, answers) > 0.9

# %% [markdown]
# ## What to remember
#
# - A logit and a sigmoid make a probability; the cross-entropy is minus the logarithm of the
#   probability given to what happened.
# - A probability and a decision are two things. The threshold depends on what mistakes cost.
# - With rare cases, accuracy says little; precision and recall say more.
# - Squares look for the mean, absolute values for the median, Huber is between.
# - Scale the targets as well.
#
# To read on: [training and metrics](../docs/api/train.md), [losses](../docs/api/nn_losses.md),
# [pictures](../docs/pictures.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** Show with `pellucid.grad` that the slope of the binary cross-entropy of the logit
# $z$ is $s(z) - y$: compute `slope_at`, the slope at $z = 0.8$ for $y = 1$.

# %% tags=["solution", "hide-input"]
# Solution 1
slope_at = float(pellucid.grad(lambda z: -pellucid.log(pellucid.sigmoid(z)))(0.8))
print(slope_at)

# %% tags=["check"]
# Check 1
expected = 1 / (1 + exp(-0.8)) - 1
assert abs(slope_at - expected) < 1e-6, f"expected {expected}, got {slope_at}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** A missed case costs 20, a false alarm 1. Somebody has the probability $p$. From
# which $p$ on is it cheaper to call them in? Compute `line`.

# %% tags=["solution", "hide-input"]
# Solution 2
line = 1 / 21  # calling costs (1 - p) * 1, not calling p * 20; they are equal where 1 - p = 20 p
print(f"{line:.4f}")

# %% tags=["check"]
# Check 2
p = np.linspace(0, 1, 100_001)
expected = p[(1 - p <= 20 * p).argmax()]
assert abs(line - expected) < 1e-4, f"expected {expected}, got {line}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Which constant prediction makes the mean squared error on `noisy.y` smallest, and
# which $R^2$ has it? Compute `constant` and `its_r2`.

# %% tags=["solution", "hide-input"]
# Solution 3
constant = float(noisy.y.mean())
its_r2 = 0.0  # numerator and denominator are the same
print(constant, its_r2)

# %% tags=["check"]
# Check 3
candidates = np.linspace(-1, 1, 20001)
errors = [np.mean((noisy.y - c) ** 2) for c in candidates]
expected = candidates[int(np.argmin(errors))]
assert abs(constant - expected) < 1e-3, f"expected {expected}, got {constant}"
assert abs(train.metrics.r2(noisy.y, np.full_like(noisy.y, constant)) - its_r2) < 1e-6
print("Exercise 3 is right.")

# %% [markdown]
# Next: [13 Digits and MNIST](13_digits_and_mnist.ipynb)
