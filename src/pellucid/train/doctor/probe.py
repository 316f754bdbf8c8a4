"""One forward and backward pass with instruments attached, after which nothing has changed."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pellucid.arrays import Array, quiet
from pellucid.autograd import Tensor, no_grad, tape
from pellucid.errors import AnomalyError
from pellucid.nn import Loss, Module
from pellucid.nn.anomaly import detect_anomaly
from pellucid.nn.norm import BatchNorm
from pellucid.ops.elementwise import Cast, Divide, Multiply, Relu, Sigmoid, Tanh
from pellucid.ops.op import Op
from pellucid.ops.reduce import Softmax
from pellucid.ops.shape import Reshape
from pellucid.optim import Optimizer
from pellucid.train.batches import Batch
from pellucid.train.intake import in_mode
from pellucid.train.step import loss_of

TRIAL = 10  # updates to try a learning rate with


@dataclass(frozen=True)
class Case:
    """What is examined: a network, what it is trained by, and a few rows.

    Attributes:
        predict: what makes of examples the prediction that the loss takes.
        sample: the rows of each pass.
        batch_size: that of training, which the sample's need not be.
    """

    network: Module
    loss: Loss
    predict: Callable[[Array], Tensor]
    optimizer: Optimizer
    sample: Batch
    batch_size: int


class Activity(NamedTuple):
    """The output of an activation, and the path of the module that computed it."""

    path: str
    op: type[Op]
    out: Array


class Signal(NamedTuple):
    """The size of the gradient that reaches a layer: the norm of dL/dz, z its linear output."""

    path: str
    norm: float


@dataclass
class Readings:
    """What one pass showed.

    Attributes:
        loss: of the sample, in training mode.
        prediction: as the loss takes it.
        activities: what came out of activations, in the order of computation.
        signals: the gradient at each layer that has weights, the first layer first.
        moves: |update| / |weight| of each weight by path, for the optimiser's next step.
        per_channel: values a channel that each batch normalisation has in a training batch.
        through: "softmax" or "sigmoid" if the prediction has been through it, else "".
    """

    loss: float
    prediction: Array
    activities: list[Activity] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    moves: dict[str, float] = field(default_factory=dict)
    per_channel: dict[str, int] = field(default_factory=dict)
    through: str = ""


class _Call(NamedTuple):
    """A module at work: the serial numbers of what it computed lie between two others."""

    path: str
    module: Module
    method: str
    first: int
    last: int
    given: Any
    out: Tensor


def read(case: Case) -> Readings:
    """Return the readings of one pass over the sample, in training mode."""
    with _apart(case, training=True):
        calls: list[_Call] = []
        with _observed(case.network, calls):
            prediction = case.predict(case.sample.x)
        loss = loss_of(case.loss, prediction, case.sample)
        found = Readings(float(loss.data), prediction.data, through=_through(prediction))
        nodes = tape.ancestors(loss) if loss.requires_grad else []
        for node in reversed(nodes):
            if node.op in (Relu, Tanh, Sigmoid):
                found.activities.append(Activity(_place(node, calls), node.op, node.data))
        _read_gradients(case, loss, calls, found)
        found.per_channel = _per_channel(case, calls)
    return found


def outputs(case: Case) -> Array:
    """Return the prediction for the sample in evaluation mode."""
    with _apart(case, training=False), no_grad():
        return case.predict(case.sample.x).data


def gradients(case: Case) -> dict[str, Array]:
    """Return the gradient of the sample's loss by each parameter, in training mode.

    A parameter that the loss does not depend on has zeros. The pass is eager and by itself, since
    compiled updates leave no gradients behind.
    """
    with _apart(case, training=True):
        parameters = case.network.named_parameters()
        loss = loss_of(case.loss, case.predict(case.sample.x), case.sample)
        found = _gradients(loss, [*parameters.values()]) if loss.requires_grad else []
    absent = [None] * (len(parameters) - len(found))
    return {
        path: np.zeros_like(parameter.data) if g is None else g
        for (path, parameter), g in zip(parameters.items(), [*found, *absent], strict=True)
    }


def anomaly(case: Case) -> str:
    """Return what made the first number that is not finite in a pass over the sample."""
    try:
        with _apart(case, training=True), detect_anomaly():
            loss = loss_of(case.loss, case.predict(case.sample.x), case.sample)
            if loss.requires_grad:
                loss.backward()
    except AnomalyError as error:
        return str(error.anomaly)
    return (
        "the loss of this batch and its gradients are finite in themselves: the penalty or the "
        "optimiser's step made what is not"
    )


def trial(case: Case) -> list[float]:
    """Return the sample's loss before each of a few updates on it, and after the last."""
    losses = []
    with _apart(case, training=True):
        optimizer = copy.deepcopy(case.optimizer)
        parameters = case.network.named_parameters()
        for update in range(TRIAL + 1):
            for parameter in parameters.values():
                parameter.grad = None
            loss = loss_of(case.loss, case.predict(case.sample.x), case.sample)
            losses.append(float(loss.data))
            if update == TRIAL or not math.isfinite(losses[-1]) or not loss.requires_grad:
                break
            loss.backward()
            if any(parameter.grad is not None for parameter in parameters.values()):
                optimizer.step(parameters)
    return losses


