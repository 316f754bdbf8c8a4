"""The contract of every optimiser: what `optim.OPTIMIZERS` lists is enrolled by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from contracts.optimizer_samples import SAMPLES, Sample
from pellucid import Tensor, nn, optim

Array = np.ndarray

STEPS = 50
LARGE = (300, 301)  # an optimiser may take so many elements in parts


def title(name: str, sample: Sample) -> str:
    return "-".join([name, *(f"{k}={v}" for k, v in sample.settings.items())])


ALL = [
    pytest.param(name, sample, id=title(name, sample))
    for name in optim.OPTIMIZERS
    for sample in SAMPLES.get(name, [])
]


WITH_TORCH = [param for param in ALL if param.values[1].torch]


def decayed(sample: Sample, w: Array, steps: int) -> Array:
    """Return what weight decay alone makes of w."""
    share = sample.settings["lr"] * sample.settings.get("weight_decay", 0.0)
    for _ in range(steps):
        w = w - share * w
    return w


def complaint(name: str) -> str:
    """Return what is missing for an optimiser, if anything is."""
    if SAMPLES.get(name):
        return ""
    return (
        f"expected samples for the optimiser {name!r}, got none; add {name!r}: [Sample(<settings>, "
        "<the textbook's loop>, <name in torch.optim>, <its settings>)] to SAMPLES in "
        "tests/contracts/optimizer_samples.py"
    )


def make(name: str, sample: Sample, **changes: Any) -> optim.Optimizer:
    """Return the optimiser of a sample."""
    kind: Any = optim.OPTIMIZERS[name]
    return kind(**(sample.settings | changes))


def start(dtype: str) -> dict[str, Array]:
    """Return parameters to begin with, of several shapes."""
    rng = np.random.default_rng(0)
    shapes = {"w": (3, 4), "b": (4,), "scale": (), "none": (0, 2)}
    return {path: np.asarray(rng.normal(size=s)).astype(dtype) for path, s in shapes.items()}


def slope(w: Array, step: int) -> Array:
    """Return the gradient of a bowl that moves about: large and small numbers of both signs."""
    rng = np.random.default_rng([step, w.size])
    noise = rng.normal(size=w.shape) * 10.0 ** rng.integers(-3, 2, size=w.shape)
    return np.asarray(2 * w + noise).astype(w.dtype)


def trained(optimizer: optim.Optimizer, arrays: dict[str, Array], steps: int) -> dict[str, Tensor]:
    """Return parameters after some steps along `slope`."""
    parameters = {k: Tensor(w.copy(), requires_grad=True) for k, w in arrays.items()}
    for step in range(1, steps + 1):
        for p in parameters.values():
            p.grad = slope(p.data, step)
        optimizer.step(parameters)
    return parameters


def dense() -> nn.Dense:
    """Return a layer with a gradient."""
    layer = nn.Dense(3, 2, rng=0)
    layer(np.ones((4, 3))).sum().backward()
    return layer


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch on one thread: for so few numbers more of them only wait for each other.

    What it counts in one number for a whole parameter has its default dtype: here float64.
    """
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(module.float32)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_every_optimiser_has_samples(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_an_optimiser_without_samples_is_told_how_to_add_them() -> None:
    assert "add 'lamb': [Sample(" in complaint("lamb")


def test_samples_name_optimisers() -> None:
    assert set(SAMPLES) <= set(optim.OPTIMIZERS)


def test_every_exported_optimiser_has_a_name() -> None:
    exported = {
        kind
        for name in optim.__all__
        if isinstance(kind := getattr(optim, name), type) and issubclass(kind, optim.Optimizer)
    }
    assert exported - {optim.Optimizer} <= set(optim.OPTIMIZERS.values())


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_every_optimiser_says_what_it_computes(name: str) -> None:
    text = optim.OPTIMIZERS[name].__doc__ or ""
    assert "w <- w - lr" in text, f"{name}: expected its equation"
    assert re.search(r"\b(19|20)\d\d\b", text), f"{name}: expected its source with the year"


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_defaults_by_name(name: str) -> None:
    optimizer = optim.optimizer(name)
    assert isinstance(optimizer, optim.OPTIMIZERS[name])
    assert optimizer is not optim.optimizer(name)
    layer = dense()
    before = layer.weight.data
    optimizer.step(layer)
    assert not np.array_equal(layer.weight.data, before)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_fifty_steps_are_the_textbook_s(name: str, sample: Sample) -> None:
    found = trained(make(name, sample), start("float64"), STEPS)
    for path, w in start("float64").items():
        np.testing.assert_allclose(
            found[path].data, sample.rule(w, slope, STEPS), 1e-10, err_msg=path
        )


@pytest.mark.torch
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize(("name", "sample"), WITH_TORCH)
def test_fifty_steps_are_torch_s(
    torch: Any, name: str, sample: Sample, dtype: str, rtol: float
) -> None:
    arrays = start(dtype)
    theirs = {k: torch.tensor(w, requires_grad=True) for k, w in arrays.items()}
    other = getattr(torch.optim, sample.torch)(list(theirs.values()), **sample.torch_settings)
    optimizer = make(name, sample)
    ours = {k: Tensor(w, requires_grad=True) for k, w in arrays.items()}
    for step in range(1, STEPS + 1):
        for path, p in ours.items():
            g = slope(arrays[path], step)  # of the starting values: the same on both sides
            p.grad, theirs[path].grad = g, torch.tensor(g)
        optimizer.step(ours)
        other.step()
        for path, p in ours.items():
            size = max(1.0, float(np.abs(arrays[path]).max(initial=0)))
            expected = theirs[path].detach().numpy()
            np.testing.assert_allclose(p.data, expected, rtol, rtol * size, err_msg=f"step {step}")


@pytest.mark.torch
@pytest.mark.parametrize(("name", "sample"), WITH_TORCH)
def test_a_network_s_training_is_torch_s(torch: Any, name: str, sample: Sample) -> None:
    """Gradients of the own engine, fed back for fifty steps."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    network = nn.Sequential(nn.Dense(3, 5, "tanh"), nn.Dense(5, 2), rng=0).astype("float64")
    theirs = torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)
    ).double()
    with torch.no_grad():
        for layer, other in zip(network, (theirs[0], theirs[2]), strict=True):
            other.weight.copy_(torch.tensor(layer.weight.data.T))
            other.bias.copy_(torch.tensor(layer.bias.data))
    optimizer = make(name, sample)
    others = getattr(torch.optim, sample.torch)(theirs.parameters(), **sample.torch_settings)
    criterion = nn.MSELoss()
    for _ in range(STEPS):
        network.zero_grad()
        criterion(network(x), y).backward()
        optimizer.step(network)
        others.zero_grad()
        torch.nn.functional.mse_loss(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        others.step()
    for layer, other in zip(network, (theirs[0], theirs[2]), strict=True):
        np.testing.assert_allclose(layer.weight.data, other.weight.detach().numpy().T, 1e-10, 1e-10)
        np.testing.assert_allclose(layer.bias.data, other.bias.detach().numpy(), 1e-10, 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_parameters_and_state_keep_their_dtype(name: str, sample: Sample, dtype: str) -> None:
    optimizer = make(name, sample)
    parameters = trained(optimizer, start(dtype) | {"large": np.ones(LARGE, dtype)}, 3)
    for path, p in parameters.items():
        assert p.dtype == dtype, path
        for key, array in optimizer.state[path].items():
            assert array.dtype == dtype, f"{path}: {key}"
            assert array.shape in (p.shape, ()), f"{path}: {key}"


@pytest.mark.parametrize("shape", [(2, 3), LARGE])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_network_made_float64_on_the_way_goes_on_in_float64(
    name: str, sample: Sample, shape: tuple[int, ...]
) -> None:
    p = Tensor(np.ones(shape, np.float32), requires_grad=True)
    optimizer = make(name, sample)
    for dtype in ("float32", "float64", "float64"):
        p.data, p.grad = p.data.astype(dtype), np.full(shape, 0.1, dtype)
        optimizer.step([p])
        assert p.dtype == dtype
        assert {array.dtype for array in optimizer.state["0"].values()} <= {np.dtype(dtype)}


@pytest.mark.parametrize("kind", [np.float64, np.float32, lambda v: lambda step: np.float64(v)])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_numpy_s_numbers_as_settings_do_not_make_float64(
    name: str, sample: Sample, kind: Callable[[float], Any]
) -> None:
    """NumPy lets float64 scalars, unlike Python's floats, widen the arrays they meet."""
    changes = {"lr": kind(sample.settings["lr"])}
    plain = {k: np.float64(v) for k, v in sample.settings.items() if type(v) is float and k != "lr"}
    optimizer = make(name, sample, **(plain | changes))
    for p in trained(optimizer, start("float32"), 2).values():
        assert p.dtype == np.float32
    for state in optimizer.state.values():
        assert all(array.dtype == np.float32 for array in state.values())


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_float64_gradient_does_not_make_float64(name: str, sample: Sample) -> None:
    """Clipping by hand, g * (1 / norm), easily widens the gradient."""
    layer = dense()
    for p in layer.parameters():
        p.grad = p.grad.astype("float64")
    optimizer = make(name, sample)
    optimizer.step(layer)
    assert {p.dtype for p in layer.parameters()} == {np.dtype("float32")}
    assert {a.dtype for s in optimizer.state.values() for a in s.values()} <= {np.dtype("float32")}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_zero_gradient_is_a_zero_update(name: str, sample: Sample, dtype: str) -> None:
    p = Tensor(np.ones((2, 3), dtype), requires_grad=True)
    optimizer = make(name, sample)
    for _ in range(3):
        p.grad = np.zeros((2, 3), dtype)
        optimizer.step([p])
    expected = decayed(sample, np.ones((2, 3), dtype), 3)
    np.testing.assert_allclose(p.data, expected, rtol=0 if (expected == 1).all() else 1e-6)


@pytest.mark.parametrize("size", [1e-30, 1e10])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_tiny_and_huge_gradients_give_finite_updates(
    name: str, sample: Sample, size: float
) -> None:
    p = Tensor(np.ones(3, np.float32), requires_grad=True)
    optimizer = make(name, sample)
    for _ in range(3):
        p.grad = np.full(3, size, np.float32)
        optimizer.step([p])
        assert np.isfinite(p.data).all()


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_state_goes_by_path(name: str, sample: Sample) -> None:
    network = nn.Sequential(nn.Dense(3, 2), nn.Dense(2, 1))
    network(np.ones((2, 3))).sum().backward()
    optimizer = make(name, sample)
    assert optimizer.state == {}
    optimizer.step(network)
    assert list(optimizer.state) == list(network.named_parameters())
    assert optimizer.steps == 1
    by_list, by_dictionary = make(name, sample), make(name, sample)
    by_list.step(network.parameters())
    by_dictionary.step(network.named_parameters())
    assert list(by_list.state) == ["0", "1", "2", "3"]
    assert list(by_dictionary.state) == list(network.named_parameters())


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_moved_state_continues_the_same_way(name: str, sample: Sample) -> None:
    """What `state` and ``steps`` hold is all there is to an optimiser's memory."""
    whole = trained(make(name, sample), start("float64"), 6)
    first = make(name, sample)
    halfway = trained(first, start("float64"), 3)
    second = make(name, sample)
    second.state = {k: {n: a.copy() for n, a in s.items()} for k, s in first.state.items()}
    second.steps = first.steps
    for step in (4, 5, 6):
        for p in halfway.values():
            p.grad = slope(p.data, step)
        second.step(halfway)
    for path, p in whole.items():
        np.testing.assert_array_equal(halfway[path].data, p.data)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_the_first_step_uses_the_first_rate(name: str, sample: Sample) -> None:
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return float(sample.settings["lr"] / step)

    scheduled, constant = make(name, sample, lr=schedule), make(name, sample)
    one, other = trained(scheduled, start("float64"), 1), trained(constant, start("float64"), 1)
    assert set(asked) == {1}
    for path, p in one.items():
        np.testing.assert_array_equal(p.data, other[path].data)
    scheduled.step(one)
    assert set(asked) == {1, 2}
    assert scheduled.rate(4) == sample.settings["lr"] / 4


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_rate_of_0_moves_nothing(name: str, sample: Sample) -> None:
    found = trained(make(name, sample, lr=lambda step: 0.0), start("float64"), 2)
    for path, w in start("float64").items():
        np.testing.assert_array_equal(found[path].data, w)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_parameter_without_a_gradient_is_left_alone(name: str, sample: Sample) -> None:
    layer = dense()
    layer.bias.grad = None
    before = layer.bias.data
    optimizer = make(name, sample)
    optimizer.step(layer)
    assert layer.bias.data is before
    assert list(optimizer.state) == ["weight"]


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_frozen_parameter_is_not_moved(name: str, sample: Sample) -> None:
    """Not even by a gradient that is left from before, nor by momentum."""
    layer = dense()
    optimizer = make(name, sample)
    optimizer.step(layer)
    layer.weight.requires_grad = False
    before = layer.weight.data.copy()
    optimizer.step(layer)
    np.testing.assert_array_equal(layer.weight.data, before)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_step_without_backward_is_an_error(name: str, sample: Sample) -> None:
    optimizer = make(name, sample)
    layer = nn.Dense(3, 2, rng=0)
    with pytest.raises(
        ValueError, match=r"with a gradient, got none; call loss.backward\(\) before"
    ):
        optimizer.step(layer)
    with pytest.raises(ValueError, match="got none"):
        optimizer.step([])
    assert optimizer.steps == 0
    assert optimizer.state == {}


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_large_parameter_moves_as_its_parts_do(name: str, sample: Sample) -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=LARGE)
    slopes = rng.normal(size=(3, *LARGE))
    whole = Tensor(w.copy(), requires_grad=True)
    parts = [Tensor(row.copy(), requires_grad=True) for row in w]
    one, other = make(name, sample), make(name, sample)
    for g in slopes:
        whole.grad = g
        for part, row in zip(parts, g, strict=True):
            part.grad = row
        one.step([whole])
        other.step(parts)
    np.testing.assert_array_equal(whole.data, np.stack([part.data for part in parts]))


