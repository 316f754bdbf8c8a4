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
# # 13 Digits and MNIST
#
# The whole way from images to a saved model that can be trusted: look, split, scale, build, train,
# judge, compare, keep. First on 1,797 small digits that come with scikit-learn, then on the 70,000
# of MNIST. The parts were made in notebooks [07](07_layers_and_activations.ipynb) to
# [12](12_classification_and_regression.ipynb); here they work together.

# %%
import os
import tempfile
import time
import warnings
from itertools import pairwise
from math import log, sqrt
from pathlib import Path

import numpy as np

from pellucid import data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. Look at the data
#
# A data set is rows `x` and answers `y`. Here a row is an image of 8 by 8 pixels, written as 64
# numbers, and an answer is the digit that somebody meant to write.

# %%
digits = data.digits()
print(digits)
print("x", digits.x.shape, digits.x.dtype, "from", digits.x.min(), "to", digits.x.max())
print("y", digits.y.shape, digits.y.dtype, "the first ten:", digits.y[:10])
print("rows of each class:", np.bincount(digits.y))

# %% [markdown]
# The pixels lie between 0 and 1 already, and the classes are about equally common. Both are worth a
# look, because a network learns badly from numbers in the hundreds, and says little about a class
# that it hardly ever saw. Numbers hide what pictures show:


# %%
def gallery(images, titles, shape, columns=8):
    """Draw images in rows, each under its title."""
    rows = -(-len(images) // columns)
    figure, panels = style.panels(None, rows, columns, 7.2, 1.15 * rows)
    for panel in panels:
        panel.set_axis_off()
    for panel, image, title in zip(panels, images, titles, strict=False):
        panel.imshow(image.reshape(shape), cmap="gray_r")
        panel.set_title(title, fontsize=style.SMALL_SIZE, color=style.INK)
    return figure


gallery(digits.x[:16], digits.y[:16], digits.image_shape)

# %% [markdown]
# ## 2. Split before anything else
#
# Three parts, three purposes. The network learns from the **training** part. We choose settings,
# and the moment to stop, by the **validation** part. The **test** part is opened once, at the end:
# whatever was chosen by looking at it would look better than it is. The split is random, and every
# class keeps its share.

# %%
parts = data.split(digits, test=0.2, validation=0.1, seed=0)
for name, part in parts._asdict().items():
    print(f"{name:<10} {len(part):5d} rows, of each class {np.bincount(part.y)}")

# %% [markdown]
# ## 3. Scale, with the numbers of the training part
#
# For each pixel $j$ the `Standardizer` subtracts the mean $\mu_j$ of the training rows and divides
# by their standard deviation $\sigma_j$, their usual distance from the mean:
#
# $$z_j = \frac{x_j - \mu_j}{\sigma_j}.$$
#
# Validation and test are scaled by the same $\mu$ and $\sigma$. Their own would be knowledge about
# rows that we are supposed not to have seen.

# %%
scaler = data.Standardizer().fit(parts.train.x)
x, vx, tx = (scaler.transform(part.x) for part in parts)
y, vy, ty = (part.y for part in parts)
print(f"training: mean {abs(x.mean()):.4f}, standard deviation {x.std():.3f}")
print(f"test:     mean {tx.mean():.4f}, standard deviation {tx.std():.3f}, near but not equal")

# %% [markdown]
# The training rows do not come to a deviation of exactly 1: some corner pixels are 0 in every
# image. They are divided by 1 and stay 0.

# %%
print("pixels that never change:", int((parts.train.x.std(axis=0) == 0).sum()))

# %% [markdown]
# ## 4. Build
#
# Two hidden layers with ReLU, and ten outputs, one for each digit. The outputs are *logits*: any
# real numbers. Softmax turns them into probabilities, and the cross-entropy does so by itself.


# %%
def network(inputs, seed=0):
    """Return a dense network with 128 and 64 hidden units."""
    return nn.Sequential(
        nn.Dense(inputs, 128, "relu"), nn.Dense(128, 64, "relu"), nn.Dense(64, 10), rng=seed
    )


model = train.Model(network(64), "cross_entropy", optim.Adam(1e-3), metrics=["accuracy"])
print(model.summary())

# %% [markdown]
# A dense layer from $n$ to $m$ numbers has a weight for every pair and a bias for every output:
# $nm + m$ parameters. Counted by hand:

# %%
sizes = [64, 128, 64, 10]
by_hand = [n * m + m for n, m in pairwise(sizes)]
print(by_hand, "together", sum(by_hand))
assert sum(by_hand) == sum(p.size for p in model.network.parameters())

# %% [markdown]
# **Before training, a check.** A network that knows nothing should give each of ten classes about
# one tenth. The cross-entropy of an answer is $-\ln p$, where $p$ is the probability given to the
# true class; for $p = 1/10$ that is $\ln 10$. Random starting weights make the first loss somewhat
# larger, since some classes are favoured by chance. A first loss far above means a mistake in
# scaling or in the starting weights.

# %%
before = model.evaluate(x, y)
print(f"loss {before['loss']:.3f}, that of guessing {log(10):.3f}")
print(f"accuracy {before['accuracy']:.3f}, that of guessing 0.100")

# %% [markdown]
# ## 5. Train
#
# In every epoch the rows are shuffled and cut into batches of 32; each batch gives one update.
# After every epoch the validation part is judged, without learning from it. As long as its loss
# falls, what is learned holds for rows that were not learned from. Here it falls to the end;
# [notebook 11](11_generalisation.ipynb) shows what to do where it rises.

# %%
start = time.perf_counter()
history = model.fit(
    x,
    y,
    epochs=size(40, 3),
    batch_size=32,
    validation_data=(vx, vy),
    seed=0,
    verbose=False,
)
seconds = time.perf_counter() - start
print(f"{history.epochs} epochs; the best was number {history.best_epoch()}")
history.plot()

# %% [markdown]
# ## 6. Judge, once
#
# Now the test part. **Precision** of a class: of the images called a 3, the share that are 3s.
# **Recall**: of the 3s, the share that were found. With $TP$ right calls, $FP$ false calls and $FN$
# missed ones,
#
# $$\text{precision} = \frac{TP}{TP + FP}, \qquad \text{recall} = \frac{TP}{TP + FN},$$
#
# and $F_1$ is twice their product over their sum, a mean that is small if either is. In the report,
# *support* counts the images of a class; *macro avg* is the mean over the classes, *weighted avg*
# counts each class as often as it occurs.

# %%
chances = model.predict_proba(tx)  # (N, 10), rows sum to 1
answers = chances.argmax(axis=1)
report = train.classification_report(ty, answers, digits.class_names)
print(report)

# %% [markdown]
# Which digit is taken for which? A row of the confusion matrix is a true digit, a column an answer.

# %%
viz.confusion_matrix(ty, answers, digits.class_names)

# %% [markdown]
# The mistakes themselves are the best teachers: the surest ones first, with a cross and a dashed
# frame, each with what was said, how surely, and what is true. (Right answers with a tick fill the
# places that are left.) Would you have read them rightly?

# %%
viz.predictions(parts.test.x, ty, chances, digits.class_names, digits.image_shape, count=9)

# %% [markdown]
# ## 7. How sure is that number?
#
# The test part is a sample. An accuracy $p$ measured on $n$ rows has a **standard error** of
#
# $$\sqrt{\frac{p\,(1 - p)}{n}}:$$
#
# in words, the root of the share that is right times the share that is wrong, over the number of
# rows. With other rows of the same kind it would differ by about that much. Two networks whose
# accuracies differ by less than two standard errors cannot be told apart by these rows alone.

# %%
p, n = report.accuracy, len(ty)
error = sqrt(p * (1 - p) / n)
print(f"accuracy {p:.4f} +- {error:.4f}; one image more or less is {1 / n:.4f}")

# %% [markdown]
# ## 8. Compare
#
# A number alone says little. Two comparisons: with a network **without hidden layers**, to see what
# depth brings; and with **scikit-learn's** network of the same shape, trained on the same rows with
# the same rate, batches and number of epochs, to see whether ours does its work.

# %%
simple = train.Model(
    nn.Sequential(nn.Dense(64, 10), rng=0), "cross_entropy", optim.Adam(1e-3), ["accuracy"]
)
simple.fit(x, y, epochs=history.epochs, seed=0, verbose=False)
ours = train.Model(network(64, seed=1), "cross_entropy", optim.Adam(1e-3), ["accuracy"])
start = time.perf_counter()
ours.fit(x, y, epochs=history.epochs, seed=0, verbose=False)
seconds = time.perf_counter() - start
rows = [
    ("no hidden layer", simple.evaluate(tx, ty)["accuracy"], None),
    ("pellucid", ours.evaluate(tx, ty)["accuracy"], seconds),
]

# %%
try:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
except ImportError:
    MLPClassifier = None
    print("scikit-learn is not installed; the comparison is left out.")

if MLPClassifier is not None:
    peer = MLPClassifier(
        (128, 64),
        alpha=0.0,
        batch_size=32,
        learning_rate_init=1e-3,
        max_iter=history.epochs,
        n_iter_no_change=history.epochs,
        tol=0.0,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told to stop after the epochs
        start = time.perf_counter()
        peer.fit(x, y)
        seconds = time.perf_counter() - start
    rows.append(("scikit-learn", peer.score(tx, ty), seconds))

print(f"{'':<16} accuracy  seconds, on the machine that ran this")
for name, accuracy, seconds in rows:
    print(f"{name:<16} {accuracy:.4f}    {'' if seconds is None else f'{seconds:.2f}'}")
print(f"two standard errors: {2 * error:.4f}")

# %% [markdown]
# Read it with the standard error in mind. The hidden layers bring more than two of them. The two
# libraries are nearer to each other than that: both compute the same function with the same rule;
# their starting weights and their order of rows differ, and so do a few images. (Nothing was chosen
# by these numbers, so the test part may be used for all three.)
#
# ## 9. Keep
#
# One file holds the network, the optimiser with all it remembers, and the scaler: new images must
# be scaled as those were that it learned from. It holds no code, so that it is safe to load.

# %%
model.preprocessing = scaler
model.class_names = list(digits.class_names)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "digits.safetensors")
    model.save(path)
    print(f"{path.stat().st_size:,} bytes")
    again = train.Model.load(path)

scaled = again.preprocessing.transform(parts.test.x)
same = np.array_equal(again.predict(scaled), model.predict(tx))
print("the same answers, bit for bit:", same)
assert same

# %% [markdown]
# ## 10. The same on MNIST
#
# 60,000 images to learn from and 10,000 to be judged by, 28 by 28 pixels each. Nothing changes but
# the number of inputs. Pixels lie between 0 and 1, and that is scale enough here: many border
# pixels hardly ever change, and dividing by their tiny deviation would blow up the few specks there
# are.

# %%
try:
    images, test = data.mnist()
except (OSError, data.DownloadError) as problem:
    print(f"MNIST is not here ({type(problem).__name__}); the embedded digits stand in.")
    halves = data.split(digits, test=0.3, seed=1)
    images, test = halves.train, halves.test
images, test = images.take(range(size(len(images), 1200))), test.take(range(size(len(test), 500)))
print(images)
rare = (images.x > 0).mean(axis=0) < 0.01
print(f"{rare.sum()} of {rare.size} pixels are 0 in more than 99 of 100 images")
gallery(images.x[:16], images.y[:16], images.image_shape)

# %% [markdown]
# Dropout sets about a fifth of the hidden numbers to 0 in training, others for every row: no unit
# can rely on another one alone ([notebook 11](11_generalisation.ipynb)).

# %%
pixels = images.x.shape[1]
big = nn.Sequential(
    nn.Dense(pixels, 128, "relu"),
    nn.Dropout(0.2),
    nn.Dense(128, 128, "relu"),
    nn.Dropout(0.2),
    nn.Dense(128, 10),
    rng=0,
)
mnist = train.Model(big, "cross_entropy", optim.Adam(2e-3), ["accuracy"])
start = time.perf_counter()
course = mnist.fit(
    images.x,
    images.y,
    epochs=size(10, 3),
    batch_size=128,
    validation_split=0.1,
    seed=0,
    verbose=False,
)
seconds = time.perf_counter() - start
scores = mnist.evaluate(test.x, test.y)
error = sqrt(scores["accuracy"] * (1 - scores["accuracy"]) / len(test))
print(f"{course.epochs} epochs in {seconds:.1f} s on the machine that ran this")
print(f"test accuracy {scores['accuracy']:.4f} +- {error:.4f}")
assert scores["accuracy"] > size(0.975, 0.6)

# %%
course.plot()

# %% [markdown]
# In the first epochs the validation accuracy lies above that of training, which looks odd. Training
# is judged while dropout is at work and while the weights still move; validation is judged after
# the epoch, without dropout. Judged alike, training is ahead:

# %%
print(f"training rows, without dropout: {mnist.evaluate(images.x, images.y)['accuracy']:.4f}")
print(f"test rows:                      {scores['accuracy']:.4f}")

# %%
chances = mnist.predict_proba(test.x)
viz.predictions(test.x, test.y, chances, test.class_names, test.image_shape, count=16)

# %% [markdown]
# ## What to remember
#
# - Split first. The test part is opened once.
# - Whatever is fitted to data, the scaler too, is fitted to the training part.
# - The first loss should not be far above $\ln(\text{classes})$, that of guessing.
# - An accuracy has a standard error; without it two numbers cannot be compared.
# - Look at the mistakes, not only at their number.
#
# To read on: [data of your own](../docs/guides/own_data.md), [how to tune a
# network](../docs/guides/tune.md), [going on after an interruption](../docs/guides/resume.md),
# [what is in a file](../docs/files.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** How many `parameters` has the MNIST network of section 10 for images of 28 by 28
# pixels? Compute the number by hand, from the sizes of its layers.

# %% tags=["solution", "hide-input"]
# Solution 1
parameters = (784 * 128 + 128) + (128 * 128 + 128) + (128 * 10 + 10)
print(parameters)

# %% tags=["check"]
# Check 1
fresh = [nn.Dense(n, m, rng=0) for n, m in ((784, 128), (128, 128), (128, 10))]
expected = sum(p.size for layer in fresh for p in layer.parameters())
assert parameters == expected, f"expected {expected}, got {parameters}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** From `chances` and `test.y` alone, compute the *top-2 accuracy* `top_2`: the share
# of images whose true class is among the two likeliest.

# %% tags=["solution", "hide-input"]
# Solution 2
two = np.argsort(chances, axis=1)[:, -2:]  # (N, 2)
top_2 = (two == test.y[:, None]).any(axis=1).mean()
print(f"{top_2:.4f}, against {scores['accuracy']:.4f} for the likeliest alone")

# %% tags=["check"]
# Check 2
judge = train.Model(mnist.network, "cross_entropy", metrics=["top_2_accuracy"])
expected = judge.evaluate(test.x, test.y)["top_2_accuracy"]
assert abs(top_2 - expected) < 1e-9, f"expected {expected}, got {top_2}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Let the network keep silent where it is unsure: answer only if the largest
# probability is at least 0.9. Compute `coverage`, the share of test images it answers, and
# `accuracy_when_sure`, the accuracy among those. What do you win, what do you pay?

# %% tags=["solution", "hide-input"]
# Solution 3
sure = chances.max(axis=1) >= 0.9
coverage = sure.mean()
accuracy_when_sure = (chances.argmax(axis=1) == test.y)[sure].mean()
print(f"answers {coverage:.1%} of the images, and {accuracy_when_sure:.2%} of those rightly")

# %% tags=["check"]
# Check 3
asked = right = 0
for row, label in zip(chances.tolist(), test.y.tolist(), strict=True):
    if max(row) >= np.float32(0.9):
        asked += 1
        right += row.index(max(row)) == label
assert abs(coverage - asked / len(test)) < 1e-9, f"expected {asked / len(test)}, got {coverage}"
assert abs(accuracy_when_sure - right / asked) < 1e-9
assert accuracy_when_sure > scores["accuracy"]
print("Exercise 3 is right.")

# %% [markdown]
# Next: [14 Convolution](14_convolution.ipynb)
