"""Neurons, layers and networks of scalars."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence

from pellucid.scalar.engine import Number, Value

ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": lambda z: z,
    "tanh": Value.tanh,
    "relu": Value.relu,
    "sigmoid": Value.sigmoid,
}
Seed = random.Random | int | None


def dot(w: Sequence[Value], x: Sequence[Value], b: Value) -> Value:
    """Return b + sum of w_i x_i as one node of the graph: dw_i = g x_i, dx_i = g w_i, db = g.

    The same number, and the same gradients, as products and sums of two would give, from a graph
    that is many times smaller.

    >>> from pellucid.scalar import Value, dot
    >>> dot([Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)], Value(5.0))
    Value(16, grad=0)
    """
    ws, xs = tuple([wi.data for wi in w]), tuple([xi.data for xi in x])
    return Value(sum(map(operator.mul, ws, xs), b.data), "", "dot", (*w, *x, b), (*xs, *ws, 1.0))


class Parametric:
    """What has parameters: a neuron, a layer, a network."""

    def parameters(self) -> list[Value]:
        """Return the weights and biases."""
        raise TypeError(f"{type(self).__name__} has no parameters(); define it in the class")

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0


class Neuron(Parametric):
    """A neuron: out = f(b + sum of w_i x_i), where f is its activation.

    The weights start uniform with mean 0 and variance ``scale^2 / inputs``, twice that for relu, so
    that sums neither die out nor grow from layer to layer; b starts at 0. LeCun, Bottou, Orr and
    Müller, "Efficient BackProp", 1998; He, Zhang, Ren and Sun, ICCV 2015.

    Args:
        inputs: how many numbers the neuron takes.
        activation: f: "tanh", "relu", "sigmoid" or "linear".
        fused: make the weighted sum one node of the graph instead of two for each input.
        scale: multiplies the starting weights.
        rng: generator or seed of the starting weights.

    Raises:
        ValueError: there are no inputs, or the activation is unknown.

    >>> from pellucid.scalar import Neuron
    >>> neuron = Neuron(2, "relu", rng=0)
    >>> neuron.weights[0].data, neuron.weights[1].data = 1.0, -1.0
    >>> neuron([5.0, 3.0])
    Value(2, grad=0)
    """

    def __init__(
        self,
        inputs: int,
        activation: str = "tanh",
        *,
        fused: bool = False,
        scale: float = 1.0,
        rng: Seed = None,
    ) -> None:
        inputs = whole("inputs", inputs)
        if not math.isfinite(scale):
            raise ValueError(f"expected scale to be a number, 1 for the usual start, got {scale}")
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"expected an activation among {known}, got {activation!r}")
        rng = generator(rng)
        limit = scale * math.sqrt((6 if activation == "relu" else 3) / inputs)
        self.weights = [Value(rng.uniform(-limit, limit), f"w{i}") for i in range(1, inputs + 1)]
        self.bias = Value(0.0, "b")
        self.activation = activation
        self.fused = fused

    def __call__(self, x: Sequence[Value | Number]) -> Value:
        """Return the neuron's output for a list of inputs."""
        return self.fire(as_values(x, len(self.weights)))

    def fire(self, x: Sequence[Value]) -> Value:
        """Return the output for values that are known to be as many as the weights."""
        if self.fused:
            z = dot(self.weights, x, self.bias)
        else:
            z = self.bias
            for w, xi in zip(self.weights, x):
                z = z + w * xi
        return ACTIVATIONS[self.activation](z)

    def parameters(self) -> list[Value]:
        """Return the weights and the bias."""
        return [*self.weights, self.bias]

    def __repr__(self) -> str:
        return f"Neuron({len(self.weights)}, {self.activation!r})"


