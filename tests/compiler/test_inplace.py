"""New state written where the old one lies: many steps at once are the steps one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import Tensor
from pellucid.arrays import namespace
from pellucid.compiler import program as module
from support.hazards import dealt, faults

N = 40


def sums(x: Any, axis: Any) -> Any:
    return namespace(x).sum(x, axis=axis, keepdims=True)


def softmax(x: Any) -> Any:
    e = namespace(x).exp(x - namespace(x).max(x, axis=1, keepdims=True))
    return e / sums(e, 1)


def padded(x: Any) -> Any:
    return namespace(x).pad(x, widths=((1, 1), (1, 1)), value=1)


def shaped(x: Any, rows: int, columns: int) -> Any:
    return namespace(x).reshape(x, (rows, columns))


# of two square matrices and a step's argument, the new ones
RULES: dict[str, Callable[[Any, Any, Any], tuple[Any, Any]]] = {
    "apart": (lambda a, b, x: (a + x, b * x)),
    "each from the other": (lambda a, b, x: (a + b * x, b - a)),
    "swapped": (lambda a, b, x: (b, a)),
    "swapped and moved": (lambda a, b, x: (b + x, a * x)),
    "copied": (lambda a, b, x: (a, a)),
    "a later kernel reads": (lambda a, b, x: (a * x, b + sums(sums(a, 0), 1))),
    "a product reads": (lambda a, b, x: (a + x, (a @ b) / N)),
    "a product writes": (lambda a, b, x: ((a @ b) / N, b)),
    "an epilogue's product reads": (lambda a, b, x: (a - (a @ b) * x, b - (b.mT @ a) * x)),
    "each moved by the other's product": (lambda a, b, x: (a - (b @ b) / N, b - (a @ a) * x)),
    "transposed": (lambda a, b, x: (a.mT + x, b)),
    "both ways": (lambda a, b, x: (a.mT + a * x, b + a)),
    "backwards": (lambda a, b, x: (a[::-1] * x, namespace(b).flip(b, axis=None))),
    "shifted": (lambda a, b, x: (namespace(a).concat([a[1:], a[:1]], axis=0), b + a)),
    "half of it": (lambda a, b, x: (namespace(a).concat([a[:20] + x, b[20:]], axis=0), b)),
    "one row for all": (lambda a, b, x: (a - a[:1], b - b[:, 3:4] * x)),
    "its own sums": (lambda a, b, x: (a - sums(a, 1) / N, b - sums(b, 0) / N)),
    "softmax": (lambda a, b, x: (softmax(a), b)),
    "padded": (lambda a, b, x: (padded(a[1:-1, 1:-1]), b)),
    "reshaped": (lambda a, b, x: (shaped(shaped(a, N // 2, 2 * N)[:, ::-1], N, N), b + x)),
    "gathered": (lambda a, b, x: (namespace(a).index(a, (ORDER,)), b + a)),
    "scattered": (lambda a, b, x: (namespace(a).scatter_add(a, (ORDER,), shape=(N, N)), b + a)),
}  # fmt: skip
ORDER = np.random.default_rng(3).permutation(N)


def states() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    return tuple(Tensor(rng.normal(size=(N, N)).astype("f4")) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", RULES)
def test_rules(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH", -1)
    found = []
    for way in ("one by one", "at once"):
        a, b = states()

        def step(x: Any, a: Tensor = a, b: Tensor = b) -> Any:
            a.data, b.data = RULES[name](a.data, b.data, x.data)
            return a.sum()

        compiled = pellucid.compile(step, state=[[a, b]], threads=threads)
        x = np.linspace(0.1, 0.9, 7, dtype="f4")
        bound = compiled.bound(x[0])
        assert bound.traced.program is not None
        state = [("0.0", "new 0.0"), ("0.1", "new 0.1")]
        graph = bound.traced.graph
        assert not faults(dealt(graph, threads, [p for p in state if p[1] in graph.outputs]))
        if way == "at once":
            for start, stop in ((0, 1), (1, 3), (3, 7)):
                bound.repeat(stop - start, {"arg.0": x[start:stop]}, ["arg.0"])
        else:
            for one in x:
                compiled(one)
        found.append((a.data.tobytes(), b.data.tobytes()))
    assert found[0] == found[1]


def test_what_may_lie_in_place_does() -> None:
    """An update element by element; not where another element is needed later."""
    for name, places in (
        ("apart", 2),
        ("each from the other", 2),
        ("transposed", 0),
        ("shifted", 0),
    ):
        a, b = states()

        def step(x: Any, a: Tensor = a, b: Tensor = b, name: str = name) -> None:
            a.data, b.data = RULES[name](a.data, b.data, x.data)

        bound = pellucid.compile(step, state=[[a, b]]).bound(np.ones((), "f4"))
        program = bound.traced.program
        assert program is not None
        new = program.graph.outputs["new 0.0"], program.graph.outputs.get("new 0.1")
        assert sum(node in program.overlaid for node in new) >= places
        if not places:
            assert new[0] not in program.overlaid


def test_numbers_and_tied_state() -> None:
    """State of no axes, a count, and one tensor that is named twice."""
    found = []
    for way in (False, True):
        w, scale = Tensor(np.ones(3, "f4")), Tensor(np.array(2.0, "f4"))

        def step(x: Any, w: Tensor = w, scale: Tensor = scale) -> Any:
            scale.data = scale.data * 0.5 + x.data
            w.data = w.data * scale.data
            return w.sum()

        compiled = pellucid.compile(step, state=[[w, scale], [w]])
        x = np.arange(5, dtype="f4")
        if way:
            compiled.bound(x[0]).repeat(5, {"arg.0": x}, ["arg.0"])
            compiled(x[0])
        else:
            for one in (*x, x[0]):
                compiled(one)
        found.append((w.data.tobytes(), scale.data.tobytes()))
    assert found[0] == found[1]
