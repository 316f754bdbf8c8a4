"""Why a gradient is what it is: the sum over all paths, and what stands in their way."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.scalar.engine import Value, history
from pellucid.scalar.naming import names

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
    """A way from a value to the output; its share of the gradient is the product of its slopes."""

    factors: tuple[Factor, ...]

    @property
    def product(self) -> float:
        """The product of the slopes; 0 as soon as one of them is."""
        slopes = [factor.slope for factor in self.factors]
        return math.prod(slopes) if all(slopes) else 0.0


@dataclass(frozen=True)
class Explanation:
    """Why d out / d node is what it is; print it to read it.

    ``count`` is the number of all paths from the node to the output, up to 10^15; ``paths`` are
    those with the largest shares; ``blocked`` the slopes of 0 that end paths, from the output on.
    """

    node: Value
    out: Value
    gradient: float
    count: int
    paths: tuple[Path, ...]
    blocked: tuple[Factor, ...]
    names: Mapping[Value, str]

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
            rest = self.gradient - math.fsum(path.product for path in self.paths)
            lines.append(f"  and the others, together {rest:.4g}")
        return "\n".join(lines)

    def _reason(self) -> str:
        if any(path.product for path in self.paths):
            return "the shares of its paths cancel:"
        if not self.blocked:
            return "the products of its slopes are too small for a float:"
        reasons = [
            f"d {self.names[f.child]} / d {self.names[f.parent]} = 0 ({flat(f, self.names)})"
            for f in self.blocked
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
    """
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
    best: dict[Value, list[Way]] = {out: [Way(1.0, None, None)]}
    for child in between:
        g, ways = gradient.get(child, 0.0), best[child]
        for parent, slope in zip(child.parents, child.slopes, strict=True):
            if parent not in leads:
                continue
            gradient[parent] = gradient.get(parent, 0.0) + (g * slope if g and slope else 0.0)
            count[parent] = min(count.get(parent, 0) + count[child], MANY)
            factor = Factor(parent, child, slope)
            longer = [Way(w.share * slope if slope and w.share else 0.0, factor, w) for w in ways]
            best[parent] = heapq.nlargest(
                paths, [*best.get(parent, []), *longer], key=lambda way: abs(way.share)
            )
    reached = node in gradient
    return Explanation(
        node,
        out,
        gradient[node] if reached else 0.0,
        count[node] if reached else 0,
        tuple(Path(way.factors()) for way in best[node]) if reached else (),
        blocked(node, between, leads),
        {node: node.label or f"{node.data:.4g}"} | names(results or [out]),
    )


@dataclass(frozen=True, eq=False)
class Way:
    """A path to the output as a linked list, which many longer paths can share."""

    share: float
    first: Factor | None
    rest: Way | None

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
    reasons: dict[str, Callable[[], str]] = {
        "*": lambda: f"the other factor, {names[others[0]]}, is 0",
        "/": lambda: f"the numerator, {names[child.parents[0]]}, is 0",
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
