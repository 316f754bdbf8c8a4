"""Modules beside and around each other; `test_module` is about sequences and modules at large."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid as pl
from pellucid import ShapeError, Tensor, gradcheck, nn, optim, train

X = np.random.default_rng(0).normal(size=(5, 3))


# what comes in


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Flatten(), nn.Dense(3, 2)),
        nn.Sequential(nn.Linear(), nn.Dropout(0.5), nn.Dense(3, 2, "softmax")),
        nn.Residual(nn.Dense(3, 3)),
        nn.Parallel(nn.Dense(3, 2), nn.Linear()),
        nn.BatchNorm1D(3),
        nn.BatchNorm1D(3).eval(),
        nn.LayerNorm(3),
        nn.RMSNorm(3),
    ],
    ids=lambda network: type(network).__name__,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_array_of_floats_is_taken_in_the_dtype_of_the_network(
    network: nn.Module, dtype: str
) -> None:
    network.astype(dtype)
    for given in (X, X.astype("float32"), X.tolist()):
        assert network(given).dtype == dtype
        assert network.preactivation(given).dtype == dtype
    assert network(Tensor(X)).dtype == "float64", "two tensors meet at the wider dtype"


def test_layers_that_are_functions_receive_tensors() -> None:
    network = nn.Sequential(lambda x: x.flatten(1), nn.Dense(6, 2), rng=0)
    assert network(np.ones((4, 2, 3))).shape == (4, 2)
    assert network.preactivation(np.ones((4, 2, 3))).shape == (4, 2)
    numbers = nn.Sequential(nn.Embedding(5, 3), lambda x: 2 * x, rng=0)
    assert numbers(np.array([[1, 2]])).shape == (1, 2, 3), "numbers of rows stay integers"


# residual


def test_a_residual_adds_its_input() -> None:
    layer = nn.Residual(nn.Dense(3, 4, "relu"), nn.Dense(4, 3), rng=0)
    first, second = layer
    expected = X + second(first(X)).data
    np.testing.assert_allclose(layer(X).data, expected, 1e-6)
    np.testing.assert_allclose(nn.Residual([first, second])(X).data, expected, 1e-6)
    assert len(layer) == 2
    assert layer[1] is second


def test_a_shortcut_brings_the_input_to_the_shape() -> None:
    layer = nn.Residual(nn.Dense(3, 5), shortcut=nn.Dense(3, 5, bias=False), rng=0)
    layer.astype("float64")
    assert list(layer.state()) == ["layers.0.weight", "layers.0.bias", "shortcut.weight"]
    shortcut: Any = layer.shortcut
    np.testing.assert_allclose(layer(X).data, shortcut(X).data + layer[0](X).data, 1e-12)
    function = nn.Residual(nn.Dense(3, 3), shortcut=lambda x: 2 * x, rng=0)
    np.testing.assert_allclose(function(X).data, 2 * X + function[0](X).data, 1e-5)


def test_where_the_layers_return_0_the_gradient_passes_undamped() -> None:
    zero = nn.initialisers.constant(0.0)
    network = nn.Sequential([nn.Residual(nn.Dense(3, 3, init=zero)) for _ in range(50)])
    x = Tensor(X, requires_grad=True)
    out = network(x)
    np.testing.assert_array_equal(out.data, X)
    out.backward(X)
    np.testing.assert_allclose(x.grad, X, 1e-12)


def test_one_seed_draws_layers_and_shortcut() -> None:
    one, same, other = (
        nn.Residual(nn.Dense(3, 4), shortcut=nn.Dense(3, 4), rng=seed).state() for seed in (1, 1, 2)
    )
    for path, array in one.items():
        np.testing.assert_array_equal(array, same[path])
    for path in ("layers.0.weight", "shortcut.weight"):
        assert not np.array_equal(one[path], other[path])
    assert not np.array_equal(one["layers.0.weight"], one["shortcut.weight"])


def test_shapes_that_differ_are_not_broadcast() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^Residual: expected the layers to return the input's shape \(5, 3\), .* got "
        r"\(5, 1\); make the layers end in 3 features, or pass shortcut=nn.Dense\(3, 1\)$",
    ):
        nn.Residual(nn.Dense(3, 1))(X)
    with pytest.raises(ShapeError, match=r"the shortcut's shape \(5, 4\), .* got \(5, 2\)"):
        nn.Residual(nn.Dense(3, 2), shortcut=nn.Dense(3, 4))(X)
    with pytest.raises(ShapeError, match=r"got \(3,\); make the layers return that shape, or pass"):
        nn.Residual(lambda x: x.sum(axis=0))(X)
    with pytest.raises(ShapeError, match=r"got \(\)"):
        nn.Residual(lambda x: x.sum())(X)
    network = nn.Sequential(nn.Dense(3, 4), nn.Residual(nn.Dense(4, 2)))
    with pytest.raises(ShapeError, match=r"^layers.1 \(Residual\): expected the layers"):
        network(X)


def test_a_residual_ends_in_no_activation() -> None:
    """What the last layer applies is not what comes out, so no loss may look through it."""
    layer = nn.Residual(nn.Dense(3, 3, "softmax"))
    assert layer.output_activation() is None
    np.testing.assert_array_equal(layer.preactivation(X).data, layer(X).data)
    assert nn.Parallel(nn.Dense(3, 3, "softmax")).output_activation() is None


# parallel


def test_branches_side_by_side() -> None:
    branches = [nn.Dense(3, 4, rng=0), nn.Dense(3, 4, "tanh", rng=1)]
    a, b = (branch(X).data for branch in branches)
    expected: dict[Any, np.ndarray] = {
        "concat": np.concatenate([a, b], -1),
        "sum": a + b,
        "mean": (a + b) / 2,
        pl.stack: np.stack([a, b]),
    }
    for merge, out in expected.items():
        np.testing.assert_allclose(nn.Parallel(*branches, merge=merge)(X).data, out, 1e-6)
    np.testing.assert_allclose(nn.Parallel(branches, axis=0)(X).data, np.concatenate([a, b]), 1e-6)
    assert list(nn.Parallel(branches)) == branches


def test_branches_of_different_size_are_joined_and_not_added() -> None:
    branches = [nn.Dense(3, 4), nn.Dense(3, 2)]
    assert nn.Parallel(branches)(X).shape == (5, 6)
    with pytest.raises(
        ShapeError, match=r"^Parallel: expected branches that return one shape to sum them, got "
        r"\(5, 4\) and \(5, 2\)",
    ):  # fmt: skip
        nn.Parallel(branches, merge="sum")(X)
    with pytest.raises(ShapeError, match=r"one shape except along axis 0 to concat them"):
        nn.Parallel(branches, axis=0)(X)
    with pytest.raises(ShapeError, match=r"along axis 2"):
        nn.Parallel(branches, axis=2)(X)
    with pytest.raises(ShapeError, match=r"\(5, 3\) and \(5,\)"):
        nn.Parallel(nn.Linear(), lambda x: x.sum(axis=1))(X)


def test_what_makes_no_sense_is_refused() -> None:
    wrong: Any = "product"
    with pytest.raises(ValueError, match=r"merge to be 'concat', 'sum', .* got 'product'"):
        nn.Parallel(nn.ReLU(), merge=wrong)
    with pytest.raises(ValueError, match=r"expected axis to be a whole number, got 1\.0"):
        nn.Parallel(nn.ReLU(), axis=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Parallel: expected at least one branch, got none"):
        nn.Parallel()
    with pytest.raises(ValueError, match="Residual: expected at least one layer, got none"):
        nn.Residual()
    with pytest.raises(TypeError, match=r"Residual: expected .* at 0; did you mean ReLU\(\)\?"):
        nn.Residual(nn.ReLU)
    with pytest.raises(TypeError, match=r"Parallel: expected .* got 3 at 1; pass for example"):
        nn.Parallel(nn.ReLU(), 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Residual: expected .* as shortcut; did you mean Linear"):
        nn.Residual(nn.ReLU(), shortcut=nn.Linear)


def test_repr() -> None:
    network = nn.Residual(
        nn.Parallel(nn.Dense(3, 2), nn.Tanh(), merge="sum"), shortcut=nn.Dense(3, 2)
    )
    assert repr(network).splitlines() == [
        "Residual(",
        "  (0) Parallel(",
        "    (0) Dense(3, 2)",
        "    (1) Tanh()",
        "    merge='sum'",
        "  )",
        "  shortcut=Dense(3, 2)",
        ")",
    ]
    assert "merge='concat', axis=1" in repr(nn.Parallel(nn.ReLU(), axis=1))
    assert "merge='stack'" in repr(nn.Parallel(nn.ReLU(), merge=pl.stack))


def test_a_residual_network_is_trained() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    block = [nn.Residual(nn.LayerNorm(8), nn.Dense(8, 8, "gelu"), nn.Dense(8, 8)) for _ in range(3)]
    network = nn.Sequential(nn.Dense(2, 8), *block, nn.Dense(8, 2), rng=0)
    model = train.Model(network, "cross_entropy", optim.Adam(0.02), metrics=["accuracy"])
    model.fit(x, y, epochs=30, seed=0, verbose=0)
    assert model.evaluate(x, y)["accuracy"] > 0.95
    path = "layers.1 (Residual)"
    assert any(path.split()[0] in line for line in str(model.summary()).splitlines())


# modules of one's own


class Bilinear(nn.Module):
    """out = A x * B z, of two inputs."""

    def __init__(self) -> None:
        self.left, self.right = nn.Dense(3, 4, rng=0), nn.Dense(2, 4, rng=1)

    def forward(self, x: Any, z: Any, *, scale: float = 1.0) -> Tensor:
        return self.left(x) * self.right(z) * scale


def test_a_module_of_two_inputs() -> None:
    layer = Bilinear().astype("float64")
    z = np.random.default_rng(1).normal(size=(5, 2))
    np.testing.assert_allclose(layer(X, z, scale=2.0).data, 2 * layer(X, z).data, 1e-14)
    report = gradcheck(layer, X, z, order=2)
    assert report
    assert {"x", "z", "left.weight", "right.bias"} <= {row.name for row in report.rows}
    with pytest.raises(ShapeError, match=r"^right \(Dense\): expected input of shape \(..., 2\)"):
        layer(X, X)


class Siamese(nn.Module):
    """out = |f(x) - f(z)|, one f for both."""

    def __init__(self) -> None:
        self.f = nn.Sequential(nn.Dense(3, 4, "tanh"), nn.Dense(4, 2), rng=0)
        self.again = self.f

    def forward(self, x: Any, z: Any) -> Tensor:
        return pl.abs(self.f(x) - self.again(z))


def test_a_module_that_shares_a_layer() -> None:
    layer = Siamese().astype("float64")
    assert list(layer.state()) == [
        f"f.layers.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")
    ]
    z = np.random.default_rng(1).normal(size=(5, 3))
    assert gradcheck(layer, X, z)
    np.testing.assert_array_equal(layer(X, X).data, 0)
    shared = nn.Dense(3, 3, "tanh", rng=0).astype("float64")
    stack = nn.Sequential(shared, nn.Residual(shared), nn.Parallel(shared, shared, merge="mean"))
    assert list(stack.state()) == ["layers.0.weight", "layers.0.bias"]
    assert gradcheck(stack, X, order=2)
    optimizer = optim.SGD(0.1)
    before = shared.weight.data.copy()
    stack(X).sum().backward()
    gradient = shared.weight.grad.copy()
    optimizer.step(stack)
    np.testing.assert_allclose(shared.weight.data, before - 0.1 * gradient, 1e-12)
