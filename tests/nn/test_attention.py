"""Attention: masks, causality, what does and what does not depend on the order of steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.layer_samples_sequence import torch_attention
from pellucid import ShapeError, Tensor, gradcheck, nn, optim, train
from pellucid.nn import attention_weights, scaled_dot_product_attention
from pellucid.nn.positions import sinusoids
from support.trace import Symbol, tracing

RNG = np.random.default_rng(0)
TEXT = "to see through a network is to see that there is nothing in it but numbers. "


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Return random tensors in float64."""
    return [Tensor(RNG.normal(size=shape), requires_grad=True) for shape in shapes]


def build(kind: type[Any], *sizes: int, **how: Any) -> Any:
    """Return a layer in float64 with all parameters random."""
    layer = kind(*sizes, **how).astype("float64")
    for parameter in layer.parameters():
        parameter.data = RNG.normal(size=parameter.shape)
    return layer


# the function


def by_hand(q: Any, k: Any, v: Any, allowed: Any) -> np.ndarray:
    """Return attention of one sequence, query by query and key by key."""
    out = np.zeros((len(q), v.shape[1]))
    for i, query in enumerate(q):
        weights = [
            math.exp(query @ key / math.sqrt(len(query))) if allowed[i, j] else 0.0
            for j, key in enumerate(k)
        ]
        for weight, value in zip(weights, v, strict=True):
            out[i] += weight / (sum(weights) or 1.0) * value
    return out


@given(st.integers(1, 4), st.integers(1, 4), st.booleans(), st.data())
@settings(deadline=None)
def test_it_is_the_sum_written_out(queries: int, keys: int, causal: bool, data: Any) -> None:
    q, k, v = (x.data for x in tensors((queries, 3), (keys, 3), (keys, 2)))
    flags = data.draw(st.lists(st.booleans(), min_size=queries * keys, max_size=queries * keys))
    mask = np.array(flags).reshape(queries, keys)
    past = np.array([[j <= i for j in range(keys)] for i in range(queries)])
    expected = by_hand(q, k, v, mask & past if causal else mask)
    out = scaled_dot_product_attention(q, k, v, mask, causal)
    np.testing.assert_allclose(out.data, expected, 1e-12, 1e-13)
    weights = attention_weights(q, k, mask, causal).data
    anything = (mask & past if causal else mask).any(axis=1)
    np.testing.assert_allclose(weights.sum(axis=1), anything.astype(float), 1e-12)


MASKS: dict[str, Any] = {
    "none": None,
    "for all": RNG.random((4, 5)) < 0.7,
    "each its own": RNG.random((2, 3, 4, 5)) < 0.7,
    "keys": RNG.random((2, 1, 1, 5)) < 0.7,
}
for _mask in (MASKS["for all"], MASKS["each its own"], MASKS["keys"]):
    _mask[..., 0] = True  # PyTorch's gradients are NaN where nothing may be attended to


@pytest.mark.torch
@pytest.mark.parametrize("mask", MASKS)
def test_values_and_gradients_are_torch_s(mask: str) -> None:
    torch = pytest.importorskip("torch")
    ours = tensors((2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 2))
    theirs = [torch.tensor(x.data, requires_grad=True) for x in ours]
    given_mask = None if MASKS[mask] is None else torch.tensor(MASKS[mask])
    attend = torch.nn.functional.scaled_dot_product_attention
    for causal in (False, True) if mask == "none" else (False,):
        out = scaled_dot_product_attention(*ours, MASKS[mask], causal)
        expected = attend(*theirs, attn_mask=given_mask, is_causal=causal)
        np.testing.assert_allclose(out.data, expected.detach().numpy(), 1e-12, 1e-13)
        v = RNG.normal(size=out.shape)
        out.backward(v)
        expected.backward(torch.tensor(v))
    for x, their_x in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad, their_x.grad.numpy(), 1e-11, 1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_with_a_row_that_may_attend_to_nothing(order: int) -> None:
    mask = np.array([[True, True, False], [False, False, False]])
    q, k, v = (x.data for x in tensors((2, 4), (3, 4), (3, 2)))
    assert gradcheck(lambda *x: scaled_dot_product_attention(*x, mask), q, k, v, order=order)


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_that_may_attend_to_nothing_is_0_with_gradients_of_0(
    dtype: str, scale: float
) -> None:
    q, k, v = (
        Tensor((scale * x.data).astype(dtype), requires_grad=True)
        for x in tensors((2, 4), (3, 4), (3, 2))
    )
    out = scaled_dot_product_attention(q, k, v, np.zeros((2, 3), bool))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.data, 0)
    out.backward(np.ones(out.shape, dtype))
    for x in (q, k, v):
        np.testing.assert_array_equal(x.grad, 0)


