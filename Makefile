# The commands of a developer; `make demo` and `make test` need only Python 3.11 and make.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
STAMP   := $(VENV)/.installed
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types layers format bench audit image clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What the autoscaler itself needs. Not compiled, which takes as long as all else: Python compiles
# what it imports.
$(RUNTIME): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --no-compile --editable .
	@touch $@

# Also the tools of developers.
$(STAMP): $(RUNTIME)
	$(INSTALL) 'pip>=25.1'
	$(INSTALL) --no-compile --group dev
	@touch $@

demo: $(RUNTIME) ## run the whole daemon on a simulated cluster, under a minute
	$(BIN)/autoscaler demo $(ARGS)

test: $(STAMP) ## all tests; those against real servers are skipped if the binaries are missing
	$(BIN)/pytest $(ARGS)

check: lint types layers ## lint, types, layers

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP) ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure forecasts, replay scores, speed and memory (minutes)
	$(INSTALL) --group bench
	$(BIN)/python tests/bench/run.py $(ARGS)

# The audit tools have an environment of their own, so that the bill of materials does not list them.
# --strict: a dependency that the advisory service does not know is a failure, not a pass.
audit: $(STAMP) ## list what is installed (artifacts/sbom.json) and check for known vulnerabilities
	$(PYTHON) -m venv --without-pip $(VENV)/audit
	$(BIN)/pip --python $(VENV)/audit/bin/python install --quiet --disable-pip-version-check --constraint constraints.txt --group audit
	mkdir -p artifacts
	$(VENV)/audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file artifacts/sbom.json $(BIN)/python
	$(VENV)/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip --progress-spinner off \
	  || { echo 'audit: NOT clean: a dependency is vulnerable, or the advisory service did not answer for it (see above)' >&2; exit 1; }

image: ## build the container image (needs a container engine)
	docker build --tag predictive-autoscaler:dev --file deploy/Dockerfile .

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist artifacts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
