"""The backward pass: what it accumulates, refuses, frees, and how deep it goes."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import pellucid as pl
from pellucid import GraphError, ShapeError, Tensor, arrays
from pellucid.autograd import tape


def leaf(*values: float) -> Tensor:
    """Return a leaf in float64."""
    return Tensor(np.array(values), requires_grad=True)


# accumulation


def test_gradients_of_a_node_used_again_add_up() -> None:
    x = leaf(3.0)
    y = x * x  # one operand twice
    (y + y * x).sum().backward()  # x^2 + x^3
    np.testing.assert_array_equal(x.grad, [6 + 27])


def test_gradients_meet_in_a_diamond() -> None:
    x = leaf(0.5)
    root = x.exp()
    left, right = root * 2, root.log()
    (left * right).sum().backward()  # 2 e^x x
    np.testing.assert_allclose(x.grad, [2 * np.exp(0.5) * 1.5])


def test_traversal_is_topological_where_paths_differ_in_length() -> None:
    x = leaf(2.0)
    a = x * 3
    b = a
    for _ in range(5):
        b = b * a
    (a + b).sum().backward()  # a + a^6
    np.testing.assert_array_equal(x.grad, 3 * (1 + 6 * 6.0**5))


def test_a_leaf_that_is_younger_than_what_uses_it_indirectly() -> None:
    x = leaf(2.0)
    y = x * x
    w = leaf(5.0)
    (y * w + x).sum().backward()
    np.testing.assert_array_equal(x.grad, [21])
    np.testing.assert_array_equal(w.grad, [4])


def test_gradients_accumulate_over_calls_until_set_to_none() -> None:
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad, [5, 5])
    x.grad = None
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1])


def test_a_sum_of_two_thousand_losses() -> None:
    x = leaf(1.0)
    total = sum((x * k).sum() for k in range(2000))
    total.backward()
    np.testing.assert_array_equal(x.grad, [1999000])


def test_one_million_nodes_deep_without_recursion() -> None:
    count = 1_000_000
    x = Tensor(np.float64(1.0), requires_grad=True)
    y = x
    for _ in range(count):
        y = -y
    y.backward()
    assert x.grad == 1.0
    assert y.grad is None
    first = y = -x
    for _ in range(count // 10):
        y = -y
    gone = weakref.ref(first)
    del first, y  # a graph that no backward pass has freed is collected without recursion, too
    gc.collect()
    assert gone() is None


# shapes and broadcasting


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3), (3,)),
        ((2, 1), (1, 3)),
        ((), (2, 3)),
        ((1,), (2, 3)),
        ((1, 1, 1), (2,)),
        ((2, 0), (1,)),
    ],
)
def test_broadcast_gradients_are_summed_back_to_size_1_axes_and_scalars(a: Any, b: Any) -> None:
    x, y = Tensor(np.ones(a), requires_grad=True), Tensor(np.full(b, 2.0), requires_grad=True)
    out = x * y
    out.sum().backward()
    assert x.grad.shape == a
    assert y.grad.shape == b
    np.testing.assert_array_equal(x.grad, np.full(a, 2.0 * out.size / x.size if x.size else 0))
    np.testing.assert_array_equal(y.grad, np.full(b, out.size / y.size if y.size else 0))


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=(2, 1, 3), max_side=3, max_dims=4)
)
def test_unbroadcast_is_the_transpose_of_broadcasting(drawn: Any) -> None:
    (shape,), result = drawn.input_shapes, drawn.result_shape
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=shape), rng.normal(size=result)
    back = tape.unbroadcast(arrays.NUMPY, g, shape)
    assert back.shape == shape
    np.testing.assert_allclose((np.broadcast_to(x, result) * g).sum(), (x * back).sum())
    assert tape.unbroadcast(arrays.NUMPY, g, result) is g


# the start of a backward pass


def test_backward_on_what_is_no_scalar() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"expected a scalar to differentiate, got shape \(2,\)"):
        (x * 2).backward()
    (x[:1] * 2).backward()  # one element will do
    np.testing.assert_array_equal(x.grad, [2, 0])


def test_backward_on_a_constant() -> None:
    for out in (Tensor(1.0) * 2, leaf(1.0).detach().sum(), leaf(1.0) > 0):
        with pytest.raises(
            GraphError, match="expected a tensor computed from one with requires_gr"
        ):
            out.backward()


@pytest.mark.parametrize("seed", [[1.0, 10.0], (1, 10), np.array([1, 10]), Tensor([1.0, 10.0])])
def test_a_seed(seed: Any) -> None:
    x = leaf(1.0, 2.0)
    (x * 2).backward(seed)
    np.testing.assert_array_equal(x.grad, [2, 20])
    assert x.grad.dtype == np.float64


def test_a_seed_of_another_shape() -> None:
    for seed in (1.0, [1.0], [[1.0, 1.0]], np.zeros((2, 0))):
        with pytest.raises(ShapeError, match=r"expected a gradient of shape \(2,\), got"):
            (leaf(1.0, 2.0) * 2).backward(seed)


def test_a_seed_for_something_empty() -> None:
    x = Tensor(np.zeros((0, 2)), requires_grad=True)
    (x * 2).backward(np.zeros((0, 2)))
    assert x.grad.shape == (0, 2)


def test_a_leaf_is_its_own_gradient() -> None:
    x = leaf(2.0)
    x.backward()
    np.testing.assert_array_equal(x.grad, [1])


# memory of gradients


def test_leaves_never_share_gradient_memory() -> None:
    x, y, z = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    seed = np.ones(2)
    (x + y + z).backward(seed)
    x.grad *= 10
    np.testing.assert_array_equal(y.grad, [1, 1])
    np.testing.assert_array_equal(z.grad, [1, 1])
    np.testing.assert_array_equal(seed, [1, 1])


@pytest.mark.parametrize(
    "of",
    [
        lambda x: x,
        lambda x: x + 0,
        lambda x: x.reshape(2, 1),
        lambda x: x[::-1],
        lambda x: pl.identity(x),
        lambda x: x.astype("float64"),
        lambda x: pl.concat([x, x]),
        lambda x: pl.einsum("i->i", x),
        lambda x: x.T,
    ],
)
def test_a_gradient_owns_its_memory(of: Callable[[Tensor], Tensor]) -> None:
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    out = pl.concat([of(x), of(y)]) if of(x).ndim == 1 else pl.stack([of(x), of(y)])
    seed = np.ones(out.shape)
    out.backward(seed)
    for a, b in [(x.grad, y.grad), (x.grad, seed), (x.grad, x.data), (y.grad, seed)]:
        assert not np.shares_memory(a, b)
    x.grad[...] = 7
    y.grad[...] = 8


def test_the_gradient_of_a_sum_is_writeable() -> None:
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    x.sum().backward()
    x.grad *= 0.5
    np.testing.assert_array_equal(x.grad, np.full((2, 3), 0.5))


def test_a_retained_gradient_is_not_that_of_a_leaf() -> None:
    x = leaf(1.0, 2.0)
    y = (x + 0).retain_grad()
    (y + 0).backward(np.ones(2))
    y.grad *= 5
    np.testing.assert_array_equal(x.grad, [1, 1])


# a graph is used once


def test_a_second_backward_on_the_same_graph() -> None:
    x = leaf(2.0)
    out = (x * x).sum()
    out.backward()
    with pytest.raises(GraphError, match=r"an earlier backward\(\) has freed.*retain_graph=True"):
        out.backward()
    np.testing.assert_array_equal(x.grad, [4])


def test_a_second_backward_through_a_shared_part() -> None:
    x = leaf(2.0)
    shared = x * x
    shared.sum().backward()
    with pytest.raises(GraphError, match="has freed"):
        (shared * 3).sum().backward()
    with pytest.raises(GraphError, match="has freed"):
        (shared + 1).sum().backward()


def test_retain_graph_accumulates_on_leaves_only() -> None:
    x = leaf(2.0)
    inner = (x * x).retain_grad()
    plain = inner * 3
    out = plain.sum()
    out.backward(retain_graph=True)
    out.backward()
    np.testing.assert_array_equal(x.grad, [24])
    assert plain.grad is None
    assert out.grad is None
    with pytest.raises(GraphError):
        out.backward()


def test_the_graph_is_freed() -> None:
    x = leaf(2.0)
    inner = x * x
    gone = weakref.ref(inner)
    out = (inner * 3).sum()
    del inner
    assert gone() is not None
    out.backward()
    assert gone() is None
    assert out.item() == 12
    assert out.requires_grad
    assert not out.is_leaf


def test_failure_in_a_backward_pass_leaves_no_gradient_behind_on_a_fresh_graph() -> None:
    x = leaf(2.0)
    out = (x * x).sum()
    with pytest.raises(ShapeError):
        out.backward(np.ones(3))
    out.backward()
    np.testing.assert_array_equal(x.grad, [4])


# what does not record


def test_no_grad_nests_and_ends() -> None:
    x = leaf(2.0)
    with pl.no_grad():
        assert not (x * 2).requires_grad
        with pl.no_grad():
            pass
        assert not (x * 2).requires_grad
        assert (x * 2).inputs == ()
    assert (x * 2).requires_grad


def test_no_grad_ends_with_an_exception() -> None:
    x = leaf(2.0)
    with pytest.raises(ZeroDivisionError), pl.no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad


def test_no_grad_decorates() -> None:
    x = leaf(2.0)

    @pl.no_grad()
    def doubled(depth: int) -> Tensor:
        """Return twice x."""
        return x * 2 if depth == 0 else doubled(depth - 1)

    assert not doubled(2).requires_grad
    assert (x * 2).requires_grad
    assert doubled.__doc__ == "Return twice x."


def test_no_grad_does_not_reach_other_threads() -> None:
    x = leaf(2.0)
    with pl.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (x * 2).requires_grad).result()


def test_a_function_without_gradient_runs_in_threads_at_once() -> None:
    x = leaf(2.0)
    both = threading.Barrier(2, timeout=20)

    @pl.no_grad()
    def meet(turn: int) -> bool:
        both.wait()  # both are inside; then the first to enter leaves first
        if turn:
            both.wait()
        recorded = (x * 2).requires_grad
        if not turn:
            both.wait()
        return recorded

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(meet, [0, 1])) == [False, False]
        assert list(pool.map(lambda _: (x * 2).requires_grad, range(4))) == [True] * 4


def test_no_grad_around_a_generator() -> None:
    x = leaf(2.0)

    def outputs() -> Any:
        with pl.no_grad():
            yield x * 2

    steps = outputs()
    assert not next(steps).requires_grad
    steps.close()
    assert (x * 2).requires_grad


def test_detach() -> None:
    x = leaf(2.0)
    y = x * x
    constant = y.detach()
    assert constant.data is y.data
    assert constant.is_leaf
    assert not constant.requires_grad
    (x * constant).sum().backward()
    np.testing.assert_array_equal(x.grad, [4])


@pytest.mark.parametrize("dtype", ["int64", "int32", "bool"])
def test_no_gradient_passes_a_cast_to_integers(dtype: str) -> None:
    x = leaf(2.5)
    steps = x.astype(dtype)
    assert not steps.requires_grad
    assert not pl.astype(x, dtype).requires_grad
    (x * steps).sum().backward()
    np.testing.assert_array_equal(x.grad, [float(steps.data[0])])


def test_a_constant_operand_gets_no_gradient() -> None:
    x, c = leaf(2.0), Tensor(np.array([3.0]))
    (x * c).sum().backward()
    assert c.grad is None


# intermediate gradients and hooks


def test_retain_grad() -> None:
    x = leaf(2.0)
    y = x * x
    assert y.retain_grad() is y
    (y * 3).sum().backward()
    np.testing.assert_array_equal(y.grad, [3])
    np.testing.assert_array_equal(x.grad, [12])


def test_hooks_see_the_whole_gradient_once() -> None:
    x = leaf(2.0)
    y = x * x
    seen: list[np.ndarray] = []
    y.register_hook(lambda g: seen.append(np.array(g)))
    (y + y * 2).sum().backward()
    np.testing.assert_array_equal(seen, [[3]])


def test_hooks_replace_a_gradient_in_the_order_they_were_added() -> None:
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g + 1)
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: None)
    y.retain_grad()
    y.sum().backward()
    np.testing.assert_array_equal(y.grad, [20])
    np.testing.assert_array_equal(x.grad, [80])


def test_hooks_on_a_leaf_change_what_is_added_to_it() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: -g)
    (x * 3).sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad, [-6])


def test_hooks_are_removed() -> None:
    x = leaf(2.0)
    remove = x.register_hook(lambda g: g * 0)
    remove()
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, [1])


def test_a_hook_that_removes_itself_skips_no_other() -> None:
    x = leaf(2.0)
    calls: list[str] = []

    def once(g: np.ndarray) -> None:
        calls.append("once")
        remove()

    remove = x.register_hook(once)
    x.register_hook(lambda g: calls.append("always"))
    x.sum().backward()
    x.sum().backward()
    assert calls == ["once", "always", "always"]


def test_a_hook_keeps_dtype_and_shape() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda g: g * np.float64(0.5))
    x.sum().backward()
    assert x.grad.dtype == np.float32
    y = Tensor([1.0, 2.0], requires_grad=True)
    y.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"expected a hook to keep the shape \(2,\), got \(\)"):
        y.sum().backward()


def test_a_hook_may_return_a_list_or_a_tensor() -> None:
    for result in ([5.0, 6.0], Tensor([5.0, 6.0]), np.array([5, 6])):
        x = Tensor([1.0, 2.0], requires_grad=True)
        x.register_hook(lambda g, result=result: result)
        x.sum().backward()
        assert type(x.grad) is np.ndarray
        np.testing.assert_array_equal(x.grad, [5, 6])


def test_what_a_hook_returns_is_not_shared() -> None:
    x, constant = leaf(1.0), np.array([5.0])
    x.register_hook(lambda g: constant)
    x.sum().backward()
    x.grad *= 2
    np.testing.assert_array_equal(constant, [5])


def test_a_hook_on_a_constant_is_refused() -> None:
    with pytest.raises(TypeError, match="no hook would run"):
        Tensor(1.0).register_hook(print)


# the same every time


def test_parents_and_gradients_are_reproducible() -> None:
    def run() -> list[Any]:
        rng = np.random.default_rng(0)
        leaves = [Tensor(rng.normal(size=4), requires_grad=True) for _ in range(20)]
        mixed = leaves
        for _ in range(5):
            mixed = [a * b + a.tanh() for a, b in itertools.pairwise(mixed)]
        total = sum(m.sum() for m in mixed)
        order = [(x.op.__name__ if x.op else "leaf", x.shape) for x in tape.ancestors(total)]
        total.backward()
        return [order, [x.grad.tobytes() for x in leaves]]

    first = run()
    assert run() == first
    assert all(kind == "leaf" for kind, _ in first[0][-20:])


def test_inputs_are_kept_in_the_order_they_were_given() -> None:
    x, y = leaf(1.0), leaf(2.0)
    assert (x - y).inputs == (x, y)
    assert (y - x).inputs == (y, x)
    assert pl.concat([y, x, y]).inputs == (y, x, y)


# memory


def resident() -> int:
    """Return the pages this process has in memory; 0 where the system does not tell."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) if file.exists() else 0