def test_what_is_masked_has_no_influence() -> None:
    """Not even where its score would be by far the largest."""
    q, k, v = (x.data for x in tensors((2, 4), (3, 4), (3, 2)))
    mask = np.array([True, True, False])
    expected = scaled_dot_product_attention(q, k[:2], v[:2])
    k[2], v[2] = 1e6 * q[0], 1e6
    out = scaled_dot_product_attention(q, k, v, mask)
    np.testing.assert_allclose(out.data, expected.data, 1e-12)


@pytest.mark.parametrize(
    ("shapes", "mask", "error", "message"),
    [
        (((2, 4), (3, 5), (3, 2)), None, ShapeError, r"got \(2, 4\) and \(3, 5\)"),
        (((2, 4), (3, 4), (2, 2)), None, ShapeError, r"values \(2, 2\) beside keys \(3, 4\)"),
        (((4,), (3, 4), (3, 2)), None, ShapeError, r"queries \(..., Tq, d\) .* got \(4,\)"),
        (((2, 4), (3, 4), (3, 2)), np.ones((2, 3)), TypeError, "boolean, True .* got float64"),
        (((2, 4), (3, 4), (3, 2)), np.ones((3, 2), bool), ShapeError, r"\(2, 3\), got \(3, 2\)"),
        (((2, 4), (3, 4), (3, 2)), np.ones((2, 2, 3), bool), ShapeError, r"got \(2, 2, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(shapes: Any, mask: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        scaled_dot_product_attention(*tensors(*shapes), mask)


def test_whole_numbers_become_float32() -> None:
    out = scaled_dot_product_attention(np.eye(2, dtype=int), np.eye(2, dtype=int), [[1, 2], [3, 4]])
    assert out.dtype == np.float32


# the layer


@pytest.mark.torch
@pytest.mark.parametrize("masks", [(), ("mask",), ("key_mask",), ("mask", "key_mask")])
@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5), (2, 3, 4, 5)])
def test_attention_to_a_memory_is_torch_s(shape: tuple[int, ...], masks: tuple[str, ...]) -> None:
    """Values and all gradients; PyTorch's masks are True where attention is forbidden."""
    torch = pytest.importorskip("torch")
    layer = build(nn.MultiHeadAttention, 6, 3)
    x, memory = tensors((2, 4, 6), (2, 5, 6))
    given_masks = {
        "mask": np.random.default_rng(1).random(shape) < 0.7,
        "key_mask": np.array([[True] * 5, [True, True, True, False, False]]),
    }
    given_masks["mask"][..., 0] = True
    given_masks = {name: given_masks[name] for name in masks}
    out = layer(x, memory, **given_masks)

    leaf = {"dtype": torch.float64, "requires_grad": True}
    p = {path: torch.tensor(t.data, **leaf) for path, t in layer.named_parameters().items()}
    theirs = [torch.tensor(t.data, **leaf) for t in (x, memory)]
    forbidden = {name: torch.tensor(~mask) for name, mask in given_masks.items()}
    how = {"need_weights": False, "key_padding_mask": forbidden.get("key_mask")}
    if "mask" in forbidden:
        whole = forbidden["mask"].unsqueeze(1) if len(shape) == 3 else forbidden["mask"]
        how["attn_mask"] = whole.expand(2, 3, 4, 5).reshape(6, 4, 5)
    attention = torch.nn.MultiheadAttention(6, 3, batch_first=True).double()
    inputs = (theirs[0], theirs[1], theirs[1])
    expected = torch.func.functional_call(attention, torch_attention(torch, p), inputs, how)[0]

    v = RNG.normal(size=out.shape)
    out.backward(v)
    expected.backward(torch.tensor(v))
    np.testing.assert_allclose(out.data, expected.detach().numpy(), 1e-11, 1e-12)
    pairs = zip((x, memory), theirs, strict=True)
    for a, b in [*pairs, *((t, p[path]) for path, t in layer.named_parameters().items())]:
        np.testing.assert_allclose(a.grad, b.grad.numpy(), 1e-10, 1e-11)


