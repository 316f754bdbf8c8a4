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
# # 16 How the compiler makes it fast
#
# `pellucid.compile` turns a Python function of tensors into machine code, the instructions that the
# processor runs. This notebook follows one line, `(x @ w + b).relu()`, all the way down, and then a
# whole training step. Nothing here is needed to use the library; it is for those who want to know.
# The networks come from [the notebooks before](13_digits_and_mnist.ipynb).

# %%
import os
import time

import llvmlite.binding as llvm
import numpy as np

import pellucid
from pellucid import data, nn, optim, viz
from pellucid.compiler.llvm.target import compile_object


def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full


def microseconds(function, *arguments, times=200):
    """Return the shortest time of a call, of several."""
    found = []
    for _ in range(size(times, 20)):
        start = time.perf_counter()
        function(*arguments)
        found.append(time.perf_counter() - start)
    return 1e6 * min(found)


# %% [markdown]
# ## 1. What there is to win
#
# Without a compiler, Python asks NumPy for one operation after the other. Each of them is fast, but
# each costs some time to ask for, and each writes an array that the next one reads again. Between
# two operations nobody looks ahead. The compiler sees all of them before any is run.
#
# All times here are of the machine that ran this notebook.


# %%
def layer(x, w, b):
    return (x @ w + b).relu()


rng = np.random.default_rng(0)
x = rng.normal(size=(32, 64)).astype(np.float32)
w = rng.normal(size=(64, 10)).astype(np.float32)
b = rng.normal(size=(10,)).astype(np.float32)

compiled = pellucid.compile(layer)
by_operation = layer(*map(pellucid.Tensor, (x, w, b))).data
by_program = compiled(x, w, b).data
print("largest difference:", abs(by_operation - by_program).max())
assert np.allclose(by_operation, by_program, atol=1e-5)

tensors = [pellucid.Tensor(array) for array in (x, w, b)]
print(f"one operation after the other: {microseconds(layer, *tensors):6.1f} us")
print(f"as one program:                {microseconds(compiled, x, w, b):6.1f} us")

# %% [markdown]
# One small layer is too little to win anything: to look at the arguments and find the program for
# them costs more time than three operations do. It pays where more is done in one call, with larger
# arrays (section 4), or with many operations (section 8).

# %% [markdown]
# ## 2. Tracing: the function is run on symbols
#
# At the first call, the function is run once with **symbols** in place of arrays. A symbol has a
# shape and a type, but no numbers. Whatever is asked of it is written down, and another symbol is
# returned. The result is a *graph*: one line for each operation, with its operands, its shape, and
# the line of the code that asked for it.

# %%
traced = compiled.bound(x, w, b).traced
print(traced.graph)

# %% [markdown]
# After that the Python code is not needed any more. A `print` in the function shows it: it runs
# while the function is traced, and never again.


# %%
def noisy(x):
    print("    (Python runs)")
    return x * 2


native_noisy = pellucid.compile(noisy)
for call in range(3):
    print("call", call + 1)
    native_noisy(x)

# %% [markdown]
# A graph belongs to shapes. Other shapes are traced anew, and kept beside the first.

# %%
print("another shape")
native_noisy(x[:16])
print("the first one again")
_ = native_noisy(x)

# %% [markdown]
# And a function that *decides* by looking at numbers cannot be traced, because a symbol has none.
# The message names the line.


# %%
def decides(x):
    if x.sum() > 0:
        return x
    return -x


try:
    pellucid.compile(decides)(x)
except pellucid.TraceError as error:
    print(error)

# %% [markdown]
# `where` computes both and chooses, number by number, and can be traced.

# %%
chooses = pellucid.compile(lambda x: pellucid.where(x.sum() > 0, x, -x))
print(np.array_equal(chooses(x).data, decides(pellucid.Tensor(x)).data))

# %% [markdown]
# ## 3. Passes: the same, with less work
#
# A **pass** makes another graph that computes the same, most often a simpler one. Operations that
# change nothing are dropped. What is asked for twice is computed once (*sharing*). Here is a
# function that wastes: it multiplies by 1, and asks twice for the same exponential. The other
# passes find nothing to do in it.


# %%
def wasteful(x):
    return (x * 1.0).exp() * 0.5 + x.exp()


explanation = pellucid.compile(wasteful).explain(x)
print("nodes before and after each pass:")
for change in explanation.changes:
    print(f"  {change.name:<15} {change.before:3d} -> {change.after}")
    if change.diff:
        print(change.diff)

