"""Attention: each step of a sequence gathers what it needs from all the others.

Masks are boolean, and True means "may attend". This is how PyTorch's scaled_dot_product_attention
has it; the masks of its MultiheadAttention mean the opposite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import Shape
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.autograd.apply import floating
from pellucid.errors import ShapeError
from pellucid.nn.dense import Dense
from pellucid.nn.dropout import Dropout
from pellucid.nn.module import Module, Rng
from pellucid.nn.norm import LayerNorm


def scaled_dot_product_attention(
    q: Any, k: Any, v: Any, mask: Any = None, causal: bool = False
) -> Tensor:
    """Return softmax(q k^T / sqrt d) v: for each query a mean of values, weighted by its keys.

    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.1.

    Args:
        q: queries ``(..., Tq, d)``.
        k: keys ``(..., Tk, d)``.
        v: values ``(..., Tk, dv)``, one for each key.
        mask: see `attention_weights`.
        causal: see `attention_weights`.

    Returns:
        ``(..., Tq, dv)``; 0, with gradients of 0, for a query that may attend to nothing.

    Raises:
        ShapeError: the shapes do not fit together.
        TypeError: the mask is not boolean.

    >>> from pellucid import nn
    >>> keys, values = [[1.0, 0.0], [0.0, 1.0]], [[3.0], [5.0]]
    >>> queries = [[99.0, 0.0], [0.0, 99.0], [1.0, 1.0]]  # one key, the other, both
    >>> nn.scaled_dot_product_attention(queries, keys, values).tolist()
    [[3.0], [5.0], [4.0]]
    """
    k, v = as_tensor(k), floating(as_tensor(v))
    if v.ndim < 2 or k.ndim < 2 or v.shape[-2] != k.shape[-2]:
        raise ShapeError(
            f"attention: expected a value for each key, (..., Tk, dv) beside (..., Tk, d), got "
            f"values {v.shape} beside keys {k.shape}"
        )
    out: Tensor = attention_weights(q, k, mask, causal) @ v
    return out


def attention_weights(q: Any, k: Any, mask: Any = None, causal: bool = False) -> Tensor:
    """Return softmax(q k^T / sqrt d): how much each query attends to each key, ``(..., Tq, Tk)``.

    A row sums to 1, or is 0 if the query may attend to nothing; no gradient passes what is masked.

    Args:
        q: queries ``(..., Tq, d)``.
        k: keys ``(..., Tk, d)``.
        mask: booleans that broadcast to ``(..., Tq, Tk)``: True where the query may attend.
        causal: whether query t attends to keys 0 .. t only, not to the future.

    Raises:
        ShapeError: the shapes do not fit together.
        TypeError: the mask is not boolean.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> x = np.zeros((2, 8))  # two steps that are alike
    >>> nn.attention_weights(x, x).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    >>> nn.attention_weights(x, x, causal=True).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    q, k = floating(as_tensor(q)), floating(as_tensor(k))
    if q.ndim < 2 or k.ndim < 2 or q.shape[-1] != k.shape[-1]:
        raise ShapeError(
            f"attention: expected queries (..., Tq, d) and keys (..., Tk, d), got {q.shape} and "
            f"{k.shape}"
        )
    scores: Tensor = (q * q.shape[-1] ** -0.5) @ k.mT  # (..., Tq, Tk)
    allowed = None if mask is None else _booleans(mask, "mask")
    if allowed is not None and not _broadcasts(allowed.shape, scores.shape):
        raise ShapeError(
            f"attention: expected a mask that broadcasts to the shape of queries by keys "
            f"{scores.shape}, got {allowed.shape}"
        )
    if causal:
        past = Tensor(np.tri(*scores.shape[-2:], dtype=bool))
        allowed = past if allowed is None else allowed & past
    if allowed is None:
        return F.softmax(scores, axis=-1)
    lowest = float(np.finfo(scores.dtype).min) / 2  # finite: a row of -inf would become NaN
    weights = F.softmax(F.where(allowed, scores, lowest), axis=-1)
    return F.where(allowed, weights, 0.0)


