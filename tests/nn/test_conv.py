"""Convolution layers: sizes, starting values, what they refuse; a small network that learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import ShapeError, Tensor, data, nn, optim
from pellucid.nn import spatial
from pellucid.nn.initialisers import Initialiser
from pellucid.train import Model

LAYERS = [nn.Conv1D, nn.Conv2D, nn.ConvTranspose1D, nn.ConvTranspose2D]
layers = pytest.mark.parametrize("kind", LAYERS)
Layer = type[Any]


def normal(*shape: int) -> np.ndarray:
    """Return random numbers."""
    return np.random.default_rng(sum(shape)).normal(size=shape)


# what they compute


def test_an_edge_by_hand() -> None:
    """A kernel (-1, 1) along W turns a step into a line; the kernel is not flipped."""
    layer = nn.Conv2D(1, 1, (1, 2))
    layer.weight.data = np.array([[[[-1.0]], [[1.0]]]], np.float32)
    layer.bias.data = np.array([0.5], np.float32)
    image = np.array([[0, 0, 1, 1], [0, 0, 0, 2]], np.float32)[None, :, :, None]
    np.testing.assert_array_equal(layer(image).data[0, :, :, 0], [[0.5, 1.5, 0.5], [0.5, 0.5, 2.5]])


def test_a_stamp_by_hand() -> None:
    """A transposed convolution stamps its kernel wherever the input is not 0."""
    layer = nn.ConvTranspose1D(1, 1, 3, stride=2, bias=False)
    layer.weight.data = np.array([1.0, 2.0, 3.0], np.float32).reshape(3, 1, 1)
    out = layer(np.array([[[1.0], [0.0], [10.0]]]))
    np.testing.assert_array_equal(out.data[0, :, 0], [1, 2, 3, 0, 10, 20, 30])


def test_a_depthwise_convolution_is_one_of_each_channel() -> None:
    layer = nn.Conv2D(3, 6, 3, stride=2, padding=1, groups=3).astype("float64")
    x = normal(2, 5, 4, 3)
    out = layer(x).data
    for channel in range(3):
        single = nn.Conv2D(1, 2, 3, stride=2, padding=1).astype("float64")
        filters = slice(2 * channel, 2 * channel + 2)
        single.weight.data = layer.weight.data[..., filters]
        expected = single(x[..., channel : channel + 1]).data
        np.testing.assert_allclose(out[..., filters], expected, rtol=1e-12)


def test_a_kernel_of_one_place_is_a_dense_layer() -> None:
    conv, dense = nn.Conv2D(3, 4, 1, "tanh", rng=0), nn.Dense(3, 4, "tanh")
    dense.weight.data = conv.weight.data[0, 0]
    x = normal(2, 3, 5, 3)
    np.testing.assert_allclose(conv(x).data, dense(x).data, rtol=1e-5, atol=1e-6)


def test_a_sequence_is_an_image_one_pixel_high() -> None:
    line, image = nn.Conv1D(2, 3, 3, stride=2, padding="same"), nn.Conv2D(
        2, 3, (1, 3), stride=(1, 2), padding="same"
    )  # fmt: skip
    image.weight.data = line.weight.data[None]
    x = normal(2, 6, 2)
    np.testing.assert_allclose(line(x).data, image(x[:, None]).data[:, 0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (3, 2), "dilation": 2, "padding": ((1, 2), (0, 1))},
        {"stride": 2, "padding": "same"},
        {"stride": 2, "groups": 2},
    ],
    ids=str,
)
def test_a_transposed_convolution_is_the_transpose(how: dict[str, Any]) -> None:
    """<conv(x), y> = <x, transposed(y)> with the same weights, whatever the settings."""
    conv = nn.Conv2D(4, 6, (3, 2), bias=False, **how).astype("float64")
    x = normal(2, 6, 8, 4)
    out = conv(x)
    y = np.random.default_rng(1).normal(size=out.shape)
    rest = {}
    if how.get("padding") != "same":
        back = nn.ConvTranspose2D(6, 4, (3, 2), bias=False, **how)
        short = back.output_size(out.shape[1:-1])
        rest = {"output_padding": tuple(n - m for n, m in zip(x.shape[1:-1], short, strict=True))}
    back = nn.ConvTranspose2D(6, 4, (3, 2), bias=False, **how, **rest).astype("float64")
    back.weight.data = conv.weight.data
    there = back(y)
    assert there.shape == x.shape
    np.testing.assert_allclose((out.data * y).sum(), (x * there.data).sum(), rtol=1e-10)


# sizes

SETTINGS = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))


@given(SETTINGS)
def test_same_gives_one_output_for_every_stride_inputs(drawn: tuple[int, ...]) -> None:
    size, kernel, stride, dilation = drawn
    layer = nn.Conv1D(1, 1, kernel, stride=stride, dilation=dilation, padding="same")
    assert layer(np.zeros((1, size, 1))).shape == (1, -(-size // stride), 1)
    ((low, high),) = spatial.same((size,), (kernel,), (stride,), (dilation,))
    assert high - low in (0, 1)
    needed = (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1
    assert low + high == max(needed - size, 0)  # no more than it takes


@given(SETTINGS)
def test_same_makes_transposed_convolutions_stride_times_as_large(drawn: tuple[int, ...]) -> None:
    size, kernel, stride, dilation = drawn
    layer = nn.ConvTranspose1D(1, 1, kernel, stride=stride, dilation=dilation, padding="same")
    assert layer(np.zeros((1, size, 1))).shape == (1, size * stride, 1)


@given(SETTINGS, st.data())
def test_a_transposed_convolution_has_the_size_of_its_formula(
    drawn: tuple[int, ...], data: st.DataObject
) -> None:
    """And a convolution with the same settings maps that size back to the input's."""
    size, kernel, stride, dilation = drawn
    more = data.draw(st.integers(0, stride - 1))
    before, after = (data.draw(st.integers(0, 2)) for _ in range(2))
    how: dict[str, Any] = {
        "stride": stride, "dilation": dilation, "padding": ((before, after),)
    }  # fmt: skip
    layer = nn.ConvTranspose1D(1, 1, kernel, output_padding=more, **how)
    out = (size - 1) * stride - before - after + dilation * (kernel - 1) + more + 1
    if out < 1:
        with pytest.raises(ShapeError, match="expected an output of at least 1"):
            layer(np.zeros((1, size, 1)))
        return
    there = layer(np.zeros((1, size, 1)))
    assert there.shape == (1, out, 1)
    assert nn.Conv1D(1, 1, kernel, **how)(there).shape == (1, size, 1)


