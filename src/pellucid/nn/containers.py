"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import indent
from typing import Any

from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.errors import ShapeError
from pellucid.nn.module import Module, Rng, entering

Layer = Callable[[Any], Tensor]
Merge = Callable[[list[Tensor]], Tensor]


class Container(Module):
    """A list of ``layers``, which are modules or any functions of a tensor.

    ``rng`` is the generator or seed from which they draw their starting values, in order; without
    it they keep those they have.
    """

    def __init__(self, *layers: Layer | list[Layer], rng: Rng = None) -> None:
        if len(layers) == 1 and isinstance(layers[0], list | tuple):
            layers = tuple(layers[0])
        for index, layer in enumerate(layers):
            _check_layer(layer, f" at {index}", self)
        self.layers: list[Layer] = list(layers)  # type: ignore[arg-type]
        if rng is not None:
            self.initialise(rng)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def describe(self) -> str:
        """Return one line a layer."""
        lines = [f"({i}) {layer!r}" for i, layer in enumerate(self.layers)] + self.settings()
        return "\n" + indent("\n".join(lines), "  ") + "\n" if lines else ""

    def settings(self) -> list[str]:
        """Return what `describe` says beside the layers, one line each."""
        return []


class Sequential(Container):
    """out = layer_n(...layer_2(layer_1(x))): one layer after the other.

    Args:
        layers: modules, or any functions of a tensor; or one list of them.
        rng: generator or seed from which all layers draw their starting values, in order; without
            it they keep those they have.

    Raises:
        TypeError: a layer cannot be called, or is a class.

    >>> from pellucid import nn
    >>> network = nn.Sequential(nn.Dense(4, 8, "relu"), nn.Dense(8, 3), rng=0)
    >>> network([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 3)
    >>> network
    Sequential(
      (0) Dense(4, 8, ReLU())
      (1) Dense(8, 3)
    )
    """

    def forward(self, x: Any) -> Tensor:
        """Return the output of the last layer."""
        x = entering(x, self)
        for layer in self.layers:
            x = layer(x)
        return as_tensor(x)

    def output_activation(self) -> Module | None:
        """Return the activation that ends the last layer."""
        last = self.layers[-1] if self.layers else None
        return last.output_activation() if isinstance(last, Module) else None

    def preactivation(self, x: Any) -> Tensor:
        """Return the output of the last layer before its activation."""
        x = entering(x, self)
        for layer in self.layers[:-1]:
            x = layer(x)
        last = self.layers[-1] if self.layers else as_tensor
        return last.preactivation(x) if isinstance(last, Module) else last(x)


class Residual(Container):
    """out = shortcut(x) + layer_n(...layer_2(layer_1(x))); without a shortcut x itself is added.

    The gradient reaches x undamped beside the layers, so that very deep networks can be trained.
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.

    Args:
        layers: modules or functions, one after the other, or one list of them. They must return
            the shape of x, or of ``shortcut(x)``.
        shortcut: what brings x to the shape that the layers return, for example a `Dense`.
        rng: generator or seed from which all draw their starting values, in order.

    Raises:
        TypeError: a layer cannot be called, or is a class.
        ValueError: there is no layer.
        ShapeError: of a call: the two shapes differ.

    >>> from pellucid import nn
    >>> nn.Residual(nn.ReLU())([-1.0, 2.0]).tolist()
    [-1.0, 4.0]
    >>> wider = nn.Residual(nn.Dense(2, 5, "relu"), shortcut=nn.Dense(2, 5), rng=0)
    >>> wider([[1.0, 2.0]]).shape
    (1, 5)
    """

    def __init__(
        self, *layers: Layer | list[Layer], shortcut: Layer | None = None, rng: Rng = None
    ) -> None:
        super().__init__(*layers)
        if not self.layers:
            raise ValueError(
                "Residual: expected at least one layer, got none; pass what computes the residue, "
                "for example Residual(nn.Dense(8, 8, 'relu'), nn.Dense(8, 8))"
            )
        if shortcut is not None:
            _check_layer(shortcut, " as shortcut", self)
        self.shortcut = shortcut
        if rng is not None:
            self.initialise(rng)

    def forward(self, x: Any) -> Tensor:
        """Return the sum of shortcut and residue."""
        x = entering(x, self)
        direct = x if self.shortcut is None else as_tensor(self.shortcut(x))
        out: Tensor = x
        for layer in self.layers:
            out = layer(out)
        if out.shape != direct.shape:
            given = "the input's" if self.shortcut is None else "the shortcut's"
            alike = x.ndim > 0 and out.ndim > 0 and direct.shape[:-1] == out.shape[:-1]
            fix = (
                f"make the layers end in {direct.shape[-1]} features, or pass "
                f"shortcut=nn.Dense({x.shape[-1]}, {out.shape[-1]})"
                if alike and direct.ndim == out.ndim
                else "make the layers return that shape, or pass a shortcut that returns theirs"
            )
            raise ShapeError(
                f"expected the layers to return {given} shape {direct.shape}, to be added to it, "
                f"got {out.shape}; {fix}",
                source=self,
            )
        return direct + out

    def settings(self) -> list[str]:
        """Return the shortcut, if there is one."""
        return [] if self.shortcut is None else [f"shortcut={self.shortcut!r}"]


