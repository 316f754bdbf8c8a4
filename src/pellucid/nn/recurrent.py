"""Recurrent layers: a state that goes through a sequence step by step and remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid import tree
from pellucid.arrays import Array, DType, Shape
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.errors import ShapeError
from pellucid.nn.initialisers import Initialiser, initialiser
from pellucid.nn.module import Module, Rng


@dataclass(eq=False)
class Cell(tree.Node):
    """The weights of one layer in one direction, for k gates side by side."""

    input_weight: Tensor  # W (F, k H)
    recurrent_weight: Tensor  # U (H, k H)
    bias: Tensor | None  # b (k H,)
    recurrent_bias: Tensor | None = None  # (k H,), of a GRU


class Recurrent(Module):
    """What recurrent layers share; each of them says what the states are. See `RNN`."""

    gates: ClassVar[int]
    parts: ClassVar[Sequence[str]] = ("state",)  # what the state is made of

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        return_sequences: bool = True,
        bias: bool = True,
        init: str | Initialiser = "xavier_uniform",
        recurrent_init: str | Initialiser = "orthogonal",
        rng: Rng = None,
    ) -> None:
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"{type(self).__name__}: expected {name} to be a positive whole number, got "
                    f"{size!r}"
                )
        self.input_size, self.hidden_size = int(input_size), int(hidden_size)
        self.num_layers = int(num_layers)
        self.bidirectional, self.return_sequences = bool(bidirectional), bool(return_sequences)
        self.init, self.recurrent_init = initialiser(init), initialiser(recurrent_init)
        inputs = [self.input_size] + [self.directions * self.hidden_size] * (self.num_layers - 1)
        self.cells = [self._cell(n, bias) for n in inputs for _ in range(self.directions)]
        self.reset(np.random.default_rng(rng))

    @property
    def directions(self) -> int:
        """In how many directions the sequence is read."""
        return 2 if self.bidirectional else 1

    def _cell(self, inputs: int, bias: bool) -> Cell:
        """Return weights of 0."""
        width = self.gates * self.hidden_size
        shapes: list[Shape] = [(inputs, width), (self.hidden_size, width), (width,)]
        w, u, b = (Tensor(np.zeros(shape, np.float32), requires_grad=True) for shape in shapes)
        return Cell(w, u, b if bias else None)

    def reset(self, rng: np.random.Generator) -> None:
        """Draw the weights anew, gate by gate, and set the biases to their start."""
        for cell in self.cells:
            for weight, init in (
                (cell.input_weight, self.init),
                (cell.recurrent_weight, self.recurrent_init),
            ):
                weight.data = self._drawn(init, weight.shape[0], rng).astype(weight.dtype)
            for bias in (cell.bias, cell.recurrent_bias):
                if bias is not None:
                    bias.data = np.zeros_like(bias.data)

    def _drawn(self, init: Initialiser, rows: int, rng: np.random.Generator) -> Array:
        """Return starting values ``(rows, k H)``."""
        shape = (rows, self.hidden_size)
        blocks = [np.asarray(init(shape, *shape, rng)) for _ in range(self.gates)]
        for block in blocks:
            if block.shape != shape:
                raise ValueError(
                    f"{type(self).__name__}: expected starting values of shape {shape} for a gate, "
                    f"got {block.shape}; an initialiser returns an array of the shape it is given"
                )
        return np.concatenate(blocks, axis=1)

    # what it computes

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Tensor:
        """Return the output at every step, or at the last one; `run` explains the arguments."""
        out, final = self.run(x, state, lengths)
        if self.return_sequences:
            return out  # (N, T, directions * H)
        h = final if len(self.parts) == 1 else final[0]
        return F.concat([h[k] for k in range(-self.directions, 0)], axis=-1)

    def run(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Return the outputs ``(N, T, directions * H)`` at all steps, and the final state.

        Args:
            x: sequences ``(N, T, F)``.
            state: to start from, ``(num_layers * directions, N, H)``, in the order layer 1 forward,
                layer 1 backward, layer 2 forward, ...; a pair (h, c) of such for an LSTM. 0 by
                default. The final state has the same form, so that a long sequence can be read in
                pieces.
            lengths: number of steps of each sequence, ``(N,)`` integers from 0 to T; what follows
                them is padding. It changes nothing, the outputs there are 0, and the final state is
                that at each sequence's own last step, or for the backward direction, which starts
                there, at its first. A sequence without a step ends in the state it starts from.

        Raises:
            ShapeError: a shape does not fit.
            TypeError: lengths are no integers.
            ValueError: a length is out of range.

        >>> import numpy as np
        >>> from pellucid import nn
        >>> layer, x = nn.GRU(3, 5, rng=0), np.ones((1, 6, 3))
        >>> whole, final = layer.run(x)
        >>> start, state = layer.run(x[:, :4])
        >>> rest, state = layer.run(x[:, 4:], state)
        >>> rest.shape, np.allclose(rest, whole[:, 4:]), np.allclose(state, final)
        ((1, 2, 5), True, True)
        """
        x = self._input(x)
        n, steps, _ = x.shape
        ends = None if lengths is None else self._ends(lengths, n, steps)
        real = None if ends is None else (np.arange(steps) < ends[:, None])[:, :, None]  # (N, T, 1)
        starts = self._starts(state, n, x.dtype)
        finals: list[Tensor] = []
        out = x if real is None else F.where(real, x, 0.0)
        for _ in range(self.num_layers):
            sides = []
            for backward in (False, True)[: self.directions]:
                number = len(finals)
                read = reverse(out, ends) if backward else out
                states = self.states(self.cells[number], read, starts[number])
                finals.append(last(states, ends, starts[number]))  # (N, parts * H)
                h = states[..., : self.hidden_size] if len(self.parts) > 1 else states
                sides.append(reverse(h, ends) if backward else h)
            out = F.concat(sides, axis=-1) if self.bidirectional else sides[0]
        final = F.stack(finals)  # (num_layers * directions, N, parts * H)
        parts = F.split(final, len(self.parts), axis=-1)
        return (
            out if real is None else F.where(real, out, 0.0),
            final if len(parts) == 1 else tuple(parts),
        )

    def states(self, cell: Cell, x: Tensor, start: list[Tensor]) -> Tensor:
        """Return the states ``(N, T, parts * H)`` of one layer in one direction."""
        raise TypeError(f"{type(self).__name__} has no states(); define them in the class")

    def _given(self, cell: Cell, x: Tensor) -> Tensor:
        """Return x @ W + b: what the input says to all gates, all steps in one product."""
        z: Tensor = x @ cell.input_weight  # (N, T, k H)
        return z if cell.bias is None else z + cell.bias

    # what it is given

    def _input(self, x: Any) -> Tensor:
        """Return sequences as a tensor, or refuse what is none."""
        given = as_tensor(x)
        wanted = f"expected sequences of shape (N, T, {self.input_size}), got {given.shape}"
        if given.ndim != 3:
            fix = "pass N sequences of T steps each"
            if given.dtype.kind in "iu" and given.ndim == 2:
                fix = f"whole numbers such as tokens go through nn.Embedding(.., {self.input_size})"
            elif given.ndim == 2 and given.shape[-1] == self.input_size:
                fix = "pass one sequence as a batch, x[None]"
            raise ShapeError(f"{wanted}; {fix}", source=self)
        if given.shape[-1] != self.input_size:
            fix = f"{type(self).__name__}({given.shape[-1]}, {self.hidden_size}) would fit it"
            if given.shape[1] == self.input_size:
                fix += "; or, if the features come first, x.transpose(0, 2, 1)"
            raise ShapeError(f"{wanted}; {fix}", source=self)
        if given.shape[1] == 0:
            raise ShapeError(f"{wanted}; a sequence has at least one step", source=self)
        return given if isinstance(x, Tensor) else self._follow(given)

    def _follow(self, x: Tensor) -> Tensor:
        """Return what came as a plain array in the dtype of the weights."""
        return x.astype(self.cells[0].input_weight.dtype)

    def _starts(self, state: Any, n: int, dtype: DType) -> list[list[Tensor]]:
        """Return the parts of the state ``(N, H)`` that each cell starts from."""
        shape = (len(self.cells), n, self.hidden_size)
        if state is None:
            zeros = Tensor(np.zeros(shape[1:], dtype if dtype.kind == "f" else np.float32))
            return [[zeros] * len(self.parts)] * len(self.cells)
        given = [state] if len(self.parts) == 1 else state
        if not isinstance(given, tuple | list) or len(given) != len(self.parts):
            raise TypeError(
                f"{type(self).__name__}: expected the state as a pair ({', '.join(self.parts)}), "
                f"got {type(given).__name__}; a final state of run() is one"
            )
        tensors = []
        for name, part in zip(self.parts, given, strict=True):
            tensor = part if isinstance(part, Tensor) else self._follow(as_tensor(part))
            if tensor.shape != shape:
                raise ShapeError(
                    f"expected {name} of shape (num_layers * directions, N, hidden_size) = {shape},"
                    f" got {tensor.shape}",
                    source=self,
                )
            tensors.append(tensor)
        return [[tensor[k] for tensor in tensors] for k in range(len(self.cells))]

    def _ends(self, lengths: Any, n: int, steps: int) -> Array:
        """Return the number of steps of each sequence, or refuse what cannot be it."""
        ends = np.asarray(lengths.data if isinstance(lengths, Tensor) else lengths)
        if ends.dtype.kind not in "iu" and ends.size:
            raise TypeError(
                f"{type(self).__name__}: expected lengths as integers, got {ends.dtype}; for a mask"
                " of the real steps pass mask.sum(axis=1)"
            )
        if ends.shape != (n,):
            raise ShapeError(
                f"expected one length for each of {n} sequences, shape ({n},), got {ends.shape}",
                source=self,
            )
        wrong = (ends < 0) | (ends > steps)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise ValueError(
                f"{type(self).__name__}: expected lengths from 0 to {steps}, the number of steps, "
                f"got {ends[place]} (sequence {place}); a length counts the steps before padding"
            )
        return ends.astype(np.int64)

    def describe(self) -> str:
        """Return the sizes and what differs from the defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        parts += [f"num_layers={self.num_layers}"] * (self.num_layers > 1)
        parts += ["bidirectional=True"] * self.bidirectional
        parts += ["return_sequences=False"] * (not self.return_sequences)
        parts += ["bias=False"] * (self.cells[0].bias is None)
        return ", ".join(parts)


class RNN(Recurrent):
    """out = h[1], ..., h[T],  h[t] = tanh(x[t] @ W + h[t-1] @ U + b).

    x is ``(N, T, F)``, W ``(F, H)``, U ``(H, H)``, b ``(H,)`` and the output ``(N, T, H)``, or
    ``(N, T, 2 H)`` in both directions. `run` also returns the final state. A call and `run` take a
    state to start from and the lengths of padded sequences; `run` says how.

    W starts as Xavier's uniform, b at 0, and U orthogonal, whose powers neither grow nor vanish
    (Saxe, McClelland and Ganguli, ICLR 2014). PyTorch has two vectors in place of b, whose sum is
    all that counts. Elman, "Finding structure in time", Cognitive Science 14, 1990; both directions
    from Schuster and Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on
    Signal Processing 45, 1997.

    Args:
        input_size: number of features F of a step.
        hidden_size: size H of the state.
        num_layers: how many layers follow each other, each reading the output of the one before.
        nonlinearity: "tanh", or "relu" in its place.
        bidirectional: whether each layer also reads the sequence from its end, with weights of its
            own; the two outputs stand side by side.
        return_sequences: whether a call returns the output at every step, or only that where
            reading ends, ``(N, H)`` or ``(N, 2 H)``: at the last step, backwards at the first.
        bias: whether to add b.
        init: initialiser of W, by name or function.
        recurrent_init: initialiser of U, by name or function.
        rng: generator or seed of the starting values.

    Raises:
        ValueError: a size is no positive whole number, or a name is unknown; of a call: a length
            is out of range.
        ShapeError: of a call: the sequences, the state or the lengths have another shape.
        TypeError: of a call: lengths are no integers.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> x = np.ones((2, 7, 3))  # two sequences of seven steps with three features
    >>> nn.RNN(3, 5, rng=0)(x).shape
    (2, 7, 5)
    >>> both = nn.RNN(3, 5, bidirectional=True, return_sequences=False, rng=0)
    >>> both(x, lengths=[7, 4]).shape
    (2, 10)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bidirectional: bool = False,
        return_sequences: bool = True,
        bias: bool = True,
        init: str | Initialiser = "xavier_uniform",
        recurrent_init: str | Initialiser = "orthogonal",
        rng: Rng = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"RNN: expected nonlinearity to be 'tanh' or 'relu', got {nonlinearity!r}"
            )
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            return_sequences=return_sequences,
            bias=bias,
            init=init,
            recurrent_init=recurrent_init,
            rng=rng,
        )

    def states(self, cell: Cell, x: Tensor, start: list[Tensor]) -> Tensor:
        """Return h at every step, ``(N, T, H)``."""
        relu = self.nonlinearity == "relu"
        return F.rnn(self._given(cell, x), cell.recurrent_weight, *start, relu=relu)

    def describe(self) -> str:
        """Return the sizes and what differs from the defaults."""
        relu = ", nonlinearity='relu'" if self.nonlinearity == "relu" else ""
        return super().describe() + relu


