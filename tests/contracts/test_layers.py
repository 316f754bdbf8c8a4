"""The contract of every layer and activation: what `pellucid.nn` exports is enrolled by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts import (
    layer_samples_conv,
    layer_samples_dense,
    layer_samples_norm,
    layer_samples_sequence,
)
from contracts.layer_case import RNG, Sample
from pellucid import Tensor, gradcheck, nn

BASES = {"Module", "Activation"}  # what layers are derived from; they compute nothing themselves
PLAIN = {"Sequential", "Linear", "Flatten"}  # composition, identity and order have no source
EXPORTED = {
    name: kind
    for name in nn.__all__
    if isinstance(kind := getattr(nn, name), type) and issubclass(kind, nn.Module)
}
LAYERS = [
    name for name, kind in EXPORTED.items() if name not in BASES and not issubclass(kind, nn.Loss)
]
FAMILIES = [
    layer_samples_conv.SAMPLES,
    layer_samples_dense.SAMPLES,
    layer_samples_norm.SAMPLES,
    layer_samples_sequence.SAMPLES,
]
SAMPLES: dict[str, list[Sample]] = {
    name: [sample for family in FAMILIES for sample in family.get(name, [])]
    for name in sorted({name for family in FAMILIES for name in family})
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
        "lambda: <layer>, <input>, <output shape>, <the same in PyTorch>)] to SAMPLES in one of "
        "tests/contracts/layer_samples_*.py"
    )


def double(sample: Sample) -> nn.Module:
    """Return the sample's layer in float64, in evaluation, with biases and statistics not 0."""
    layer = sample.build().astype("float64").eval()
    rng = np.random.default_rng(7)
    for tensor in layer.named_tensors().values():
        if tensor.requires_grad:
            tensor.data = rng.normal(size=tensor.shape)
        elif tensor.dtype.kind == "f":  # running means, and variances, which are positive
            tensor.data = rng.uniform(0.5, 2.0, size=tensor.shape)
    return layer


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_samples(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_a_layer_without_samples_is_told_how_to_add_them() -> None:
    assert "add 'Planted': [Sample(" in complaint("Planted")


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
    equation = re.search(r"f\(x\) = |\bout(\[[^]]+\])? = ", doc)  # as out[n, c] = of an element
    assert equation, f"{name}: expected its equation in the docstring"


def sourced(doc: str) -> bool:
    """Whether a docstring names a source, by its year, or the layer that does."""
    return bool(re.search(r"\b(19|20)\d\d\b|\b(as in|see|source as) `\w+`", doc))


@pytest.mark.parametrize("name", sorted(set(LAYERS) - PLAIN))
def test_every_layer_says_where_it_comes_from(name: str) -> None:
    assert sourced(EXPORTED[name].__doc__ or ""), f"{name}: expected its source in the docstring"


def test_a_layer_without_a_source_is_caught() -> None:
    assert not sourced(nn.Flatten.__doc__ or "")
    assert sourced("f(x) = x. Someone, 1999.")
    assert sourced("Everything else is as in `Other`.")


@pytest.mark.parametrize("sample", ALL)
def test_output_shape(sample: Sample) -> None:
    assert sample.build()(sample.x).shape == sample.shape


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sample", ALL)
def test_dtype_is_kept(sample: Sample, dtype: str, training: bool) -> None:
    layer = sample.build().astype(dtype).train(training)
    numbers = sample.x.dtype.kind == "f"
    x = Tensor(sample.x.astype(dtype) if numbers else sample.x, requires_grad=numbers)
    out = layer(x)
    assert out.dtype == dtype
    out.backward(np.ones(out.shape))
    for path, tensor in (({"x": x} if numbers else {}) | layer.named_parameters()).items():
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
    if sample.x.dtype.kind == "f":
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
        np.testing.assert_array_equal(trained[0], trained[1])
        assert np.array_equal(trained[0], tested[0]) != sample.batch
    assert layer.train() is layer
    assert all(module.training for module in layer.modules().values())


def test_a_layer_that_looks_at_the_batch_has_to_say_so() -> None:
    silent = replace(SAMPLES["BatchNorm1D"][0], batch=False)
    with pytest.raises(AssertionError):
        test_training_and_evaluation(silent)
    with pytest.raises(AssertionError):
        test_training_and_evaluation(replace(SAMPLES["LayerNorm"][0], batch=True))


def test_statistics_that_evaluation_moves_are_caught() -> None:
    class Restless(nn.BatchNorm1D):
        def forward(self, x: Any) -> Tensor:
            out = super().forward(x)
            if not self.training:
                self.running_mean.data = self.running_mean.data + 1
            return out

    planted = replace(SAMPLES["BatchNorm1D"][0], build=lambda: Restless(3))
    with pytest.raises(AssertionError, match="evaluation changed running_mean"):
        test_training_and_evaluation(planted)


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
    if (one.parameters() and sample.drawn) or sample.random:
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
    if isinstance(layer, nn.Sequential | nn.Residual | nn.Parallel):
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
    x = Tensor(sample.x, requires_grad=sample.x.dtype.kind == "f")
    out = layer(x)
    v = np.random.default_rng(3).normal(size=out.shape)
    out.backward(v)

    theirs = {
        path: torch.tensor(tensor.data, requires_grad=tensor.requires_grad)
        for path, tensor in layer.named_tensors().items()
        if tensor.dtype.kind == "f"
    }
    their_x = torch.tensor(sample.x, requires_grad=sample.x.dtype.kind == "f")
    expected = sample.torch(torch, their_x, theirs)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), 1e-12, 1e-13)
    expected.backward(torch.tensor(v))
    if x.requires_grad:
        np.testing.assert_allclose(x.grad, their_x.grad.numpy(), 1e-11, 1e-13)
    for path, parameter in layer.named_parameters().items():
        np.testing.assert_allclose(parameter.grad, theirs[path].grad.numpy(), 1e-11, 1e-13, path)


def test_every_layer_is_reached_by_torch_and_by_gradcheck() -> None:
    assert {name for name in LAYERS if SAMPLES.get(name)} == set(LAYERS)
    assert len(ALL) >= len(LAYERS)
