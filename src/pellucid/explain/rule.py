"""What a rule is: one kind of layer, forward and backward, derived by hand on plain arrays."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.autograd import Tensor

Numbers: TypeAlias = NDArray[Any]


class Rule:
    """One layer's forward and backward pass in plain NumPy.

    ``forward`` keeps what ``backward`` needs. ``backward`` takes dL/dout and returns the gradient
    of each parameter by its name in the layer, and that of the input under "X" (left out where the
    input has none).

    Attributes:
        value: the equation of the output.
        equations: one equation for each gradient, in words a reader can follow.
        symbols: how each gradient is called in them, "X" included.
        out: how the output is called.
    """

    value = ""
    equations: tuple[str, ...] = ()
    symbols: dict[str, str] = {"X": "dX"}  # noqa: RUF012 - never changed
    out = "Z"

    def __init__(self, layer: Any = None) -> None:
        self.layer = layer

    def forward(self, x: Numbers) -> Numbers:
        """Return the layer's output."""
        raise TypeError(f"{type(self).__name__} has no forward(); define it in the class")

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return the gradients, given g = dL/dout."""
        raise TypeError(f"{type(self).__name__} has no backward(); define it in the class")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters by the letters that the equations use."""
        return {}


def data(tensor: Tensor | None) -> Numbers:
    """Return a parameter's numbers; 0 for a parameter that the layer does without."""
    return np.zeros(()) if tensor is None else np.asarray(tensor.data)


def over_rows(x: Numbers) -> Numbers:
    """Return ``(..., features)`` as a table of rows."""
    return x.reshape(-1, x.shape[-1])
