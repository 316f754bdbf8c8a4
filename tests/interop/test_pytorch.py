"""PyTorch's weights in our layers, and ours in PyTorch's: the outputs are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, interop, nn
from pellucid.persist import container

Build = Callable[[Any], Any]
FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2)}  # channels last to channels first
LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}


class Named(nn.Module):
    """A module as people write it: attributes, a parameter of its own, a dictionary."""

    def __init__(self) -> None:
        self.fc1 = nn.Dense(3, 5, "tanh")
        self.norm = nn.LayerNorm(5)
        self.scale = Tensor(np.ones(5, np.float32), requires_grad=True)
        self.heads = {"a": nn.Dense(5, 2), "b": nn.Dense(5, 2)}

    def forward(self, x: Any) -> Tensor:
        h = self.norm(self.fc1(x)) * self.scale
        return self.heads["a"](h) + self.heads["b"](h)


def named(torch: Any) -> Any:
    class Theirs(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = torch.nn.Linear(3, 5)
            self.norm = torch.nn.LayerNorm(5)
            self.scale = torch.nn.Parameter(torch.ones(5))
            self.heads = torch.nn.ModuleDict({n: torch.nn.Linear(5, 2) for n in "ab"})

        def forward(self, x: Any) -> Any:
            h = self.norm(torch.tanh(self.fc1(x))) * self.scale
            return self.heads["a"](h) + self.heads["b"](h)

    return Theirs()


def sequence(kind: str, **options: Any) -> Build:
    return lambda torch: getattr(torch.nn, kind)(4, 3, batch_first=True, **options)


def block(torch: Any, norm_first: bool) -> Any:
    return torch.nn.TransformerEncoderLayer(
        8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first
    )


def cnn(torch: Any) -> Any:
    t = torch.nn
    return t.Sequential(
        t.Conv2d(2, 4, 3, padding=1), t.ReLU(), t.BatchNorm2d(4), t.MaxPool2d(2), t.Flatten(),
        t.Dropout(0.1), t.Linear(4 * 3 * 2, 5), t.Tanh(), t.Linear(5, 3),
    )  # fmt: skip


def residual(torch: Any) -> Any:
    class Plus(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Conv1d(4, 4, 3, padding=1)])

        def forward(self, x: Any) -> Any:
            return x + self.layers[0](x)

    return torch.nn.Sequential(Plus(), torch.nn.Flatten(), torch.nn.Linear(48, 2))


X = np.random.default_rng(0).normal(size=(5, 6, 4, 2)).astype(np.float32)
SEQUENCES = X.reshape(5, 12, 4)
STEPS = X.reshape(5, 6, 8)
TOKENS = np.random.default_rng(1).integers(0, 7, (4, 5))

CASES: dict[str, tuple[nn.Module, Build, np.ndarray]] = {
    "dense": (nn.Dense(4, 3), lambda t: t.nn.Linear(4, 3), SEQUENCES[0]),
    "dense, no bias": (
        nn.Dense(4, 3, bias=False), lambda t: t.nn.Linear(4, 3, bias=False), SEQUENCES[0],
    ),
    "mlp": (
        nn.Sequential(
            nn.Dense(4, 6, "relu"), nn.Dropout(0.1), nn.Dense(6, 5, "tanh"), nn.Dense(5, 2)
        ),
        lambda t: t.nn.Sequential(
            t.nn.Linear(4, 6), t.nn.ReLU(), t.nn.Dropout(0.1), t.nn.Linear(6, 5), t.nn.Tanh(),
            t.nn.Linear(5, 2),
        ),
        SEQUENCES[0],
    ),
    "named": (Named(), named, X[0, :, :, :1].repeat(3, axis=2)[:, 0]),
    "embedding": (nn.Embedding(7, 3), lambda t: t.nn.Embedding(7, 3), TOKENS),
    "conv 1": (
        nn.Conv1D(4, 6, 3, stride=2, padding=1, groups=2),
        lambda t: t.nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), SEQUENCES,
    ),
    "conv 2": (
        nn.Conv2D(2, 4, (3, 2), dilation=(2, 1), bias=False),
        lambda t: t.nn.Conv2d(2, 4, (3, 2), dilation=(2, 1), bias=False), X,
    ),
    "depthwise": (nn.Conv2D(2, 4, 2, groups=2), lambda t: t.nn.Conv2d(2, 4, 2, groups=2), X),
    "transposed 1": (
        nn.ConvTranspose1D(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        lambda t: t.nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2), SEQUENCES,
    ),
    "transposed 2": (
        nn.ConvTranspose2D(2, 3, (3, 2), stride=2),
        lambda t: t.nn.ConvTranspose2d(2, 3, (3, 2), 2), X,
    ),
    "batch norm 1": (nn.BatchNorm1D(4), lambda t: t.nn.BatchNorm1d(4), SEQUENCES),
    "batch norm 2": (nn.BatchNorm2D(2), lambda t: t.nn.BatchNorm2d(2), X),
    "layer norm": (nn.LayerNorm((4, 2)), lambda t: t.nn.LayerNorm((4, 2)), X),
    "rms norm": (nn.RMSNorm(4), lambda t: t.nn.RMSNorm(4, eps=1e-6), SEQUENCES[0]),
    "rnn": (nn.RNN(4, 3), sequence("RNN"), SEQUENCES),
    "rnn relu": (
        nn.RNN(4, 3, nonlinearity="relu"), sequence("RNN", nonlinearity="relu"), SEQUENCES,
    ),
    "rnn, no bias": (nn.RNN(4, 3, bias=False), sequence("RNN", bias=False), SEQUENCES),
    "lstm": (
        nn.LSTM(4, 3, 2, bidirectional=True), sequence("LSTM", num_layers=2, bidirectional=True),
        SEQUENCES,
    ),
    "gru": (
        nn.GRU(4, 3, 2, bidirectional=True), sequence("GRU", num_layers=2, bidirectional=True),
        SEQUENCES,
    ),
    "gru, no bias": (nn.GRU(4, 3, bias=False), sequence("GRU", bias=False), SEQUENCES),
    "attention": (
        nn.MultiHeadAttention(8, 2),
        lambda t: t.nn.MultiheadAttention(8, 2, batch_first=True), STEPS,
    ),
    "attention, no bias": (
        nn.MultiHeadAttention(8, 4, bias=False),
        lambda t: t.nn.MultiheadAttention(8, 4, bias=False, batch_first=True), STEPS,
    ),
    "block": (nn.TransformerBlock(8, 2, 12), lambda t: block(t, True), STEPS),
    "block, post": (nn.TransformerBlock(8, 2, 12, norm="post"), lambda t: block(t, False), STEPS),
    "stack": (
        nn.Sequential(
            nn.Sequential(nn.Embedding(7, 8), nn.TransformerBlock(8, 2, 12)),
            nn.TransformerBlock(8, 2, 12), nn.LayerNorm(8), nn.Dense(8, 7),
        ),
        lambda t: t.nn.Sequential(
            t.nn.Sequential(t.nn.Embedding(7, 8), block(t, True)), block(t, True),
            t.nn.LayerNorm(8), t.nn.Linear(8, 7),
        ),
        TOKENS,
    ),
    "cnn": (
        nn.Sequential(
            nn.Conv2D(2, 4, 3, "relu", padding="same"), nn.BatchNorm2D(4), nn.MaxPool2D(2),
            nn.Flatten(), nn.Dropout(0.1), nn.Dense(24, 5, "tanh"), nn.Dense(5, 3),
        ),
        cnn, X,
    ),
    "cnn of sequences": (
        nn.Sequential(nn.Residual(nn.Conv1D(4, 4, 3, padding=1)), nn.Flatten(), nn.Dense(48, 2)),
        residual, SEQUENCES,
    ),
}  # fmt: skip


def theirs_of(torch: Any, build: Build) -> Any:
    """Return PyTorch's module with random weights, biases and statistics, in evaluation."""
    torch.manual_seed(0)
    module = build(torch).eval()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(0.5 * torch.rand(tensor.shape) + 0.1)
    return module


