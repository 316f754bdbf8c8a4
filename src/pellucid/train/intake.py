"""What `Model` is given, turned into batches that fit its network and loss, or refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arrays import Array, Shape, quiet
from pellucid.autograd import Tensor, no_grad
from pellucid.data import Dataset, Split, batch_indices
from pellucid.errors import ShapeError
from pellucid.nn import Loss, Module
from pellucid.train import inputs
from pellucid.train.batches import (
    Batch,
    FromArrays,
    FromLoader,
    Source,
    is_loader,
    iter_batches,
    parts,
)
from pellucid.train.metrics import Metric, compares_numbers
from pellucid.train.weights import ClassWeight, check_weighable, weighted


@dataclass(frozen=True)
class Intake:
    """Checks data against a network and a loss; ``predict`` returns what the loss takes."""

    network: Module
    loss: Loss
    predict: Callable[[Array], Tensor]
    metrics: Sequence[Metric] = ()

    def examples(self, x: Any, name: str = "x") -> Array:
        """Return examples in the network's dtype, or say what is wrong with them."""
        return inputs.examples(x, inputs.dtype_of(self.network), name)

    def batch(self, x: Any, y: Any, sample_weight: Any = None, name: str = "") -> Batch:
        """Return those of the examples that count, with targets as the loss takes them.

        Raises:
            ValueError, TypeError: something does not fit, or nothing counts.
        """
        if y is None:
            got = "None" if not isinstance(x, Dataset | Split) else f"a {type(x).__name__} alone"
            raise TypeError(
                f"expected {name}y, one target for each example of {name}x, got {got}; "
                f"{_of_a_dataset(x)}"
            )
        if is_loader(x, may_be_list=False):
            raise TypeError(
                f"expected {name}x to be an array where there is y, got {type(x).__name__}; what "
                "brings batches brings their y too, so leave y out"
            )
        inputs.refuse_lists(x, f"{name}x", y)
        x = self.examples(x, f"{name}x")
        inputs.refuse_calls(self.network, x, f"{name}x")
        found = self._targeted(x, y, sample_weight, self._output(x), name)
        return _some(found, f"{name}sample_weight")

    def weighted(self, batch: Batch, class_weight: ClassWeight) -> Batch:
        """Return those of the examples that count, weighted by their classes besides.

        Raises:
            ValueError, TypeError: the class weights do not fit the targets, or nothing counts.
        """
        if class_weight is None:
            return batch
        check_weighable(self.loss, self.metrics)
        found = weighted(batch, class_weight, self.loss, self._output(batch.x))
        return _some(found.counting(), "class_weight")

    def batch_size(self, wanted: Any, whole: Batch) -> int:
        """Return how many examples a batch has: 32 by default, and never more than there are.

        Raises:
            ValueError: it is no size, or one example would be left alone in the last batch and the
                network cannot be trained on one.
        """
        rows = len(whole.x)
        if wanted is not None and positive("batch_size", wanted) > rows:
            text = f"batch_size {wanted} is larger than the {rows} training examples; using {rows}"
            warnings.warn(text, UserWarning, stacklevel=4)
        size = min(32 if wanted is None else int(wanted), rows)
        self._check_last(whole, size)
        return size

    def _check_last(self, whole: Batch, batch_size: int) -> None:
        """Refuse a last batch of one example, if the network cannot be trained on one.

        Raises:
            ValueError: says which other batch size would do.
        """
        if len(whole.x) % batch_size != 1 and batch_size > 1:
            return
        state = self.network.state()
        try:
            with in_mode(self.network, training=True), no_grad(), quiet():
                self.predict(whole.x[:1])
        except ShapeError as error:
            raise ValueError(
                f"expected batches of more than one example, got {len(whole.x)} examples in "
                f"batches of {batch_size}, which leave one alone: {error}"
            ) from error
        finally:
            self.network.load_state(state)

    def loader(
        self, given: Any, name: str, class_weight: ClassWeight = None, once: bool = False
    ) -> FromLoader:
        """Return a source of the batches that a loader brings, each checked as it comes."""
        shapes: list[Shape] = []  # of the first example and of its output

        def check(batch: Any, at: str) -> Batch:
            x, y, weight = parts(batch, at)
            inputs.refuse_lists(x, f"{at}: x", y)
            x = self.examples(x, f"{at}: x")
            if not shapes:
                inputs.refuse_calls(self.network, x, f"{at}: x")
                shapes.extend([x.shape[1:], self._output(x)])
            if x.shape[1:] != shapes[0]:
                raise ShapeError(
                    f"{at}: expected examples of shape {shapes[0]} as in the first batch, got "
                    f"{x.shape[1:]}; bring all examples to one shape"
                )
            batch = self._targeted(x, y, weight, shapes[1], f"{at}: ")
            return weighted(batch, class_weight, self.loss, shapes[1]).counting()

        if class_weight is not None:
            check_weighable(self.loss, self.metrics)

        return FromLoader(given, check, name, once)

    def validation(self, data: Any, held: Batch | None = None, size: int = 1024) -> Source | None:
        """Return a source of what was given to validate with, or else of what was set aside."""
        if data is None:
            return None if held is None else FromArrays(held, size)
        if is_loader(data):
            return self.loader(data, "the validation loader")
        return FromArrays(self.batch(*parts(data, "validation_data"), name="validation "), size)

    def only_examples(self, x: Any, batch_size: int) -> Iterator[Array]:
        """Return batches of examples, from arrays or from what brings batches."""
        if is_loader(x, may_be_list=False):
            batches = (batch[0] if isinstance(batch, tuple) else batch for batch in iter_batches(x))
            return (self.examples(x, f"batch {i}: x") for i, x in enumerate(batches, start=1))
        array = self.examples(x)
        inputs.refuse_calls(self.network, array)
        return (array[rows] for rows in batch_indices(len(array), batch_size))

    def _targeted(self, x: Array, y: Any, sample_weight: Any, output: Shape, name: str) -> Batch:
        dtype = inputs.dtype_of(self.network)
        y = inputs.targets(y, self.loss, output, len(x), dtype, f"{name}y")
        weight = inputs.weights(sample_weight, len(x), dtype, f"{name}sample_weight")
        if weight is not None:
            check_weighable(self.loss, self.metrics)
        self._check_metrics(y)
        return Batch(x, y, weight).counting()

    def _check_metrics(self, y: Array) -> None:
        """Refuse metrics that compare numbers where the targets are labels.

        Raises:
            TypeError: there is one.
        """
        if self.loss.task != "classification" or y.dtype.kind == "f":
            return
        for metric in self.metrics:
            if compares_numbers(metric):
                raise TypeError(
                    "expected metrics of classes beside class labels, got "
                    f"{metric.name!r}, which compares numbers; use metrics such as accuracy or f1"
                )

    def _output(self, x: Array) -> Shape:
        """Return the shape of the network's output for one example.

        Raises:
            TypeError: the network returns something else than a tensor.
            ValueError: its output has been through what the loss applies itself.
        """
        # with the tape on, so that a second softmax shows
        with in_mode(self.network, training=False), quiet():
            try:
                output = self.predict(x[:1])
            except ShapeError as error:
                error.message += f" (seen with the first of {len(x)} examples)"
                raise
        if not isinstance(output, Tensor):
            raise TypeError(
                f"expected the network to return a tensor, got {type(output).__name__}; compute "
                f"with tensors in the forward of {type(self.network).__name__}"
            )
        self.loss.check_prediction(output)
        return output.shape[1:]


