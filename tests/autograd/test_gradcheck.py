"""The gradient checker: right gradients pass, planted faults are caught, nothing stays changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pellucid
from pellucid import GradientError, Tensor, assert_gradients, gradcheck, nn
from pellucid.autograd.tensor import apply
from pellucid.ops import Op, linalg, reduce, shape
from pellucid.tree import Node

RNG = np.random.default_rng(0)


def normal(*sizes: int) -> np.ndarray:
    return RNG.normal(size=sizes)


def plant(forward: Callable[..., Any], vjp: Callable[..., Any]) -> type[Op]:
    """Return an operation with this value and this gradient rule."""
    rules = {"casts": "common", "forward": staticmethod(forward), "vjp": staticmethod(vjp)}
    return type("Planted", (Op,), rules)


def scaled(factor: float) -> type[Op]:
    """Return exp with a gradient that is wrong by a factor."""
    return plant(lambda xp, x: xp.exp(x), lambda xp, g, out, x: (factor * (g * out),))


# right gradients pass

CONV = {"stride": (2, 1), "padding": ((1, 0), (1, 1)), "dilation": (1, 2)}
RIGHT: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "nothing": (lambda x: x, (normal(3),)),
    "add": (lambda a, b: a + b, (normal(3, 4), normal(4))),
    "broadcast": (lambda a, b: a * b / (1 + b * b), (normal(3, 1, 2), normal(4, 1))),
    "matmul": (lambda a, b: a @ b, (normal(3, 4), normal(4, 2))),
    "batched matmul": (lambda a, b: a @ b, (normal(2, 3, 4), normal(4, 2))),
    "softmax": (pellucid.softmax, (normal(3, 5),)),
    "log_softmax": (pellucid.log_softmax, (normal(3, 5) * 30,)),
    "logsumexp": (lambda x: pellucid.logsumexp(x, axis=0), (normal(3, 5) * 30,)),
    "conv": (lambda x, w: pellucid.conv(x, w, **CONV), (normal(2, 6, 7, 2), normal(3, 2, 2, 3))),
    "where": (lambda a, b: pellucid.where(a > b, a * b, b), (normal(9), normal(9))),
    "repeated index": (lambda x: x[np.array([0, 2, 0, 0])] ** 2, (normal(3, 2),)),
    "norm": (lambda x: pellucid.norm(x, axis=1), (normal(3, 4),)),
    "variance": (lambda x: pellucid.var(x, axis=0), (normal(6, 2) + 1e3,)),
    "einsum": (lambda a, b: pellucid.einsum("ijk,kl->il", a, b), (normal(2, 3, 4), normal(4, 2))),
    "power": (lambda a, b: a**b, (RNG.uniform(0.5, 2, 5), normal(5))),
    "erf": (pellucid.erf, (normal(5),)),
    "empty": (lambda x: pellucid.exp(x), (np.zeros((0, 3)),)),
    "flat point": (lambda x: x**3, (0.0,)),
    "cancelling terms": (lambda x: ((x + 1e6) - 1e6) ** 2, (normal(5),)),
    "steep": (pellucid.log, (np.array([1e-5, 1e-3, 1.0]),)),
    "many periods": (pellucid.sin, (np.array([1e4, 123.0]),)),
    "masked": (lambda x: pellucid.softmax(pellucid.where(x > 0, x, -np.inf)), (normal(3, 6),)),
    "infinite": (lambda x: pellucid.concat([x * x, Tensor([-np.inf])]), (normal(3),)),
    "tuple": (lambda x: (pellucid.exp(x), x.sum(), x.argmax()), (normal(3),)),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", RIGHT)
def test_right_gradients_pass(name: str, order: int) -> None:
    function, inputs = RIGHT[name]
    report = gradcheck(function, *inputs, order=order)
    assert report, report
    assert all(row.kinks == 0 for row in report.rows)


def test_normalisation_with_gradients_that_are_exactly_zero() -> None:
    """The mean takes b away again, so what is left of its gradient is rounding."""

    def normalised(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        h = x @ w + b + 100
        return ((h - h.mean(axis=0)) / (h.var(axis=0) + 1e-5) ** 0.5) ** 3

    report = assert_gradients(normalised, normal(20, 5), normal(5, 4), normal(4))
    assert abs(report.rows[2].analytic) < 1e-8


def test_vanishing_gradients_are_not_lost_in_rounding() -> None:
    weights = [normal(10, 10) * 0.1 for _ in range(6)]

    def deep(x: Tensor, *weights: Tensor) -> Tensor:
        for w in weights:
            x = pellucid.sigmoid(x @ w)
        return x.mean()

    assert_gradients(deep, normal(4, 10), *weights)


@pytest.mark.parametrize("order", [1, 2])
def test_an_operation_with_its_parameters(order: int) -> None:
    assert_gradients(reduce.Softmax, normal(3, 4), axis=0, order=order)
    assert_gradients(shape.Concat, normal(2, 3), normal(4, 3), axis=0, order=order)


def test_a_large_tensor_is_projected() -> None:
    (row,) = assert_gradients(pellucid.tanh, normal(100, 100)).rows
    assert row.checked == 200
    assert row.projected


def test_what_is_differentiated_inside_can_be_checked() -> None:
    assert_gradients(lambda x: pellucid.grad(lambda y: (y**3).sum())(x), normal(3))


# planted faults are caught


@pytest.mark.parametrize("factor", [1.001, 0.999, 1.0001, 2.0, 0.5, -1.0, 0.0])
@pytest.mark.parametrize("size", [1, 30, 5000])
def test_a_factor(factor: float, size: int) -> None:
    report = gradcheck(scaled(factor), normal(size))
    assert not report
    (row,) = report.rows
    assert row.rel_error == pytest.approx(abs(factor - 1) / max(abs(factor), 1), rel=1e-2)
    assert row.analytic == pytest.approx(factor * row.numerical, rel=1e-6)


def test_the_sum_over_the_wrong_axis() -> None:
    wrong = plant(lambda xp, a, b: a + b, lambda xp, g, out, a, b: (g, xp.sum(g, axis=1)))
    assert not gradcheck(wrong, normal(3, 3), normal(3))


def test_a_gradient_of_the_wrong_shape() -> None:
    wrong = plant(lambda xp, a, b: a + b, lambda xp, g, out, a, b: (g, xp.sum(g, axis=1)))
    with pytest.raises(GradientError, match="another shape than its operand's"):
        gradcheck(wrong, normal(4, 3), normal(3))


@pytest.mark.parametrize("rule", [lambda g, a, b: (g * a, g * b), lambda g, a, b: (g * b, g * b)])
def test_a_swapped_operand(rule: Callable[..., Any]) -> None:
    wrong = plant(lambda xp, a, b: a * b, lambda xp, g, out, a, b: rule(g, a, b))
    assert not gradcheck(wrong, normal(3), normal(3))


def test_a_transpose_left_out() -> None:
    wrong = plant(lambda xp, a, b: a @ b, lambda xp, g, out, a, b: (g @ b, a.mT @ g))
    a, b = gradcheck(wrong, normal(3, 3), normal(3, 3)).rows
    assert (a.ok, b.ok) == (False, True)


def test_a_division_by_the_number_of_elements_left_out() -> None:
    wrong = plant(
        lambda xp, x: xp.sum(x) / x.shape[0],
        lambda xp, g, out, x: (xp.broadcast_to(g, x.shape),),
    )
    assert not gradcheck(wrong, normal(4))


def test_softmax_by_the_diagonal_alone() -> None:
    wrong = plant(
        lambda xp, x: reduce.Softmax.forward(xp, x, axis=-1),
        lambda xp, g, out, x: (g * out * (1 - out),),
    )
    assert not gradcheck(wrong, normal(3, 4))
    assert not gradcheck(lambda x: apply(wrong, x)[0, 1], normal(3, 4))


@pytest.mark.parametrize("deviation", [1e-3, 1e-4])
@pytest.mark.parametrize("seed", range(5))
def test_one_wrong_element_among_10000_is_found_for_certain(seed: int, deviation: float) -> None:
    """Every direction moves it, and its error changes the slope there whatever its sign."""
    place = int(np.random.default_rng(seed).integers(10_000))
    factor = np.where(np.arange(10_000) == place, 1 + deviation, 1.0)
    wrong = plant(lambda xp, x: xp.sin(x), lambda xp, g, out, x: (g * xp.cos(x) * factor,))
    (row,) = gradcheck(wrong, RNG.uniform(-1, 1, 10_000), seed=seed).rows
    assert not row.ok
    assert row.index == (place,)
    assert row.rel_error == pytest.approx(deviation, rel=0.02)


def test_a_gradient_wrong_in_second_order_only() -> None:
    """The first derivative is right as a number, but the graph does not know where from."""
    wrong = plant(
        lambda xp, x: x**3,
        lambda xp, g, out, x: (g * (3 * np.square(getattr(x, "data", x))),),
    )
    assert gradcheck(wrong, normal(4))
    report = gradcheck(wrong, normal(4), order=2)
    assert [row.ok for row in report.rows] == [True, False, True]
    assert report.rows[1].name == "x (order 2)"


def test_a_dependence_on_the_cotangent_lost_in_second_order() -> None:
    wrong = plant(
        lambda xp, x: xp.sin(x), lambda xp, g, out, x: (getattr(g, "data", g) * xp.cos(x),)
    )
    report = gradcheck(wrong, normal(4), order=2)
    assert [row.ok for row in report.rows] == [True, True, False]


def test_a_rule_that_cannot_be_recorded() -> None:
    wrong = plant(lambda xp, x: xp.sin(x), lambda xp, g, out, x: (g * np.cos(x),))
    assert gradcheck(wrong, normal(4))
    with pytest.raises(GradientError, match="calls NumPy instead of xp"):
        gradcheck(wrong, normal(4), order=2)


def relu_with(positive: float, at_zero: float) -> type[Op]:
    """Return relu with other slopes in its gradient rule."""
    return plant(
        lambda xp, x: xp.maximum(x, 0.0),
        lambda xp, g, out, x: (g * xp.where(x > 0, positive, xp.where(x == 0, at_zero, 0.0)),),
    )


@pytest.mark.parametrize("x", [1.0, 1e-3, 3e-6, 1e-7])
def test_a_wrong_slope_near_a_kink(x: float) -> None:
    assert not gradcheck(relu_with(1.001, 0.0), np.array([x]))
    assert not gradcheck(relu_with(0.5, 0.0), np.array([x]))


@pytest.mark.parametrize("slope", [2.0, 1.001, -0.001, np.nan, np.inf])
def test_a_slope_at_a_kink_outside_of_both_sides(slope: float) -> None:
    (row,) = gradcheck(relu_with(1.0, slope), np.array([0.0, 1.0])).rows
    assert not row.ok
    assert row.index == (0,)


def test_a_wrong_slope_is_not_hidden_among_kinks() -> None:
    x = np.where(np.arange(500) % 3 == 0, 0.0, 1.0)
    factor = np.where(np.arange(500) == 400, 1.001, 1.0)
    wrong = plant(lambda xp, x: xp.maximum(x, 0.0), lambda xp, g, out, x: (factor * g * (x > 0),))
    (row,) = gradcheck(wrong, x, max_entries=1).rows
    assert not row.ok
    assert row.index == (400,)


def test_computing_in_float32() -> None:
    report = gradcheck(lambda x: pellucid.sin(x.astype("float32")), normal(3))
    assert not report
    assert "Cast computes in float32" in report.rows[0].note


def test_a_detached_input() -> None:
    report = gradcheck(lambda x, y: pellucid.exp(x.detach()) + y, normal(3), normal(3))
    assert [row.ok for row in report.rows] == [False, True]
    assert "no gradient arrives" in report.rows[0].note


def test_a_gradient_that_is_not_finite() -> None:
    (row,) = gradcheck(pellucid.sqrt, np.array([1.0, 0.0])).rows
    assert not row.ok
    assert "not finite" in row.note
    nan = plant(lambda xp, x: x * 1.0, lambda xp, g, out, x: (g * np.nan,))
    assert not gradcheck(nan, normal(3))
    assert not gradcheck(nan, normal(300))


def test_a_function_that_is_not_finite() -> None:
    (row,) = gradcheck(lambda x: pellucid.log(x) * 0.0, np.array([-1.0])).rows
    assert not row.ok


def test_the_same_infinity_agrees() -> None:
    steep = plant(lambda xp, x: xp.where(x > 1, np.inf, 0.0), lambda xp, g, out, x: (g * np.inf,))
    assert gradcheck(steep, 1.0)
    assert not gradcheck(plant(steep.forward, lambda xp, g, out, x: (-g * np.inf,)), 1.0)


def test_a_jump_is_no_kink() -> None:
    (row,) = gradcheck(lambda x: pellucid.floor(x) + 0 * x, np.array([0.5, 1.0])).rows
    assert not row.ok
    assert row.index == (1,)
    assert "jumps" in row.note


# kinks


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (pellucid.relu, [0.0, 1.0, -1.0, 1e-9]),
        (pellucid.abs, [0.0, -2.0, 0.0]),
        (pellucid.max, [1.0, 3.0, 3.0]),
        (pellucid.min, [1.0, 1.0, 1.0]),
        (lambda x: pellucid.clip(x, -1, 2), [-1.0, 2.0, 0.5, 4.0]),
        (lambda x: pellucid.maximum(x, x[::-1]), [1.0, 1.0, 2.0]),
        (lambda x: pellucid.maximum(x, 1.0), [1.0, 0.0]),
        (lambda x: pellucid.leaky_relu(x), [0.0, 1.0]),
        (pellucid.norm, [0.0, 0.0]),
    ],
)
def test_kinks_at_the_point_pass(function: Callable[..., Any], x: list[float]) -> None:
    assert_gradients(function, np.array(x))


def test_kinks_are_counted() -> None:
    (row,) = gradcheck(pellucid.relu, np.array([0.0, 1.0, 0.0])).rows
    assert row.kinks == 2
    assert "(2 at a kink)" in str(row)


@pytest.mark.parametrize("distance", [3e-6, -3e-6, 1e-6, 1e-7, -1e-7])
@pytest.mark.parametrize("function", [pellucid.relu, pellucid.abs])
def test_kinks_near_the_point_pass(function: Callable[..., Any], distance: float) -> None:
    (row,) = assert_gradients(function, np.array([distance])).rows
    assert row.kinks == 0


def test_kinks_whose_rules_do_not_add_up() -> None:
    """This is x: smooth, of slope 1, where the rules for relu at 0 give 0 - 0."""
    (row,) = gradcheck(lambda x: pellucid.relu(x) - pellucid.relu(-x), np.array([0.0])).rows
    assert not row.ok
    assert row.numerical == pytest.approx(1)


def test_several_kinks_at_one_point_are_explained() -> None:
    (row,) = gradcheck(lambda x: pellucid.relu(x) - 2 * pellucid.relu(-x), np.array([0.0])).rows
    assert not row.ok
    assert "slopes of 2 and 1" in row.note


@given(exponent=st.floats(-12, 0), sign=st.sampled_from([-1, 1]))
def test_a_kink_at_any_distance(exponent: float, sign: int) -> None:
    x = np.array([sign * 10**exponent])
    assert gradcheck(pellucid.relu, x)
    assert gradcheck(lambda x: 3 * x + pellucid.abs(pellucid.sin(x)), x)
    assert not gradcheck(lambda x: apply(relu_with(1.001, 0.0), sign * x), x) or exponent < -7


def test_many_kinks_in_a_large_tensor_pass() -> None:
    (row,) = assert_gradients(pellucid.relu, np.where(np.arange(400) % 4, 1.0, 0.0)).rows
    assert row.kinks == 100


# modules, losses, parameters


class Layer(Node):
    """tanh(x @ weight + bias), which keeps a running mean."""

    def __init__(self) -> None:
        self.weight = Tensor(normal(3, 2), requires_grad=True, dtype="float32")
        self.bias = Tensor(np.zeros(2, np.float32), requires_grad=True)
        self.mean = Tensor(np.zeros(2, np.float32))
        self.seen: set[str] = set()

    def forward(self, x: Tensor) -> Tensor:
        out = pellucid.tanh(x @ self.weight + self.bias)
        self.mean.data = 0.9 * self.mean.data + 0.1 * out.data.mean(axis=0)
        self.seen |= {str(t.dtype) for t in (x, self.weight, self.mean, out)}
        return out

    __call__ = forward


class Noise(Node):
    """x times random numbers that depend on a counter."""

    def __init__(self) -> None:
        self.state = Tensor(np.array([7, 0], np.uint32))
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.state.data = self.state.data + np.array([0, 1], np.uint32)
        self.calls += 1
        return x * pellucid.uniform(self.state, shape=x.shape) * self.calls


class Network(Node):
    """Two layers in a list."""

    def __init__(self) -> None:
        self.layers = [Layer(), Noise()]

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def snapshot(layer: Layer) -> list[Any]:
    return [item for t in (layer.weight, layer.bias, layer.mean) for item in (t.data, t.grad)]


def test_a_layer_is_checked_in_float64_and_left_as_it_was() -> None:
    layer = Layer()
    layer.weight.grad = np.ones((3, 2), np.float32)
    before = snapshot(layer)
    report = assert_gradients(layer, normal(4, 3))
    assert [row.name for row in report.rows] == ["x", "weight", "bias"]
    assert layer.seen == {"float64"}
    assert all(a is b for a, b in zip(snapshot(layer), before, strict=True))


@pytest.mark.parametrize("when", [1, 2, 3, 10])
def test_everything_is_restored_after_an_exception(when: int) -> None:
    layer, calls = Layer(), []
    before = snapshot(layer)

    def fails(x: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == when:
            raise KeyError("planted")
        return layer(x)

    with pytest.raises(KeyError, match="planted"):
        gradcheck(fails, normal(4, 3), parameters=layer)
    assert all(a is b for a, b in zip(snapshot(layer), before, strict=True))


def test_a_network_under_its_dotted_paths() -> None:
    network = Network()
    report = assert_gradients(network, normal(4, 3))
    assert [row.name for row in report.rows] == ["x", "layers.0.weight", "layers.0.bias"]


def test_parameters_of_what_the_function_calls() -> None:
    network, y = Network(), normal(4, 2)

    def loss(x: Tensor) -> Tensor:
        return ((network(x) - y) ** 2).mean()

    report = assert_gradients(loss, normal(4, 3), parameters={"net": network}, order=2)
    names = ["x", "net.layers.0.weight", "net.layers.0.bias"]
    assert [row.name for row in report.rows][:3] == names
    assert len(report.rows) == 7
    x = normal(4, 3)
    assert len(assert_gradients(lambda: loss(Tensor(x)), parameters=network).rows) == 2


def test_parameters_that_others_hold_keep_their_gradients() -> None:
    other = Tensor(normal(3), requires_grad=True)
    assert_gradients(lambda x: x * other, normal(3))
    assert other.grad is None


def test_a_shared_parameter_is_checked_once() -> None:
    w = Tensor(normal(3), requires_grad=True)
    report = assert_gradients(lambda x: x * w * w, normal(3), parameters=[w, {"again": w}])
    assert [row.name for row in report.rows] == ["x", "0"]


def test_random_numbers_of_a_module_stay_the_same() -> None:
    noise = Noise()
    assert_gradients(noise, normal(5))
    assert noise.state.tolist() == [7, 0]
    assert noise.calls == 0


def test_random_numbers_of_nobody_are_refused() -> None:
    with pytest.raises(GradientError, match="deterministic"):
        gradcheck(lambda x: x * normal(3), normal(3))


def test_a_wrong_parameter_gradient_is_named() -> None:
    layer, wrong = Layer(), scaled(1.01)
    report = gradcheck(
        lambda x: layer(x) + apply(wrong, layer.bias), normal(4, 3), parameters=layer
    )
    assert [row.name for row in report.rows if not row.ok] == ["bias"]


def test_labels_are_handed_on_unchanged() -> None:
    seen: list[Any] = []

    def cross_entropy(prediction: Tensor, target: Any) -> Tensor:
        seen.append(target)
        return -pellucid.log_softmax(prediction)[np.arange(4), target].mean()

    labels = np.array([0, 2, 1, 0])
    report = assert_gradients(cross_entropy, normal(4, 3), labels)
    assert [row.name for row in report.rows] == ["prediction"]
    assert all(target is labels for target in seen)


@pytest.mark.parametrize("order", [1, 2])
def test_a_network_with_dropout_and_its_loss(order: int) -> None:
    network = nn.Sequential(nn.Dense(4, 30, "relu", rng=0), nn.Dropout(0.3, rng=0), nn.Dense(30, 3))
    loss, labels = nn.CrossEntropyLoss(), np.array([0, 2, 1, 1, 0])
    state = network.state()
    report = assert_gradients(
        lambda x: loss(network(x), labels), normal(5, 4), parameters=network, order=order
    )
    assert [row.name for row in report.rows][1] == "layers.0.weight"
    assert all(np.array_equal(state[path], a) for path, a in network.state().items())
    assert gradcheck(loss, normal(5, 3), labels)


def test_an_unused_input_has_no_gradient() -> None:
    report = assert_gradients(lambda used, unused: used * 2, normal(3), normal(2), order=2)
    assert report.rows[1].analytic == 0


# the report and the errors


def test_the_table() -> None:
    wrong = plant(lambda xp, a, b: a * b, lambda xp, g, out, a, b: (g * b, 1.5 * g * a))
    report = gradcheck(wrong, np.full(3, 2.0), np.array([1.0, 2.0, 4.0]))
    good, bad = str(report).splitlines()
    assert good.startswith("a  rel_error = ")
    assert good.endswith("  ok")
    assert "b  rel_error = 3.3e-01  FAIL  at [" in bad
    assert repr(report) == str(report)
    with pytest.raises(GradientError) as caught:
        report.raise_if_failed()
    assert str(report) in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_scalar_shows_the_derivative_itself() -> None:
    (row,) = gradcheck(lambda x: x**2, 3.0).rows
    assert str(row).startswith("rel_error = ")
    (row,) = gradcheck(scaled(2.0), 0.0).rows
    assert str(row) == "rel_error = 5.0e-01  FAIL  analytic 2, numerical 1"


def test_the_same_seed_gives_the_same_report() -> None:
    x = normal(500)
    assert gradcheck(pellucid.tanh, x, seed=3) == gradcheck(pellucid.tanh, x, seed=3)


def test_other_settings() -> None:
    almost = scaled(1 + 1e-4)
    assert gradcheck(almost, normal(3), rtol=1e-3)
    assert gradcheck(pellucid.exp, normal(3), eps=1e-4, atol=0.0)
    (row,) = gradcheck(pellucid.exp, normal(30), max_entries=7).rows
    assert (row.checked, row.projected) == (7, True)


def test_names_where_there_are_none() -> None:
    assert [row.name for row in gradcheck(lambda *x: x[0] + x[1], 1.0, 2.0).rows] == [
        "input0",
        "input1",
    ]
    assert [row.name for row in gradcheck(linalg.MatMul, normal(2, 2), normal(2, 2)).rows] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (TypeError, "expected a function, an Op subclass or a module", (3.0, 1.0), {}),
        (TypeError, "got str for x", (lambda x: x, "text"), {}),
        (TypeError, "got NoneType for x", (lambda x: x, None), {}),
        (TypeError, "got list for x", (lambda x: x, [[1.0], [1.0, 2.0]]), {}),
        (TypeError, "got complex for x", (lambda x: x, 1j), {}),
        (TypeError, "return a tensor or several, got float", (lambda x: 1.0, 1.0), {}),
        (TypeError, "floating-point output, .* got int64", (lambda x: x.argmax(), [1.0]), {}),
        (TypeError, "floating-point output, .* got nothing", (lambda x: (), [1.0]), {}),
        (ValueError, "floating-point inputs, or parameters", (lambda x: x, 1), {}),
        (ValueError, "floating-point inputs, or parameters", (lambda: Tensor(1.0),), {}),
        (ValueError, "order 1 or 2", (lambda x: x, 1.0), {"order": 3}),
        (ValueError, "max_entries", (lambda x: x, 1.0), {"max_entries": 0}),
        (ValueError, "eps", (lambda x: x, 1.0), {"eps": 0.0}),
        (ValueError, "rtol", (lambda x: x, 1.0), {"rtol": np.nan}),
        (ValueError, "atol", (lambda x: x, 1.0), {"atol": -1.0}),
    ],
)
def test_what_is_refused(
    error: type[Exception], message: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    with pytest.raises(error, match=message):
        gradcheck(*arguments, **options)


# properties

SMOOTH = [
    pellucid.sin,
    pellucid.tanh,
    pellucid.sigmoid,
    pellucid.softplus,
    lambda x: x * x,
    lambda x: 0.5 * x + 1,
    lambda x: x * x.sum(),
    lambda x: pellucid.exp(-x * x),
    pellucid.softmax,
    lambda x: x / (1 + x * x),
]
chains = st.lists(st.sampled_from(SMOOTH), min_size=1, max_size=5)
points = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=6)


def composed(functions: list[Callable[..., Any]], x: Tensor) -> Tensor:
    for function in functions:
        x = function(x)
    return x


@given(functions=chains, x=points, seed=st.integers(0, 99))
def test_random_expressions_pass(
    functions: list[Callable[..., Any]], x: list[float], seed: int
) -> None:
    assert_gradients(lambda x: composed(functions, x), np.array(x, np.float64), seed=seed, order=2)


@given(
    coefficients=st.lists(st.floats(-2, 2), min_size=1, max_size=6),
    x=points,
    seed=st.integers(0, 99),
)
def test_random_polynomials_pass(coefficients: list[float], x: list[float], seed: int) -> None:
    def polynomial(x: Tensor) -> Tensor:
        total = 0 * x
        for c in coefficients:
            total = total * x + c
        return total

    assert_gradients(polynomial, np.array(x, np.float64), seed=seed, order=2)


@given(
    functions=chains,
    x=st.lists(st.floats(0.25, 1.5), min_size=1, max_size=6),
    sign=st.sampled_from([-1, 1]),
)
def test_a_random_expression_with_a_wrong_gradient_fails(
    functions: list[Callable[..., Any]], x: list[float], sign: int
) -> None:
    wrong = plant(lambda xp, x: x * 1.0, lambda xp, g, out, x: (g * (1 + sign * 1e-3),))
    point = np.array(x)
    slopes = pellucid.grad(lambda x: composed(functions, x).sum())(point).numpy()
    assume(np.abs(slopes).max() > 1e-4)
    assert not gradcheck(lambda x: composed(functions, apply(wrong, x)).sum(), point)
