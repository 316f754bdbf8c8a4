"""`pellucid museum`: classic mistakes, listed or run."""

from __future__ import annotations

import argparse

from pellucid.cli.console import table
from pellucid.cli.errors import CommandError
from pellucid.museum import EXHIBITS, ROOMS, exhibit

_RULE = "-" * 92


def run(options: argparse.Namespace) -> int:
    """Print the list, or the exhibits asked for; return the exit status."""
    if not options.names and not options.all:
        rows = [(one.name, room, one.title()) for room, ones in ROOMS.items() for one in ones]
        table(("name", "room", "description"), rows)
        print(
            "\npellucid museum NAME runs one: the wrong code, what comes of it, the check, the cure"
        )
        return 0
    try:
        chosen = [*EXHIBITS.values()] if options.all else [exhibit(name) for name in options.names]
    except ValueError as error:
        raise CommandError(str(error)) from error
    print(f"\n\n{_RULE}\n\n".join(one.shown() for one in chosen))
    return 0
