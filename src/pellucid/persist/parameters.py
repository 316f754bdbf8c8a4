"""A module's parameters and buffers alone in a file, to be read into a module like it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from pellucid.nn import Module
from pellucid.persist import container
from pellucid.persist.objects import DESCRIPTION, roots


class Loaded(NamedTuple):
    """What `load_parameters` found beside the arrays that the module took over.

    ``missing`` are paths of the module that the file does not have, ``unexpected`` names in the
    file that the module does not have; both are empty where loading was strict.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import nn, persist
    >>> straight = nn.Dense(3, 2, bias=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "layer.safetensors")
    ...     persist.save_parameters(nn.Dense(3, 2, rng=0), path)
    ...     found = persist.load_parameters(straight, path, strict=False)
    >>> found.missing, found.unexpected
    ([], ['bias'])
    """

    metadata: dict[str, str]
    missing: list[str]
    unexpected: list[str]


def save_parameters(
    module: Module, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write every parameter and buffer of a module to a file, atomically.

    Args:
        module: what to save.
        path: the file, usually ``*.safetensors``; its folder must exist.
        metadata: texts to keep beside the arrays, such as notes on the data.

    Raises:
        OSError: the folder is missing or cannot be written to.
        TypeError: a note is no text.
        ValueError: a note has one of the names that we give notes of our own.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from safetensors.numpy import load_file
    >>> from pellucid import nn, persist
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "layer.safetensors")
    ...     persist.save_parameters(nn.Dense(3, 2, rng=0), path)
    ...     {name: array.shape for name, array in sorted(load_file(path).items())}
    {'bias': (2,), 'weight': (3, 2)}
    """
    notes = dict(metadata or {})
    for name, note in notes.items():
        if not isinstance(name, str) or not isinstance(note, str):
            raise TypeError(
                f"expected metadata of texts, got {name!r}: {note!r}; convert it, for example with "
                "json.dumps"
            )
        if name in (*container.MARKS, DESCRIPTION):
            raise ValueError(f"expected another name than {name!r} for a note, which is ours")
    arrays = {name: tensor.data for name, tensor in module.named_tensors().items()}
    container.write(path, arrays, notes)


def load_parameters(module: Module, path: str | os.PathLike[str], *, strict: bool = True) -> Loaded:
    """Read parameters and buffers into a module, from its own file or a whole model's.

    Files of others are read as well, those of float16 and bfloat16 among them; the module keeps its
    dtype.

    Args:
        module: what to read into.
        path: the file.
        strict: whether the names must be the module's; otherwise those that match are read, and at
            least one must.

    Returns:
        The file's metadata, and which names did not match.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file, or damaged; or names are missing or unexpected, or
            shapes differ, all of which are listed. The module is unchanged then.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import nn, persist
    >>> trained, fresh = nn.Dense(3, 2, rng=0), nn.Dense(3, 2, rng=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "layer.safetensors")
    ...     persist.save_parameters(trained, path, {"data": "wine"})
    ...     found = persist.load_parameters(fresh, path)
    >>> found.metadata["data"], bool((fresh.weight.data == trained.weight.data).all())
    ('wine', True)
    """
    arrays, metadata = container.read(path)
    try:
        beside = tuple(f"{root}:" for root in roots(metadata))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
    arrays = {name: array for name, array in arrays.items() if not name.startswith(beside)}
    tensors = module.named_tensors()
    try:
        module.load_state(arrays, strict=strict, copy=False)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    notes = {n: t for n, t in metadata.items() if n not in ("checksum", DESCRIPTION)}
    missing = [name for name in tensors if name not in arrays]
    return Loaded(notes, missing, [name for name in arrays if name not in tensors])
