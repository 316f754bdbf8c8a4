"""Training where no native code can be made, and where its updates are made one by one."""

from __future__ import annotations

import copy
import pickle
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim, train
from pellucid.compiler import api
from pellucid.compiler.llvm import target
from pellucid.compiler.places import UnsupportedError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype("f4")
LABELS = (X[:, 0] > 0).astype(int)
MACHINES = {
    "no llvmlite": (None, "pip install llvmlite"),
    "unknown processor": (
        SimpleNamespace(get_default_triple=lambda: "riscv64-unknown-linux-gnu"),
        "expected a 64-bit x86 or ARM processor, got riscv64",
    ),
}


@pytest.fixture(params=MACHINES)
def message(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Be on another machine, in a process that has not said so."""
    found, message = MACHINES[request.param]
    monkeypatch.setattr(target, "binding", lambda: found)
    api.say_once.cache_clear()
    yield message
    api.say_once.cache_clear()


def model(loss: Any = "cross_entropy", optimizer: Any = None) -> train.Model:
    network = nn.Sequential(nn.Dense(6, 8, "relu"), nn.Dense(8, 2), rng=0)
    return train.Model(network, loss, optimizer or optim.Adam(0.01))


def fit(model: train.Model, **options: Any) -> train.History:
    return model.fit(X, LABELS, batch_size=16, seed=0, verbose=False, **{"epochs": 2, **options})


def weights(model: train.Model) -> list[bytes]:
    return [t.data.tobytes() for t in model.network.named_tensors().values()]


def test_it_is_said_once_and_training_is_eager(message: str) -> None:
    eager = model()
    fit(eager, compile=False)
    mine = model()

    def use() -> None:
        fit(mine)
        mine.predict(X)
        mine.evaluate(X, LABELS)
        for _ in range(2):
            fit(model())
            run = pellucid.compile(mine.network, state=mine.network)
            np.testing.assert_array_equal(run(X).data, mine.predict(X))

    with pytest.warns(UserWarning, match="NumPy computes everything") as caught:
        use()
    assert len(caught) == 1
    assert message in str(caught[0].message)
    assert weights(mine) == weights(eager)


def test_a_compiled_function_says_so_as_well(message: str) -> None:
    add = pellucid.compile(lambda x: x + 1)
    with pytest.warns(UserWarning, match=message) as caught:
        assert add(np.ones(3)).data.tolist() == [2, 2, 2]
    assert len(caught) == 1
    assert pellucid.compile(lambda x: x + 1)(np.ones(3)).data.tolist() == [2, 2, 2]


def test_nothing_is_said_where_native_code_is_not_asked_for(message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model(), compile=False)
        pellucid.compile(lambda x: x + 1, native=False)(np.ones(3))


def test_insisting_raises(message: str) -> None:
    mine = model()
    before = weights(mine)
    with pytest.raises(UnsupportedError, match=message):
        fit(mine, compile=True)
    assert weights(mine) == before


def test_training_ends_with_the_first_update_that_cannot_be_made() -> None:
    """Class weights let updates be made one by one; those that come after it are not made."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(640, 6)).astype("f4")
    x[300] = 3e38
    y = (x[:, 0] > 0).astype(int)
    found = []
    for choice in (False, True):
        mine = model(nn.CrossEntropyLoss(class_weight=[1.0, 2.0]), optim.SGD(0.1))
        with pytest.warns(RuntimeWarning, match="training stopped"):
            history = mine.fit(x, y, batch_size=4, epochs=3, seed=3, verbose=False, compile=choice)
        assert all(np.isfinite(t.data).all() for t in mine.network.parameters())
        found.append((history.stopped, history.epochs, mine.optimizer.steps))
    assert found[0] == found[1]
    assert 0 < found[0][2] < 160


def test_models_can_be_copied_after_native_training() -> None:
    """A copy is compiled anew, for the network it has."""
    pytest.importorskip("llvmlite")
    mine = model()
    fit(mine, compile=True)
    for duplicate in (copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))):  # noqa: S301
        other = duplicate(mine)
        before = weights(mine)
        assert weights(other) == before
        fit(other, compile=True)
        assert weights(mine) == before != weights(other)
    again = copy.deepcopy(mine)
    fit(again, compile=True)
    fit(mine, compile=True)
    assert weights(again) == weights(mine)
