"""`Module`: a layer or a network, which is a tree of plain attributes with a ``forward``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from reprlib import recursive_repr
from typing import Any, Self

import numpy as np

from pellucid import tree
from pellucid.arrays import Array, DType
from pellucid.autograd import Tensor, as_tensor
from pellucid.calls import Helpful
from pellucid.errors import ShapeError

Rng = np.random.Generator | int | None


class Module(tree.Node, Helpful):
    """The base of layers and networks: define ``__init__`` to set attributes, and ``forward``.

    Every tensor among the attributes, however deep in lists, dictionaries and other modules,
    belongs to the module under its dotted path, such as ``layers.0.weight``. Tensors that require a
    gradient are parameters; the others are buffers, such as running statistics. Both are the
    module's state.

    >>> from pellucid import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         self.layer = nn.Dense(2, 2, init="ones")
    ...
    ...     def forward(self, x):
    ...         return self.layer(self.layer(x))
    >>> network = Twice()
    >>> network([1.0, 2.0]).tolist()
    [6.0, 6.0]
    >>> list(network.named_parameters())
    ['layer.weight', 'layer.bias']
    """

    training: bool = True

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """Return the output for the inputs; each kind of module defines it."""
        own = [name for name in vars(type(self)) if callable(getattr(self, name))]
        close = get_close_matches("forward", own, n=1)
        hint = f"; should {close[0]}() be forward()?" if close else ""
        raise TypeError(
            f"{type(self).__name__} has no forward(); define forward(self, x) in the class{hint}"
        )

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """Return ``forward(...)``; a shape error says where in this module it happened."""
        try:
            return self.forward(*inputs, **options)
        except ShapeError as error:
            if error.source is None:
                error.source = self
            self.locate(error)
            raise

    # the last step, which a loss may take over

    def output_activation(self) -> Module | None:
        """Return the activation that ends this module, if it is known to end in one."""
        return None

    def preactivation(self, x: Any) -> Tensor:
        """Return what `output_activation` is applied to: the output itself where there is none."""
        return self(x)

    # what it holds

    def modules(self) -> dict[str, Module]:
        """Return this module (path "") and all below it by path, parents first."""
        return tree.find(self, Module)

    def named_tensors(self) -> dict[str, Tensor]:
        """Return parameters and buffers by path; a shared one appears under its first path."""
        return tree.find(self, Tensor)

    def named_parameters(self) -> dict[str, Tensor]:
        """Return the tensors that training changes, by path."""
        return {path: t for path, t in self.named_tensors().items() if t.requires_grad}

    def parameters(self) -> list[Tensor]:
        """Return the tensors that training changes."""
        return list(self.named_parameters().values())

    def zero_grad(self) -> None:
        """Forget the gradients, so that the next backward pass starts from zero."""
        for parameter in self.parameters():
            parameter.grad = None

    # modes, state, start

    def train(self, training: bool = True) -> Self:
        """Switch this module and all below it to training (dropout on); returns self."""
        for module in self.modules().values():
            module.training = training
        return self

    def eval(self) -> Self:
        """Switch this module and all below it to evaluation (dropout off); returns self."""
        return self.train(False)

    def state(self) -> dict[str, Array]:
        """Return a copy of every parameter and buffer, by path."""
        return {path: tensor.data.copy() for path, tensor in self.named_tensors().items()}

    def load_state(
        self, state: Mapping[str, Array], *, strict: bool = True, copy: bool = True
    ) -> None:
        """Take over parameters and buffers that `state` returned.

        Args:
            state: arrays by path.
            strict: whether every name must be on both sides; otherwise those that are on both are
                taken over, and at least one must be.
            copy: whether the module's arrays are to be its own; False where nobody else has these.

        Raises:
            ValueError: names are missing or unexpected, a shape differs, or values are no numbers;
                nothing is changed then.
        """
        tensors = self.named_tensors()
        arrays = {path: np.asarray(array) for path, array in state.items()}
        if not strict and (common := tensors.keys() & arrays.keys()):
            tensors = {path: tensor for path, tensor in tensors.items() if path in common}
            arrays = {path: array for path, array in arrays.items() if path in common}
        problems = [f"missing {path}" for path in tensors if path not in arrays]
        for path, array in arrays.items():
            if path not in tensors:
                problems.append(f"unexpected {path}")
            elif array.shape != tensors[path].shape:
                problems.append(f"{path}: expected shape {tensors[path].shape}, got {array.shape}")
            elif array.dtype.kind not in "fiub":
                problems.append(f"{path}: expected numbers, got {array.dtype}")
        if problems:
            raise ValueError(
                f"the state does not fit this {type(self).__name__}: {'; '.join(problems)}; "
                "build the network with the sizes it was saved with"
            )
        for path, tensor in tensors.items():
            convert = np.array if copy else np.asarray
            tensor.data = convert(arrays[path], dtype=tensor.dtype, order="C")

    def astype(self, dtype: DType) -> Self:
        """Convert every floating-point parameter and buffer to another dtype; returns self.

        Raises:
            ValueError: the dtype is not a floating-point one, so that nothing could be trained.
        """
        if np.dtype(dtype).kind != "f":
            raise ValueError(
                f"expected a floating-point dtype, got {np.dtype(dtype)}; use float32 or float64"
            )
        for tensor in self.named_tensors().values():
            if tensor.dtype.kind == "f":
                tensor.data, tensor.grad = tensor.data.astype(dtype), None
        return self

    def initialise(self, rng: Rng = None) -> Self:
        """Draw all starting values anew, in order, from one generator; returns self."""
        rng = np.random.default_rng(rng)
        for module in self.modules().values():
            module.reset(rng)
        return self

    def reset(self, rng: np.random.Generator) -> None:
        """Draw the starting values of this module's own tensors; the others have their turn."""

    def reseed(self, rng: np.random.Generator) -> None:
        """Start a new random stream in a module that draws numbers as it runs, such as dropout."""

    def locate(self, error: ShapeError) -> None:
        """Put the path of the layer that raised the error before its message."""
        for path, module in self.modules().items():
            if module is error.source:
                error.path = f"{path} ({type(module).__name__})" if path else type(module).__name__

    @recursive_repr()
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"

    def describe(self) -> str:
        """Return the arguments that `repr` shows: sizes and other plain settings."""
        return ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if isinstance(value, int | float | str | Module) and name != "training"
        )


def entering(x: Any, module: Module) -> Tensor:
    """Return x as a tensor; an array of floats takes the dtype of the module's own tensors.

    It would beside one of them; before the first meets one, a layer without any could have made a
    tensor of it, which keeps its dtype and widens all that follows.
    """
    if isinstance(x, Tensor):
        return x
    given = as_tensor(x)
    if given.dtype.kind != "f":
        return given
    own = (tensor.dtype for tensor in module.named_tensors().values() if tensor.dtype.kind == "f")
    return given.astype(next(own, given.dtype))
