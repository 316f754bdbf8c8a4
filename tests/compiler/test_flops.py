"""Operations counted on the formulas themselves, against the usual counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
from contracts import test_ops  # noqa: F401 - fills CASES
from contracts.op_contract import is_float
from contracts.op_samples import CASES
from pellucid import Tensor
from pellucid.arrays import NUMPY
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.compiler.flops import flops, flops_of
from pellucid.ops import REGISTRY

sizes = st.integers(1, 6)


def tensor(*shape: int) -> Tensor:
    return Tensor(np.ones(shape, np.float32), requires_grad=True)


@settings(max_examples=25, deadline=None)
@given(n=sizes, d=sizes, k=sizes)
def test_a_product_of_matrices_is_2mnk_and_twice_that_backward(n: int, d: int, k: int) -> None:
    assert flops_of(tensor(n, d) @ tensor(d, k)) == (2 * n * d * k, 4 * n * d * k)
    constant = Tensor(np.ones((n, d), np.float32))
    assert flops_of(constant @ tensor(d, k)) == (2 * n * d * k, 2 * n * d * k)


@settings(max_examples=25, deadline=None)
@given(n=sizes, side=st.integers(3, 8), taps=st.integers(1, 3), ci=sizes, co=sizes)
def test_a_convolution_multiplies_and_adds_once_a_tap(
    n: int, side: int, taps: int, ci: int, co: int
) -> None:
    how = {"stride": (1, 1), "padding": ((0, 0),) * 2, "dilation": (1, 1), "groups": 1}
    out = F.conv(tensor(n, side, side, ci), tensor(taps, taps, ci, co), **how)
    once = 2 * out.size * taps * taps * ci
    assert flops_of(out) == (once, 2 * once)


def test_what_the_rule_sums_over_broadcast_axes_counts() -> None:
    assert flops_of(tensor(5, 3) + tensor(3)) == (15, 15)
    assert flops_of(tensor(5, 3) + tensor(5, 3)) == (15, 0)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (lambda: tensor(4, 3) * 2.0, (12, 12)),
        (lambda: tensor(4, 3).sum(), (12, 0)),
        (lambda: tensor(4, 3).reshape(12), (0, 0)),
        (lambda: tensor(4, 3).T, (0, 0)),
        (lambda: tensor(4, 3)[1:], (0, 9)),
        (lambda: tensor(4, 3)[np.eye(4, 3) > 0], (0, 3)),
        (lambda: pellucid.einsum("ij,jk->ik", tensor(2, 3), tensor(3, 4)), (48, 96)),
        (lambda: tensor(4, 3), (0, 0)),
    ],
)
def test_counts_by_hand(result: object, expected: tuple[int, int]) -> None:
    assert flops_of(result()) == expected  # type: ignore[operator]


@pytest.mark.parametrize("name", REGISTRY)
def test_every_operation_can_be_counted(name: str) -> None:
    op = REGISTRY[name]
    for sample in CASES[name].samples:
        operands = [
            np.asarray(x, np.float32) if is_float(x) and np.ndim(x) else x for x in sample.operands
        ]
        operands = [np.asarray(x) if isinstance(x, np.ndarray | list) else x for x in operands]
        wanted = [isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in operands]
        with np.errstate(all="ignore"):
            out = np.asarray(op.forward(NUMPY, *operands, **sample.params))
        cost = flops(op, operands, out, sample.params, wanted if op.differentiable else [])
        assert cost.forward >= 0
        assert cost.backward >= 0
