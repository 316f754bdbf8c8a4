"""Objects with all they hold in one file: arrays by path, the rest as a description in JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from pellucid.nn import Module
from pellucid.persist import container
from pellucid.persist.building import Builder
from pellucid.persist.description import Describer

DESCRIPTION = "description"  # the metadata that has it
NETWORK = "network"  # the object whose parameters and buffers have their own paths as names


def save_objects(path: str | os.PathLike[str], objects: Mapping[str, Any]) -> None:
    """Write objects, by name, with everything they hold to a file, atomically.

    They may be numbers, texts, lists, tuples, dictionaries, arrays, tensors, random generators, and
    objects of registered classes (`pellucid.register`) made of such; an object, array or tensor
    that two of them share is shared again after loading. Parameters and buffers of ``network`` are
    written under their own paths, as `save_parameters` does, other arrays as
    ``optimizer:state...``.

    Raises:
        OSError: the file cannot be written; what was there before is whole.
        TypeError: something is of a class, or is a function, that is not registered; nothing was
            written then.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import nn, persist
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "run.safetensors")
    ...     persist.save_objects(path, {"network": nn.Dense(3, 2, rng=0), "epochs": 5})
    ...     persist.load_objects(path)
    {'network': Dense(3, 2), 'epochs': 5}
    """
    network = objects.get(NETWORK)
    names = {}
    if isinstance(network, Module):
        names = {id(tensor): name for name, tensor in network.named_tensors().items()}
    describer = Describer(names)
    described = {name: describer.describe(value, name) for name, value in objects.items()}
    text = json.dumps(described, separators=(",", ":"), allow_nan=False)
    container.write(path, describer.arrays, {DESCRIPTION: text})


def load_objects(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the objects that `save_objects` wrote.

    Nothing in the file is executed: it names classes and functions, and only what is registered in
    this program can be named. A forged file can at worst give objects that do not work.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, of a later version, holds no objects, or names what is not
            registered.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import persist
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "notes.safetensors")
    ...     persist.save_objects(path, {"sizes": (4, 8), "names": ["cat", "dog"]})
    ...     persist.load_objects(path)["names"]
    ['cat', 'dog']
    """
    arrays, metadata = container.read(path)
    if DESCRIPTION not in metadata:
        raise ValueError(
            f"{path}: expected a file with a description of what its arrays belong to, got one of "
            "arrays alone; build the network and use pellucid.persist.load_parameters"
        )
    builder = Builder(arrays)
    try:
        described = roots(metadata)
        objects = {name: builder.build(node, name) for name, node in described.items()}
    except (ValueError, TypeError, RecursionError) as error:
        reason = str(error).encode("utf-8", "backslashreplace").decode()  # names are the file's
        raise ValueError(f"{path}: {reason}") from None
    if lost := sorted(arrays.keys() - builder.used):
        raise ValueError(
            f"{path}: expected a description of all arrays, got none of {len(lost)} of them, the "
            f"first is {lost[0]!r:.80}"
        )
    return objects


def roots(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the descriptions of a file's objects by name."""
    described = json.loads(metadata.get(DESCRIPTION, "{}"))
    if not isinstance(described, dict):
        raise ValueError("expected descriptions by name in its metadata")
    return described
