"""The documentation site. Its root is the repository, so that links are the same in both."""

import sys
from pathlib import Path

from pellucid.version import __version__

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

project = "Pellucid"
author = "The Pellucid developers"
copyright = author  # noqa: A001 - Sphinx's name
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "mathml",
    "references",
]

root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "notebooks/*.ipynb",
    "notebooks/README.md",
    "benchmarks/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = ["build", "runs", "src", "tests", "tools", "examples", "requirements", ".*"]
nitpicky = True

default_role = "py:obj"
autosummary_generate = False
autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
ALIASES = "Array ArrayLike Batch DType Initialiser Padding Progress Rate Rows"  # shown as they are
autodoc_type_aliases = {name: name for name in ALIASES.split()}
maximum_signature_line_length = 140  # a longer one has a line for each parameter
highlight_language = "text"  # what docstrings indent is a formula; examples are known by their >>>
python_use_unqualified_type_names = True
smartquotes_action = "De"  # dashes and ellipses; quotes would change the primes of formulas
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Args of a call", "params_style")]

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # `make notebooks` executes them; their outputs are in the repository

html_math_renderer = "mathml"
html_static_path = ["static"]
html_theme = "furo"
html_title = f"Pellucid {release}"
html_extra_path = ["site/index.html"]
html_copy_source = False
html_show_sourcelink = False
html_css_files = ["pages.css"]
