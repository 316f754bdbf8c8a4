"""The checks of exercises fail when the answer is wrong: solutions are spoiled one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import notebooks

# What is replaced in each solution, and by what. A notebook joins in with a line here.
SPOILED = {
    "01_derivatives": [("3 * x**2 - 2", "3 * x**2 + 2"), ("0.25", "0.3"), ("/ 6", "/ 7")],
    "02_backpropagation_by_hand": [
        ("dL_du * 1.0 + dL_dv * 1.0", "dL_dv * 1.0"),
        ("return do_dn * x1", "return x1"),
        ("3, 4.0", "3, 2.0"),
    ],
    "03_scalar_engine": [
        ("(self,), (out,)", "(self,), (1.0,)"),
        ("** -1", "** 1"),
        ("elif node not in seen", "else"),
    ],
    "04_more_functions": [
        ("s + x.data * s * (1 - s)", "s"),
        ("+ largest", "+ 0"),
        ("math.ceil(", "1 + math.ceil("),
    ],
    "05_scalar_mlp": [("4 * (4 + 1)", "4 * 4"), ("-2.0", "-1.0"), ("1 - target", "2 - target")],
    "06_scalars_to_tensors": [
        ("(784, 128)", "(128, 784)"),
        (" * (1 - out**2)", ""),
        ("** 2).sum(), W)", "** 4).sum(), W)"),
    ],
    "07_layers_and_activations": [
        ("(128 + 128)", "128"),
        ("self.s * x + self.t", "self.s * x"),
        ("b1 @ W2 + b2", "b2"),
    ],
    "08_losses": [
        ("= 4, 13 / 5", "= 5, 13 / 5"),
        ("math.log(4)", "math.log(0.25)"),
        ("* d).mean(-1)", "* d).mean(-1) * 2"),
    ],
    "09_optimisers": [("2 / 6", "2 / 5.8"), ("13.55", "14"), ("np.sign(grad)", "grad")],
    "10_initialisation": [
        ("sqrt(2 / 512)", "sqrt(1 / 512)"),
        ("2 / (1 + a**2)", "2 / (1 + a)"),
        ("initialisers.orthogonal(), inputs", "initialisers.xavier_normal, inputs"),
    ],
    "11_generalisation": [
        ("1 - 2 * eta * lam", "1 - eta * lam"),
        ("x**2 * p / (1 - p)", "x**2 * p * (1 - p)"),
        ("for row in b) / len(b)", "for row in b) / len(a)"),
    ],
    "12_classification_and_regression": [
        ("pellucid.log(pellucid.sigmoid(z))", "pellucid.sigmoid(z)"),
        ("1 / 21", "1 / 20"),
        ("noisy.y.mean()", "noisy.y.max()"),
    ],
    "13_digits_and_mnist": [
        ("(784 * 128 + 128)", "(784 * 128)"),
        ("[:, -2:]", "[:, -1:]"),
        (">= 0.9", ">= 0.5"),
    ],
    "14_convolution": [
        ("5 * 5 * 3 * 16", "5 * 5 * 16"),
        ("1 / 9", "1 / 3"),
        ("1 + 2 * n", "3 * n"),
    ],
    "15_sequences_and_attention": [
        ("np.exp(-np.log(p).mean())", "-np.log(p).mean()"),
        ("np.tri(len(q), dtype=bool)", "True"),
        ("2 * 2 * d", "2 * d"),
    ],
    "16_compiler": [
        ("2 * 32 * n * m", "32 * n * m"),
        ("pellucid.sqrt(", "("),
        ("1.0)", "2.0)"),
    ],
    "17_finding_bugs": [
        ("/ (2 * h)", "/ h"),
        ("g * y, g * x", "g * x, g * y"),
        ("optim.SGD(0.1)", "optim.SGD(20.0)"),
    ],
}


def run(code: str, names: dict[str, Any]) -> None:
    """Run a cell."""
    exec(compile(code, "cell.py", "exec"), names)  # noqa: S102


@pytest.mark.filterwarnings("ignore")  # wrong answers may overflow
@pytest.mark.parametrize("stem", SPOILED)
def test_a_wrong_answer_is_found(
    stem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(notebooks.SHORT, "1")
    monkeypatch.chdir(tmp_path)
    notebook = notebooks.read(notebooks.FOLDER / f"{stem}.py")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    spoiled = iter(SPOILED[stem])
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        if "solution" in cell.metadata.get("tags", ()):
            right, wrong = next(spoiled)
            assert right in cell.source
            run(cell.source.replace(right, wrong), names)
            with pytest.raises(AssertionError):
                run(after.source, names)
        run(cell.source, names)
    assert next(spoiled, None) is None
