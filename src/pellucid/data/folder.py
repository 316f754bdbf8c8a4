"""Images in a folder for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import whole
from pellucid.data.dataset import Dataset

if TYPE_CHECKING:
    from PIL.Image import Image

_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
_DEEP = ("I", "F")  # modes of more than 8 bits a pixel begin so


@helpful
def image_folder(
    path: str | Path, size: tuple[int, int] | None = None, *, grayscale: bool = False
) -> Dataset:
    """Read images that lie in one folder for each class: path/cat/1.png, path/dog/a.jpg, ...

    Classes are the names of the folders, sorted by character, and images come class by class,
    sorted by path. Folders within them are searched too; hidden folders, and files without the
    ending of an image (.png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff, .ppm, .pgm), are left
    out. Photographs are turned upright as their EXIF data say, of moving pictures the first frame
    is taken, and transparency is dropped. Resizing is bilinear and averages when it shrinks.

    Args:
        path: The folder with the class folders.
        size: (height, width) to resize every image to; None takes them as they are, all of one
            size.
        grayscale: Whether to make one channel of luminance, 0.299 R + 0.587 G + 0.114 B.

    Returns:
        x float32 (N, height, width, 3), or (N, height, width, 1) in grey, in [0, 1]; y int64 (N,)
        with `class_names`.

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError, NotADirectoryError: `path` is no folder.
        TypeError: `size` is not of integers.
        ValueError: There are no class folders, one has no images, a file cannot be read as an
            image (the message names it) or has more than 8 bits a channel, or sizes differ and
            `size` is not given.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for shade in ("black", "white"):
    ...         Path(folder, shade).mkdir()
    ...         Image.new("L", (4, 2), shade).save(Path(folder, shade, "1.png"))
    ...     images = data.image_folder(folder, grayscale=True)
    >>> images.x.shape, images.class_names
    ((2, 2, 4, 1), ('black', 'white'))
    >>> images.x.mean(axis=(1, 2, 3)).tolist(), images.y.tolist()
    ([0.0, 1.0], [0, 1])
    """
    path = Path(path)
    if size is not None:
        size = _checked_size(size)
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not folders:
        raise ValueError(
            f"{path}: expected one folder for each class, got no folders; put the images of each "
            "class into a folder of its name"
        )
    files = [_images_in(folder) for folder in folders]
    return Dataset(
        name=path.resolve().name,
        x=(x := _read_all([file for some in files for file in some], size, grayscale)),
        y=np.repeat(np.arange(len(folders)), [len(some) for some in files]),
        class_names=tuple(folder.name for folder in folders),
        image_shape=x.shape[1:3] if grayscale else x.shape[1:],
    )


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise TypeError(f"size: expected (height, width), got {size!r}; pass for example (64, 64)")
    return whole(size[0], "size"), whole(size[1], "size")


def _images_in(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted."""
    below = (file.relative_to(folder) for file in folder.rglob("*"))
    seen = (file for file in below if not any(part.startswith(".") for part in file.parts))
    files = [folder / f for f in sorted(seen) if f.suffix.lower() in _SUFFIXES]
    files = [file for file in files if file.is_file()]
    if not files:
        raise ValueError(
            f"{folder}: expected images of the class {folder.name!r}, got none; add some or "
            "remove the folder"
        )
    return files


def _read_all(
    files: list[Path], size: tuple[int, int] | None, grayscale: bool
) -> NDArray[np.float32]:
    """Return the images of all files, float32 (N, H, W, C) in [0, 1]."""
    first = _read(files[0], size, grayscale)  # (H, W, C)
    x = np.empty((len(files), *first.shape), np.float32)
    for row, file in enumerate(files):
        pixels = first if row == 0 else _read(file, size, grayscale)
        if pixels.shape != first.shape:
            raise ValueError(
                f"{file}: expected {first.shape[0]}x{first.shape[1]} pixels as in {files[0]}, got "
                f"{pixels.shape[0]}x{pixels.shape[1]}; pass size=(height, width) to resize all"
            )
        np.divide(pixels, np.float32(255), out=x[row])
    return x


def _read(file: Path, size: tuple[int, int] | None, grayscale: bool) -> NDArray[np.uint8]:
    """Return one image, uint8 (H, W, C)."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "image_folder: expected Pillow to read images with, got none installed; "
            "install it with: pip install 'pellucid[images]'"
        ) from error
    try:
        with Image.open(file) as opened:
            image = _eight_bits(ImageOps.exif_transpose(opened), grayscale)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{file}: expected an image of at most 8 bits a channel, got a file that cannot be "
            f"read as one ({error}); replace or remove it"
        ) from error
    if size is not None:
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[..., None] if grayscale else pixels


def _eight_bits(image: Image, grayscale: bool) -> Image:
    """Return an image of 8 bits in one channel of luminance or in three of colour."""
    if image.mode.startswith(_DEEP):
        raise ValueError(f"mode {image.mode}")
    if "transparency" in image.info or image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    return image.convert("L" if grayscale else "RGB")