# dtypes


@layers
@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64", "bool"])
def test_an_array_takes_the_layer_s_dtype(kind: Layer, dtype: str) -> None:
    x = np.ones((1, *(3, 3)[: kind.axes], 2)).astype(dtype)
    assert kind(2, 3, 2)(x).dtype == np.float32
    assert kind(2, 3, 2).astype("float64")(x).dtype == np.float64
    assert kind(2, 3, 2)(x.tolist()).dtype == np.float32


def test_uint8_pixels_do_not_overflow() -> None:
    layer = nn.Conv2D(1, 1, 2, init=nn.initialisers.constant(1))
    assert layer(np.full((1, 2, 2, 1), 255, np.uint8)).item() == 1020


# starting values


class Recorded:
    """An initialiser that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, shape: Any, fan_in: int, fan_out: int, rng: Any) -> Any:
        self.asked.append((shape, fan_in, fan_out))
        return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda i: nn.Conv1D(3, 8, 5, init=i), ((5, 3, 8), 15, 40)),
        (lambda i: nn.Conv2D(4, 6, (3, 2), init=i), ((3, 2, 4, 6), 24, 36)),
        (lambda i: nn.Conv2D(4, 6, 3, groups=2, init=i), ((3, 3, 2, 6), 18, 27)),
        (lambda i: nn.Conv2D(4, 8, 3, groups=4, init=i), ((3, 3, 1, 8), 9, 18)),
        (lambda i: nn.ConvTranspose1D(4, 6, 3, init=i), ((3, 6, 4), 12, 18)),
        (lambda i: nn.ConvTranspose2D(4, 6, 4, stride=2, init=i), ((4, 4, 6, 4), 16, 96)),
        (lambda i: nn.ConvTranspose2D(4, 6, 2, groups=2, init=i), ((2, 2, 3, 4), 8, 12)),
        (lambda i: nn.ConvTranspose2D(1, 6, 1, stride=2, init=i), ((1, 1, 6, 1), 1, 6)),
    ],
)
def test_fans(build: Any, expected: Any) -> None:
    recorded = Recorded()
    layer = build(recorded)
    assert recorded.asked == [expected]
    assert layer.weight.shape == expected[0]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2D(8, 64, 3, init="lecun_normal", rng=0),
        nn.Conv2D(64, 64, 3, groups=64, init="lecun_normal", rng=0),
        nn.ConvTranspose2D(64, 16, 4, stride=2, init="lecun_normal", rng=0),
        nn.ConvTranspose2D(64, 64, 3, groups=8, init="lecun_normal", rng=0),
    ],
    ids=repr,
)
def test_signals_keep_their_variance(layer: nn.Module) -> None:
    x = np.random.default_rng(0).normal(size=(4, 12, 12, layer.in_channels))
    inner = layer(x).data[:, 4:-4, 4:-4]  # at the edges fewer inputs meet
    assert 0.8 < inner.var() < 1.25


@layers
def test_he_for_relu_xavier_otherwise(kind: Layer) -> None:
    assert kind(2, 3, 3, "relu").init is nn.initialisers.he_normal
    assert kind(2, 3, 3, "tanh").init is nn.initialisers.xavier_uniform
    assert kind(2, 3, 3).init is nn.initialisers.xavier_uniform
    assert kind(2, 3, 3, "relu", init="zeros").init is nn.initialisers.zeros
    assert not kind(2, 3, 3, "relu").bias.data.any()


def test_an_initialiser_of_another_shape_is_refused() -> None:
    wrong: Initialiser = lambda shape, fan_in, fan_out, rng: np.zeros(3, np.float32)  # noqa: E731
    with pytest.raises(ValueError, match=r"Conv1D: expected starting values of shape \(3, 1, 2\)"):
        nn.Conv1D(1, 2, 3, init=wrong)


def test_no_bias() -> None:
    layer = nn.ConvTranspose2D(3, 2, 2, bias=False)
    assert list(layer.named_parameters()) == ["weight"]
    np.testing.assert_array_equal(layer(np.zeros((1, 2, 2, 3))).data, 0)


# the last step, which a loss may take over


@layers
def test_the_activation_can_be_left_to_the_loss(kind: Layer) -> None:
    layer = kind(2, 3, 2, "softmax")
    x = normal(2, *(3, 3)[: kind.axes], 2)
    assert layer.output_activation() is layer.activation
    again = layer.activation(layer.preactivation(x))
    np.testing.assert_array_equal(layer(x).data, again.data)
    assert kind(2, 3, 2).output_activation() is None


# what they refuse

WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no channels": ({"in_channels": 0}, ValueError, "in_channels to be a positive .*, got 0"),
    "half a filter": ({"out_channels": 1.5}, ValueError, "out_channels to be a pos.*, got 1.5"),
    "a truth value": ({"in_channels": True}, ValueError, "in_channels .*, got True"),
    "no kernel": ({"kernel_size": 0}, ValueError, "kernel_size to be .* least 1 or a tuple of 2"),
    "three axes": ({"kernel_size": (3, 3, 3)}, ValueError, r"tuple of 2, got \(3, 3, 3\)"),
    "no stride": ({"stride": (1, 0)}, ValueError, r"stride to be .*, got \(1, 0\)"),
    "no dilation": ({"dilation": -1}, ValueError, "dilation to be .*, got -1"),
    "a stride by place": ({"activation": 2}, TypeError, "a stride is given by name, stride=2"),
    "an unknown padding": ({"padding": "full"}, ValueError, "'valid', 'same', .*, got 'full'"),
    "negative padding": ({"padding": -1}, ValueError, "expected padding to be .*, got -1"),
    "one pair": ({"padding": ((1, 2),)}, ValueError, r"such as \(\(1, 2\), \(1, 2\)\), got \(\(1"),
    "three numbers": ({"padding": (1, 2, 3)}, ValueError, r"padding to be .*, got \(1, 2, 3\)"),
    "half a place": ({"padding": 0.5}, ValueError, "padding to be .*, got 0.5"),
    "no groups": ({"groups": 0}, ValueError, "groups to be a positive whole number, got 0"),
    "groups that do not divide": (
        {"groups": 3},
        ValueError,
        "divides in_channels and out_channels, got groups=3 for 4 and 6; in a depthwise",
    ),
    "a stride as a list": ({"activation": [1, 1]}, TypeError, r"stride=\[1, 1\]"),
    "an unknown activation": ({"activation": "rellu"}, ValueError, "did you mean 'relu'"),
    "an unknown initialiser": ({"init": "he"}, ValueError, "unknown initialiser 'he'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [nn.Conv2D, nn.ConvTranspose2D])
@pytest.mark.parametrize("case", WRONG)
def test_settings_are_checked_at_once(kind: Layer, case: str) -> None:
    arguments, error, message = WRONG[case]
    with pytest.raises(error, match=message) as raised:
        kind(**({"in_channels": 4, "out_channels": 6, "kernel_size": 3} | arguments))
    if "unknown" not in case:
        assert str(raised.value).startswith(f"{kind.__name__}: expected ")


def test_one_axis_has_one_pair_of_padding() -> None:
    message = (
        r"a tuple of 1, or \(before, after\) for each axis such as \(\(1, 2\),\), got \(1, 2\)"
    )
    with pytest.raises(ValueError, match=message):
        nn.Conv1D(1, 1, 3, padding=(1, 2))
    assert nn.Conv1D(1, 1, 3, padding=((1, 2),)).padding == ((1, 2),)
    assert nn.Conv1D(1, 1, 3, padding=[2]).padding == ((2, 2),)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"output_padding": 1}, "output_padding smaller than the stride, got 1 for stride 1"),
        ({"output_padding": (1, 2), "stride": 2}, r"got \(1, 2\) for stride 2"),
        ({"output_padding": -1}, "output_padding to be a whole number of at least 0"),
        ({"output_padding": 1, "stride": 2, "padding": "same"}, "no output_padding with padding="),
    ],
)
def test_output_padding_chooses_among_sizes(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"ConvTranspose2D: expected .*{message}"):
        nn.ConvTranspose2D(1, 1, 3, **how)


INPUTS: list[tuple[Layer, int, tuple[int, ...], str]] = [
    (nn.Conv2D, 3, (5, 3, 8, 8), r"got \(5, 3, 8, 8\); channels come last .* x.transpose\(0, 2, 3"),
    (nn.Conv1D, 3, (5, 3, 8), r"channels come last here, move them with x.transpose\(0, 2, 1\)"),
    (nn.Conv2D, 3, (5, 8, 8, 1), r"Conv2D\(1, \.\.\.\) would fit this input"),
    (nn.Conv2D, 1, (5, 8, 8), r"add the axis of channels, x\[\.\.\., None\]"),
    (nn.Conv1D, 1, (5, 8), r"add the axis of channels, x\[\.\.\., None\]"),
    (nn.Conv2D, 3, (8, 8, 3), r"for one example add the axis of examples, x\[None\]"),
    (nn.Conv2D, 3, (5, 8, 8), r"\(N, H, W, 3\), got \(5, 8, 8\)$"),
    (nn.Conv2D, 1, (5, 64), r"square images, x.reshape\(len\(x\), 8, 8, 1\)"),
    (nn.Conv2D, 3, (5, 192), r"square images, x.reshape\(len\(x\), 8, 8, 3\)"),
    (nn.Conv2D, 3, (5, 64), r"got \(5, 64\)$"),
    (nn.Conv1D, 3, (5,), r"\(N, L, 3\), got \(5,\)$"),
    (nn.Conv2D, 1, (), r"got \(\)$"),
    (nn.ConvTranspose2D, 3, (5, 3, 8, 8), "channels come last"),
]


@pytest.mark.parametrize(("kind", "channels", "shape", "message"), INPUTS)
def test_a_wrong_input_says_what_would_fit(
    kind: Layer, channels: int, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=f"^{kind.__name__}: expected input of shape .*{message}"):
        kind(channels, 2, 3)(np.zeros(shape))


def test_the_fixes_that_errors_name_work() -> None:
    layer = nn.Conv2D(3, 2, 3)
    images = Tensor(np.zeros((5, 3, 8, 8)))
    assert layer(images.transpose(0, 2, 3, 1)).shape == (5, 6, 6, 2)
    assert layer(np.zeros((5, 192)).reshape(5, 8, 8, 3)).shape == (5, 6, 6, 2)
    assert nn.Conv2D(1, 2, 3)(Tensor(np.zeros((5, 8, 8)))[..., None]).shape == (5, 6, 6, 2)


@pytest.mark.parametrize(
    ("how", "size", "message"),
    [
        ({}, (2, 5), r"at least 3 along its spatial axes with the padding, got size \(2, 5\)"),
        ({"dilation": 2}, (4, 4), "at least 5 along .*, got size 4"),
        ({"dilation": (1, 3)}, (4, 4), r"at least \(3, 7\) along"),
        ({"padding": 1}, (0, 4), r"got size \(0, 4\); make the kernel smaller"),
    ],
)
def test_a_kernel_larger_than_the_input_is_refused(
    how: dict[str, Any], size: tuple[int, int], message: str
) -> None:
    with pytest.raises(ShapeError, match=f"^Conv2D: expected an input that the kernel .*{message}"):
        nn.Conv2D(1, 1, 3, **how)(np.zeros((1, *size, 1)))


def test_an_error_names_the_layer_in_the_network() -> None:
    network = nn.Sequential(nn.Conv2D(1, 4, 3), nn.MaxPool2D(4), nn.Conv2D(4, 4, 3))
    with pytest.raises(ShapeError, match=r"^layers\.2 \(Conv2D\): expected an input that"):
        network(np.zeros((1, 8, 8, 1)))


# how they are shown


def test_repr_shows_what_is_not_usual() -> None:
    assert repr(nn.Conv2D(1, 2, 3)) == "Conv2D(1, 2, 3)"
    layer = nn.Conv2D(2, 4, (3, 2), "relu", stride=2, padding=((1, 2), (0, 0)), dilation=(1, 2),
                      groups=2, bias=False)  # fmt: skip
    assert repr(layer) == (
        "Conv2D(2, 4, (3, 2), ReLU(), stride=2, padding=((1, 2), (0, 0)), dilation=(1, 2), "
        "groups=2, bias=False)"
    )
    assert repr(nn.Conv2D(1, 1, 2, padding=(1, 2))) == "Conv2D(1, 1, 2, padding=(1, 2))"
    assert repr(nn.Conv1D(1, 1, 2, padding=((1, 0),))) == "Conv1D(1, 1, 2, padding=((1, 0),))"
    assert repr(nn.ConvTranspose1D(1, 1, 2, stride=2, output_padding=1, padding=1)) == (
        "ConvTranspose1D(1, 1, 2, stride=2, padding=1, output_padding=1)"
    )


def cnn(seed: int = 0) -> nn.Sequential:
    """Return a small network for images of 8 x 8 pixels."""
    return nn.Sequential(
        nn.Conv2D(1, 16, 3, "relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(144, 10), rng=seed
    )


def test_the_summary_shows_sizes() -> None:
    summary = Model(cnn(), "cross_entropy").summary((8, 8, 1))
    assert [(r.layer, r.output, r.parameters) for r in summary.rows] == [
        ("Conv2D(1, 16, 3, ReLU())", (6, 6, 16), 160),
        ("MaxPool2D(2)", (3, 3, 16), 0),
        ("Flatten()", (144,), 0),
        ("Dense(144, 10)", (10,), 1450),
    ]


def test_a_small_network_learns_the_digits() -> None:
    parts = data.split(data.digits(), test=0.2, seed=0)
    images = [part.x.reshape(-1, 8, 8, 1) for part in (parts.train, parts.test)]
    model = Model(cnn(), "cross_entropy", optim.Adam(lr=0.005), metrics=["accuracy"])
    model.fit(images[0], parts.train.y, epochs=6, seed=0, verbose=False)
    assert model.evaluate(images[1], parts.test.y)["accuracy"] > 0.95
    assert model.network.layers[0].weight.dtype == np.float32
