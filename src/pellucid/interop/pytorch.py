"""PyTorch's ``state_dict`` read into our networks, and ours written as one, without PyTorch.

Here and there, for example::

    interop.save_torch(network, "weights.safetensors")
    theirs.load_state_dict(safetensors.torch.load_file("weights.safetensors"))

    safetensors.torch.save_file(theirs.state_dict(), "weights.safetensors")
    interop.from_torch(network, "weights.safetensors")
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid import nn, tree
from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.interop.layouts import Piece, alike, pieces
from pellucid.nn.conv import Filters
from pellucid.nn.norm import BatchNorm, Normalisation
from pellucid.persist import container

Names = Mapping[str, str]


def to_torch(
    network: nn.Module, names: Names | None = None, channels: Mapping[str, int] | None = None
) -> dict[str, Array]:
    """Return a network's parameters and buffers as PyTorch names and lays them out.

    Modules go by the names of their attributes. The layers of a `Sequential` are numbered as in
    PyTorch's, where the activation of a `Dense` or convolution is a layer of its own: after
    ``nn.Dense(4, 8, "relu")`` at "0" the next is "2".

    Args:
        network: what to write.
        names: paths of ours, each with the one that it and all below it have in PyTorch, where that
            is another: ``{"layers.1": "head"}``.
        channels: of `Dense` layers that read flattened feature maps, the number of channels by
            path, where they are not in a `Sequential` with the convolution.

    Raises:
        ValueError: a path is none of the network's, or nobody can tell how many channels a `Dense`
            layer reads.

    >>> from pellucid import interop, nn
    >>> network = nn.Sequential(nn.Dense(4, 8, "relu"), nn.Dense(8, 2))
    >>> {name: array.shape for name, array in interop.to_torch(network).items()}
    {'0.weight': (8, 4), '0.bias': (8,), '2.weight': (2, 8), '2.bias': (2,)}
    """
    found = {}
    for prefix, piece in _all_pieces(network, names or {}, channels or {}):
        arrays = piece.write(*(tensor.data for tensor in piece.ours))
        for name, array in zip(piece.theirs, arrays, strict=True):
            found[f"{prefix}{name}"] = np.array(array, order="C")
    return found


def save_torch(
    network: nn.Module,
    path: str | os.PathLike[str],
    names: Names | None = None,
    channels: Mapping[str, int] | None = None,
) -> None:
    """Write what `to_torch` returns to a safetensors file, atomically; it is marked as PyTorch's.

    There ``module.load_state_dict(safetensors.torch.load_file(path))`` reads it.

    Raises:
        OSError: the file cannot be written; what was there before is whole.
        ValueError: as for `to_torch`.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from safetensors.numpy import load_file
    >>> from pellucid import interop, nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "layer.safetensors")
    ...     interop.save_torch(nn.Dense(3, 2, rng=0), path)
    ...     {name: array.shape for name, array in sorted(load_file(path).items())}
    {'bias': (2,), 'weight': (2, 3)}
    """
    container.write(path, to_torch(network, names, channels), {"format": "pt"})


def from_torch(
    network: nn.Module,
    source: str | os.PathLike[str] | Mapping[str, Any],
    names: Names | None = None,
    channels: Mapping[str, int] | None = None,
) -> None:
    """Read a PyTorch ``state_dict`` into a network of the same architecture.

    There ``safetensors.torch.save_file(module.state_dict(), path)`` writes it to a file. PyTorch
    need not be installed here.

    Args:
        network: what to read into; it keeps its dtype.
        source: a safetensors file, or a mapping from names to arrays or PyTorch's tensors.
        names: as for `to_torch`.
        channels: as for `to_torch`.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: the source is neither, or holds something else than real numbers.
        ValueError: it is damaged; or names are missing or unexpected, or shapes differ, all of
            which are listed. The network is unchanged then.

    >>> import numpy as np
    >>> from pellucid import interop, nn
    >>> layer = nn.Dense(2, 1)  # in PyTorch Linear(2, 1)
    >>> state = {"weight": np.array([[10.0, 1.0]]), "bias": np.array([5.0])}
    >>> interop.from_torch(layer, state)
    >>> layer([[3.0, 4.0]]).tolist()
    [[39.0]]
    """
    if isinstance(source, Mapping):
        arrays = {name: _array(name, value) for name, value in source.items()}
    elif hasattr(source, "state_dict"):
        raise TypeError(
            f"expected a state_dict, or the path of a file, got a {type(source).__name__}; pass "
            "its state_dict()"
        )
    else:
        arrays = container.read(source).arrays
    parts = list(_all_pieces(network, names or {}, channels or {}))
    known = {f"{prefix}{name}" for prefix, piece in parts for name in piece.theirs}
    problems = [f"unexpected {name}" for name in arrays if name not in known]
    new: list[tuple[Tensor, Array]] = []
    for prefix, piece in parts:
        wanted = [f"{prefix}{name}" for name in piece.theirs]
        missing = [name for name in wanted if name not in arrays]
        if piece.optional or missing:
            problems += [f"missing {name}" for name in missing if not piece.optional]
            continue
        shapes = [np.shape(a) for a in piece.write(*(t.data for t in piece.ours))]
        given = [arrays[name] for name in wanted]
        wrong = [
            f"{name}: expected shape {shape}, got {array.shape}"
            for name, shape, array in zip(wanted, shapes, given, strict=True)
            if array.shape != shape
        ]
        problems += wrong
        if not wrong:
            new += zip(piece.ours, piece.read(*given), strict=True)
    if problems:
        raise ValueError(
            f"the state does not fit this {type(network).__name__}: {'; '.join(problems)}; build "
            "the same layers, or say with names={ours: theirs} what is called otherwise"
        )
    for tensor, array in new:
        tensor.data = np.array(array, dtype=tensor.dtype, order="C")


def _array(name: str, value: Any) -> Array:
    """Return an array of real numbers; of PyTorch's tensors those of bfloat16 become float32."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected an array of real numbers, got {array.dtype}; convert it")
    return array