# %% [markdown]
# The graph can be run as it is, by NumPy, one line after the other. That is the *reference* which
# the tests hold native code against: three ways to the same numbers.

# %%
eager = wasteful(pellucid.Tensor(x)).data
interpreted = pellucid.compile(wasteful, native=False)(x).data
native = pellucid.compile(wasteful)(x).data
print("interpreted and eager differ by", abs(interpreted - eager).max())
print("native and eager differ by", f"{abs(native / eager - 1).max():.0e} of the value")
assert np.allclose(native, eager, rtol=1e-5)

# %% [markdown]
# ## 4. Fusion: fewer ways to memory
#
# A processor computes much faster than memory brings numbers. What matters for simple operations is
# how often each number travels. In a chain such as `x * 2 + 1`, then tanh, then `* x`, NumPy reads
# and writes whole arrays four times. The compiler puts the chain into **one** loop: each number is
# read once, goes through all of it in a register, and is written once.


# %%
def chain(x):
    return (x * 2.0 + 1.0).tanh() * x


million = rng.normal(size=size(1_000_000, 100_000)).astype(np.float32)
fused = pellucid.compile(chain, threads=1)  # NumPy uses one as well
explanation = fused.explain(million)
arrays = 2 + 2 + 2 + 3  # each operation reads its operands and writes its result
print(f"one after the other: {arrays * million.nbytes / 1e6:.1f} MB travel")
cost = explanation.cost
print(f"in {len(explanation.kernels)} loop:           {(cost.read + cost.written) / 1e6:.1f} MB")

tensor = pellucid.Tensor(million)
print(f"one after the other: {microseconds(chain, tensor, times=30):8.0f} us")
print(f"as one loop:         {microseconds(fused, million, times=30):8.0f} us")
assert len(explanation.kernels) == 1

# %% [markdown]
# Part of the gain is the loop, part of it a tanh that computes several numbers at once (see section
# 6). A loop nest of this kind, or a product of matrices, is called a **kernel**.
#
# ## 5. Loops
#
# Back to our layer. `explain` shows every stage. It is one kernel: the product, and bias and ReLU
# as its **epilogue**. That is done block by block, while the numbers are still at hand.

# %%
explanation = compiled.explain(x, w, b)
for kernel in explanation.kernels:
    print(kernel, end="\n\n")

# %% [markdown]
# Read the costs. A product of an $m \times k$ and a $k \times n$ matrix takes $2mnk$ operations:
# for each of the $mn$ results $k$ products and $k$ sums. It reads $mk + kn$ numbers. The epilogue
# adds two operations for each result, and reads the $n$ numbers of the bias. So a product does much
# more work for each byte than a simple loop does, and the larger the matrices, the more. Products
# are limited by the processor, simple loops by memory.

# %%
m, k, n = 32, 64, 10
cost = explanation.kernels[0].cost
print(f"2mnk + 2mn = {2 * m * n * k + 2 * m * n:,}; counted: {cost.operations:,}")
print(f"4 (mk + kn + n) bytes = {4 * (m * k + k * n + n):,}; counted: {cost.read:,}")
assert cost.operations == 2 * m * n * k + 2 * m * n

# %% [markdown]
# The product is computed in **tiles**: a small block of the result stays in registers while the
# sums over $k$ run, so that every number loaded is used several times. Its epilogue is done while
# the next tile is summed up.
#
# The same as a picture. Each operation names its kernel and the line it comes from.

# %%
viz.draw_graph(explanation)

# %% [markdown]
# ## 6. Vectors, and LLVM's language
#
# A modern processor has *vector* registers. One instruction adds 4, 8 or 16 numbers at a time,
# depending on the machine. The compiler writes its loops for the vectors it finds, in the language
# of LLVM, the tool that also stands behind many C compilers. The code of a product is long. This is
# bias and ReLU as a loop of their own, which they are where no product comes before them:

# %%
target = explanation.program.target
print(f"a vector of this machine: {target.vector_bytes} bytes, {target.vector_bytes // 4} numbers")
alone = pellucid.compile(lambda z, b: (z + b).relu()).explain(x @ w, b)
loop = alone.kernels[0].function
print(alone.llvm(loop).replace("0x0000000000000000", "0.0"))  # floats are told by their bits

