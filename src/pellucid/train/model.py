"""`Model`: a network, a loss and an optimiser, and the loop that brings them together."""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid import nn, optim
from pellucid.arrays import Array, Shape, namespace, quiet
from pellucid.autograd import Tensor, as_tensor, no_grad
from pellucid.autograd.gradcheck import GradcheckReport, gradcheck
from pellucid.data import batch_indices, split_indices
from pellucid.errors import ShapeError
from pellucid.train import inputs, metrics
from pellucid.train.callbacks import Callback, Callbacks, Run
from pellucid.train.history import History
from pellucid.train.progress import Verbose, progress
from pellucid.train.summary import Summary, summarise

Pair = tuple[Array, Array]


class Model:
    """A network with what it takes to train it.

    A network that ends in softmax or sigmoid, with the matching cross-entropy, is trained on its
    logits, where the loss is exact, and still predicts probabilities.

    Args:
        network: the module to train.
        loss: a loss, or its name: "cross_entropy", "bce", "mse", "mae".
        optimizer: an optimiser, or its name: "adam", "sgd".
        metrics: names ("accuracy", "f1", "r2", ...), metrics, or named functions ``(y_true,
            y_pred)``; each is computed once over all predictions of an epoch, never averaged over
            batches.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: str | nn.Loss,
        optimizer: str | optim.Optimizer = "adam",
        metrics: Sequence[str | metrics.Metric | Callable[..., float]] = (),
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(
                f"expected the network to be a pellucid.nn.Module, got {type(network).__name__}; "
                "wrap layers in nn.Sequential(...)"
            )
        _trainable(network)
        self.network = network
        self.loss = nn.losses.loss(loss)
        self.optimizer = optim.optimizer(optimizer)
        self.metrics = [_metric(choice, self.loss) for choice in _several(metrics)]
        self.input_shape: Shape | None = None

    # training

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        epochs: int = 10,
        batch_size: int | None = None,
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.0,
        callbacks: Sequence[Callback] = (),
        seed: int | None = None,
        verbose: Verbose = "auto",
    ) -> History:
        """Train for a number of epochs and return what happened in each.

        The same seed and the same starting weights give the same result, bit for bit, whatever
        ``verbose`` says and whether or not there is validation data. Training metrics are those of
        the predictions made during the epoch, while the weights were moving. Ctrl-C ends training
        after the current batch, and what was learned is kept and recorded; a second Ctrl-C does
        not wait.

        Args:
            x: examples ``(N, ...)``.
            y: one target an example, as the loss takes it.
            epochs: passes over the data.
            batch_size: examples an update; 32 by default, and never more than there are.
            validation_data: ``(x, y)`` to evaluate after each epoch.
            validation_split: share of the examples to set aside for that instead: drawn at random,
                class by class for class labels.
            callbacks: what else is told of each event; see `Callback`.
            seed: of the order of examples, the split and dropout.
            verbose: see `progress`.

        Raises:
            ValueError, TypeError: the data or a setting is not usable; nothing was trained then.
        """
        _positive("epochs", epochs)
        _check_seed(seed)
        _trainable(self.network)
        x, y = self._checked(x, y)
        split_rng, order, dropout = np.random.default_rng(seed).spawn(3)
        validation = None
        if validation_data is not None:
            validation = self._checked(*_pair(validation_data), name="validation ")
        elif validation_split:
            x, y, validation = self._set_aside(x, y, validation_split, split_rng)
        batch_size = _batch_size(batch_size, len(x))
        events = Callbacks([Callbacks(callbacks), *progress(verbose)])
        if seed is not None:
            for module in self.network.modules().values():
                module.reseed(dropout)

        history = History(lower=[m.name for m in self.metrics if not m.higher_is_better])
        run = Run(self.network, self.optimizer, history, epochs, math.ceil(len(x) / batch_size))
        with self._training(run, events):
            for run.epoch in range(1, epochs + 1):
                events.on_epoch_begin(run)
                logs = self._epoch(x, y, batch_indices(len(x), batch_size, order), run, events)
                if validation is not None and not run.stopped:
                    scores = self._score(*validation, batch_size=max(batch_size, 1024))
                    logs |= {f"val_{name}": value for name, value in scores.items()}
                run.logs = logs
                history.append(logs)
                events.on_epoch_end(run)
                if run.stopped:
                    break
        history.stopped = run.stopped
        return history

    def _epoch(
        self, x: Array, y: Array, batches: Iterator[Any], run: Run, events: Callback
    ) -> dict[str, float]:
        """Go over the data once; return the epoch's loss and metrics."""
        parameters = self.network.named_parameters()
        total, seen, predictions, order = 0.0, 0, [], []
        for run.batch, rows in enumerate(batches, start=1):
            prediction, loss, problem = self._step(x[rows], y[rows], parameters)
            if problem:
                run.stop(
                    f"{problem} in epoch {run.epoch}, batch {run.batch}; try a lower "
                    "learning rate, or scale the inputs"
                )
                warnings.warn(f"training stopped: {run.stopped}", RuntimeWarning, stacklevel=3)
                break
            total += loss * len(prediction)
            seen += len(prediction)
            if self.metrics:
                predictions.append(prediction)
                order.append(rows)
            run.logs = {"loss": loss}
            events.on_batch_end(run)
            if run.stopped:
                break
        logs = {"loss": total / seen if seen else math.nan}
        if predictions:
            logs |= self._metrics(y[np.concatenate(order)], np.concatenate(predictions))
        return logs

    def _step(self, x: Array, y: Array, parameters: dict[str, Tensor]) -> tuple[Array, float, str]:
        """Make one update; return the prediction, its loss, and why training cannot go on."""
        with quiet():
            prediction = self._prediction(x)
            loss = self.loss(prediction, y)
            value = float(loss.data)
            if not math.isfinite(value):
                return prediction.data, value, f"the loss is {value}"
            before = [(parameter, parameter.data) for parameter in parameters.values()]
            for parameter, _ in before:
                parameter.grad = None
            loss.backward()
            self.optimizer.step(parameters)
            if all(_is_finite(parameter.data) for parameter, _ in before):
                return prediction.data, value, ""
            for parameter, data in before:
                parameter.data = data
            return prediction.data, value, "the update is not finite"

    @contextmanager
    def _training(self, run: Run, events: Callback) -> Iterator[None]:
        """Switch to training, tell the callbacks, take Ctrl-C as a wish to stop."""
        with self._mode(training=True), _stopping_on_interrupt(run):
            events.on_fit_begin(run)
            try:
                yield
            except KeyboardInterrupt:
                run.stop(f"interrupted in epoch {run.epoch}")
            finally:
                events.on_fit_end(run)

    # using it

    def evaluate(self, x: Any, y: Any, batch_size: int = 1024) -> dict[str, float]:
        """Return the loss and every metric over all examples, in evaluation mode."""
        return self._score(*self._checked(x, y), batch_size=_positive("batch_size", batch_size))

    def predict(self, x: Any, batch_size: int = 1024) -> Array:
        """Return the network's output for each example, ``(N, ...)``, in evaluation mode."""
        return self._run(self.network, self._examples(x), batch_size)

    def predict_proba(self, x: Any, batch_size: int = 1024) -> Array:
        """Return probabilities: ``(N, C)`` of classes, or ``(N, outputs)`` of yes-or-no outputs.

        Raises:
            TypeError: the loss is not one of probabilities.
        """
        if self.loss.task == "regression":
            raise TypeError(
                f"expected a classification loss for probabilities, got "
                f"{type(self.loss).__name__}; use predict"
            )
        link = self.loss.link()
        return self._run(lambda x: link(self._prediction(x)), self._examples(x), batch_size)

    def predict_classes(self, x: Any, batch_size: int = 1024) -> Array:
        """Return the most likely class, ``(N,)``, or ``(N, k)`` answers for k yes-or-no outputs."""
        labels = _labels(self.loss, self.predict_proba(x, batch_size), threshold=0.5)
        return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels

    def summary(self, input_shape: Sequence[int] | None = None) -> Summary:
        """Return a table of layers with output shapes and parameters; print it to see it.

        Args:
            input_shape: shape of one example; by default that of the data seen last, or what the
                first `Dense` layer takes.
        """
        shape = tuple(input_shape) if input_shape is not None else self.input_shape
        return summarise(self.network, shape)

    def gradcheck(self, x: Any, y: Any, **options: Any) -> GradcheckReport:
        """Check every parameter's gradient of the loss on a batch; see `pellucid.gradcheck`."""
        x, y = self._checked(x, y)

        def loss(x: Tensor) -> Tensor:
            return self.loss(self._prediction(x), y)

        return gradcheck(loss, x, parameters=self.network, **options)

    # how

    def _prediction(self, x: Any) -> Tensor:
        """Return what the loss takes: the logits, if the network ends in the loss's activation."""
        x, ends_in = as_tensor(x), self.network.output_activation()
        if self.loss.link is nn.Linear or not isinstance(ends_in, self.loss.link):
            return self.network(x)
        try:
            return self.network.preactivation(x)
        except ShapeError as error:
            self.network.locate(error)
            raise

    def _examples(self, x: Any, name: str = "x") -> Array:
        array = inputs.examples(x, inputs.dtype_of(self.network), name)
        self.input_shape = array.shape[1:]
        return array

    def _checked(self, x: Any, y: Any, name: str = "") -> Pair:
        """Return examples and targets ready for training, or say what is wrong with them."""
        x = self._examples(x, f"{name}x")
        with self._mode(training=False):  # with the tape on: a second softmax shows there
            output = self._prediction(x[:1])
        if not isinstance(output, Tensor):
            raise TypeError(
                f"expected the network to return a tensor, got {type(output).__name__}; compute "
                f"with tensors in the forward of {type(self.network).__name__}"
            )
        self.loss.refuse_activated(output)
        shape, dtype = output.shape[1:], inputs.dtype_of(self.network)
        return x, inputs.targets(y, self.loss, shape, len(x), dtype, f"{name}y")

    def _run(self, function: Callable[[Tensor], Tensor], x: Array, batch_size: int) -> Array:
        """Return the function's output for all examples, batch by batch, in evaluation mode."""
        _positive("batch_size", batch_size)
        with self._mode(training=False), no_grad(), quiet():
            parts = [
                as_tensor(function(Tensor(x[rows]))).data
                for rows in batch_indices(len(x), batch_size)
            ]
        return np.concatenate(parts)

    @contextmanager
    def _mode(self, training: bool) -> Iterator[None]:
        """Switch the network to training or evaluation, and every module back in the end."""
        modes = [(module, module.training) for module in self.network.modules().values()]
        self.network.train(training)
        try:
            yield
        finally:
            for module, before in modes:
                module.training = before

    def _score(self, x: Array, y: Array, batch_size: int) -> dict[str, float]:
        prediction = self._run(self._prediction, x, batch_size)
        total = 0.0
        with no_grad(), quiet():
            for rows in batch_indices(len(x), batch_size):
                total += self.loss(prediction[rows], y[rows]).item() * len(prediction[rows])
        return {"loss": total / len(x), **self._metrics(y, prediction)}

    def _set_aside(
        self, x: Array, y: Array, share: float, rng: np.random.Generator
    ) -> tuple[Array, Array, Pair]:
        """Return training examples and targets, and the validation pair drawn from them."""
        if not isinstance(share, int | float | np.floating) or not 0 < share < 1:
            raise ValueError(
                f"expected validation_split in [0, 1), got {share!r}; 0.1 keeps a tenth aside"
            )
        if not 0 < round(share * len(x)) < len(x):
            raise ValueError(
                f"expected a validation_split that leaves examples on both sides, got {share} of "
                f"{len(x)} examples; choose another share, or pass validation_data"
            )
        labels = None
        if self.loss.task != "regression":
            labels = _labels(self.loss, y, threshold=0.5).reshape(len(y), -1)
        classes = labels[:, 0] if labels is not None and labels.shape[1] == 1 else None
        parts = split_indices(len(x), test=float(share), labels=classes, seed=rng)
        return x[parts.train], y[parts.train], (x[parts.test], y[parts.test])

    def _metrics(self, y: Array, prediction: Array) -> dict[str, float]:
        """Return every metric over whole arrays of targets and predictions (logits, or values)."""
        values: dict[str, float] = {}
        for metric in self.metrics:
            if metric.needs == "labels":
                truth = _labels(self.loss, y, threshold=0.5).reshape(-1)
                guess = _labels(self.loss, prediction, threshold=0.0).reshape(-1)
                values[metric.name] = metric(truth, guess)
            else:
                with no_grad():
                    guess = self.loss.link()(prediction).data
                values[metric.name] = metric(y, guess)
        return values


