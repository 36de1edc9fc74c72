# make study                         set up, and run the demo to its report
# make study STUDY=config/esc10.yaml another study
# make test                          set up, and pass the tests
# make reliability                   the table of faults, from the tests that make them
# make check                         formatting, types and lint, as CI has them
# make docs                          the pages that are made from the code
# make paper                         the studies of docs/results.md, and that page
# make ui                            the MLflow page
VENV ?= .venv
STUDY ?= config/demo.yaml
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
PORT ?= 5000

SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
export PATH := $(abspath $(VENV))/bin:$(PATH)
.PHONY: study test reliability check style types lint schema-check docs docs-check paper ui lock clean

study: $(VENV)/.run
	snakemake --cores $(CORES) --configfile $(STUDY)

# One worker more than cores: some tests wait for processes of others.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 python -m pytest -n $$(( $(CORES) + 1 )) --dist loadfile --no-loadscope-reorder

# One after another: they wait for each other's moments.
reliability: export DEEPSELF_RELIABILITY := $(abspath results/reliability.jsonl)
reliability: $(VENV)/.dev
	mkdir -p results && rm -f $(DEEPSELF_RELIABILITY)
	OMP_NUM_THREADS=1 python -m pytest tests/workflow/test_survival_*.py tests/cluster
	python -m tests.reliability $(DEEPSELF_RELIABILITY)

check: style types lint schema-check docs-check

style: $(VENV)/.dev
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow

types: $(VENV)/.dev
	mypy

lint: $(VENV)/.dev
	snakemake --lint

schema-check: $(VENV)/.dev
	deepself schema | diff - config/study.schema.json

# The table of networks, from the networks themselves.
docs: $(VENV)/.dev
	deepself networks --markdown > docs/networks.md

docs-check: $(VENV)/.dev
	deepself networks --markdown | diff - docs/networks.md

# What a machine without a GPU runs in hours; what stands in results/ is not run again.
PAPER ?= bonn_published bonn_seizure bonn_states bonn_sets esc10_published esc10_transfer fer2013_small
paper: $(VENV)/.run
	for study in $(PAPER); do snakemake --cores $(CORES) --configfile config/$$study.yaml; done
	python docs/results.py results docs/results.md

ui: $(VENV)/.run
	mlflow ui --backend-store-uri sqlite:///results/mlflow.db --port $(PORT)

# The locks, from pyproject.toml anew; `make lock LOCK=--upgrade` takes the newest of everything.
lock:
	envs/lock.sh $(LOCK)

clean:
	rm -rf $(VENV)

# A later set-up keeps what an earlier one installed.
$(VENV)/.run: pyproject.toml envs/lock.txt envs/lock-cuda.txt envs/setup.sh
	envs/setup.sh $(VENV) "[imagenet]"
	touch $@

$(VENV)/.dev: pyproject.toml envs/lock.txt envs/lock-cuda.txt envs/setup.sh
	envs/setup.sh $(VENV) "[dev]"
	touch $@ $(VENV)/.run
