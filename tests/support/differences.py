"""Derivatives by central differences on NumPy arrays, independent of everything under test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def central(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Return the gradient of a scalar-valued f at x, element by element: (f(x+h) - f(x-h)) / 2h."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[place] += step
        low[place] -= step
        gradient[place] = (f(high) - f(low)) / (2 * step)
    return gradient


def central_jacobian(
    f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """Return J[i, j] = d f_i / d x_j in the shape ``(*f.shape, *x.shape)``."""
    jacobian = np.zeros((*np.shape(f(x)), *x.shape))
    for place in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[place] += step
        low[place] -= step
        jacobian[(..., *place)] = (f(high) - f(low)) / (2 * step)
    return jacobian