def _all_pieces(
    network: nn.Module, names: Names, channels: Mapping[str, int]
) -> Iterator[tuple[str, Piece]]:
    """Yield the pieces of all layers, each with the prefix of its names."""
    theirs, flattened, modules = (
        _their_names(network, names),
        _flattened(network),
        network.modules(),
    )
    for path in channels:
        if not isinstance(modules.get(path), nn.Dense):
            raise ValueError(f"channels: expected paths of Dense layers, got {path!r}")
    known: list[str] = []  # paths of layers whose layout is known; what is below is part of them

    def is_part(path: str) -> bool:
        return any(path.startswith(f"{layer}.") or not layer for layer in known)

    for path, module in modules.items():
        if is_part(path):
            continue
        many = channels.get(path, flattened.get(id(module), 0))
        if many < 0:
            raise ValueError(
                f"expected to know how many channels {path} reads from flattened feature maps, got "
                f"layers before it that do not tell; say so with channels={{{path!r}: number}}"
            )
        found = pieces(module, many)
        if found is not None:
            known.append(path)
            yield from ((_prefix(theirs[path]), piece) for piece in found)
    for path, tensor in network.named_tensors().items():
        if not is_part(path):  # a parameter beside layers
            owner = max((p for p in theirs if not p or path.startswith(f"{p}.")), key=len)
            name = path.removeprefix(_prefix(owner))
            yield from ((_prefix(theirs[owner]), piece) for piece in alike(tensor, name))


def _prefix(path: str) -> str:
    return f"{path}." if path else ""


def _their_names(network: nn.Module, names: Names) -> dict[str, str]:
    """Return the path in PyTorch of each module, by ours."""
    modules = network.modules()
    if unknown := [path for path in names if path not in modules]:
        raise ValueError(
            f"names: expected paths of modules in the network, got {', '.join(unknown)}; they are "
            f"{', '.join(filter(None, modules))}"
        )
    found = {"": names.get("", "")}
    for path in list(modules)[1:]:
        if path in names:
            found[path] = names[path]
            continue
        above = max((p for p in found if not p or path.startswith(f"{p}.")), key=len)
        rest, parent = path.removeprefix(_prefix(above)), modules[above]
        if isinstance(parent, nn.Sequential) and rest.startswith("layers."):
            rest = _number(parent, int(rest.removeprefix("layers.")))
        found[path] = f"{_prefix(found[above])}{rest}"
    return found


def _number(network: nn.Sequential, index: int) -> str:
    """Return the number of a layer where activations are layers of their own."""
    before = network.layers[:index]
    ends = (getattr(layer, "activation", None) for layer in before)
    return str(index + sum(isinstance(end, nn.Activation) for end in ends))


def _flattened(network: nn.Module) -> dict[int, int]:
    """Return the dense layers that read flattened feature maps, by `id`: how many channels.

    That is -1 where branches or modules of one's own came before, whose channels nobody can tell.
    """
    found: dict[int, int] = {}
    channels = pending = 0
    for layer in _in_turn(network):
        if pending and isinstance(layer, Normalisation):
            raise ValueError(
                f"expected a Dense layer after Flatten, got {layer!r}, whose numbers PyTorch has "
                "in another order; read the layers one by one"
            )
        if isinstance(layer, Filters):
            channels = layer.out_channels
        elif isinstance(layer, BatchNorm):
            channels = layer.features
        elif isinstance(layer, nn.Flatten):
            channels, pending = 0, channels
        elif isinstance(layer, nn.Dense):
            if pending:
                found[id(layer)] = pending if layer.in_features % pending == 0 else -1
            channels = pending = 0
        elif isinstance(layer, nn.Module) and tree.find(layer, Filters):
            channels = -1
    return found


def _in_turn(module: Any) -> Iterator[Any]:
    """Yield the layers of nested sequences in the order in which they are called."""
    if isinstance(module, nn.Sequential | nn.Residual):
        for layer in module.layers:
            yield from _in_turn(layer)
    else:
        yield module
