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
# # 11 Generalisation
#
# A network that knows its training rows by heart has learned nothing yet. What counts is the error
# on rows that it never saw. This notebook makes the gap between the two visible (a *row* is one
# example), and then narrows it in five ways: more data, smaller networks, penalties, dropout and
# early stopping. [Notebook 10](10_initialisation.ipynb) came before: how to make a network learn at
# all.

# %%
import os

import numpy as np

import pellucid
from pellucid import data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. By heart
#
# Sixty points of two moons, with so much noise that the classes overlap: no rule can be right about
# all of them. A large network tries all the same. Another 2,000 points, which it never sees, tell
# what its rule is worth.

# %%
few = data.moons(60, noise=0.35, seed=1)
unseen = data.moons(2000, noise=0.35, seed=2)


def trained(hidden=100, epochs=400, rate=0.01, x=few.x, y=few.y, penalty=None, dropout=0.0, **how):
    """Return a network with two hidden layers, trained on the points, and its history."""
    network = nn.Sequential(
        nn.Dense(2, hidden, "relu"),
        nn.Dropout(dropout),
        nn.Dense(hidden, hidden, "relu"),
        nn.Dropout(dropout),
        nn.Dense(hidden, 2),
        rng=0,
    )
    model = train.Model(network, "cross_entropy", optim.Adam(rate), ["accuracy"], penalty=penalty)
    epochs = size(epochs, max(20, epochs // 10))
    return model, model.fit(x, y, epochs=epochs, seed=0, verbose=False, **how)


def tell(name, model, x=few.x, y=few.y):
    """Print what a model reaches on seen and unseen points; return the latter's loss."""
    seen, new = model.evaluate(x, y), model.evaluate(unseen.x, unseen.y)
    print(
        f"{name:<22} seen: loss {seen['loss']:.3f}, accuracy {seen['accuracy']:.3f}   "
        f"unseen: loss {new['loss']:.3f}, accuracy {new['accuracy']:.3f}"
    )
    return new["loss"]


wild, course = trained(validation_data=(unseen.x, unseen.y))
wild_loss = tell("large network", wild)

# %%
course.plot()

# %% [markdown]
# The training loss goes towards zero. The loss on unseen points falls first, then rises without
# end. This is **overfitting**: after the first epochs the network learns the noise of these sixty
# points.
#
# Why does the loss rise so much more than the accuracy falls? The cross-entropy of a wrong answer
# is $-\ln p$ of the true class, and the network becomes ever surer, of its mistakes as well.

# %%
chances = wild.predict_proba(unseen.x)
wrong = chances.argmax(axis=1) != unseen.y
print(f"mean probability of the answer where right: {chances.max(axis=1)[~wrong].mean():.3f}")
print(f"                               where wrong: {chances.max(axis=1)[wrong].mean():.3f}")

# %%
viz.decision_boundary(wild, few.x, few.y, few.class_names)

# %% [markdown]
# The border follows the noise, down to an island for a single point.
#
# ## 2. Why three parts
#
# Unseen points tell the truth only as long as they decide nothing. Suppose 200 "models" that flip
# coins. Choose the one that does best on 100 validation rows. It looks better than chance there,
# because it was *chosen* for it. On test rows, which chose nothing, it is a coin again.

# %%
rng = np.random.default_rng(0)
truth_validation, truth_test = rng.integers(0, 2, 100), rng.integers(0, 2, 100)
coins = rng.integers(0, 2, (200, 200))  # (model, row): validation rows first, then test rows
on_validation = (coins[:, :100] == truth_validation).mean(axis=1)
on_test = (coins[:, 100:] == truth_test).mean(axis=1)
best = on_validation.argmax()
print(f"the best of 200 coins on validation: {on_validation[best]:.2f}")
print(f"the same coin on test:               {on_test[best]:.2f}")
print(f"all coins on test:                   {on_test.mean():.2f}")
assert on_validation[best] > 0.6

# %% [markdown]
# So: the training part fits the weights, the validation part chooses settings, the test part is
# used once. In the sections below the 2,000 unseen points show what each remedy does. They choose
# nothing here; the strengths of the remedies were fixed beforehand.
#
# ## 3. More data
#
# The first remedy, where it is to be had: nothing has to be chosen for it. The same network, on
# more and more points:

# %%
counts, seen_losses, unseen_losses = (30, 100, 300, 1000, 3000), [], []
for count in counts:
    more = data.moons(count, noise=0.35, seed=1)
    model, _ = trained(epochs=100, x=more.x, y=more.y)
    seen_losses.append(model.evaluate(more.x, more.y)["loss"])
    unseen_losses.append(model.evaluate(unseen.x, unseen.y)["loss"])
    print(f"{count:5d} points: seen {seen_losses[-1]:.3f}, unseen {unseen_losses[-1]:.3f}")

# %%
figure, [ax] = style.panels(None, 1, 1, 6.0, 3.4)
style.dress(ax, "training points", "loss")
(seen,) = ax.plot(counts, seen_losses, "-o", color=style.BLUE)
(new,) = ax.plot(counts, unseen_losses, "--s", color=style.VERMILLION)
ax.set_xscale("log")
style.legend_above(ax, [("seen", seen), ("unseen", new)], columns=2)
figure

# %% [markdown]
# The two curves approach each other. The gap between them is what overfitting costs; what is left
# is the noise, which nobody can predict.
#
# ## 4. A smaller network
#
# A network with fewer units can draw fewer borders. Without any, it can draw one straight line, and
# misses what there is to know: **underfitting**.

# %%
straight = train.Model(nn.Sequential(nn.Dense(2, 2), rng=0), "cross_entropy", metrics=["accuracy"])
straight.fit(few.x, few.y, epochs=size(300, 100), seed=0, verbose=False)
tell("no hidden layer", straight)
for hidden in (4, 100):
    model, _ = trained(hidden=hidden)
    tell(f"2 x {hidden} hidden units", model)

# %% [markdown]
# ## 5. L2: weights should be small
#
# A steep border needs large weights. The **L2 penalty** adds their squares, times a strength
# $\lambda$, to what is minimised,
#
# $$L + \lambda \sum_i w_i^2, \qquad \text{with gradient} \quad
# \frac{\partial L}{\partial w_i} + 2 \lambda w_i.$$
#
# In words: every weight is pulled towards zero, in proportion to its size. What the data do not
# hold up shrinks. Biases are left alone.

# %%
tame, _ = trained(penalty=nn.L2(0.003))
tame_loss = tell("L2, lambda = 0.003", tame)
tell("without", wild)
for name, model in (("with", tame), ("without", wild)):
    weights = model.network[2].weight.data
    print(f"{name:<8} root mean square of the middle weights: {np.sqrt((weights**2).mean()):.4f}")
assert tame_loss < wild_loss

# %%
viz.decision_boundary(tame, few.x, few.y, few.class_names)

# %% [markdown]
# One smooth border, and pale colours where the classes overlap: the network says that it is unsure.
# Too weak a penalty changes little; too strong a one keeps the network from learning:

# %%
for strength in (0.0001, 0.001, 0.01, 0.1):
    model, _ = trained(epochs=200, penalty=nn.L2(strength))
    tell(f"L2, lambda = {strength}", model)

# %% [markdown]
# ## 6. L1: many weights should be zero
#
# The **L1 penalty** adds $\lambda \sum_i |w_i|$, the sizes of all weights, without squares. Its
# gradient is $\lambda$ times the sign of the weight: the pull does not weaken as the weight gets
# small, so that it arrives at zero. That chooses *features*. Here only two of thirty inputs matter;
# the other 28 are noise.

# %%
rng = np.random.default_rng(0)
inputs = rng.normal(size=(200, 30)).astype(np.float32)
targets = (2 * inputs[:, :1] - 3 * inputs[:, 1:2] + 0.5 * rng.normal(size=(200, 1))).astype(
    np.float32
)
print("penalty   weights below 0.02   the first two   the largest of the others")
for name, penalty in (("none", None), ("L2", nn.L2(0.05)), ("L1", nn.L1(0.2))):
    model = train.Model(
        nn.Sequential(nn.Dense(30, 1), rng=0), "mse", optim.Adam(0.01), penalty=penalty
    )
    model.fit(inputs, targets, epochs=size(300, 150), seed=0, verbose=False)
    w = model.network[0].weight.data[:, 0]
    small = int((abs(w) < 0.02).sum())
    print(f"{name:<9} {small:>11}          {w[0]:5.2f} {w[1]:5.2f} {abs(w[2:]).max():16.3f}")
assert small >= 26  # with L1

# %% [markdown]
# L1 finds the two. It also makes them a little too small: that is the price of the pull.
#
# ## 7. Dropout: no unit may rely on another
#
# In training, **dropout** sets each number to 0 with probability $p$, anew for every row, and
# divides the others by $1 - p$. The mean stays what it was: $(1 - p) \cdot \frac{x}{1 - p} = x$. In
# evaluation it does nothing. A unit cannot count on its neighbours being there, so that each must
# be of use by itself (Srivastava et al., 2014).

# %%
drop = nn.Dropout(0.25, rng=0)
ones = pellucid.Tensor(np.ones((1, 8), np.float32))
for _ in range(3):
    print(drop(ones).data.round(3))
many = drop(pellucid.Tensor(np.ones((1000, 1000), np.float32))).data
print(f"zeros: {(many == 0).mean():.3f}, mean: {many.mean():.3f}")
print("in evaluation:", drop.eval()(ones).data)

# %%
dropped, _ = trained(dropout=0.5)
dropped_loss = tell("dropout 0.5", dropped)
tell("without", wild)
assert dropped_loss < wild_loss

# %% [markdown]
# ## 8. Early stopping
#
# The curve of section 1 says when to stop: at the lowest validation loss, that is, the loss on rows
# set aside to choose by. `EarlyStopping` waits a while, in case it falls again, and then goes back
# to the best weights. This needs validation rows, here a hundred more points.

# %%
stop = train.EarlyStopping(patience=30)
held = data.moons(100, noise=0.35, seed=3)
early, course = trained(validation_data=(held.x, held.y), callbacks=[stop])
print(f"best epoch {course.best_epoch()} of {course.epochs}")
early_loss = tell("early stopping", early)
tell("without", wild)
assert early_loss < wild_loss

# %% [markdown]
# The loss on unseen points is a quarter of what it was. The accuracy is a little lower here: the
# moment was chosen by the loss, and by a hundred rows only. With fewer it would be a matter of
# luck. Early stopping saves time, and costs those rows.
#
# ## 9. On real data
#
# 150 digits to learn from, and over a thousand to be judged by. The remedies can be combined.

# %%
parts = data.split(data.digits(), test=1200, validation=300, seed=0)
train_x, train_y = parts.train.x[:150], parts.train.y[:150]
recipes = {
    "nothing": {},
    "L2": {"penalty": nn.L2(3e-4)},
    "dropout": {"dropout": 0.4},
    "early stopping": {"stop": True},
    "all three": {"penalty": nn.L2(3e-4), "dropout": 0.4, "stop": True},
}
reached = {}
for name, recipe in recipes.items():
    network = nn.Sequential(
        nn.Dense(64, 200, "relu"), nn.Dropout(recipe.get("dropout", 0.0)), nn.Dense(200, 10), rng=0
    )
    model = train.Model(
        network, "cross_entropy", optim.Adam(3e-3), ["accuracy"], penalty=recipe.get("penalty")
    )
    history = model.fit(
        train_x,
        train_y,
        epochs=size(200, 20),
        validation_data=(parts.validation.x, parts.validation.y),
        callbacks=[train.EarlyStopping(patience=20)] if recipe.get("stop") else [],
        seed=0,
        verbose=False,
    )
    reached[name] = model.evaluate(parts.test.x, parts.test.y)
    print(f"{name:<15} {history.epochs:4d} epochs, test loss {reached[name]['loss']:.3f}, "
          f"accuracy {reached[name]['accuracy']:.3f}")  # fmt: skip

# %% [markdown]
# Differences in accuracy of less than two standard errors ([notebook 13](13_digits_and_mnist.ipynb)
# explains them) may be chance, and all of these are. The loss sees more: it also counts how sure
# the answers were. By it, L2 and early stopping help here, dropout alone hardly.

# %%
p = reached["nothing"]["accuracy"]
print(f"two standard errors: {2 * np.sqrt(p * (1 - p) / len(parts.test)):.3f}")

# %% [markdown]
# ## What to remember
#
# - The training loss says how well a network remembers, the validation loss how well it
#   understands.
# - What decided anything can no longer judge: three parts.
# - L2 shrinks all weights in proportion, L1 makes many zero, dropout makes units independent, early
#   stopping takes the best moment.
# - More data closes the gap, and needs no strength to be chosen.
#
# To read on: [how to tune a network](../docs/guides/tune.md), [training](../docs/api/train.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** With the learning rate $\eta$ and no gradient from the data, one step of gradient
# descent on $\lambda w^2$ multiplies a weight by a constant. Which one? Write `factor(eta, lam)`.


# %% tags=["solution", "hide-input"]
# Solution 1
def factor(eta, lam):
    """Return w_new / w: w - eta * 2 lam w = (1 - 2 eta lam) w."""
    return 1 - 2 * eta * lam


# %% tags=["check"]
# Check 1
for eta, lam in ((0.1, 0.5), (0.01, 3.0)):
    w = pellucid.Tensor([2.0, -7.0], requires_grad=True)
    nn.L2(lam)(w).backward()
    step = (w.data - eta * w.grad) / w.data
    assert np.allclose(step, factor(eta, lam)), f"expected {step[0]}, got {factor(eta, lam)}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** In dropout with rate $p$ a number $x$ becomes 0 or $x / (1 - p)$. Its mean stays
# $x$. What is its variance? Write `variance(x, p)`.


# %% tags=["solution", "hide-input"]
# Solution 2
def variance(x, p):
    """Return E[y^2] - E[y]^2 = (1 - p) x^2 / (1 - p)^2 - x^2."""
    return x**2 * p / (1 - p)


# %% tags=["check"]
# Check 2
for x, p in ((1.0, 0.5), (3.0, 0.2)):
    drawn = nn.Dropout(p, rng=1)(pellucid.Tensor(np.full(1_000_000, x))).data
    assert abs(drawn.var() - variance(x, p)) < 0.02 * x**2, f"{drawn.var()}, {variance(x, p)}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** A **leak**: rows that occur in training and in test alike make the test look too
# good. Write `shared(a, b)`, the share of the rows of `b` that occur among those of `a`.


# %% tags=["solution", "hide-input"]
# Solution 3
def shared(a, b):
    """Return the share of rows of b (M, F) that are rows of a (N, F)."""
    known = {row.tobytes() for row in a}
    return sum(row.tobytes() in known for row in b) / len(b)


# %% tags=["check"]
# Check 3
leaky = np.concatenate([few.x[:10], unseen.x[:30]])
got = shared(few.x, leaky)
expected = np.mean([(few.x == row).all(axis=1).any() for row in leaky])
assert got == expected == 0.25, f"expected {expected}, got {got}"
print("Exercise 3 is right; the digits share", shared(parts.train.x, parts.test.x))

# %% [markdown]
# Next: [12 Classification and regression](12_classification_and_regression.ipynb)
