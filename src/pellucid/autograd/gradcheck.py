"""Is this gradient right? Derivatives held against differences of the function itself, in float64.

The outputs f of a function are contracted with fixed random numbers u to ``L = sum of u * f``, with
u = 1 for a single number. Backward gives dL/dx; moving one element of x by h gives
``(L(x + h) - L(x - h)) / 2h``. For each tensor the report shows the largest, over its elements, of

    rel_error = |a - n| / max(|a|, |n|, floor)

where a is the analytic and n the numerical derivative, and floor the size below which the rounding
of L hides an error of ``rtol``. See "Gradient checks" in the notes of Stanford's course CS231n. How
differences are taken, and what happens at a kink, stands in `pellucid.autograd.differences`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pellucid.arrays import Array, quiet
from pellucid.autograd import tape
from pellucid.autograd.differences import STEP, Comparison, Tolerance, Verdict
from pellucid.autograd.point import Point, argument_names, to_argument, to_function, to_outputs
from pellucid.autograd.tensor import Tensor, as_tensor
from pellucid.figures.html import table
from pellucid.ops.op import Op

UNIT_ROUNDOFF = 2.0**-53
DETACHED = "no gradient arrives: is it detached, or turned into an array, on the way?"

Outputs = Callable[[bool], list[Tensor]]  # told whether its result will be differentiated


class GradientError(ValueError):
    """A gradient that is wrong, or that cannot be checked.

    >>> import pellucid
    >>> try:
    ...     pellucid.assert_gradients(lambda x: x * x.detach(), [3.0])
    ... except pellucid.GradientError as error:
    ...     print(error)
    expected gradients that agree with central differences, got
    x  rel_error = 5.0e-01  FAIL  at [0]: analytic 3, numerical 6
    look at the gradient rules on the way to what FAILs
    """


# the report


@dataclass(frozen=True)
class GradcheckRow:
    """What was found for one tensor.

    ``index`` is the worst place, ``analytic`` and ``numerical`` are the derivatives there.
    ``checked`` elements were moved one at a time; a large tensor was also ``projected``, all of it
    moved at once. At ``kinks`` of its elements the function has no single slope, and the analytic
    derivative is among those it has.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    projected: bool
    kinks: int
    ok: bool
    max_error: float
    rel_error: float
    index: tuple[int, ...]
    analytic: float
    numerical: float
    note: str

    def __str__(self) -> str:
        text = f"rel_error = {self.rel_error:.1e}  {'ok' if self.ok else 'FAIL'}"
        if not self.ok:
            place = f"at {list(self.index)}: " if self.index else ""
            text += f"  {place}analytic {self.analytic:.8g}, numerical {self.numerical:.8g}"
            text += f"; {self.note}" if self.note else ""
        if self.kinks:
            text += f"  ({self.kinks} at a kink)"
        return text


