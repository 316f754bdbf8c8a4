"""The error that ends the command with one line."""

from __future__ import annotations


class CommandError(Exception):
    """Something the user can put right; the message says expected, got and the fix.

    ``status`` is the exit status: 2 where nothing was done, 1 where something was and then failed.
    """

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status