def _of_a_dataset(x: Any) -> str:
    """Return what to do where y is missing."""
    if isinstance(x, Dataset):
        return "pass its two arrays, dataset.x and dataset.y"
    if isinstance(x, Split):
        return "pass the two arrays of a part, such as split.train.x and split.train.y"
    return "only something that brings batches (x, y), such as data.Loader, comes without y"


def positive(name: str, value: Any) -> int:
    """Return a number of things, or refuse what is none."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected {name} to be a whole number of at least 1, got {value!r}")
    return int(value)


def _some(batch: Batch, name: str) -> Batch:
    """Return the batch, or refuse it if nothing in it counts."""
    if len(batch.x) == 0:
        raise ValueError(
            f"{name}: expected at least one weight above 0, got zeros only; leave it out for equal "
            "weights"
        )
    return batch


@contextmanager
def in_mode(network: Module, training: bool) -> Iterator[None]:
    """Switch a network to training or evaluation, and every module back in the end."""
    modes = [(module, module.training) for module in network.modules().values()]
    network.train(training)
    try:
        yield
    finally:
        for module, before in modes:
            module.training = before


def joined(outputs: list[Array]) -> Array:
    """Return the outputs of all batches as one array.

    Raises:
        ValueError: there are none, or they are of several shapes.
    """
    if not outputs:
        raise ValueError("expected at least one batch of examples, got none")
    if len({output.shape[1:] for output in outputs}) > 1:
        raise ShapeError(
            "expected outputs of one shape from all batches, got "
            f"{', '.join(sorted({str(output.shape[1:]) for output in outputs}))}; bring all "
            "examples to one shape"
        )
    return np.concatenate(outputs)
