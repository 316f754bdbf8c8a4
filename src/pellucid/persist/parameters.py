"""Parameters and buffers in a ``.safetensors`` file: arrays by path, nothing executable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.files import atomic
from pellucid.nn import Module
from pellucid.version import __version__


def save_parameters(
    module: Module, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write every parameter and buffer of a module to a file, atomically.

    Args:
        module: what to save.
        path: the file, usually ``*.safetensors``; its folder must exist.
        metadata: texts to keep beside the arrays, such as how to build the network again.

    Raises:
        OSError: the folder is missing or cannot be written to.
        TypeError: a note is no text.
    """
    from safetensors.numpy import save_file

    notes = {"format": "pellucid", "pellucid": __version__, **(metadata or {})}
    for name, note in notes.items():
        if not isinstance(name, str) or not isinstance(note, str):
            raise TypeError(
                f"expected metadata of texts, got {name!r}: {note!r}; convert it, for example with "
                "json.dumps"
            )
    # safetensors writes the memory of a transposed array as if it were in row-major order
    arrays = {name: np.asarray(array, order="C") for name, array in module.state().items()}
    with atomic(path) as temporary:
        save_file(arrays, temporary, metadata=notes)


def load_parameters(module: Module, path: str | os.PathLike[str]) -> dict[str, str]:
    """Read parameters and buffers back into a module of the same architecture.

    Returns:
        The metadata that was saved with them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file, its numbers are none of NumPy's, or its names or
            shapes are not this module's; the module is unchanged then.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(
            f"expected a .safetensors file at {path}, found none; check the path"
        )
    state: dict[str, Any] = {}
    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - the file is no dictionary
                try:
                    state[name] = file.get_tensor(name)
                except (AttributeError, TypeError):  # NumPy has no such dtype
                    raise ValueError(
                        f"{name}: expected numbers that NumPy knows in {path}, got "
                        f"{file.get_slice(name).get_dtype()}; save them as float32"
                    ) from None
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(
            f"expected a .safetensors file at {path}, got something else or a damaged one "
            f"({error}); save it again"
        ) from None
    module.load_state(state)
    return metadata
