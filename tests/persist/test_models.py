"""A whole model in a file: everything that belongs to it comes back, or nothing is written."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import pellucid
from pellucid import Tensor, data, nn, optim, registry
from pellucid.persist import (
    container,
    load_objects,
    load_parameters,
    save_objects,
    save_parameters,
)
from pellucid.train import Model, metrics
from train.problems import blobs, classifier, line, same_state

KEPT = Path(__file__).parent / "formats"


@pytest.fixture(autouse=True)
def registry_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test registers."""
    monkeypatch.setattr(registry, "_things", dict(registry._things))
    monkeypatch.setattr(registry, "_names", dict(registry._names))


class Swish(nn.Module):
    """A module of a user: arguments that are not kept, private attributes, a generator."""

    def __init__(self, size: int, depth: int = 2) -> None:
        self.blocks = {f"b{i}": nn.Dense(size, size) for i in range(depth)}
        self.beta = Tensor(1.5, requires_grad=True, dtype="float32")
        self.noise = np.random.default_rng(3)
        self._table = np.arange(4.0)

    def forward(self, x: Any) -> Tensor:
        for block in self.blocks.values():
            x = block(x)
        return x * (self.beta * x).sigmoid() + float(self.noise.random() + self._table.sum())


def within(y_true: Any, y_pred: Any) -> float:
    return float(np.mean(np.abs(y_true - y_pred) < 0.5))


def reloaded(model: Model, folder: Path) -> Model:
    model.save(folder / "model.safetensors")
    return Model.load(folder / "model.safetensors")


def small(network: nn.Module | None = None, **options: Any) -> Model:
    return Model(network or classifier(), "cross_entropy", **options)


# everything comes back


def test_a_model_predicts_scores_and_reports_the_same(tmp_path: Path) -> None:
    x, y = blobs()
    model = Model(
        classifier(nn.Softmax()),
        nn.CrossEntropyLoss(0.1, [1.0, 2.0, 0.5]),
        optim.AdamW(1e-2, groups=[optim.no_decay_on_vectors()]),
        metrics=["accuracy", "f1_macro", "top_2_accuracy", metrics.roc_auc],
        penalty={"layers.0.*": nn.L1L2(1e-4, 1e-3)},
        constraint=nn.MaxNorm(2.0),
    )
    model.fit(x, y, epochs=3, seed=0, verbose=False)
    copy = reloaded(model, tmp_path)
    np.testing.assert_array_equal(copy.predict(x), model.predict(x))
    np.testing.assert_array_equal(copy.predict_classes(x), model.predict_classes(x))
    assert copy.evaluate(x, y) == model.evaluate(x, y)
    assert repr(copy.optimizer) == repr(model.optimizer)
    assert str(copy.summary()) == str(model.summary())
    histories = [m.fit(x, y, epochs=2, seed=5, verbose=False) for m in (model, copy)]
    assert histories[0] == histories[1]
    assert "penalty" in histories[1]


def test_names_preprocessing_and_notes(tmp_path: Path) -> None:
    x, _ = line()
    model = Model(nn.Dense(3, 1, rng=0), "mse")
    model.class_names = ("cat", "dög")  # type: ignore[assignment]
    model.preprocessing = {"x": data.Standardizer().fit(x), "text": data.CharVocabulary("abc")}
    model.metadata = {"rows": 60, "shape": (2, 3), "rate": float("nan"), "who": None, 3: True}
    copy = reloaded(model, tmp_path)
    assert copy.class_names == ["cat", "dög"]
    np.testing.assert_array_equal(
        copy.preprocessing["x"].transform(x), model.preprocessing["x"].transform(x)
    )
    assert copy.preprocessing["text"] == data.CharVocabulary("abc")
    assert str(copy.metadata) == str(model.metadata)  # nan is not itself