class Parallel(Container):
    """out = merge(branch_1(x), branch_2(x), ..., branch_n(x)): side by side, then put together.

    Szegedy et al., "Going deeper with convolutions", CVPR 2015, whose modules are of this form.

    Args:
        branches: modules or functions that all receive x, or one list of them.
        merge: "concat" joins the outputs along ``axis``, "sum" and "mean" take them element by
            element; or a function of the list of outputs.
        axis: along which to join; by default the last, the features or channels.
        rng: generator or seed from which all draw their starting values, in order.

    Raises:
        TypeError: a branch cannot be called, or is a class.
        ValueError: there is no branch, or ``merge`` or ``axis`` is none of the above.
        ShapeError: of a call: the outputs' shapes do not fit together.

    >>> from pellucid import nn
    >>> nn.Parallel(nn.Linear(), nn.ReLU())([[-1.0, 2.0]]).tolist()
    [[-1.0, 2.0, 0.0, 2.0]]
    >>> nn.Parallel(nn.Linear(), nn.ReLU(), merge="sum")([[-1.0, 2.0]]).tolist()
    [[-1.0, 4.0]]
    """

    def __init__(
        self,
        *branches: Layer | list[Layer],
        merge: str | Merge = "concat",
        axis: int = -1,
        rng: Rng = None,
    ) -> None:
        super().__init__(*branches, rng=rng)
        if not self.layers:
            raise ValueError("Parallel: expected at least one branch, got none")
        if merge not in ("concat", "sum", "mean") and not callable(merge):
            raise ValueError(
                f"Parallel: expected merge to be 'concat', 'sum', 'mean' or a function of the list "
                f"of outputs, got {merge!r}"
            )
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise ValueError(f"Parallel: expected axis to be a whole number, got {axis!r}")
        self.merge = merge
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        """Return what the branches make of x, put together."""
        x = entering(x, self)
        outputs = [as_tensor(branch(x)) for branch in self.layers]
        if callable(self.merge):
            return self.merge(outputs)
        self._check([out.shape for out in outputs])
        if self.merge == "concat":
            return F.concat(outputs, axis=self.axis)
        total: Tensor = sum(outputs[1:], start=outputs[0])
        return total if self.merge == "sum" else total / len(outputs)

    def _check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Refuse outputs that cannot be put together."""
        fits = len({len(shape) for shape in shapes}) == 1
        where = ""
        if self.merge == "concat":
            where = f" except along axis {self.axis}"
            fits = fits and -len(shapes[0]) <= self.axis < len(shapes[0])
            shapes_but = [_without(shape, self.axis) for shape in shapes] if fits else []
        else:
            shapes_but = list(shapes)
        if not fits or len(set(shapes_but)) > 1:
            raise ShapeError(
                f"expected branches that return one shape{where} to {self.merge} them, got "
                f"{' and '.join(map(str, shapes))}; change the sizes of the branches, or give them "
                "a merge that fits",
                source=self,
            )

    def settings(self) -> list[str]:
        """Return how the outputs are put together."""
        merge = f"merge={getattr(self.merge, '__name__', self.merge)!r}"
        return [f"{merge}, axis={self.axis}" if self.axis != -1 else merge]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the shape without one axis."""
    axis %= len(shape)
    return shape[:axis] + shape[axis + 1 :]


def _check_layer(layer: Any, place: str, container: Module) -> None:
    """Refuse what cannot be called, and a class in place of an object made from it."""
    if not callable(layer) or isinstance(layer, type):
        name = layer.__name__ if isinstance(layer, type) else ""
        hint = f"did you mean {name}()?" if name else "pass for example nn.ReLU()"
        raise TypeError(
            f"{type(container).__name__}: expected modules or functions, got {layer!r}{place}; "
            f"{hint}"
        )
