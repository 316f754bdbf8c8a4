"""Recurrent networks: states that follow each other in time, a whole sequence in one operation.

z ``(N, T, k H)`` is what the input says to the k gates at each of T steps, all of it computed
before; u ``(H, k H)`` are the recurrent weights and h ``(N, H)`` is the state before the first
step. The result holds the states at all steps. Gradients go back from the last step to the first
(Werbos, "Backpropagation through time: what it does and how to do it", Proceedings of the IEEE 78,
1990): of the rule, only what needs the next step's gradient stands in the loop. The gates are
computed anew from the states, all steps in one product, instead of being kept.
"""

from __future__ import annotations

from pellucid.arrays import Array, Namespace
from pellucid.ops.activations import logistic
from pellucid.ops.elementwise import Float
from pellucid.ops.op import Gradients


class Rnn(Float):
    """out[t] = f(z[t] + out[t-1] @ u), f = tanh, or relu if so told;  out[0] = h.

    da[t] = (g[t] + da[t+1] @ u^T) * f'[t] is the gradient before f: dz = da, du = sum over t of
    out[t-1]^T @ da[t], dh = da[1] @ u^T. Elman, "Finding structure in time", Cognitive Science 14,
    1990.
    """

    @staticmethod
    def forward(xp: Namespace, z: Array, u: Array, h: Array, *, relu: bool) -> Array:
        states = []
        for t in range(z.shape[1]):
            a = z[:, t, :] + h @ u  # (N, H)
            h = xp.maximum(a, 0.0) if relu else xp.tanh(a)
            states.append(h)
        return xp.stack(states, axis=1)  # (N, T, H)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, z: Array, u: Array, h: Array, *, relu: bool
    ) -> Gradients:
        slope = xp.astype(out > 0, out.dtype) if relu else 1 - out * out
        back, dh = [], xp.zeros_like(h)
        for t in reversed(range(z.shape[1])):
            da = (g[:, t, :] + dh) * slope[:, t, :]  # (N, H)
            dh = da @ u.mT
            back.append(da)
        dz = xp.stack(back[::-1], axis=1)  # (N, T, H)
        return dz, lambda: rows(xp, before(xp, h, out)).mT @ rows(xp, dz), dh


class Lstm(Float):
    """h[t] = o * tanh c[t],  c[t] = f * c[t-1] + i * n;  out[t] = h[t] and c[t], side by side.

    i, f, n, o = s(a_i), s(a_f), tanh(a_n), s(a_o) are the parts of a = z[t] + h[t-1] @ u, s the
    logistic function; c ``(N, H)`` is the cell's state before the first step, out ``(N, T, 2 H)``.
    What reaches the cell, dc[t] = g_c[t] + f[t+1] * dc[t+1] + dh[t] * o * (1 - tanh^2 c[t]), is not
    squashed on its way back, so that gradients last.

    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, with the
    forget gate f of Gers, Schmidhuber and Cummins, "Learning to forget", Neural Computation 12,
    2000.
    """

    @staticmethod
    def gates(xp: Namespace, a: Array) -> tuple[Array, Array, Array, Array]:
        n = a.shape[-1] // 4
        both = logistic(xp, a[..., : 2 * n])
        new = xp.tanh(a[..., 2 * n : 3 * n])
        return both[..., :n], both[..., n:], new, logistic(xp, a[..., 3 * n :])

    @staticmethod
    def forward(xp: Namespace, z: Array, u: Array, h: Array, c: Array) -> Array:
        states = []
        for t in range(z.shape[1]):
            i, f, new, o = Lstm.gates(xp, z[:, t, :] + h @ u)  # (N, H) each
            c = f * c + i * new
            h = o * xp.tanh(c)
            states.append(xp.concat([h, c], axis=-1))
        return xp.stack(states, axis=1)  # (N, T, 2 H)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, z: Array, u: Array, h: Array, c: Array
    ) -> Gradients:
        n = h.shape[-1]
        h_before, c_before = before(xp, h, out[..., :n]), before(xp, c, out[..., n:])
        i, f, new, o = Lstm.gates(xp, z + product(xp, h_before, u))  # (N, T, H) each
        tanh_c = xp.tanh(out[..., n:])
        cell = o * (1 - tanh_c * tanh_c)  # dc / dh
        by_i, by_f, by_new = new * i * (1 - i), c_before * f * (1 - f), i * (1 - new * new)
        by_o = tanh_c * o * (1 - o)
        back, dh, dc = [], xp.zeros_like(h), xp.zeros_like(c)
        for t in reversed(range(z.shape[1])):
            dh = dh + g[:, t, :n]  # (N, H)
            dc = dc + g[:, t, n:] + dh * cell[:, t, :]
            parts = [dc * by_i[:, t, :], dc * by_f[:, t, :], dc * by_new[:, t, :]]
            da = xp.concat([*parts, dh * by_o[:, t, :]], axis=-1)  # (N, 4 H)
            dh, dc = da @ u.mT, dc * f[:, t, :]
            back.append(da)
        dz = xp.stack(back[::-1], axis=1)  # (N, T, 4 H)
        return dz, lambda: rows(xp, h_before).mT @ rows(xp, dz), dh, dc