def test_what_was_changed_after_construction_is_kept(tmp_path: Path) -> None:
    model = small(nn.Sequential(nn.Dense(2, 4, "relu"), nn.Dropout(0.1), nn.Dense(4, 3), rng=0))
    network: Any = model.network
    network.layers[2] = nn.Dense(4, 5, rng=1)  # a new head
    network.layers[0].weight.requires_grad = False
    network.layers[1].rate = 0.4
    network.astype("float64")
    model.optimizer.lr, model.optimizer.scale = 0.5, 0.25
    found: Any = reloaded(model, tmp_path)
    assert repr(found.network) == repr(network)
    assert not found.network[0].weight.requires_grad
    assert found.network[2].weight.dtype == np.float64
    assert found.optimizer.rate() == 0.125


def test_a_new_head_after_training_is_no_obstacle(tmp_path: Path) -> None:
    """The optimiser remembers the old one and says so when it is trained, saved or not."""
    x, y = blobs()
    model = small(penalty={"layers.1.weight": nn.L2(1e-4)})
    model.fit(x, y, epochs=1, seed=0, verbose=False)
    network: Any = model.network
    network.layers[1] = nn.Sequential(nn.Dense(20, 5, rng=0), nn.Dense(5, 3, rng=0))
    network.layers[0] = nn.Dense(2, 20, "tanh", rng=0)
    copy = reloaded(model, tmp_path)
    np.testing.assert_array_equal(copy.predict(x), model.predict(x))
    for each in (model, copy):
        with pytest.raises(ValueError, match="make a new optimizer for another network"):
            each.fit(x, y, epochs=1, verbose=False)
    copy.optimizer.reset()
    copy.fit(x, y, epochs=1, verbose=False)


def test_a_wholly_frozen_network_is_saved_and_loaded(tmp_path: Path) -> None:
    x, _ = blobs()
    model = small()
    for parameter in model.network.parameters():
        parameter.requires_grad = False
    copy = reloaded(model, tmp_path)
    assert copy.network.parameters() == []
    np.testing.assert_array_equal(copy.predict(x), model.predict(x))


def test_training_goes_on_as_native_code(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    x, y = blobs()
    model = small(optimizer="adam")
    model.fit(x, y, epochs=1, seed=0, verbose=False, compile=True)
    copy = reloaded(model, tmp_path)
    histories = [m.fit(x, y, epochs=2, seed=1, verbose=False, compile=True) for m in (model, copy)]
    assert histories[0] == histories[1]
    assert same_state(model.network, copy.network)


def test_shared_layers_and_tied_weights_stay_shared(tmp_path: Path) -> None:
    shared = nn.Dense(4, 4, "tanh", rng=0)
    network = nn.Sequential(nn.Dense(2, 4, rng=1), shared, shared, nn.Dense(4, 4), nn.Dense(4, 4))
    network[4].weight = network[3].weight
    copy: Any = reloaded(small(network), tmp_path).network
    assert copy[1] is copy[2]
    assert copy[4].weight is copy[3].weight
    assert copy[4].bias is not copy[3].bias
    assert same_state(copy, network)
    assert "layers.4.weight" not in load_file(tmp_path / "model.safetensors")


def test_a_module_may_lead_back_to_itself(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Dense(2, 3))
    network[0].parent = network
    copy: Any = reloaded(small(network), tmp_path).network
    assert copy[0].parent is copy


@pytest.mark.parametrize(
    "layout", [lambda a: np.ascontiguousarray(a.T).T, np.asfortranarray, lambda a: a[::-1, ::-1]]
)
def test_weights_that_are_not_contiguous_are_written_right(tmp_path: Path, layout: Any) -> None:
    model = small()
    first: Any = model.network[0]  # type: ignore[index]
    first.weight.data = layout(np.arange(32, dtype=np.float32).reshape(2, 16))
    model.preprocessing = layout(np.arange(6.0).reshape(2, 3))
    copy: Any = reloaded(model, tmp_path)
    np.testing.assert_array_equal(copy.network[0].weight.data, first.weight.data)
    np.testing.assert_array_equal(copy.preprocessing, model.preprocessing)


@pytest.mark.parametrize("dtype", [">f4", ">i8", "?", "f2", "u1"])
def test_arrays_of_every_kind_and_byte_order(tmp_path: Path, dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    save_objects(tmp_path / "a", {"a": array, "empty": array[:0], "one": array[0, 0, ...]})
    found = load_objects(tmp_path / "a")
    for name, given in {"a": array, "empty": array[:0], "one": array[0, 0, ...]}.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], given)


