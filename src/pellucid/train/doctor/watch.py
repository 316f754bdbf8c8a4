"""A loop of one's own watched: gradients that were not set to zero after an update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.nn import Module
from pellucid.optim import Optimizer
from pellucid.train.doctor.finding import Finding


@contextmanager
def watch(network: Module, optimizer: Optimizer) -> Iterator[list[Finding]]:
    """Watch a training loop of one's own; give a list that findings are added to.

    A gradient that still stands where ``backward`` adds a new one, although the optimiser has made
    a step since it was begun, was not set to zero. Several calls of ``backward`` for one step,
    which accumulate on purpose, are no such fault. Example::

        with train.watch(network, optimizer) as findings:
            for x, y in batches:
                loss(network(x), y).backward()
                optimizer.step(network)
        print(findings)

    >>> import numpy as np
    >>> from pellucid import nn, optim, train
    >>> network, optimizer = nn.Dense(1, 1, rng=0), optim.SGD(0.1)
    >>> with train.watch(network, optimizer) as findings:
    ...     for _ in range(2):
    ...         network(np.ones((4, 1))).mean().backward()  # network.zero_grad() is missing
    ...         optimizer.step(network)
    >>> [finding.kind for finding in findings]
    ['not-zeroed']
    """
    found: list[Finding] = []
    begun: dict[str, int] = {}
    parameters = network.named_parameters()

    def arrives(path: str, parameter: Tensor, g: Array) -> None:
        if parameter.grad is None:
            begun[path] = optimizer.steps
        elif not found and begun.setdefault(path, optimizer.steps) < optimizer.steps:
            found.append(_not_zeroed(path, parameter.grad, g, optimizer.steps - begun[path]))

    def hook(path: str, parameter: Tensor) -> None:
        removals.append(parameter.register_hook(lambda g: arrives(path, parameter, g)))

    removals: list[object] = []
    for path, parameter in parameters.items():
        hook(path, parameter)
    try:
        yield found
    finally:
        for remove in removals:
            remove()  # type: ignore[operator]


def _not_zeroed(path: str, old: Array, new: Array, steps: int) -> Finding:
    share = float(np.linalg.norm(old)) / max(float(np.linalg.norm(new)), 1e-30)
    return Finding(
        "not-zeroed",
        "Gradients are not set to zero between updates",
        "error",
        path,
        f"backward adds to a gradient that {steps} update{'s' * (steps > 1)} of the optimiser "
        f"{'have' if steps > 1 else 'has'} used already; the old one is {share:.3g} times as large "
        "as the new",
        "gradients accumulate until they are reset, so that several batches can make one update; "
        "without a reset each update repeats all that came before it",
        "call network.zero_grad() before loss.backward() in every update",
    )
