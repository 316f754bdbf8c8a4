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
# # 15 Sequences and attention: names and a small GPT
#
# A text is a sequence, and a language model answers one question about it: *which character comes
# next?* This notebook begins with counting, goes on to a recurrent network that invents names, and
# ends with attention and a small GPT that writes in the manner of Shakespeare. [Notebook
# 14](14_convolution.ipynb) came before: weights that are used at every place. Here they are used at
# every step.

# %%
import inspect
import os
import time
from math import exp, log, sqrt

import numpy as np

import pellucid
from pellucid import data, nn, optim, train, viz
from pellucid.figures import style


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


# %% [markdown]
# ## 1. Names, as numbers
#
# 32,033 first names. We write them one below the other, so that the line end marks where a name
# begins and ends. A network takes numbers: each character gets one.

# %%
try:
    names = data.names()
except (OSError, data.DownloadError) as problem:
    print(f"The names are not here ({type(problem).__name__}); words of this library stand in.")
    words = {w for m in (pellucid, nn, data, train, optim) for w in dir(m) if w.isalpha()}
    names = sorted({word.lower() for word in words if len(word) > 2})
order = np.random.default_rng(0).permutation(len(names))[: size(len(names), 2500)]
cut = len(order) // 10  # a tenth is held back
held, learned = ([names[i] for i in part] for part in (order[:cut], order[cut:]))
text, held_text = ("\n" + "\n".join(part) + "\n" for part in (learned, held))
vocabulary = data.CharVocabulary(text + held_text)
print(len(learned), "names to learn from, such as", ", ".join(learned[:5]))
print(len(vocabulary), "characters; 'anna' is", vocabulary.encode("anna"))

# %% [markdown]
# ## 2. Counting pairs
#
# The simplest model: how often does character $b$ follow character $a$? The share is an estimate of
# the probability $p(b \mid a)$, that of $b$ where $a$ is known. To judge it, we take names that
# were held back and compute the mean of $-\ln p$ of what really came next: the **cross-entropy** of
# [notebook 08](08_losses.ipynb). $e$ to its power, the **perplexity**, reads as "as unsure as
# between so many equally likely characters".

# %%
codes, held_codes = vocabulary.encode(text), vocabulary.encode(held_text)
V = len(vocabulary)
counts = np.ones((V, V))  # one of each pair to begin with, so that none has probability 0
np.add.at(counts, (codes[:-1], codes[1:]), 1)
follows = counts / counts.sum(axis=1, keepdims=True)  # row a: p(b | a)
pair_loss = -np.log(follows[held_codes[:-1], held_codes[1:]]).mean()
print(f"blind guessing: {log(V):.3f}, perplexity {V}")
print(f"pairs:          {pair_loss:.3f}, perplexity {exp(pair_loss):.1f}")
likeliest = follows[vocabulary.encode("q")[0]].argmax() if "q" in vocabulary.characters else 0
print("after q most often comes", repr(vocabulary.characters[likeliest]))


# %%
def draw_pairs(rng):
    """Invent a name: draw the next character until a line end comes."""
    line_end = vocabulary.encode("\n")[0]
    name = [line_end]
    while len(name) == 1 or (name[-1] != line_end and len(name) < 20):
        name.append(rng.choice(V, p=follows[name[-1]]))
    return vocabulary.decode(name).strip()


rng = np.random.default_rng(1)
print(", ".join(draw_pairs(rng) for _ in range(10)))

# %% [markdown]
# Not quite names. A model that sees one character only does not know how long the name is already,
# or what came before.
#
# ## 3. A state that remembers
#
# A **recurrent** network reads one character after the other and keeps a *state* $h$, a vector of
# numbers. At every step the new state is made of the old one and of the character's vector $x_t$:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b).$$
#
# In words: what I know now is a mixture of what I see and of what I knew. The same weights serve
# every step. By hand, for three steps:

# %%
rnn = nn.RNN(4, 5, rng=0)
steps = np.random.default_rng(0).normal(size=(1, 3, 4)).astype(np.float32)  # (N, T, F)
w, u, b = (p.data for p in rnn.parameters())
h = np.zeros(5)
for t in range(3):
    h = np.tanh(steps[0, t] @ w + h @ u + b)
print("by hand:  ", h.round(4))
print("the layer:", rnn(steps).data[0, -1].round(4))
assert np.allclose(h, rnn(steps).data[0, -1], atol=1e-5)

# %% [markdown]
# The gradient goes back through all steps and is multiplied by $U$ and a slope at each: it can
# vanish, as in the deep networks of [notebook 10](10_initialisation.ipynb). The **GRU** (Cho et
# al., 2014) has *gates*, numbers between 0 and 1, that decide for each part of the state how much
# of it is kept:
#
# $$h_t = z \odot h_{t-1} + (1 - z) \odot \tilde h_t.$$
#
# In words: the new state is the old one times $z$, and a proposal $\tilde h_t$ times $1 - z$,
# number by number ($\odot$). The proposal is made nearly as the state was above, and the gates are
# computed from the same two, with weights of their own. Where a gate is 1, the state passes
# unchanged, and so does its gradient. How much of the gradient at the last step is left ten and
# thirty steps before?

# %%
long = np.random.default_rng(0).normal(size=(16, 60, 8)).astype(np.float32)
reach = {}
for name, layer in (("RNN", nn.RNN(8, 32, rng=0)), ("GRU", nn.GRU(8, 32, rng=0))):
    weights = layer.cells[0].recurrent_weight
    weights.data = 0.5 * weights.data  # a network that forgets a little
    given = pellucid.Tensor(long, requires_grad=True)
    layer(given)[:, -1].sum().backward()
    reach[name] = np.sqrt((given.grad.astype(float) ** 2).mean(axis=(0, 2)))  # (T,)
    print(f"{name}: {reach[name][-10] / reach[name][-1]:.1e} of it is left after ten steps, "
          f"{reach[name][-30] / reach[name][-1]:.1e} after thirty")  # fmt: skip

# %%
figure, [ax] = style.panels(None, 1, 1, 6.2, 3.2)
style.dress(ax, "steps back", "size of the gradient")
back = np.arange(40)
(one,) = ax.plot(back, reach["RNN"][::-1][:40], "--", color=style.VERMILLION)
(two,) = ax.plot(back, reach["GRU"][::-1][:40], "-", color=style.BLUE)
ax.set_yscale("log")
style.legend_above(ax, [("RNN", one), ("GRU", two)], columns=2)
figure

# %% [markdown]
# ## 4. A GRU that invents names
#
# The GRU's gradient fades as well, but far more slowly. Now let it learn. An **embedding** gives
# each character a vector, which is learned. The GRU reads them; a dense layer turns every state
# into a score for each possible next character. Training takes windows of 16 characters, and for
# each place of a window the character that follows.

# %%
windows = data.text(text, 16, step=16, vocabulary=vocabulary)
held_windows = data.text(held_text, 16, step=16, vocabulary=vocabulary)
reader = nn.Sequential(nn.Embedding(V, 16), nn.GRU(16, 64), nn.Dense(64, V), rng=0)
model = train.Model(reader, "cross_entropy", optim.Adam(5e-3))
start = time.perf_counter()
history = model.fit(
    windows.x,
    windows.y,
    epochs=size(6, 3),
    batch_size=64,
    validation_data=(held_windows.x, held_windows.y),
    seed=0,
    verbose=False,
)
loss = history["val_loss"][-1]
print(f"{time.perf_counter() - start:.1f} s on the machine that ran this")
print(f"pairs: {pair_loss:.3f}, perplexity {exp(pair_loss):.1f}")
print(f"GRU:   {loss:.3f}, perplexity {exp(loss):.1f}")