def outputs(torch: Any, ours: nn.Module, theirs: Any, x: np.ndarray) -> tuple[Any, Any]:
    """Return both outputs, channels last."""
    mine = ours.eval()(x).data
    spatial = any(
        isinstance(m, torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.ConvTranspose1d
        | torch.nn.ConvTranspose2d | torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)
        for m in theirs.modules()
    )  # fmt: skip
    given = torch.tensor(x.transpose(FIRST[x.ndim]) if spatial else x)
    with torch.no_grad():
        if isinstance(theirs, torch.nn.MultiheadAttention):
            out = theirs(given, given, given)[0]
        else:
            out = theirs(given)
    out = (out[0] if isinstance(out, tuple) else out).numpy()
    return mine, out.transpose(LAST[out.ndim]) if spatial and out.ndim > 2 else out


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_their_weights_in_our_layers(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    ours, build, x = CASES[name]
    theirs = theirs_of(torch, build)
    path = tmp_path / "weights.safetensors"
    save_file(theirs.state_dict(), path)
    for source in (path, theirs.state_dict()):
        ours.initialise(3)
        interop.from_torch(ours, source)
        mine, other = outputs(torch, ours, theirs, x)
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_our_weights_in_their_layers(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    ours, build, x = CASES[name]
    rng, theirs = np.random.default_rng(2), theirs_of(torch, build)
    for tensor in ours.named_tensors().values():
        if tensor.dtype.kind == "f":
            tensor.data = (0.5 * rng.random(tensor.shape) + 0.1).astype(np.float32)
    interop.save_torch(ours, tmp_path / "w")
    theirs.load_state_dict(load_file(tmp_path / "w"), strict=True)
    mine, other = outputs(torch, ours, theirs, x)
    np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.torch
def test_half_precision_and_tensors_that_require_gradients() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(4, 3)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        ours = nn.Dense(4, 3)
        interop.from_torch(ours, dict(theirs.to(dtype).named_parameters()))
        assert ours.weight.dtype == np.float32
        expected = theirs.weight.detach().float().numpy().T
        np.testing.assert_array_equal(ours.weight.data, expected)


@pytest.mark.parametrize("name", CASES)
def test_there_and_back_without_pytorch(name: str, tmp_path: Path) -> None:
    ours, _, _ = CASES[name]
    interop.save_torch(ours.initialise(4), tmp_path / "w")
    before = ours.state()
    interop.from_torch(ours.initialise(5), tmp_path / "w")
    for path, array in ours.state().items():
        if not path.endswith("stream"):
            np.testing.assert_allclose(array, before[path], rtol=1e-6)
            assert array.flags.c_contiguous


def test_what_does_not_fit_is_listed_and_nothing_changed() -> None:
    ours = nn.Sequential(nn.Dense(4, 6, "relu"), nn.Dense(6, 2))
    before = ours.state()
    state = interop.to_torch(ours)
    assert set(state) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    state["3.weight"] = state.pop("2.weight")
    state["0.weight"] = state["0.weight"].T
    match = (
        r"unexpected 3\.weight; 0\.weight: expected shape \(6, 4\), got \(4, 6\); missing 2\.weight"
        r"; build the same layers, or say with names="
    )
    with pytest.raises(ValueError, match=match):
        interop.from_torch(ours, state)
    assert all(np.array_equal(ours.state()[path], before[path]) for path in before)


def test_names_that_differ() -> None:
    ours = nn.Sequential(nn.Dense(4, 6, "relu"), nn.Sequential(nn.Dense(6, 2), nn.Dense(2, 2)))
    names = {"layers.0": "body.fc", "layers.1": "head"}
    state = interop.to_torch(ours, names)
    assert [n for n in state if "weight" in n] == [
        "body.fc.weight",
        "head.0.weight",
        "head.1.weight",
    ]
    before = ours.state()
    interop.from_torch(ours.initialise(9), state, names)
    assert all(np.array_equal(ours.state()[path], before[path]) for path in before)
    with pytest.raises(ValueError, match=r"expected paths of modules in the network, got lay"):
        interop.to_torch(ours, {"layers.7": "x"})


def test_flattened_maps_of_branches_want_to_be_told() -> None:
    both = nn.Parallel(nn.Conv2D(2, 3, 1), nn.Conv2D(2, 1, 1))
    ours = nn.Sequential(both, nn.Flatten(), nn.Dense(8, 2))
    with pytest.raises(
        ValueError, match=r"how many channels layers\.2 reads .*channels=\{'layers\.2"
    ):
        interop.to_torch(ours)
    weight = interop.to_torch(ours, channels={"layers.2": 4})["2.weight"]  # (2, 4 * 2)
    dense: Any = ours[2]
    expected = dense.weight.data.reshape(2, 4, 2).transpose(2, 1, 0).reshape(2, 8)
    np.testing.assert_array_equal(weight, expected)


def test_what_follows_flattened_maps_is_a_dense_layer() -> None:
    ours = nn.Sequential(nn.Conv1D(2, 3, 1), nn.Flatten(), nn.BatchNorm1D(6), nn.Dense(6, 2))
    with pytest.raises(ValueError, match="expected a Dense layer after Flatten, got BatchNorm1D"):
        interop.to_torch(ours)
    with pytest.raises(ValueError, match=r"channels: expected paths of Dense layers, got 'lay"):
        interop.to_torch(nn.Sequential(nn.ReLU()), channels={"layers.0": 3})


def test_the_file_is_a_plain_one(tmp_path: Path) -> None:
    interop.save_torch(nn.BatchNorm1D(3), tmp_path / "w")
    assert container.read(tmp_path / "w").metadata["format"] == "pt"  # as others ask for
    assert set(container.read(tmp_path / "w").arrays) == {
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    }  # fmt: skip
    arrays = dict(interop.to_torch(nn.BatchNorm1D(3)))
    arrays.pop("num_batches_tracked")  # older files have none
    interop.from_torch(nn.BatchNorm1D(3), arrays)


@pytest.mark.parametrize(
    ("weight", "match"),
    [(np.ones((3, 2), complex), "real numbers, got complex128"), ("x", "real numbers, got <U1")],
)
def test_what_is_no_real_number_is_refused(weight: Any, match: str) -> None:
    with pytest.raises(TypeError, match=f"weight: expected an array of {match}"):
        interop.from_torch(nn.Dense(2, 3), {"weight": weight, "bias": np.zeros(3)})


@pytest.mark.torch
def test_a_module_in_place_of_its_state_is_refused() -> None:
    torch = pytest.importorskip("torch")
    source: Any = torch.nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"got a Linear; pass its state_dict\(\)"):
        interop.from_torch(nn.Dense(2, 3), source)
