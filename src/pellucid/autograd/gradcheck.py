"""Is this gradient right? Derivatives held against differences of the function itself, in float64.

The outputs f of a function are contracted with fixed random numbers u to ``L = sum of u * f`` (u = 1 for a
single number). Backward gives dL/dx; moving one element of x by h gives ``(L(x + h) - L(x - h)) / 2h``. For
each tensor the report shows the largest value over its elements of

    rel_error = |a - n| / max(|a|, |n|, floor)

where a is the analytic and n the numerical derivative, and floor the size below which rounding in L hides
an error of ``rtol``. See "Gradient checks" in the notes of Stanford's course CS231n. How differences are
taken and what happens at a kink stands in `pellucid.autograd.differences`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from pellucid import tree
from pellucid.arrays import Array, quiet
from pellucid.autograd import tape
from pellucid.autograd.differences import STEP, Comparison, Tolerance, Verdict
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops.op import Op

UNIT_ROUNDOFF = 2.0**-53
DETACHED = "no gradient arrives: is it detached, or turned into an array, on the way?"

Outputs = Callable[[bool], list[Tensor]]  # told whether its result will be differentiated


class GradientError(ValueError):
    """A gradient that is wrong, or that cannot be checked."""


# the report


@dataclass(frozen=True)
class GradcheckRow:
    """What was found for one tensor; ``analytic`` and ``numerical`` are those at ``index``, the worst place.

    ``checked`` elements were moved one at a time; in a large tensor, with ``projected``, also all at once. At
    ``kinks`` of them the function has no single slope, and the analytic one is among those it has.
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
    """One row a tensor; true if every gradient is right. Print it to see the table."""

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
    """Compare the gradients of a function, an operation, a layer, a loss or a network with differences.

    Floating-point inputs and the parameters found in ``target`` and ``parameters`` are checked. While this
    runs they are float64; afterwards they are what they were. Buffers, such as running statistics or the
    random state of dropout, are put back before every evaluation, so that each sees the same mask.

    A tensor of more than ``max_entries`` elements is checked at that many random places, and as a whole: all
    elements move at once in random directions of +-1. One wrong element changes the slope along every such
    direction by all of its error, so one whose error exceeds ``rtol`` of the tensor's largest gradient is
    found with certainty; several stay hidden only if their errors cancel in every direction.

    Args:
        target: takes tensors and returns a tensor of any shape, or several; an `Op`; or a module.
        inputs: tensors, arrays or numbers; integers and booleans, such as labels, are handed on as they are.
        parameters: a tree whose tensors with ``requires_grad`` the function uses, such as the network that
            it calls; they go by their dotted paths.
        order: 2 to check the gradient of <dL/dx, v> for random v as well, by the inputs, the parameters, and
            u, the gradient that backward starts from (named "cotangent").
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
    """
    _check_settings(order=order, eps=eps, rtol=rtol, atol=atol, max_entries=max_entries)
    call, names = _callable(target), _names(target, len(inputs))
    arguments = [_argument(x, name) for x, name in zip(inputs, names, strict=True)]
    given = zip(names, arguments, inputs, strict=True)
    leaves = [(name, argument) for name, argument, x in given if argument is not x]
    point = _Point(leaves, target, parameters)
    how = _Settings(eps, rtol, atol, max_entries, np.random.default_rng(seed))

    def outputs(create_graph: bool) -> list[Tensor]:
        return _tensors(call(*arguments, **params))

    with point.held(), quiet():
        rows = _check(outputs, point, how)
        if order == 2:
            rows += _check(_gradient(outputs, point, how), point, how, " (order 2)")
    return GradcheckReport(tuple(rows))


def assert_gradients(target: Any, /, *inputs: Any, **options: Any) -> GradcheckReport:
    """Return what `gradcheck` of the same arguments does, or raise `GradientError` with its table."""
    return gradcheck(target, *inputs, **options).raise_if_failed()


# what is checked


def _check_settings(*, order: int, max_entries: int, **positive: float) -> None:
    if order not in (1, 2):
        raise ValueError(f"expected order 1 or 2, got {order!r}; 2 checks both")
    if max_entries < 1:
        raise ValueError(f"expected max_entries of at least 1, got {max_entries!r}; try 200")
    for name, value in positive.items():
        if not 0 < value < 1:
            raise ValueError(f"expected {name} between 0 and 1, got {value!r}; try 1e-5")


def _callable(target: Any) -> Callable[..., Any]:
    if isinstance(target, type) and issubclass(target, Op):
        return lambda *operands, **params: apply(target, *operands, **params)
    if not callable(target):
        raise TypeError(
            f"expected a function, an Op subclass or a module to check, got {type(target).__name__}; "
            "wrap what you compute: gradcheck(lambda x: ..., x)"
        )
    return target  # type: ignore[no-any-return]