@contextmanager
def _apart(case: Case, training: bool) -> Iterator[None]:
    """A pass by itself: nothing has changed after it, and training gives its own warnings."""
    with (
        held(case.network, case.loss),
        in_mode(case.network, training=training),
        quiet(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def held(*roots: Module) -> Iterator[None]:
    """Put everything back in the end that a pass may change in these, random streams included.

    Tensors are given back the very arrays they held, so that an optimiser and a compiled step find
    what they left.
    """
    modules = [module for root in roots for module in root.modules().values()]
    tensors = [t for root in roots for t in root.named_tensors().values()]
    values = [(tensor, tensor.data, tensor.grad) for tensor in tensors]
    attributes = [(vars(module), dict(vars(module))) for module in modules]
    streams = [
        (value, value.bit_generator.state)
        for _, saved in attributes
        for value in saved.values()
        if isinstance(value, np.random.Generator)
    ]
    everywhere = np.random.get_state()  # noqa: NPY002 - a layer of the user's own may draw from it
    try:
        yield
    finally:
        np.random.set_state(everywhere)  # noqa: NPY002
        for stream, state in streams:
            stream.bit_generator.state = state
        for now, saved in attributes:
            now.clear()
            now.update(saved)
        for tensor, data, grad in values:
            tensor.data, tensor.grad = data, grad


@contextmanager
def _observed(network: Module, calls: list[_Call]) -> Iterator[None]:
    """Write down each call of a module; `held` takes the instruments away again."""

    def watch(path: str, module: Module, method: str) -> Callable[..., Any]:
        inner = getattr(module, method)

        def observed(*inputs: Any, **options: Any) -> Any:
            first = next(tape.serials)
            out = inner(*inputs, **options)
            if isinstance(out, Tensor):
                given = inputs[0] if inputs else None
                calls.append(_Call(path, module, method, first, next(tape.serials), given, out))
            return out

        return observed

    for path, module in network.modules().items():
        for method in ("forward", "preactivation"):
            vars(module)[method] = watch(path, module, method)
    yield


def _place(node: tape.Node, calls: list[_Call]) -> str:
    """Return the path of the innermost module that computed a tensor."""
    around = [call for call in calls if call.first < node.serial < call.last]
    return min(around, key=lambda call: call.last - call.first).path if around else ""


def _read_gradients(case: Case, loss: Tensor, calls: list[_Call], found: Readings) -> None:
    """Read the gradient at each layer, and the step that the optimiser would make with it."""
    layers = _layers(calls)
    parameters = case.network.named_parameters()
    if not loss.requires_grad:
        return
    wanted = [*(call.out for call in layers), *parameters.values()]
    arrived = _gradients(loss, wanted)
    for call, g in zip(layers, arrived, strict=False):
        found.signals.append(Signal(call.path, 0.0 if g is None else _norm(g)))
    for parameter, g in zip(parameters.values(), arrived[len(layers) :], strict=True):
        parameter.grad = g
    if all(parameter.grad is None for parameter in parameters.values()):
        return
    before = {path: parameter.data for path, parameter in parameters.items()}
    copy.deepcopy(case.optimizer).step(parameters)
    for path, parameter in parameters.items():
        size = _norm(before[path])
        if parameter.ndim > 1 and size > 0:
            found.moves[path] = _norm(parameter.data - before[path]) / size


def _gradients(loss: Tensor, wanted: Sequence[Tensor]) -> list[Array | None]:
    return tape.gradients(loss, wanted, np.ones_like(loss.data), create_graph=False)


def _layers(calls: list[_Call]) -> list[_Call]:
    """Return the calls of modules with weights of their own, each at its linear output."""
    weighted = [call for call in calls if _has_weights(call.module)]
    linear = {id(call.module) for call in weighted if call.method == "preactivation"}
    chosen = {
        id(call.module): call
        for call in weighted
        if call.method == "preactivation" or id(call.module) not in linear
    }
    return sorted(chosen.values(), key=lambda call: call.first)


def _has_weights(module: Module) -> bool:
    return any(
        isinstance(value, Tensor) and value.requires_grad and value.ndim > 1
        for value in vars(module).values()
    )


def _per_channel(case: Case, calls: list[_Call]) -> dict[str, int]:
    """Return how many values each batch normalisation averages over in a training batch."""
    return {
        call.path: math.prod(np.shape(call.given)[1:-1]) * case.batch_size
        for call in calls
        if isinstance(call.module, BatchNorm) and call.method == "forward"
    }


def _through(prediction: Tensor) -> str:
    """Return the squashing that the prediction has been through, elementwise steps aside."""
    node: Any = prediction
    for _ in range(4):
        if not isinstance(node, Tensor) or node.op is None or node.shape != prediction.shape:
            return ""
        if node.op in (Softmax, Sigmoid):
            return node.op.__name__.lower()
        tensors = [x for x in node.inputs if isinstance(x, Tensor) and x.requires_grad]
        if len(tensors) != 1 or node.op not in (Multiply, Divide, Cast, Reshape):
            return ""
        node = tensors[0]
    return ""


def _norm(array: Array) -> float:
    flat = np.asarray(array, np.float64).reshape(-1)
    return math.sqrt(float(flat @ flat))