# %% [markdown]
# It need not be read in full. Look for `load`, `fadd`, `store`: read, add the bias, write. Between
# them ReLU is a comparison (`fcmp`) and a choice (`select`). The type `<N x float>` is a vector.
#
# ## 7. Machine code
#
# LLVM turns that into instructions of this very processor. As text, called assembly, the loop is:

# %%
machine = llvm.Target.from_default_triple().create_target_machine(
    cpu=target.name, features=target.features, opt=3
)
assembly = machine.emit_assembly(llvm.parse_assembly(alone.llvm(loop)))
instructions = [
    line for line in assembly.splitlines() if line.startswith("\t") and not line.startswith("\t.")
]
print("\n".join(line.expandtabs(10) for line in instructions))

# %% [markdown]
# And as what the processor reads, bytes:

# %%
code = compile_object(alone.llvm(loop), target)
print(f"{len(code):,} bytes with their file header")
whole = compile_object(explanation.program.text, target)
print(f"{len(whole):,} bytes for the whole layer, the product and what calls it")

# %% [markdown]
# These bytes are kept on disk, so that the next process need not compile again.
#
# ## 8. A whole training step
#
# Forward pass, loss, backward pass and Adam's update are Python code like any other: the tape asks
# for operations too. So all of it can be traced into **one** program. What the step changes beside
# its result is named in `state`: the parameters, and the optimiser's memory.

# %%
digits = data.digits()
xb, yb = digits.x[:32], digits.y[:32]


def learner(seed=0):
    """Return a network, its optimiser, and the function that makes one update."""
    network = nn.Sequential(
        nn.Dense(64, 128, "relu"), nn.Dense(128, 64, "relu"), nn.Dense(64, 10), rng=seed
    )
    optimizer, loss = optim.Adam(1e-3), nn.CrossEntropyLoss()

    def step(x, y):
        network.zero_grad()
        value = loss(network(x), y)
        value.backward()
        optimizer.step(network)
        return value

    return network, optimizer, step


_, _, plain_step = learner()
network, optimizer, step = learner()
native_step = pellucid.compile(step, state=[network, optimizer])
print("update   one after the other   as one program")
for update in range(1, 6):
    a, b = plain_step(xb, yb).item(), native_step(xb, yb).item()
    print(f"{update:4d} {a:20.6f} {b:20.6f}")
assert abs(a - b) < 1e-4

# %% [markdown]
# The same losses. The last digits may differ, because sums are formed in another order.

# %%
explanation = pellucid.compile(step, state=[network, optimizer], threads=1).explain(xb, yb)
print(f"nodes traced:          {explanation.changes[0].before}")
print(f"after all passes:      {explanation.changes[-1].after}")
print(f"kernels:               {len(explanation.kernels)}")
print(f"operations:            {explanation.cost.operations:,}")
print(f"one after the other:   {microseconds(plain_step, xb, yb):7.0f} us an update")
print(f"as one program:        {microseconds(native_step, xb, yb):7.0f} us")

# %% [markdown]
# One pass adds nodes instead of dropping some: `halve_products`. It writes the product of the first
# layer's outputs $H$ with the second layer's weights as a sum of two halves,
#
# $$H\,W = H_1 W_1 + H_2 W_2.$$
#
# In words: the left half of the columns of H times the upper half of the rows of W, and the right
# half times the lower half. So each thread can keep its half of the weights near its core, from the
# product to the update, and those columns of the first layer's weights that make its half of H.
# Only results travel between cores. (With more inputs than outputs, as in a network for MNIST, it
# is the first product that is halved.)

# %%
print(next(change.diff for change in explanation.changes if change.name == "halve_products"))
outputs, weights = network[0](pellucid.Tensor(xb)).data, network[1].weight.data
half = outputs.shape[1] // 2
in_halves = outputs[:, :half] @ weights[:half] + outputs[:, half:] @ weights[half:]
print(f"largest difference to the whole product: {abs(in_halves - outputs @ weights).max():.0e}")
assert np.allclose(in_halves, outputs @ weights, atol=1e-5)

# %% [markdown]
# Which kernels do the work? Almost all operations are in the products of matrices and their
# epilogues. There are as many of them as the mathematics of
# [notebook 06](06_scalars_to_tensors.ipynb) says: one a layer forward, two a layer backward, except
# that the first layer need not say how the loss depends on the images.
# (The two halves of a product are counted as one: they are one kernel, run twice.)

