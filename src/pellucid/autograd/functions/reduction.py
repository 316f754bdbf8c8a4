"""Functions that fold axes away, or look along them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import Axis
from pellucid.autograd.apply import floating
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.errors import ShapeError
from pellucid.ops import normalise, reduce


def sum(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the sum over axes: one axis, a tuple of them, or by default all.

    >>> import pellucid
    >>> pellucid.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([4., 6.])
    """
    return as_tensor(x).sum(axis, keepdims)


def mean(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the mean over axes, by default over all.

    >>> import pellucid
    >>> pellucid.mean([[1.0, 2.0], [3.0, 4.0]], axis=1, keepdims=True)
    Tensor([[1.5],
            [3.5]])
    """
    return as_tensor(x).mean(axis, keepdims)


def var(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Return the variance over axes: squared deviations divided by n - ddof.

    >>> import pellucid
    >>> pellucid.var([1.0, 3.0]), pellucid.var([1.0, 3.0], ddof=1)
    (Tensor(1.), Tensor(2.))
    """
    return as_tensor(x).var(axis, keepdims, ddof)


def std(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Return the standard deviation over axes, the root of `var`; its gradient at 0 is 0.

    >>> import pellucid
    >>> pellucid.std([[1.0, 3.0], [5.0, 5.0]], axis=1)
    Tensor([1., 0.])
    """
    return as_tensor(x).std(axis, keepdims, ddof)


def max(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the largest element over axes; equal ones share the gradient.

    >>> import pellucid
    >>> pellucid.max([[1.0, 5.0], [7.0, 3.0]], axis=1)
    Tensor([5., 7.])
    >>> pellucid.grad(pellucid.max)(pellucid.Tensor([1.0, 5.0, 5.0]))
    Tensor([0. , 0.5, 0.5])
    """
    return as_tensor(x).max(axis, keepdims)


def min(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element over axes; equal ones share the gradient.

    >>> import pellucid
    >>> pellucid.min([[1.0, 5.0], [7.0, 3.0]], axis=0)
    Tensor([1., 3.])
    """
    return as_tensor(x).min(axis, keepdims)


def any(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether one element over axes is true.

    >>> import pellucid
    >>> pellucid.any([[True, False], [False, False]], axis=1)
    Tensor([ True, False], dtype=bool)
    """
    return as_tensor(x).any(axis, keepdims)


def all(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether all elements over axes are true.

    >>> import pellucid
    >>> pellucid.all([[True, False], [True, True]], axis=1)
    Tensor([False,  True], dtype=bool)
    """
    return as_tensor(x).all(axis, keepdims)


def argmax(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the first largest element along an axis, by default of the flattened x.

    >>> import pellucid
    >>> pellucid.argmax([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]], axis=1)
    Tensor([1, 0], dtype=int64)
    """
    return as_tensor(x).argmax(axis, keepdims)


def argmin(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the first smallest element along an axis, by default of the flattened x.

    >>> import pellucid
    >>> pellucid.argmin([3.0, 1.0, 2.0])
    Tensor(1, dtype=int64)
    """
    return as_tensor(x).argmin(axis, keepdims)


def norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the Euclidean length sqrt(sum x^2) over axes; its gradient at 0 is 0.

    >>> import pellucid
    >>> pellucid.norm([3.0, 4.0])
    Tensor(5.)
    """
    return apply(reduce.Norm, as_tensor(x), axis=axis, keepdims=keepdims)


def logsumexp(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return ln sum e^x over axes, without overflow.

    >>> import pellucid
    >>> pellucid.logsumexp(pellucid.log([1.0, 2.0, 7.0])).item()  # ln 10
    2.302...
    >>> pellucid.logsumexp([1000.0, -1000.0])
    Tensor(1000.)
    """
    return apply(reduce.LogSumExp, as_tensor(x), axis=axis, keepdims=keepdims)


def softmax(x: Any, /, *, axis: int = -1) -> Tensor:
    """Return e^x / sum e^x along an axis: numbers above 0 whose sum is 1.

    Bridle, "Probabilistic interpretation of feedforward classification network outputs",
    Neurocomputing, 1990.

    >>> import pellucid
    >>> pellucid.softmax([[1000.0, 1000.0], [0.0, 0.0]])
    Tensor([[0.5, 0.5],
            [0.5, 0.5]])
    >>> pellucid.softmax(pellucid.log([1.0, 3.0]))
    Tensor([0.25, 0.75])
    """
    return apply(reduce.Softmax, as_tensor(x), axis=axis)


def log_softmax(x: Any, /, *, axis: int = -1) -> Tensor:
    """Return ln softmax(x) = x - ln sum e^x along an axis, without overflow and without ln 0.

    >>> import pellucid
    >>> pellucid.log_softmax([0.0, 1000.0])
    Tensor([-1000.,     0.])
    """
    return apply(reduce.LogSoftmax, as_tensor(x), axis=axis)


def cross_entropy(z: Any, y: Any, /) -> Tensor:
    """Return -ln softmax(z[i])[y[i]] for logits z ``(N, C)`` and integer labels y ``(N,)``.

    One number a row, ``(N,)``; `nn.CrossEntropyLoss` is their mean.

    Raises:
        IndexError: a label is not from 0 to C - 1.
        ShapeError: there is not one label for each row.
        TypeError: the labels are no integers.

    >>> import pellucid
    >>> z = [[0.0, 0.0], [100.0, 0.0], [100.0, 0.0]]
    >>> pellucid.cross_entropy(z, [1, 0, 1])
    Tensor([  0.6931,   0.    , 100.    ])
    """
    logits, labels = floating(as_tensor(z)), as_tensor(y)
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ShapeError(
            f"cross_entropy: expected logits (N, C) and labels (N,), got {logits.shape} and "
            f"{labels.shape}"
        )
    if labels.dtype.kind not in "iub" and labels.size:
        raise TypeError(f"cross_entropy: expected integer labels, got {labels.dtype}")
    if labels.dtype.kind not in "iu":  # as an index True would be a mask, not the number 1
        labels = labels.astype(np.int64)
    _check_labels(labels.data, logits.shape[1])
    return apply(reduce.CrossEntropy, logits, labels)


def _check_labels(y: Any, classes: int) -> None:
    """Refuse labels out of range; -1 would be the last class as an index, and none in the rule."""
    if not isinstance(y, np.ndarray) or y.size == 0 or (y.min() >= 0 and y.max() < classes):
        return
    place = np.argmax((y < 0) | (y >= classes))
    raise IndexError(
        f"cross_entropy: expected labels from 0 to {classes - 1}, got {y[place]} at {place}; "
        "number the classes from 0, and leave out rows without a label"
    )


def standardise(x: Any, /, *, axis: Axis = None, eps: float = 1e-5) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) over axes, the heart of batch and layer normalisation.

    The variance is that of the values at hand, divided by their number. Ioffe and Szegedy, "Batch
    normalization", ICML 2015.

    >>> import pellucid
    >>> pellucid.standardise([10.0, 30.0])  # mean 20, standard deviation 10
    Tensor([-1.,  1.])
    """
    return apply(normalise.Standardise, as_tensor(x), axis=axis, eps=float(eps))


def rms_normalise(x: Any, /, *, axis: Axis = None, eps: float = 1e-6) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) over axes.

    Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    >>> import pellucid
    >>> pellucid.rms_normalise([1.0, 7.0])  # the root of (1 + 49) / 2 is 5
    Tensor([0.2, 1.4])
    """
    return apply(normalise.RmsNormalise, as_tensor(x), axis=axis, eps=float(eps))