def test_values_of_every_kind(tmp_path: Path) -> None:
    things: dict[str, Any] = {
        "numbers": [1, -2.5, True, None, 2**70, float("inf"), -float("inf"), 1e-320],
        "texts": ["", "dög", "\x00", "\ud800", "null"],
        "nested": ({"a": [(), {}, set()]}, {1: {2.5: (3,)}, None: "x", (1, "a"): 0}),
        "set": {1, 2, "x"},
        "frozen": frozenset({"a", (1, 2)}),
        "numpy": [np.float32(0.1), np.int64(-3), np.bool_(True), np.dtype("float16")],
        "function": [pellucid.tanh, partial(metrics.f1, average="micro"), nn.ReLU],
    }
    save_objects(tmp_path / "a", things)
    found = load_objects(tmp_path / "a")
    assert found["numpy"][0].dtype == np.float32
    assert found["function"][1].keywords == {"average": "micro"}
    found["function"][1] = things["function"][1]  # partials are equal to themselves alone
    assert found == things


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_random_generators_go_on_where_they_were(tmp_path: Path, kind: str) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(5))
    rng.spawn(2)
    rng.random(3, dtype=np.float32)  # half of a draw is left over
    save_objects(tmp_path / "rng", {"rng": rng})
    copy = load_objects(tmp_path / "rng")["rng"]
    for draw in (lambda g: g.random(5, np.float32), lambda g: g.spawn(1)[0].random(4)):
        np.testing.assert_array_equal(draw(copy), draw(rng))


# classes and functions of the user


def test_a_module_of_the_user(tmp_path: Path) -> None:
    pellucid.register(Swish)
    model = small(nn.Sequential(nn.Dense(2, 3, rng=0), Swish(3)))
    x, _ = blobs()
    copy = reloaded(model, tmp_path)
    np.testing.assert_array_equal(copy.predict(x), model.predict(x))  # the noise goes on


def test_functions_of_the_user(tmp_path: Path) -> None:
    pellucid.register(name="mine.within")(within)

    @pellucid.register
    def halved(x: Any) -> Any:
        return x / 2

    @pellucid.register
    def rate(step: Any) -> Any:
        return 0.1 / step

    x, y = line()
    network = nn.Sequential(nn.Dense(3, 1, rng=0), halved)
    model = Model(network, "mse", optim.SGD(rate), metrics=["r2", within])
    copy = reloaded(model, tmp_path)
    assert copy.evaluate(x, y) == model.evaluate(x, y)
    assert copy.optimizer.rate(10) == 0.01


def test_a_class_defined_anew_takes_its_place(tmp_path: Path) -> None:
    def define() -> type[nn.Module]:
        class Cell(nn.Dense):
            pass

        return pellucid.register(Cell)

    define()
    newer = define()
    copy = reloaded(small(newer(2, 3)), tmp_path)  # type: ignore[call-arg]
    assert type(copy.network) is newer


@pytest.mark.parametrize(
    ("model", "place", "fix"),
    [
        (lambda: small(Swish(2)), "network", "put @pellucid.register before .* of Swish"),
        (lambda: small(nn.Sequential(nn.Dense(2, 3), lambda x: x)), r"network\.layers\.1",
         "define it with def, and put @pellucid"),
        (lambda: small(optimizer=optim.SGD(lambda step: 0.1)), r"optimizer\.lr", "with def"),
        (lambda: Model(nn.Dense(3, 1), "mse", metrics=[within]), r"metrics\.0\.function",
         "before the definition of within"),
        (lambda: small(nn.Dense(2, 3, init=lambda s, i, o, r: np.ones(s))), r"network\.init",
         "define it with def"),
        (lambda: small(optimizer=optim.Adam(groups=[optim.Group(lambda p, t: True, lr=0.1)])),
         r"optimizer\.groups\.0\.which", "define it with def"),
    ],
)  # fmt: skip
def test_what_has_no_name_is_refused_before_anything_is_written(
    tmp_path: Path, model: Any, place: str, fix: str
) -> None:
    path = tmp_path / "model.safetensors"
    small().save(path)
    old = path.read_bytes()
    with pytest.raises(TypeError, match=f"^{place}: expected what a file can name, got .*{fix}"):
        model().save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