LAYERS = {
    "attention": lambda **how: build(nn.MultiHeadAttention, 6, 3, **how),
    "block, pre": lambda **how: build(nn.TransformerBlock, 6, 2, **how),
    "block, post": lambda **how: build(nn.TransformerBlock, 6, 2, norm="post", **how),
}
layers = pytest.mark.parametrize("name", LAYERS)


@layers
@pytest.mark.parametrize("step", [1, 3, 4])
def test_a_later_step_does_not_change_earlier_ones(name: str, step: int) -> None:
    x = RNG.normal(size=(2, 5, 6))
    other = x.copy()
    other[:, step:] = RNG.normal(size=other[:, step:].shape)
    for causal in (True, False):
        layer = LAYERS[name](causal=causal)
        a, b = layer(x).data, layer(other).data
        assert np.array_equal(a[:, :step], b[:, :step]) == causal
        assert not np.allclose(a[:, step], b[:, step])


@layers
def test_the_past_is_a_mask_too(name: str) -> None:
    causal, layer = LAYERS[name](causal=True), LAYERS[name]()
    layer.load_state(causal.state())
    x = RNG.normal(size=(2, 5, 6))
    mask = np.tri(5, dtype=bool)
    np.testing.assert_allclose(layer(x, mask=mask).data, causal(x).data, 1e-12)
    np.testing.assert_allclose(causal(x, mask=mask).data, causal(x).data, 1e-12)


@layers
@given(st.permutations(range(5)))
@settings(deadline=None, max_examples=20)
def test_without_positions_the_order_of_steps_does_not_matter(name: str, order: list[int]) -> None:
    """Outputs are permuted as the steps are."""
    layer, x = LAYERS[name](), RNG.normal(size=(2, 5, 6))
    np.testing.assert_allclose(layer(x[:, order]).data, layer(x).data[:, order], 1e-9, 1e-10)


@pytest.mark.parametrize("learned", [False, True])
def test_with_positions_it_does(learned: bool) -> None:
    layer = nn.Sequential(nn.PositionalEncoding(5, 6, learned), nn.MultiHeadAttention(6, 2), rng=0)
    x = RNG.normal(size=(2, 5, 6))
    assert not np.allclose(layer(x[:, ::-1]).data, layer(x).data[:, ::-1], atol=1e-4)


@layers
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.sampled_from([0.0, -3.0, 1e6]))
@settings(deadline=None, max_examples=20)
def test_padding_does_not_matter(name: str, lengths: list[int], padding: float) -> None:
    layer = LAYERS[name]()
    real = np.arange(5) < np.array(lengths)[:, None]
    x = RNG.normal(size=(len(lengths), 5, 6))
    padded = np.where(real[..., None], x, padding)
    out = layer(padded, key_mask=real).data
    assert np.isfinite(out).all()
    for k, n in enumerate(lengths):
        np.testing.assert_allclose(out[k, :n], layer(x[k : k + 1, :n]).data[0], 1e-9, 1e-10)


def test_a_sequence_of_padding_alone_gathers_nothing() -> None:
    layer = build(nn.MultiHeadAttention, 4, 2)
    x = Tensor(RNG.normal(size=(2, 3, 4)), requires_grad=True)
    out = layer(x, key_mask=[[True, True, True], [False, False, False]])
    np.testing.assert_array_equal(out.data[1], np.tile(layer.out.bias.data, (3, 1)))
    out.sum().backward()
    np.testing.assert_array_equal(x.grad[1], 0)
    assert all(np.isfinite(p.grad).all() for p in layer.parameters())


def test_dropout_acts_on_the_weights_in_training_only() -> None:
    layer = build(nn.MultiHeadAttention, 4, 2, dropout=0.5)
    x = RNG.normal(size=(3, 6, 4))
    drawn = np.stack([layer(x).data for _ in range(1000)])
    layer.eval()
    error = (drawn.mean(axis=0) - layer(x).data) / (drawn.std(axis=0) / math.sqrt(1000))
    assert (drawn.std(axis=0) > 0).all()
    assert np.abs(error).max() < 5


