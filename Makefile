# Two commands on a fresh machine: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
SHARED := $(wildcard ../shared/data)
REAL := $(if $(SHARED),--real-data $(SHARED))

.PHONY: setup demo test test-long lint bench lock format

setup: .venv/.ready

# The stamp holds until the lock or the project file changes: a second `make demo` installs nothing.
.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"hounsfield needs Python 3.11 to 3.13, got {v[0]}.{v[1]}: call make PYTHON=python3.12") if not (3, 11) <= v <= (3, 13) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	$(BIN)/python -m ensurepip >/dev/null
	$(BIN)/uv pip install --quiet --no-deps --editable .
	touch $@