def _names(target: Any, count: int) -> list[str]:
    """Return the argument names of a function, or of a module's or an operation's ``forward``."""
    names = [f"input{i}" for i in range(count)]
    try:
        known = list(inspect.signature(getattr(target, "forward", target)).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return names
    if isinstance(target, type) and issubclass(target, Op):
        known = known[1:]  # without xp
    for i, parameter in enumerate(known[:count]):
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names[i] = parameter.name
    return names


def _argument(x: Any, name: str) -> Any:
    """Return floating-point values as a new float64 leaf, integers and booleans as they are."""
    try:
        array = x.data if isinstance(x, Tensor) else np.asarray(x)
        kind = array.dtype.kind
    except ValueError:  # nested lists of uneven lengths
        kind = "O"
    if kind not in "fiub":
        raise TypeError(
            f"expected tensors, arrays or numbers as inputs, got {type(x).__name__} for {name}; put "
            "other arguments into the function: gradcheck(lambda x: f(x, option), x)"
        )
    return Tensor(array.astype(np.float64), requires_grad=True) if kind == "f" else x


def _tensors(result: Any) -> list[Tensor]:
    """Return the floating-point tensors among the outputs of a target."""
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    for output in outputs:
        if not isinstance(output, Tensor):
            raise TypeError(
                "expected the target to return a tensor or several, got "
                f"{type(output).__name__}; compute with tensors and return them as they are"
            )
    found = [output for output in outputs if output.dtype.kind == "f"]
    if not found:
        kinds = ", ".join(str(output.dtype) for output in outputs) or "nothing"
        raise TypeError(
            f"expected floating-point output, which alone has a gradient, got {kinds}; "
            "return what was computed before it was rounded or compared"
        )
    return found


class _Point:
    """Where a function is checked: its tensors in float64, put back before every evaluation.

    ``leaves`` are what is differentiated by. The constant tensors and the plain attributes of the trees
    are put back with them: whatever an evaluation changes, the next one starts from the same state.
    """

    def __init__(self, inputs: list[tuple[str, Tensor]], *trees: object) -> None:
        self.leaves = list(inputs)
        self.base = {id(x): (x, x.data) for _, x in inputs}
        self.attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for path, value in chain.from_iterable(map(tree.visit, trees)):
            if isinstance(value, tree.Node):
                self.attributes.append((vars(value), dict(vars(value))))
            elif isinstance(value, Tensor) and value.is_leaf and id(value) not in self.base:
                is_float = value.dtype.kind == "f"
                self.base[id(value)] = (
                    value,
                    value.data.astype("float64") if is_float else value.data,
                )
                if value.requires_grad:
                    self.leaves.append((path or "parameter", value))
        if not self.leaves:
            raise ValueError(
                "expected floating-point inputs, or parameters with requires_grad=True, to differentiate "
                "by, got none; pass at least one, such as an array of floats"
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Give the tensors their own data and gradients back in the end, whatever happens."""
        saved = [(tensor, tensor.data, tensor.grad) for tensor, _ in self.base.values()]
        try:
            yield
        finally:
            self.move()
            for tensor, data, grad in saved:
                tensor.data, tensor.grad = data, grad

    def add(self, name: str, leaf: Tensor) -> None:
        """Differentiate by one tensor more."""
        self.leaves.append((name, leaf))
        self.base[id(leaf)] = leaf, leaf.data

    def move(self, leaf: Tensor | None = None, data: Array = None) -> None:
        """Put everything back; then, if there is a leaf, give it other data."""
        for attributes, saved in self.attributes:
            attributes.clear()
            attributes.update(saved)
        for tensor, data_here in self.base.values():
            tensor.data = data_here
        if leaf is not None:
            leaf.data = data


# how


class _Settings(NamedTuple):
    eps: float
    rtol: float
    atol: float
    max_entries: int
    rng: np.random.Generator

    def cotangents(self, outputs: Sequence[Tensor]) -> list[Tensor]:
        """Return u, one an output: of random sign and a size in [0.5, 1.5), but 1 for a single number."""
        if len(outputs) == 1 and outputs[0].size == 1:
            return [Tensor(np.ones(outputs[0].shape))]
        signs = [self.rng.choice((-1.0, 1.0), f.shape) for f in outputs]
        return [Tensor(sign * self.rng.uniform(0.5, 1.5, sign.shape)) for sign in signs]


def _check(outputs: Outputs, point: _Point, how: _Settings, suffix: str = "") -> list[GradcheckRow]:
    """Return one row a leaf, for the gradient of ``L = <outputs, u>``."""
    point.move()
    here = outputs(True)
    point.move()
    _check_deterministic(here, outputs(True))
    u = how.cotangents(here)
    backward = _backward(here, u)
    tolerance = Tolerance(how.rtol, how.atol, backward.noise)
    step = 2.0 ** round(math.log2(how.eps))

    def compare(leaf: Tensor) -> Comparison:
        def change(data: Array) -> float:
            point.move(leaf, data)
            return sum(map(_inner_change, outputs(False), here, u))

        point.move()
        gradient = backward.gradients.get(id(leaf), np.zeros(leaf.shape))
        return Comparison(leaf.data, gradient, change, step, tolerance)

    rows = []
    for name, leaf in point.leaves:
        comparison = compare(leaf)
        comparison.run(how.max_entries, how.rng)
        note = backward.note if id(leaf) in backward.gradients else DETACHED
        rows.append(_row(name + suffix, comparison, note))
    return rows


def _gradient(outputs: Outputs, point: _Point, how: _Settings) -> Outputs:
    """Return the function that computes dL/dx for every leaf x, with u as leaves of its own."""
    leaves = [leaf for _, leaf in point.leaves]
    point.move()
    u = [Tensor(x.data, requires_grad=True) for x in how.cotangents(outputs(True))]
    for i, x in enumerate(u):
        point.add(f"cotangent{i}" if len(u) > 1 else "cotangent", x)

    def gradient(create_graph: bool) -> list[Tensor]:
        found = _gradients(_contract(outputs(True), u), leaves, create_graph)
        return [
            Tensor(np.zeros(leaf.shape)) if g is None else as_tensor(g)
            for leaf, g in zip(leaves, found, strict=True)
        ]

    return gradient


class _Backward(NamedTuple):
    """Gradients by tensor id, the rounding error of L, and what is suspicious about the graph."""

    gradients: dict[int, Array]
    noise: float
    note: str


def _backward(outputs: list[Tensor], u: list[Tensor]) -> _Backward:
    """Return what one backward pass of ``<outputs, u>`` tells.

    Every value v of the graph is rounded by a relative error of up to the unit roundoff, which moves L by
    v * dL/dv times that; such errors being independent, L is off by the root of the sum of their squares.
    """
    total = _contract(outputs, u)
    nodes = tape.ancestors(total)
    gradients, squares = {}, 0.0
    for node, g in zip(nodes, _gradients(total, nodes, create_graph=False), strict=True):
        if g is not None:
            gradients[id(node)] = g
            shift = np.asarray(node.data * g, np.float64)
            squares += float(np.sum(shift * shift, where=np.isfinite(shift)))
    narrow = [node for node in nodes if node.op is not None and node.dtype.itemsize < 8]
    note = ""
    if narrow:
        first = narrow[-1]
        note = (
            f"{getattr(first.op, '__name__', '')} computes in {first.dtype}, too coarse for differences: "
            "keep the dtype of the inputs, and pass every tensor that is used, for example as parameters="
        )
    return _Backward(gradients, UNIT_ROUNDOFF * math.sqrt(squares), note)


def _gradients(total: Tensor, wrt: Sequence[tape.Node], create_graph: bool) -> list[Array | None]:
    """Return the gradients of a scalar, or say that backward itself fails."""
    seed = Tensor(np.ones(total.shape, total.dtype))
    try:
        return tape.gradients(total, wrt, seed if create_graph else seed.data, create_graph)
    except (TypeError, ValueError) as error:
        raise GradientError(
            f"expected backward to run, got {type(error).__name__}: {error}; look for a gradient rule that "
            "returns another shape than its operand's, or calls NumPy instead of xp"
        ) from error


def _contract(outputs: list[Tensor], u: list[Tensor]) -> Tensor:
    """Return the scalar ``<outputs, u>``."""
    first, *rest = [(f * c).sum() for f, c in zip(outputs, u, strict=True)]
    return sum(rest, start=first)


def _inner_change(there: Tensor, here: Tensor, u: Tensor) -> float:
    """Return <there - here, u>; an infinity that stays one does not change."""
    same = there.data == here.data
    return float(np.sum(np.where(same, 0.0, there.data - here.data) * u.data))


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
            f"expected a deterministic function, got {got} from two calls with the same input; fix its "
            "seed inside, switch to evaluation mode, or pass the module that keeps state as parameters="
        )


def _row(name: str, comparison: Comparison, hint: str) -> GradcheckRow:
    """Sum up what was found for one tensor; the hint is for a gradient that is wrong."""
    verdicts, gradient = comparison.verdicts, comparison.gradient
    ok = all(verdict.ok for verdict in verdicts.values())
    smooth = [i for i, verdict in verdicts.items() if not verdict.kink]
    errors = [abs(float(gradient[i]) - verdicts[i].numerical) for i in smooth]
    worst = max(smooth, key=lambda i: (not verdicts[i].ok, verdicts[i].error), default=None)
    found = Verdict(True, 0.0, 0.0) if worst is None else verdicts[worst]
    at = () if worst is None else np.unravel_index(worst, comparison.x.shape)
    return GradcheckRow(
        name=name,
        shape=comparison.x.shape,
        checked=len(verdicts),
        projected=comparison.projected,
        kinks=len(verdicts) - len(smooth),
        ok=ok,
        max_error=max(errors, default=0.0),
        rel_error=found.error,
        index=tuple(map(int, at)),
        analytic=0.0 if worst is None else float(gradient[worst]),
        numerical=found.numerical,
        note="" if ok else "; ".join(filter(None, (hint, found.note))),
    )
