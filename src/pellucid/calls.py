"""Calls that do not fit: what the arguments are called here, and how to write the call.

Python's own message for ``Adam(learning_rate=0.1)`` does not say that the word for it is ``lr``.
Nothing is looked at before a call has failed, so those that fit cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, Signature, signature, unwrap
from typing import Any, TypeVar, Unpack, get_args, get_origin, get_type_hints

from pellucid.elsewhere import ADVICE, ARGUMENTS

T = TypeVar("T", bound=Callable[..., Any])
Given = tuple[Any, ...]


def helpful(thing: T) -> T:
    """Let a call that does not fit say which would; a decorator of functions and classes.

    >>> from pellucid import optim
    >>> try:
    ...     optim.Adam(learning_rate=0.1)
    ... except TypeError as error:
    ...     print(error)
    Adam: expected lr=..., got learning_rate=0.1; write Adam(lr=0.1)
    """
    if isinstance(thing, type):
        thing.__init__ = helpful(thing.__init__)  # type: ignore[misc]
        return thing

    @wraps(thing)
    def called(*given: Any, **named: Any) -> Any:
        try:
            return thing(*given, **named)
        except TypeError:
            problem = misfit(thing, given, named)
            if not problem:  # the call fits: it is an error from within
                raise
        raise TypeError(problem)

    return called  # type: ignore[return-value]


class Helpful:
    """The base of classes whose kinds are all `helpful`, also those that take no arguments."""

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            helpful(cls)


helpful(Helpful)


def misfit(function: Callable[..., Any], given: Given, named: Mapping[str, Any]) -> str:
    """Return what is wrong with a call and how to write it; nothing if it fits."""
    takes = _spelled_out(function)
    try:
        takes.bind(*given, **named)
    except TypeError as error:
        reason = str(error)
    else:
        return ""
    title, given, takes = _title(function, given), *_without_self(given, takes)
    kinds = {name: p.kind for name, p in takes.parameters.items()}
    known = [name for name, kind in kinds.items() if kind in _BY_NAME]
    strange = {name: _ours(name, known) for name in named if name not in known}
    if not strange or Parameter.VAR_KEYWORD in kinds.values():
        got = f"{title}({_as_given(given, named)})"
        return f"expected {title}{_untyped(function)}, got {got}: {reason}"
    meant = [f"{name}=..." for ours in strange.values() for name in ours]
    expected = ", ".join(meant) or ", ".join(known) or "no arguments"
    got = ", ".join(f"{name}={_shown(named[name])}" for name in strange)
    hints = [_advice(name, len(strange) > 1) for name, ours in strange.items() if not ours]
    if meant:
        hints.append(f"write {title}({_written(given, _renamed(named, strange), takes)})")
    return f"{title}: expected {expected}, got {got}; {'; '.join(hints)}"


_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def _spelled_out(function: Callable[..., Any]) -> Signature:
    """Return the signature with what ``**common: Unpack[Common]`` stands for."""
    takes = signature(function)
    parameters = list(takes.parameters.values())
    if parameters and parameters[-1].kind is Parameter.VAR_KEYWORD:
        hint = _hints(function).get(parameters[-1].name)
        if get_origin(hint) is Unpack:
            common = get_args(hint)[0].__annotations__
            parameters[-1:] = [Parameter(n, Parameter.KEYWORD_ONLY, default=None) for n in common]
    return takes.replace(parameters=parameters)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of arguments, where all their names stand for something now."""
    try:
        return get_type_hints(function)
    except NameError:  # one that is imported for type checkers only
        return {}


def _title(function: Callable[..., Any], given: Given) -> str:
    """Return what is called: a function, or the class whose constructor it is."""
    *_, owner, name = ("", *function.__qualname__.split("."))
    if name != "__init__":
        return name
    kind = type(given[0])
    return kind.__name__ if unwrap(kind.__init__) is unwrap(function) else owner


def _without_self(given: Given, takes: Signature) -> tuple[Given, Signature]:
    """Return positional arguments and signature as the caller of a method sees them."""
    if "self" not in takes.parameters:
        return given, takes
    _, *others = takes.parameters.values()
    return given[1:], takes.replace(parameters=others)


def _ours(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names for what another library calls so, or else the most similar one."""
    known = list(known)
    ours = [word for word in known if name in ARGUMENTS.get(word, "").split()]
    return ours or ([] if name in ADVICE else get_close_matches(name, known, n=1))


def _advice(name: str, one_of_several: bool) -> str:
    """Return what to do about an argument that has no counterpart."""
    advice = ADVICE.get(name, "leave it out")
    return f"{name}: {advice}" if one_of_several else advice


def _renamed(named: Mapping[str, Any], strange: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return arguments under our names; those without one are left out."""
    found: dict[str, Any] = {}
    for name, value in named.items():
        ours = strange.get(name, [name])
        several = isinstance(value, tuple) and len(value) == len(ours) > 1
        found |= zip(ours, value if several else [value] * len(ours), strict=True)
    return found


def _written(given: Given, named: Mapping[str, Any], takes: Signature) -> str:
    """Return arguments in the order of the signature; what is needed besides is only named."""
    parameters = list(takes.parameters.values())
    if any(p.name in named for p in parameters[: len(given)]):  # in the place of another one
        given = ()
    found = [_shown(value, p.name) for value, p in zip(given, parameters, strict=False)]
    for p in parameters[len(given) :]:
        needed = p.default is Parameter.empty and p.kind in _BY_NAME
        if p.name in named:
            found.append(f"{p.name}={_shown(named[p.name])}")
        elif needed:
            found.append(f"{p.name}=..." if "=" in "".join(found) else p.name)
    return ", ".join(found)


def _as_given(given: Given, named: Mapping[str, Any]) -> str:
    """Return arguments as they came."""
    return ", ".join([*map(_shown, given), *(f"{n}={_shown(v)}" for n, v in named.items())])


def _untyped(function: Callable[..., Any]) -> str:
    """Return the signature without types and self."""
    parameters = signature(function).parameters.values()
    untyped = [p.replace(annotation=Parameter.empty) for p in parameters if p.name != "self"]
    return str(Signature(untyped))


def _shown(value: Any, name: str = "...") -> str:
    """Return a value as it is written if that is short, else what stands for it."""
    plain = value is None or isinstance(value, int | float | str | tuple)
    return repr(value) if plain and len(repr(value)) <= 40 else name
