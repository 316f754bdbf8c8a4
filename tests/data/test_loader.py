"""Loader: epochs of batches from arrays, files, objects and functions, made ahead in a thread."""

from __future__ import annotations

import gc
import threading
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pellucid.data import Loader, RandomFlip, background, moons
from pellucid.data.background import ahead

X = np.arange(20).reshape(10, 2)
Y = X[:, 0] * 10


class Rows:
    """Ten examples by number, and a note of which were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int) -> tuple[NDArray[Any], int]:
        self.asked.append(i)
        return X[i], int(Y[i])


def examples() -> Iterator[tuple[NDArray[Any], int]]:
    for x, y in zip(X, Y, strict=True):
        yield x, int(y)


def in_batches() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for start in (0, 6):
        yield X[start : start + 6], Y[start : start + 6]


def noise(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    return x + rng.normal(size=x.shape)


def epoch(loader: Loader) -> tuple[NDArray[Any], NDArray[Any]]:
    xs, ys = zip(*loader, strict=True)
    return np.concatenate(xs), np.concatenate(ys)


def threads() -> list[str]:
    gc.collect()
    return [t.name for t in threading.enumerate() if t.name.startswith("pellucid.data")]


@given(
    rows=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    prefetch=st.integers(0, 3),
    shuffle=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_every_epoch_visits_every_row_once(
    rows: int, batch_size: int, prefetch: int, shuffle: bool, seed: int
) -> None:
    x = np.arange(rows)[:, None]
    loader = Loader((x, -x), batch_size, shuffle=shuffle, seed=seed, prefetch=prefetch)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader)
        assert [len(xb) for xb, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
        assert sorted(np.concatenate([xb[:, 0] for xb, _ in batches])) == list(range(rows))
        assert all((yb == -xb).all() for xb, yb in batches)


@pytest.mark.parametrize("source", [(X, Y), Rows(), examples])
def test_every_source_gives_its_rows_in_order(source: Any) -> None:
    for prefetch in (0, 2):
        batches = list(Loader(source, 4, shuffle=False, prefetch=prefetch))
        assert [xb.shape for xb, _ in batches] == [(4, 2), (4, 2), (2, 2)]
        np.testing.assert_array_equal(np.concatenate([xb for xb, _ in batches]), X)
        np.testing.assert_array_equal(np.concatenate([yb for _, yb in batches]), Y)
        assert all(xb.dtype == yb.dtype == np.int64 for xb, yb in batches)


def test_a_function_may_make_the_batches_itself() -> None:
    assert [len(xb) for xb, _ in Loader(in_batches, None)] == [6, 4]


def test_a_dataset_is_a_source() -> None:
    data = moons(30, seed=0)
    x, y = epoch(Loader(data, 7, shuffle=False))
    np.testing.assert_array_equal(x, data.x)
    np.testing.assert_array_equal(y, data.y)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("source", [(X, Y), Rows()])
def test_epochs_have_orders_of_their_own_and_a_seed_repeats_them(source: Any) -> None:
    loader, again, other = (Loader(source, 4, seed=seed) for seed in (1, 1, 2))
    first, second = epoch(loader)[1], epoch(loader)[1]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(epoch(again)[1], first)
    np.testing.assert_array_equal(epoch(again)[1], second)
    assert not np.array_equal(epoch(other)[1], first)
    assert loader.epoch == 2
    loader.epoch = 0
    np.testing.assert_array_equal(epoch(loader)[1], first)


def test_a_generator_is_a_seed_and_no_seed_is_another_each_time() -> None:
    one, two = (epoch(Loader((X, Y), seed=np.random.default_rng(3)))[1] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    x = np.arange(1000)
    free = [epoch(Loader((x, x), 100))[0] for _ in range(2)]
    assert not np.array_equal(*free)


def test_transforms_differ_by_epoch_and_batch_and_not_by_prefetching() -> None:
    zeros = np.zeros((8, 3))
    runs = []
    for prefetch in (0, 1, 5):
        loader = Loader((zeros, zeros), 4, seed=5, transform=noise, prefetch=prefetch)
        runs.append(np.stack([epoch(loader)[0] for _ in range(3)]))  # (3, 8, 3)
        assert len(np.unique(runs[-1])) == runs[-1].size  # no number was drawn twice
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_the_order_is_the_same_with_and_without_a_transform() -> None:
    plain, changed = (
        epoch(Loader((X, Y), 3, seed=0, transform=transform))[1] for transform in (None, noise)
    )
    np.testing.assert_array_equal(plain, changed)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_transform_may_write_into_its_batch(shuffle: bool) -> None:
    def wipe(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        x[:] = 0
        return x

    x = np.ones((6, 2))
    assert not epoch(Loader((x, x), 4, shuffle=shuffle, transform=wipe))[0].any()
    assert x.all()


def test_drop_last() -> None:
    for source in ((X, Y), examples):
        assert [len(xb) for xb, _ in Loader(source, 4, drop_last=True)] == [4, 4]
    assert len(Loader((X, Y), 4, drop_last=True)) == 2
    assert len(Loader((X, Y), 4)) == 3


def test_a_function_can_ask_for_a_generator() -> None:
    def drawn(rng: np.random.Generator) -> Iterator[tuple[float, int]]:
        for i in range(6):
            yield float(rng.random()), i

    loader, again = (Loader(drawn, 4, seed=1) for _ in range(2))
    first, second = epoch(loader)[0], epoch(loader)[0]
    assert len(np.unique([first, second])) == 12
    np.testing.assert_array_equal(epoch(again)[0], first)


def test_a_shuffled_memory_map_is_read_by_the_batch(tmp_path: Path) -> None:
    rows, width = 4000, 1000  # 16 MB of float32
    path = tmp_path / "rows.dat"
    x = np.memmap(path, np.float32, "w+", shape=(rows, width))
    x[:] = np.arange(rows, dtype=np.float32)[:, None]
    x.flush()
    x = np.memmap(path, np.float32, "r", shape=(rows, width))
    y = np.arange(rows)
    for shuffle in (True, False):
        loader = Loader((x, y), 16, seed=0, shuffle=shuffle, prefetch=2)  # 64 kB a batch
        tracemalloc.start()
        try:
            for xb, yb in loader:
                assert (xb == yb[:, None]).all()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000


def test_leaving_the_loop_ends_the_thread() -> None:
    for depth in (1, 3):
        for _ in Loader((X, Y), 1, prefetch=depth):
            assert threads()
            break
        assert threads() == []
    batches = iter(Loader((X, Y), 1))
    next(batches)
    assert threads()
    del batches
    assert threads() == []


def test_a_finished_or_unstarted_epoch_leaves_no_thread() -> None:
    list(Loader((X, Y), 3))
    iter(Loader((X, Y), 3))
    assert threads() == []


def test_a_reader_in_a_cycle_is_collected_with_its_thread() -> None:
    class Holder:
        def __init__(self) -> None:
            self.batches = iter(Loader((X, Y), 1))
            self.me = self

    next(Holder().batches)
    assert threads() == []


def test_no_more_is_made_than_is_asked_for() -> None:
    rows = Rows()
    reader = iter(Loader(rows, 1, shuffle=False, prefetch=2))
    rows.asked.clear()
    next(reader)
    reader.close()  # type: ignore[attr-defined]
    assert len(rows.asked) <= 5  # one given, two waiting, one in hand, one more as it ended


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_is_raised_in_the_loop_with_its_traceback(prefetch: int) -> None:
    def broken(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        if 5 in x[:, 0] // 2:
            raise OSError("row 5 is gone")
        return x

    batches = iter(Loader((X, Y), 2, shuffle=False, transform=broken, prefetch=prefetch))
    next(batches)
    next(batches)
    with pytest.raises(OSError, match="row 5 is gone") as caught:
        next(batches)
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    del caught
    assert threads() == []


def test_a_thread_that_is_no_longer_wanted_stops_in_mid_stream() -> None:
    made = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    numbers = ahead(endless(), 2)
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    numbers.close()  # type: ignore[attr-defined]
    assert threads() == []
    assert len(made) <= 7


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ((X, Y[:3]), r"source: .* x of shape \(10, 2\) and y of shape \(3,\)"),
        ((X[:0], Y[:0]), r"at least one row of x, got x of shape \(0, 2\)"),
        ((3.0, Y), "got x of shape"),
        ([], "at least one row, got none"),
    ],
)
def test_sources_of_wrong_lengths_are_refused(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Loader(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (X, "got ndarray; put x and y into a pair"),
        (3, "got int; put x and y into a pair"),
        ({"x": X, "y": Y}, "got dict"),
        (examples(), "got generator; pass the function that makes it"),
        ((X, Y, Y), r"expected a pair \(x, y\), got 3 of them"),
        ([1, 2], r"row 0: expected a pair \(x, y\), got int"),
        ([(1, 2, 3)], r"row 0: expected a pair \(x, y\), got 3 of them"),
    ],
)
def test_what_is_no_source_is_refused(source: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"source: .*{message}"):
        Loader(source)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer of at least 1"),
        ({"batch_size": 2.5}, TypeError, "batch_size"),
        ({"batch_size": Y}, TypeError, r"batch_size: .* as a pair, Loader\(\(x, y\)\)"),
        ({"batch_size": None}, ValueError, "batch_size: expected a number for a source with rows"),
        ({"prefetch": -1}, ValueError, "prefetch: expected an integer of at least 0"),
        ({"batch_size": 11, "drop_last": True}, ValueError, "leaves no batch"),
        ({"transform": lambda x: x}, TypeError, r"transform: expected a callable \(x, rng\) -> x"),
        ({"transform": 3}, TypeError, r"transform: expected a callable \(x, rng\) -> x, got 3"),
        ({"transform": RandomFlip}, TypeError, r"got the class RandomFlip; .*RandomFlip\(\)"),
        ({"seed": -1}, ValueError, "seed: expected a whole number of at least 0, .* got -1"),
        ({"seed": "a"}, TypeError, "seed: expected a whole number of at least 0, .* got 'a'"),
        ({"seed": [1, 2]}, TypeError, r"seed: .* got \[1, 2\]"),
    ],
)
def test_senseless_options_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Loader((X, Y), **options)


def test_what_a_function_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="shuffle: expected None or False for a function"):
        Loader(examples, shuffle=True)
    with pytest.raises(TypeError, match="count them while iterating"):
        len(Loader(examples))
    spent = examples()
    loader = Loader(lambda: spent)
    list(loader)
    with pytest.raises(ValueError, match="got an empty one; make a new iterator at every call"):
        list(loader)
    with pytest.raises(TypeError, match="return an iterator over examples, got int"):
        list(Loader(lambda: 3))
    with pytest.raises(TypeError, match=r"item 0: expected a pair \(x, y\), got int"):
        list(Loader(lambda: iter([1, 2])))


def test_examples_of_different_shapes_are_refused() -> None:
    ragged = [(np.zeros(2), 0), (np.zeros(3), 1)]
    with pytest.raises(ValueError, match=r"every x to have one shape, got \(2,\) and \(3,\)"):
        list(Loader(ragged, 2))


@pytest.mark.parametrize("wrong", [lambda x, rng: None, lambda x, rng: x[:-1]])
def test_a_transform_that_loses_rows_is_refused(wrong: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="transform: expected it to return an array of 10 rows"):
        list(Loader((X, Y), transform=wrong))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_row_that_raises_stop_iteration_does_not_end_the_epoch(prefetch: int) -> None:
    class Broken(Rows):
        def __getitem__(self, i: int) -> tuple[NDArray[Any], int]:
            return next(row for row in [super().__getitem__(i)] if i != 3)

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(Loader(Broken(), 2, shuffle=False, prefetch=prefetch))


def test_a_thread_that_is_gone_is_reported_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "_LOOK_UP", 0.01)
    monkeypatch.setattr(background._Line, "fill", lambda line, items: line.put(["first"]))
    numbers = ahead(iter([1, 2]), 2)  # whose thread ends without a word, as after a fork
    assert next(numbers) == "first"
    with pytest.raises(RuntimeError, match="begin a new epoch in the new process"):
        next(numbers)


# going on


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_loader_goes_on_where_another_was(prefetch: int) -> None:
    x = np.arange(20.0).reshape(10, 2)

    def made() -> Loader:
        return Loader((x, x[:, 0]), 4, prefetch=prefetch, transform=jitter)

    first, second = made(), made()
    list(first)
    state = first.state_dict()
    expected = [batch[0] for _ in range(2) for batch in first]
    second.load_state_dict(state)
    found = [batch[0] for _ in range(2) for batch in second]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def jitter(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x + rng.normal(size=x.shape)


def test_the_state_of_another_loader_is_refused() -> None:
    x = np.zeros((10, 2))
    state = Loader((x, x), 4, seed=0).state_dict()
    other = Loader((x[:9], x[:9]), 5, seed=1, shuffle=False)
    told = "rows 10 instead of 9, batch_size 4 instead of 5, shuffle True instead of False, seed 0"
    with pytest.raises(ValueError, match=told):
        other.load_state_dict(state)
    assert other.state_dict()["seed"] == 1
