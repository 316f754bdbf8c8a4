"""`Model`: a network, a loss and an optimiser, and the loop that brings them together."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pellucid import nn, optim
from pellucid.arrays import Array, Shape, quiet
from pellucid.autograd import Tensor, no_grad
from pellucid.autograd.gradcheck import GradcheckReport, gradcheck
from pellucid.calls import helpful
from pellucid.compiler.cells import settings
from pellucid.compiler.threads import checked as checked_threads
from pellucid.data.several import Several, called
from pellucid.elsewhere import METHODS
from pellucid.errors import ShapeError
from pellucid.train import checkpoint, doctor, inputs, metrics, native, rules, saving
from pellucid.train.batches import Batch, FromArrays, Source, groups, is_loader, parts, set_aside
from pellucid.train.events import Callback, Callbacks, Run
from pellucid.train.history import History
from pellucid.train.intake import Intake, in_mode, joined, positive
from pellucid.train.native import Compile
from pellucid.train.progress import Verbose, progress
from pellucid.train.step import Outcome, Step, loss_of
from pellucid.train.summary import Summary, summarise
from pellucid.train.tally import Scored, Tally
from pellucid.train.training import Training, Work
from pellucid.train.weights import ClassWeight, refuse_for_loaders


@helpful
class Model:
    """A network with what it takes to train it.

    A network that ends in softmax or sigmoid, with the matching cross-entropy, is trained on its
    logits, where the loss is exact, and still predicts probabilities.

    Args:
        network: the module to train.
        loss: a loss, or its name: "cross_entropy", "bce", "mse", ...; see `nn.LOSSES`.
        optimizer: an optimiser, or its name: "adam", "sgd", ...
        metrics: names ("accuracy", "f1", "r2", ...), metrics, or named functions
            ``(y_true, y_pred)``; each is computed once over all predictions of an epoch, never
            averaged over batches. Several yes-or-no outputs are scored as scikit-learn scores
            multi-label answers: "accuracy" wants all of a row's right. See `metrics.get`.
        penalty: a cost of large weights, such as ``nn.L2(1e-4)``, for all weights (parameters of
            two axes or more: not biases, nor the gains of normalisation); or a mapping from paths
            to such, ``{"layers.0.weight": nn.L1(1e-3), "head.*": nn.L2(1e-4)}``.
        constraint: a bound that holds after every update, such as ``nn.MaxNorm(3.0)``, alike.

    Raises:
        ValueError, TypeError: a name is unknown, or something is not what it should be; or the
            network has no parameters, or a metric does not go with the loss.

    What else using it takes can be kept with it, for `save`: ``class_names``, a list;
    ``preprocessing``, such as a fitted `data.Standardizer`, a `data.CharVocabulary` or a dictionary
    of them, which the model does not apply by itself; and ``metadata``, a dictionary of notes.

    ``eager`` says why the last outputs, of `evaluate` or `predict`, were no native code.

    >>> import tempfile
    >>> from pellucid import data, nn, optim, train
    >>> blobs = data.split(data.blobs(400, centers=3, seed=1), test=0.25, seed=0)
    >>> network = nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 3), rng=0)
    >>> adam = optim.Adam(0.01)
    >>> model = train.Model(network, "cross_entropy", adam, metrics=["accuracy"])
    >>> x, y = blobs.train.x, blobs.train.y
    >>> history = model.fit(x, y, epochs=20, validation_split=0.2, seed=0, verbose=False)
    >>> history["loss"][-1] < 0.1 * history["loss"][0]
    True
    >>> model.evaluate(blobs.test.x, blobs.test.y)["accuracy"]
    1.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/blobs.safetensors")
    ...     again = train.Model.load(f"{folder}/blobs.safetensors")
    >>> again.predict_classes(blobs.test.x[:5]).tolist() == blobs.test.y[:5].tolist()
    True
    """

    def __init__(
        self,
        network: nn.Module,
        loss: str | nn.Loss,
        optimizer: str | optim.Optimizer = "adam",
        metrics: Sequence[str | metrics.Metric | Callable[..., float]] = (),
        penalty: nn.Penalty | Mapping[str, nn.Penalty] | None = None,
        constraint: nn.Constraint | Mapping[str, nn.Constraint] | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(
                f"expected the network to be a pellucid.nn.Module, got {type(network).__name__}; "
                "wrap layers in nn.Sequential(...)"
            )
        if not network.named_tensors():  # a frozen one may still predict
            _trainable(network)
        self.network = network
        self.loss = nn.losses.loss(loss)
        self.optimizer = optim.optimizer(optimizer)
        self.metrics = [_metric(choice, self.loss) for choice in _several(metrics)]
        self.penalties = rules.rules(penalty, nn.Penalty, "penalty", network)
        self.constraints = rules.rules(constraint, nn.Constraint, "constraint", network)
        self.input_shape: Shape | None = None
        self.class_names: list[str] | None = None
        self.preprocessing: Any = None
        self.metadata: dict[str, Any] = {}
        self._native: native.Compile = False
        self._threads = 1
        self.eager = ""
        self._told = False  # that outputs are computed eagerly
        self._program: native.NativeStep | None = None
        self._forwards: dict[Any, native.NativeForward] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy takes over: not the compiled step, which belongs to this network."""
        return vars(self) | {"_program": None, "_forwards": {}}

    if not TYPE_CHECKING:  # type checkers know which attributes there are

        def __getattr__(self, name: str) -> Any:
            """Say where the methods are that models of other libraries have."""
            hint = f"; {METHODS[name]}" if name in METHODS else ""
            message = f"{type(self).__name__!r} object has no attribute {name!r}{hint}"
            raise AttributeError(message, name=name, obj=self)

    # training

    @helpful
    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 10,
        batch_size: int | None = None,
        sample_weight: Any = None,
        class_weight: ClassWeight = None,
        accumulate: int = 1,
        compile: Compile = "auto",  # noqa: A002 - the word for it
        threads: int | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        callbacks: Sequence[Callback] = (),
        resume: str | os.PathLike[str] | None = None,
        seed: int | None = None,
        verbose: Verbose = "auto",
    ) -> History:
        """Train for a number of epochs and return what happened in each.

        The same seed and the same starting weights give the same result, bit for bit, whatever
        ``verbose`` says and whether or not there is validation data. Training metrics are those of
        the predictions made during the epoch, while the weights were moving. Ctrl-C ends training
        after the current update, and what was learned is kept and recorded; a second Ctrl-C does
        not wait. Where an update is not finite it is not made and training ends; the batch is then
        gone through once more, and ``history.anomaly`` and a warning tell which operation of which
        layer made the first NaN or infinity.

        With weights w the loss is sum_i w_i L_i / sum_i w_i, within a batch as over the epoch, and
        the metrics are weighted likewise; an example of weight 0 is left out. "loss" is that of
        the data alone: what is minimised is "loss" + "penalty", both the mean over the epoch. "lr"
        is the rate of an epoch's last update, where a schedule or a callback may change it.

        Args:
            x: examples ``(N, ...)``. A network whose forward takes several inputs is given a tuple
                of arrays, in the order of its arguments, or a dictionary of arrays by argument,
                each with a row for every example. Without y, what brings batches ``(x, y)`` or
                ``(x, y, sample_weight)`` anew in every epoch: something with ``__iter__``, or a
                function that returns an iterator.
            y: one target an example, as the loss takes it.
            epochs: passes over the data.
            batch_size: examples a batch; 32 by default, and never more than there are.
            sample_weight: how much each example counts, ``(N,)``, at least 0.
            class_weight: how much the examples of each class count besides, in training: a mapping
                from labels, or "balanced", n / (classes * examples of the class). Labels (N, T)
                and several yes-or-no outputs are refused: use ``sample_weight``.
            accumulate: batches an update; the gradient is that of all of them as one batch.
            compile: "auto" makes updates as native programs (see `pellucid.compile`), and eagerly
                where it cannot, for the reason that ``history.eager`` tells; True raises there;
                False is always eager. Sums may differ in their last digits. With ``accumulate``
                updates are made eagerly.
            threads: how many native programs use, also later to evaluate and predict; by default
                one for each core. The results have the same bits for any number.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to evaluate after each epoch,
                or what brings batches of such.
            validation_split: share of the examples to set aside for that instead: drawn at random,
                class by class for class labels.
            callbacks: what else is told of each event; see `Callback`.
            resume: the folder of a `Checkpoint`: go on from the newest in it, bit for bit, up to
                ``epochs`` in all; begin where there is none yet.
            seed: of the order of examples, the split and dropout.
            verbose: False is silent, "bar" a live bar, "lines" one line an epoch; "auto" or True a
                bar where the output is a terminal, and lines where it is not.

        Raises:
            ValueError, TypeError: the data or a setting is not usable, or the checkpoint is of
                another training; nothing was trained then.

        >>> import numpy as np
        >>> from pellucid import nn, optim, train
        >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
        >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse", optim.SGD(0.1))
        >>> history = model.fit(x, 3 * x + 1, epochs=100, seed=0, verbose=False)
        >>> model.predict([[2.0]]).round(2).tolist()
        [[7.0]]
        """
        positive("epochs", epochs)
        positive("accumulate", accumulate)
        self._native, self._threads = native.checked(compile), checked_threads(threads)
        _check_seed(seed)
        _trainable(self.network)
        saved = checkpoint.newest(resume)
        entropy = saved.training["entropy"] if saved and seed is None else _entropy(seed)
        split_rng, order, dropout = np.random.default_rng(entropy).spawn(3)
        intake = self._intake()
        if y is None and is_loader(x):
            refuse_for_loaders(batch_size, sample_weight, class_weight, validation_split)
            source: Source = intake.loader(x, "the loader", class_weight)
            validation = intake.validation(validation_data)
        else:
            whole, held = intake.batch(x, y, sample_weight), None
            if validation_data is None and validation_split:
                whole, held = set_aside(whole, validation_split, self.loss, split_rng)
            whole = intake.weighted(whole, class_weight)
            size = intake.batch_size(batch_size, whole)
            source = FromArrays(whole, size, order)
            validation = intake.validation(validation_data, held, max(size, 1024))

        history = History(saved and saved.training["history"], lower=self._lower())
        updates = math.ceil(source.count / accumulate)
        run = Run(self.network, self.optimizer, history, epochs, updates)
        run.loss, run.predict = self.loss, self._prediction
        run.training, run.validation, run.resumed = source, validation, resume
        told, shown = Callbacks(callbacks), Callbacks(progress(verbose))
        loop = Training(run, source, self._work(source, accumulate), told, shown)
        if loop.writes or saved is not None:
            task = saving.task(self, run, told, seed=seed, accumulate=accumulate)
            notes = {"task": task, "entropy": entropy}
            run.state = lambda: saving.parts_of(self) | {"training": loop.state() | notes}
            checkpoint.refuse_other(saved, task)
        if seed is not None:
            for module in self.network.modules().values():
                module.reseed(dropout)
        with in_mode(self.network, training=True):
            loop.go(saved, partial(saving.take_over, self))
        history.stopped, history.anomaly, history.eager = run.stopped, run.anomaly, run.eager
        return history

    def _lower(self) -> list[str]:
        """Return the names of what is better when it is smaller, beside losses and errors."""
        lower = [m.name for m in self.metrics if not m.higher_is_better]
        return [*lower, "penalty"] if self.penalties else lower

    def _work(self, training: Source, group: int) -> Work:
        """Return how an epoch is done; every part looks at the model as it is then."""

        def updates(at_most: Callable[[], float]) -> Iterator[list[Outcome]]:
            step = self._step(accumulates=group > 1)
            if self._native and group == 1:
                return self._natively(step).updates(training, at_most)
            return ([step(batches)] for batches in groups(training.epoch(), group))

        def eager() -> str:
            if not self._native:
                return ""
            if group > 1:
                return f"no native code for accumulate={group} yet"
            return self._program.eager if self._program else ""

        return Work(
            updates,
            lambda: Tally(self.loss, self.metrics),
            lambda validation: self._score(validation, self._native),
            lambda batch: doctor.anomaly(self._case(batch, len(batch.x))),
            eager,
            group,
        )

    def _natively(self, step: Step) -> native.NativeStep:
        """Return the step as compiled code; the one of the epoch before, if nothing changed."""
        wanted = self._native is True, bool(self.metrics), self._threads
        if self._program is None or not self._program.serves(step, *wanted):
            self._program = native.NativeStep(self.network, step, *wanted)
        return self._program

    def _step(self, accumulates: bool) -> Step:
        """Return what makes an update of the parameters there are now."""
        tensors = self.network.named_tensors()
        parameters = {path: t for path, t in tensors.items() if t.requires_grad}
        return Step(
            self._prediction,
            self.loss,
            self.optimizer,
            parameters,
            [t for t in tensors.values() if not t.requires_grad],
            rules.matched(self.penalties, self.network),
            rules.matched(self.constraints, self.network),
            accumulates,
        )

    # using it

    @helpful
    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 1024,
        *,
        sample_weight: Any = None,
        class_weight: ClassWeight = None,
        compile: Compile = "auto",  # noqa: A002 - the word for it
    ) -> dict[str, float]:
        """Return the loss and every metric over all examples, in evaluation mode.

        What x, y and the weights may be is what `fit` takes. The penalty is no part of it.

        Args:
            compile: "auto" computes batches of ``batch_size`` as native programs where it can (if
                not, ``model.eager`` tells why) and a shorter last one eagerly; True insists for
                all; False is always eager.
        """
        size, intake = positive("batch_size", batch_size), self._intake()
        choice = native.checked(compile)
        if y is None and is_loader(x):
            refuse_for_loaders(None, sample_weight, class_weight, 0)
            return self._score(intake.loader(x, "the loader", class_weight, once=True), choice)
        whole = intake.weighted(intake.batch(x, y, sample_weight), class_weight)
        return self._score(FromArrays(whole, size), choice)

    @helpful
    def predict(
        self,
        x: Any,
        batch_size: int = 1024,
        *,
        compile: Compile = "auto",  # noqa: A002 - the word for it
    ) -> Array:
        """Return the network's output for each example, ``(N, ...)``, in evaluation mode.

        x may also bring batches, of examples alone or as tuples with what `fit` takes. ``compile``
        is what `evaluate` takes.
        """
        return self._run(self._output, x, batch_size, compile)

    @helpful
    def predict_proba(
        self,
        x: Any,
        batch_size: int = 1024,
        *,
        compile: Compile = "auto",  # noqa: A002 - the word for it
    ) -> Array:
        """Return probabilities: ``(N, C)`` of classes, or ``(N, outputs)`` of yes-or-no outputs.

        ``compile`` is what `evaluate` takes.

        Raises:
            TypeError: the loss is not one of probabilities.
        """
        if not self.loss.probabilistic:
            fix = "predict" if self.loss.task == "regression" else "predict or predict_classes"
            raise TypeError(
                f"expected a loss of probabilities for predict_proba, got "
                f"{type(self.loss).__name__}; use {fix}"
            )
        return self._run(self._chances, x, batch_size, compile)

    @helpful
    def predict_classes(
        self,
        x: Any,
        batch_size: int = 1024,
        *,
        compile: Compile = "auto",  # noqa: A002 - the word for it
    ) -> Array:
        """Return the most likely class, ``(N,)``, or ``(N, k)`` answers for k yes-or-no outputs.

        ``compile`` is what `evaluate` takes.

        Raises:
            TypeError: the loss is not one of classes.
        """
        if self.loss.task == "regression":
            raise TypeError(
                f"expected a classification loss for classes, got {type(self.loss).__name__}; "
                "use predict"
            )
        prediction = self._run(self._prediction, x, batch_size, compile)
        labels = inputs.labels(self.loss, prediction, self.loss.threshold)
        return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels

    def summary(self, input_shape: Sequence[int] | None = None, batch_size: int = 32) -> Summary:
        """Return a table of layers: shapes, parameters, FLOPs, activations; print it to see it.

        Args:
            input_shape: shape of one example; by default that of the data seen last, or what the
                first `Dense` layer takes.
            batch_size: examples whose activations are counted.

        >>> from pellucid import nn, train
        >>> train.Model(nn.Sequential(nn.Dense(2, 3), rng=0), "cross_entropy").summary()
        path      layer        output  parameters  FLOPs forward  backward  activations
        -------------------------------------------------------------------------------
        layers.0  Dense(2, 3)  (N, 3)           9             15        15        768 B
        -------------------------------------------------------------------------------
        parameters: 9
        FLOPs for one example: 15 forward, 15 backward
        activations of a batch of 32: 768 B
        """
        shape = tuple(input_shape) if input_shape is not None else self.input_shape
        return summarise(self.network, shape, batch_size)

    # keeping it

    def copy(self) -> Self:
        """Return another model of the same state, whose training leaves this one as it is."""
        other = copy.copy(self)
        other._program, other._forwards = None, {}
        parts = copy.deepcopy((self.network, self.loss, self.optimizer))
        other.network, other.loss, other.optimizer = parts
        return other

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole model to one ``.safetensors`` file, atomically.

        That is the network with parameters and buffers, loss, optimiser with all it remembers,
        schedule, metrics, penalties, constraints, ``class_names``, ``preprocessing`` and
        ``metadata``: training goes on from the file as if it had never stopped.

        Raises:
            OSError: the file cannot be written; what was there before is whole.
            TypeError: a class or function of yours is not registered, see `pellucid.register`;
                nothing was written then.
            ValueError: something that was set, such as ``class_names``, could not be loaded;
                nothing was written then.
        """
        saving.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model that `save` wrote. Nothing in the file is executed.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, no model, of a later version of this library, or names a
                class that is not registered here.
        """
        model: Self = saving.load(cls, path)
        return model

    def diagnose(
        self, x: Any, y: Any, *, validation_data: Any = None, batch_size: int = 32
    ) -> doctor.Diagnosis:
        """Return what is probably wrong with network, settings and data, without training.

        Passes a few rows forward and backward, tries a few updates on them, and looks at the data;
        nothing has changed afterwards. Print it to read it. See `Doctor` for the same in
        the course of training.

        Args:
            x: examples, as `fit` takes them.
            y: their targets.
            validation_data: ``(x, y)``, to see whether training rows are among them.
            batch_size: that of training.
        """
        rows = self._intake().batch(x, y)
        held = None
        if validation_data is not None:
            held = self._intake().batch(*parts(validation_data, "validation_data"), "validation ")
        sample = rows.rows(doctor.spread(len(rows.x), 64))
        size = min(positive("batch_size", batch_size), len(rows.x))
        return doctor.diagnose(self._case(sample, size), rows, held)

    def gradients(self, x: Any, y: Any, sample_weight: Any = None) -> dict[str, Array]:
        """Return the gradient of the loss on some examples by each trained parameter, by path.

        In training mode, without penalties and before clipping; nothing has changed afterwards.
        Parameters' own ``grad`` is what the last eager update left, and compiled ones leave none.
        """
        rows = self._intake().batch(x, y, sample_weight)
        return doctor.gradients(self._case(rows, len(rows.x)))

    def gradcheck(
        self, x: Any, y: Any, sample_weight: Any = None, **options: Any
    ) -> GradcheckReport:
        """Check every parameter's gradient of loss and penalties on a batch.

        See `pellucid.gradcheck`.
        """
        batch = self._intake().batch(x, y, sample_weight)

        def objective(x: Tensor) -> Tensor:
            total = loss_of(self.loss, self._prediction(x), batch)
            for w, penalty in rules.matched(self.penalties, self.network):
                total = total + penalty(w)
            return total

        if isinstance(batch.x, Several):
            return gradcheck(lambda: objective(batch.x), parameters=self.network, **options)
        return gradcheck(objective, batch.x, parameters=self.network, **options)

    # how

    def _prediction(self, x: Any) -> Tensor:
        """Return what the loss takes: the logits, if the network ends in the loss's activation."""
        ends_in = self.network.output_activation()
        if self.loss.link is nn.Linear or not isinstance(ends_in, self.loss.link):
            return self._output(x)
        self._look_at(x)
        try:
            return called(self.network.preactivation, x)
        except ShapeError as error:
            self.network.locate(error)
            raise

    def _case(self, sample: Batch, size: int) -> doctor.Case:
        """Return the model with some rows, for a pass that leaves everything as it was."""
        return doctor.Case(self.network, self.loss, self._prediction, self.optimizer, sample, size)

    def _intake(self) -> Intake:
        """Return what checks data against the network and the loss there are now."""
        return Intake(self.network, self.loss, self._prediction, self.metrics)

    def _output(self, x: Any) -> Tensor:
        """Return what the network makes of examples."""
        self._look_at(x)
        return called(self.network, x)

    def _look_at(self, x: Any) -> None:
        """Keep the shape of an example; several inputs have none that a summary could use."""
        self.input_shape = None if isinstance(x, Several) else x.shape[1:]

    def _chances(self, x: Tensor) -> Tensor:
        """Return probabilities of what the loss takes."""
        return self.loss.link()(self._prediction(x))

    def _forward(
        self, function: Callable[[Tensor], Tensor], choice: Compile, size: int
    ) -> Callable[[Array], Array]:
        """Return what computes a function of the network, through programs that are kept."""
        key = function, self.network, settings(self.loss), self._threads
        if key not in self._forwards:
            stale = [known for known in self._forwards if known[1:] != key[1:]]
            for known in stale:
                del self._forwards[known]
            self._forwards[key] = native.NativeForward(
                function, self.network, self._threads, self._goes_on
            )
        self.eager = ""
        return self._forwards[key].batches(choice, size)

    def _goes_on(self, reason: str, untraced: bool) -> None:
        """Keep why outputs are computed eagerly; warn once of a function that cannot be traced."""
        told = self._told or bool(self._program and self._program.eager)  # of training, that is
        self.eager, self._told = reason, self._told or untraced
        if untraced and not told:
            text = f"outputs are computed without compiled code: {reason}"
            warnings.warn(text, stacklevel=6)

    def _run(
        self,
        function: Callable[[Tensor], Tensor],
        x: Any,
        batch_size: int,
        choice: Compile = "auto",
    ) -> Array:
        """Return the function's output for all examples, batch by batch, in evaluation mode."""
        size = positive("batch_size", batch_size)
        examples = self._intake().only_examples(x, size)
        forward = self._forward(function, native.checked(choice), size)
        outputs = []
        with in_mode(self.network, training=False), no_grad(), quiet():
            for part in examples:
                outputs.append(forward(part))
                self._look_at(part)
        return joined(outputs)

    def _score(self, source: Source, choice: Compile) -> dict[str, float]:
        """Return loss and metrics over all batches of an epoch, in evaluation mode."""
        size = source.batch_size if isinstance(source, FromArrays) else 0
        forward = self._forward(self._prediction, choice, size)
        tally = Tally(self.loss, self.metrics)
        with in_mode(self.network, training=False), no_grad(), quiet():
            for batch in source.epoch():
                prediction = Tensor(forward(batch.x))
                weight = self.loss.total_weight(prediction, batch.y, batch.weight)
                if weight > 0:
                    loss = loss_of(self.loss, prediction, batch).item()
                    tally.add(Scored(prediction.data, batch.y, batch.weight, loss, weight))
        return tally.logs()


def _several(choices: Any) -> Sequence[Any]:
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        raise TypeError(f"expected a list of metrics, got {choices!r}; put it in a list: [...]")
    return choices


def _metric(choice: str | metrics.Metric | Callable[..., float], loss: nn.Loss) -> metrics.Metric:
    metric = metrics.get(choice)
    if metric.needs != "values" and loss.task == "regression":
        raise TypeError(
            f"expected metrics of numbers beside {type(loss).__name__}, got {metric.name!r}, which "
            "compares classes; use metrics such as r2, mae or rmse"
        )
    if metric.function is metrics.log_loss and not loss.probabilistic:
        raise TypeError(
            f"expected a loss of probabilities beside the metric {metric.name!r}, got "
            f"{type(loss).__name__}; use metrics such as accuracy or roc_auc"
        )
    return metric


def _entropy(seed: int | None) -> Any:
    """Return the seed, or a number to seed with that nobody has chosen."""
    return np.random.SeedSequence(seed).entropy


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
