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
# # 09 Gradient descent and optimisers
#
# The [loss](08_losses.ipynb) is a landscape over the weights, and training is a walk down. With two
# weights the landscape can be drawn, and the walk with it. We see why plain steps against the
# gradient are slow in narrow valleys, and what the famous optimisers do about it, each in one or
# two formulas.

# %%
import io
import os

import numpy as np
from IPython.display import Image as Film
from PIL import Image

from pellucid import Tensor, data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## A valley
#
# The simplest landscape that is not too simple: a bowl that is twenty times as steep in one
# direction as in the other.
#
# $$L(x, y) = \tfrac12 (x^2 + 20 y^2)$$
#
# In words: half of x squared, and ten times y squared. The lowest point is (0, 0). Its gradient is
# (x, 20 y); we let the library find it. `descend` walks, with any optimiser, and keeps the places.


# %%
def valley(x, y):
    return 0.5 * (x * x + 20.0 * y * y)


def descend(optimizer, surface, start, steps):
    """Return the places of a walk, (steps + 1, 2)."""
    w = Tensor(np.array(start), requires_grad=True)  # float64
    places = [w.data.copy()]
    for _ in range(steps):
        w.grad = None
        surface(w[0], w[1]).backward()
        optimizer.step([w])
        places.append(w.data.copy())
    return np.array(places)


def draw_surface(ax, surface, limits, levels=14):
    """Draw the level lines of a surface: places of one height; darker is higher."""
    left, right, low, high = limits
    x, y = np.meshgrid(np.linspace(left, right, 160), np.linspace(low, high, 160))
    height = surface(x, y)
    steps = height.min() + (height.max() - height.min()) * np.linspace(0, 1, levels) ** 2.5
    style.dress(ax, "x", "y", grid=False)
    _ = ax.contourf(x, y, height, levels=steps, cmap=style.blues(), alpha=0.7)
    _ = ax.contour(x, y, height, levels=steps, colors=style.INK, linewidths=0.3, alpha=0.5)
    _ = ax.set(xlim=(left, right), ylim=(low, high))


def draw_path(ax, places, colour, marker="o"):
    """Draw a walk and return it, for a legend."""
    (line,) = ax.plot(*places.T, color=colour, marker=marker, markersize=3, linewidth=1.2)
    return line


# %% [markdown]
# ## Gradient descent
#
# $$w \leftarrow w - \eta\, g$$
#
# In words: the new place is the old place less the learning rate $\eta$ times the gradient. Three
# rates from the same start: too small, good, and almost as large as can be.

# %%
figure, axes = style.panels(None, 1, 3, 8.0, 2.9)
for ax, rate in zip(axes, (0.01, 0.06, 0.098), strict=True):
    places = descend(optim.SGD(rate), valley, (-4.0, 1.0), 30)
    draw_surface(ax, valley, (-4.5, 1.5, -1.5, 1.5))
    _ = draw_path(ax, places, style.VERMILLION)
    _ = ax.set_xlabel(f"rate {rate}")
    print(f"rate {rate:<6} height after 30 steps {valley(*places[-1]):.4f}")
figure

# %% [markdown]
# The gradient points across the valley, not along it. A rate that is safe for the steep direction
# is slow in the flat one; a larger one makes the walk jump from wall to wall.
#
# ## How large may the rate be?
#
# In a direction of bend a (the slope of the slope, here 1 and 20), one step multiplies the distance
# from the bottom by $1 - \eta a$, since the gradient is a times this distance. The factor must lie
# between -1 and 1, so $\eta < 2 / a$ for the *steepest* direction: here $\eta < 0.1$. At the same
# time the *flattest* one shrinks only by $1 - \eta$ a step.

# %%
for rate in (0.099, 0.1, 0.101):
    places = descend(optim.SGD(rate), valley, (-4.0, 1.0), 100)
    y, expected = abs(places[-1, 1]), abs(1 - 20 * rate) ** 100
    print(f"rate {rate}: |y| after 100 steps {y:.4f}, expected {expected:.4f}")
    assert np.isclose(y, expected)

