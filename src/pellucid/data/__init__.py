"""Datasets, and what brings them to a network: sources, splits, batches and scaling."""

from pellucid.data.augmentation import (
    Augmentation,
    Compose,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShift,
)
from pellucid.data.characters import CharVocabulary, TextWindows, text
from pellucid.data.collection import names, shakespeare, wine_quality
from pellucid.data.columns import TableEncoding
from pellucid.data.dataset import Dataset, Task
from pellucid.data.folder import image_folder
from pellucid.data.idx import read_idx
from pellucid.data.images import digits, fashion_mnist, mnist
from pellucid.data.loader import Batch, batch_indices, batches
from pellucid.data.registry import DatasetInfo, catalogue, load
from pellucid.data.sources import DownloadError, Progress
from pellucid.data.splitting import Split, SplitIndices, split, split_indices
from pellucid.data.stream import Loader
from pellucid.data.synthetic import blobs, circles, moons, sine, spiral, xor
from pellucid.data.table import load_csv
from pellucid.data.transforms import Standardizer, one_hot
from pellucid.files import cache_folder

__all__ = [
    "Augmentation",
    "Batch",
    "CharVocabulary",
    "Compose",
    "Dataset",
    "DatasetInfo",
    "DownloadError",
    "Loader",
    "Progress",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomShift",
    "Split",
    "SplitIndices",
    "Standardizer",
    "TableEncoding",
    "Task",
    "TextWindows",
    "batch_indices",
    "batches",
    "blobs",
    "cache_folder",
    "catalogue",
    "circles",
    "digits",
    "fashion_mnist",
    "image_folder",
    "load",
    "load_csv",
    "mnist",
    "moons",
    "names",
    "one_hot",
    "read_idx",
    "shakespeare",
    "sine",
    "spiral",
    "split",
    "split_indices",
    "text",
    "wine_quality",
    "xor",
]