def test_float32_stays_float32() -> None:
    layer = nn.TransformerBlock(4, 2, causal=True)
    x = np.ones((1, 3, 4))
    for given_x in (x, x.astype(int), x.tolist(), Tensor(x, dtype="float32")):
        out = layer(given_x, key_mask=np.ones((1, 3), bool))
        assert out.dtype == np.float32
        out.sum().backward()
        assert all(p.grad.dtype == np.float32 for p in layer.parameters())


@layers
def test_a_step_is_recorded(name: str) -> None:
    """Masks are inputs of the program, as the examples are."""
    layer, x = LAYERS[name](causal=True), RNG.normal(size=(2, 4, 6))
    mask = np.array([[True] * 4, [True, True, False, False]])
    with tracing() as trace:
        symbols = trace.input(x), trace.input(mask)
        out = layer(Tensor(symbols[0]), key_mask=Tensor(symbols[1])).data
    assert isinstance(out, Symbol)
    for real in (mask, mask[::-1]):
        other = RNG.normal(size=x.shape)
        found = trace.run(out, other, real)
        np.testing.assert_allclose(found, layer(other, key_mask=real).data, 1e-11, 1e-12)


# positions


def test_a_shift_of_the_sinusoids_is_a_rotation() -> None:
    """One that does not depend on the position: the paper's reason for them."""
    table = sinusoids(50, 6).reshape(50, 3, 2)
    np.testing.assert_allclose((table**2).sum(-1), 1, 1e-12)
    for shift in (1, 7):
        inner = (table[:-shift] * table[shift:]).sum(-1)  # (positions, frequencies)
        np.testing.assert_allclose(inner, np.tile(inner[0], (50 - shift, 1)), atol=1e-12)


