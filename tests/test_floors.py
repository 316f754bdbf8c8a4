"""Imports inside the package point down only; the checker itself is tested with planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

import floors

SOURCE = Path(__file__).parents[1] / "src" / "pellucid"


def test_imports_point_down() -> None:
    assert floors.violations(SOURCE) == []


def test_every_module_is_read() -> None:
    assert {"tree", "arrays", "autograd", "nn"} <= {
        path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in SOURCE.rglob("*.py")
    }


def plant(folder: Path, module: str, code: str) -> list[str]:
    """Put one module into an empty package and return what the checker says, without the folder."""
    file = folder / module
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code)
    return [line.removeprefix(f"{folder}/") for line in floors.violations(folder)]


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("ops/op.py", "from pellucid.nn import Dense"),
        ("ops/op.py", "import pellucid.nn.dense"),
        ("ops/op.py", "from pellucid import nn"),
        ("ops/op.py", "from pellucid import tree, nn"),
        ("ops/op.py", "from ..nn import Dense"),
        ("ops/op.py", "from .. import nn"),
        ("ops/deep/op.py", "from ...nn.dense import Dense"),
        ("ops/op.py", "import pellucid"),
        ("ops/op.py", "from pellucid import Tensor"),
        ("ops/op.py", "from pellucid import *"),
        ("ops/op.py", "import importlib; importlib.import_module('pellucid.nn')"),
        ("ops/op.py", "__import__('pellucid.nn')"),
        ("ops/op.py", "try:\n    import pellucid.nn\nexcept ImportError:\n    pass"),
        ("ops/op.py", "if TYPE_CHECKING:\n    from pellucid.nn import Dense"),
        ("tree.py", "from pellucid import arrays"),
        ("viz/curves.py", "import pellucid.playground.server"),
    ],
)
def test_an_upward_import_is_caught(tmp_path: Path, module: str, code: str) -> None:
    (complaint,) = plant(tmp_path, module, code)
    assert complaint.startswith(f"{module}:")
    assert "imports higher floor" in complaint


def test_the_complaint_names_file_line_and_both_floors(tmp_path: Path) -> None:
    code = "import math\n\n\ndef late():\n    from pellucid.train import Model\n"
    assert plant(tmp_path, "nn/dense.py", code) == [
        "nn/dense.py:5: imports higher floor: nn (floor 5) imports pellucid.train (floor 9); "
        "move what both need to a lower one"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    from pellucid.tree import walk",
        "class A:\n    def f(self):\n        if True:\n            import pellucid.tree",
        "f = lambda: __import__('pellucid.tree')",
    ],
)
def test_an_import_inside_a_function_is_caught(tmp_path: Path, code: str) -> None:
    (complaint,) = plant(tmp_path, "nn/dense.py", code)
    assert "inside a function" in complaint


@pytest.mark.parametrize(
    "code", ["from pellucid.tree import walk", "from ..errors import ShapeError"]
)
def test_scalar_stands_alone(tmp_path: Path, code: str) -> None:
    (complaint,) = plant(tmp_path, "scalar/value.py", code)
    assert "nothing of the package" in complaint


def test_a_part_without_a_floor_is_caught(tmp_path: Path) -> None:
    (complaint,) = plant(tmp_path, "attic/box.py", "")
    assert "attic has no floor" in complaint


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("nn/dense.py", "from pellucid import autograd, tree\nfrom pellucid.ops.op import Op"),
        (
            "nn/dense.py",
            "from .module import Module\nfrom . import losses\nfrom ..tree import walk",
        ),
        ("nn/dense.py", "def f():\n    import matplotlib\n    import pellucidity"),
        ("cli/main.py", "def f():\n    from pellucid import train, playground"),
        (
            "scalar/mlp.py",
            "from pellucid.scalar.value import Value\nfrom .value import Value\nimport math",
        ),
        ("viz/graphs.py", "from pellucid.scalar import Value"),
        ("__init__.py", "from pellucid.train import Model\nfrom pellucid import nn"),
        ("__main__.py", "from pellucid.cli.main import main"),
    ],
)
def test_allowed_imports(tmp_path: Path, module: str, code: str) -> None:
    assert plant(tmp_path, module, code) == []
