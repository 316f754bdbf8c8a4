"""Parameter groups: settings of an optimiser that differ for some of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from pellucid.autograd import Tensor
from pellucid.errors import unknown
from pellucid.optim.checks import is_number, learning_rate

Which: TypeAlias = str | Callable[[str, Tensor], bool]


class Group:
    """Parameters to which an optimiser applies other settings than to the rest.

        optim.AdamW(1e-3, weight_decay=0.01, groups=[
            optim.Group("*.bias", weight_decay=0.0),
            optim.Group("layers.0.*", lr=1e-4),
        ])

    A parameter may be in several groups; where two set the same, the later one holds. With
    ``lr=0`` the group is frozen. A pattern that matches no path of what is trained is an error in
    the first step.

    Args:
        which: a pattern of dotted paths, in which ``*`` stands for any characters, dots included;
            or a function of the path and the tensor, asked once for each.
        settings: arguments of the optimiser, such as ``lr`` or ``weight_decay``. ``lr`` may be a
            schedule.

    Raises:
        TypeError: ``which`` is neither.
        ValueError: no setting is given, or ``lr`` is not a rate.

    >>> from pellucid import nn, optim
    >>> network = nn.Sequential(nn.Dense(4, 8, "relu"), nn.Dense(8, 2), rng=0)
    >>> frozen = optim.Group("layers.0.*", lr=0.0)
    >>> optimizer = optim.SGD(0.1, groups=[frozen])
    >>> [path for path, p in network.named_parameters().items() if frozen.holds(path, p)]
    ['layers.0.weight', 'layers.0.bias']
    """

    def __init__(self, which: Which, **settings: Any) -> None:
        if not isinstance(which, str) and (not callable(which) or isinstance(which, type)):
            raise TypeError(
                f"Group: expected a pattern such as '*.bias', or a function (path, parameter) -> "
                f"bool, got {which!r}"
            )
        if not settings:
            raise ValueError(
                f"Group: expected settings that differ for {which!r}, got none; for example lr=1e-4"
            )
        if "lr" in settings and not (is_number(settings["lr"]) and settings["lr"] == 0):
            settings["lr"] = learning_rate(settings["lr"])
        self.which = which
        self.settings = settings

    def holds(self, path: str, parameter: Tensor) -> bool:
        """Whether a parameter belongs to the group."""
        if isinstance(self.which, str):
            return fnmatchcase(path, self.which)
        return bool(self.which(path, parameter))

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        which = getattr(self.which, "__name__", None) or repr(self.which)
        return f"Group({which}{settings})"


def is_vector(path: str, parameter: Tensor) -> bool:
    """Whether a parameter has fewer than two axes: biases, scales and shifts of norms."""
    return parameter.ndim < 2


def no_decay_on_vectors() -> Group:
    """Return the group of all parameters with fewer than two axes, without weight decay.

    These are biases and the scales and shifts of normalisation; those of a `LayerNorm` over several
    axes have as many, and want a group of their own. Decay is meant to keep the slopes of a network
    small; pulling these towards 0 is usually of no use.

    >>> from pellucid import nn, optim
    >>> group = optim.no_decay_on_vectors()
    >>> optimizer = optim.AdamW(1e-3, weight_decay=0.01, groups=[group])
    >>> layer = nn.Dense(4, 2, rng=0)
    >>> {path: group.holds(path, p) for path, p in layer.named_parameters().items()}
    {'weight': False, 'bias': True}
    """
    return Group(is_vector, weight_decay=0.0)


def members(
    groups: list[Group], named: dict[str, Tensor], known: dict[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Return the places of the groups that each parameter is in, by path; those known stay.

    Raises:
        ValueError: the pattern of a group matches none of the paths.
    """
    new = {
        path: tuple(i for i, group in enumerate(groups) if group.holds(path, parameter))
        for path, parameter in named.items()
    }
    found = new | known
    used = {i for places in found.values() for i in places}
    for i, group in enumerate(groups):
        if isinstance(group.which, str) and i not in used:
            raise ValueError(
                f"expected the pattern of {group!r} to match a parameter, got none; the paths are "
                f"{', '.join(found)}"
            )
    return found


def checked(groups: Any, kind: str, names: Iterable[str]) -> list[Group]:
    """Return the groups, or say that they are none, or set what an optimiser does not have."""
    if isinstance(groups, Group) or not isinstance(groups, list | tuple):
        raise TypeError(
            f"{kind}: expected a list of groups, got {groups!r}; write groups=[optim.Group(...)]"
        )
    for group in groups:
        if not isinstance(group, Group):
            raise TypeError(
                f"{kind}: expected a list of groups, got {group!r} in it; write "
                "optim.Group('*.bias', weight_decay=0.0)"
            )
        for name in group.settings:
            if name not in names:
                raise unknown(f"setting of {kind}", name, names)
    return list(groups)
