"""Networks of several inputs: arrays in a tuple, or by the names of forward's arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, data, nn, optim, train

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.standard_normal((60, 3)), RNG.standard_normal((60, 2))
Y = (LEFT[:, 0] * RIGHT[:, 0] > 0).astype(int)
AS_TUPLE = (LEFT, RIGHT)
BY_NAME = {"right": RIGHT, "left": LEFT}  # in another order than forward's


@pellucid.register(name="test_several.Two")
class Two(nn.Module):
    def __init__(self) -> None:
        self.left, self.right = nn.Dense(3, 8, "tanh"), nn.Dense(2, 8, "tanh")
        self.head = nn.Dense(16, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head(pellucid.concat([self.left(left), self.right(right)], axis=-1))


class Apart(Two):
    """The same network, which takes both inputs side by side."""

    def forward(self, x: Any) -> Tensor:  # type: ignore[override]
        return super().forward(x[:, :3], x[:, 3:])


def model(kind: type[nn.Module] = Two) -> train.Model:
    return train.Model(kind().initialise(0), "cross_entropy", optim.Adam(0.01), ["accuracy"])


def trained(x: Any, kind: type[nn.Module] = Two, **how: Any) -> tuple[train.Model, train.History]:
    made = model(kind)
    how = {"epochs": 3, "batch_size": 16, "seed": 0, "verbose": False} | how
    return made, made.fit(x, how.pop("y", Y), **how)


def same(one: train.Model, other: train.Model) -> None:
    mine, theirs = one.network.state(), other.network.state()
    assert mine.keys() == theirs.keys()
    for path, array in mine.items():
        np.testing.assert_allclose(array, theirs[path], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("x", [AS_TUPLE, BY_NAME], ids=["tuple", "by name"])
def test_training_is_that_of_one_array_with_both(x: Any, native: bool) -> None:
    how = {"compile": native, "validation_split": 0.25, "class_weight": "balanced"}
    ours, history = trained(x, **how)
    theirs, expected = trained(np.concatenate([LEFT, RIGHT], axis=1), Apart, **how)
    same(ours, theirs)
    assert history.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("x", [AS_TUPLE, BY_NAME], ids=["tuple", "by name"])
def test_a_trained_network_is_used_with_several_inputs(x: Any, native: bool) -> None:
    ours, _ = trained(x)
    out = ours.network(LEFT.astype("float32"), RIGHT.astype("float32")).numpy()
    how: dict[str, Any] = {"batch_size": 25, "compile": native}
    np.testing.assert_allclose(ours.predict(x, **how), out, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ours.predict_classes(x, **how), out.argmax(axis=1))
    assert ours.predict_proba(x, **how).shape == (60, 2)
    right = (out.argmax(axis=1) == Y).mean()
    assert ours.evaluate(x, Y, **how)["accuracy"] == pytest.approx(right)
    assert ours.eager == ""


class Loader:
    """Batches of 20 rows, of inputs in either form."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, 60, 20):
            rows = slice(start, start + 20)
            left, right = LEFT[rows], RIGHT[rows]
            yield (left, right) if self.form == "tuple" else {"left": left, "right": right}, Y[rows]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("form", ["tuple", "dict"])
def test_loaders_bring_several_inputs(form: str, native: bool) -> None:
    ours, history = trained(
        Loader(form), y=None, batch_size=None, compile=native, validation_data=Loader(form)
    )
    assert history.epochs == 3
    assert "val_loss" in history
    whole = ours.evaluate(AS_TUPLE, Y, compile=False)
    assert ours.evaluate(Loader(form)) == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(ours.predict(Loader(form)), ours.predict(AS_TUPLE), rtol=1e-5)


