"""The contract of every layer and activation: what `pellucid.nn` exports is enrolled by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, gradcheck, nn

Parameters = dict[str, Any]  # by dotted path

BASES = {"Module", "Activation"}  # what layers are derived from; they compute nothing themselves
EXPORTED = {
    name: kind
    for name in nn.__all__
    if isinstance(kind := getattr(nn, name), type) and issubclass(kind, nn.Module)
}
LAYERS = [
    name for name, kind in EXPORTED.items() if name not in BASES and not issubclass(kind, nn.Loss)
]
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Sample:
    """A layer, an input, the shape of its output, and the same in PyTorch.

    ``torch(torch, x, p)`` computes the output from tensors; ``p`` holds the parameters by path.
    """

    label: str
    build: Callable[[], nn.Module]
    x: np.ndarray
    shape: tuple[int, ...]
    torch: Callable[[Any, Any, Parameters], Any]
    random: bool = False  # whether training draws random numbers


def normal(*shape: int) -> np.ndarray:
    """Return numbers that stay away from 0, where relu has no slope."""
    x = RNG.normal(size=shape)
    return x + 0.1 * np.sign(x)


def elementwise(build: Callable[[], nn.Module], torch: Callable[..., Any]) -> list[Sample]:
    """Return the samples of an activation."""
    shapes = [(4, 3), (2, 3, 5), (3,)]
    return [Sample(str(s), build, normal(*s), s, lambda t, x, p: torch(t, x)) for s in shapes]


def dense(torch: Any, x: Any, p: Parameters, at: str = "") -> Any:
    """Return x @ W + b."""
    bias = p.get(f"{at}bias")
    return torch.nn.functional.linear(x, p[f"{at}weight"].T, bias)


def deep(torch: Any, x: Any, p: Parameters) -> Any:
    """Return the output of the nested network below."""
    x = torch.relu(dense(torch, x, p, "layers.0.layers.0."))
    x = torch.tanh(dense(torch, x, p, "layers.0.layers.1."))
    return torch.softmax(dense(torch, x, p, "layers.1."), -1)


SAMPLES: dict[str, list[Sample]] = {
    "Linear": elementwise(nn.Linear, lambda torch, x: x),
    "ReLU": elementwise(nn.ReLU, lambda torch, x: torch.relu(x)),
    "LeakyReLU": [
        *elementwise(nn.LeakyReLU, lambda torch, x: torch.nn.functional.leaky_relu(x, 0.01)),
        Sample(
            "slope",
            lambda: nn.LeakyReLU(0.3),
            normal(2, 3),
            (2, 3),
            lambda torch, x, p: torch.nn.functional.leaky_relu(x, 0.3),
        ),
    ],
    "Sigmoid": elementwise(nn.Sigmoid, lambda torch, x: torch.sigmoid(x)),
    "Tanh": elementwise(nn.Tanh, lambda torch, x: torch.tanh(x)),
    "Softmax": elementwise(nn.Softmax, lambda torch, x: torch.softmax(x, -1)),
    "Dense": [
        Sample("matrix", lambda: nn.Dense(3, 4), normal(5, 3), (5, 4), dense),
        Sample("sequence", lambda: nn.Dense(3, 2), normal(2, 4, 3), (2, 4, 2), dense),
        Sample("one example", lambda: nn.Dense(3, 2), normal(3), (2,), dense),
        Sample("one feature", lambda: nn.Dense(1, 1), normal(5, 1), (5, 1), dense),
        Sample("no bias", lambda: nn.Dense(3, 4, bias=False), normal(5, 3), (5, 4), dense),
        Sample(
            "relu",
            lambda: nn.Dense(3, 6, "relu"),
            normal(5, 3),
            (5, 6),
            lambda torch, x, p: torch.relu(dense(torch, x, p)),
        ),
        Sample(
            "softmax",
            lambda: nn.Dense(3, 4, nn.Softmax()),
            normal(5, 3),
            (5, 4),
            lambda torch, x, p: torch.softmax(dense(torch, x, p), -1),
        ),
    ],
    "Dropout": [
        Sample(
            "rate 0.4",
            lambda: nn.Dropout(0.4),
            normal(6, 5),
            (6, 5),
            lambda t, x, p: x,
            random=True,
        ),
        Sample("rate 0", lambda: nn.Dropout(0.0), normal(4, 3), (4, 3), lambda t, x, p: x),
    ],
    "Sequential": [
        Sample("empty", nn.Sequential, normal(4, 3), (4, 3), lambda t, x, p: x),
        Sample(
            "nested",
            lambda: nn.Sequential(
                nn.Sequential(nn.Dense(3, 6, "relu"), nn.Dense(6, 5, "tanh")),
                nn.Dense(5, 4, "softmax"),
            ),
            normal(4, 3),
            (4, 4),
            deep,
        ),
        Sample(
            "with dropout",
            lambda: nn.Sequential(nn.Dense(3, 8), nn.Dropout(0.5), nn.Dense(8, 2)),
            normal(4, 3),
            (4, 2),
            lambda torch, x, p: dense(torch, dense(torch, x, p, "layers.0."), p, "layers.2."),
            random=True,
        ),
        Sample(
            "functions",
            lambda: nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(6, 2)]),
            normal(4, 2, 3),
            (4, 2),
            lambda torch, x, p: dense(torch, x.reshape(4, 6), p, "layers.1."),
        ),
    ],
}

ALL = [
    pytest.param(sample, id=f"{name}-{sample.label}")
    for name in LAYERS
    for sample in SAMPLES.get(name, [])
]


def complaint(name: str) -> str:
    """Return what is missing for a layer, if anything is."""
    if SAMPLES.get(name):
        return ""
    return (
        f"expected samples for the layer nn.{name}, got none; add {name!r}: [Sample(label, "
        "lambda: <layer>, <input>, <output shape>, <the same in PyTorch>)] to SAMPLES in "
        "tests/contracts/test_layers.py"
    )


def double(sample: Sample) -> nn.Module:
    """Return the sample's layer in float64, in evaluation mode, with biases that are not 0."""
    layer = sample.build().astype("float64").eval()
    rng = np.random.default_rng(7)
    for parameter in layer.parameters():
        parameter.data = rng.normal(size=parameter.shape)
    return layer


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_samples(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_a_layer_without_samples_is_told_how_to_add_them() -> None:
    assert "add 'Conv2D': [Sample(" in complaint("Conv2D")


def test_samples_name_layers() -> None:
    assert set(SAMPLES) <= set(LAYERS)


def test_every_activation_has_a_name() -> None:
    exported = {kind for kind in EXPORTED.values() if issubclass(kind, nn.Activation)}
    assert exported - {nn.Activation} == set(nn.ACTIVATIONS.values())
    for name, kind in nn.ACTIVATIONS.items():
        assert name.replace("_", "") == kind.__name__.lower()
        assert isinstance(nn.Dense(3, 2, name).activation, kind)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_says_what_it_computes(name: str) -> None:
    doc = EXPORTED[name].__doc__ or ""
    assert "f(x) =" in doc or "out =" in doc, f"{name}: expected its equation in the docstring"


@pytest.mark.parametrize("sample", ALL)
def test_output_shape(sample: Sample) -> None:
    assert sample.build()(sample.x).shape == sample.shape


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sample", ALL)
def test_dtype_is_kept(sample: Sample, dtype: str, training: bool) -> None:
    layer = sample.build().astype(dtype).train(training)
    x = Tensor(sample.x.astype(dtype), requires_grad=True)
    out = layer(x)
    assert out.dtype == dtype
    out.backward(np.ones(out.shape))
    for path, tensor in {"x": x, **layer.named_parameters()}.items():
        assert tensor.grad is not None, f"{path} has no gradient"
        assert tensor.grad.dtype == dtype, f"the gradient of {path} is {tensor.grad.dtype}"
        assert tensor.dtype == dtype


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sample", ALL)
def test_gradients(sample: Sample, training: bool, order: int) -> None:
    layer = double(sample).train(training)
    report = gradcheck(layer, sample.x, order=order)
    assert report, report
    names = {row.name for row in report.rows}
    assert set(layer.named_parameters()) <= names
    assert len(names) > len(layer.named_parameters()), "the input was not checked"


@pytest.mark.parametrize("sample", ALL)
def test_training_and_evaluation(sample: Sample) -> None:
    layer = sample.build()
    assert all(module.training for module in layer.modules().values())
    trained = [layer(sample.x).data for _ in range(2)]
    assert layer.eval() is layer
    assert not any(module.training for module in layer.modules().values())
    before = layer.state()
    tested = [layer(sample.x).data for _ in range(2)]
    for path, array in layer.state().items():
        np.testing.assert_array_equal(array, before[path], err_msg=f"evaluation changed {path}")
    np.testing.assert_array_equal(tested[0], tested[1])
    if sample.random:
        assert not np.array_equal(trained[0], trained[1]), "every call must draw anew"
    else:
        np.testing.assert_array_equal(trained[0], tested[0])
        np.testing.assert_array_equal(trained[1], tested[0])
    assert layer.train() is layer
    assert all(module.training for module in layer.modules().values())


@pytest.mark.parametrize("sample", ALL)
def test_state_round_trip(sample: Sample) -> None:
    one, other = sample.build(), sample.build()
    for parameter in one.parameters():
        parameter.data = RNG.normal(size=parameter.shape).astype(parameter.dtype)
    one(sample.x)  # moves the random streams on
    state = one.state()
    other.load_state(state)
    for array in state.values():
        array.fill(9)  # the state is a copy on both sides
    for _ in range(3):
        np.testing.assert_array_equal(one(sample.x).data, other(sample.x).data)
    assert list(one.state()) == list(state)


@pytest.mark.parametrize("sample", ALL)
def test_same_seed_same_layer(sample: Sample) -> None:
    one, other, third = (sample.build().initialise(seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one(sample.x).data, other(sample.x).data)
    if one.parameters() or sample.random:
        assert not np.array_equal(one(sample.x).data, third(sample.x).data)


@pytest.mark.parametrize("sample", ALL)
def test_examples_do_not_know_of_each_other(sample: Sample) -> None:
    layer = double(sample)
    if sample.x.ndim == 1:
        expected = layer(sample.x[None]).data[0]
    else:
        rows = [layer(sample.x[i : i + 1]).data for i in range(len(sample.x))]
        expected = np.concatenate(rows)
    np.testing.assert_allclose(layer(sample.x).data, expected, 1e-12, 1e-14)


@pytest.mark.parametrize("sample", ALL)
def test_the_input_is_left_alone(sample: Sample) -> None:
    x = sample.x.copy()
    x.flags.writeable = False
    layer = double(sample).train()
    out = layer(x)
    out.backward(np.ones(out.shape)) if out.requires_grad else None
    np.testing.assert_array_equal(x, sample.x)


@pytest.mark.parametrize("sample", ALL)
def test_repr(sample: Sample) -> None:
    layer = sample.build()
    text = repr(layer)
    assert text.startswith(f"{type(layer).__name__}(")
    if isinstance(layer, nn.Sequential):
        assert [line.strip()[:3] for line in text.splitlines()[1:] if line.startswith("  (")] == [
            f"({i})" for i in range(len(layer))
        ]
        return
    again = eval(text, dict(vars(nn)))  # noqa: S307 - the text is this test's own
    assert repr(again) == text
    assert {k: v.shape for k, v in again.state().items()} == {
        k: v.shape for k, v in layer.state().items()
    }


@pytest.mark.torch
@pytest.mark.parametrize("sample", ALL)
def test_value_and_gradients_are_torch_s(sample: Sample) -> None:
    torch = pytest.importorskip("torch")
    layer = double(sample)
    x = Tensor(sample.x, requires_grad=True)
    out = layer(x)
    v = np.random.default_rng(3).normal(size=out.shape)
    out.backward(v)

    theirs = {k: torch.tensor(p.data, requires_grad=True) for k, p in layer.named_tensors().items()
              if p.requires_grad}  # fmt: skip
    their_x = torch.tensor(sample.x, requires_grad=True)
    expected = sample.torch(torch, their_x, theirs)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), 1e-12, 1e-13)
    expected.backward(torch.tensor(v))
    np.testing.assert_allclose(x.grad, their_x.grad.numpy(), 1e-11, 1e-13)
    for path, parameter in layer.named_parameters().items():
        np.testing.assert_allclose(parameter.grad, theirs[path].grad.numpy(), 1e-11, 1e-13, path)


def test_every_layer_is_reached_by_torch_and_by_gradcheck() -> None:
    assert {name for name in LAYERS if SAMPLES.get(name)} == set(LAYERS)
    assert len(ALL) >= len(LAYERS)
