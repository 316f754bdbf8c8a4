"""One network on two engines: scalars, one number at a time, and tensors.

The two engines share no code, so that where they agree both are likely to be right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import nn, scalar
from pellucid.arrays import Array, DType
from pellucid.autograd import Tensor

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Linear,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def to_tensors(network: scalar.MLP, dtype: DType = "float64") -> nn.Sequential:
    """Return a scalar network as dense layers with the same weights and biases.

    The weights of neuron j become column j of its layer's matrix. The two networks are separate
    afterwards.

    Raises:
        ValueError: the neurons of a layer have several activations.

    >>> from pellucid import interop, scalar
    >>> mlp = scalar.MLP(2, [3, 1], rng=0)
    >>> network = interop.to_tensors(mlp)
    >>> network.layers[0].weight.shape
    (2, 3)
    >>> abs(network([[1.0, 2.0]]).item() - mlp([1.0, 2.0]).data) < 1e-12
    True
    """
    layers: list[Callable[[Any], Tensor]] = []
    for layer in network.layers:
        first = layer.neurons[0]
        if any(neuron.activation != first.activation for neuron in layer.neurons):
            kinds = ", ".join(sorted({neuron.activation for neuron in layer.neurons}))
            raise ValueError(f"expected one activation in a layer, got {kinds}; split the layer")
        dense = nn.Dense(len(first.weights), len(layer.neurons), first.activation)
        rows = [[w.data for w in neuron.weights] for neuron in layer.neurons]
        dense.weight.data = np.array(rows, dtype).T.copy()  # (in, out)
        if dense.bias is not None:
            dense.bias.data = np.array([neuron.bias.data for neuron in layer.neurons], dtype)
        layers.append(dense)
    return nn.Sequential(layers)


def to_scalars(network: nn.Module, *, fused: bool = False) -> scalar.MLP:
    """Return dense layers as a scalar network with the same weights and biases.

    Args:
        network: a `Dense` layer, or a `Sequential` of dense layers and activations.
        fused: see `pellucid.scalar.MLP`.

    Raises:
        TypeError: it holds something else, which the scalar engine does not have.

    >>> from pellucid import interop, nn
    >>> layer = nn.Dense(2, 1)
    >>> layer.weight.data[:] = [[10.0], [1.0]]
    >>> interop.to_scalars(layer)([3.0, 4.0])
    Value(34, grad=0)
    """
    layers = dense_layers(network)
    sizes = [dense.out_features for dense, _ in layers]
    mlp = scalar.MLP(layers[0][0].in_features, sizes, fused=fused, rng=0)
    for layer, (dense, activation) in zip(mlp.layers, layers, strict=True):
        weights = dense.weight.data  # (in, out)
        biases = np.zeros(dense.out_features) if dense.bias is None else dense.bias.data
        for neuron, column, bias in zip(layer.neurons, weights.T, biases, strict=True):
            neuron.activation = activation
            neuron.bias.data = float(bias)
            for w, number in zip(neuron.weights, column, strict=True):
                w.data = float(number)
    return mlp


def assert_equivalent(
    mlp: scalar.MLP,
    network: nn.Module,
    x: Sequence[Sequence[float]] | Array,
    tolerance: float = 1e-10,
) -> None:
    """Check that both engines compute the same outputs and the same gradients, in float64.

    The gradients are those of a sum of all outputs with fixed weights, of both signs, with respect
    to every weight, bias and input. Gradients that were there before are kept.

    Args:
        mlp: the network on scalars.
        network: the same on tensors of float64.
        x: rows of inputs.
        tolerance: largest difference, absolute for numbers below 1, else relative.

    Raises:
        AssertionError: they differ; it names the places and the largest gap.
        ValueError: the tensors are not float64, where 1e-10 could not be expected.
        TypeError: the tensor network holds what the scalar engine does not have.

    >>> from pellucid import interop, scalar
    >>> mlp = scalar.MLP(2, [3, 1], rng=0)
    >>> network = interop.to_tensors(mlp)
    >>> interop.assert_equivalent(mlp, network, [[1.0, 2.0]])
    >>> network.layers[0].weight.data[0, 0] += 1
    >>> interop.assert_equivalent(mlp, network, [[1.0, 2.0]])
    Traceback (most recent call last):
        ...
    AssertionError: the two engines differ: ...
    """
    dense = [dense for dense, _ in dense_layers(network)]
    for path, tensor in network.named_tensors().items():
        if tensor.dtype != np.float64:
            raise ValueError(
                f"expected {path} in float64, got {tensor.dtype}; use network.astype('float64')"
            )
    rows = np.asarray(x, np.float64)
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"expected rows of inputs, got the shape {rows.shape}; put one in a list")

    ours = on_scalars(mlp, rows)
    theirs = on_tensors(network, dense, rows)
    for number, layer in enumerate(dense, start=1):
        if layer.bias is None:  # the scalar engine's neurons always have one
            ours.pop(f"the gradient of b{number}", None)
    shapes = [{name: n.shape for name, n in side.items()} for side in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise AssertionError(
            f"expected networks of the same sizes, got {shapes[0]} on scalars and {shapes[1]} on "
            "tensors"
        )
    complaints = [
        complaint
        for name, numbers in ours.items()
        if (complaint := difference(name, numbers, theirs[name], tolerance))
    ]
    if complaints:
        raise AssertionError("the two engines differ:\n  " + "\n  ".join(complaints))


def on_scalars(mlp: scalar.MLP, x: Array) -> dict[str, Array]:
    """Return outputs and gradients by name, computed with values."""
    parameters = mlp.parameters()
    before = [parameter.grad for parameter in parameters]
    inputs = [[scalar.Value(number) for number in row] for row in x.tolist()]
    with scalar.collector_paused():
        outputs = [mlp.outputs(row) for row in inputs]
        total = scalar.Value(0.0)
        for row, weights in zip(outputs, weighting(len(x), len(outputs[0])).tolist(), strict=True):
            for output, weight in zip(row, weights, strict=True):
                total = total + weight * output
        mlp.zero_grad()
        total.backward()
    found = {
        "the outputs": np.array([[output.data for output in row] for row in outputs]),
        "the gradient of the inputs": np.array([[v.grad for v in row] for row in inputs]),
    }
    for number, layer in enumerate(mlp.layers, start=1):
        weights_of = [[w.grad for w in neuron.weights] for neuron in layer.neurons]
        found[f"the gradient of W{number}"] = np.array(weights_of).T
        found[f"the gradient of b{number}"] = np.array([n.bias.grad for n in layer.neurons])
    restore(parameters, before)
    return found


def on_tensors(network: nn.Module, layers: Sequence[nn.Dense], x: Array) -> dict[str, Array]:
    """Return outputs and gradients by name, computed with tensors."""
    parameters = network.parameters()
    before = [parameter.grad for parameter in parameters]
    inputs = Tensor(x, requires_grad=True)
    network.zero_grad()
    try:
        outputs = network(inputs)
        (outputs * weighting(*outputs.shape)).sum().backward()
    except BaseException:
        restore(parameters, before)
        raise
    found = {"the outputs": outputs.data, "the gradient of the inputs": gradient(inputs)}
    for number, dense in enumerate(layers, start=1):
        found[f"the gradient of W{number}"] = gradient(dense.weight)
        if dense.bias is not None:
            found[f"the gradient of b{number}"] = gradient(dense.bias)
    restore(parameters, before)
    return found


def restore(parameters: Sequence[Any], grads: Sequence[Any]) -> None:
    """Give parameters the gradients they had before."""
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad


def gradient(tensor: Tensor) -> Array:
    """Return a tensor's gradient, zeros if nothing came."""
    return np.zeros(tensor.shape) if tensor.grad is None else tensor.grad


