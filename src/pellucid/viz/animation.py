"""A decision boundary while it is learned, as a film."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from pellucid.arrays import quiet
from pellucid.figures import style
from pellucid.files import atomic
from pellucid.train import Model
from pellucid.train.events import Callback, Run
from pellucid.viz.boundary import decision_boundary

if TYPE_CHECKING:
    from PIL.Image import Image

_PAUSE = 1500  # milliseconds that the last picture stays


class BoundaryFilm(Callback):
    """A callback that draws the decision boundary as `model` learns; `save` writes a GIF.

    It draws the start, every `every`-th epoch and the last one, as `decision_boundary` does; `x`
    (N, 2) and `y` (N,) are the points shown. ``frames`` counts the pictures taken. An epoch after
    which the answers are not finite has none.

    Raises:
        ValueError: `every` is below 1.
        ImportError: matplotlib or Pillow is not installed.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import data, nn, viz
    >>> from pellucid.train import Model
    >>> xor = data.xor()
    >>> model = Model(nn.Sequential(nn.Dense(2, 2), rng=0), "cross_entropy")
    >>> film = viz.BoundaryFilm(model, xor.x, xor.y, every=5, resolution=20)
    >>> _ = model.fit(xor.x, xor.y, epochs=5, callbacks=[film], verbose=0)
    >>> film.frames  # the start and the end
    2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     film.save(Path(folder, "xor.gif")).name
    'xor.gif'
    """

    def __init__(
        self,
        model: Model,
        x: ArrayLike,
        y: ArrayLike,
        class_names: Sequence[str] | None = None,
        every: int = 1,
        resolution: int = 100,
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every: expected a number of epochs of at least 1, got {every!r}")
        _pillow()
        self.model = model
        self.x = np.asarray(x)
        self.y = np.asarray(y)
        self.class_names = class_names
        self.every = every
        self.resolution = resolution
        self._images: list[Image] = []
        self._drawn = -1

    @property
    def frames(self) -> int:
        """The number of pictures taken."""
        return len(self._images)

    def on_fit_begin(self, run: Run) -> None:
        """Forget an earlier run, and draw the start."""
        self._images, self._drawn = [], -1
        self._draw(0, run)

    def on_epoch_end(self, run: Run) -> None:
        """Draw what was learned so far."""
        if run.epoch % self.every == 0:
            self._try(run)

    def on_fit_end(self, run: Run) -> None:
        """Draw the end, if it was not drawn yet."""
        if self._drawn != run.epoch:
            self._try(run)

    def state_dict(self) -> dict[str, Any]:
        """Return the pictures taken so far, as numbers of colours and the colours."""
        films = [(np.asarray(image), np.array(image.getpalette())) for image in self._images]
        return {"images": films, "drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._images, self._drawn = [], state["drawn"]
        for colours, palette in state["images"]:
            picture = _pillow().fromarray(colours, mode="P")
            picture.putpalette(palette.tolist())
            self._images.append(picture)

    def save(self, path: str | os.PathLike[str], *, seconds: float = 6.0) -> Path:
        """Write all pictures as one GIF that takes this many seconds, then starts again.

        The file is written whole or not at all.

        Raises:
            ValueError: no picture was taken, another suffix than .gif, or no time to show them.
        """
        target = Path(path)
        if target.suffix.lower() != ".gif":
            raise ValueError(f"path: expected a name that ends in .gif, got {str(target)!r}")
        if not self._images:
            raise ValueError(
                "expected pictures to write, got none; pass this object to fit(callbacks=[...])"
            )
        if not seconds > 0:
            raise ValueError(f"seconds: expected a positive time, got {seconds!r}; try 6")
        each = max(20, round(1000 * seconds / len(self._images)))  # milliseconds
        times = [each] * (len(self._images) - 1) + [max(each, _PAUSE)]
        first, *rest = self._images
        with atomic(target) as temporary:
            first.save(temporary, "GIF", save_all=True, append_images=rest, duration=times, loop=0)
        return target

    def _try(self, run: Run) -> None:
        """Take a picture; training does not end because there is nothing to draw."""
        with suppress(ValueError):
            self._draw(run.epoch, run)

    def _draw(self, epoch: int, run: Run) -> None:
        """Take one picture."""
        image = _pillow()
        with quiet():
            figure = decision_boundary(
                self.model, self.x, self.y, self.class_names, self.resolution
            )
        loss = run.logs.get("loss")
        told = f"epoch {epoch}" + (f", loss {loss:.3g}" if loss is not None else "")
        figure.axes[0].set_title(told, loc="right", fontsize=style.SMALL_SIZE, color=style.INK)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=100)
        picture = image.open(content).convert("RGB").quantize(256)
        self._images.append(picture)
        self._drawn = epoch


def _pillow() -> Any:
    """Return Pillow's module of images.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "pellucid.viz: expected Pillow to write films with, got none installed; "
            "install it with: pip install pellucid[images]"
        ) from error
    return Image
