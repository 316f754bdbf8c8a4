"""Operations of one's own: `pellucid.Op` and `pellucid.apply`, as users have them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, nn, optim, train
from pellucid.ops import REGISTRY, Op, elementwise


class Softsign(pellucid.Op):
    """out = x / (1 + |x|);  dx = g * (1 - |out|)^2."""

    casts = "float"

    @staticmethod
    def forward(xp: Any, x: Any) -> Any:
        return x / (1 + xp.abs(x))

    @staticmethod
    def vjp(xp: Any, g: Any, out: Any, x: Any) -> Any:
        flat = 1 - xp.abs(out)
        return (g * flat * flat,)


class Tilted(pellucid.Op):
    """out = a * b + slope * a;  da = g * (b + slope), db = g * a."""

    casts = "common"

    @staticmethod
    def forward(xp: Any, a: Any, b: Any, *, slope: float) -> Any:
        return a * b + slope * a

    @staticmethod
    def vjp(xp: Any, g: Any, out: Any, a: Any, b: Any, *, slope: float) -> Any:
        return g * (b + slope), g * a


def softsign(x: Any) -> Tensor:
    return pellucid.apply(Softsign, x)


X = np.array([[-2.0, -0.5], [0.5, 3.0]])


# values and gradients


def test_it_computes_the_value() -> None:
    np.testing.assert_array_equal(softsign(X).numpy(), X / (1 + np.abs(X)))


@pytest.mark.parametrize("x", [3, 3.0, [3.0], np.float32(3), np.array([3]), Tensor([3.0])])
def test_it_takes_what_functions_of_tensors_take(x: Any) -> None:
    out = softsign(x)
    assert isinstance(out, Tensor)
    assert (out.shape, out.dtype) == (pellucid.tanh(x).shape, np.float32)


def test_lists_and_numbers_may_stand_beside_a_tensor() -> None:
    a = Tensor([1.0, 2.0], requires_grad=True)
    for b in ([10.0, 20.0], np.array([10.0, 20.0]), Tensor([10.0, 20.0])):
        out = pellucid.apply(Tilted, a, b, slope=1.0)
        assert (out.tolist(), out.dtype) == ([11.0, 42.0], np.float32)
    assert pellucid.apply(Tilted, a, 10, slope=1.0).tolist() == [11.0, 22.0]


def test_operands_without_a_tensor_become_one() -> None:
    assert pellucid.apply(Tilted, 2.0, 3.0, slope=1.0).item() == 8


def test_an_operation_that_keeps_dtypes_takes_a_list() -> None:
    class Plain(pellucid.Op):
        @staticmethod
        def forward(xp: Any, a: Any, b: Any) -> Any:
            return a * b

        vjp = Tilted.vjp

    assert pellucid.apply(Plain, Tensor([2.0, 3.0]), [4.0, 5.0]).tolist() == [8, 15]


def test_gradients_reach_leaves_and_broadcasting_is_undone() -> None:
    a, b = Tensor(X, requires_grad=True), Tensor([1.0, 2.0], requires_grad=True)
    pellucid.apply(Tilted, a, b, slope=0.5).sum().backward()
    np.testing.assert_array_equal(a.grad, [[1.5, 2.5], [1.5, 2.5]])
    np.testing.assert_array_equal(b.grad, X.sum(axis=0))


def test_gradients_of_gradients() -> None:
    second = pellucid.grad(pellucid.grad(lambda x: softsign(x)))
    assert second(np.float64(1.0)).item() == pytest.approx(-2 / 2**3)  # -2 / (1 + x)^3
    assert pellucid.gradcheck(Tilted, X, np.array([1.0, 2.0]), slope=0.5, order=2)


def test_gradcheck_takes_the_class_and_finds_a_planted_fault() -> None:
    class Wrong(Softsign):
        @staticmethod
        def vjp(xp: Any, g: Any, out: Any, x: Any) -> Any:
            return (g * (1 - xp.abs(out)),)

    assert pellucid.gradcheck(Softsign, X, order=2)
    assert not pellucid.gradcheck(Wrong, X)


def test_no_grad_records_nothing() -> None:
    with pellucid.no_grad():
        assert not softsign(Tensor(X, requires_grad=True)).requires_grad


# native code


def test_it_compiles_natively_and_gives_the_same() -> None:
    pytest.importorskip("llvmlite")
    for function in (softsign, pellucid.grad(lambda x: softsign(x).sum())):
        compiled = pellucid.compile(function)
        assert compiled.bound(X).traced.program is not None
        np.testing.assert_array_equal(compiled(X).numpy(), function(Tensor(X)).numpy())


def test_a_gradient_of_a_gradient_compiles() -> None:
    pytest.importorskip("llvmlite")
    twice = pellucid.grad(lambda x: (pellucid.grad(lambda y: softsign(y).sum())(x) ** 2).sum())
    compiled = pellucid.compile(twice)
    assert compiled.bound(X).traced.program is not None
    np.testing.assert_allclose(compiled(X).numpy(), twice(Tensor(X)).numpy(), rtol=1e-14)


def test_a_network_with_it_trains_alike_with_and_without_native_code() -> None:
    pytest.importorskip("llvmlite")

    class SoftsignLayer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return softsign(x)

    x = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32)

    def losses(native: bool) -> list[float]:
        network = nn.Sequential(nn.Dense(4, 8), SoftsignLayer(), nn.Dense(8, 1), rng=0)
        model = train.Model(network, "mse", optim.Adam(0.01))
        history = model.fit(x, x[:, :1], epochs=3, seed=0, compile=native, verbose=False)
        return list(history["loss"])

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)


# definitions


def test_a_definition_registers_nothing() -> None:
    before = dict(REGISTRY)

    class Tanh(pellucid.Op):
        """Has the name of one of the library's."""

        @staticmethod
        def forward(xp: Any, x: Any) -> Any:
            return x

        @staticmethod
        def vjp(xp: Any, g: Any, out: Any, x: Any) -> Any:
            return (g,)

    assert before == REGISTRY
    assert REGISTRY["Tanh"] is elementwise.Tanh
    assert pellucid.apply(Tanh, 3.0).item() == 3
    assert pellucid.tanh(3.0).item() == pytest.approx(np.tanh(3))


