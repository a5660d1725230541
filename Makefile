# Two commands do it all on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS := dev,serving,ui,bulk,heic,onnx,tensorrt-rtx,litert,openvino,bench,tensorboard

CHROMIUM ?= /usr/bin/chromium

.PHONY: demo test test-browser test-cpp test-slow campaigns check lint types format clean

demo: $(VENV)/.demo
	$(BIN)/python -m cnnlg_tf.demo --out out

test: $(VENV)/.all
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 4

# a browser and no more: axe-core, which looks for faults in accessibility, comes from PyPI
test-browser: $(VENV)/.all
	test -x $(CHROMIUM) || { apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }
	CHROMIUM=$(CHROMIUM) $(BIN)/pytest -q -m browser tests/ui tests/experiments/study tests/edge

# a header and no more: its library is in onnxruntime's package of PyPI
INCLUDE := $(VENV)/onnxruntime-include
test-cpp: $(VENV)/.all
	test -e $(INCLUDE)/onnxruntime_c_api.h || bash tests/edge/fetch_header.sh $(INCLUDE)
	ONNXRUNTIME_INCLUDE=$(INCLUDE) $(BIN)/pytest -q tests/edge/test_examples.py -k cpp

test-slow: $(VENV)/.all
	$(BIN)/pytest -q -m slow

# hours; each prints its figures as a line of JSON (docs/reliability.md)
CAMPAIGNS := malformed_requests malformed_photos malformed_models killed_training killed_writes \
	mixed_load stopped_servers
campaigns: $(VENV)/.all
	@mkdir -p out/campaigns
	for name in $(CAMPAIGNS); do $(BIN)/python -m tests.campaigns.$$name \
		2>out/campaigns/$$name.log | tee -a out/campaigns/figures.jsonl; done

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
	$(BIN)/python -m pip install --quiet -e '.[serving,ui]'
	touch $@

$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf out runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
