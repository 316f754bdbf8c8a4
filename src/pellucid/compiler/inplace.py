"""In place: which new state may be written where the old one lies.

Then a step reads and writes half as much memory, and what it leaves in the caches is what the next
one needs. It is right where nothing reads an element of the old state after that of the new one is
there: the kernel that writes it reads the same element just before, and all others come earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pellucid.compiler.collapse import accesses
from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Access, Nest
from pellucid.compiler.lower import Call


def overlaid(
    groups: Sequence[Sequence[Call]], pairs: Iterable[tuple[Node, Node]]
) -> dict[Node, Node]:
    """Return the new nodes that may lie where old ones do, of pairs of an old one and a new one.

    Those who read the old node have to come before who writes the new one also where their order
    does not matter otherwise; see `phases`.
    """
    users: dict[Node, list[int]] = {}
    for number, calls in enumerate(groups):
        for node in dict.fromkeys(node for call in calls for node in call.buffers):
            users.setdefault(node, []).append(number)
    found = {}
    for old, new in pairs:
        same = (old.shape, old.dtype) == (new.shape, new.dtype) and old.op == "input"
        if same and new in users and writes_over(groups, users, old, new):
            found[new] = old
    return found


def writes_over(
    groups: Sequence[Sequence[Call]], users: Mapping[Node, Sequence[int]], old: Node, new: Node
) -> bool:
    """Whether the kernel that writes the new node is the last to look at the old one."""
    writer = users[new][0]
    if any(number > writer for number in users.get(old, ())) or len(groups[writer]) > 1:
        return False
    (call,) = groups[writer]
    if call.epilogue and old not in call.buffers[:2]:
        call = call.epilogue
    if not isinstance(call.kernel, Nest):
        return False
    if old not in call.buffers:
        return True
    return element_by_element(call.kernel, call.buffers.index(old), call.buffers.index(new))


def element_by_element(nest: Nest, old: int, new: int) -> bool:
    """Whether a nest reads a buffer only where it writes another, just before."""
    touching = [stage for stage in nest.stages if {old, new} & {a.buffer for a in accesses(stage)}]
    if len(touching) != 1:
        return False
    (stage,) = touching
    for items, stores in ((stage.body, stage.stores), (stage.after, stage.last)):
        reads = [i for i in items if i.access and i.access.buffer in (old, new)]
        writes = [store for store in stores if store.access.buffer == new]
        places = {place(i.access) for i in reads if i.access} | {place(s.access) for s in writes}
        moved = any(i.args for i in reads) or any(store.args for store in writes)
        if moved or len(places) > 1 or (reads and not writes):
            return False
    return True


def place(access: Access) -> tuple[tuple[int, ...], int]:
    """Return where an access goes, in whichever buffer."""
    return access.strides, access.offset
