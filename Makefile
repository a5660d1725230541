# Two commands do it all on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS := dev,serving,ui,bulk,heic,onnx,tensorrt-rtx,litert,openvino,bench,tensorboard

.PHONY: demo test test-slow check lint types format clean

demo: $(VENV)/.demo
	$(BIN)/python -m cnnlg_tf.demo --out out

test: $(VENV)/.all
	$(BIN)/pytest -q -n 2 --dist loadfile

test-slow: $(VENV)/.all
	$(BIN)/pytest -q -m slow

check: lint types

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.all
	$(BIN)/mypy

format: $(VENV)/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cnnlg-tf needs Python 3.11 or newer: set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[serving]'
	touch $@

$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf out runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