def weighting(rows: int, outputs: int) -> Array:
    """Return fixed numbers from 0.5 to 1.5, of both signs, one for each output of each row."""
    k = np.arange(rows * outputs).reshape(rows, outputs)
    return (0.5 + (k * (math.sqrt(5) - 1) / 2) % 1) * (-1.0) ** k


def difference(name: str, ours: Array, theirs: Array, tolerance: float) -> str:
    """Return where two arrays differ by more than the tolerance, if anywhere."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours))
    bad = ~((gap <= tolerance) | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
    if not bad.any():
        return ""
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    worst = float(np.max(np.nan_to_num(gap, nan=np.inf)))
    return (
        f"{name} in {bad.sum()} of {bad.size} places, by up to {worst:.3g}, first at {first}: "
        f"{ours[first]:.12g} on scalars, {theirs[first]:.12g} on tensors"
    )


def dense_layers(network: nn.Module) -> list[tuple[nn.Dense, str]]:
    """Return the dense layers of a network, each with the name of its activation."""
    layers: list[tuple[nn.Dense, str]] = []
    for part in parts(network):
        if isinstance(part, nn.Dense):
            layers.append((part, name_of(part.activation)))
        elif layers and layers[-1][1] == "linear":
            layers[-1] = (layers[-1][0], name_of(part))
        else:
            raise TypeError(f"expected a dense layer before each activation, got {part!r}")
    if not layers:
        raise TypeError(f"expected at least one dense layer, got {network!r}")
    return layers


def parts(network: Any) -> list[Any]:
    """Return the layers of nested sequences in one list."""
    if isinstance(network, nn.Sequential):
        return [part for layer in network for part in parts(layer)]
    return [network]


def name_of(activation: nn.Module | Callable[..., Any] | None) -> str:
    """Return the scalar engine's name of an activation."""
    if activation is None:
        return "linear"
    for name, kind in ACTIVATIONS.items():
        if type(activation) is kind:
            return name
    raise TypeError(
        f"expected dense layers with {', '.join(ACTIVATIONS)}, which the scalar engine has, got "
        f"{activation!r}"
    )
