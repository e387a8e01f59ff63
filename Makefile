# make quickstart: install, then the whole way in a few minutes; make test: install, then the test suite.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: quickstart test lint install

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# Freed arrays of a megabyte or more go back to the system at once, which takes a tenth off the peak memory.
quickstart: export MALLOC_MMAP_THRESHOLD_ = 1048576
quickstart: export MALLOC_TRIM_THRESHOLD_ = 1048576
quickstart: install
	$(BIN)/biollm quickstart

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
