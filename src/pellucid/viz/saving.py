"""Writing a picture to a file, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METADATA: dict[str, dict[str, Any]] = {  # without its date, a file is the same every time
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: float = 150) -> Path:
    """Write `figure` as PNG, SVG or PDF, by the suffix of `path`, and return the path.

    The picture goes to a temporary file in the same folder, which is then renamed, so a reader
    sees the old file or the new one, never half of one. `dpi` is in pixels an inch, for PNG.

    Raises:
        ValueError: another suffix, or none.
        OSError: the folder does not exist (none is created) or cannot be written to.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import viz
    >>> figure = viz.training_curves({"loss": [1.0, 0.5, 0.4]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = viz.save(figure, Path(folder, "loss.png"))
    ...     path.name, path.read_bytes()[1:4]
    ('loss.png', b'PNG')
    """
    from matplotlib import rc_context

    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in _METADATA:
        raise ValueError(
            f"path: expected a name that ends in {', '.join(_METADATA)}, got {str(target)!r}; "
            "write for example 'picture.png'"
        )
    with atomic(target) as temporary, rc_context({"svg.hashsalt": "pellucid"}):
        figure.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix])
    return target
