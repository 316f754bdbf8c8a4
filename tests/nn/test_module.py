"""Modules: a tree of plain attributes, however it is nested, shared or closed to a circle."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import ShapeError, Tensor, gradcheck, nn, optim, train

X = np.random.default_rng(0).normal(size=(6, 3))


class Residual(nn.Module):
    """out = x + dense(x): a forward of one's own."""

    def __init__(self, size: int) -> None:
        self.dense = nn.Dense(size, size, "tanh")
        self.scale = Tensor(1.5, requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        return x + self.dense(x) * self.scale


class Net(nn.Module):
    """Modules and tensors in lists, tuples and dictionaries, and things that are neither."""

    def __init__(self) -> None:
        self.name = "net"
        self.sizes = (3, 4)
        self.blocks = [Residual(3), {"left": nn.Dense(3, 4), "right": nn.Dense(3, 4, bias=False)}]
        self.table = {"a": Tensor(np.zeros(4, np.float32), requires_grad=True), 7: Tensor([1.0])}
        self.pair = (nn.Dropout(0.5), Tensor(np.zeros(2, np.float32)))
        self.nothing = None

    def forward(self, x: Any) -> Tensor:
        x = self.blocks[0](x)
        heads = self.blocks[1]
        return heads["left"](x) + heads["right"](x) + self.table["a"]


# paths


def test_paths_are_dotted_in_the_order_of_assignment() -> None:
    network = Net()
    assert list(network.named_tensors()) == [
        "blocks.0.dense.weight",
        "blocks.0.dense.bias",
        "blocks.0.scale",
        "blocks.1.left.weight",
        "blocks.1.left.bias",
        "blocks.1.right.weight",
        "table.a",
        "table.7",
        "pair.0.stream",
        "pair.1",
    ]
    assert [p for p in network.named_tensors() if p not in network.named_parameters()] == [
        "table.7",
        "pair.0.stream",
        "pair.1",
    ]
    assert [id(p) for p in network.parameters()] == [
        id(p) for p in network.named_parameters().values()
    ]


def test_modules_come_parents_first() -> None:
    network = Net()
    assert list(network.modules()) == [
        "",
        "blocks.0",
        "blocks.0.dense",
        "blocks.0.dense.activation",
        "blocks.1.left",
        "blocks.1.right",
        "pair.0",
    ]
    assert network.modules()[""] is network


def test_ordered_dictionaries_and_subclasses_of_lists_are_walked() -> None:
    class Layers(list[Any]):
        pass

    class Holder(nn.Module):
        def __init__(self) -> None:
            self.named = OrderedDict(z=nn.Dense(2, 2, bias=False), a=nn.Dense(2, 2, bias=False))
            self.layers = Layers([nn.Dense(2, 1, bias=False)])

    assert list(Holder().named_parameters()) == [
        "named.z.weight",
        "named.a.weight",
        "layers.0.weight",
    ]


def test_a_module_with_any_forward_learns() -> None:
    """Gradients reach every parameter, and are right."""
    network = Net().eval()
    report = gradcheck(network, X)
    assert report, report
    network(X).sum().backward()
    for path, parameter in network.named_parameters().items():
        assert parameter.grad is not None, path
        assert np.any(parameter.grad), path


class Options(nn.Module):
    def __init__(self) -> None:
        self.left, self.right = nn.Dense(3, 2), nn.Dense(4, 2)

    def forward(self, a: Any, b: Any = None, *, scale: float = 1.0) -> Tensor:
        out = self.left(a)
        return (out if b is None else out + self.right(b)) * scale


def test_a_forward_may_take_several_inputs_and_options() -> None:
    network, b = Options(), np.ones((6, 4))
    both = network(X, b).data
    np.testing.assert_allclose(network(X, b, scale=2.0).data, 2 * both)
    np.testing.assert_array_equal(network(X, b=b).data, both)
    np.testing.assert_array_equal(network(a=X, b=b).data, both)
    assert not np.array_equal(network(X).data, both)


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(TypeError, match=r"Empty has no forward\(\); define forward\(self, x\)"):
        type("Empty", (nn.Module,), {})()(X)


# shared modules


class Tied(nn.Module):
    """The same module under two names, and one weight used by two modules."""

    def __init__(self) -> None:
        self.first = nn.Dense(3, 3)
        self.again = [self.first, nn.Dense(3, 3)]
        self.again[1].weight = self.first.weight

    def forward(self, x: Any) -> Tensor:
        return self.again[1](self.again[0](self.first(x)))


def test_a_shared_parameter_is_counted_once() -> None:
    network = Tied()
    assert list(network.named_parameters()) == ["first.weight", "first.bias", "again.1.bias"]
    assert list(network.modules()) == ["", "first", "again.1"]
    assert train.Model(network, "mse").summary().total == 9 + 3 + 3
    assert set(network.state()) == set(network.named_parameters())


def test_the_gradients_of_a_shared_parameter_add_up() -> None:
    network = Tied().astype("float64")
    report = gradcheck(network, X)
    assert report, report
    apart = nn.Sequential(nn.Dense(3, 3), nn.Dense(3, 3), nn.Dense(3, 3)).astype("float64")
    for layer in apart:
        layer.weight.data = network.first.weight.data
    g = np.random.default_rng(1).normal(size=(6, 3))
    network(X).backward(g)
    apart(X).backward(g)
    total = sum(layer.weight.grad for layer in apart)
    np.testing.assert_allclose(network.first.weight.grad, total, 1e-12)
    np.testing.assert_allclose(
        network.first.bias.grad, apart[0].bias.grad + apart[1].bias.grad, 1e-12
    )


def test_a_shared_parameter_moves_once_a_step() -> None:
    network = Tied()
    network(X).sum().backward()
    before = network.first.weight.data.copy()
    optim.SGD(lr=0.5).step(network)
    np.testing.assert_allclose(
        network.first.weight.data, before - 0.5 * network.first.weight.grad, 1e-6
    )
    assert network.again[1].weight is network.first.weight


def test_a_shared_module_survives_state_and_modes() -> None:
    one, other = Tied(), Tied()
    other.load_state(one.state())
    np.testing.assert_array_equal(one(X).data, other(X).data)
    assert other.again[0] is other.first
    assert not other.eval().again[1].training


# circles


class Child(nn.Module):
    def __init__(self, parent: nn.Module) -> None:
        self.parent = parent
        self.dense = nn.Dense(3, 3)

    def forward(self, x: Any) -> Tensor:
        return self.dense(x)


class Parent(nn.Module):
    def __init__(self) -> None:
        self.children = [Child(self), Child(self)]
        self.registry = {"all": self.children, "me": self}

    def forward(self, x: Any) -> Tensor:
        for child in self.children:
            x = child(x)
        return x


def test_circles_do_not_hang() -> None:
    network = Parent()
    paths = [f"children.{i}.dense.{name}" for i in (0, 1) for name in ("weight", "bias")]
    assert list(network.named_parameters()) == paths
    assert list(network.modules()) == [
        "", "children.0", "children.0.dense", "children.1", "children.1.dense"
    ]  # fmt: skip
    assert not network.eval().children[1].dense.training
    network.load_state(network.state())
    network.initialise(0).astype("float64")
    assert network(X).dtype == np.float64
    model = train.Model(network, "mse")
    model.fit(X, X, epochs=1, verbose=False)
    assert model.summary().total == 24
    assert gradcheck(network, X)


def test_the_repr_of_a_circle_ends() -> None:
    child = Parent().children[0]
    assert repr(child).startswith("Child(parent=Parent(")

    class Self(nn.Module):
        def __init__(self) -> None:
            self.me = self

    assert repr(Self()) == "Self(me=...)"


# modes


def test_train_and_eval_reach_everything_and_return_the_module() -> None:
    network = Net()
    assert network.training
    assert network.eval() is network
    assert not any(module.training for module in network.modules().values())
    assert network.train() is network
    assert all(module.training for module in network.modules().values())
    network.blocks[0].eval()
    assert network.training
    assert not network.blocks[0].dense.training


# state


def test_state_is_a_copy() -> None:
    network = Net()
    state = network.state()
    state["table.a"] += 1
    np.testing.assert_array_equal(network.table["a"].data, 0)
    network.load_state(state)
    state["table.a"] += 1
    np.testing.assert_array_equal(network.table["a"].data, 1)


def test_load_state_lists_everything_that_does_not_fit_and_changes_nothing() -> None:
    network = nn.Sequential(nn.Dense(3, 4, "relu"), nn.Dense(4, 2))
    before = network.state()
    state = nn.Sequential(nn.Dense(3, 4), nn.Dense(4, 5), nn.Dense(5, 2)).state()
    del state["layers.0.bias"]
    with pytest.raises(ValueError, match="the state does not fit this Sequential: ") as caught:
        network.load_state(state)
    message = str(caught.value)
    for part in (
        "missing layers.0.bias",
        "unexpected layers.2.weight",
        "unexpected layers.2.bias",
        "layers.1.weight: expected shape (4, 2), got (4, 5)",
        "layers.1.bias: expected shape (2,), got (5,)",
        "build the network with the sizes",
    ):
        assert part in message
    for path, array in network.state().items():
        np.testing.assert_array_equal(array, before[path])


def test_load_state_keeps_the_dtype_of_the_network() -> None:
    network = nn.Dense(2, 2)
    network.load_state(nn.Dense(2, 2).astype("float64").state())
    assert network.weight.dtype == np.float32
    network.astype("float64").load_state(nn.Dense(2, 2).state())
    assert network.weight.dtype == np.float64


def test_load_state_refuses_what_cannot_be_converted_and_changes_nothing() -> None:
    network = nn.Dense(2, 2, rng=0)
    before = network.state()
    state = {"weight": np.zeros((2, 2), np.float32), "bias": np.array(["a", "b"])}
    with pytest.raises(ValueError, match=r"bias: expected numbers, got <U1"):
        network.load_state(state)
    np.testing.assert_array_equal(network.weight.data, before["weight"])


def test_state_of_a_transposed_parameter_is_contiguous() -> None:
    layer = nn.Dense(2, 3)
    layer.weight.data = np.arange(6, dtype=np.float32).reshape(3, 2).T
    state = layer.state()["weight"]
    assert state.flags.c_contiguous
    np.testing.assert_array_equal(state, [[0, 2, 4], [1, 3, 5]])


def test_zero_grad_forgets() -> None:
    network = Net().eval()
    network(X).sum().backward()
    network.zero_grad()
    assert all(parameter.grad is None for parameter in network.parameters())


def test_gradients_accumulate_until_zero_grad() -> None:
    layer = nn.Dense(3, 2)
    for _ in range(2):
        layer(X).sum().backward()
    np.testing.assert_allclose(layer.bias.grad, 12, 1e-6)


def test_astype_converts_floating_point_only() -> None:
    network = nn.Sequential(nn.Dense(3, 2), nn.Dropout(0.5))
    network(X).sum().backward()
    assert network.astype("float64") is network
    assert [str(t.dtype) for t in network.named_tensors().values()] == [
        "float64",
        "float64",
        "uint32",
    ]
    assert network[0].weight.grad is None
    assert network(X).dtype == np.float64


@pytest.mark.parametrize("dtype", ["int32", int, "uint8", bool, "complex64"])
def test_astype_refuses_what_has_no_gradient(dtype: Any) -> None:
    layer = nn.Dense(3, 2)
    with pytest.raises(ValueError, match=r"expected a floating-point dtype, got .*; .*float64"):
        layer.astype(dtype)
    assert layer.weight.dtype == np.float32


# freezing


def test_a_frozen_parameter_is_a_buffer() -> None:
    network = nn.Sequential(nn.Dense(3, 4), nn.Dense(4, 2))
    network[0].weight.requires_grad = False
    assert "layers.0.weight" not in network.named_parameters()
    assert "layers.0.weight" in network.state()
    network(X).sum().backward()
    assert network[0].weight.grad is None


# where a wrong shape happened


def test_an_error_names_the_path_of_the_layer() -> None:
    network = nn.Sequential(nn.Dense(3, 4, "relu"), nn.Dense(128, 2))
    with pytest.raises(
        ShapeError,
        match=r"^layers\.1 \(Dense\): expected input of shape \(\.\.\., 128\), got \(6, 4\)",
    ):
        network(X)


def test_the_path_goes_through_nested_modules() -> None:
    network = nn.Sequential(nn.Dense(3, 3), nn.Sequential(Residual(3), Residual(5)))
    with pytest.raises(
        ShapeError, match=r"^layers\.1\.layers\.1\.dense \(Dense\): expected .* 5\), got"
    ):
        network(X)
    with pytest.raises(ShapeError, match=r"^layers\.1\.dense \(Dense\): "):
        network[1](X)
    with pytest.raises(ShapeError, match=r"^dense \(Dense\): "):
        network[1][1](X)
    with pytest.raises(ShapeError, match=r"^Dense: "):
        network[1][1].dense(X)


def test_the_path_goes_through_lists_and_dictionaries() -> None:
    network = Net()
    network.blocks[1]["right"] = nn.Dense(9, 4)
    with pytest.raises(
        ShapeError, match=r"^blocks\.1\.right \(Dense\): expected .* 9\), got \(6, 3\)"
    ):
        network(X)


def test_the_path_of_the_preactivation() -> None:
    network = nn.Sequential(
        nn.Dense(3, 4), nn.Sequential(nn.Dense(4, 4), nn.Dense(7, 2, "softmax"))
    )
    model = train.Model(network, "cross_entropy")
    with pytest.raises(ShapeError, match=r"^layers\.1\.layers\.1 \(Dense\): expected .* 7\), got"):
        model.fit(X, np.zeros(6, int), verbose=False)
    with pytest.raises(ShapeError, match=r"^layers\.0 \(Dense\): expected .* 3\), got \(1, 5\)"):
        train.Model(nn.Sequential(nn.Dense(3, 2), nn.Softmax()), "cross_entropy").predict_proba(
            np.zeros((1, 5))
        )


class Broken(nn.Module):
    def __init__(self) -> None:
        self.w = Tensor(np.zeros((5, 2), np.float32), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        return pellucid.matmul(x, self.w)


def test_an_operation_within_a_forward_of_one_s_own_is_located_too() -> None:
    network = nn.Sequential(nn.Dense(3, 3), nn.Sequential(Broken()))
    with pytest.raises(
        ShapeError,
        match=r"^layers\.1\.layers\.0 \(Broken\): matmul: expected .* \(6, 3\) @ \(5, 2\)",
    ):
        network(X)


# repr


def test_repr_shows_plain_settings() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.factor = 2.5
            self.mode = "fast"
            self.inner = nn.Dense(2, 3, "relu")
            self.weight = Tensor([1.0], requires_grad=True)

    layer = Scaled()
    assert repr(layer) == "Scaled(factor=2.5, mode='fast', inner=Dense(2, 3, ReLU()))"
    assert repr(layer.eval()) == repr(layer.train())


def test_repr_of_nested_containers_is_indented() -> None:
    network = nn.Sequential(nn.Sequential(nn.Dense(2, 3, "relu"), nn.Dropout(0.1)), nn.Dense(3, 1))
    assert repr(network).splitlines() == [
        "Sequential(",
        "  (0) Sequential(",
        "    (0) Dense(2, 3, ReLU())",
        "    (1) Dropout(rate=0.1)",
        "  )",
        "  (1) Dense(3, 1)",
        ")",
    ]
    assert repr(nn.Sequential()) == "Sequential()"


# Sequential


def test_sequential_takes_modules_functions_or_one_list() -> None:
    layers = [nn.Dense(3, 4), pellucid.tanh, nn.Dense(4, 2)]
    one, other = nn.Sequential(*layers), nn.Sequential(layers)
    np.testing.assert_array_equal(one(X).data, other(X).data)
    assert len(one) == 3
    assert list(one) == layers
    assert one[-1] is layers[-1]
    expected = layers[2](pellucid.tanh(layers[0](X)))
    np.testing.assert_array_equal(one(X).data, expected.data)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((nn.ReLU,), r"got .*ReLU.* at 0; did you mean ReLU\(\)\?"),
        ((nn.Dense(3, 4), nn.Dense), r"got .*Dense.* at 1; did you mean Dense\(\)\?"),
        ((nn.Dense(3, 4), "relu"), r"got 'relu' at 1; pass .*nn\.ReLU\(\)"),
        ((nn.Dense(3, 4), None), r"got None at 1; pass"),
        ((nn.Dense(3, 4), [nn.ReLU()]), r"got \[ReLU\(\)\] at 1; pass"),
        ((3, 4), r"got 3 at 0; pass"),
    ],
)
def test_what_is_no_layer_is_refused(layers: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TypeError, match=f"Sequential: expected modules or functions, {message}"):
        nn.Sequential(*layers)


def test_an_empty_sequential_is_the_identity() -> None:
    np.testing.assert_array_equal(nn.Sequential()(X).data, X)
    np.testing.assert_array_equal(nn.Sequential().preactivation(X).data, X)
    assert nn.Sequential().output_activation() is None


def test_the_last_activation_is_found_however_it_is_written() -> None:
    softmax = nn.Softmax()
    for network in (
        nn.Dense(3, 2, softmax),
        nn.Sequential(nn.Dense(3, 2), softmax),
        nn.Sequential(nn.Sequential(nn.Dense(3, 2, softmax))),
        nn.Sequential(nn.Dense(3, 2), nn.Sequential(softmax)),
    ):
        assert network.output_activation() is softmax
        z = network.preactivation(X)
        np.testing.assert_allclose(network(X).data, pellucid.softmax(z).data, 1e-6)
    assert nn.Sequential(nn.Dense(3, 2)).output_activation() is None
    assert nn.Sequential(nn.Dense(3, 2, softmax), lambda x: x).output_activation() is None
    assert Residual(3).output_activation() is None
    np.testing.assert_array_equal(
        (r := Residual(3)).preactivation(X).data, r(X).data
    )  # fmt: skip