@dataclass(frozen=True, repr=False)
class GradcheckReport:
    """One row a tensor; true if every gradient is right. Print it to see the table.

    A row has the tensor's ``name`` and ``shape``, ``ok``, the largest errors ``max_error`` and
    ``rel_error``, and for its worst element ``index``, ``analytic`` and ``numerical``.

    >>> import pellucid
    >>> report = pellucid.gradcheck(lambda x, y: x * y, [2.0], [3.0])
    >>> bool(report), [(row.name, row.analytic) for row in report.rows]
    (True, [('x', 3.0), ('y', 2.0)])
    """

    rows: tuple[GradcheckRow, ...]

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return all(row.ok for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        return "\n".join(f"{row.name:{width}}  {row}" for row in self.rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(row.name, str(row.shape), str(row)) for row in self.rows]
        return table(("tensor", "shape", "gradient"), rows, 3)

    def raise_if_failed(self) -> GradcheckReport:
        """Return this report if every gradient is right.

        Raises:
            GradientError: one is wrong; the message is the table.
        """
        if not self.ok:
            raise GradientError(
                f"expected gradients that agree with central differences, got\n{self}\n"
                "look at the gradient rules on the way to what FAILs"
            )
        return self


# what users call


def gradcheck(
    target: Callable[..., Any] | type[Op],
    /,
    *inputs: Any,
    parameters: object = None,
    order: int = 1,
    eps: float = STEP,
    rtol: float = 1e-5,
    atol: float = 1e-12,
    max_entries: int = 200,
    seed: int = 0,
    **params: Any,
) -> GradcheckReport:
    """Compare the gradients of a function, operation, layer, loss or network with differences.

    Floating-point inputs and the parameters found in ``target`` and ``parameters`` are checked.
    While this runs they are float64; afterwards they are what they were. Buffers, such as running
    statistics or the random state of dropout, are put back before every evaluation, so that each
    one sees the same mask.

    A tensor of more than ``max_entries`` elements is checked at that many random places, and as a
    whole: all elements move at once in random directions of +-1. One wrong element changes the
    slope along each direction by all of its error, so it is found for certain if that exceeds
    ``rtol`` times the root mean square of the gradient (in units of the steps); several hide only
    if their errors cancel in every direction.

    Args:
        target: takes tensors and returns a tensor of any shape, or several; an `Op`; or a module.
        inputs: tensors, arrays or numbers; integers and booleans, such as labels, are handed on as
            they are.
        parameters: a tree whose tensors with ``requires_grad`` the function uses, such as the
            network that it calls; they go by their dotted paths.
        order: 2 to check the gradient of <dL/dx, v> for random v as well, by the inputs, the
            parameters, and u, the gradient that backward starts from (named "cotangent").
        eps: the step where |x| <= 1, in proportion to |x| elsewhere; rounded to a power of two.
        rtol: the largest relative error that is right.
        atol: the difference up to which two derivatives are the same.
        max_entries: how many elements of a tensor are checked one at a time.
        seed: of u, v, places and directions.
        params: keyword arguments of the target, such as an operation's parameters.

    Raises:
        TypeError: the target cannot be called, an input is not numeric, or an output is no tensor.
        ValueError: there is nothing to differentiate by, or a setting is out of range.
        GradientError: two evaluations at one point differ, or backward itself fails.

    >>> import pellucid
    >>> pellucid.gradcheck(lambda x: x * x, [3.0])
    x  rel_error = ...  ok
    >>> pellucid.gradcheck(lambda x: x * x.detach(), [3.0])  # a path is missing
    x  rel_error = 5.0e-01  FAIL  at [0]: analytic 3, numerical 6
    """
    _check_settings(order=order, eps=eps, rtol=rtol, atol=atol, max_entries=max_entries)
    function, names = to_function(target), argument_names(target, len(inputs))
    arguments = [to_argument(x, name) for x, name in zip(inputs, names, strict=True)]
    given = zip(names, arguments, inputs, strict=True)
    leaves = [(name, argument) for name, argument, x in given if argument is not x]
    point = Point(leaves, target, parameters)
    how = _Settings(
        2.0 ** round(math.log2(eps)), rtol, atol, max_entries, np.random.default_rng(seed)
    )

    def outputs(create_graph: bool) -> list[Tensor]:
        return to_outputs(function(*arguments, **params))

    with point.held(), quiet():
        rows = _check(outputs, point, how)
        if order == 2:
            rows += _check(_gradient(outputs, point, how), point, how, " (order 2)")
    return GradcheckReport(tuple(rows))


def assert_gradients(target: Any, /, *inputs: Any, **options: Any) -> GradcheckReport:
    """Return the report of `gradcheck`, or raise `GradientError` with it if a gradient is wrong.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import nn
    >>> pellucid.assert_gradients(nn.Dense(3, 2, rng=0), np.ones((4, 3)))
    x       rel_error = ...  ok
    weight  rel_error = ...  ok
    bias    rel_error = ...  ok
    """
    return gradcheck(target, *inputs, **options).raise_if_failed()


# how


class _Settings(NamedTuple):
    step: float
    rtol: float
    atol: float
    max_entries: int
    rng: np.random.Generator


def _check_settings(*, order: int, eps: float, rtol: float, atol: float, max_entries: int) -> None:
    """Refuse settings out of range."""
    if order not in (1, 2):
        raise ValueError(f"expected order 1 or 2, got {order!r}; 2 checks both")
    if max_entries < 1:
        raise ValueError(f"expected max_entries of at least 1, got {max_entries!r}; try 200")
    for name, value in (("eps", eps), ("rtol", rtol)):
        if not 0 < value < 1:
            raise ValueError(f"expected {name} between 0 and 1, got {value!r}; try 1e-5")
    if not atol >= 0:
        raise ValueError(f"expected atol of at least 0, got {atol!r}; try 1e-12")


def _check(outputs: Outputs, point: Point, how: _Settings, suffix: str = "") -> list[GradcheckRow]:
    """Return one row a leaf, for the gradient of ``L = <outputs, u>``."""
    point.move()
    here = outputs(True)
    point.move()
    _check_deterministic(here, outputs(True))
    u = _cotangents(here, how.rng)
    backward = _backward(here, u)
    tolerance = Tolerance(how.rtol, how.atol, backward.noise)
    values = [f.data for f in here]  # an output may be a leaf, whose data is about to move

    def compared(leaf: Tensor) -> Comparison:
        def change(data: Array) -> float:
            point.move(leaf, data)
            return sum(map(_inner_change, outputs(False), values, u))

        point.move()
        gradient = backward.gradients.get(id(leaf), np.zeros(leaf.shape))
        comparison = Comparison(leaf.data, gradient, change, how.step, tolerance)
        comparison.run(how.max_entries, how.rng)
        return comparison

    return [
        _row(
            name + suffix,
            compared(leaf),
            backward.suspicion if id(leaf) in backward.gradients else DETACHED,
        )
        for name, leaf in point.leaves
    ]


def _gradient(outputs: Outputs, point: Point, how: _Settings) -> Outputs:
    """Return the function that computes dL/dx for every leaf x, with u as leaves of its own."""
    leaves = [leaf for _, leaf in point.leaves]
    point.move()
    u = _cotangents(outputs(True), how.rng, requires_grad=True)
    for i, cotangent in enumerate(u):
        point.add(f"cotangent{i}" if len(u) > 1 else "cotangent", cotangent)

    def gradient(create_graph: bool) -> list[Tensor]:
        found = _gradients(_contract(outputs(True), u), leaves, create_graph)
        return [
            Tensor(np.zeros(leaf.shape)) if g is None else as_tensor(g)
            for leaf, g in zip(leaves, found, strict=True)
        ]

    return gradient


def _cotangents(
    outputs: Sequence[Tensor], rng: np.random.Generator, requires_grad: bool = False
) -> list[Tensor]:
    """Return u, one an output: random signs, sizes in [0.5, 1.5); but 1 for a single number."""
    if len(outputs) == 1 and outputs[0].size == 1:
        return [Tensor(np.ones(outputs[0].shape), requires_grad)]
    signs = [rng.choice((-1.0, 1.0), f.shape) for f in outputs]
    return [Tensor(sign * rng.uniform(0.5, 1.5, sign.shape), requires_grad) for sign in signs]


class _Backward(NamedTuple):
    """Gradients by tensor id, the rounding error of L, and what looks wrong about the graph."""

    gradients: dict[int, Array]
    noise: float
    suspicion: str


def _backward(outputs: list[Tensor], u: list[Tensor]) -> _Backward:
    """Return what one backward pass from ``L = <outputs, u>`` tells.

    Every value v of the graph is rounded by up to the unit roundoff, relatively, which moves L by
    v * dL/dv times that. These errors are independent: together they amount to the root of the sum
    of their squares.
    """
    total = _contract(outputs, u)
    nodes = tape.ancestors(total)
    gradients, squares = {}, 0.0
    for node, g in zip(nodes, _gradients(total, nodes, create_graph=False), strict=True):
        if g is not None:
            gradients[id(node)] = g
            shift = np.asarray(node.data * g, np.float64)
            squares += float(np.sum(shift * shift, where=np.isfinite(shift)))
    suspicion = ""
    for node in nodes:  # the one named in the end comes first in the computation
        if node.op is not None and node.dtype.itemsize < 8:
            suspicion = (
                f"{node.op.__name__} computes in {node.dtype}, too coarse for differences: keep "
                "the dtype of the inputs, and pass all tensors that are used as parameters="
            )
    return _Backward(gradients, UNIT_ROUNDOFF * math.sqrt(squares), suspicion)


def _gradients(total: Tensor, wrt: Sequence[tape.Node], create_graph: bool) -> list[Array | None]:
    """Return the gradients of a scalar, or say that backward itself fails."""
    seed = Tensor(np.ones(total.shape, total.dtype))
    try:
        return tape.gradients(total, wrt, seed if create_graph else seed.data, create_graph)
    except (TypeError, ValueError) as error:
        raise GradientError(
            f"expected backward to run, got {type(error).__name__}: {error}; look for a gradient "
            "rule that returns another shape than its operand's, or calls NumPy instead of xp"
        ) from error


def _contract(outputs: list[Tensor], u: list[Tensor]) -> Tensor:
    """Return the scalar ``<outputs, u>``."""
    first, *rest = [(f * c).sum() for f, c in zip(outputs, u, strict=True)]
    return sum(rest, start=first)


def _inner_change(there: Tensor, here: Array, u: Tensor) -> float:
    """Return <there - here, u>, where an infinity that stays the same does not change."""
    change = np.where(there.data == here, 0.0, there.data - here)
    return float(np.sum(change * u.data))


def _check_deterministic(first: list[Tensor], second: list[Tensor]) -> None:
    """Refuse a function whose outputs at one point differ by more than rounding."""
    for a, b in zip(first, second, strict=True):
        if a.shape != b.shape:
            got = f"shapes {a.shape} and {b.shape}"
        elif not np.allclose(a.data, b.data, rtol=1e-9, atol=1e-14, equal_nan=True):
            got = f"outputs that differ by {np.nanmax(np.abs(a.data - b.data)):.2g}"
        else:
            continue
        raise GradientError(
            f"expected a deterministic function, got {got} from two calls with the same input; fix "
            "its seed inside, or pass the module that holds its random state as parameters="
        )


def _row(name: str, comparison: Comparison, suspicion: str) -> GradcheckRow:
    """Sum up what was found for one tensor."""
    verdicts, gradient = comparison.verdicts, comparison.gradient
    ok = all(verdict.ok for verdict in verdicts.values())
    smooth = [i for i, verdict in verdicts.items() if not verdict.kink]
    errors = [abs(float(gradient[i]) - verdicts[i].numerical) for i in smooth]
    worst = max(smooth, key=lambda i: (not verdicts[i].ok, verdicts[i].error), default=None)
    found = Verdict(True, 0.0, 0.0) if worst is None else verdicts[worst]
    index = () if worst is None else np.unravel_index(worst, comparison.x.shape)
    return GradcheckRow(
        name=name,
        shape=comparison.x.shape,
        checked=len(verdicts),
        projected=comparison.projected,
        kinks=len(verdicts) - len(smooth),
        ok=ok,
        max_error=max(errors, default=0.0),
        rel_error=found.error,
        index=tuple(map(int, index)),
        analytic=0.0 if worst is None else float(gradient[worst]),
        numerical=found.numerical,
        note="" if ok else "; ".join(filter(None, (suspicion, found.note))),
    )
