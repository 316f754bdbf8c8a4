"""The pages for people from other libraries: their names exist, and their equalities hold."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import data, interop, nn, optim, persist, scalar, train, viz
from pellucid.train import metrics

FOLDER = Path(__file__).parents[2] / "docs" / "coming_from"
PAGES = sorted(FOLDER.glob("*.md"))
CODE = re.compile(r"`([^`]+)`")
DEFAULTS = ", with its defaults"  # ends the heads of columns that show what a setting is if not set
NAMES = [nn.LOSSES, nn.ACTIVATIONS, optim.OPTIMIZERS, nn.initialisers.INITIALISERS]

# What the short words on the pages stand for.
MLP = scalar.MLP(3, [4, 1], rng=0)
NETWORK = nn.Sequential(nn.Dense(3, 2), rng=0)
WORDS: dict[str, Any] = {
    "pellucid": pellucid, "data": data, "interop": interop, "nn": nn, "optim": optim,
    "persist": persist, "scalar": scalar, "train": train, "viz": viz,
    "network": NETWORK, "model": train.Model(NETWORK, "cross_entropy"), "history": train.History(),
    "optimizer": optim.Adam(), "loss": pellucid.Tensor(1.0), "x": pellucid.Tensor([1.0]),
    "mlp": MLP, "layer": MLP.layers[0], "neuron": MLP.layers[0].neurons[0],
    "value": scalar.Value(1.0), "len": len, "peer": SimpleNamespace(predict_proba=len),
}  # fmt: skip


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the head and the rows of each table."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        ]
        yield head, rows


def code_of(page: Path, title: str) -> list[tuple[str, bool]]:
    """Return the code below heads that start so, each with whether it is to show defaults."""
    return [
        (code, head[place].endswith(DEFAULTS))
        for head, rows in tables(page.read_text(encoding="utf-8"))
        for place in range(len(head))
        if head[place].startswith(title)
        for row in rows
        for code in CODE.findall(row[place])
    ]


def check(code: str, words: dict[str, Any], defaults: bool = False) -> None:
    """Refuse code in which a name does not exist, or a call does not take what it is given."""
    body = ast.parse(code, mode="eval").body
    if isinstance(body, ast.Constant):
        if not any(body.value in names for names in NAMES):
            metrics.get(str(body.value))
    elif isinstance(body, ast.Name):
        resolve(body, words)
    for node in ast.walk(body):
        if isinstance(node, ast.Attribute):
            resolve(node, words)
        elif isinstance(node, ast.Call):
            check_call(node, words, defaults)


def resolve(node: ast.expr, words: dict[str, Any]) -> Any:
    """Return what a dotted name stands for; a call of a class stands for the class."""
    if isinstance(node, ast.Name):
        return words[node.id]
    if isinstance(node, ast.Attribute):
        found = getattr(resolve(node.value, words), node.attr)
        made = isinstance(node.value, ast.Call) and inspect.isfunction(found)
        return found.__get__(node.value) if made else found  # a method, of what the call made
    if isinstance(node, ast.Call):
        return resolve(node.func, words)
    raise TypeError(f"expected a name, got {ast.unparse(node)}")


def check_call(node: ast.Call, words: dict[str, Any], defaults: bool) -> None:
    """Refuse arguments that a function does not take, or with ``defaults`` other values."""
    name, function = ast.unparse(node.func), resolve(node.func, words)
    signature = inspect.signature(function)
    settings = {word.arg: word.value for word in node.keywords if word.arg is not None}
    known = {setting for setting in settings if setting in signature.parameters}
    accepted = gathered(function)
    if accepted is not None and (unknown := settings.keys() - known - accepted):
        raise TypeError(f"{name} does not take {', '.join(unknown)}")
    open_end = any(isinstance(a, ast.Constant) and a.value is ... for a in node.args)
    bind = signature.bind_partial if open_end or defaults else signature.bind
    bind(*node.args, **dict.fromkeys(known))
    for setting in known if defaults else ():
        usual = signature.parameters[setting].default
        if usual != ast.literal_eval(settings[setting]):
            raise ValueError(f"{name}: {setting} is {usual!r} where it is not set")


def gathered(function: Any) -> set[str] | None:
    """Return what a function takes as ``**common: Unpack[Common]``; None if it takes anything."""
    kinds = [p for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD]
    if not kinds:
        return set()
    hints = typing.get_type_hints(getattr(function, "__init__", function))
    hint = hints.get(kinds[0].name)
    if typing.get_origin(hint) is not typing.Unpack:
        return None
    return set(typing.get_args(hint)[0].__annotations__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_exists(page: Path) -> None:
    found = code_of(page, "Pellucid")
    assert len(found) > 20
    for code, defaults in found:
        try:
            check(code, WORDS, defaults)
        except Exception as error:
            raise AssertionError(f"{page.name}: `{code}`: {error!r}") from error


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("nn.Dens(3, 2)", AttributeError),
        ("model.fit_generator(x)", AttributeError),
        ("keras.layers", KeyError),
        ("nn.Dense(3)", TypeError),
        ("nn.Dense(3, 2, activations='relu')", TypeError),
        ("train.Model(network, loss, penalty=nn.L3(1e-4))", AttributeError),
        ("optim.Adam(1e-3, clip_norms=1.0)", TypeError),
        ('"sparse_categorical_crossentropy"', ValueError),
        ("optim.Adam(lr=", SyntaxError),
    ],
)
def test_a_wrong_name_is_found(code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(code, WORDS)


def test_a_wrong_default_is_found() -> None:
    check("optim.Adam(lr=0.001)", WORDS, defaults=True)
    with pytest.raises(ValueError, match=r"optim\.Adam: lr is 0\.001"):
        check("optim.Adam(lr=0.01)", WORDS, defaults=True)


def test_tables_are_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n\n| a | Pellucid |\n| --- | --- |\n| `no` | `x`, `y` |\n| | `z` |\n")
    assert [code for code, _ in code_of(page, "Pellucid")] == ["x", "y", "z"]


def test_alpha_of_scikit_learn_is_this_penalty() -> None:
    neural = pytest.importorskip("sklearn.neural_network")
    x, alpha, n = np.random.default_rng(0).normal(size=(20, 3)), 3.0, 20
    y = (x[:, 0] > 0).astype(int)
    peer = neural.MLPClassifier(
        (4,),
        "tanh",
        solver="sgd",
        alpha=alpha,
        momentum=0.0,
        learning_rate_init=0.1,
        random_state=0,
    )
    peer.partial_fit(x, y, classes=[0, 1])
    network = nn.Sequential(nn.Dense(3, 4, "tanh"), nn.Dense(4, 1)).astype("float64")
    for layer, w, b in zip(network.layers, peer.coefs_, peer.intercepts_, strict=True):
        layer.weight.data, layer.bias.data = w.copy(), b.copy()  # type: ignore[attr-defined]
    peer.partial_fit(x, y)  # one update with all rows
    model = train.Model(network, "bce", optim.SGD(0.1), penalty=nn.L2(alpha / (2 * n)))
    model.fit(x, y, epochs=1, batch_size=n, seed=0, verbose=False)
    for layer, w in zip(network.layers, peer.coefs_, strict=True):
        np.testing.assert_allclose(layer.weight.data, w, rtol=1e-12)  # type: ignore[attr-defined]


# what the page says of PyTorch


@pytest.mark.torch
def test_pytorch_has_the_defaults_that_the_page_shows() -> None:
    torch = pytest.importorskip("torch")
    shown = [code for code, defaults in code_of(FOLDER / "pytorch.md", "PyTorch") if defaults]
    assert len(shown) == 7
    for code in shown:
        check(code, {"torch": torch}, defaults=True)
    with pytest.raises(ValueError, match="lr is"):
        check("torch.optim.Adam(lr=0.5)", {"torch": torch}, defaults=True)


@pytest.mark.torch
def test_both_trainings_of_the_page_run() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # more of them wait for each other where the cores are busy
    text = (FOLDER / "pytorch.md").read_text(encoding="utf-8")
    (theirs,), (ours, *_) = (
        re.findall(rf"```{k}\n(.*?)```", text, re.DOTALL) for k in ("text", "python")
    )
    space: dict[str, Any] = {}
    for code in (ours, theirs):  # theirs uses the digits of ours
        exec(code, space)  # noqa: S102 - it is our page
        assert (space["answers"] == space["digits"].test.y).mean() > 0.85


SAME_UPDATES: dict[str, tuple[Callable[[], optim.Optimizer], Callable[[Any, Any], Any]]] = {
    "sgd": (lambda: optim.SGD(0.1), lambda t, w: t.optim.SGD(w, 0.1)),
    "momentum": (
        lambda: optim.SGD(0.1, momentum=0.9),
        lambda t, w: t.optim.SGD(w, 0.1, momentum=0.9),
    ),
    "nesterov": (
        lambda: optim.SGD(0.1, momentum=0.9, nesterov=True),
        lambda t, w: t.optim.SGD(w, 0.1, momentum=0.9, nesterov=True),
    ),
    "decay without momentum": (
        lambda: optim.SGD(0.1, weight_decay=0.3),
        lambda t, w: t.optim.SGD(w, 0.1, weight_decay=0.3),
    ),
    "adam": (lambda: optim.Adam(), lambda t, w: t.optim.Adam(w)),
    "adamw": (lambda: optim.AdamW(), lambda t, w: t.optim.AdamW(w)),
    "nadam": (lambda: optim.Nadam(), lambda t, w: t.optim.NAdam(w)),
    "adagrad": (lambda: optim.Adagrad(), lambda t, w: t.optim.Adagrad(w)),
    "adadelta": (lambda: optim.Adadelta(rho=0.9), lambda t, w: t.optim.Adadelta(w)),
    "rmsprop": (lambda: optim.RMSprop(0.01, rho=0.99), lambda t, w: t.optim.RMSprop(w)),
}


@pytest.fixture
def in_float64() -> Iterator[Any]:
    """PyTorch, with float64 as its default dtype, in which NAdam keeps a product."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


