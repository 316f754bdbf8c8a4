"""How PyTorch lays out the parameters of each layer, and how they become ours and back.

    Linear           weight (out, in)                    ours (in, out)
    ConvNd           weight (out, in / groups, *kernel)  ours (*kernel, in / groups, out)
    ConvTransposeNd  weight (in, out / groups, *kernel)  ours (*kernel, out / groups, in)
    RNN, LSTM, GRU   weight_ih_l0 (gates H, F), ...      ours (F, gates H); the same order of gates
                     bias_ih_l0 and bias_hh_l0           ours their sum, but for a GRU
    MultiheadAttention  in_proj_weight (3 E, E)          ours query, key and value, (E, E) each
    Linear after Flatten reads channel by channel        ours place by place, channels last

Embeddings, normalisations and their running statistics are alike. `TransformerBlock` is PyTorch's
TransformerEncoderLayer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid import nn
from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.nn.conv import Filters
from pellucid.nn.norm import BatchNorm
from pellucid.nn.recurrent import Recurrent


class Piece(NamedTuple):
    """Tensors of ours that are the same as some arrays of theirs.

    ``write`` makes their arrays from ours, ``read`` ours from theirs. Where it is optional, their
    arrays may be missing, and nothing is read.
    """

    ours: Sequence[Tensor]
    theirs: Sequence[str]
    write: Callable[..., Sequence[Array]]
    read: Callable[..., Sequence[Array]]
    optional: bool = False


def pieces(layer: nn.Module, channels: int = 0) -> list[Piece] | None:
    """Return the pieces of a layer, None for one whose layout is not known.

    Args:
        layer: any module.
        channels: of a `Dense` layer that reads flattened feature maps, their number of channels.
    """
    for kind, found in _PIECES:
        if isinstance(layer, kind):
            return list(found(layer, channels) if kind is nn.Dense else found(layer))
    return None


def alike(tensor: Tensor | None, name: str) -> Iterator[Piece]:
    """Yield the piece of a tensor that is the same in both, if there is one."""
    if tensor is not None:
        yield Piece([tensor], [name], lambda a: [a], lambda a: [a])


def _dense(layer: nn.Dense, channels: int) -> Iterator[Piece]:
    def write(w: Array) -> list[Array]:
        if channels:  # (places, channels, out) to (channels, places, out)
            w = w.reshape(-1, channels, w.shape[1]).transpose(1, 0, 2).reshape(w.shape)
        return [w.T]

    def read(w: Array) -> list[Array]:
        w = w.T
        if channels:
            w = w.reshape(channels, -1, w.shape[1]).transpose(1, 0, 2).reshape(w.shape)
        return [w]

    yield Piece([layer.weight], ["weight"], write, read)
    yield from alike(layer.bias, "bias")


def _filters(layer: Filters) -> Iterator[Piece]:
    yield Piece(
        [layer.weight],
        ["weight"],
        lambda w: [np.moveaxis(w, (-1, -2), (0, 1))],
        lambda w: [np.moveaxis(w, (0, 1), (-1, -2))],
    )
    yield from alike(layer.bias, "bias")


def _norm(layer: Any) -> Iterator[Piece]:
    yield from alike(layer.weight, "weight")
    yield from alike(layer.bias, "bias")
    if isinstance(layer, BatchNorm):
        yield from alike(layer.running_mean, "running_mean")
        yield from alike(layer.running_var, "running_var")
        count = ["num_batches_tracked"]  # counts batches, for an average that neither uses
        yield Piece([], count, lambda: [np.array(0)], lambda n: [], optional=True)


def _embedding(layer: nn.Embedding) -> Iterator[Piece]:
    yield from alike(layer.weight, "weight")


def _recurrent(layer: Recurrent) -> Iterator[Piece]:
    for number, cell in enumerate(layer.cells):
        depth, backward = divmod(number, layer.directions)
        at = f"l{depth}{'_reverse' * backward}"
        for weight, name in ((cell.input_weight, "ih"), (cell.recurrent_weight, "hh")):
            yield Piece([weight], [f"weight_{name}_{at}"], lambda w: [w.T], lambda w: [w.T])
        biases = [f"bias_ih_{at}", f"bias_hh_{at}"]
        if cell.bias is not None and cell.recurrent_bias is not None:
            ours = [cell.bias, cell.recurrent_bias]
            yield Piece(ours, biases, lambda b, d: [b, d], lambda b, d: [b, d])
        elif cell.bias is not None:
            yield Piece([cell.bias], biases, lambda b: [b, 0 * b], lambda b, d: [b + d])


def _attention(layer: nn.MultiHeadAttention) -> Iterator[Piece]:
    packed = [layer.query, layer.key, layer.value]
    yield Piece(
        [part.weight for part in packed],
        ["in_proj_weight"],
        lambda *parts: [np.concatenate([w.T for w in parts])],
        lambda w: [part.T for part in np.split(w, 3)],
    )
    biases = [part.bias for part in packed if part.bias is not None]
    if biases:
        yield Piece(
            biases,
            ["in_proj_bias"],
            lambda *parts: [np.concatenate(parts)],
            lambda b: np.split(b, 3),
        )
    yield from _within("out_proj", _dense(layer.out, 0))


def _block(layer: nn.TransformerBlock) -> Iterator[Piece]:
    yield from _within("self_attn", _attention(layer.attention))
    yield from _within("linear1", _dense(layer.hidden, 0))
    yield from _within("linear2", _dense(layer.out, 0))
    yield from _within("norm1", _norm(layer.attention_norm))
    yield from _within("norm2", _norm(layer.out_norm))


def _within(prefix: str, found: Iterator[Piece]) -> Iterator[Piece]:
    """Yield pieces under a prefix."""
    for piece in found:
        yield piece._replace(theirs=[f"{prefix}.{name}" for name in piece.theirs])


_PIECES: list[tuple[Any, Callable[..., Iterator[Piece]]]] = [
    (nn.Dense, _dense),
    (Filters, _filters),
    ((BatchNorm, nn.LayerNorm, nn.RMSNorm), _norm),
    (nn.Embedding, _embedding),
    (Recurrent, _recurrent),
    (nn.MultiHeadAttention, _attention),
    (nn.TransformerBlock, _block),
    (nn.Dropout, lambda layer: iter(())),  # PyTorch's keeps no stream of its own
]
