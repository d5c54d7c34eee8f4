# make demo    train on real binding sites, score real variants, draw the motif (2-4 minutes)
# make test    the tests            make lint      ruff, mypy, import layers, snakefmt
# make format  reformat the code    make coverage  the tests, with the lines they miss
# make bench   measure the speed beside named peers, half an hour (NAMES="scan windows" picks some)
# make clean   remove what was made (make distclean: the environment too)
#
# The environment .venv is made when it is needed, and again when its description changes.
# PYTHON=python3.12 picks the interpreter, PIP_OPTIONS="--index-url ..." is handed to pip,
# WORKERS=8 runs the tests in that many processes.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?=
PIP_OPTIONS ?=
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
DESCRIPTION := pyproject.toml constraints.txt
PIP_INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check $(PIP_OPTIONS) -c constraints.txt

.PHONY: help demo test test-cluster coverage lint format bench clean distclean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# ---- the environment ----

$(BIN)/python:
	@for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$candidate ($$("$$candidate" --version))"; \
	        "$$candidate" -m venv $(VENV); \
	        exit 0; \
	    fi; \
	done; \
	echo "No Python 3.11 or newer among: $(or $(PYTHON),python3 python3.13 python3.12 python3.11)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1

# What running needs, and nothing else: the demonstration also shows that this is enough.
$(VENV)/.runtime: $(DESCRIPTION) | $(BIN)/python
	@echo "Installing seqcnn into $(VENV) (a minute or two)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime
	@echo "Installing the development tools into $(VENV)"
	@$(PIP_INSTALL) -e '.[dev,workflow,parquet]'
	@touch $@

# ---- the demonstration ----

DEMO := demo
FASTA := example_data/ecoli536.fa.gz

demo: $(VENV)/.runtime
	@mkdir -p $(DEMO)
	$(BIN)/seqcnn train --peaks CRP=example_data/crp_sites.bed --fasta $(FASTA) \
	    --test NC_008253.1:3700000-4938920 --set detectors=64 --set width=20 --members 3 \
	    --force -o $(DEMO)/crp
	$(BIN)/seqcnn score-variants -m $(DEMO)/crp/model.safetensors --fasta $(FASTA) \
	    example_data/variants.vcf --force -o $(DEMO)/variants.scored.vcf --tsv $(DEMO)/variants.tsv
	$(BIN)/seqcnn export-logos -m $(DEMO)/crp/model.safetensors --force -o $(DEMO)/logos
	@echo
	@echo "Report:   $(DEMO)/crp/report.html"
	@echo "Variants: $(DEMO)/variants.scored.vcf and $(DEMO)/variants.tsv"
	@echo "Logos:    $(DEMO)/logos/index.html"

# ---- checks ----

test: $(VENV)/.development
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slurm"
	$(BIN)/python -m pytest -m "slurm and not slow"

# All that a Slurm of one node can show, time limits and requeues too.
test-cluster: $(VENV)/.development
	$(BIN)/python -m pytest -m slurm

coverage: $(VENV)/.development
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slurm" --cov --cov-report=term

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/snakefmt --check workflows

format: $(VENV)/.development
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflows

# ---- speed ----

bench: $(VENV)/.runtime
	$(BIN)/python -m benchmarks $(NAMES)

# ---- removal ----

clean:
	rm -rf $(DEMO) benchmarks/.work results workflows/results workflows/.snakemake .snakemake build dist *.egg-info \
	    .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	find seqcnn tests workflows benchmarks example_data -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) benchmarks/.environments
