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
# # 14 Convolution on Fashion-MNIST
#
# A dense network does not know that two pixels are neighbours. A convolution does: it looks at
# small pieces of an image, and at all of them in the same way. This notebook builds one by hand,
# counts what it saves, and trains it on pictures of clothing. [Notebook
# 13](13_digits_and_mnist.ipynb) came before: the whole way from images to a trained network.

# %%
import os
import time

import numpy as np

import pellucid
from pellucid import data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. The data
#
# Fashion-MNIST: 28 by 28 pixels, ten kinds of clothing. It has the form of MNIST and is harder. We
# take 10,000 of the 60,000 images to learn from, so that this notebook runs in about a minute. A
# pixel is one number here, and three in a colour image: these are its **channels**, and they stand
# on the last axis.

# %%
try:
    images, test = data.fashion_mnist()
except (OSError, data.DownloadError) as problem:
    print(f"Fashion-MNIST is not here ({type(problem).__name__}); the embedded digits stand in.")
    parts = data.split(data.digits(), test=0.3, seed=0)
    images, test = parts.train, parts.test
count, test_count = min(len(images), size(10_000, 600)), min(len(test), size(10_000, 300))
images, test = images.take(range(count)), test.take(range(test_count))
side = images.image_shape[0]
x, y = images.x.reshape(-1, side, side, 1), images.y  # (N, H, W, C): channels come last
test_x, test_y = test.x.reshape(-1, side, side, 1), test.y
print(images, x.shape)
print(", ".join(images.class_names))

# %%
figure, panels = style.panels(None, 2, 6, 7.2, 2.9)
for panel, image, label in zip(panels, x, y, strict=False):
    panel.set_axis_off()
    panel.imshow(image[:, :, 0], cmap="gray_r")
    panel.set_title(images.class_names[label], fontsize=style.SMALL_SIZE, color=style.INK)
figure

# %% [markdown]
# ## 2. A convolution by hand
#
# A **filter** is a small table of weights, here 3 by 3. It is laid over every place of the image;
# there the numbers under it are multiplied by its weights and added up:
#
# $$\text{out}[i, j] = b + \sum_{a=0}^{2} \sum_{c=0}^{2} x[i + a,\, j + c]\; w[a, c].$$
#
# A large sum means: what lies here looks like the filter. (In mathematics this is called a
# cross-correlation; networks have made the shorter name their own.) One filter makes one new image,
# a **feature map**. The filter below is positive on the left and negative on the right. It answers
# to vertical edges. The bias $b$ is 0 here.

# %%
edges = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)


