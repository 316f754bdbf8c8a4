"""Recurrent networks, a whole sequence at a time."""

from __future__ import annotations

from typing import Any

from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.errors import ShapeError
from pellucid.ops import recurrent


def rnn(z: Any, u: Any, h: Any, /, *, relu: bool = False) -> Tensor:
    """Return the states ``(N, T, H)`` of a simple recurrent network; see `nn.RNN`.

    Args:
        z: what the input says to each step, x @ W + b, ``(N, T, H)``.
        u: recurrent weights ``(H, H)``.
        h: state before the first step ``(N, H)``.
        relu: whether relu takes the place of tanh.
    """
    tensors = _checked("rnn", 1, z, u, h)
    return apply(recurrent.Rnn, *tensors, relu=relu)


def lstm(z: Any, u: Any, h: Any, c: Any, /) -> Tensor:
    """Return the states h and c of a long short-term memory, ``(N, T, 2 H)``; see `nn.LSTM`.

    Args:
        z: what the input says to the four gates at each step, ``(N, T, 4 H)``.
        u: recurrent weights ``(H, 4 H)``.
        h: output before the first step ``(N, H)``.
        c: state of the cell before the first step ``(N, H)``.
    """
    return apply(recurrent.Lstm, *_checked("lstm", 4, z, u, h, c))


def gru(z: Any, u: Any, b: Any, h: Any, /) -> Tensor:
    """Return the states ``(N, T, H)`` of a gated recurrent unit; see `nn.GRU`.

    Args:
        z: what the input says to the three gates at each step, ``(N, T, 3 H)``.
        u: recurrent weights ``(H, 3 H)``.
        b: recurrent biases ``(3 H,)``.
        h: state before the first step ``(N, H)``.
    """
    z, u, h = _checked("gru", 3, z, u, h)
    b = as_tensor(b)
    if b.shape != z.shape[2:]:
        raise ShapeError(f"gru: expected biases of shape {z.shape[2:]}, got {b.shape}")
    return apply(recurrent.Gru, z, u, b, h)


def _checked(name: str, gates: int, z: Any, u: Any, *states: Any) -> list[Tensor]:
    """Return the operands as tensors, or refuse shapes that do not fit or would broadcast."""
    z, u = as_tensor(z), as_tensor(u)
    size = u.shape[0] if u.ndim else 0
    wanted = (size, gates * size)
    if z.ndim != 3 or u.shape != wanted or z.shape[2] != wanted[1] or z.shape[1] == 0:
        raise ShapeError(
            f"{name}: expected (N, T, {gates} H) with T of at least 1 and weights (H, {gates} H), "
            f"got {z.shape} and {u.shape}"
        )
    starts = [as_tensor(state) for state in states]
    for state in starts:
        if state.shape != (z.shape[0], size):
            raise ShapeError(
                f"{name}: expected a state of shape {(z.shape[0], size)}, got {state.shape}"
            )
    return [z, u, *starts]