SOURCES: dict[str, Any] = {
    "a tuple": lambda: (AS_TUPLE, Y),
    "by name": lambda: (BY_NAME, Y),
    "rows": lambda: [((LEFT[i], RIGHT[i]), Y[i]) for i in range(60)],
    "rows by name": lambda: [({"left": LEFT[i], "right": RIGHT[i]}, Y[i]) for i in range(60)],
    "a function": lambda: lambda: iter([((LEFT[i], RIGHT[i]), Y[i]) for i in range(60)]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_librarys_loader_makes_batches_of_several_inputs(name: str) -> None:
    loader = data.Loader(SOURCES[name](), batch_size=16, shuffle=None if "func" in name else False)
    ours, _ = trained(loader, y=None, batch_size=None)
    one = data.Loader((np.concatenate([LEFT, RIGHT], axis=1), Y), batch_size=16, shuffle=False)
    same(ours, trained(one, Apart, y=None, batch_size=None)[0])


def test_a_transform_is_given_all_inputs() -> None:
    def flipped(x: Any, rng: np.random.Generator) -> Any:
        return {"left": -x["left"], "right": -x["right"]}

    loader = data.Loader((BY_NAME, Y), batch_size=60, shuffle=False, transform=flipped)
    ((x, _),) = loader
    np.testing.assert_array_equal(x["left"], -LEFT)
    loader = data.Loader((BY_NAME, Y), transform=lambda x, rng: {"left": x["left"][:1]})
    with pytest.raises(ValueError, match="expected it to return an array of 32 rows"):
        list(loader)


def test_a_loader_refuses_inputs_of_other_lengths() -> None:
    with pytest.raises(ValueError, match=r"got x of shape \(60, 3\), \(9, 2\) and y of"):
        data.Loader(((LEFT, RIGHT[:9]), Y))
    ragged = [((LEFT[i, : 2 + i], RIGHT[i]), Y[i]) for i in range(2)]
    with pytest.raises(ValueError, match=r"every x\[0\] to have one shape"):
        list(data.Loader(ragged))
    unlike = [({"left": LEFT[0], "right": RIGHT[0]}, 0), ({"left": LEFT[1]}, 1)]
    with pytest.raises(ValueError, match=r"inputs \['left', 'right'\], got one with \['left'\]"):
        list(data.Loader(unlike, shuffle=False))


def test_examples_of_weight_0_are_left_out_of_every_input() -> None:
    weight = np.r_[np.zeros(20), np.ones(40)]
    some, _ = trained(AS_TUPLE, sample_weight=weight)
    rest, _ = trained((LEFT[20:], RIGHT[20:]), y=Y[20:])
    same(some, rest)


def test_whole_numbers_stay_whole_and_lengths_reach_a_recurrent_layer() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            self.embedding = nn.Embedding(9, 4)
            self.rnn = nn.GRU(4, 8, return_sequences=False)
            self.head = nn.Dense(8, 2)

        def forward(self, ids: Any, lengths: Any) -> Tensor:
            return self.head(self.rnn(self.embedding(ids), lengths=lengths))

    lengths = RNG.integers(1, 6, 60)
    ids = np.where(np.arange(6) < lengths[:, None], RNG.integers(1, 9, (60, 6)), 0)
    reader = model(Reader)
    reader.fit({"ids": ids, "lengths": lengths}, Y, epochs=2, compile=False, verbose=False)
    before = reader.predict((ids, lengths), compile=False)
    padding = np.where(np.arange(6) < lengths[:, None], ids, 7)  # other numbers behind the end
    np.testing.assert_array_equal(reader.predict((padding, lengths), compile=False), before)


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"

    def half(x: Any, epochs: int, **how: Any) -> tuple[train.Model, train.History]:
        return trained(x, epochs=epochs, callbacks=[train.Checkpoint(folder)], **how)

    half(AS_TUPLE, 2)
    whole, _ = trained(AS_TUPLE, epochs=4)
    ours, history = half(AS_TUPLE, 4, resume=folder)
    assert history.epochs == 4
    same(ours, whole)
    with pytest.raises(train.CheckpointError, match="checksum"):
        half((LEFT, RIGHT + 1), 4, resume=folder)


def test_what_looks_at_a_model_takes_several_inputs() -> None:
    ours, _ = trained(BY_NAME, callbacks=[train.Doctor(report=False)])
    assert "head.weight" in ours.gradients(AS_TUPLE, Y)
    assert ours.gradcheck(BY_NAME, Y).ok
    assert ours.diagnose(AS_TUPLE, Y, validation_data=(AS_TUPLE, Y)).kinds == ["validation-leak"]
    assert train.lr_find(ours, (AS_TUPLE, Y), steps=10).rates
    assert "90" in str(ours.summary())
    assert ours.copy().predict(AS_TUPLE).shape == (60, 2)


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        ((LEFT, RIGHT[:9]), ValueError, r"a row for each example, got .* \(60, 3\), \(9, 2\)"),
        ({}, ValueError, "expected arrays by the names of the network's arguments"),
        ({0: LEFT, 1: RIGHT}, ValueError, "expected arrays by the names"),
        ({"left": LEFT, "wrong": RIGHT}, TypeError, r"Two.forward\(left, right\) takes.*wrong: "),
        ((LEFT, RIGHT, RIGHT), TypeError, "got 3 inputs of shapes .*too many"),
        (LEFT, TypeError, r"got one array \(missing .* 'right'\); pass a tuple of arrays"),
        ((LEFT, RIGHT * np.nan), ValueError, r"x\[1\]: expected finite numbers"),
        ((LEFT, np.array(3.0)), ValueError, r"x\[1\]: expected examples of shape"),
        ({"left": LEFT, "right": [["a"]] * 60}, TypeError, r"x\[right\]: expected numbers"),
    ],
)
def test_what_is_wrong_with_an_input_is_told_of_that_one(x: Any, error: Any, match: str) -> None:
    for use in (lambda: model().fit(x, Y, verbose=False), lambda: model().predict(x)):
        with pytest.raises(error, match=match):
            use()