# %% [markdown]
# To invent, draw a character from what the network says, give it back as the next input, and go on.
# The **temperature** divides the scores before softmax: below 1 the likely becomes likelier, above
# 1 the choice is bolder.


# %%
def continued(network, text, vocabulary, length, window, temperature=1.0, seed=0):
    """Return the text with so many more characters, drawn one by one."""
    rng, codes = np.random.default_rng(seed), list(vocabulary.encode(text))
    network.eval()
    with pellucid.no_grad():
        for _ in range(length):
            scores = network(np.array([codes[-window:]])).data[0, -1] / temperature
            chances = np.exp(scores - scores.max())
            codes.append(rng.choice(len(chances), p=chances / chances.sum()))
    return vocabulary.decode(codes)


for temperature in (0.5, 1.0, 1.5):
    invented = continued(reader, "\n", vocabulary, 90, 16, temperature).split("\n")[1:-1]
    print(f"temperature {temperature}: {', '.join(invented)}")

# %% [markdown]
# What does it remember? Each column is a step of one name, each row a number of the state. A row
# that keeps its colour over several letters remembers something.

# %%
word = "\nisabella" if "\nisabella" in text + held_text else "\n" + learned[0]
with nn.capture(reader, ["layers.1"]) as outputs:
    reader(vocabulary.encode(word)[None])
viz.state_maps(outputs["layers.1"].data[0, :, :24], list(word.replace("\n", "|")))

# %% [markdown]
# ## 5. Attention
#
# A state has to squeeze all that was read into one vector. **Attention** looks back instead. Each
# step asks a question, the *query* $q$; each step has a label, the *key* $k$, and something to say,
# the *value* $v$. How well query and key fit is their product; softmax turns the fits into weights
# that sum to 1; and the answer is the mean of the values with these weights. With the queries, keys
# and values of all steps as the rows of $Q$, $K$ and $V$:
#
# $$\text{attention}(Q, K, V) = \text{softmax}\!\left(\frac{Q K^T}{\sqrt d}\right) V.$$
#
# $d$ is how many numbers a query has. A sum of $d$ products has a standard deviation of $\sqrt d$
# ([notebook 10](10_initialisation.ipynb)), and the division takes it out.

# %%
rng = np.random.default_rng(0)
T, d = 4, 8
q, k, v = rng.normal(size=(3, T, d))
fits = q @ k.T / sqrt(d)  # (T, T): row t says how step t's query fits all keys
weights = np.exp(fits) / np.exp(fits).sum(axis=1, keepdims=True)
by_hand = weights @ v
print("rows sum to", weights.sum(axis=1))
print("by hand and library differ by",
      f"{abs(by_hand - nn.scaled_dot_product_attention(q, k, v).data).max():.0e}")  # fmt: skip
wide = rng.normal(size=(1000, 256)) @ rng.normal(size=(256, 1000))
print(f"spread of products of 256 numbers: {wide.std():.1f}, the square root of 256 is 16")

# %% [markdown]
# A model of the next character must not look ahead. The **causal mask** gives the future a weight
# of 0.

# %%
print(nn.attention_weights(q, k, causal=True).data.round(2))

# %% [markdown]
# Attention sees a *set*: it does not know which step came first. Shuffle the steps, and the answers
# are shuffled alike. So positions are added to the embedding, one vector for each place.
# (`MultiHeadAttention(8, 2)` makes queries, keys and values of 8 numbers from each step, by learned
# weights, and divides them between two **heads**, which attend side by side with 4 numbers each.)

# %%
steps = pellucid.Tensor(rng.normal(size=(1, 6, 8)))
layer = nn.MultiHeadAttention(8, 2, rng=0)
places = rng.permutation(6)
same = np.allclose(layer(steps[:, places]).data, layer(steps).data[:, places], atol=1e-5)
positions = nn.PositionalEncoding(6, 8)
other = np.allclose(
    layer(positions(steps[:, places])).data, layer(positions(steps)).data[:, places], atol=1e-5
)
print("without positions, order does not matter:", same)
print("with positions it does not matter:       ", other)
assert same
assert not other

