"""What an exhibit is: a classic mistake that runs, what comes of it, and the check for it."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, ClassVar

WIDTH = 92


class Exhibit:
    """A mistake as a class; the docstring's first line is its title, the rest its story.

    ``wrong`` and ``right`` are the code before and after the repair, called alike. ``measure`` runs
    one of them and says in a line what comes of it; ``check`` is what would have caught it: it
    returns a complaint, or nothing. The code that is shown is the code that runs.

    >>> from pellucid import museum
    >>> one = museum.exhibit("overwritten")
    >>> one.measure(one.wrong)
    'of x * x + x the derivative at 3 is said to be 3'
    >>> one.measure(one.right)
    'of x * x + x the derivative at 3 is said to be 7'
    >>> one.check(one.wrong), one.check(one.right)
    ('the derivative of x + x is 1, not 2', '')
    """

    name: ClassVar[str] = ""
    wrong: ClassVar[Any]
    right: ClassVar[Any]

    @staticmethod
    def measure(code: Callable[..., Any], /) -> str:
        """Run one of the two; return in a line what comes of it."""
        raise TypeError("an exhibit has no measure(); define it in the class")

    @staticmethod
    def check(code: Callable[..., Any], /) -> str:
        """Return what is wrong with one of the two, or nothing."""
        raise TypeError("an exhibit has no check(); define it in the class")

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """Return the mistake in a line."""
        return inspect.getdoc(cls).split("\n")[0].rstrip(".")  # type: ignore[union-attr]

    @classmethod
    def story(cls) -> str:
        """Return what happens and why."""
        return inspect.getdoc(cls).split("\n\n", 1)[1]  # type: ignore[union-attr]

    @classmethod
    def source(cls, part: str) -> str:
        """Return the code of ``wrong``, ``right``, ``measure`` or ``check`` as it is run."""
        code = textwrap.dedent(inspect.getsource(getattr(cls, part)))
        return code.removeprefix("@staticmethod\n").rstrip()

    @classmethod
    def shown(cls) -> str:
        """Run the exhibit; return the page of it."""
        wrong, right = cls.wrong, cls.right
        return "\n\n".join(
            [
                f"{cls.name}: {cls.title()}",
                cls.story(),
                _block("the wrong code", cls.source("wrong")),
                _said("what comes of it", cls.measure(wrong)),
                _block("the check that catches it", cls.source("check")),
                _said("it says", cls.check(wrong)),
                _block("the right code", cls.source("right")),
                _said("what comes of it", cls.measure(right)),
                _said("the check says", cls.check(right) or "nothing"),
            ]
        )


def _block(heading: str, code: str) -> str:
    return f"{heading}:\n\n{textwrap.indent(code, '    ')}"


def _said(heading: str, text: str) -> str:
    indent = " " * (len(heading) + 2)
    return textwrap.fill(f"{heading}: {text}", WIDTH, subsequent_indent=indent)