def test_it_can_be_defined_anew_as_in_a_notebook() -> None:
    def cell(factor: int) -> type[pellucid.Op]:
        class Scaled(pellucid.Op):
            @staticmethod
            def forward(xp: Any, x: Any) -> Any:
                return factor * x

            @staticmethod
            def vjp(xp: Any, g: Any, out: Any, x: Any) -> Any:
                return (factor * g,)

        return Scaled

    for factor in (2, 3):
        function = partial(pellucid.apply, cell(factor))
        assert pellucid.grad(function)(1.0).item() == factor


def test_the_library_cannot_define_one_twice() -> None:
    with pytest.raises(TypeError, match="expected one operation of the name Tanh, got a second"):
        type("Tanh", (Op,), {**vars(Softsign), "__module__": "pellucid.ops.new"})


# mistakes


def test_a_value_without_a_rule_is_refused_where_it_is_defined() -> None:
    def forward(xp: Any, x: Any) -> Any:
        return x

    with pytest.raises(TypeError, match=r"expected Half to have a gradient rule, .*vjp\(xp, g"):
        type("Half", (pellucid.Op,), {"forward": staticmethod(forward)})
    steps = {"forward": staticmethod(forward), "differentiable": False}
    constant = type("Steps", (pellucid.Op,), steps)
    assert not pellucid.apply(constant, Tensor(1.0, requires_grad=True)).requires_grad


@pytest.mark.parametrize(
    "op",
    [np.tanh, Softsign(), nn.Tanh, pellucid.Op, "tanh"],
    ids=["function", "object", "layer", "base", "name"],
)
def test_what_is_no_operation_is_refused(op: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a subclass of pellucid.Op with a forward, got"):
        pellucid.apply(op, 1.0)


def test_no_operand_is_refused() -> None:
    with pytest.raises(TypeError, match="expected at least one operand"):
        pellucid.apply(Softsign)


def test_a_value_that_is_no_array_is_refused() -> None:
    class Pair(Softsign):
        @staticmethod
        def forward(xp: Any, x: Any) -> Any:
            return None

    with pytest.raises(TypeError, match=r"expected Pair.forward to return an array"):
        pellucid.apply(Pair, X)


@pytest.mark.parametrize("rule", [lambda g: g, lambda g: [g], lambda g: (g, g), lambda g: ()])
def test_a_rule_that_returns_no_tuple_of_one_gradient_an_operand_is_refused(rule: Any) -> None:
    class Loose(Softsign):
        @staticmethod
        def vjp(xp: Any, g: Any, out: Any, x: Any) -> Any:
            return rule(g)

    x = Tensor([1.0], requires_grad=True)  # a gradient of one row looks like one gradient
    with pytest.raises(TypeError, match=r"expected Loose.vjp to return a tuple of 1 gradient"):
        pellucid.apply(Loose, x).backward(np.ones(1))
    with pytest.raises(pellucid.GradientError, match=r"expected Loose.vjp to return a tuple of 1"):
        pellucid.gradcheck(Loose, [1.0])