@pytest.mark.parametrize("shape", [(4, 6), LARGE])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_memory_layout_changes_nothing(name: str, sample: Sample, shape: tuple[int, ...]) -> None:
    """Also where it changes on the way: a transposed weight, then a loaded one in order."""
    rng = np.random.default_rng(0)
    w, slopes = rng.normal(size=shape), rng.normal(size=(4, *shape))
    plain = Tensor(w.copy(), requires_grad=True)
    moved = Tensor(np.asfortranarray(w), requires_grad=True)
    one, other = make(name, sample), make(name, sample)
    for i, g in enumerate(slopes):
        if i == 2:
            moved.data = np.ascontiguousarray(moved.data)
        plain.grad, moved.grad = g, np.asfortranarray(g) if i % 2 else g
        one.step([plain])
        other.step([moved])
        np.testing.assert_array_equal(moved.data, plain.data)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_arrays_that_others_hold_are_left_alone(name: str, sample: Sample) -> None:
    """Data and gradient are rebound, not written to: an array that is kept stays what it was."""
    for shape in ((3, 2), LARGE):
        w, g = np.ones(shape), np.full(shape, 0.5)
        w.flags.writeable = g.flags.writeable = False
        p = Tensor(w, requires_grad=True)
        optimizer = make(name, sample)
        for _ in range(2):
            p.grad = g
            optimizer.step([p])
        assert p.grad is g
        assert not np.array_equal(p.data, w)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_another_network_s_parameters_are_refused(name: str, sample: Sample) -> None:
    """The state of a parameter does not fit one of another shape; broadcasting would hide it."""
    optimizer = make(name, sample)
    one, other = nn.Dense(3, 1), nn.Dense(3, 4)
    for layer in (one, other):
        layer(np.ones((2, 3))).sum().backward()
    optimizer.step(one)
    if not optimizer.state["weight"]:
        optimizer.step(other)  # an optimiser without memory takes any
        return
    before = other.state()
    with pytest.raises(
        ValueError,
        match=r"expected weight in the shape \(3, 1\) of the steps before, got \(3, 4\); make a",
    ):
        optimizer.step(other)
    for path, array in other.state().items():
        np.testing.assert_array_equal(array, before[path])
    assert optimizer.steps == 1


