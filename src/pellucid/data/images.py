"""Image datasets: scikit-learn's digits, MNIST and Fashion-MNIST."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.calls import helpful
from pellucid.data.dataset import Dataset
from pellucid.data.idx import read_idx
from pellucid.data.published import Published, locate
from pellucid.data.sources import Progress, RemoteFile

_DIGITS = tuple("0123456789")
_TOPS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
_OTHERS = ("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_SIDE = 28


@dataclass(frozen=True)
class ImageSource(Published):
    """Where a set of the MNIST family is published.

    The files are training images and labels, test images and labels, in this order.

    Attributes:
        class_names: The name of each label.
        fingerprint: SHA-256 of the published test labels, to tell files of equal names apart.
    """

    class_names: tuple[str, ...]
    fingerprint: str


MNIST = ImageSource(
    name="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    class_names=_DIGITS,
    fingerprint="ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
)

FASHION_MNIST = ImageSource(
    name="fashion-mnist",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    class_names=(*_TOPS, *_OTHERS),
    fingerprint="3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
)


@helpful
def digits() -> Dataset:
    """1,797 handwritten digits of 8x8 pixels, which come with scikit-learn.

    Returns:
        x float32 (1797, 64) in [0, 1], a sixteenth of the published counts; y int64 (1797,).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998, doi:10.24432/C50P49; the test part.

    >>> from pellucid import data
    >>> digits = data.digits()
    >>> digits.x.shape, digits.image_shape
    ((1797, 64), (8, 8))
    >>> digits.y[:5].tolist()
    [0, 1, 2, 3, 4]
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "digits: expected scikit-learn, which holds the images, got no such package; "
            "install it with: pip install 'pellucid[sklearn]'"
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16.0).astype(np.float32)  # (1797, 64)
    return Dataset("digits", x, labels, _DIGITS, image_shape=(8, 8))


@helpful
def mnist(
    folder: str | Path | None = None, *, flatten: bool = True, progress: Progress | None = None
) -> tuple[Dataset, Dataset]:
    """MNIST: 60,000 training and 10,000 test images of handwritten digits, 28x28 grey pixels.

    The four IDX files, each plain or gzip-compressed, are looked for in `folder`, directly or
    in its folder "mnist"; where no folder is given, likewise in the one PELLUCID_DATA names,
    then in the cache (see `cache_folder`), into which missing files are at last downloaded and
    checked. Files that have been unpacked, with gunzip, load in a quarter of the time.

    Args:
        folder: Where the files are; nothing is downloaded if they are not.
        flatten: Whether an image is a row of 784 pixels or an array (28, 28, 1).
        progress: Called with (bytes so far, bytes in all) of each file as it is downloaded.

    Returns:
        (train, test): x float32 (N, 784) or (N, 28, 28, 1), pixels in [0, 1], 0 the background;
        y int64 (N,) in 0..9.

    Raises:
        FileNotFoundError: The files are in none of the places; the message names each.
        ValueError: A file is damaged, or is not what its name says.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE 86(11):2278-2324, 1998.

    >>> import tempfile
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     train, test = data.mnist(empty)
    Traceback (most recent call last):
        ...
    FileNotFoundError: mnist: expected the files train-images-idx3-ubyte.gz, ...
    """
    return load_images(MNIST, folder, flatten=flatten, progress=progress)


@helpful
def fashion_mnist(
    folder: str | Path | None = None, *, flatten: bool = True, progress: Progress | None = None
) -> tuple[Dataset, Dataset]:
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28x28 grey pixels.

    Files are found, and results shaped, as `mnist` does; the folder is "fashion-mnist".

    Args:
        folder: Where the files are; nothing is downloaded if they are not.
        flatten: Whether an image is a row of 784 pixels or an array (28, 28, 1).
        progress: Called with (bytes so far, bytes in all) of each file as it is downloaded.

    Returns:
        (train, test): x float32 (N, 784) or (N, 28, 28, 1), pixels in [0, 1], 0 the background;
        y int64 (N,) in 0..9.

    Raises:
        FileNotFoundError: The files are in none of the places; the message names each.
        ValueError: A file is damaged, or is not what its name says.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
    Benchmarking Machine Learning Algorithms", arXiv:1708.07747, 2017.

    >>> from pellucid import data
    >>> info = data.catalogue()["fashion-mnist"]  # known without the files
    >>> info.rows, info.shape, info.classes
    (60000, (784,), 10)
    """
    return load_images(FASHION_MNIST, folder, flatten=flatten, progress=progress)


def load_images(
    source: ImageSource,
    folder: str | Path | None,
    *,
    flatten: bool,
    progress: Progress | None = None,
) -> tuple[Dataset, Dataset]:
    """Find, read and check the four files of `source`; return its training and test sets."""
    paths = locate(source, folder, progress)
    return _read_part(source, paths[:2], flatten), _read_part(source, paths[2:], flatten)


def _read_part(source: ImageSource, paths: list[Path], flatten: bool) -> Dataset:
    """Read a pair of image and label files into a Dataset with pixels in [0, 1]."""
    images, labels = (read_idx(path) for path in paths)
    _check_part(source, paths, images, labels)
    x = np.divide(images, np.float32(255), dtype=np.float32)  # (N, 28, 28)
    return Dataset(
        name=source.name,
        x=x.reshape(len(x), -1) if flatten else x[..., None],  # (N, 784) or (N, 28, 28, 1)
        y=labels.astype(np.int64),
        class_names=source.class_names,
        image_shape=(_SIDE, _SIDE),
    )


def _check_part(
    source: ImageSource, paths: list[Path], images: NDArray[Any], labels: NDArray[Any]
) -> None:
    """Refuse files that are IDX but not images and labels of this dataset."""
    if images.dtype != np.uint8 or images.shape[1:] != (_SIDE, _SIDE) or len(images) == 0:
        raise ValueError(
            f"{paths[0]}: expected uint8 images of shape (N, {_SIDE}, {_SIDE}), got "
            f"{images.dtype} {images.shape}; put the {source.name} file in its place"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{paths[1]}: expected uint8 labels of shape ({len(images)},), one for each image, "
            f"got {labels.dtype} {labels.shape}; put the file that belongs to the images there"
        )
    if labels.max() >= len(source.class_names):
        raise ValueError(
            f"{paths[1]}: expected labels in 0..{len(source.class_names) - 1}, got "
            f"{labels.max()}; put the {source.name} file in its place"
        )
    twin = _named_by(labels)
    if twin not in (None, source.name):
        raise ValueError(
            f"{paths[1]}: expected {source.name}, got {twin}, whose files have the same names; "
            "put each set in a folder of its own name"
        )


def _named_by(labels: NDArray[Any]) -> str | None:
    """Return the name of the published set these test labels are of, None for any others."""
    import hashlib

    names = {source.fingerprint: source.name for source in (MNIST, FASHION_MNIST)}
    return names.get(hashlib.sha256(labels.tobytes()).hexdigest())
