"""The museum of bugs: classic mistakes that run, each with the check that catches it.

``print(museum.exhibit("softmax-twice").shown())`` shows one; `pellucid museum` does it on the
command line. An exhibit is a class of a few short functions, an `Exhibit`; they are grouped by
where the mistake is made.
"""

from __future__ import annotations

from pellucid.errors import unknown
from pellucid.museum import gradients, layers, losses, numbers, training
from pellucid.museum.exhibit import Exhibit

__all__ = ["EXHIBITS", "ROOMS", "Exhibit", "exhibit"]

ROOMS: dict[str, list[type[Exhibit]]] = {
    "differentiating": gradients.EXHIBITS,
    "losses": losses.EXHIBITS,
    "layers": layers.EXHIBITS,
    "training": training.EXHIBITS,
    "numbers and files": numbers.EXHIBITS,
}
EXHIBITS: dict[str, type[Exhibit]] = {one.name: one for room in ROOMS.values() for one in room}


def exhibit(name: str) -> type[Exhibit]:
    """Return an exhibit by name.

    Raises:
        ValueError: there is none of that name.

    >>> from pellucid import museum
    >>> museum.exhibit("softmax-twice").title()
    'Softmax stands in the network and in the loss'
    """
    if name not in EXHIBITS:
        raise unknown("exhibit", name, EXHIBITS)
    return EXHIBITS[name]