# %% [markdown]
# The best fixed rate treats both alike: $\eta = 2 / (1 + 20)$ makes the factors $1 - \eta$ and
# $20 \eta - 1$ equal. Even then a step takes off only a tenth. The ratio of the bends, here 20, is
# the **condition number**.

# %%
best = 2 / (1 + 20)
for rate in (0.05, best):
    places = descend(optim.SGD(rate), valley, (-4.0, 1.0), 40)
    distance = np.linalg.norm(places, axis=1)
    print(
        f"rate {rate:.4f}: distance times {(distance[40] / distance[20]) ** (1 / 20):.4f} each step"
    )
print(f"the best possible: (20 - 1) / (20 + 1) = {19 / 21:.4f}")

# %% [markdown]
# It need not be the network's fault. Two inputs of different size are enough: here an age in years
# and an income in thousands. For a linear model with squared error the bends along the valley's own
# axes are the eigenvalues of the matrix $2 X^T X / n$, with the n examples as rows of X; NumPy
# finds them. Subtracting the mean of each input and dividing by its deviation makes them nearly
# equal, before any optimiser is chosen.

# %%
rng = np.random.default_rng(0)
table = np.stack([rng.normal(45, 12, 500), rng.normal(60, 25, 500)], axis=1)
scaled = data.Standardizer().fit(table).transform(table)
for name, x in (("as they come", table), ("scaled", scaled)):
    with_bias = np.column_stack([x, np.ones(len(x))])
    bends = np.linalg.eigvalsh(2 * with_bias.T @ with_bias / len(x))
    shown = ", ".join(f"{bend:,.2f}" for bend in bends)
    print(f"{name:<13} bends {shown}; condition number {bends[-1] / bends[0]:,.1f}")

# %% [markdown]
# What scaling leaves over is the business of the optimisers.
#
# ## Momentum: a ball that rolls
#
# $$v \leftarrow \mu v + g \qquad w \leftarrow w - \eta v$$
#
# In words: keep a share $\mu$ of the last speed, add the gradient, and move with the speed. What
# points back and forth cancels; what points the same way adds up, to $1 / (1 - \mu)$ times as much.
# **Nesterov**'s form looks ahead: it moves by $\eta (g + \mu v)$, the gradient plus what is kept of
# the new speed, and swings less.

# %%
WALKS = {
    "gradient descent": (optim.SGD(0.05), style.INK, "o"),
    "momentum": (optim.Momentum(0.03, momentum=0.8), style.VERMILLION, "s"),
    "Nesterov": (optim.Nesterov(0.03, momentum=0.8), style.ORANGE, "^"),
}
figure, [ax] = style.panels(None, 1, 1, 6.6, 3.6)
draw_surface(ax, valley, (-4.5, 1.5, -1.5, 1.5))
entries = []
for name, (optimizer, colour, marker) in WALKS.items():
    places = descend(optimizer, valley, (-4.0, 1.0), 40)
    entries.append((name, draw_path(ax, places, colour, marker)))
    print(f"{name:<17} height after 40 steps {valley(*places[-1]):.2e}")
style.legend_above(ax, entries, columns=3)
figure

# %% [markdown]
# ## A rate for each weight
#
# Another idea: let steep directions take shorter steps. **Adagrad** adds up the squares of all
# gradients of a weight and divides by the root of the sum; **RMSprop** forgets old ones:
#
# $$s \leftarrow \rho s + (1 - \rho) g^2 \qquad w \leftarrow w - \eta \frac{g}{\sqrt s + \epsilon}$$
#
# In words: s is about the usual square of the gradient, and each weight moves by about $\eta$,
# whatever the size of its gradients. $\rho$ says how slowly it forgets, and the tiny $\epsilon$
# keeps a division by 0 away. **Adam** does this with a running mean of the gradient in place of the
# gradient:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) g \qquad s \leftarrow \beta_2 s + (1 - \beta_2) g^2$$
#
# $$w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat s} + \epsilon}$$
#
# In words: m is about the usual gradient, s about its usual square, and the step is their ratio. m
# and s begin at 0 and are too small at first; the hats stand for $\hat m = m / (1 - \beta_1^t)$ and
# $\hat s = s / (1 - \beta_2^t)$, which correct this in step t. Here is Adam in NumPy, beside the
# library's.


