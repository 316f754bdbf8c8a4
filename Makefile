# Every target makes .venv and installs into it when that is needed, and only then.
# Needs GNU make 3.81 or later. Paths are relative, so the folder's own path may contain spaces.

ifeq ($(strip $(PYTHON)),)
PYTHON := python3
endif
ifeq ($(strip $(UV)),)
UV := $(firstword $(wildcard .venv/bin/uv) uv)
endif
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

# The stamp holds the path it was written at: an environment that was copied or moved along with the
# folder still points at the old place, and one whose Python is gone cannot run. Both are made anew.
STALE := $(shell test ! -f $(STAMP) || \
  { test -x $(PY) && read -r made_at < $(STAMP) && test "$$made_at" = "`pwd -P`"; } || echo .stale)
USABLE := import sys; from importlib.metadata import version; version("pip"); sys.exit(sys.version_info < (3, 11))

# Settings of the caller's shell that would send an installation or an import elsewhere.
unexport PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PATH ?= /usr/local/bin:/usr/bin:/bin
export PATH

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install train moons points saturation xor spiral regression digits mnist fashion \
        notebooks docs test lint types bench readme lock clean

help: ## list the targets
	@echo "usage: make TARGET [PYTHON=python3.12] [ARGS='options for the command']"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv and install what requirements/dev.txt locks

train: $(STAMP) ## train a network on the embedded digits (no download) into runs/digits
	$(VENV)/bin/pellucid train digits --out runs/digits $(ARGS)

moons: $(STAMP) ## example: two moons on the scalar engine, one number at a time
	$(PY) examples/moons.py $(ARGS)

points: $(STAMP) ## example: four points on the scalar engine, every step written out
	$(PY) examples/four_points.py $(ARGS)

saturation: $(STAMP) ## example: what saturated neurons do to gradients, in numbers
	$(PY) examples/saturation.py $(ARGS)

xor: $(STAMP) ## example: a hidden layer learns XOR
	$(PY) examples/xor.py $(ARGS)

spiral: $(STAMP) ## example: three spiral arms and their decision boundary
	$(PY) examples/spiral.py $(ARGS)

regression: $(STAMP) ## example: fit a noisy sine
	$(PY) examples/sine_regression.py $(ARGS)

.PHONY: wine names gpt
wine: $(STAMP) ## example: the marks of wines (downloads once, or set PELLUCID_DATA)
	$(PY) examples/wine_quality.py $(ARGS)

names: $(STAMP) ## example: a GRU that invents names (downloads once, or set PELLUCID_DATA)
	$(PY) examples/names.py $(ARGS)

gpt: $(STAMP) ## example: a small GPT on Shakespeare (downloads once, or set PELLUCID_DATA)
	$(PY) examples/char_gpt.py $(ARGS)

digits: $(STAMP) ## example: 8x8 digits, side by side with scikit-learn
	$(PY) examples/digits.py --compare sklearn $(ARGS)

mnist: $(STAMP) ## example: MNIST (downloads once, or set PELLUCID_DATA)
	$(PY) examples/mnist.py $(ARGS)

fashion: $(STAMP) ## example: Fashion-MNIST (downloads once, or set PELLUCID_DATA)
	$(PY) examples/fashion_mnist.py $(ARGS)

notebooks: $(STAMP) ## execute the notebooks anew (ARGS='03' for one of them, ARGS=--short for a quick look)
	$(PY) tools/notebooks.py $(ARGS)

docs: $(STAMP) ## build the documentation site into build/docs and check its links
	$(PY) tools/docs.py $(ARGS)

test: $(STAMP) ## run the tests on all cores
	$(PY) -m pytest -n auto $(ARGS)

lint: $(STAMP) ## check style and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(STAMP) ## check the types
	$(PY) -m mypy

bench: $(STAMP) ## measure speed and import time on this machine
	$(PY) benchmarks/training.py $(ARGS)
	$(PY) benchmarks/scalar.py $(ARGS)
	$(PY) benchmarks/files.py
	$(PY) benchmarks/import_time.py
	$(PY) benchmarks/first_step.py

readme: $(STAMP) ## print the README's figures anew (ARGS='parameters' for one of them)
	$(PY) tools/readme.py $(ARGS)

lock: ## resolve requirements/dev.txt again, with uv (ARGS='--upgrade' for the newest versions)
	@"$(UV)" --version >/dev/null 2>&1 || { \
	  echo "make lock: expected the program uv, got none at '$(UV)'; install uv, or: make lock UV=/path/to/uv" >&2; \
	  exit 1; }
	"$(UV)" pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group dev --extra viz --extra sklearn --output-file requirements/dev.txt --quiet $(ARGS) pyproject.toml

clean: ## remove .venv, caches and built files (runs/ stays)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find src tests benchmarks examples tools -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted installation leaves none and is taken up again.
$(STAMP): pyproject.toml requirements/dev.txt $(STALE)
	@rm -f $(STAMP)
	@if test -n "$(STALE)" || ! $(PY) -c '$(USABLE)' 2>/dev/null; then \
	  got=`"$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null` \
	    || got="no program that runs"; \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "make: expected Python 3.11 or later as '$(PYTHON)', got $$got;" \
	         "name another one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }; \
	  "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "make: expected Python's modules venv and ensurepip, got '$(PYTHON)' ($$got) without them;" \
	         "install them (Debian and Ubuntu: apt install python3-venv)" \
	         "or name another Python: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }; \
	  echo "making $(VENV) with $(PYTHON) ($$got)"; \
	  "$(PYTHON)" -m venv --clear $(VENV); \
	fi
	$(PY) -m pip install --require-hashes -r requirements/dev.txt
	$(PY) -m pip install --no-deps --no-build-isolation --editable .
	@pwd -P > $(STAMP)

# What STALE names when it is not empty: a file that is never there, so always newer than the stamp.
.stale: ;