class Layer(Parametric):
    """Neurons side by side, all with the same inputs; the arguments are those of `Neuron`.

    >>> from pellucid.scalar import Layer
    >>> layer = Layer(3, 2, rng=0)
    >>> len(layer.parameters()), len(layer([1.0, 2.0, 3.0]))
    (8, 2)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str = "tanh",
        *,
        fused: bool = False,
        scale: float = 1.0,
        rng: Seed = None,
    ) -> None:
        outputs = whole("outputs", outputs)
        rng = generator(rng)
        self.neurons = [
            Neuron(inputs, activation, fused=fused, scale=scale, rng=rng) for _ in range(outputs)
        ]

    def __call__(self, x: Sequence[Value | Number]) -> list[Value]:
        """Return the outputs of the neurons."""
        values = as_values(x, len(self.neurons[0].weights))
        return [neuron.fire(values) for neuron in self.neurons]

    def parameters(self) -> list[Value]:
        """Return the weights and biases, neuron by neuron."""
        return [parameter for neuron in self.neurons for parameter in neuron.parameters()]

    def __repr__(self) -> str:
        first = self.neurons[0]
        return f"Layer({len(first.weights)}, {len(self.neurons)}, {first.activation!r})"


class MLP(Parametric):
    """A multi-layer perceptron: ``MLP(3, [4, 4, 1])`` takes 3 numbers through two layers of 4 to 1.

    ``zero_grad()`` sets the gradients of all parameters to 0, as it does for layers and neurons.

    Args:
        inputs: how many numbers the network takes.
        sizes: the number of neurons in each layer.
        activation: of all layers.
        output: activation of the last layer, if another: "linear" for logits and for regression.
        fused: make each neuron's weighted sum one node of the graph: the same numbers, faster.
        scale: multiplies the starting weights.
        rng: generator or seed of the starting weights.

    Raises:
        ValueError: a size is below 1, or an activation is unknown.

    >>> from pellucid.scalar import MLP
    >>> network = MLP(3, [4, 4, 1], output="linear", rng=0)
    >>> out = network([2.0, 3.0, -1.0])
    >>> out.backward()
    >>> len(network.parameters()), network.parameters()[-1]  # d out / d b is 1
    (41, Value(0, 'L3.N1.b', grad=1))
    """

    def __init__(
        self,
        inputs: int,
        sizes: Sequence[int],
        activation: str = "tanh",
        output: str | None = None,
        *,
        fused: bool = False,
        scale: float = 1.0,
        rng: Seed = None,
    ) -> None:
        if not isinstance(sizes, Sequence) or not sizes:
            raise ValueError(f"expected a list of layer sizes such as [4, 4, 1], got {sizes!r}")
        rng, last = generator(rng), len(sizes) - 1
        self.layers = [
            Layer(
                n,
                m,
                output or activation if i == last else activation,
                fused=fused,
                scale=scale,
                rng=rng,
            )
            for i, (n, m) in enumerate(zip([inputs, *sizes], sizes, strict=False))
        ]
        for number, layer in enumerate(self.layers, start=1):
            for place, neuron in enumerate(layer.neurons, start=1):
                for parameter in neuron.parameters():  # "w1" becomes "L2.N3.w1"
                    parameter.label = f"L{number}.N{place}.{parameter.label}"

    def __call__(self, x: Sequence[Value | Number]) -> Value | list[Value]:
        """Return the output, a list if the last layer has several neurons."""
        values = self.outputs(x)
        return values[0] if len(values) == 1 else values

    def outputs(self, x: Sequence[Value | Number]) -> list[Value]:
        """Return the outputs, always as a list."""
        values = as_values(x, self.inputs)
        for layer in self.layers:
            values = [neuron.fire(values) for neuron in layer.neurons]
        return values

    @property
    def inputs(self) -> int:
        """How many numbers the network takes."""
        return len(self.layers[0].neurons[0].weights)

    def parameters(self) -> list[Value]:
        """Return all weights and biases, layer by layer."""
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __repr__(self) -> str:
        layers = "\n".join(f"  {layer!r}," for layer in self.layers)
        return f"MLP of {len(self.parameters())} parameters:\n{layers}"


def as_values(x: Sequence[Value | Number], expected: int) -> list[Value]:
    """Return inputs as values, or say that they are too many or too few."""
    if isinstance(x, Value) or not hasattr(x, "__len__"):
        raise TypeError(f"expected a list of {expected} inputs, got {x!r}; write [{x!r}]")
    if len(x) != expected:
        raise ValueError(f"expected {expected} inputs, got {len(x)}; give one number for each")
    return [xi if isinstance(xi, Value) else Value(xi) for xi in x]


def whole(name: str, size: object) -> int:
    """Return a size as a Python integer; refuse what is no positive whole number."""
    try:
        number = 0 if isinstance(size, bool) else operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"expected {name} to be a whole number of at least 1, got {size!r}")
    return number


def generator(rng: Seed) -> random.Random:
    """Return a generator: the one given, or a new one from a seed."""
    return rng if isinstance(rng, random.Random) else random.Random(rng)