# %%
def adam_by_hand(start, steps, rate=0.3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Return the places of a walk with Adam on the valley."""
    w, m, s = np.array(start), np.zeros(2), np.zeros(2)
    places = [w]
    for t in range(1, steps + 1):
        g = np.array([w[0], 20 * w[1]])
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        w = w - rate * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)
        places.append(w)
    return np.array(places)


ours = adam_by_hand((-4.0, 1.0), 40)
theirs = descend(optim.Adam(0.3), valley, (-4.0, 1.0), 40)
print(f"largest difference in 40 steps: {np.abs(ours - theirs).max():.0e}")
print("the first step:", (ours[1] - ours[0]).round(6), "although the gradients were", [-4.0, 20.0])
assert np.allclose(ours, theirs)

# %% [markdown]
# The first step of Adam has the length of the rate in every direction, against the sign of the
# gradient: steep or flat makes no difference.
#
# ## A race
#
# A harder landscape: a bent valley, named after Rosenbrock. Its floor follows $y = x^2$ and falls
# gently to the lowest point (1, 1). Finding the valley is easy, following it is not.
#
# $$L(x, y) = (1 - x)^2 + 10\,(y - x^2)^2$$
#
# In words: the square of how far x is from 1, and ten times the square of how far y is from x
# squared.


# %%
def bent(x, y):
    return (1.0 - x) ** 2 + 10.0 * (y - x * x) ** 2


START, STEPS = (-1.4, 1.6), 200
RACERS = {
    "gradient descent": (optim.SGD(0.008), style.INK, "-"),
    "momentum": (optim.Momentum(0.004, momentum=0.9), style.VERMILLION, "--"),
    "RMSprop": (optim.RMSprop(0.03), style.GREEN, "-."),
    "Adam": (optim.Adam(0.1), style.ORANGE, "-"),
}
paths = {name: descend(optimizer, bent, START, STEPS) for name, (optimizer, _, _) in RACERS.items()}

figure, [left, right] = style.panels(None, 1, 2, 8.0, 3.6)
draw_surface(left, bent, (-2.0, 2.0, -1.0, 3.0))
_ = left.plot(1, 1, "*", color="white", markeredgecolor=style.INK, markersize=13)
style.dress(right, "step", "height")
entries = []
for name, (_, colour, dashes) in RACERS.items():
    (line,) = left.plot(*paths[name].T, color=colour, linestyle=dashes, linewidth=1.6)
    heights = np.maximum([bent(*place) for place in paths[name]], 1e-12)
    (course,) = right.semilogy(heights, color=colour, linestyle=dashes)
    entries.append((name, course))
style.legend_above(figure, entries, columns=4)
figure

# %% [markdown]
# The same as a film: each racer is a point, and draws its path behind it.


# %%
def frame(step):
    """Return the picture of the race after some steps."""
    figure, [ax] = style.panels(None, 1, 1, 4.8, 4.0)
    draw_surface(ax, bent, (-2.0, 2.0, -1.0, 3.0), levels=10)
    _ = ax.plot(1, 1, "*", color="white", markeredgecolor=style.INK, markersize=13)
    entries = []
    for (name, (_, colour, _)), marker in zip(RACERS.items(), "os^D", strict=True):
        walked = paths[name][: step + 1]
        _ = ax.plot(*walked.T, color=colour, linewidth=1.2)
        (head,) = ax.plot(*walked[-1], marker, color=colour, markeredgecolor="white", markersize=8)
        entries.append((name, head))
    style.legend_above(ax, entries, columns=2)
    _ = ax.set_xlabel(f"step {step}")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return Image.open(content).convert("RGB")


moments = sorted({round(t) for t in np.linspace(0, 1, size(40, 4)) ** 1.6 * STEPS})
pictures = [frame(step) for step in moments]
palette = pictures[-1].quantize(128)  # one for all: then only what changes is stored
first, *rest = [picture.quantize(palette=palette, dither=0) for picture in pictures]
gif = io.BytesIO()
first.save(gif, "GIF", save_all=True, append_images=rest, duration=150, loop=0)
print(f"{len(moments)} pictures")
Film(data=gif.getvalue(), format="gif")

# %% [markdown]
# No racer is best everywhere. Rates were chosen by hand for this landscape, one for each; with
# others the order changes. Measure before you believe a ranking (*beyond*: the walk left all
# bounds):

# %%
print("height after 200 steps, by rate")
KINDS = {
    "gradient descent": optim.SGD,
    "momentum": optim.Momentum,
    "RMSprop": optim.RMSprop,
    "Adam": optim.Adam,
}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
print(f"{'':<17}" + "".join(f"{rate:>9}" for rate in RATES))
for name, kind in KINDS.items():
    cells = []
    for rate in RATES:
        with np.errstate(all="ignore"):
            height = bent(*descend(kind(rate), bent, START, STEPS)[-1])
        cells.append(f"{height:9.1e}" if np.isfinite(height) else "   beyond")
    print(f"{name:<17}" + "".join(cells))

# %% [markdown]
# ## A saddle
#
# A place where the gradient is 0 need not be a bottom. At a **saddle** the landscape goes down in
# one direction and up in another, and with many weights saddles are common (Dauphin et al., 2014).
# $L = x^2 - y^2 + y^4 / 4$, x squared, less y squared, plus a quarter of y to the fourth, has one
# at (0, 0), between two valleys. Started almost on the ridge, gradient descent lingers; a rate for
# each weight leaves early, since it does not care that the gradient is tiny.


# %%
def saddle(x, y):
    return x * x - y * y + 0.25 * y**4


print("steps until |y| > 1:")
for name, optimizer in (
    ("gradient descent", optim.SGD(0.05)),
    ("momentum", optim.Momentum(0.05, momentum=0.9)),
    ("Adam", optim.Adam(0.05)),
):
    places = descend(optimizer, saddle, (1.0, 1e-4), 200)
    print(f"{name:<17}{int(np.argmax(np.abs(places[:, 1]) > 1))}")

# %% [markdown]
# ## Noise: mini-batches
#
# The loss of a real problem is a mean over thousands of examples. The mean over a few, a
# **mini-batch**, costs a fraction and points about the same way. Here a line is fitted, so that the
# landscape has two axes again: slope and shift. First: how well do gradients of a few examples
# agree with that of all 512? (1 is the same direction, 0 a right angle.)

# %%
rng = np.random.default_rng(0)
x = rng.normal(size=512)
y = 1.5 * x - 0.5 + rng.normal(0, 0.7, size=512)


def gradient_of(w, chosen):
    """Set the gradient of w, (slope, shift), from some of the examples, and return it."""
    w.grad = None
    ((w[0] * x[chosen] + w[1] - y[chosen]) ** 2).mean().backward()
    return w.grad


w = Tensor(np.array([-1.0, 1.5]), requires_grad=True)
whole = gradient_of(w, np.arange(512))
for count in (1, 4, 32, 128):
    parts = [gradient_of(w, rng.choice(512, count, replace=False)) for _ in range(200)]
    cosines = [g @ whole / np.linalg.norm(g) / np.linalg.norm(whole) for g in parts]
    print(f"{count:3d} examples: cosine {np.mean(cosines):.2f} on average")

# %% [markdown]
# Four examples give a useful direction for a hundredth of the work. Now three walks. One uses all
# examples for each step, the others 4 drawn at random, once with a fixed rate and once with one
# that falls: $0.1 / (1 + 0.05\, t)$ in step $t$ (`InverseTime`).


# %%
def height(slope, shift):
    """The mean squared error over all examples, from means that are computed once."""
    return (
        (y * y).mean()
        + slope**2 * (x * x).mean()
        + shift**2
        - 2 * slope * (x * y).mean()
        - 2 * shift * y.mean()
        + 2 * slope * shift * x.mean()
    )


def fit_line(optimizer, batch, steps, seed=0):
    """Return the places of a walk that looks at some examples in each step."""
    rng = np.random.default_rng(seed)
    w = Tensor(np.array([-1.0, 1.5]), requires_grad=True)
    places = [w.data.copy()]
    for _ in range(steps):
        gradient_of(w, rng.choice(512, batch, replace=False))
        optimizer.step([w])
        places.append(w.data.copy())
    return np.array(places)


walks = {
    "all 512": fit_line(optim.SGD(0.1), 512, 150),
    "4 at a time": fit_line(optim.SGD(0.1), 4, 150),
    "4, falling rate": fit_line(optim.SGD(optim.schedules.InverseTime(0.1, 0.05)), 4, 150),
}
exact = np.polyfit(x, y, 1)
figure, axes = style.panels(None, 1, 3, 8.0, 3.0)
for ax, (name, places) in zip(axes, walks.items(), strict=True):
    draw_surface(ax, height, (-1.3, 2.8, -1.6, 1.8))
    _ = draw_path(ax, places, style.VERMILLION)
    _ = ax.plot(*exact, "*", color="white", markeredgecolor=style.INK, markersize=12)
    _ = ax.set_xlabel(name)
    _ = ax.set_ylabel("")
    wander = np.linalg.norm(places[-50:] - exact, axis=1).mean()
    print(f"{name:<16} mean distance from the best line in the last 50 steps {wander:.3f}")
figure

# %% [markdown]
# With a fixed rate the noisy walk never settles. A falling rate lets it. Rates as functions of the
# step are called **schedules**; they can be combined. A common one rises for a while (warm-up), so
# that the first, wild gradients do no harm, and then falls along a cosine.

# %%
schedule = optim.schedules.WarmUp(100, optim.schedules.Cosine(1e-3, 900))
print([f"step {t}: {schedule(t):.6f}" for t in (1, 50, 100, 500, 1000)])
viz.learning_rate(schedule, 1000)

# %% [markdown]
# ## On a network
#
# The same optimisers on a network of 9,610 weights and biases, and images of digits: the loss epoch
# by epoch. The landscape cannot be drawn any more, but here, too, momentum and a rate for each
# weight pay off. An **epoch** is once through all examples. The rates are again chosen by hand.

# %%
digits = data.split(data.digits(), test=0.2, seed=0)
epochs = size(15, 2)
figure, [ax] = style.panels(None, 1, 1, 6.6, 3.6)
style.dress(ax, "epoch", "training loss")
entries = []
for (name, optimizer), colour, dashes in zip(
    {
        "gradient descent": optim.SGD(0.05),
        "momentum": optim.Momentum(0.05),
        "RMSprop": optim.RMSprop(0.001),
        "Adam": optim.Adam(0.002),
    }.items(),
    (style.INK, style.VERMILLION, style.GREEN, style.ORANGE),
    ("-", "--", "-.", ":"),
    strict=True,
):
    network = nn.Sequential(nn.Dense(64, 128, "relu"), nn.Dense(128, 10), rng=0)
    model = train.Model(network, "cross_entropy", optimizer, metrics=["accuracy"])
    history = model.fit(digits.train.x, digits.train.y, epochs=epochs, seed=0, verbose=False)
    score = model.evaluate(digits.test.x, digits.test.y)["accuracy"]
    print(f"{name:<17} loss {history['loss'][-1]:.4f}, right on new digits {score:.1%}")
    (line,) = ax.semilogy(range(1, epochs + 1), history["loss"], color=colour, linestyle=dashes)
    entries.append((name, line))
style.legend_above(ax, entries, columns=4)
figure

# %% [markdown]
# ## What to remember
#
# - The rate must be below 2 over the largest bend; the flattest direction then decides how long it
#   takes.
# - Momentum averages gradients over time: across the valley they cancel, along it they add up.
# - Adagrad, RMSprop and Adam divide by the usual size of the gradient: a rate for each weight.
# - Mini-batches are noisy and cheap; a falling rate lets the walk settle.
# - No optimiser is best everywhere, and none is good with a bad rate.
#
# To read on: [an optimiser of your own](../docs/guides/own_optimiser.md), [all optimisers and
# schedules](../docs/api/optim.md), [how to tune a network](../docs/guides/tune.md).
#
# ## Exercises
#
# **Exercise 1.** Up to which rate, `limit`, does gradient descent come to rest on
# $L = 3 x^2 + y^2$?

# %% tags=["solution", "hide-input"]
# Solution 1: the gradient is (6 x, 2 y); the larger bend is 6
limit = 2 / 6

# %% tags=["check"]
# Check 1: a little below it converges, a little above it does not
for rate, converges in ((0.99 * limit, True), (1.01 * limit, False)):
    end = descend(optim.SGD(rate), lambda x, y: 3 * x * x + y * y, (1.0, 1.0), 300)[-1]
    assert (np.abs(end).max() < 1) == converges, f"at a rate of {rate:.4f} the walk ends at {end}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** The gradient of a weight is 5 in every step. How far has momentum with $\mu = 0.9$
# and $\eta = 0.01$ moved it after three steps (`after_three`)? How far does it move in one step,
# after very many of them (`in_the_end`)? Distances, without a sign.

# %% tags=["solution", "hide-input"]
# Solution 2: v is 5, then 0.9 * 5 + 5 = 9.5, then 0.9 * 9.5 + 5 = 13.55; in the end 5 / (1 - 0.9)
after_three, in_the_end = 0.01 * (5 + 9.5 + 13.55), 0.01 * 50

# %% tags=["check"]
# Check 2: the library's momentum on the slope L = 5 x
places = descend(optim.Momentum(0.01, momentum=0.9), lambda x, y: 5 * x + 0 * y, (0.0, 0.0), 300)
assert np.isclose(after_three, -places[3, 0]), f"expected {-places[3, 0]:.4f}, got {after_three}"
last = places[-2, 0] - places[-1, 0]
assert np.isclose(in_the_end, last), f"expected {last:.4f}, got {in_the_end}"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** Write an optimiser of your own, `SignDescent`: it moves each weight by the rate,
# against the *sign* of its gradient. It is a subclass of `optim.Optimizer` with
# `update(self, param, grad, state, step)`, which is given a parameter, its gradient, its state and
# the number of the step, and returns the new parameter and the new state (here the old one).
# `self.rate()` is the rate of this step, and `np.sign` the sign. The check lets it walk down the
# valley with a rate that falls.


# %% tags=["solution", "hide-input"]
# Solution 3
class SignDescent(optim.Optimizer):
    """w <- w - lr * sign(g)."""

    def update(self, param, grad, state, step):
        return param - self.rate() * np.sign(grad), state


# %% tags=["check"]
# Check 3: single steps by hand, and it arrives
places = descend(SignDescent(0.5), valley, (-4.0, 1.0), 2)
assert np.allclose(places, [[-4, 1], [-3.5, 0.5], [-3, 0]]), f"got the steps {places.tolist()}"
falling = optim.schedules.Exponential(0.5, 0.95)
end = descend(SignDescent(falling), valley, (-4.0, 1.0), 150)[-1]
assert valley(*end) < 1e-3, f"it ends at {end}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [10 Initialisation and vanishing gradients](10_initialisation.ipynb)
