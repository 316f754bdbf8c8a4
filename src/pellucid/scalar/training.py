"""Gradient descent on scalars: the optimiser, and the loop around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.scalar.collector import collector_paused
from pellucid.scalar.engine import Number, Value
from pellucid.scalar.network import MLP, Seed, generator, whole

Loss = Callable[[Sequence[Value], Sequence[Number]], Value]


class SGD:
    """Gradient descent: w <- w - lr_t (g + l2 w), with a rate that may fall.

    The rate in step t, counted from 1, is lr_t = lr / (1 + decay (t - 1)). l2 w is the gradient of
    the penalty l2 / 2 * (sum of w^2), which draws all parameters towards 0. Robbins and Monro, "A
    stochastic approximation method", 1951.

    Args:
        parameters: the values to move.
        lr: learning rate.
        decay: how fast the rate falls: after 1 / decay steps it is half of lr.
        l2: weight of the penalty.

    Raises:
        ValueError: there are no parameters, or a setting is out of range.
        TypeError: they are no values.

    >>> from pellucid.scalar import SGD, Value
    >>> w = Value(4.0)
    >>> (w * w).backward()
    >>> SGD([w], lr=0.25).step()  # 4 - 0.25 * 8
    >>> w.data
    2.0
    """

    def __init__(
        self, parameters: Sequence[Value], lr: float = 0.1, decay: float = 0.0, l2: float = 0.0
    ) -> None:
        if isinstance(parameters, Value) or not hasattr(parameters, "__iter__"):
            raise TypeError(f"expected a list of values, got {parameters!r}; pass .parameters()")
        parameters = list(parameters)
        if not parameters:
            raise ValueError("expected parameters to move, got none; pass network.parameters()")
        for parameter in parameters:
            if not isinstance(parameter, Value):
                raise TypeError(
                    f"expected values to move, got {type(parameter).__name__}; pass "
                    "network.parameters()"
                )
        if not lr > 0 or not decay >= 0 or not l2 >= 0:
            raise ValueError(
                f"expected lr above 0, decay and l2 of at least 0, got {lr=}, {decay=}, {l2=}"
            )
        self.parameters = parameters
        self.lr = lr
        self.decay = decay
        self.l2 = l2
        self.steps = 0

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.lr / (1.0 + self.decay * self.steps)

    def step(self) -> None:
        """Move every parameter against its gradient."""
        rate = self.rate
        for w in self.parameters:
            w.data -= rate * (w.grad + self.l2 * w.data)
        self.steps += 1

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to 0."""
        for w in self.parameters:
            w.grad = 0.0


def train(
    network: MLP,
    x: Sequence[Sequence[Number]],
    y: Sequence[Number],
    loss: Loss,
    optimizer: SGD,
    *,
    epochs: int = 100,
    batch_size: int | None = None,
    seed: Seed = 0,
    progress: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train a network with one output; return the loss of each epoch.

    An epoch is one pass over the rows: one step on all of them, or with ``batch_size`` one on each
    batch of rows in random order. Its loss is the mean over the rows, each as it was when its step
    was made.

    Args:
        network: what to train.
        x: rows of inputs.
        y: one target a row.
        loss: such as `mse`; a function of outputs and targets.
        optimizer: what moves the network's parameters.
        epochs: passes over the rows.
        batch_size: rows a step; all of them by default.
        seed: of the order of rows.
        progress: called with the epoch (1, 2, ...) and its loss.

    Raises:
        ValueError: rows and targets differ in number, or there are none, a size is below 1, the
            network has several outputs, or the optimiser moves other parameters.
        OverflowError: training diverged, and a number became too large for a float.

    >>> from pellucid.scalar import MLP, SGD, mse, train
    >>> line = MLP(1, [1], "linear", rng=0)
    >>> x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]  # y = 2 x + 1
    >>> losses = train(line, x, y, mse, SGD(line.parameters(), lr=0.1), epochs=200)
    >>> losses[-1] < 1e-6, f"{line([3.0]):.2f}"
    (True, '7.00')
    """
    rows = len(x)
    if rows != len(y) or not rows:
        raise ValueError(f"expected rows with one target each, got {rows} rows, {len(y)} targets")
    size = rows if batch_size is None else whole("batch_size", batch_size)
    epochs = whole("epochs", epochs)
    if not {id(p) for p in optimizer.parameters} & {id(p) for p in network.parameters()}:
        raise ValueError(
            "expected an optimizer of the network's parameters, got one of others; make it with "
            "SGD(network.parameters())"
        )
    outputs = len(network.layers[-1].neurons)
    if outputs != 1:
        raise ValueError(f"expected a network with one output to train, got {outputs}")
    rng, order = generator(seed), list(range(rows))
    losses = []
    for epoch in range(1, epochs + 1):
        if size < rows:
            rng.shuffle(order)
        total = 0.0
        for start in range(0, rows, size):
            batch = order[start : start + size]
            rows_x, rows_y = [x[i] for i in batch], [y[i] for i in batch]
            try:
                total += len(batch) * step(network, rows_x, rows_y, loss, optimizer)
            except OverflowError as error:
                raise OverflowError(
                    f"training diverged in epoch {epoch}: a number became too large for a float; "
                    "try a smaller learning rate, or scale the inputs"
                ) from error
        losses.append(total / rows)
        if progress:
            progress(epoch, losses[-1])
    return losses


def step(
    network: MLP,
    x: Sequence[Sequence[Number]],
    y: Sequence[Number],
    loss: Loss,
    optimizer: SGD,
) -> float:
    """Make one step: outputs, loss, gradients, update. Return the loss before the update."""
    with collector_paused():
        optimizer.zero_grad()
        error = loss([output for row in x for output in network.outputs(row)], y)
        error.backward()
        optimizer.step()
        before = error.data
        del error  # and with it the graph, before the collector can look at it
    return before