class LSTM(Recurrent):
    """out = h[1], ..., h[T],  h[t] = o * tanh c[t],  c[t] = f * c[t-1] + i * g.

    The gates are i = s(a_i), f = s(a_f), o = s(a_o), what is new is g = tanh a_g, where s is the
    logistic function and a_i, a_f, a_g, a_o in this order are the parts of

        a = x[t] @ W + h[t-1] @ U + b,    W (F, 4 H),  U (H, 4 H),  b (4 H,).

    The state is the pair (h, c). c passes from step to step with no weight but f, so that gradients
    last over many steps. W and U start as in `RNN`, gate by gate, and b at 0, except that of the
    forget gate f at 1: to begin with, the cell remembers (Jozefowicz, Zaremba and Sutskever, "An
    empirical exploration of recurrent network architectures", ICML 2015). The arguments are those
    of `RNN` but its nonlinearity.

    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, with the
    forget gate of Gers, Schmidhuber and Cummins, "Learning to forget: continual prediction with
    LSTM", Neural Computation 12, 2000.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> out, (h, c) = nn.LSTM(3, 5, rng=0).run(np.ones((2, 7, 3)))
    >>> out.shape, h.shape, c.shape
    ((2, 7, 5), (1, 2, 5), (1, 2, 5))
    >>> bool((out[:, -1] == h[0]).all())
    True
    """

    gates = 4
    parts = ("h", "c")

    def reset(self, rng: np.random.Generator) -> None:
        """Draw the weights anew and set the biases to 0, those of the forget gates to 1."""
        super().reset(rng)
        for cell in self.cells:
            if cell.bias is not None:
                cell.bias.data[self.hidden_size : 2 * self.hidden_size] = 1

    def states(self, cell: Cell, x: Tensor, start: list[Tensor]) -> Tensor:
        """Return h and c at every step, ``(N, T, 2 H)``."""
        return F.lstm(self._given(cell, x), cell.recurrent_weight, *start)