def test_positions_are_added_and_learned_if_wanted() -> None:
    x = RNG.normal(size=(2, 3, 4))
    fixed, learned = nn.PositionalEncoding(9, 4), nn.PositionalEncoding(9, 4, learned=True, rng=0)
    np.testing.assert_allclose(fixed(x).data, x + sinusoids(9, 4)[:3], 1e-14)
    assert learned(x).dtype == learned(x.astype("float32")).dtype == np.float32
    assert fixed(x.astype("float32")).dtype == np.float32
    assert not fixed.state()
    assert learned.positions.shape == (9, 4)
    assert learned.positions.data.std() == pytest.approx(0.02, rel=0.5)
    learned(x).sum().backward()
    np.testing.assert_array_equal(
        learned.positions.grad, np.repeat([2, 0], [3, 6])[:, None] + 0 * x[0, :1]
    )


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((2, 6, 4)), ShapeError, r"at most 5 steps, got 6; .* PositionalEncoding\(6, 4\)"),
        (np.ones((2, 5, 3)), ShapeError, r"shape \(..., T, 4\), got \(2, 5, 3\)"),
        (np.ones(4), ShapeError, r"got \(4,\)"),
        (np.ones((2, 4), int), TypeError, r"got int64; tokens go through nn.Embedding\(.., 4\)"),
    ],
)
def test_positions_refuse_what_does_not_fit(x: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        nn.PositionalEncoding(5, 4)(x)


# what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.MultiHeadAttention(10, 3), "divide d_model=10, .* num_heads=3; 2 would fit"),
        (lambda: nn.MultiHeadAttention(0, 3), "d_model to be a positive whole number, got 0"),
        (lambda: nn.MultiHeadAttention(6, 2.0), "num_heads to be a positive whole number, got 2.0"),
        (lambda: nn.MultiHeadAttention(6, 2, dropout=1.0), "expected a rate"),
        (lambda: nn.TransformerBlock(6, 4), "divide d_model=6, .* num_heads=4; 3 would fit"),
        (lambda: nn.TransformerBlock(6, 2, norm="before"), "'pre' or 'post', got 'before'"),
        (lambda: nn.TransformerBlock(6, 2, d_ff=0), "out_features to be a positive whole number"),
        (lambda: nn.TransformerBlock(6, 2, activation="gelo"), "did you mean 'gelu'"),
        (lambda: nn.PositionalEncoding(0, 4), "max_length to be a positive whole number, got 0"),
        (lambda: nn.PositionalEncoding(4, True), "d_model to be a positive whole number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "how", "error", "message"),
    [
        (np.ones((4, 7), int), {}, ShapeError, r"got \(4, 7\); .* nn.Embedding\(.., 4\)"),
        (np.ones((3, 4)), {}, ShapeError, r"got \(3, 4\); pass one sequence as a batch, x\[None\]"),
        (np.ones((2, 3, 5)), {}, ShapeError, r"\(N, T, 4\), got .* nn.Dense\(5, 4\)"),
        (None, {"memory": np.ones((2, 3, 5))}, ShapeError, r"expected memory of shape \(N, T, 4\)"),
        (None, {"memory": np.ones((1, 3, 4))}, ShapeError, "as many sequences .* 2, got 1"),
        (None, {"mask": np.ones((2, 3), bool)}, ShapeError, r"got \(2, 3\); .* key_mask"),
        (None, {"mask": np.ones((2, 1, 3, 3), bool)}, ShapeError, r"or \(2, 2, 3, 3\), got"),
        (None, {"mask": np.ones((3, 3))}, TypeError, "mask to be boolean"),
        (None, {"key_mask": np.ones((2, 4), bool)}, ShapeError, r"shape \(2, 3\), .* got \(2, 4\)"),
        (None, {"key_mask": np.ones((2, 3), int)}, TypeError, "key_mask to be boolean"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x: Any, how: Any, error: Any, message: str) -> None:
    layer = nn.MultiHeadAttention(4, 2)
    with pytest.raises(error, match=message):
        layer(np.ones((2, 3, 4)) if x is None else x, **how)


def test_a_causal_layer_takes_no_memory() -> None:
    with pytest.raises(ValueError, match="expected causal attention within x, got a memory"):
        nn.MultiHeadAttention(4, 2, causal=True)(np.ones((1, 3, 4)), np.ones((1, 3, 4)))


def test_an_error_says_which_layer_it_was() -> None:
    network = nn.Sequential(nn.Embedding(5, 6), nn.TransformerBlock(4, 2))
    with pytest.raises(ShapeError, match=r"^layers.1 \(TransformerBlock\): expected x of shape"):
        network(np.zeros((2, 3), int))


# learning


def test_a_causal_transformer_learns_a_text_by_heart() -> None:
    """Each letter from those before it: tokens (N, T) in, the next ones (N, T) to learn."""
    letters = sorted(set(TEXT))
    text = np.array([letters.index(letter) for letter in TEXT])
    windows = np.stack([text[i : i + 17] for i in range(0, len(text) - 16, 2)])
    x, y = windows[:, :-1], windows[:, 1:]
    network = nn.Sequential(
        nn.Embedding(len(letters), 32),
        nn.PositionalEncoding(16, 32, learned=True),
        nn.TransformerBlock(32, 4, d_ff=64, causal=True),
        nn.LayerNorm(32),
        nn.Dense(32, len(letters)),
        rng=0,
    )
    model = train.Model(network, "cross_entropy", optim.Adam(0.01))
    history = model.fit(x, y, epochs=60, batch_size=8, seed=0, verbose=0)
    assert history["loss"][-1] < 0.4 < history["loss"][0]
    assert model.evaluate(x, y)["loss"] < 0.4
    right = model.predict_classes(x) == y
    assert right[:, 8:].mean() > 0.97  # the first letters of a window leave several ways open


def test_where_there_is_nothing_to_attend_to_0_is_gathered() -> None:
    layer = nn.MultiHeadAttention(4, 2, rng=0)
    layer.out.bias.data = np.arange(4, dtype=np.float32)
    out = layer(np.ones((2, 3, 4)), memory=np.ones((2, 0, 4)))
    np.testing.assert_array_equal(out.data, np.broadcast_to([0, 1, 2, 3], (2, 3, 4)))
    out.sum().backward()
    np.testing.assert_array_equal(layer.out.bias.grad, 6)
    assert layer(np.ones((2, 0, 4))).shape == (2, 0, 4)
    assert nn.TransformerBlock(4, 2, causal=True)(np.ones((2, 0, 4))).shape == (2, 0, 4)