@pytest.mark.torch
@pytest.mark.parametrize("name", SAME_UPDATES)
def test_updates_are_the_same(name: str, in_float64: Any) -> None:
    torch, (make, make_theirs) = in_float64, SAME_UPDATES[name]
    start = np.random.default_rng(0).normal(size=(3, 2))
    w, v = pellucid.Tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    optimizer, theirs = make(), make_theirs(torch, [v])
    for _ in range(5):
        w.grad = v.grad = None
        (w**4).sum().backward()
        (v**4).sum().backward()
        optimizer.step([w])
        theirs.step()
    np.testing.assert_allclose(w.data, v.detach().numpy(), rtol=1e-10)


def losses(torch: Any) -> Iterator[tuple[nn.Loss, Callable[..., Any], Any, Any]]:
    """Yield our loss, theirs, a prediction and a target."""
    rng = np.random.default_rng(0)
    z, labels, share = rng.normal(size=(6, 3)), rng.integers(0, 3, 6), rng.random((6, 3))
    rows, weights, t = share / share.sum(1, keepdims=True), np.array([1.0, 2.0, 0.5]), torch.nn
    yield nn.CrossEntropyLoss(), t.CrossEntropyLoss(), z, labels
    yield nn.CrossEntropyLoss(), t.CrossEntropyLoss(), z, rows
    yield (
        nn.CrossEntropyLoss(class_weight=weights, label_smoothing=0.1),
        t.CrossEntropyLoss(weight=torch.tensor(weights), label_smoothing=0.1),
        z,
        labels,
    )
    yield nn.BCELoss(), t.BCEWithLogitsLoss(), z, share
    yield nn.BCELoss(from_logits=False), t.BCELoss(), rows, share
    yield nn.MSELoss(), t.MSELoss(), z, share
    yield nn.MAELoss(), t.L1Loss(), z, share
    yield nn.HuberLoss(0.5), t.HuberLoss(delta=0.5), z, share
    kl = t.KLDivLoss(reduction="batchmean")
    yield nn.KLDivergenceLoss(), lambda z, y: kl(z.log_softmax(-1), y), z, rows