class Gru(Float):
    """out[t] = (1 - w) * n + w * out[t-1],  n = tanh(z_n + r * q_n);  out[0] = h.

    r, w = s(z_r + q_r), s(z_w + q_w) with q = out[t-1] @ u + b and s the logistic function; z and
    q ``(N, 3 H)`` a step, in the order r, w, n; b ``(3 H,)``. The reset gate r acts on the product
    with u, not on the state before it, so that one product serves all three parts.

    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", EMNLP 2014; r in this place as in version 1 of arXiv 1406.1078 and in cuDNN.
    """

    @staticmethod
    def gates(xp: Namespace, z: Array, q: Array) -> tuple[Array, Array, Array]:
        n = z.shape[-1] // 3
        both = logistic(xp, z[..., : 2 * n] + q[..., : 2 * n])
        r = both[..., :n]
        return r, both[..., n:], xp.tanh(z[..., 2 * n :] + r * q[..., 2 * n :])

    @staticmethod
    def forward(xp: Namespace, z: Array, u: Array, b: Array, h: Array) -> Array:
        states = []
        for t in range(z.shape[1]):
            _, w, new = Gru.gates(xp, z[:, t, :], h @ u + b)  # (N, H) each
            h = (1 - w) * new + w * h
            states.append(h)
        return xp.stack(states, axis=1)  # (N, T, H)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, z: Array, u: Array, b: Array, h: Array
    ) -> Gradients:
        h_before = before(xp, h, out)
        q = product(xp, h_before, u) + b  # (N, T, 3 H)
        r, w, new = Gru.gates(xp, z, q)  # (N, T, H) each
        by_new = (1 - w) * (1 - new * new)
        by_w = (h_before - new) * w * (1 - w)
        by_r = by_new * q[..., 2 * h.shape[-1] :] * r * (1 - r)
        by_q = by_new * r
        back, dh = [], xp.zeros_like(h)
        for t in reversed(range(z.shape[1])):
            dh = dh + g[:, t, :]  # (N, H)
            back.append(dh)
            parts = [dh * by_r[:, t, :], dh * by_w[:, t, :], dh * by_q[:, t, :]]
            dh = xp.concat(parts, axis=-1) @ u.mT + dh * w[:, t, :]
        d = xp.stack(back[::-1], axis=1)  # (N, T, H): the whole gradient of each state
        dz = xp.concat([d * by_r, d * by_w, d * by_new], axis=-1)  # (N, T, 3 H)
        dq = xp.concat([d * by_r, d * by_w, d * by_q], axis=-1)
        return (
            dz,
            lambda: rows(xp, h_before).mT @ rows(xp, dq),
            lambda: xp.sum(rows(xp, dq), axis=0),
            dh,
        )


def before(xp: Namespace, first: Array, states: Array) -> Array:
    """Return the state that each step starts from; the first ``(N, H)``, states ``(N, T, H)``."""
    return xp.concat([xp.expand_dims(first, axis=1), states[:, :-1, :]], axis=1)


def rows(xp: Namespace, x: Array) -> Array:
    """Return the steps of all sequences ``(N, T, H)`` as rows ``(N T, H)``."""
    return xp.reshape(x, (x.shape[0] * x.shape[1], x.shape[2]))


def product(xp: Namespace, x: Array, u: Array) -> Array:
    """Return x @ u ``(N, T, K)`` for x ``(N, T, H)``, all steps in one product."""
    return xp.reshape(rows(xp, x) @ u, (*x.shape[:2], u.shape[1]))
