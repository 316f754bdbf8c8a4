"""Why a gradient is what it is: the sum over all paths, and what stands in their way."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.scalar.drawing import draw
from pellucid.scalar.engine import Value, history
from pellucid.scalar.naming import names
from pellucid.scalar.picture import Drawing

LONGEST = 12  # factors of a path that are written out
MANY = 10**15  # paths are not counted beyond


@dataclass(frozen=True)
class Factor:
    """One step of a path: d child / d parent = ``slope``."""

    parent: Value
    child: Value
    slope: float


@dataclass(frozen=True)
class Path:
    """A way from a value to the output; its share of the gradient is the product of its slopes.

    The product is 0 as soon as one of them is, and is formed from the output back.
    """

    factors: tuple[Factor, ...]
    product: float


@dataclass(frozen=True)
class Explanation:
    """Why d out / d node is what it is; print it to read it.

    ``count`` is the number of all paths from the node to the output, up to 10^15; ``paths`` are
    those with the largest shares; ``blocked`` the slopes of 0 that end paths, from the output on.

    >>> from pellucid.scalar import Value, why
    >>> x = Value(3.0, "x")
    >>> explanation = why(x, x * x + x)
    >>> explanation.gradient, explanation.count
    (7.0, 3)
    """

    node: Value
    out: Value
    gradient: float
    count: int
    paths: tuple[Path, ...]
    blocked: tuple[Factor, ...]
    names: Mapping[Value, str]

    def draw(self, format: str = "svg") -> Drawing:  # noqa: A002
        """Return the graph with the first path lit up, its slopes on the lines."""
        way = self.paths[0].factors if self.paths else ()
        return draw(
            self.out,
            called=self.names,
            lit=[(f.parent, f.child) for f in way],
            notes={(f.parent, f.child): f"{f.slope:.4g}" for f in way},
            format=format,
        )

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        node, out = self.names[self.node], self.names[self.out]
        head = f"d {out} / d {node} = {self.gradient:.4g}"
        if self.node is self.out:
            return f"{head}: a value's own derivative"
        if not self.count:
            return f"{head}, because {out} was not computed from {node}"
        total = f"{self.count:,} path{'s' if self.count > 1 else ''}"
        total = "more paths than can be counted" if self.count == MANY else total
        if self.gradient:
            lines = [f"{head}, the sum over {total}:"]
        else:
            lines = [f"{head}, because {self._reason()}"]
        lines += [f"  {self._path(path)}" for path in self.paths]
        if self.count > len(self.paths):
            rest = self.gradient - sum(path.product for path in self.paths)
            lines.append(f"  and the others, together {rest:.4g}")
        return "\n".join(lines)

    def _reason(self) -> str:
        if any(path.product for path in self.paths):
            return "the shares of its paths cancel:"
        if any(all(factor.slope for factor in path.factors) for path in self.paths):
            return "the products of its slopes are too small for a float:"
        reasons = [
            f"d {self.names[f.child]} / d {self.names[f.parent]} = 0 ({flat(f, self.names)})"
            for f in dict.fromkeys(self.blocked)
        ]
        if len(reasons) == 1:
            return f"every path passes {reasons[0]}:" if self.count > 1 else f"{reasons[0]}:"
        shown = reasons if len(reasons) <= 6 else [*reasons[:5], f"{len(reasons) - 5:,} more"]
        return "every path has a factor of 0:\n" + "\n".join(f"  - {r}" for r in shown)

    def _path(self, path: Path) -> str:
        """Return a path as ``a -> b -> c: slope * slope = product``."""
        way = [self.names[self.node], *(self.names[factor.child] for factor in path.factors)]
        slopes = [f"{factor.slope:.4g}" for factor in path.factors]
        return f"{' -> '.join(shorten(way))}: {' * '.join(shorten(slopes))}" + (
            f" = {path.product:.4g}" if len(slopes) > 1 else ""
        )


def why(node: Value, out: Value, paths: int = 5) -> Explanation:
    """Explain the derivative of ``out`` with respect to ``node``.

    By the chain rule it is a sum over all paths from the node to the output, and the share of each
    path is the product of the slopes along it. Where the derivative is 0, the explanation names the
    factors that make it so. `Value.backward` need not have been called.

    Args:
        node: the value that is asked about.
        out: what was computed from it.
        paths: how many paths to spell out, those with the largest shares first.

    Raises:
        ValueError: ``paths`` is below 1.
        TypeError: node or out is no value.

    >>> from pellucid.scalar import Value, why
    >>> x, w = Value(2.0, "x"), Value(-3.0, "w")
    >>> why(x, (x * w).relu())
    d v2 / d x = 0, because d v2 / d v1 = 0 (relu is flat up to 0, and v1 is -6):
      x -> v1 -> v2: -3 * 0 = 0
    """
    for value in (node, out):
        if not isinstance(value, Value):
            raise TypeError(f"expected two values, got {type(value).__name__}; why(node, out)")
    if paths < 1:
        raise ValueError(f"expected at least 1 path to show, got {paths}")
    results = history(out)
    # what is between the node and the output, the output first
    leads = {node}
    for result in reversed(results):
        if any(parent in leads for parent in result.parents):
            leads.add(result)
    between = [result for result in results if result in leads and result is not node]

    gradient, count = {out: 1.0}, {out: 1}
    # the best paths from each value on to the output: (share, its first factor, the rest)
    best: dict[Value, list[Way]] = {out: [Way(1.0, False, None, None)]}
    for child in between:
        g, ways = gradient.get(child, 0.0), best[child]
        for parent, slope in zip(child.parents, child.slopes, strict=True):
            if parent not in leads:
                continue
            gradient[parent] = gradient.get(parent, 0.0) + (g * slope if g and slope else 0.0)
            count[parent] = min(count.get(parent, 0) + count[child], MANY)
            factor = Factor(parent, child, slope)
            longer = [w.before(factor) for w in ways]
            best[parent] = heapq.nlargest(paths, [*best.get(parent, []), *longer], key=Way.rank)
    reached = node in gradient
    return Explanation(
        node,
        out,
        gradient[node] if reached else 0.0,
        count[node] if reached else 0,
        tuple(Path(way.factors(), way.share) for way in best[node]) if reached else (),
        blocked(node, between, leads),
        names(node) | names(out),
    )


@dataclass(frozen=True, eq=False)
class Way:
    """A path to the output as a linked list, which many longer paths can share."""

    share: float
    blocked: bool  # whether a slope on it is 0
    first: Factor | None
    rest: Way | None

    def before(self, factor: Factor) -> Way:
        """Return the path that begins with a factor and goes on with this one."""
        blocked = self.blocked or not factor.slope
        share = 0.0 if blocked else self.share * factor.slope
        return Way(share, blocked, factor, self)

    def rank(self) -> tuple[float, bool]:
        """Return what the larger share has more of, and then a path without a slope of 0."""
        return abs(self.share), not self.blocked

    def factors(self) -> tuple[Factor, ...]:
        """Return its factors in order."""
        found, way = [], self
        while way.first is not None and way.rest is not None:
            found.append(way.first)
            way = way.rest
        return tuple(found)


def blocked(node: Value, between: Sequence[Value], leads: set[Value]) -> tuple[Factor, ...]:
    """Return the slopes of 0 at which paths from the output back to the node end."""
    alive = set(between[:1])
    found = []
    for child in between:
        if child not in alive:
            continue
        for parent, slope in zip(child.parents, child.slopes, strict=True):
            if parent not in leads:
                continue
            if slope:
                alive.add(parent)
            else:
                found.append(Factor(parent, child, slope))
    return tuple(found)


def flat(factor: Factor, names: Mapping[Value, str]) -> str:
    """Return why a slope is 0, in words."""
    parent, child = factor.parent, factor.child
    others = [p for p in child.parents if p is not parent] or [parent]
    first = child.parents[0]
    reasons: dict[str, Callable[[], str]] = {
        "*": lambda: f"the other factor, {names[others[0]]}, is 0",
        "/": lambda: (
            f"the denominator, {names[others[0]]}, is infinite"
            if parent is first
            else f"the numerator, {names[first]}, is 0"
        ),
        "**": lambda: (
            f"** is flat at {parent.data:.4g}"
            if parent is first
            else f"the base, {names[first]}, is {first.data:.4g}"
        ),
        "relu": lambda: f"relu is flat up to 0, and {names[parent]} is {parent.data:.4g}",
        "max": lambda: f"{names[others[0]]} is larger",
        "tanh": lambda: f"tanh is flat at {parent.data:.4g}: saturated",
        "sigmoid": lambda: f"sigmoid is flat at {parent.data:.4g}: saturated",
        "dot": lambda: f"{names[parent]} is multiplied by 0",
        "abs": lambda: "|x| has slope 0 at 0 by definition here",
    }
    return reasons.get(child.op, lambda: f"{child.op} is flat at {parent.data:.4g}")()


def shorten(words: Sequence[str]) -> list[str]:
    """Return words, with those in the middle of many left out."""
    if len(words) <= LONGEST:
        return list(words)
    half = LONGEST // 2
    return [*words[:half], f"({len(words) - 2 * half:,} more)", *words[-half:]]