@pytest.mark.parametrize(
    "lr", [0, 0.0, -0.1, float("nan"), float("inf"), "0.1", None, True, [0.1], 1j], ids=str
)
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_a_rate_that_is_no_positive_number_is_refused(name: str, lr: Any) -> None:
    kind: Any = optim.OPTIMIZERS[name]
    with pytest.raises(
        ValueError, match=r"expected lr to be a positive number, got .*; try 0.001 to"
    ):
        kind(lr=lr)


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), None, "0.1"], ids=str)
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_a_schedule_that_gives_no_rate_is_refused(name: str, lr: Any) -> None:
    kind: Any = optim.OPTIMIZERS[name]
    layer, optimizer = dense(), kind(lr=lambda step: lr)
    before = layer.state()
    with pytest.raises(
        ValueError, match=r"expected the schedule to give a rate of .* in step 1, got"
    ):
        optimizer.step(layer)
    for path, array in layer.state().items():
        np.testing.assert_array_equal(array, before[path])


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_it_finds_the_bottom_of_a_bowl(name: str, sample: Sample) -> None:
    rates = {"sgd": 0.05, "momentum": 0.05, "nesterov": 0.05, "adagrad": 3.0, "adadelta": 30.0}
    rate = rates.get(name, 0.3)
    optimizer = make(name, sample, lr=lambda step: rate / (1 + step / 20))
    p = Tensor(np.array([3.0, -2.0]), requires_grad=True)
    for _ in range(400):
        p.grad = 2 * p.data * np.array([1.0, 3.0])
        optimizer.step([p])
    np.testing.assert_allclose(p.data, 0, atol=0.05)
