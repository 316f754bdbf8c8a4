"""Clipping: gradients that are too large are cut before they move anything.

An optimiser clips by itself when it is made with ``clip_value`` or ``clip_norm``. In a loop of
one's own the functions work on any gradients by name::

    gradients = {path: p.grad for path, p in network.named_parameters().items()}
    clipped, norm = optim.clip_by_global_norm(gradients, 1.0)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pellucid.arrays import Array, namespace
from pellucid.optim.checks import positive


def clip_by_value(gradients: Mapping[str, Array], limit: float) -> dict[str, Array]:
    """Return g <- min(max(g, -limit), limit), each element by itself.

    Infinity is cut like any large number, NaN stays. The arrays given are not changed. Goodfellow,
    Bengio and Courville, Deep Learning, 2016, section 10.11.1.

    Raises:
        ValueError: the limit is not a positive number.

    >>> import numpy as np
    >>> from pellucid import optim
    >>> optim.clip_by_value({"weight": np.array([-3.0, 0.5, 2.0])}, 1.0)["weight"].tolist()
    [-1.0, 0.5, 1.0]
    """
    limit = positive("limit", limit, "try 1.0")
    return {path: namespace(g).clip(g, min=-limit, max=limit) for path, g in gradients.items()}


def clip_by_global_norm(
    gradients: Mapping[str, Array], limit: float
) -> tuple[dict[str, Array], Array]:
    """Return g <- g * limit / max(||g||, limit), and ||g||, the norm over all gradients together.

    The direction of the whole stays what it was. Where one element is infinite or NaN, the norm is
    NaN and so are all clipped gradients: a step that has gone wrong is not hidden. The arrays given
    are not changed. Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013, algorithm 1.

    Raises:
        ValueError: there is no gradient, or the limit is not a positive number.

    >>> import numpy as np
    >>> from pellucid import optim
    >>> gradients = {"weight": np.array([3.0]), "bias": np.array([4.0])}
    >>> clipped, norm = optim.clip_by_global_norm(gradients, 2.5)
    >>> float(norm), clipped["weight"].tolist(), clipped["bias"].tolist()
    (5.0, [1.5], [2.0])
    """
    limit = positive("limit", limit, "try 1.0")
    norm = global_norm(gradients.values())
    scale = limit / namespace(norm).maximum(norm, limit)
    return {path: g * namespace(g).astype(scale, g.dtype) for path, g in gradients.items()}, norm


def global_norm(gradients: Iterable[Array]) -> Array:
    """Return ||g|| = sqrt(sum g^2) over all elements of all arrays.

    The squares are those of g / max |g|, so that none of them overflows. It is NaN where an element
    is infinite or NaN.
    """
    arrays = [g for g in gradients if g.size]
    if not arrays:
        raise ValueError("expected gradients with elements, got none; call loss.backward() before")
    xp = namespace(*arrays)
    largest = xp.max(xp.abs(arrays[0]))
    for g in arrays[1:]:
        largest = xp.maximum(largest, xp.max(xp.abs(g)))
    unit = xp.where(largest > 0, largest, xp.ones_like(largest))
    total = 0.0
    for g in arrays:
        square = g / unit
        square *= square
        total = total + xp.sum(square)
    return unit * xp.sqrt(total)
