# Sets the project up, runs it and checks it. `make` alone lists what there is.
SHELL := /bin/sh
VENV ?= .venv
TRAIN_VENV ?= .venv-train
WORKERS ?= 2
# Where pip finds PyTorch, if not at its usual index: there, Linux gets a build with gigabytes for graphics cards.
TORCH_FROM ?=
COVERAGE_FLOOR ?= 95
BIN := $(VENV)/bin
# A stamp inside the virtual environment is newer than the pins it was made from, or the packages are installed again.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
TRAIN := $(TRAIN_VENV)/.train-installed
# One line a package, no upgrade hints: the pins decide.
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: help run test test-models test-pages browser check lint format types imports security bench train convert adapt migrate lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 14

run: $(RUNTIME) ## set everything up and serve on PORT (8000)
	@$(BIN)/python -m scripts.first_run
	@MALLOC_ARENA_MAX=2 exec $(BIN)/python -m gunicorn

test: check browser $(TRAIN) ## set everything up, check it and run every test
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not torch" --cov --cov-report=term --cov-fail-under=$(COVERAGE_FLOOR)
	@$(MAKE) --no-print-directory test-models

test-models: $(TRAIN) ## only the tests of converting and training models, which need PyTorch
	@OMP_NUM_THREADS=1 $(TRAIN_VENV)/bin/python -m pytest -n $(WORKERS) -m torch

test-pages: browser ## only the tests that walk the pages in a real browser
	@$(BIN)/python -m pytest -n $(WORKERS) -m browser tests/browser

browser: $(DEV) ## find a Chromium for the tests, or install Debian's where that asks nobody (as root, or in CI)
	@$(BIN)/python scripts/find_browser.py --install

check: lint types imports security ## style, types, the import rules, dangerous calls, vulnerable packages

lint: $(DEV)
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

format: $(DEV) ## put the code in the house's format
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

types: $(DEV)
	@$(BIN)/python -m mypy

imports: $(DEV)
	@$(BIN)/lint-imports --no-logo

security: $(DEV) ## look for dangerous calls in the code and for known vulnerabilities in the packages
	@$(BIN)/python -m bandit --quiet --configfile pyproject.toml --recursive functions lib migrations scripts
	@$(BIN)/python scripts/audit_packages.py

bench: $(RUNTIME) ## measure start-up, memory, photo-to-answer time and imports on this machine
	@$(BIN)/python -m scripts.bench all

train: $(TRAIN) ## train the starter model again (needs the seedling photos; see its model card)
	@$(TRAIN_VENV)/bin/python scripts/train_classifier.py $(if $(PLANT_PHOTOS),--photos $(PLANT_PHOTOS)/plant_seedlings)

convert: $(TRAIN) ## make a model folder of a PyTorch checkpoint: CHECKPOINT=file LABELS=file OUTPUT=folder (ARGS=…)
	@$(TRAIN_VENV)/bin/python scripts/convert_model.py $(CHECKPOINT) --labels $(LABELS) --output $(OUTPUT) $(ARGS)

adapt: $(TRAIN) ## teach a model your confirmed photos: PHOTOS=folder OUTPUT=folder (MODEL=folder, ARGS=…)
	@$(TRAIN_VENV)/bin/python scripts/train_classifier.py adapt $(PHOTOS) --output $(OUTPUT) $(if $(MODEL),--model $(MODEL)) $(ARGS)

migrate: $(RUNTIME) ## bring the database up to date
	@$(BIN)/python scripts/migrate.py up

lock: $(DEV) ## resolve requirements*.in into requirements*.txt
	@$(BIN)/python -m pip install $(PIP_FLAGS) pip-tools==7.6.2
	@for name in requirements requirements-scale requirements-dev; do \
		title=$$(head -n 1 $$name.txt); \
		$(BIN)/python -m piptools compile --quiet --strip-extras --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links --output-file $$name.txt $$name.in || exit 1; \
		sed -i "1i $$title" $$name.txt; \
		sed -i '/^$$/,$$d' $$name.txt; \
	done

clean: ## remove what these targets made; data, databases and .env stay
	rm -rf $(VENV) $(TRAIN_VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* coverage.xml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.txt | $(BIN)/python
	@echo "Installing the pinned packages into $(VENV) (once; about a minute) …"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "Installing what tests and checks need into $(VENV) (once) …"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.txt -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@scripts/make_venv.sh $(VENV)

$(TRAIN): requirements-train.txt requirements-dev.txt requirements.txt
	@scripts/make_venv.sh $(TRAIN_VENV)
	@echo "Installing PyTorch and what converts, trains and tests models into $(TRAIN_VENV) (once; large) …"
	@$(TRAIN_VENV)/bin/python -m pip install $(PIP_FLAGS) $(TORCH_FROM) -r requirements-train.txt -r requirements-dev.txt -r requirements.txt
	@touch $@
