"""Datasets, and what brings them to a network: sources, splits, batches and scaling."""

from pellucid.data.dataset import Dataset, Task
from pellucid.data.idx import read_idx
from pellucid.data.images import digits, fashion_mnist, mnist
from pellucid.data.loader import batch_indices, batches
from pellucid.data.registry import DatasetInfo, catalogue, load
from pellucid.data.sources import DownloadError, Progress, cache_folder
from pellucid.data.splitting import Split, SplitIndices, split, split_indices
from pellucid.data.synthetic import blobs, circles, moons, sine, spiral, xor
from pellucid.data.table import load_csv
from pellucid.data.transforms import Standardizer, one_hot

__all__ = [
    "Dataset",
    "DatasetInfo",
    "DownloadError",
    "Progress",
    "Split",
    "SplitIndices",
    "Standardizer",
    "Task",
    "batch_indices",
    "batches",
    "blobs",
    "cache_folder",
    "catalogue",
    "circles",
    "digits",
    "fashion_mnist",
    "load",
    "load_csv",
    "mnist",
    "moons",
    "one_hot",
    "read_idx",
    "sine",
    "spiral",
    "split",
    "split_indices",
    "xor",
]