# %%
products = [k for k in explanation.kernels if "matmul" in k.rows[0].call]
share = sum(k.cost.operations for k in products) / explanation.cost.operations
print(f"{len(products)} products with their epilogues, {share:.0%} of all operations")
assert len(products) == 3 + 2 * 3 - 1

# %% [markdown]
# Adam's update of a weight matrix, a dozen lines of arithmetic, is the epilogue of the product that
# makes its gradient. So the gradient is never written to memory, and each moment and each weight is
# read once and written once:

# %%
update = max(explanation.kernels, key=lambda k: len(k.rows) * k.cost.written)
print("\n".join(row.call for row in update.rows))

# %% [markdown]
# ## 9. Memory that takes turns
#
# Results between kernels lie in one piece of memory, the **arena**. A result that nobody will read
# any more makes room for another. Here for eight layers on one thread; a line is a result, and its
# marks are the kernels from the first that needs it to the last.

# %%
deep = nn.Sequential(*(nn.Dense(64, 64, "relu") for _ in range(8)), rng=0)
forward = pellucid.compile(lambda x: deep(x), state=[deep], threads=1).explain(xb)
print(str(forward)[str(forward).index("== arena") :])
assert forward.program.arena.size < forward.without_reuse / 3

# %% [markdown]
# Two pieces of memory serve all eight layers. A backward pass needs the results of the forward pass
# again, and threads that work side by side need memory of their own, so that there is less to
# share.
#
# ## What to remember
#
# - Tracing runs a function once on symbols and writes down what it asks for.
# - Passes make the graph simpler; fusion makes few loops of many operations; the arena shares
#   memory.
# - Products of matrices are limited by the processor, simple loops by memory.
# - A training step is one program: forward, backward and update.
# - `print(pellucid.compile(f).explain(...))` shows all of it for any function that compiles.
#
# To read on: [the compiler](../docs/compiler.md), [how to make it fast](../docs/guides/speed.md).
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** How many operations are in the three products of the *forward* pass of the network
# 64-128-64-10 on a batch of 32? Set `operations`.

# %% tags=["solution", "hide-input"]
# Solution 1
operations = sum(2 * 32 * n * m for n, m in ((64, 128), (128, 64), (64, 10)))
print(f"{operations:,}")

# %% tags=["check"]
# Check 1
forward = pellucid.compile(lambda x: network(x), state=[network]).explain(xb)
products = [k.calls[0].kernel for k in forward.kernels if "matmul" in k.rows[0].call]
expected = sum(2 * p.m * p.n * p.k for p in products)
assert operations == expected, f"expected {expected:,}, got {operations:,}"
print("Exercise 1 is right.")

# %% [markdown]
# **Exercise 2.** Write `standardised(x)` for `x` of shape (32, 64): every row minus its mean,
# divided by its standard deviation, in a form that can be compiled. How many `kernels` does it
# take? (First guess. A mean needs a whole row before anything can be subtracted from it.)


# %% tags=["solution", "hide-input"]
# Solution 2
def standardised(x):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / pellucid.sqrt((centred * centred).mean(axis=1, keepdims=True))


kernels = len(pellucid.compile(standardised).explain(x).kernels)
print(f"{kernels} kernel: while one row is worked on, it stays near the processor")

# %% tags=["check"]
# Check 2
expected = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
assert np.allclose(pellucid.compile(standardised)(x).data, expected, atol=1e-5)
assert kernels == len(pellucid.compile(standardised).explain(x).program.plan.groups)
print("Exercise 2 is right.")

# %% [markdown]
# **Exercise 3.** This function cannot be compiled. Write `bounded` so that it can, with the same
# result for every `x`.
#
#     def clipped(x):
#         return x / x.max() if x.max() > 1 else x


# %% tags=["solution", "hide-input"]
# Solution 3
def bounded(x):
    return x / pellucid.maximum(x.max(), 1.0)


# %% tags=["check"]
# Check 3
native = pellucid.compile(bounded)
for scale in (0.1, 1.0, 10.0):
    given = (scale * x / x.max()).astype(np.float32)
    expected = given / given.max() if given.max() > 1 else given
    assert np.allclose(native(given).data, expected), f"wrong where the largest is {given.max()}"
print("Exercise 3 is right.")

# %% [markdown]
# Next: [17 Finding bugs](17_finding_bugs.ipynb)
