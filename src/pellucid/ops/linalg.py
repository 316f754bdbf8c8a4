"""Sums of products: matrices, stacks of matrices, and any contraction einsum can name."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.arrays import Array, Namespace
from pellucid.ops.op import Gradients, Op


class MatMul(Op):
    """out = a @ b for matrices or stacks of them;  da = g @ b^T,  db = a^T @ g."""

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a @ b

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, a: Array, b: Array) -> Gradients:
        return lambda: g @ b.mT, lambda: a.mT @ g


class Einsum(Op):
    """out = sum of products over the letters absent from the output.

    The gradient of one operand is the einsum of g with the others into that operand's letters; a
    letter that only this operand has was summed away, so its gradient is repeated along it.
    """

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, *operands: Array, subscripts: str) -> Array:
        return xp.einsum(subscripts, *operands)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, *operands: Array, subscripts: str) -> Gradients:
        inputs, output = subscripts.split("->")
        terms = inputs.split(",")

        def gradient(i: int) -> Callable[[], Array]:
            others = [term for j, term in enumerate(terms) if j != i]
            known = set(output).union(*others)
            letters = "".join(letter for letter in terms[i] if letter in known)
            kept = tuple(
                n if letter in known else 1
                for letter, n in zip(terms[i], operands[i].shape, strict=True)
            )

            def compute() -> Array:
                factors = (operand for j, operand in enumerate(operands) if j != i)
                dx = xp.einsum(f"{','.join([output, *others])}->{letters}", g, *factors)
                return xp.broadcast_to(xp.reshape(dx, kept), operands[i].shape)

            return compute

        return tuple(gradient(i) for i in range(len(operands)))