class GRU(Recurrent):
    """out = h[1], ..., h[T],  h[t] = (1 - z) * n + z * h[t-1],  n = tanh(a_n + r * q_n).

    The gates are r = s(a_r + q_r) and z = s(a_z + q_z), where s is the logistic function and the
    parts of a and q stand in the order r, z, n:

        a = x[t] @ W + b,  q = h[t-1] @ U + d,    W (F, 3 H),  U (H, 3 H),  b and d (3 H,).

    The reset gate r acts after the product with U, as in PyTorch and cuDNN, and not on h[t-1]
    before it, as in the paper's final version: one product then serves all parts, and d, the
    ``recurrent_bias``, is no part of b. Starting values are as in `RNN`, gate by gate; the
    arguments are those of `RNN` but its nonlinearity.

    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", EMNLP 2014.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> nn.GRU(3, 5, num_layers=2, rng=0)(np.ones((2, 7, 3))).shape
    (2, 7, 5)
    >>> nn.GRU(3, 5, return_sequences=False, rng=0)(np.ones((2, 7, 3))).shape
    (2, 5)
    """

    gates = 3

    def _cell(self, inputs: int, bias: bool) -> Cell:
        """Return weights of 0."""
        cell = super()._cell(inputs, bias)
        if cell.bias is not None:
            cell.recurrent_bias = Tensor(np.zeros_like(cell.bias.data), requires_grad=True)
        return cell

    def states(self, cell: Cell, x: Tensor, start: list[Tensor]) -> Tensor:
        """Return h at every step, ``(N, T, H)``."""
        d, u = cell.recurrent_bias, cell.recurrent_weight
        if d is None:
            d = Tensor(np.zeros(u.shape[1], u.dtype))
        return F.gru(self._given(cell, x), u, d, *start)


def last(states: Tensor, ends: Array | None, start: Sequence[Tensor]) -> Tensor:
    """Return the state ``(N, H)`` at the last step of each sequence in states ``(N, T, H)``."""
    if ends is None:
        return states[:, -1]
    found = states[np.arange(len(ends)), ends - 1]
    if ends.all():
        return found
    return F.where(ends[:, None] > 0, found, F.concat(start, axis=-1))


def reverse(x: Tensor, ends: Array | None) -> Tensor:
    """Return each sequence in x ``(N, T, F)`` back to front; padding stays where it is."""
    if ends is None:
        return F.flip(x, axis=1)
    step = np.arange(x.shape[1])
    mirrored = ends[:, None] - 1 - step  # (N, T), negative in the padding
    return x[np.arange(len(ends))[:, None], np.where(mirrored >= 0, mirrored, step)]
