"""`explain_backward`: the backward pass derived by hand, beside what autograd computes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pellucid import nn
from pellucid.arrays import Shape, quiet
from pellucid.autograd import Tensor, as_tensor, no_grad, tape
from pellucid.autograd.point import Point
from pellucid.errors import ShapeError
from pellucid.explain import losses
from pellucid.explain.chain import Link, chain, innermost, passed_back
from pellucid.explain.report import BackwardReport, Gradient, Step
from pellucid.explain.rule import Numbers
from pellucid.train import Model, inputs


def explain_backward(
    target: Model | nn.Module, x: Any, y: Any = None, *, loss: str | nn.Loss | None = None
) -> BackwardReport:
    """Return the backward pass, layer by layer: equations, shapes, numbers. Print it to read it.

    Every gradient is computed twice in float64: by rules derived by hand, in plain NumPy and
    without the tape, and by autograd; the report has both and their difference. Nothing changes.
    Layers run in the mode they are in, so that dropout and batch normalisation are explained as in
    training after ``network.train()``.

    Args:
        target: a `train.Model`; or a layer or network that is a chain of layers.
        x: examples, as the network takes them.
        y: their targets; for a layer without a loss dL/dout in the output's shape, or nothing for
            ones.
        loss: of a layer or network: the loss, or its name. That of a `Model` is its own.

    Returns:
        A report with ``steps``, the layers from the last to the first; ``gradients`` of the
        parameters by their paths; ``loss``; and ``ok``, whether hand and autograd agree.

    Raises:
        TypeError: a kind of layer or loss is not derived by hand; its name and path are said.
        ValueError: the targets do not fit.

    >>> import pellucid
    >>> from pellucid import nn
    >>> report = pellucid.explain_backward(nn.ReLU(), [[2.0, -1.0]])
    >>> print(report.steps[-1])
    ReLU()
        A = max(Z, 0)
            Z (1, 2)   A (1, 2)
        dZ = dA where Z > 0, else 0
                shape   by hand  autograd  difference
            dZ  (1, 2)  1 0      1 0       0.0e+00
    """
    if not isinstance(target, Model | nn.Module):
        raise TypeError(
            f"expected a train.Model or an nn.Module to explain, got {type(target).__name__}; pass "
            "the layer, or the network, itself"
        )
    network = target.network if isinstance(target, Model) else target
    choice = target.loss if isinstance(target, Model) else loss
    own = None if choice is None else nn.losses.loss(choice)
    if own is not None and y is None:
        raise ValueError(
            f"expected y, the targets for {type(own).__name__}, got None; pass one an example"
        )
    links = list(chain(network, ""))
    _refuse_shared(links)
    if own is not None and own.link is not nn.Linear and isinstance(links[-1].layer, own.link):
        links.pop()  # the loss takes logits
    rule = losses.Sum(None) if own is None else losses.rule_of(own)
    start = _start(x)
    leaves = [("x", Tensor(start, requires_grad=True))] if start.dtype.kind == "f" else []
    point = Point(leaves, network)
    with point.held(), quiet():
        point.move()
        aim = _aim(y, own, _output(network, links, start))
        point.move()
        hand = _by_hand(links, rule, start, aim)
        point.move()
        auto = _by_tape(network, links, own, start, aim)
    return _report(network, links, own, rule, hand, auto)


def _refuse_shared(links: list[Link]) -> None:
    """Refuse a parameter that is used in several places: its gradient is the sum over them."""
    first: dict[int, str] = {}
    for path, layer in innermost(links):
        for tensor in layer.parameters():
            if first.setdefault(id(tensor), path) != path:
                raise TypeError(
                    f"expected every parameter in one layer, got one that {first[id(tensor)]} and "
                    f"{path} share; explain them one at a time"
                )


def _start(x: Any) -> Numbers:
    """Return examples in float64, whole numbers as they are."""
    given = np.asarray(x.data if isinstance(x, Tensor) else x)
    return given if given.dtype.kind in "iub" else given.astype(np.float64)


def _output(network: nn.Module, links: list[Link], x: Numbers) -> Shape:
    """Return the output's shape; what does not fit is refused by the layers themselves."""
    h: Any = Tensor(x)
    try:
        with no_grad():
            for link in links:
                h = as_tensor(link.apply(h))
    except ShapeError as error:
        network.locate(error)
        raise
    return h.shape  # type: ignore[no-any-return]