def live() -> int:
    """Return how many tensors exist."""
    return sum(type(x) is Tensor for x in gc.get_objects())


def test_memory_is_flat_over_10_000_steps() -> None:
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(4, 3)))
    w, b = (
        Tensor(rng.normal(size=(3, 2)), requires_grad=True),
        Tensor(np.zeros(2), requires_grad=True),
    )
    losses: list[Tensor] = []

    def steps(count: int) -> None:
        for _ in range(count):
            loss = ((x @ w + b).tanh() ** 2).mean()
            loss.backward()
            for p in (w, b):
                p.data, p.grad = p.data - 0.1 * p.grad, None
            losses.append(loss)
        losses.clear()

    gc.collect()
    gc.disable()  # reference counts alone must free a step's graph
    try:
        steps(500)
        tensors, pages = live(), resident()
        steps(10_000)
        assert live() == tensors
        assert resident() - pages < 2000  # 8 MB; a step's graph kept is 4 kB or more, 40 MB in all
    finally:
        gc.enable()


def test_past_losses_do_not_keep_graphs_alive_after_backward() -> None:
    w = leaf(1.0, 2.0)
    history, inner = [], []
    for _ in range(20):
        hidden = w * 2
        inner.append(weakref.ref(hidden))
        loss = (hidden * hidden).sum()
        loss.backward()
        history.append(loss)
    del hidden
    assert [ref() for ref in inner] == [None] * 20
    assert len(history) == 20


def test_a_step_leaves_no_reference_cycle() -> None:
    w = leaf(1.0, 2.0)
    gc.collect()
    gc.disable()
    try:
        loss = (pl.softmax(w[[0, 1, 1]] @ np.ones((3, 2))) ** 2).sum()
        gone = weakref.ref(loss)
        del loss  # not even a graph that was not used for a backward pass
        assert gone() is None
    finally:
        gc.enable()
