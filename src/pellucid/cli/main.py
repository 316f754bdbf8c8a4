"""The command `pellucid`: read the options, run what they ask for, end with one line and a status.

The status is 0 for success, 1 where training or writing failed, 2 for input that cannot be used,
130 after Ctrl-C, 143 where SIGTERM ended training after a checkpoint.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pellucid.cli.errors import CommandError
from pellucid.cli.parser import read

FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        argv: The words after the command's name; those of this process by default.
    """
    _write_any_name()
    debug = False
    try:
        options = read(argv)
        debug = getattr(options, "debug", False)
        return _dispatch(options)
    except CommandError as error:
        status, message = error.status, str(error)
        problem: Exception = error
    except KeyboardInterrupt:
        print("pellucid: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        status, message = FAILED, _of_system(error)
        problem = error
    except Exception as error:
        status, problem = FAILED, error
        message = f"unexpected {type(error).__name__}: {error}; see where with --debug"
    if debug:
        raise problem
    print(f"pellucid: error: {' '.join(message.split())}", file=sys.stderr)
    return status


def _dispatch(options: argparse.Namespace) -> int:
    """Run the chosen command; its modules are imported only now, so that --help is quick."""
    if options.command == "train":
        from pellucid.cli import train

        return train.run(options)
    if options.command == "datasets":
        from pellucid.cli import datasets

        return datasets.run()
    if options.command == "museum":
        from pellucid.cli import museum

        return museum.run(options)
    raise CommandError(
        "expected a command, train, datasets or museum, got none (see pellucid --help)"
    )


def _of_system(error: OSError) -> str:
    """Return the system's message with the file's name in front."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def _write_any_name() -> None:
    """Let a terminal that lacks a character, of a class name for example, show a question mark."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
