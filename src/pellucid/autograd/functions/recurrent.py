"""Recurrent networks, a whole sequence at a time."""

from __future__ import annotations

from typing import Any

from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.errors import ShapeError
from pellucid.ops import recurrent


def rnn(z: Any, u: Any, h: Any, /, *, relu: bool = False) -> Tensor:
    """Return the states ``(N, T, H)`` of a simple recurrent network; see `nn.RNN`.

        h[t] = tanh(z[t] + h[t-1] @ u)

    Elman, "Finding structure in time", Cognitive Science 14, 1990.

    Args:
        z: what the input says to each step, x @ W + b, ``(N, T, H)``.
        u: recurrent weights ``(H, H)``.
        h: state before the first step ``(N, H)``.
        relu: whether relu takes the place of tanh.

    Raises:
        ShapeError: shapes do not fit, or there is no step.

    >>> import pellucid
    >>> z = pellucid.ones((1, 4, 1))  # four steps
    >>> pellucid.rnn(z, [[1.0]], [[0.0]], relu=True).flatten()  # h[t] = 1 + h[t-1]
    Tensor([1., 2., 3., 4.])
    """
    tensors = _checked("rnn", 1, z, u, h)
    return apply(recurrent.Rnn, *tensors, relu=relu)


def lstm(z: Any, u: Any, h: Any, c: Any, /) -> Tensor:
    """Return the states h and c of a long short-term memory, ``(N, T, 2 H)``; see `nn.LSTM`.

        c[t] = s(a_f) * c[t-1] + s(a_i) * tanh(a_n)
        h[t] = s(a_o) * tanh(c[t])

    with s the logistic function and a = z[t] + h[t-1] @ u, cut into a_i, a_f, a_n and a_o.
    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; with the
    forget gate of Gers, Schmidhuber and Cummins, Neural Computation 12, 2000.

    Args:
        z: what the input says to the four gates at each step, ``(N, T, 4 H)``.
        u: recurrent weights ``(H, 4 H)``.
        h: output before the first step ``(N, H)``.
        c: state of the cell before the first step ``(N, H)``.

    Raises:
        ShapeError: shapes do not fit, or there is no step.

    >>> import pellucid
    >>> z, u = pellucid.zeros((1, 3, 4)), pellucid.zeros((1, 4))
    >>> states = pellucid.lstm(z, u, [[0.0]], [[8.0]])
    >>> states[0, :, 1]  # the gates are half open: the cell forgets half at each step
    Tensor([4., 2., 1.])
    """
    return apply(recurrent.Lstm, *_checked("lstm", 4, z, u, h, c))


def gru(z: Any, u: Any, b: Any, h: Any, /) -> Tensor:
    """Return the states ``(N, T, H)`` of a gated recurrent unit; see `nn.GRU`.

        r = s(z_r + q_r),  w = s(z_w + q_w),  n = tanh(z_n + r * q_n)
        h[t] = (1 - w) * n + w * h[t-1]

    with s the logistic function and q = h[t-1] @ u + b; z[t] and q are cut into three parts each.
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", EMNLP 2014; r acts on the product with u, as in version 1 of arXiv 1406.1078.

    Args:
        z: what the input says to the three gates at each step, ``(N, T, 3 H)``.
        u: recurrent weights ``(H, 3 H)``.
        b: recurrent biases ``(3 H,)``.
        h: state before the first step ``(N, H)``.

    Raises:
        ShapeError: shapes do not fit, or there is no step.

    >>> import pellucid
    >>> z, u = pellucid.zeros((1, 3, 3)), pellucid.zeros((1, 3))
    >>> pellucid.gru(z, u, [0.0, 0.0, 0.0], [[8.0]]).flatten()  # w = 1/2 and n = 0
    Tensor([4., 2., 1.])
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
