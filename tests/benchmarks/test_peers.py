"""All peers of the comparison make the same steps; nothing here asserts a speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cases import Case
from peers import PEERS, RIVALS

CASE = Case((6, 16, 8, 4), batch=12, rate=1e-2)
TOLERANCE = 1e-4
COMPILED = "PyTorch, compiled", "PyTorch, compiled but for Adam"
OTHERS = (
    "pellucid",
    "pellucid, a call for each step",
    "pellucid, eager",
    "scikit-learn",
    "NumPy by hand",
)


def losses(peer: str, case: Case = CASE) -> list[float]:
    """Return the losses of five steps."""
    make, _ = PEERS[peer].load()
    run = make(case)
    return [run(1) for _ in range(5)]


theirs = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Let PyTorch run the functions it is to compile as they are, without a compiler."""
    torch = pytest.importorskip("torch")
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.mark.parametrize("peer", ["pellucid", "scikit-learn", "NumPy by hand"])
def test_steps_are_the_same_everywhere(peer: str) -> None:
    assert losses(peer) == pytest.approx(losses("pellucid, eager"), rel=TOLERANCE)


def test_scikit_learn_makes_the_same_steps_on_a_batch_without_some_classes() -> None:
    few = replace(CASE, batch=2)
    assert losses("scikit-learn", few) == pytest.approx(losses("NumPy by hand", few), rel=TOLERANCE)


@pytest.mark.torch
def test_steps_are_the_same_in_pytorch() -> None:
    pytest.importorskip("torch")
    assert losses("PyTorch") == pytest.approx(losses("pellucid, eager"), rel=TOLERANCE)


@theirs
@pytest.mark.torch
@pytest.mark.parametrize("peer", COMPILED)
def test_steps_are_the_same_in_what_pytorch_compiles(peer: str, uncompiled: None) -> None:
    assert losses(peer) == pytest.approx(losses("pellucid, eager"), rel=TOLERANCE)


def test_steps_are_the_same_in_jax() -> None:
    pytest.importorskip("jax")
    assert losses("JAX") == pytest.approx(losses("pellucid, eager"), rel=TOLERANCE)


@pytest.mark.parametrize("wrong", [{"rate": 1.1e-2}, {"sizes": (6, 16, 4)}])
def test_the_comparison_would_see_another_step(wrong: dict[str, object]) -> None:
    other = replace(CASE, **wrong)
    assert losses("NumPy by hand", other) != pytest.approx(losses("NumPy by hand"), rel=TOLERANCE)


@pytest.mark.parametrize("peer", OTHERS)
def test_a_count_is_that_many_steps(peer: str) -> None:
    make, _ = PEERS[peer].load()
    assert make(CASE)(5) == pytest.approx(losses(peer)[-1], rel=1e-6)


@pytest.mark.parametrize("peer", OTHERS)
def test_rows_are_gone_over_and_learned_from(peer: str) -> None:
    make, about = PEERS[peer].load()
    run = make(replace(CASE, rows=48))
    first = run(1)
    assert run(30) < 0.9 * first
    assert about()


@theirs
@pytest.mark.torch
@pytest.mark.parametrize("peer", ["PyTorch", *COMPILED])
def test_rows_are_gone_over_and_learned_from_in_pytorch(peer: str, uncompiled: None) -> None:
    test_rows_are_gone_over_and_learned_from(peer)


def test_rows_are_gone_over_and_learned_from_in_jax() -> None:
    pytest.importorskip("jax")
    test_rows_are_gone_over_and_learned_from("JAX")


def test_the_loss_over_rows_is_their_mean() -> None:
    case = replace(CASE, rows=48, rate=1e-12)  # nothing moves
    means = [PEERS[peer].load()[0](case)(2) for peer in ("pellucid", "NumPy by hand")]
    batch = PEERS["NumPy by hand"].load()[0](replace(case, rows=0, batch=48))(1)
    assert means == pytest.approx([batch, batch], rel=TOLERANCE)


def test_rivals_are_all_but_ours() -> None:
    assert all(name.startswith("pellucid") for name in set(PEERS) - set(RIVALS))
    assert not any(name.startswith("pellucid") for name in RIVALS)


def test_a_case_comes_back_from_its_text() -> None:
    assert Case.from_json(CASE.to_json()) == CASE


@pytest.mark.parametrize(
    ("sizes", "batch", "rows"), [((4,), 2, 0), ((4, 2), 0, 0), ((4, 2), 8, 12)]
)
def test_impossible_cases_are_refused(sizes: tuple[int, ...], batch: int, rows: int) -> None:
    with pytest.raises(ValueError, match="rows in whole batches, got"):
        Case(sizes, batch, rows)
