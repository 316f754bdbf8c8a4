"""Recurrent layers: the equations by hand, states, lengths, and that they learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.layer_samples_sequence import torch_recurrent
from pellucid import ShapeError, Tensor, gradcheck, nn, optim, train
from pellucid.nn.initialisers import constant
from support.trace import Symbol, tracing

KINDS = [nn.RNN, nn.LSTM, nn.GRU]
SETTINGS: list[dict[str, Any]] = [{}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True}]
RNG = np.random.default_rng(0)
kinds = pytest.mark.parametrize("kind", KINDS)
layouts = pytest.mark.parametrize("how", SETTINGS)


def build(kind: type[Any], *sizes: int, **how: Any) -> Any:
    """Return a layer in float64 with all parameters random."""
    layer = kind(*sizes, **how).astype("float64")
    for parameter in layer.parameters():
        parameter.data = RNG.normal(size=parameter.shape)
    return layer


def start(layer: Any, n: int) -> Any:
    """Return a random state of a layer, which requires a gradient."""
    shape = (len(layer.cells), n, layer.hidden_size)
    parts = tuple(Tensor(RNG.normal(size=shape), requires_grad=True) for _ in layer.parts)
    return parts if isinstance(layer, nn.LSTM) else parts[0]


def flat(state: Any) -> list[Tensor]:
    """Return the parts of a state."""
    return list(state) if isinstance(state, tuple) else [state]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# the equations


def by_hand(layer: Any, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[Any, Any]:
    """Return (h, c) after one step of one layer, from the textbook; x is (N, F)."""
    cell, n = layer.cells[0], layer.hidden_size
    w, u, b = (t.data for t in (cell.input_weight, cell.recurrent_weight, cell.bias))
    if isinstance(layer, nn.RNN):
        return np.tanh(x @ w + h @ u + b), c
    a, q = np.split(x @ w + b, w.shape[1] // n, 1), np.split(h @ u, w.shape[1] // n, 1)
    if isinstance(layer, nn.LSTM):
        i, f, o = (sigmoid(a[k] + q[k]) for k in (0, 1, 3))
        c = f * c + i * np.tanh(a[2] + q[2])
        return o * np.tanh(c), c
    d = np.split(cell.recurrent_bias.data, 3)
    r, z = (sigmoid(a[k] + q[k] + d[k]) for k in (0, 1))
    return (1 - z) * np.tanh(a[2] + r * (q[2] + d[2])) + z * h, c


@kinds
def test_one_step_is_the_textbook_s(kind: type[Any]) -> None:
    layer, x = build(kind, 3, 2), RNG.normal(size=(4, 1, 3))
    state = start(layer, 4)
    before = [part.data[0] for part in flat(state)]
    out, after = layer.run(x, state)
    h, c = by_hand(layer, x[:, 0], before[0], before[-1])
    np.testing.assert_allclose(out.data[:, 0], h, 1e-12)
    for part, expected in zip(flat(after), (h, c), strict=False):
        np.testing.assert_allclose(part.data[0], expected, 1e-12)


@kinds
@layouts
def test_a_sequence_may_be_read_in_pieces(kind: type[Any], how: dict[str, Any]) -> None:
    layer = build(kind, 3, 2, **how | {"bidirectional": False})
    x = RNG.normal(size=(2, 7, 3))
    whole, final = layer.run(x)
    state, pieces = None, []
    for piece in (x[:, :3], x[:, 3:4], x[:, 4:]):
        out, state = layer.run(piece, state)
        pieces.append(out.data)
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole.data, 1e-12)
    for part, expected in zip(flat(state), flat(final), strict=True):
        np.testing.assert_allclose(part.data, expected.data, 1e-12)


@kinds
def test_backward_is_forward_on_the_reversed_sequence(kind: type[Any]) -> None:
    both, one = build(kind, 3, 2, bidirectional=True), build(kind, 3, 2)
    one.cells = both.cells[1:]
    x = RNG.normal(size=(2, 5, 3))
    out, final = both.run(x)
    back, end = one.run(x[:, ::-1])
    np.testing.assert_allclose(out.data[:, ::-1, 2:], back.data, 1e-12)
    for part, expected in zip(flat(final), flat(end), strict=True):
        np.testing.assert_allclose(part.data[1:], expected.data, 1e-12)


@kinds
@layouts
def test_what_a_call_returns(kind: type[Any], how: dict[str, Any]) -> None:
    layer, x = build(kind, 3, 2, **how), RNG.normal(size=(4, 5, 3))
    out, final = layer.run(x)
    np.testing.assert_array_equal(layer(x).data, out.data)
    layer.return_sequences = False
    expected = np.concatenate(list(flat(final)[0].data[-layer.directions :]), 1)
    np.testing.assert_array_equal(layer(x).data, expected)
    np.testing.assert_array_equal(expected[:, :2], out.data[:, -1, :2])
    np.testing.assert_array_equal(expected[:, 2:], out.data[:, 0, 2:])


# states and lengths, against PyTorch


@pytest.mark.torch
@kinds
@layouts
@pytest.mark.parametrize("lengths", [None, [3, 1, 5, 4], [5, 5, 5, 5], [2, 2, 1, 1]])
def test_states_and_lengths_are_torch_s(
    kind: type[Any], how: dict[str, Any], lengths: list[int] | None
) -> None:
    """Outputs, final states and every gradient; PyTorch reads packed sequences."""
    torch = pytest.importorskip("torch")
    layer, x = build(kind, 3, 2, **how), Tensor(RNG.normal(size=(4, 5, 3)), requires_grad=True)
    state = start(layer, 4)
    out, final = layer.run(x, state, lengths)

    rnn = torch.nn.utils.rnn
    leaf = {"dtype": torch.float64, "requires_grad": True}
    p = {path: torch.tensor(t.data, **leaf) for path, t in layer.named_parameters().items()}
    their_x = torch.tensor(x.data, **leaf)
    their_state = [torch.tensor(part.data, **leaf) for part in flat(state)]
    given = tuple(their_state) if isinstance(state, tuple) else their_state[0]
    packed = (
        their_x
        if lengths is None
        else rnn.pack_padded_sequence(their_x, lengths, batch_first=True, enforce_sorted=False)
    )
    their_out, their_final = torch_recurrent(torch, kind.__name__, packed, p, given, **how)
    if lengths is not None:
        their_out = rnn.pad_packed_sequence(their_out, batch_first=True, total_length=5)[0]

    ours, theirs = [out, *flat(final)], [their_out, *flat(their_final)]
    weights = [RNG.normal(size=t.shape) for t in ours]
    sum((t * Tensor(w)).sum() for t, w in zip(ours, weights, strict=True)).backward()
    sum((t * torch.tensor(w)).sum() for t, w in zip(theirs, weights, strict=True)).backward()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.data, b.detach().numpy(), 1e-11, 1e-12)
    pairs = [(x, their_x), *zip(flat(state), their_state, strict=True)]
    for a, b in [*pairs, *((t, p[path]) for path, t in layer.named_parameters().items())]:
        np.testing.assert_allclose(a.grad, b.grad.numpy(), 1e-10, 1e-12)


@given(
    st.sampled_from(KINDS),
    st.sampled_from(SETTINGS),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
    st.sampled_from([0.0, 7.0, -1e30, math.nan, math.inf]),
)
@settings(deadline=None, max_examples=40)
def test_padding_does_not_matter(
    kind: type[Any], how: dict[str, Any], lengths: list[int], padding: float
) -> None:
    """Each sequence gives what it gives alone, and gradients too are as if padding were 0."""
    layer = build(kind, 3, 2, **how)
    real = np.arange(5) < np.array(lengths)[:, None]
    clean = np.where(real[..., None], RNG.normal(size=(len(lengths), 5, 3)), 0.0)
    results = []
    for filled in (clean, np.where(real[..., None], clean, padding)):
        layer.zero_grad()
        x = Tensor(filled, requires_grad=True)
        out, final = layer.run(x, lengths=lengths)
        np.testing.assert_array_equal(out.data[~real], 0)
        (sum((part * part).sum() for part in flat(final)) + (out * out).sum()).backward()
        np.testing.assert_array_equal(x.grad[~real], 0)
        arrays = [out.data, *(part.data for part in flat(final)), x.grad]
        results.append([*arrays, *(p.grad for p in layer.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    for k, n in enumerate(lengths):
        if n == 0:
            assert not any(part[:, k].any() for part in results[0][1 : 1 + len(flat(final))])
            continue
        alone, end = layer.run(clean[k : k + 1, :n])
        np.testing.assert_allclose(results[0][0][k, :n], alone.data[0], 1e-11, 1e-13)
        for part, expected in zip(results[0][1:], flat(end), strict=False):
            np.testing.assert_allclose(part[:, k], expected.data[:, 0], 1e-11, 1e-13)


@kinds
def test_a_call_takes_lengths_and_a_state(kind: type[Any]) -> None:
    layer, x = build(kind, 3, 2, return_sequences=False), RNG.normal(size=(2, 4, 3))
    state = start(layer, 2)
    expected = flat(layer.run(x, state, [2, 4])[1])[0]
    np.testing.assert_array_equal(layer(x, state, lengths=[2, 4]).data, expected.data[0])


@kinds
@layouts
def test_gradients_with_lengths_are_those_of_differences(
    kind: type[Any], how: dict[str, Any]
) -> None:
    layer = build(kind, 2, 2, **how)
    x = RNG.normal(size=(3, 3, 2))
    assert gradcheck(lambda x: layer(x, lengths=[1, 3, 2]), x, parameters=layer, order=2)


@kinds
@layouts
def test_a_sequence_without_a_step_ends_where_it_starts(
    kind: type[Any], how: dict[str, Any]
) -> None:
    layer = build(kind, 3, 2, **how)
    x, state = RNG.normal(size=(3, 4, 3)), start(layer, 3)
    out, final = layer.run(x, state, lengths=[2, 0, 4])
    assert not out.data[1].any()
    for part, first in zip(flat(final), flat(state), strict=True):
        np.testing.assert_array_equal(part.data[:, 1], first.data[:, 1])
        assert (part.data[:, [0, 2]] != first.data[:, [0, 2]]).all()
    total = lambda *parts: sum(  # noqa: E731
        (part**2).sum() for part in flat(layer.run(x, rejoined(parts), [2, 0, 4])[1])
    )
    assert gradcheck(total, *flat(state), parameters=layer)


def rejoined(parts: Sequence[Any]) -> Any:
    """Return the parts of a state as `run` takes them."""
    return parts[0] if len(parts) == 1 else parts


# starting values, dtypes, tracing


def test_starting_values() -> None:
    layer = nn.LSTM(20, 30, rng=0)
    w, u, b = (
        t.data
        for t in (
            layer.cells[0].input_weight,
            layer.cells[0].recurrent_weight,
            layer.cells[0].bias,
        )
    )
    for block in np.split(u, 4, axis=1):
        np.testing.assert_allclose(block.T @ block, np.eye(30), atol=1e-5)
    bound = math.sqrt(6 / (20 + 30))
    assert 0.95 * bound < np.abs(w).max() <= bound
    np.testing.assert_array_equal(b, np.repeat([0, 1, 0, 0], 30))
    assert all(t.dtype == np.float32 for t in layer.parameters())


def test_initialisers_may_be_chosen() -> None:
    layer = nn.GRU(3, 2, init="ones", recurrent_init=constant(0.5))
    assert (layer.cells[0].input_weight.data == 1).all()
    assert (layer.cells[0].recurrent_weight.data == 0.5).all()
    with pytest.raises(ValueError, match=r"starting values of shape \(3, 2\) for a gate, got"):
        nn.GRU(3, 2, init=lambda shape, fan_in, fan_out, rng: np.zeros(shape[::-1]))


def test_counts_of_parameters_are_keras_s() -> None:
    sizes = {nn.RNN: 1, nn.LSTM: 4, nn.GRU: 3}
    for kind, gates in sizes.items():
        count = sum(p.size for p in kind(5, 7).parameters())
        assert count == gates * (5 * 7 + 7 * 7 + 7) + (21 if kind is nn.GRU else 0)


@kinds
def test_float32_stays_float32(kind: type[Any]) -> None:
    layer = kind(3, 2, 2, bidirectional=True)
    for x in (np.ones((2, 4, 3)), np.ones((2, 4, 3), int), [[[1, 2, 3]], [[4, 5, 6]]]):
        out, final = layer.run(x, lengths=[1, 1])
        assert out.dtype == np.float32
        assert all(part.dtype == np.float32 for part in flat(final))


@kinds
@pytest.mark.parametrize("every", [True, False])
def test_a_step_is_recorded(kind: type[Any], every: bool) -> None:
    """Nothing in the loop over time asks for elements."""
    layer = build(kind, 3, 2, num_layers=2, bidirectional=True, return_sequences=every)
    x = RNG.normal(size=(2, 4, 3))
    with tracing() as trace:
        symbol = Tensor(trace.input(x), requires_grad=True)
        out = layer(symbol)
        out.sum().backward()
        assert isinstance(out.data, Symbol)
        results = [out.data, symbol.grad]
    layer.zero_grad()  # of symbols
    other = Tensor(RNG.normal(size=x.shape), requires_grad=True)
    expected = layer(other)
    expected.sum().backward()
    for a, b in zip(trace.run(results, other.data), (expected.data, other.grad), strict=True):
        np.testing.assert_allclose(a, b, 1e-12, 1e-13)


# what is refused


@pytest.mark.parametrize(
    ("arguments", "how", "message"),
    [
        ((0, 2), {}, "RNN: expected input_size to be a positive whole number, got 0"),
        ((3, 2.0), {}, "hidden_size to be a positive whole number, got 2.0"),
        ((3, 2, True), {}, "num_layers to be a positive whole number, got True"),
        ((3, 2), {"nonlinearity": "gelu"}, "'tanh' or 'relu', got 'gelu'"),
        ((3, 2), {"recurrent_init": "ortogonal"}, "did you mean 'orthogonal'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    arguments: Any, how: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        nn.RNN(*arguments, **how)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((4, 7), int), r"\(N, T, 3\), got \(4, 7\); .* nn.Embedding\(.., 3\)"),
        (np.ones((4, 3)), r"got \(4, 3\); pass one sequence as a batch, x\[None\]"),
        (np.ones(3), "pass N sequences of T steps each"),
        (np.ones((2, 4, 5)), r"got \(2, 4, 5\); GRU\(5, 2\) would fit it$"),
        (np.ones((2, 3, 5)), r"if the features come first, x.transpose\(0, 2, 1\)"),
        (np.ones((2, 0, 3)), "a sequence has at least one step"),
    ],
)
def test_inputs_of_other_shapes_are_refused(x: Any, message: str) -> None:
    network = nn.Sequential(nn.GRU(3, 2))
    with pytest.raises(ShapeError, match=rf"^layers.0 \(GRU\): expected sequences .*{message}"):
        network(x)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, -1], ValueError, r"lengths from 0 to 4, .* got -1 \(sequence 1\)"),
        ([5, 1], ValueError, r"got 5 \(sequence 0\)"),
        ([2], ShapeError, r"shape \(2,\), got \(1,\)"),
        ([[1], [2]], ShapeError, r"got \(2, 1\)"),
        ([1.0, 2.0], TypeError, "expected lengths as integers, got float64"),
        (np.array([True, False]), TypeError, r"got bool; .* mask.sum\(axis=1\)"),
    ],
)
def test_lengths_out_of_range_are_refused(lengths: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        nn.LSTM(3, 2).run(np.ones((2, 4, 3)), lengths=lengths)


@pytest.mark.parametrize(
    ("kind", "state", "error", "message"),
    [
        (nn.GRU, np.ones((2, 2)), ShapeError, r"state of shape .* = \(1, 2, 2\), got \(2, 2\)"),
        (nn.LSTM, np.ones((1, 2, 2)), TypeError, r"a pair \(h, c\), got ndarray"),
        (nn.LSTM, [np.ones((1, 2, 2))], TypeError, "got list"),
        (nn.LSTM, [np.ones((1, 2, 2)), np.ones((1, 2, 3))], ShapeError, r"c of shape"),
    ],
)
def test_states_that_do_not_fit_are_refused(
    kind: type[Any], state: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        kind(3, 2).run(np.ones((2, 4, 3)), state)


# learning


@kinds
def test_fit_learns_which_symbol_came_first(kind: type[Any]) -> None:
    """Of two marked symbols among others: the answer is the first's, seen up to 11 steps ago."""
    rng = np.random.default_rng(0)
    x = rng.integers(2, 6, size=(300, 12))
    places = np.sort(np.argsort(rng.random((300, 12)), axis=1)[:, :2], axis=1)
    y = rng.integers(0, 2, size=300)
    x[np.arange(300), places[:, 0]], x[np.arange(300), places[:, 1]] = y, 1 - y
    network = nn.Sequential(
        nn.Embedding(6, 8), kind(8, 16, return_sequences=False), nn.Dense(16, 2), rng=0
    )
    model = train.Model(network, "cross_entropy", optim.Adam(0.02), metrics=["accuracy"])
    model.fit(x[:200], y[:200], epochs=30, seed=0, verbose=0)
    assert model.evaluate(x[200:], y[200:])["accuracy"] > 0.9