# %% [markdown]
# ## 6. A small GPT
#
# A **transformer block** is attention, then a small dense network for each step by itself, both
# with a residual connection and normalisation around them ([notebook 10](10_initialisation.ipynb)).
# A GPT is an embedding, positions, some blocks, and scores for the next character. GPT-3 has 175
# billion parameters (Brown et al., 2020). Ours has about a millionth of that, in the same design.

# %%
try:
    plays = data.shakespeare()
except (OSError, data.DownloadError) as problem:
    print(
        f"Shakespeare is not here ({type(problem).__name__}); the library's own source stands in."
    )
    modules = (nn.attention, nn.recurrent, nn.conv, train.model, optim.adam, data.stream)
    plays = "\n".join(inspect.getsource(module) for module in modules)
cut = len(plays) * 9 // 10
LENGTH = 64
written = data.text(plays[:cut], LENGTH, step=8)
try:
    unread = data.text(plays[cut:], LENGTH, step=LENGTH, vocabulary=written.vocabulary)
except ValueError:  # a character that occurs in the end only
    everything = data.CharVocabulary(plays)
    written = data.text(plays[:cut], LENGTH, step=8, vocabulary=everything)
    unread = data.text(plays[cut:], LENGTH, step=LENGTH, vocabulary=everything)
characters = written.vocabulary
print(f"{len(plays):,} characters, {len(characters)} different ones")
print(plays[:200])

# %% [markdown]
# The rate rises at first and then falls, as in [notebook 09](09_optimisers.ipynb). `AdamW` is Adam
# that also shrinks the weights a little in every step, but not the biases and gains
# (`no_decay_on_vectors`); `clip_norm` shortens gradients that are longer than 1.


# %%
def gpt(vocabulary_size, width=64, heads=4, blocks=2, seed=0):
    """Return a network that scores the next character at every step."""
    return nn.Sequential(
        nn.Embedding(vocabulary_size, width),
        nn.PositionalEncoding(LENGTH, width, learned=True),
        *(nn.TransformerBlock(width, heads, causal=True) for _ in range(blocks)),
        nn.LayerNorm(width),
        nn.Dense(width, vocabulary_size),
        rng=seed,
    )


