# Two commands on a fresh machine: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
# Real images, where the folder is there; tests that need them skip loudly where it is not.
REAL_DATA ?= $(wildcard ../shared/data)
REAL := $(if $(REAL_DATA),--real-data=$(REAL_DATA))

.PHONY: demo test lint unit versions test-long bench format lock setup

demo: setup
	$(BIN)/hounsfield demo demo

test: setup lint unit versions

setup: .venv/.ready

# The stamp holds until the lock or the project file changes: a second `make demo` installs nothing.
.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"hounsfield needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --editable .
	$(BIN)/python -m compileall -q src
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup
	$(BIN)/pytest -n 2 --dist loadfile $(REAL)

# The core resolves and imports on each Python that is here.
versions: setup
	$(BIN)/python tests/versions.py

# By hand: rates over seeds, random kills, coverage of intervals. Results lie in tests/long/results.
test-long: setup
	for script in tests/long/*.py; do REAL_DATA=$(REAL_DATA) $(BIN)/python $$script || exit 1; done

# Brings peers that nothing else needs; the next command takes them away again.
bench: setup
	rm -f .venv/.ready
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --group bench
	$(BIN)/python benches/run.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev pyproject.toml -o requirements.lock