def test_fit_learns_the_parity_of_bits_so_far() -> None:
    """A target at every step: integers (N, T) in, labels (N, T) to learn."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, size=(256, 8))
    y = x.cumsum(axis=1) % 2
    network = nn.Sequential(nn.Embedding(2, 4), nn.LSTM(4, 12), nn.Dense(12, 2), rng=0)
    model = train.Model(network, "cross_entropy", optim.Adam(0.03))
    history = model.fit(x[:192], y[:192], epochs=40, seed=0, verbose=0, validation_split=0.1)
    assert history["loss"][-1] < 0.1 < history["loss"][0]
    assert model.evaluate(x[192:], y[192:])["loss"] < 0.2
    assert model.predict(x).shape == (256, 8, 2)
    assert (model.predict_classes(x[192:]) == y[192:]).mean() > 0.95


def test_summary_shows_the_layer() -> None:
    network = nn.Sequential(nn.LSTM(3, 4), nn.Dense(4, 2))
    text = str(train.Model(network, "mse").summary((5, 3)))
    assert "LSTM(3, 4)" in text
    assert "(N, 5, 4)" in text


def test_no_sequences_have_no_lengths() -> None:
    layer = nn.LSTM(3, 2, return_sequences=False)
    assert layer(np.ones((0, 4, 3)), lengths=[]).shape == (0, 2)
