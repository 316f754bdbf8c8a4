"""Names of classes and functions, the only way in which a file can refer to code.

A file holds names and settings, never code. What a name stands for is decided here, by the program
that loads the file: what is not registered cannot be built, whatever the file says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

T = TypeVar("T", bound=Callable[..., Any])

# the one table that programs add to: like their classes, it belongs to the whole program
_things: dict[str, Any] = {}  # by name
_names: dict[Any, str] = {}


@overload
def register(thing: T) -> T: ...
@overload
def register(*, name: str) -> Callable[[T], T]: ...
def register(thing: T | None = None, *, name: str | None = None) -> T | Callable[[T], T]:
    """Let files name a class or function of your own; a decorator.

    A model that uses them can then be saved, and loaded by a program that has registered them
    under the same name. Of an object a file keeps the attributes; its constructor is not called.

    Args:
        thing: the class or function.
        name: what files call it; by default its own name.

    Raises:
        TypeError: it is neither a class nor a function.
        ValueError: it has no usable name, or the name is taken by something else.

    >>> import tempfile
    >>> import pellucid
    >>> from pellucid import nn, persist
    >>> @pellucid.register(name="mine.Double")
    ... class Double(nn.Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     persist.save_objects(f"{folder}/layer.safetensors", {"layer": Double()})
    ...     layer = persist.load_objects(f"{folder}/layer.safetensors")["layer"]
    >>> layer(pellucid.Tensor(3.0))
    Tensor(6.)
    """
    if thing is None:
        return lambda late: enrol(late, name)
    return enrol(thing, name)


def enrol(thing: T, name: str | None = None) -> T:
    """Register a class or function and return it; see `register`."""
    own = getattr(thing, "__name__", None)
    if not callable(thing) or own is None:
        raise TypeError(
            f"register: expected a class or a function, got {thing!r}; put @pellucid.register "
            "before its definition"
        )
    name = own if name is None else name
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(
            f"register: expected a name such as 'mine.Swish', got {name!r}; pass name='...'"
        )
    taken = _things.get(name, thing)
    if _origin(taken) != _origin(thing):  # defined anew, as in a notebook, it takes its place
        raise ValueError(
            f"register: expected a name of its own for {own}, got {name!r}, which stands for "
            f"{'.'.join(_origin(taken))}; pass another, @pellucid.register(name='mine.{own}')"
        )
    _things[name] = thing
    _names[thing] = name
    return thing


def registered() -> dict[str, Any]:
    """Return everything that files can name, by name."""
    return dict(_things)


def name_of(thing: Any) -> str | None:
    """Return the name that a class or function is registered under, if it is."""
    return _names.get(thing) if hasattr(thing, "__name__") and callable(thing) else None


def find(name: str) -> Any:
    """Return the class or function of a name.

    Raises:
        ValueError: nothing is registered under it.
    """
    if name not in _things:
        last = name.rpartition(".")[2].lower()
        alike = [known for known in _things if known.rpartition(".")[2].lower() == last]
        meant = f" (did you mean {' or '.join(alike)}?)" if alike else ""
        raise ValueError(
            f"expected the name of a registered class or function, got {name!r}{meant}; import the "
            "module that defines it, with @pellucid.register before the definition"
        )
    return _things[name]


def _origin(thing: Any) -> tuple[str, str]:
    """Return where a thing was defined."""
    return str(getattr(thing, "__module__", "")), getattr(thing, "__qualname__", thing.__name__)
