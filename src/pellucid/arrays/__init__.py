"""Array backends: the functions a formula may call, and which of them belongs to which array."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import numpy as np

from pellucid.arrays import numpy as numpy_backend
from pellucid.arrays.convolution import output_size
from pellucid.arrays.protocol import Array, Axis, DType, Namespace, Pairs, Shape

__all__ = [
    "Array",
    "Axis",
    "DType",
    "Namespace",
    "Pairs",
    "Shape",
    "all_finite",
    "namespace",
    "output_size",
    "quiet",
    "register",
]

NUMPY = cast(Namespace, numpy_backend)
NAMESPACES: dict[type, Namespace] = {np.ndarray: NUMPY}


def register(array_type: type, backend: Namespace) -> None:
    """Let arrays of ``array_type`` be computed by ``backend``."""
    NAMESPACES[array_type] = backend


def namespace(*arrays: Array) -> Namespace:
    """Return the backend of the first argument that is not NumPy's; else NumPy's."""
    for array in arrays:
        backend = NAMESPACES.get(type(array), NUMPY)
        if backend is not NUMPY:
            return backend
    return NUMPY


def quiet() -> AbstractContextManager[object]:
    """Silence floating-point warnings: gradients pass through places whose value is thrown away."""
    return np.errstate(all="ignore")


def all_finite(array: Array) -> bool:
    """Whether there is no NaN and no infinity among the elements.

    A finite sum has only finite terms, and takes half the time that looking at each does. Where
    it is not finite the terms may only be large, and are looked at.
    """
    with quiet():
        return bool(np.isfinite(np.sum(array)) or np.isfinite(array).all())