class Slotted:
    __slots__ = ("x",)

    def __init__(self) -> None:
        self.x = 1


class Listed(list[int]):
    pass


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (open, "write a function or class that uses it"),
        (b"bytes", "expected what a file can name"),
        (1j, "expected what a file can name"),
        (Path("x"), "keep what it says as numbers and texts"),
        (np.array(["a"]), "expected an array of numbers that files know, got <U1"),
        (np.array([1j]), "expected an array of numbers"),
        (np.datetime64("2020"), "expected a dtype of numbers"),
        ({Path("x"): 1}, "expected numbers and texts as keys"),
        (Slotted(), "expected an object whose attributes are all there is to it"),
        (Listed(), "expected an object whose attributes are all there is to it"),
        (partial(lambda: 0), "define it with def"),
        (np.random.Generator(np.random.PCG64(1)).random, "expected what a file can name"),
    ],
    ids=lambda v: repr(v)[:20],
)
def test_values_that_no_file_holds(tmp_path: Path, value: Any, match: str) -> None:
    pellucid.register(Slotted)
    pellucid.register(Listed)
    model = small()
    model.metadata["note"] = value
    with pytest.raises(TypeError, match=match):
        model.save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_method_replaced_on_an_object_is_refused(tmp_path: Path) -> None:
    pellucid.register(within)
    network: Any = nn.Dense(2, 3)
    network.forward = within
    with pytest.raises(TypeError, match=r"network\.forward: expected an attribute beside the meth"):
        small(network).save(tmp_path / "m")


def test_nesting_has_a_limit(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ValueError, match="expected at most 100 levels of nesting, got more"):
        save_objects(tmp_path / "deep", {"deep": deep})