def convolve(image, w):
    """Return the feature map of an image (H, W) under a filter (k, k), with two loops."""
    k = len(w)
    height, width = image.shape[0] - k + 1, image.shape[1] - k + 1
    out = np.zeros((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            out[i, j] = (image[i : i + k, j : j + k] * w).sum()
    return out


layer = nn.Conv2D(1, 2, 3, rng=0)  # one channel in, two filters of 3 by 3
layer.weight.data = np.stack([edges, edges.T], axis=-1)[:, :, None]  # (3, 3, 1, 2)
layer.bias.data = np.zeros(2, np.float32)
maps = layer(x[:1]).data  # (1, H - 2, W - 2, 2)
by_hand = convolve(x[0, :, :, 0], edges)
print(f"shape {maps.shape}, largest difference {abs(maps[0, :, :, 0] - by_hand).max():.1e}")
assert np.allclose(maps[0, :, :, 0], by_hand, atol=1e-5)

# %%
viz.feature_maps(maps, x[0])

# %% [markdown]
# The first map shows vertical edges: dark where the image becomes darker from left to right, light
# where it becomes brighter. The second, by the filter with rows and columns exchanged, shows
# horizontal edges, from top to bottom. Nobody will tell the network such filters. It finds its own.
#
# ## 3. What it saves
#
# A dense layer has a weight for every pair of an input and an output. A convolution uses the same
# few weights at every place. With $k \times k$ filters, $C$ channels in and $F$ filters it has
#
# $$k \cdot k \cdot C \cdot F + F$$
#
# parameters, whatever the size of the image. In words: a weight for every place under a filter,
# channel and filter, and a bias for every filter. And the map is smaller than the image by $k - 1$,
# unless zeros are put around it (`padding="same"`); with padding $p$ on each side and steps of $s$
# an image of $H$ rows gives $\lfloor (H + 2p - k) / s \rfloor + 1$, where $\lfloor\ \rfloor$ means:
# rounded down.

# %%
convolution = nn.Conv2D(1, 8, 3, padding="same", rng=0)
few = sum(p.size for p in convolution.parameters())
many = (side * side) * (side * side * 8) + side * side * 8
print(f"eight filters:                        {few:,} parameters, by formula {3 * 3 * 1 * 8 + 8}")
print(f"a dense layer with as many outputs: {many:,} parameters")
for padding, stride in ((0, 1), ("same", 1), (0, 2), (1, 2)):
    out = nn.Conv2D(1, 1, 3, padding=padding, stride=stride, rng=0)(np.zeros((1, 28, 28, 1)))
    p = 1 if padding == "same" else padding
    rows = (28 + 2 * p - 3) // stride + 1
    print(f"padding {padding!s:<4} stride {stride}: {out.shape[1]} rows, by formula {rows}")
    assert out.shape[1] == rows

# %% [markdown]
# ## 4. Shifted image, shifted map
#
# The same filter everywhere has a consequence: if the image moves, the map moves along. This is
# called **equivariance**. A bag is a bag wherever it lies, and need not be learned anew at each
# place.

# %%
image = np.zeros((1, 20, 20, 1), np.float32)
image[0, 4:9, 4:9, 0] = 1
moved = np.roll(image, (3, 5), axis=(1, 2))
first, second = convolution(image).data, convolution(moved).data
same = np.allclose(np.roll(first, (3, 5), axis=(1, 2)), second, atol=1e-6)
print("the map moves with the image:", same)
assert same

# %% [markdown]
# ## 5. Pooling, and what a unit sees
#
# **Max pooling** keeps the largest of every 2 by 2 numbers. The map is halved in both directions,
# and the next filter sees twice as far. How far does a unit see? Its **receptive field** is the set
# of pixels that can change it. Gradients tell: take one number of the last map, go back, and see
# which pixels get any gradient.

# %%
looks = {
    "one 3x3": [nn.Conv2D(1, 4, 3, padding="same")],
    "two 3x3": [nn.Conv2D(1, 4, 3, padding="same"), nn.Conv2D(4, 4, 3, padding="same")],
    "3x3, pool, 3x3": [
        nn.Conv2D(1, 4, 3, padding="same"),
        nn.AvgPool2D(2),
        nn.Conv2D(4, 4, 3, padding="same"),
    ],
}
for name, layers in looks.items():
    picture = pellucid.Tensor(np.zeros((1, 28, 28, 1), np.float32), requires_grad=True)
    out = nn.Sequential(*layers, rng=0)(picture)
    out[0, out.shape[1] // 2, out.shape[2] // 2].sum().backward()
    seen = np.argwhere(picture.grad[0, :, :, 0] != 0)
    height, width = seen.max(axis=0) - seen.min(axis=0) + 1
    print(f"{name:<15} a unit sees {height} by {width} pixels")

# %% [markdown]
# (The mean takes the place of the maximum here, because the maximum passes its gradient to the
# winner only.)
#
# ## 6. Train both
#
# Two convolutions with pooling, then one dense layer; against a dense network with one hidden
# layer.


# %%
def convolutional(seed=0):
    """Return conv 8, pool, conv 16, pool, dense."""
    return nn.Sequential(
        nn.Conv2D(1, 8, 3, padding="same", activation="relu"),
        nn.MaxPool2D(2),
        nn.Conv2D(8, 16, 3, padding="same", activation="relu"),
        nn.MaxPool2D(2),
        nn.Flatten(),
        nn.Dense(16 * (side // 4) ** 2, 10),
        rng=seed,
    )


def dense(seed=0):
    """Return the dense network with one hidden layer."""
    return nn.Sequential(
        nn.Flatten(), nn.Dense(side * side, 128, "relu"), nn.Dense(128, 10), rng=seed
    )


def learn(network, images=x, labels=y, epochs=5):
    """Train a network; return the model, its history and the seconds it took."""
    model = train.Model(network, "cross_entropy", optim.Adam(3e-3), ["accuracy"])
    start = time.perf_counter()
    history = model.fit(
        images, labels, epochs=size(epochs, 2), batch_size=64, seed=0, verbose=False
    )
    return model, history, time.perf_counter() - start


models, accuracy = {}, {}
print(f"{'':<14} parameters  test accuracy  seconds, on the machine that ran this")
for name, network in (("dense", dense()), ("convolutional", convolutional())):
    models[name], _, seconds = learn(network)
    accuracy[name] = models[name].evaluate(test_x, test_y)["accuracy"]
    count = sum(p.size for p in network.parameters())
    print(f"{name:<14} {count:>10,}  {accuracy[name]:>13.4f}  {seconds:>7.1f}")

# %%
print(models["convolutional"].summary())

# %% [markdown]
# The convolutional network has a tenth of the parameters. It takes longer all the same: every
# weight is used at every place. The column of FLOPs, operations with numbers, shows it.
#
# ## 7. Take the neighbourhood away
#
# Is it the neighbours that count? An experiment. Every image gets its pixels in another order, the
# same order for all images. For a dense network nothing changes but chance: it never knew the
# order. For the convolution there is no neighbourhood left.

# %%
order = np.random.default_rng(0).permutation(side * side)


def scrambled(images):
    """Return images with their pixels in another order, the same for all."""
    return images.reshape(len(images), -1)[:, order].reshape(images.shape)


lost = {}
for name, network in (("dense", dense()), ("convolutional", convolutional())):
    model, _, _ = learn(network, scrambled(x))
    found = model.evaluate(scrambled(test_x), test_y)["accuracy"]
    lost[name] = accuracy[name] - found
    print(f"{name:<14} ordered {accuracy[name]:.4f}, scrambled {found:.4f}: {lost[name]:+.4f} lost")

# %% [markdown]
# ## 8. What it has found
#
# The eight filters of the first layer (yellow weights are positive, blue ones negative), and what
# they make of one image:

# %%
best = models["convolutional"]
viz.weight_images(best.network[0].weight.data)

# %%
with nn.capture(best.network, ["layers.0", "layers.2"]) as outputs:
    best.network.eval()(test_x[:1])
viz.feature_maps(outputs["layers.0"].data, test_x[0])

# %%
viz.feature_maps(outputs["layers.2"].data, test_x[0])

# %% [markdown]
# Some filters answer to edges of one direction, some to areas, some hardly at all. In the second
# layer the maps are coarser, and say of larger pieces what is there.

# %%
chances = best.predict_proba(test_x)
viz.confusion_matrix(test_y, chances.argmax(axis=1), test.class_names)

# %% [markdown]
# The mistakes are those that people would make, too: T-shirts, shirts, pullovers and coats are
# taken for each other.

# %%
viz.predictions(test_x, test_y, chances, test.class_names, count=12)

# %% [markdown]
# ## 9. More images for nothing
#
# A bag that is moved by a pixel, or mirrored, is still a bag. **Augmentation** draws such a change
# anew for every image in every epoch, so that the network sees each of them in many forms. Here
# with few images, where it helps most. (Of digits, mirroring would make other characters: what may
# be changed depends on the task.)

# %%
rows = size(1000, 300)
changes = data.RandomShift(2)
if "fashion" in images.name:
    changes = data.Compose([data.RandomShift(1), data.RandomFlip()])
for name, transform in (("as they are", None), ("augmented", changes)):
    loader = data.Loader((x[:rows], y[:rows]), batch_size=64, transform=transform, seed=0)
    model = train.Model(convolutional(), "cross_entropy", optim.Adam(3e-3), ["accuracy"])
    history = model.fit(loader, epochs=size(25, 3), seed=0, verbose=False)
    scores = model.evaluate(test_x, test_y)
    print(f"{name:<12} training accuracy {history['accuracy'][-1]:.3f}, "
          f"test accuracy {scores['accuracy']:.3f}, test loss {scores['loss']:.3f}")  # fmt: skip

# %% [markdown]
# Without augmentation the few images are learned by heart. With it the training accuracy stays
# nearer to that of the test. The test accuracy is the same but for chance; the test loss is lower:
# the network is less sure of its mistakes.
#
# ## What to remember
#
# - A convolution uses the same small filter at every place: few weights, and what is learned at one
#   place holds at all.
# - $k \cdot k \cdot C \cdot F + F$ parameters; $\lfloor (H + 2p - k)/s \rfloor + 1$ rows.
# - Pooling halves the map, and lets later filters see further.
# - It works because neighbours belong together. Scramble the pixels and the advantage is gone.
# - Augmentation tells the network which changes do not matter.
#
# To read on: [convolution and pooling](../docs/api/nn_convolution.md), [loading and changing
# images](../docs/guides/own_data.md), [pictures of what a network does](../docs/pictures.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** An image of 64 by 64 pixels with 3 channels goes through
# `Conv2D(3, 16, 5, stride=2)` and then `MaxPool2D(2)`. Compute `shape`, (rows, columns, channels),
# and `parameters`.

# %% tags=["solution", "hide-input"]
# Solution 1
rows = (64 - 5) // 2 + 1  # 30
shape = (rows // 2, rows // 2, 16)
parameters = 5 * 5 * 3 * 16 + 16
print(shape, parameters)

# %% tags=["check"]
# Check 1
network = nn.Sequential(nn.Conv2D(3, 16, 5, stride=2), nn.MaxPool2D(2), rng=0)
expected = network(np.zeros((1, 64, 64, 3), np.float32)).shape[1:]
assert tuple(shape) == expected, f"expected {expected}, got {shape}"
assert parameters == sum(p.size for p in network.parameters())
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Write a 3 by 3 filter `blur`, an array of NumPy, that replaces each pixel by the
# mean of its neighbourhood, itself included.

# %% tags=["solution", "hide-input"]
# Solution 2
blur = np.full((3, 3), 1 / 9)

# %% tags=["check"]
# Check 2
picture = test_x[0, :, :, 0]
expected = nn.AvgPool2D(3, stride=1)(picture[None, :, :, None]).data[0, :, :, 0]
got = convolve(picture, blur)
assert np.allclose(got, expected, atol=1e-5), "expected the means of 3 by 3 pixels"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** How far sees a unit after $n$ convolutions of 3 by 3 without pooling? Write
# `sees(n)`, the side of its receptive field in pixels.


# %% tags=["solution", "hide-input"]
# Solution 3
def sees(n):
    """Return 1 + 2 n: each layer adds a pixel on each side."""
    return 1 + 2 * n


# %% tags=["check"]
# Check 3
for n in (1, 3, 5):
    picture = pellucid.Tensor(np.zeros((1, 28, 28, 1), np.float32), requires_grad=True)
    stack = nn.Sequential(*(nn.Conv2D(1, 1, 3, padding="same") for _ in range(n)), rng=1)
    stack(picture)[0, 14, 14].sum().backward()
    reached = np.argwhere(picture.grad[0, :, :, 0] != 0)
    expected = np.ptp(reached[:, 0]) + 1
    assert sees(n) == expected, f"{n} layers: expected {expected}, got {sees(n)}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [15 Sequences and attention](15_sequences_and_attention.ipynb)
