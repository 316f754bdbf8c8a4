"""Random changes of images that leave their labels true: shifts, flips, rotations, crops."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import Seed, real, whole
from pellucid.data.stream import Transform, check_transform

Fill: TypeAlias = float | Literal["edge"]
Direction: TypeAlias = Literal["horizontal", "vertical", "both"]
Images: TypeAlias = NDArray[Any]


class Augmentation(ABC):
    """A random change of images; each kind defines `change` for images (N, H, W, C).

    It is called with images (N, H, W, C) or (N, H, W) of real numbers and a seed or generator, and
    returns new images of the same dtype. Every image has a draw of its own, and equal seeds give
    equal results. Pixels from outside an image are ``fill``, a number, or "edge" for the nearest
    pixel of the image; values stay between the smallest and the largest of image and fill. As the
    transform of a `Loader` it changes every batch anew in every epoch:

        Loader((x, y), transform=Compose([RandomFlip(), RandomShift(2)]), seed=0)

    Raises:
        TypeError: When called, the images are no real numbers.
        ValueError: When called, they have another shape, or cannot hold ``fill`` in their dtype.

    >>> import numpy as np
    >>> from pellucid import data
    >>> class Dim(data.Augmentation):
    ...     def change(self, x, rng):
    ...         return x * rng.uniform(0.5, 1.0, (len(x), 1, 1, 1))
    >>> dimmed = Dim()(np.ones((4, 2, 2)), rng=0)
    >>> dimmed.shape, bool((dimmed >= 0.5).all())
    ((4, 2, 2), True)
    """

    def __call__(self, x: ArrayLike, rng: Seed = None) -> Images:
        """Return changed copies of the images."""
        images = np.asarray(x)
        if images.dtype.kind not in "fiu":
            raise TypeError(
                f"images: expected real numbers, got {images.dtype}; convert with .astype('uint8')"
            )
        if images.ndim not in (3, 4) or images.size == 0:
            raise ValueError(
                f"images: expected shape (N, H, W, C) or (N, H, W), got {images.shape}; "
                "reshape flat rows, for example with x.reshape(-1, 28, 28, 1)"
            )
        random = np.random.default_rng(rng)
        if images.ndim == 4:
            return self.change(images, random)
        return self.change(images[..., None], random)[..., 0]

    @abstractmethod
    def change(self, x: Images, rng: np.random.Generator) -> Images:
        """Return changed copies of images (N, H, W, C)."""


@helpful
@dataclass(frozen=True)
class RandomShift(Augmentation):
    """Move each image by whole pixels: out[i, j] = x[i - a, j - b].

    a and b are drawn evenly from -most..most, for each image; a pair `most` gives the vertical and
    the horizontal limit.

    Raises:
        TypeError: `most` is no integer.
        ValueError: `most` is negative, or `fill` neither a finite number nor "edge".

    >>> from pellucid import data
    >>> images = [[[0, 0, 0], [0, 9, 0], [0, 0, 0]]] * 50
    >>> shifted = data.RandomShift((0, 1))(images, rng=0)
    >>> shifted.max(axis=0).tolist()  # everywhere that the bright pixel went
    [[0, 0, 0], [9, 9, 9], [0, 0, 0]]
    """

    most: int | tuple[int, int]
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        _two(self.most, "most", least=0)
        _check_fill(self.fill)

    def change(self, x: Images, rng: np.random.Generator) -> Images:
        """Return moved copies of images (N, H, W, C)."""
        n, *size, _ = x.shape
        most = _two(self.most, "most", least=0)
        moves = [rng.integers(-m, m, (n, 1), endpoint=True) for m in most]
        places = [np.arange(s) - move for s, move in zip(size, moves, strict=True)]
        return _gathered(x, places[0], places[1], self.fill)


@helpful
@dataclass(frozen=True)
class RandomFlip(Augmentation):
    """Mirror each image with probability `p`: out[i, j] = x[i, W - 1 - j] where horizontal.

    "vertical" turns it upside down, and "both" decides on each of the two by itself.

    Raises:
        TypeError: `p` is no number.
        ValueError: `direction` is none of the three, or `p` outside [0, 1].

    >>> from pellucid import data
    >>> data.RandomFlip(p=1.0)([[[1, 2, 3]]]).tolist()
    [[[3, 2, 1]]]
    """

    direction: Direction = "horizontal"
    p: float = 0.5

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.direction not in get_args(Direction):
            raise ValueError(
                f"direction: expected one of {get_args(Direction)}, got {self.direction!r}; "
                "'horizontal' swaps left and right"
            )
        if real(self.p, "p") > 1.0:
            raise ValueError(f"p: expected a probability in [0, 1], got {self.p}; pass 0.5")

    def change(self, x: Images, rng: np.random.Generator) -> Images:
        """Return copies of images (N, H, W, C), some mirrored."""
        out = x.copy()
        for axis, name in ((1, "vertical"), (2, "horizontal")):
            if self.direction in (name, "both"):
                chosen = rng.random(len(x)) < self.p  # (N,)
                out[chosen] = np.flip(out[chosen], axis=axis)
        return out


@helpful
@dataclass(frozen=True)
class RandomCrop(Augmentation):
    """Cut a window out of each image: out[i, j] = x[a + i - padding, b + j - padding].

    The corner (a, b) is drawn evenly from where the window of `size` fits into the image with
    `padding` pixels of `fill` added on every side. One number for `size` makes it square.

    Raises:
        TypeError: `size` or `padding` is no integer.
        ValueError: `size` is below 1, `padding` negative, or `fill` neither a finite number nor
            "edge"; when called, images that are smaller than the window with their padding.

    Source: padding and cropping are as in A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet
    Classification with Deep Convolutional Neural Networks", NIPS 2012, section 4.1.

    >>> import numpy as np
    >>> from pellucid import data
    >>> crops = data.RandomCrop((1, 2))([[[1, 2, 3]]] * 20, rng=0)
    >>> np.unique(crops, axis=0).tolist()
    [[[1, 2]], [[2, 3]]]
    """

    size: int | tuple[int, int]
    padding: int = 0
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        _two(self.size, "size", least=1)
        whole(self.padding, "padding", least=0)
        _check_fill(self.fill)

    def change(self, x: Images, rng: np.random.Generator) -> Images:
        """Return windows (N, h, w, C) of images (N, H, W, C)."""
        windows = _two(self.size, "size", least=1)
        places = []
        for have, want in zip(x.shape[1:3], windows, strict=True):
            spare = have + 2 * self.padding - want
            if spare < 0:
                raise ValueError(
                    f"size: expected a window that fits into images of {x.shape[1]}x{x.shape[2]} "
                    f"with padding {self.padding}, got {windows[0]}x{windows[1]}; "
                    "make it smaller or the padding larger"
                )
            corner = rng.integers(0, spare, len(x), endpoint=True)  # (N,)
            places.append(corner[:, None] + np.arange(want) - self.padding)
        return _gathered(x, places[0], places[1], self.fill)


@helpful
@dataclass(frozen=True)
class RandomRotation(Augmentation):
    """Turn each image around its centre, counterclockwise, by an angle t drawn in degrees.

    t is even over [-degrees, degrees], or over a pair (lowest, highest). Pixel (i, j), measured
    from the centre, takes the value at (i cos t + j sin t, j cos t - i sin t), interpolated
    between the four pixels around; integer images are rounded. Turns by 90 degrees are exact.

    Raises:
        TypeError: `degrees` is no number.
        ValueError: `degrees` is negative, not finite or a pair out of order, or `fill` neither a
            finite number nor "edge".

    >>> from pellucid import data
    >>> data.RandomRotation((90, 90))([[[1, 2], [3, 4]]]).tolist()
    [[[2, 4], [1, 3]]]
    """

    degrees: float | tuple[float, float]
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        self._range()
        _check_fill(self.fill)

    def change(self, x: Images, rng: np.random.Generator) -> Images:
        """Return turned copies of images (N, H, W, C)."""
        n, height, width, _ = x.shape
        angle = np.deg2rad(rng.uniform(*self._range(), n))[:, None, None]  # (N, 1, 1)
        cos, sin = np.cos(angle).round(15), np.sin(angle).round(15)  # exactly 0 and 1 at 90 degrees
        middle = (height - 1) / 2.0, (width - 1) / 2.0
        i = np.arange(height)[:, None] - middle[0]  # (H, 1)
        j = np.arange(width) - middle[1]  # (W,)
        rows = i * cos + j * sin + middle[0]  # (N, H, W)
        columns = j * cos - i * sin + middle[1]
        return _interpolated(x, rows, columns, self.fill)

    def _range(self) -> tuple[float, float]:
        """Return the lowest and the highest angle."""
        if not isinstance(self.degrees, tuple | list):
            most = real(self.degrees, "degrees")
            return -most, most
        wanted = f"degrees: expected two finite numbers, got {self.degrees}; pass both"
        if not all(isinstance(end, int | float | np.number) for end in self.degrees):
            raise TypeError(wanted)
        if len(self.degrees) != 2 or not all(map(math.isfinite, self.degrees)):
            raise ValueError(wanted)
        lowest, highest = self.degrees
        if lowest > highest:
            raise ValueError(f"degrees: expected (lowest, highest), got {self.degrees}; swap them")
        return lowest, highest


@helpful
@dataclass(frozen=True)
class Compose:
    """One transform after another, of two t2(t1(x)), all drawing from one generator.

    Raises:
        TypeError: a transform cannot be called with (x, rng), or is a class.
        ValueError: there are none.

    >>> from pellucid import data
    >>> change = data.Compose([data.RandomFlip(p=1.0), data.RandomRotation((90, 90))])
    >>> change([[[1, 2], [3, 4]]]).tolist()
    [[[1, 3], [2, 4]]]
    """

    transforms: Sequence[Transform]

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.transforms, Sequence) or not all(map(callable, self.transforms)):
            raise TypeError(
                f"transforms: expected a list of callables (x, rng) -> x, got {self.transforms!r}; "
                "put them into a list, such as [RandomFlip(), RandomShift(2)]"
            )
        for transform in self.transforms:
            check_transform(transform)
        if not self.transforms:
            raise ValueError("transforms: expected at least one, got none; leave Compose out")

    def __call__(self, x: ArrayLike, rng: Seed = None) -> NDArray[Any]:
        """Return what the last of the transforms makes of x."""
        random, out = np.random.default_rng(rng), np.asarray(x)
        for transform in self.transforms:
            out = transform(out, random)
        return out


def _gathered(x: Images, rows: NDArray[np.int64], columns: NDArray[np.int64], fill: Fill) -> Images:
    """Return out[n, i, j] = x[n, rows[n, i], columns[n, j]], with `fill` outside of the image."""
    n, height, width, _ = x.shape
    rows, columns = rows[:, :, None], columns[:, None, :]
    each = np.arange(n)[:, None, None]
    out: Images = x[each, rows.clip(0, height - 1), columns.clip(0, width - 1)]
    if not _is_edge(fill):
        outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
        out[outside] = _held(fill, x.dtype)
    return out


def _interpolated(
    x: Images, rows: NDArray[np.float64], columns: NDArray[np.float64], fill: Fill
) -> Images:
    """Return the values (N, h, w, C) at places (N, h, w) between the pixels, in the dtype of x."""
    n, height, width, channels = x.shape
    real_type = np.result_type(x.dtype, np.float32)
    # A frame of two pixels around each image: further out there is nothing but more of the same.
    framed = np.empty((n, height + 4, width + 4, channels), real_type)
    framed[:] = 0.0 if _is_edge(fill) else _held(fill, x.dtype)
    framed[:, 2:-2, 2:-2] = x
    low, past = (0.0, -1.0) if _is_edge(fill) else (-1.0, 0.0)
    rows, columns = rows.clip(low, height + past), columns.clip(low, width + past)
    above, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    down = (rows - above).astype(real_type)[..., None]  # in [0, 1)
    right = (columns - left).astype(real_type)[..., None]
    each = np.arange(n)[:, None, None] * (height + 4)
    place = (each + above + 2) * (width + 4) + left + 2
    pixels = framed.reshape(-1, channels)
    top = _between(pixels, place, right)  # (N, h, w, C)
    bottom = _between(pixels, place + (width + 4), right)
    out = _mixed(top, bottom, down)
    if x.dtype.kind != "f":
        np.rint(out, out=out)
    # The mixing may round to just outside; fmin and fmax pass over NaN.
    ends = [np.fmin.reduce(x, axis=None), np.fmax.reduce(x, axis=None)]
    if not _is_edge(fill):
        ends.append(_held(fill, x.dtype))
    return out.clip(np.fmin.reduce(ends), np.fmax.reduce(ends)).astype(x.dtype, copy=False)


def _between(pixels: Images, place: NDArray[np.intp], right: Images) -> Images:
    """Return the mixture of the pixels at `place` and of their right neighbours."""
    return _mixed(pixels.take(place, axis=0), pixels.take(place + 1, axis=0), right)


def _mixed(a: Images, b: Images, share: Images) -> Images:
    """Return a + share (b - a), computed into b."""
    with np.errstate(invalid="ignore"):  # of infinite pixels
        np.subtract(b, a, out=b)
        np.multiply(b, share, out=b)
        return np.add(a, b, out=b)


def _is_edge(fill: object) -> bool:
    return isinstance(fill, str) and fill == "edge"


def _held(fill: float | str, dtype: np.dtype[Any]) -> Any:
    """Return `fill` in the dtype of the images, or refuse it if they cannot hold it."""
    number = float(fill)
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    whole_enough = dtype.kind == "f" or number.is_integer()
    if not (whole_enough and float(limits.min) <= number <= float(limits.max)):
        raise ValueError(
            f"fill: expected a number that {dtype} images hold, got {fill}; pass one in "
            f"{limits.min}..{limits.max}, a whole one for integer images"
        )
    return dtype.type(number)


def _check_fill(fill: object) -> None:
    if _is_edge(fill):
        return
    is_number = isinstance(fill, int | float | np.integer | np.floating)
    if isinstance(fill, bool) or not is_number or not math.isfinite(fill):  # type: ignore[arg-type]
        raise ValueError(f"fill: expected a finite number or 'edge', got {fill!r}; pass 0.0")


def _two(value: int | tuple[int, int], name: str, least: int) -> tuple[int, int]:
    """Return one number for height and width, or a pair as it is."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name}: expected a number or a pair, got {value!r}; pass (down, across)")
    return whole(pair[0], name, least=least), whole(pair[1], name, least=least)