class MultiHeadAttention(Module):
    """out = concat(head_1, ..., head_h) @ W_o + b_o, each head attending in a space of its own.

    head_j = softmax(q_j k_j^T / sqrt d) v_j with d = d_model / h, where q = x @ W_q + b_q, k =
    memory @ W_k + b_k and v = memory @ W_v + b_v are cut into h heads along their last axis. x is
    ``(N, T, d_model)``, and so is the output. Without a ``memory`` ``(N, S, d_model)`` x attends to
    itself, with S = T. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.2.

    Args:
        d_model: size of the last axis of x, memory and output.
        num_heads: number h of heads, a divisor of d_model.
        dropout: share of the attention weights set to 0 in training.
        bias: whether to add b_q, b_k, b_v and b_o.
        causal: whether a step attends to itself and to earlier ones only.
        rng: generator or seed of the starting values and of dropout.

    Raises:
        ValueError: a size is no positive whole number, or num_heads no divisor of d_model; of a
            call: there is a memory, though attention is causal.
        ShapeError: of a call: x, memory or a mask has another shape.
        TypeError: of a call: a mask is not boolean.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> layer, x = nn.MultiHeadAttention(8, 2, causal=True, rng=0), np.ones((1, 5, 8))
    >>> out = layer(x)
    >>> out.shape
    (1, 5, 8)
    >>> x[0, 4] = 7.0  # the last step alone may see a change in the last step
    >>> np.isclose(layer(x), out).all(axis=2).tolist()
    [[True, True, True, True, False]]
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        causal: bool = False,
        *,
        rng: Rng = None,
    ) -> None:
        for name, size in (("d_model", d_model), ("num_heads", num_heads)):
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"{type(self).__name__}: expected {name} to be a positive whole number, got "
                    f"{size!r}"
                )
        if d_model % num_heads:
            near = min(_divisors(d_model), key=lambda n: (abs(n - num_heads), n))
            raise ValueError(
                f"{type(self).__name__}: expected num_heads to divide d_model={d_model}, so that "
                f"all heads have one size, got num_heads={num_heads}; {near} would fit"
            )
        rng = np.random.default_rng(rng)
        self.d_model, self.num_heads, self.causal = int(d_model), int(num_heads), bool(causal)
        self.query, self.key, self.value, self.out = (
            Dense(d_model, d_model, bias=bias, rng=rng) for _ in range(4)
        )
        self.dropout = Dropout(dropout, rng=rng)

    def forward(self, x: Any, memory: Any = None, mask: Any = None, key_mask: Any = None) -> Tensor:
        """Return what each step of x gathers from memory, or from x itself.

        A step that may attend to nothing gathers 0, so that the output there is b_o.

        Args:
            x: ``(N, T, d_model)``.
            memory: ``(N, S, d_model)``.
            mask: booleans ``(T, S)``, ``(N, T, S)`` or ``(N, num_heads, T, S)``: True where a step
                of x may attend to one of memory.
            key_mask: booleans ``(N, S)``: True for the real steps of memory, False for padding.
        """
        x = sequences(x, self.d_model, "x", self)
        if memory is not None and self.causal:
            raise ValueError(
                "MultiHeadAttention: expected causal attention within x, got a memory, whose steps "
                "are not those of x; build the layer with causal=False, or pass a mask"
            )
        source = x if memory is None else sequences(memory, self.d_model, "memory", self)
        n, steps, _ = x.shape
        if source.shape[0] != n:
            raise ShapeError(
                f"expected as many sequences in memory as in x, {n}, got {source.shape[0]}",
                source=self,
            )
        allowed = self._allowed((n, steps, source.shape[1]), mask, key_mask)
        projected = self.query(x), self.key(source), self.value(source)
        q, k, v = map(self._heads, projected)  # (N, h, T, d), (N, h, S, d) twice
        weights = self.dropout(attention_weights(q, k, allowed, self.causal))  # (N, h, T, S)
        gathered = weights @ v  # (N, h, T, d)
        return self.out(gathered.transpose(0, 2, 1, 3).reshape(x.shape))

    def _heads(self, x: Tensor) -> Tensor:
        """Return x ``(N, T, h d)`` cut into heads ``(N, h, T, d)``."""
        n, steps, _ = x.shape
        size = self.d_model // self.num_heads
        return x.reshape(n, steps, self.num_heads, size).transpose(0, 2, 1, 3)

    def _allowed(self, sizes: Shape, mask: Any, key_mask: Any) -> Tensor | None:
        """Return both masks as one that broadcasts to ``(N, h, T, S)``; None without any."""
        n, steps, keys = sizes
        allowed = None
        if mask is not None:
            allowed = _booleans(mask, "mask")
            full = (n, self.num_heads, steps, keys)
            if allowed.shape not in (full[2:], sizes, full):
                fix = "; which steps are padding is said by key_mask"
                raise ShapeError(
                    f"expected mask of shape {full[2:]}, {sizes} or {full}, got {allowed.shape}"
                    f"{fix if allowed.shape == (n, keys) else ''}",
                    source=self,
                )
            allowed = allowed.expand_dims(1) if allowed.ndim == 3 else allowed
        if key_mask is not None:
            real = _booleans(key_mask, "key_mask")
            if real.shape != (n, keys):
                raise ShapeError(
                    f"expected key_mask of shape {(n, keys)}, True for the real steps of each "
                    f"sequence, got {real.shape}",
                    source=self,
                )
            real = real.reshape(n, 1, 1, keys)
            allowed = real if allowed is None else allowed & real
        return allowed

    def describe(self) -> str:
        """Return the sizes and what differs from the defaults."""
        parts = [str(self.d_model), str(self.num_heads)]
        parts += [f"dropout={self.dropout.rate}"] * (self.dropout.rate > 0)
        parts += ["bias=False"] * (self.out.bias is None)
        parts += ["causal=True"] * self.causal
        return ", ".join(parts)


class TransformerBlock(Module):
    """out = y + f(norm(y)),  y = x + attention(norm(x)): attention, then a network for each step.

    f(y) = activation(y @ W_1 + b_1) @ W_2 + b_2 with d_ff hidden units. This is ``norm="pre"``,
    where x reaches the output undamped; a stack of such blocks ends in a `LayerNorm`. ``"post"`` is
    the original, out = norm(y + f(y)) with y = norm(x + attention(x)). x and the output are ``(N,
    T, d_model)``.

    Vaswani et al., "Attention is all you need", NeurIPS 2017; the order of "pre" from Xiong et al.,
    "On layer normalization in the transformer architecture", ICML 2020.

    Args:
        d_model: size of a step.
        num_heads: number of heads of the attention, a divisor of d_model.
        d_ff: number of hidden units of f; by default 4 * d_model.
        dropout: share set to 0 in training of the attention weights, of the hidden units, and of
            what attention and f add.
        activation: of the hidden units, a name or a module.
        norm: "pre" or "post".
        causal: whether a step attends to itself and to earlier ones only, as to predict the next.
        rng: generator or seed of the starting values and of dropout.

    Raises:
        ValueError: ``norm`` is neither, or what `MultiHeadAttention` refuses.
        ShapeError: of a call: x or a mask has another shape.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> blocks = nn.Sequential(
    ...     nn.Embedding(100, 16),
    ...     nn.PositionalEncoding(32, 16),
    ...     nn.TransformerBlock(16, 4, causal=True),
    ...     nn.TransformerBlock(16, 4, causal=True),
    ...     nn.LayerNorm(16),
    ...     rng=0,
    ... )
    >>> blocks(np.array([[5, 17, 4], [5, 2, 0]])).shape
    (2, 3, 16)
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int | None = None,
        dropout: float = 0.0,
        activation: str | Module | None = "gelu",
        norm: str = "pre",
        causal: bool = False,
        *,
        rng: Rng = None,
    ) -> None:
        if norm not in ("pre", "post"):
            raise ValueError(
                f"TransformerBlock: expected norm to be 'pre' or 'post', got {norm!r}; it says "
                "whether normalisation comes before attention and f, or after their sums"
            )
        rng = np.random.default_rng(rng)
        self.norm = norm
        self.attention = MultiHeadAttention(d_model, num_heads, dropout, causal=causal, rng=rng)
        self.attention_norm = LayerNorm(d_model)
        units = 4 * d_model if d_ff is None else d_ff
        self.hidden = Dense(d_model, units, activation, rng=rng)
        self.out = Dense(units, d_model, rng=rng)
        self.out_norm = LayerNorm(d_model)
        self.dropout = Dropout(dropout, rng=rng)

    def forward(self, x: Any, mask: Any = None, key_mask: Any = None) -> Tensor:
        """Return x after attention and f; the masks are those of `MultiHeadAttention`."""
        x = sequences(x, self.attention.d_model, "x", self)
        masks = {"mask": mask, "key_mask": key_mask}
        if self.norm == "pre":
            y: Tensor = x + self.dropout(self.attention(self.attention_norm(x), **masks))
            return y + self._feed_forward(self.out_norm(y))
        y = self.attention_norm(x + self.dropout(self.attention(x, **masks)))
        return self.out_norm(y + self._feed_forward(y))

    def _feed_forward(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.dropout(self.out(self.dropout(self.hidden(x))))

    def describe(self) -> str:
        """Return the sizes and what differs from the defaults."""
        parts = [str(self.attention.d_model), str(self.attention.num_heads)]
        hidden = self.hidden
        parts += [str(hidden.out_features)] * (hidden.out_features != 4 * hidden.in_features)
        parts += [f"dropout={self.dropout.rate}"] * (self.dropout.rate > 0)
        parts += [f"activation={hidden.activation!r}"] * (repr(hidden.activation) != "GELU()")
        parts += ["norm='post'"] * (self.norm == "post")
        parts += ["causal=True"] * self.attention.causal
        return ", ".join(parts)


def sequences(x: Any, size: int, name: str, layer: Module) -> Tensor:
    """Return sequences ``(N, T, size)`` as a tensor in floating point.

    Raises:
        ShapeError: they are of another shape.
    """
    given = x if isinstance(x, Tensor) else as_tensor(x)
    if given.ndim == 3 and given.shape[-1] == size:
        dtype = next(iter(layer.named_parameters().values())).dtype
        return floating(given) if isinstance(x, Tensor) else given.astype(dtype)
    message = f"expected {name} of shape (N, T, {size}), got {given.shape}"
    if given.ndim == 2 and given.dtype.kind in "iu":
        message += f"; whole numbers such as tokens go through nn.Embedding(.., {size})"
    elif given.ndim == 2 and given.shape[-1] == size:
        message += f"; pass one sequence as a batch, {name}[None]"
    elif given.ndim == 3:
        message += f"; project it first, nn.Dense({given.shape[-1]}, {size})"
    raise ShapeError(message, source=layer)


def _booleans(mask: Any, name: str) -> Tensor:
    """Return a mask, or refuse numbers: both ways to read them are in use."""
    given = as_tensor(mask)
    if given.dtype.kind != "b":
        raise TypeError(
            f"attention: expected {name} to be boolean, True where a step may attend, got "
            f"{given.dtype}; write {name} != 0, or for numbers of 0 and -inf {name} == 0"
        )
    return given


def _broadcasts(shape: Shape, full: Shape) -> bool:
    """Whether an array of that shape can be repeated to the full one."""
    return len(shape) <= len(full) and all(
        n in (1, m) for n, m in zip(reversed(shape), reversed(full), strict=False)
    )


def _divisors(n: int) -> list[int]:
    return [k for k in range(1, n + 1) if n % k == 0]