@pytest.mark.torch
def test_losses_are_the_same() -> None:
    torch = pytest.importorskip("torch")
    for ours, theirs, prediction, target in losses(torch):
        expected = theirs(torch.tensor(prediction), torch.tensor(target)).item()
        got = ours(pellucid.Tensor(prediction), target).item()
        np.testing.assert_allclose(got, expected, rtol=1e-12, err_msg=repr(ours))


@pytest.mark.torch
def test_a_penalty_is_the_weight_decay_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng, decay = np.random.default_rng(0), 0.3
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    network = nn.Sequential(nn.Dense(3, 1, bias=False), rng=0).astype("float64")
    theirs = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    theirs.weight.data = torch.tensor(network.named_parameters()["layers.0.weight"].data.T)
    moves = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, weight_decay=decay)
    for _ in range(3):
        moves.zero_grad()
        torch.nn.functional.mse_loss(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        moves.step()
    model = train.Model(network, "mse", optim.SGD(0.1, momentum=0.9), penalty=nn.L2(decay / 2))
    model.fit(x, y, epochs=3, batch_size=8, seed=0, verbose=False)
    (weight,) = network.parameters()
    np.testing.assert_allclose(weight.data.T, theirs.weight.detach().numpy(), rtol=1e-10)


@pytest.mark.torch
def test_running_statistics_are_the_same() -> None:
    torch = pytest.importorskip("torch")
    layer, theirs = nn.BatchNorm2D(3), torch.nn.BatchNorm2d(3)
    x = np.random.default_rng(0).normal(2, 3, size=(4, 5, 5, 3)).astype(np.float32)
    out, expected = layer(x), theirs(torch.tensor(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(out.data, expected.detach().numpy().transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(layer.running_mean.data, theirs.running_mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.data, theirs.running_var.numpy(), rtol=1e-5)
