"""Where the nodes of a directed graph without cycles go: in columns, with few crossing lines.

The method is that of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures", IEEE Transactions on Systems, Man and Cybernetics 11, 1981, in four steps: give
every node a column; where a line would pass through a column, put a bend there; order each column
so that few lines cross; move the nodes of a column up and down, next to what they are joined to.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 12
MOST = 20_000  # nodes and bends
Point = tuple[float, float]
Edge = tuple[int, int]


@dataclass
class Layout:
    """Centres of the nodes, the way of each line, and the size of the whole.

    A line leaves its source's column at the first point of its route and enters that of its target
    at the last one; between them it passes straight through columns, from one point to the next,
    and bends in the gaps between columns.
    """

    centres: list[Point]
    routes: dict[Edge, list[Point]]
    width: float
    height: float


@dataclass
class Grid:
    """Nodes and bends in columns: ``columns[c]`` lists what stands in column c, top to bottom.

    Nodes are numbered from 0, bends from there on. ``left`` and ``right`` hold what each is joined
    to in the neighbouring columns.
    """

    columns: list[list[int]]
    left: dict[int, list[int]] = field(default_factory=dict)
    right: dict[int, list[int]] = field(default_factory=dict)
    chains: dict[Edge, list[int]] = field(default_factory=dict)

    def join(self, a: int, b: int) -> None:
        """Join a with b, which stands one column further right."""
        if b not in self.right.setdefault(a, []):
            self.right[a].append(b)
            self.left.setdefault(b, []).append(a)


def layered(
    widths: Sequence[float],
    height: float,
    edges: Sequence[Edge],
    gap: Point,
    more: Mapping[int, float] | None = None,
    bend: float = 8.0,
) -> Layout:
    """Return places for nodes of these widths and this height; every edge leads to the right.

    Args:
        widths: of the nodes 0, 1, ...
        height: of every node.
        edges: pairs (source, target).
        gap: the room between columns, and between the nodes of one.
        more: wider room that some nodes want before them.
        bend: the height kept free for a line that passes through a column.

    Raises:
        ValueError: so many lines pass through so many columns that nobody could follow them.
    """
    column = columns_of(len(widths), edges)
    grid = with_bends(column, edges)
    uncross(grid)
    room = [height + gap[1] if node < len(widths) else bend for node in range(count(grid))]
    y = heights(grid, room)

    x, sides = 0.0, []
    for c, members in enumerate(grid.columns):
        wanted = [room for node, room in (more or {}).items() if column[node] == c and c]
        x += max([gap[0], *wanted]) if c else 0.0
        wide = max((widths[node] for node in members if node < len(widths)), default=0.0)
        sides.append((x, x + wide))
        x += wide
    top = min(y) - height / 2
    centres = [(sum(sides[c]) / 2, y[node] - top) for node, c in enumerate(column)]
    routes = {}
    for edge, chain in grid.chains.items():
        (source, first), (target, last) = ((centres[node], sides[column[node]]) for node in edge)
        bends = enumerate(chain[1:-1], start=column[edge[0]] + 1)
        routes[edge] = [
            (first[1], source[1]),
            *((side, y[node] - top) for c, node in bends for side in sides[c]),
            (last[0], target[1]),
        ]
    return Layout(centres, routes, x, max(y) - top + height / 2)


def columns_of(nodes: int, edges: Sequence[Edge]) -> list[int]:
    """Return a column for every node: as far right as it can be, left of all that it leads to."""
    targets: list[list[int]] = [[] for _ in range(nodes)]
    sources: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in edges:
        targets[source].append(target)
        sources[target].append(source)
    open_ends = [len(t) for t in targets]
    from_end = [0] * nodes
    ready = [node for node in range(nodes) if not open_ends[node]]
    for node in ready:  # grows: a node is ready when all that it leads to are placed
        for source in sources[node]:
            from_end[source] = max(from_end[source], from_end[node] + 1)
            open_ends[source] -= 1
            if not open_ends[source]:
                ready.append(source)
    last = max(from_end)
    return [last - distance for distance in from_end]


def with_bends(column: Sequence[int], edges: Sequence[Edge]) -> Grid:
    """Return the grid; all lines from one source share their bends, as if they were one cable."""
    grid = Grid([[] for _ in range(max(column) + 1)])
    for node, c in enumerate(column):
        grid.columns[c].append(node)
    total = len(column)
    cables: dict[int, list[int]] = {}  # source: what stands for it in the columns that follow
    for source, target in edges:
        cable = cables.setdefault(source, [source])
        for c in range(column[source] + len(cable), column[target]):
            if total > MOST:
                raise ValueError(
                    "expected a graph that can be followed by eye, got one whose lines pass "
                    f"through more than {MOST:,} columns in all; draw a smaller part"
                )
            grid.columns[c].append(total)
            grid.join(cable[-1], total)
            cable.append(total)
            total += 1
        chain = [*cable[: column[target] - column[source]], target]
        grid.join(*chain[-2:])
        grid.chains[source, target] = chain
    return grid


def uncross(grid: Grid) -> None:
    """Order each column by the mean place of its neighbours, to and fro, and keep the best."""
    depth_first(grid)
    best, fewest = [list(members) for members in grid.columns], crossings(grid)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        leftwards = sweep % 2 == 0
        neighbours = grid.right if leftwards else grid.left
        place: dict[int, int] = {}
        for members in reversed(grid.columns) if leftwards else grid.columns:
            here = {node: i for i, node in enumerate(members)}
            key = {
                node: mean([place[other] for other in neighbours.get(node, ())], here[node])
                for node in members
            }
            members.sort(key=key.__getitem__)
            place = {node: i for i, node in enumerate(members)}
        found = crossings(grid)
        if found < fewest:
            best, fewest = [list(members) for members in grid.columns], found
    grid.columns = best


def depth_first(grid: Grid) -> None:
    """Order each column as a walk from the last nodes to the left meets its members."""
    order: dict[int, int] = {}
    stack = [node for members in grid.columns for node in members if node not in grid.right]
    while stack:
        node = stack.pop()
        if node not in order:
            order[node] = len(order)
            stack += reversed(grid.left.get(node, []))
    for members in grid.columns:
        members.sort(key=order.__getitem__)


def crossings(grid: Grid) -> int:
    """Return how many pairs of lines cross between neighbouring columns."""
    total = 0
    for here, there in pairwise(grid.columns):
        place = {node: i for i, node in enumerate(there)}
        passed: list[int] = []  # where the lines from further up end, in order
        for node in here:
            ends = [place[other] for other in grid.right.get(node, ())]
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def heights(grid: Grid, room: Sequence[float]) -> list[float]:
    """Return the height of everything: near its neighbours, in order, with room for each."""
    y = [0.0] * len(room)
    for members in grid.columns:
        spread(members, [0.0] * len(members), room, y)
    for sweep in range(SWEEPS):
        for members in grid.columns if sweep % 2 else reversed(grid.columns):
            wanted = [
                mean([y[b] for b in (*grid.left.get(a, ()), *grid.right.get(a, ()))], y[a])
                for a in members
            ]
            spread(members, wanted, room, y)
    return y


def spread(
    members: Sequence[int], wanted: Sequence[float], room: Sequence[float], y: list[float]
) -> None:
    """Set y of a column's members: in order, not closer than their room, nearest to ``wanted``.

    Nearest in the sense of least squares, which is isotonic regression of what is left of
    ``wanted`` when everything stands as close as it may: neighbours that would overlap become one
    block at the mean of their wishes. Barlow, Bartholomew, Bremner and Brunk, "Statistical
    inference under order restrictions", 1972.
    """
    offsets, offset = [], 0.0
    for above, node in zip([None, *members], members, strict=False):
        offset += (room[above] + room[node]) / 2 if above is not None else 0.0
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []  # the sum of wishes in a block, and how many they are
    for wish, offset in zip(wanted, offsets, strict=True):
        total, size = wish - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / size:
            more, others = blocks.pop()
            total, size = total + more, size + others
        blocks.append((total, size))
    starts = [total / size for total, size in blocks for _ in range(size)]
    for node, start, offset in zip(members, starts, offsets, strict=True):
        y[node] = start + offset


def count(grid: Grid) -> int:
    """Return the number of nodes and bends."""
    return sum(len(members) for members in grid.columns)


def mean(numbers: Sequence[float], otherwise: float) -> float:
    """Return the mean of numbers, or another number if there are none."""
    return sum(numbers) / len(numbers) if numbers else otherwise
