"""Operations of one's own: what users call with a class that has a value and a gradient rule."""

from __future__ import annotations

from typing import Any

from pellucid.autograd.apply import to_array
from pellucid.autograd.tensor import Tensor, as_tensor
from pellucid.autograd.tensor import apply as applied
from pellucid.ops.op import Op


def apply(op: type[Op], /, *operands: Any, **params: Any) -> Tensor:
    """Return the value of an operation on tensors, recorded so that gradients go through it.

    It is what `torch.autograd.Function.apply` is in PyTorch; how an operation is defined, see `Op`.

    Args:
        op: a subclass of `Op`, the class itself.
        operands: tensors, arrays, lists or numbers, which ``forward`` is given as arrays; they are
            brought to one dtype as ``op.casts`` says.
        params: settings, handed to ``forward`` and ``vjp`` as they are.

    Raises:
        TypeError: it is no such class, there is no operand, or ``forward`` returns no array.
        ShapeError: ``forward`` cannot take operands of these shapes.

    >>> import pellucid
    >>> class Scale(pellucid.Op):
    ...     casts = "float"
    ...
    ...     @staticmethod
    ...     def forward(xp, x, *, by):
    ...         return by * x
    ...
    ...     @staticmethod
    ...     def vjp(xp, g, out, x, *, by):
    ...         return (by * g,)
    >>> x = pellucid.Tensor([1.0, 2.0], requires_grad=True)
    >>> pellucid.apply(Scale, x, by=3).sum().backward()
    >>> x.grad
    array([3., 3.], dtype=float32)
    """
    if not (isinstance(op, type) and issubclass(op, Op) and hasattr(op, "forward")):
        raise TypeError(
            f"expected a subclass of pellucid.Op with a forward, got {op!r:.60}; pass the class "
            "itself, then its operands: pellucid.apply(Scale, x)"
        )
    if not operands:
        raise TypeError(
            f"expected at least one operand for {op.__name__}, got none; pass arrays in their "
            "order, and settings by name"
        )
    if any(isinstance(x, Tensor) for x in operands):
        operands = tuple(to_array(x) if isinstance(x, list | tuple) else x for x in operands)
    else:
        operands = tuple(map(as_tensor, operands))
    out = applied(op, *operands, **params)
    if out.dtype.kind not in "fiub":
        raise TypeError(
            f"expected {op.__name__}.forward to return an array of numbers, got {out.dtype} data; "
            "return one array, computed with xp and operators"
        )
    return out
