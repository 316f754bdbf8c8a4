"""The peers: the same training step in each library, written as its experienced users would.

A peer is a function that takes a `Case` and returns what makes its steps; the modules are imported
one at a time, each in a process of its own (see `worker`). Every module also says, in ``about``,
which version it runs and on how many threads.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from cases import Case, Run


class Peer(NamedTuple):
    """Where a peer's step is made, and what has to be installed for it."""

    module: str
    function: str
    install: str

    def load(self) -> tuple[Callable[[Case], Run], Callable[[], str]]:
        """Return what makes the step, and what tells version and threads.

        Raises:
            ModuleNotFoundError: the library is not installed.
        """
        module = import_module(f"peers.{self.module}")
        return getattr(module, self.function), module.about


OURS = "pellucid"
PEERS = {
    OURS: Peer("with_pellucid", "compiled", "pellucid"),
    "pellucid, a call for each step": Peer("with_pellucid", "called", "pellucid"),
    "pellucid, eager": Peer("with_pellucid", "eager", "pellucid"),
    "PyTorch": Peer("with_torch", "eager", "torch"),
    "PyTorch, compiled": Peer("with_torch", "compiled", "torch"),
    "PyTorch, compiled but for Adam": Peer("with_torch", "half_compiled", "torch"),
    "JAX": Peer("with_jax", "compiled", "jax"),
    "scikit-learn": Peer("with_sklearn", "network", "scikit-learn"),
    "NumPy by hand": Peer("with_numpy", "by_hand", "numpy"),
}
RIVALS = tuple(name for name in PEERS if not name.startswith(OURS))
