# `make demo` shows it, `make test` proves it; neither needs root, both build their own environment.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help demo test lint types docs lock clean
.DEFAULT_GOAL := help

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo ## Replay real flights into a monitored model. ARGS="--rows 20000 --exit" ends by itself.
	@$(BIN)/driftgauge demo $(ARGS)

test: .venv/dev lint types ## Run every check and every test.
	$(BIN)/pytest -n auto --dist loadfile $(ARGS)

lint: .venv/dev ## Check the code's form.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev ## Check the types.
	$(BIN)/mypy

docs: .venv/dev ## Write the generated pages of docs/.
	$(BIN)/python docs/generate.py

lock: .venv/dev ## Lock the dependencies anew into requirements/.
	$(BIN)/uv pip compile $(LOCK) --group build -o requirements/build.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra pandas -o requirements/server.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra demo --group build -o requirements/demo.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra demo --group dev -o requirements/dev.txt

LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url

clean: ## Remove the environment and what tools left behind.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# An environment with the locked requirements; the file marks that it is complete.
.venv/demo: requirements/demo.txt pyproject.toml | .venv/python
	@echo "installing the locked requirements of the demo ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements/demo.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml | .venv/python
	@echo "installing the locked requirements of the tests ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Driftgauge needs Python 3.11 or newer; $(PYTHON) is not. Name another: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@
