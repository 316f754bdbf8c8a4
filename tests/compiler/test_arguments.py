"""A compiled function keeps no graph: an argument's gradient is never lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import GraphError, Tensor, nn

X = np.array([1.0, 2.0])
LOST = r"expected arguments that are constants, .* argument 0 .*pellucid.compile\(pellucid.grad"


def square(x: Any) -> Tensor:
    return (x * x).sum()


def leaf() -> Tensor:
    return Tensor(X, requires_grad=True)


@pytest.fixture(params=[True, False], ids=["native", "numpy"])
def compiled(request: pytest.FixtureRequest) -> pellucid.Compiled:
    if request.param:
        pytest.importorskip("llvmlite")
    return pellucid.compile(square, native=request.param)


@pytest.mark.parametrize(
    "transform", [pellucid.grad, pellucid.value_and_grad, pellucid.jacobian, pellucid.hessian]
)
def test_a_derivative_from_outside_is_refused(
    compiled: pellucid.Compiled, transform: Callable[..., Any]
) -> None:
    for _ in range(2):  # nothing is remembered that would let it pass
        with pytest.raises(GraphError, match=LOST):
            transform(compiled)(X)
    assert compiled(X).item() == 5


def test_the_fix_that_the_error_names() -> None:
    np.testing.assert_array_equal(pellucid.compile(pellucid.grad(square))(X).numpy(), 2 * X)


def test_an_argument_that_requires_a_gradient_is_refused(compiled: pellucid.Compiled) -> None:
    for x in (leaf(), 2 * leaf()):
        with pytest.raises(GraphError, match=LOST):
            compiled(x)
        with pytest.raises(GraphError, match=LOST):
            compiled.repeat(3, x)
        assert compiled(x.detach()).item() == square(x).item()


def test_the_argument_is_named_wherever_it_is() -> None:
    several = pellucid.compile(lambda x, *, more: {"out": [x * more["y"]]}, native=False)
    with pytest.raises(GraphError, match=r"argument more\.y"):
        several(X, more={"y": leaf()})


def test_without_recording_nothing_is_lost(compiled: pellucid.Compiled) -> None:
    for _ in range(2):
        with pellucid.no_grad():
            assert compiled(leaf()).item() == 5
        with pytest.raises(GraphError, match=LOST):
            compiled(leaf())


def test_a_result_without_a_gradient_may_depend_on_such_an_argument() -> None:
    network = nn.Dense(2, 3, rng=0)
    right = pellucid.compile(lambda out, y: (out.argmax(axis=1) == y).mean())
    y = np.array([0])
    out = network(X[None].astype(np.float32))
    assert out.requires_grad
    assert right(out, y).item() == (np.argmax(out.numpy()) == 0)
    aside = pellucid.compile(lambda x: (x.detach() ** 2).sum())
    assert aside(leaf()).item() == 5


def test_a_gradient_computed_inside_is_a_result_like_others() -> None:
    def slope(x: Tensor) -> Any:
        loss = square(x)
        loss.backward()
        return loss, x.grad

    loss, found = pellucid.compile(slope)(leaf())
    assert loss.item() == 5
    np.testing.assert_array_equal(found, 2 * X)


def test_whether_an_argument_requires_a_gradient_is_not_remembered() -> None:
    function = pellucid.compile(lambda x: Tensor(1.0 if x.requires_grad else 0.0))
    assert [function(x).item() for x in (Tensor(X), leaf(), Tensor(X))] == [0, 1, 0]