@pytest.mark.parametrize("name", ["", "a b", "1a", "a..b", 3])
def test_names_are_words_with_dots(name: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a name such as 'mine\.Swish'"):
        pellucid.register(name=name)(Swish)


def test_a_name_is_given_once() -> None:
    pellucid.register(Swish)

    class Other:
        pass

    with pytest.raises(ValueError, match=r"which stands for .*Swish; pass another, @pellucid"):
        pellucid.register(name="Swish")(Other)
    with pytest.raises(ValueError, match="expected a name of its own for Other"):
        pellucid.register(name="nn.Dense")(Other)


@pytest.mark.parametrize("thing", [3, "Swish", Swish(2), None.__class__])
def test_only_classes_and_functions_are_registered(thing: Any) -> None:
    if isinstance(thing, type):
        assert pellucid.register(thing) is thing
        return
    with pytest.raises(TypeError, match="expected a class or a function"):
        pellucid.register(thing)


# other files, and other programs


def test_a_class_that_is_not_registered_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pellucid.register(Swish)
    small(nn.Sequential(nn.Dense(2, 3), Swish(3))).save(tmp_path / "m")
    monkeypatch.delitem(registry._things, "Swish")
    match = r"network\.layers\.1: expected the name of a registered class .*'Swish'; import the mod"
    with pytest.raises(ValueError, match=match):
        Model.load(tmp_path / "m")


def test_weights_have_their_own_names_and_others_read_them(tmp_path: Path) -> None:
    x, y = blobs()
    model = small(optimizer="adam")
    model.fit(x, y, epochs=1, verbose=False)
    model.save(tmp_path / "m.safetensors")
    theirs = load_file(tmp_path / "m.safetensors")
    for name, array in model.network.state().items():
        np.testing.assert_array_equal(theirs[name], array)
    others = set(theirs) - set(model.network.state())
    assert others == {
        f"optimizer:state.{path}.{m}" for path in model.network.named_parameters() for m in "mv"
    }
    with safe_open(tmp_path / "m.safetensors", framework="numpy") as file:
        assert {"format", "format_version", "pellucid"} <= file.metadata().keys()
        assert json.loads(file.metadata()["description"])["loss"]["object"] == "nn.CrossEntropyLoss"


def test_weights_alone_are_read_from_a_whole_model(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Dense(2, 4, rng=0), nn.PositionalEncoding(3, 4))
    small(network).save(tmp_path / "m")
    other = nn.Sequential(nn.Dense(2, 4), nn.PositionalEncoding(3, 4))
    assert load_parameters(other, tmp_path / "m").unexpected == []
    assert same_state(network, other)


def test_a_file_of_weights_alone_is_no_model(tmp_path: Path) -> None:
    save_parameters(classifier(), tmp_path / "w")
    with pytest.raises(ValueError, match=r"build the network and use .*load_parameters"):
        Model.load(tmp_path / "w")
    save_objects(tmp_path / "o", {"network": classifier()})
    with pytest.raises(ValueError, match=r"expected a file that Model\.save wrote, got"):
        Model.load(tmp_path / "o")
    with pytest.raises(FileNotFoundError, match="found none"):
        Model.load(tmp_path / "none")


def test_objects_that_make_no_model_are_refused(tmp_path: Path) -> None:
    small().save(tmp_path / "m")
    parts = load_objects(tmp_path / "m")
    wrong = {
        "network": nn.ReLU(), "loss": 3, "optimizer": nn.ReLU(), "metrics": ["none"],
        "penalties": {"a": 3}, "constraints": [], "class_names": 3, "metadata": [],
        "input_shape": "x",
    }  # fmt: skip
    for name, value in wrong.items():
        save_objects(tmp_path / "o", parts | {name: value})
        with pytest.raises(ValueError, match=f"{tmp_path / 'o'}: no sound model: expected "):
            Model.load(tmp_path / "o")


@pytest.mark.parametrize(
    ("name", "value"),
    [("metadata", "digits"), ("class_names", 3), ("class_names", "ab"), ("input_shape", (4.5,)),
     ("input_shape", "x"), ("metrics", "accuracy"), ("penalties", [])],
)  # fmt: skip
def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path, name: str, value: Any) -> None:
    model = small()
    setattr(model, name, value)
    with pytest.raises(ValueError, match=f"expected {name} to be .*, got"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_shapes_and_names_of_any_kind_are_kept_as_plain_ones(tmp_path: Path) -> None:
    model = small()
    model.input_shape, model.class_names = [np.int64(4)], np.array(["ä", "猫"])  # type: ignore[assignment]
    again = reloaded(model, tmp_path)
    assert again.input_shape == (4,)
    assert again.class_names == ["ä", "猫"]


@pellucid.register(name="tests.Counting")
class Counting(optim.SGD):
    """An optimiser of a user, whose state holds a number: what NumPy makes of 0-d arrays."""

    def init(self, param: Any) -> Any:
        return {"n": np.zeros(())}

    def update(self, param: Any, grad: Any, state: Any, step: int) -> Any:
        return param - grad / (1 + state["n"]), {"n": state["n"] + 1}


def test_an_optimiser_may_remember_numbers(tmp_path: Path) -> None:
    x, y = blobs(20)
    model = Model(classifier(), "cross_entropy", Counting(0.1))
    model.fit(x, y, epochs=2, compile=False, verbose=False)
    again = reloaded(model, tmp_path)
    assert again.optimizer.state == model.optimizer.state


# by matching names


def test_matching_names_alone_are_read_where_asked(tmp_path: Path) -> None:
    body, head = nn.Dense(2, 4, rng=0), nn.Dense(4, 3, rng=1)
    save_parameters(nn.Sequential(body, head), tmp_path / "w")
    other = nn.Sequential(nn.Dense(2, 4, rng=5), nn.Dropout(0.5), nn.Dense(4, 3, rng=6))
    before = other.state()
    with pytest.raises(ValueError, match=r"missing layers\.1\.stream; .*unexpected layers\.1\.wei"):
        load_parameters(other, tmp_path / "w")
    assert all(np.array_equal(other.state()[path], before[path]) for path in before)
    found = load_parameters(other, tmp_path / "w", strict=False)
    assert found.missing == ["layers.1.stream", "layers.2.weight", "layers.2.bias"]
    assert found.unexpected == ["layers.1.weight", "layers.1.bias"]
    np.testing.assert_array_equal(other[0].weight.data, body.weight.data)
    np.testing.assert_array_equal(other[2].weight.data, before["layers.2.weight"])


def test_a_shape_must_fit_even_so(tmp_path: Path) -> None:
    save_parameters(nn.Dense(2, 4), tmp_path / "w")
    with pytest.raises(ValueError, match=r"weight: expected shape \(2, 5\), got \(2, 4\); bias"):
        load_parameters(nn.Dense(2, 5), tmp_path / "w", strict=False)
    save_objects(tmp_path / "none", {"network": nn.Sequential(nn.Dense(2, 2))})
    with pytest.raises(ValueError, match="missing running_mean"):  # nothing matches
        load_parameters(nn.BatchNorm1D(2, affine=False), tmp_path / "none", strict=False)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_half_precision_of_others_is_read(tmp_path: Path, dtype: str) -> None:
    numbers = np.array([[1.0, -2.5, 0.15625], [3e38, 1e-30, 0.0]], np.float32)
    if dtype == "F16":
        numbers = numbers.clip(-60000, 60000)
        stored = numbers.astype(np.float16)
        save_file({"weight": stored}, tmp_path / "w")
        expected = stored.astype(np.float32)
    else:
        upper = (numbers.view(np.uint32) >> 16).astype("<u2")
        entry = {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}
        header = json.dumps({"weight": entry}).encode()
        text = len(header).to_bytes(8, "little") + header + upper.tobytes()
        (tmp_path / "w").write_bytes(text)
        expected = (upper.astype(np.uint32) << 16).view(np.float32)
    layer = nn.Dense(2, 3, bias=False)
    load_parameters(layer, tmp_path / "w")
    assert layer.weight.dtype == np.float32
    np.testing.assert_array_equal(layer.weight.data, expected)


@pytest.mark.torch
def test_bfloat16_is_torch_s(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    w = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    save_torch({"weight": w}, tmp_path / "w")
    layer = nn.Dense(5, 3, bias=False)
    load_parameters(layer, tmp_path / "w")
    np.testing.assert_array_equal(layer.weight.data, w.float().numpy())


# versions


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.safetensors")), ids=lambda p: p.stem)
def test_files_of_every_released_version_still_load(path: Path) -> None:
    """Written by tests/persist/formats/write.py, at the version in the name."""
    model = Model.load(path)
    x = np.linspace(-1, 1, 5 * 6 * 6, dtype=np.float32).reshape(5, 6, 6, 1)
    expected = model.metadata["predictions"]
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-6)
    assert model.class_names == ["a", "b", "c"]
    assert model.preprocessing.mean_.shape == (2,)
    y = np.arange(5) % 3
    assert np.isfinite(model.fit(x, y, epochs=1, verbose=False)["loss"]).all()
    assert model.optimizer.steps == 5


def test_a_file_of_each_format_is_kept() -> None:
    versions = {container.read(path).metadata["format_version"] for path in KEPT.glob("*.safe*")}
    assert versions == {str(n) for n in range(1, container.FORMAT + 1)}


def test_a_newer_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(container, "FORMAT", 7)
        later.setattr(container, "__version__", "9.1.0")
        small().save(tmp_path / "m")
    match = (
        r"m: expected a file of format 1 or earlier, got format 7, written by Pellucid 9\.1\.0; "
        r"this is Pellucid .*: install that version or a later one"
    )
    for load in (Model.load, partial(load_parameters, classifier())):
        with pytest.raises(ValueError, match=match):
            load(tmp_path / "m")