writer = gpt(len(characters))
print(f"{sum(p.size for p in writer.parameters()):,} parameters")
updates, batch = size(900, 30), 32
rate = optim.schedules.WarmUp(updates // 10, optim.schedules.Cosine(5e-3, updates * 9 // 10))
optimizer = optim.AdamW(
    rate, weight_decay=0.01, clip_norm=1.0, groups=[optim.no_decay_on_vectors()]
)
model = train.Model(writer, "cross_entropy", optimizer)
rows = np.random.default_rng(0).integers(0, len(written), updates * batch)
judged = slice(0, size(600, 40))

before = model.evaluate(unread.x[judged], unread.y[judged])["loss"]
start = time.perf_counter()
history = model.fit(
    written.x[rows], written.y[rows], epochs=1, batch_size=batch, seed=0, verbose=False
)
seconds = time.perf_counter() - start
after = model.evaluate(unread.x[judged], unread.y[judged])["loss"]
print(f"{updates} updates in {seconds:.0f} s on the machine that ran this")
print(f"on text that it never saw: {before:.3f} before, {after:.3f} after")
print(f"blind guessing {log(len(characters)):.3f}; perplexity {exp(after):.1f}")
assert after < size(2.1, 3.6)

# %%
print(continued(writer, "\n", characters, size(400, 60), LENGTH, temperature=0.8).strip())

# %% [markdown]
# Each character is drawn by itself, and yet there are words, lines and speakers. A hundred thousand
# parameters have learned how this text looks. What it means they do not know.
#
# ## 7. Who looks at whom
#
# The attention of the first block, for one line. A row is a step that asks, a column one that
# answers; each head has its own way of looking.

# %%
line = plays[14:38] if len(plays) > 10**6 else plays[:24]
with nn.capture(writer, ["layers.2.attention.dropout"]) as outputs:
    writer(characters.encode(line)[None])
viz.attention_maps(outputs["layers.2.attention.dropout"].data, list(line.replace("\n", "|")))

# %% [markdown]
# Everything above the diagonal is 0: nobody looks ahead. An experiment shows it: change the last
# character, and no earlier score changes.

# %%
codes = characters.encode(line)[None]
changed = codes.copy()
changed[0, -1] = (changed[0, -1] + 1) % len(characters)
with pellucid.no_grad():
    difference = abs(writer(codes).data - writer(changed).data).max(axis=2)[0]
print(f"largest change at earlier steps: {difference[:-1].max():.1e}")
print(f"at the last step:                {difference[-1]:.2f}")
assert difference[:-1].max() < 1e-5 < difference[-1]

# %% [markdown]
# ## What to remember
#
# - A language model gives probabilities for the next character; it is judged by $-\ln p$ on text it
#   never saw.
# - A recurrent network carries a state from step to step; gates let gradients last.
# - Attention is a weighted mean: the weights are softmax of how well queries fit keys.
# - The causal mask hides the future; positions tell the order.
# - Writing is drawing the next character, again and again.
#
# To read on: [sequences and attention in the reference](../docs/api/nn_sequences.md), [text of your
# own](../docs/guides/own_data.md), [going on after an interruption](../docs/guides/resume.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** Write `perplexity(p)` for an array of the probabilities that a model gave to what
# really came.


# %% tags=["solution", "hide-input"]
# Solution 1
def perplexity(p):
    return np.exp(-np.log(p).mean())


# %% tags=["check"]
# Check 1
assert abs(perplexity(np.full(7, 1 / 27)) - 27) < 1e-9, "guessing among 27 has perplexity 27"
p = np.array([0.5, 0.25, 0.125])
expected = 1 / np.prod(p) ** (1 / 3)  # one over the geometric mean
assert abs(perplexity(p) - expected) < 1e-9, f"expected {expected}, got {perplexity(p)}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Write `attend(q, k, v)`, causal attention in NumPy for arrays of shape (T, d),
# with loops or without.


# %% tags=["solution", "hide-input"]
# Solution 2
def attend(q, k, v):
    fits = q @ k.T / np.sqrt(q.shape[1])
    fits = np.where(np.tri(len(q), dtype=bool), fits, -np.inf)
    weights = np.exp(fits - fits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ v


# %% tags=["check"]
# Check 2
q, k, v = np.random.default_rng(4).normal(size=(3, 5, 6))
expected = nn.scaled_dot_product_attention(q, k, v, causal=True).data
assert np.allclose(attend(q, k, v), expected), "expected what the library computes"
assert np.allclose(attend(q, k, v)[0], v[0]), "the first step sees itself only"
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** How many parameters has a transformer block of width $d$ whose inner network has
# $4d$ units? Count the four matrices of attention with their biases, the two layers of the inner
# network, and the two normalisations with a gain and a shift each. Write `count(d)`.


# %% tags=["solution", "hide-input"]
# Solution 3
def count(d):
    attention = 4 * (d * d + d)
    inner = (d * 4 * d + 4 * d) + (4 * d * d + d)
    return attention + inner + 2 * 2 * d


# %% tags=["check"]
# Check 3
for d in (8, 64):
    expected = sum(p.size for p in nn.TransformerBlock(d, 2, rng=0).parameters())
    assert count(d) == expected, f"width {d}: expected {expected:,}, got {count(d):,}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [16 How the compiler makes it fast](16_compiler.ipynb)
