"""What an operation of the tape costs, counted on its own formulas.

An operation is written over an array namespace. Here that namespace writes down what is asked of
it, and each primitive counts: an elementwise function or operator one operation for each element of
the result, a reduction one for each element that goes in, a product of matrices 2mnk (a multiply
and an add), a convolution likewise. Moving, copying, indexing and converting cost nothing. So the
count follows the code, forward and backward, and there is no table beside it to keep right. Only
what the tape does between operations, adding up the gradients of a tensor that is used several
times, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from pellucid.arrays import Shape
from pellucid.autograd.tape import Node as TapeNode
from pellucid.autograd.tape import unbroadcast
from pellucid.compiler.graph import Node
from pellucid.compiler.primitives import ELEMENTWISE, REDUCTIONS
from pellucid.compiler.trace import Symbol, TraceError, Tracing, finished, input_symbol
from pellucid.ops.op import Op

FREE = frozenset({"astype", "copy", "input", "constant"})


class Flops(NamedTuple):
    """Floating-point operations of the forward and of the backward pass."""

    forward: int = 0
    backward: int = 0


def total(costs: Iterable[Flops]) -> Flops:
    """Return the costs added up."""
    pairs = list(costs)
    return Flops(sum(cost.forward for cost in pairs), sum(cost.backward for cost in pairs))


def flops_of(node: TapeNode, wanted: Sequence[bool] | None = None) -> Flops:
    """Return what the operation that made a recorded tensor costs; 0 for a leaf.

    Backward is what its rule does for the operands that require a gradient, or for those
    ``wanted``, summing over broadcast axes included.
    """
    if node.op is None:
        return Flops()
    if wanted is None:
        wanted = [isinstance(x, TapeNode) and x.requires_grad for x in node.inputs]
    operands = [x.data if isinstance(x, TapeNode) else x for x in node.inputs]
    return flops(node.op, operands, node.data, node.params, wanted)


def flops(
    op: type[Op], operands: Sequence[Any], out: Any, params: dict[str, Any], wanted: Sequence[bool]
) -> Flops:
    """Return what an operation costs on operands of these shapes, and its rule for those wanted."""
    try:
        return _counted(op, operands, out, params, wanted)
    except TraceError:  # a mask as an index: an addition for each element that is put back
        return Flops(0, np.size(out) if any(wanted) else 0)


def _counted(
    op: type[Op], operands: Sequence[Any], out: Any, params: dict[str, Any], wanted: Sequence[bool]
) -> Flops:
    xp: Any = Tracing()
    given = [
        input_symbol(f"x{i}", x) if isinstance(x, np.ndarray) else x for i, x in enumerate(operands)
    ]
    forward = counted([op.forward(xp, *given, **params)])
    if not any(wanted):
        return Flops(forward)
    g, result = input_symbol("g", out), input_symbol("out", out)
    rules = op.vjp(xp, g, result, *given, **params)
    gradients = []
    for rule, operand, wants in zip(rules, given, wanted, strict=True):
        if rule is not None and wants:
            gradient = rule() if callable(rule) else rule
            gradients.append(unbroadcast(xp, gradient, operand.shape))
    return Flops(forward, counted(gradients))


def counted(results: Sequence[Any]) -> int:
    """Return the operations of everything that the results were computed from, each once."""
    symbols = {str(i): x for i, x in enumerate(results) if isinstance(x, Symbol)}
    return sum(map(primitive_flops, finished({}, symbols).nodes()))


def primitive_flops(node: Node) -> int:
    """Return the operations of one primitive."""
    if node.op in FREE:
        return 0
    if node.op in ELEMENTWISE:
        return node.size
    if node.op in REDUCTIONS or node.op in ("argmax", "argmin"):
        return node.inputs[0].size
    if node.op == "matmul":
        return 2 * node.size * node.inputs[0].shape[-1]
    if node.op == "einsum":
        return einsum_flops(node.param("subscripts"), [x.shape for x in node.inputs])
    if node.op in ("conv", "conv_input", "conv_kernel"):
        return conv_flops(node)
    if node.op in ("scatter_add", "windows_input"):  # an addition for each element put in place
        return node.inputs[0].size
    return 0


def conv_flops(node: Node) -> int:
    """Return the operations of a convolution or of one of its gradients.

    All three multiply and add once for each element of the convolution's output and each weight
    that it sees: one of its output channel's filter, ``(*kernel, Ci // groups)``.
    """
    first, second = (x.shape for x in node.inputs)
    if node.op == "conv":
        out, filters = node.shape, second
    elif node.op == "conv_input":
        out, filters = first, second
    else:
        out, filters = second, node.shape
    return 2 * prod(out) * prod(filters[:-1])


def einsum_flops(subscripts: str, shapes: Sequence[Shape]) -> int:
    """Return the operations of a sum of products: one product a factor, one sum, for each term."""
    terms, output = subscripts.split("->")
    letters = terms.split(",")
    sizes = dict(
        pair
        for term, shape in zip(letters, shapes, strict=True)
        for pair in zip(term, shape, strict=True)
    )
    summed = set(sizes) - set(output)
    return prod(sizes.values()) * (len(letters) - 1 + bool(summed))