def _aim(y: Any, loss: nn.Loss | None, shape: Shape) -> Numbers | None:
    """Return targets as the loss takes them, or a gradient in the shape of the output."""
    if y is None:
        return None
    given = np.asarray(y.data if isinstance(y, Tensor) else y)
    if loss is not None:
        wanted = np.dtype("float64")
        return np.asarray(inputs.targets(given, loss, shape[1:], shape[0], wanted))
    if given.shape != shape:
        raise ShapeError(
            f"expected y in the output's shape {shape}, as the gradient that arrives there, got "
            f"{given.shape}; pass loss= if y are targets"
        )
    return given.astype(np.float64)


class _ByHand(NamedTuple):
    """The loss, its gradient by the prediction, and of each link the output and the gradients."""

    loss: float
    begin: Numbers
    outs: list[Numbers]
    gradients: list[dict[str, Numbers]]


class _ByTape(NamedTuple):
    """What autograd computed: outputs from x on, their gradients, and those of parameters by id."""

    outs: list[Numbers]
    inner: list[Any]
    parameters: dict[int, Numbers]


def _by_hand(links: list[Link], rule: losses.LossRule, x: Numbers, y: Numbers | None) -> _ByHand:
    outs = [x]
    for link in links:
        outs.append(link.rule.forward(outs[-1]))
    value, begin = rule.derive(outs[-1], np.ones_like(outs[-1]) if y is None else y)
    return _ByHand(value, begin, outs[1:], passed_back(links, begin))


def _by_tape(
    network: nn.Module, links: list[Link], loss: nn.Loss | None, x: Numbers, y: Numbers | None
) -> _ByTape:
    tensors = [Tensor(x, requires_grad=x.dtype.kind == "f")]
    for link in links:
        tensors.append(as_tensor(link.apply(tensors[-1])))
    out, parameters = tensors[-1], network.parameters()
    ones = np.ones(out.shape)
    total = (out * (ones if y is None else y)).sum() if loss is None else loss(out, y)
    wanted = [*tensors, *parameters]
    found = tape.gradients(total, wanted, np.ones_like(total.data), create_graph=False)
    inner, own = found[: len(tensors)], found[len(tensors) :]
    by_id = {
        id(p): np.zeros(p.shape) if g is None else np.asarray(g)
        for p, g in zip(parameters, own, strict=True)
    }
    return _ByTape([t.data for t in tensors], inner, by_id)


def _report(
    network: nn.Module,
    links: list[Link],
    loss: nn.Loss | None,
    rule: losses.LossRule,
    hand: _ByHand,
    auto: _ByTape,
) -> BackwardReport:
    """Put what both found side by side, the loss first, the first layer last."""
    paths = {id(tensor): path for path, tensor in network.named_parameters().items()}
    letter = "dP" if "dP" in rule.equation else "dZ"
    begin = Gradient(letter, "", hand.begin, auto.inner[-1])
    shapes = {letter[1]: hand.begin.shape}
    name = "the sum of outputs" if loss is None else type(loss).__name__
    steps = [Step("loss", name, rule.value, shapes, (rule.equation,), (begin,), 0.0)]
    for i in reversed(range(len(links))):
        link, given = links[i], auto.outs[i]
        gradients = []
        for key, value in hand.gradients[i].items():
            symbol = link.rule.symbols.get(key, f"d {key}")
            if key == "X":
                if auto.inner[i] is not None:
                    gradients.append(Gradient(symbol, "", value, auto.inner[i]))
                continue
            tensor = link.layer.named_tensors()[key]
            gradients.append(
                Gradient(symbol, paths[id(tensor)], value, auto.parameters[id(tensor)])
            )
        ours, theirs = hand.outs[i], auto.outs[i + 1]
        before = link.rule.symbols.get("X", "dX")[1]
        shapes = {before: given.shape} | link.rule.shapes() | {link.rule.out: ours.shape}
        apart = float(np.abs(ours - theirs).max(initial=0.0))
        steps.append(
            Step(
                link.path,
                link.name,
                link.rule.value,
                shapes,
                link.rule.equations,
                tuple(gradients),
                apart / max(float(np.abs(theirs).max(initial=0.0)), 1.0),
            )
        )
    return BackwardReport(hand.loss, tuple(steps))