@contextmanager
def _stopping_on_interrupt(run: Run) -> Iterator[None]:
    """Let Ctrl-C end the run after the current batch, so that no update is left half made."""

    def ask(*_: object) -> None:
        if run.stopped:
            raise KeyboardInterrupt
        run.stop(f"interrupted in epoch {run.epoch}")

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _labels(loss: nn.Loss, values: Array, threshold: float) -> Array:
    """Return class numbers: the place of the largest, or whether outputs exceed the threshold."""
    if loss.task == "binary":
        return (values > threshold).astype(np.int64)
    return values if values.dtype.kind in "iu" else values.argmax(axis=-1)


def _several(choices: Any) -> Sequence[Any]:
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        raise TypeError(f"expected a list of metrics, got {choices!r}; put it in a list: [...]")
    return choices


def _metric(choice: str | metrics.Metric | Callable[..., float], loss: nn.Loss) -> metrics.Metric:
    metric = metrics.get(choice)
    if metric.needs == "labels" and loss.task == "regression":
        raise TypeError(
            f"expected metrics of numbers beside {type(loss).__name__}, got {metric.name!r}, which "
            "compares classes; use metrics such as r2, mae or rmse"
        )
    return metric


def _check_seed(seed: Any) -> None:
    is_whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if seed is not None and not (is_whole and seed >= 0):
        raise ValueError(f"expected seed to be a whole number of at least 0, or None, got {seed!r}")


def _trainable(network: nn.Module) -> None:
    if not network.parameters():
        raise ValueError(
            "expected a network with parameters to train, got one with none; create them with "
            "requires_grad=True"
        )


def _pair(data: Any) -> Pair:
    if not isinstance(data, tuple | list) or len(data) != 2:
        got = f"{len(data)} of them" if isinstance(data, tuple | list) else type(data).__name__
        raise ValueError(f"expected validation_data to be a pair (x, y), got {got}")
    return data[0], data[1]


def _is_finite(array: Array) -> bool:
    """Whether there is no NaN and no infinity among the elements."""
    flat = array.reshape(-1)
    return math.isfinite(flat @ flat) or bool(
        namespace(array).all(namespace(array).isfinite(array))
    )


def _batch_size(batch_size: int | None, rows: int) -> int:
    if batch_size is None:
        return min(32, rows)
    if _positive("batch_size", batch_size) > rows:
        warnings.warn(
            f"batch_size {batch_size} is larger than the {rows} training examples; using {rows}",
            UserWarning,
            stacklevel=3,
        )
    return min(batch_size, rows)


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected {name} to be a whole number of at least 1, got {value!r}")
    return int(value)
