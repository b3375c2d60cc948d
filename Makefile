# `make demo` and `make test` set up all they need in .venv; the other targets are parts of them.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
WEB := serve/web/static/vendor/.complete
WEB_DEV := serve/web/node_modules/.dev

.DEFAULT_GOAL := help
.PHONY: help demo test unit test-slow lint format bench docs clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: .venv/.run $(WEB) ## Run the whole service with simulated cameras
	$(BIN)/footfall demo

test: .venv/.dev $(WEB) ## Check style, types and imports, then run all tests
	scripts/install-test-tools
	$(MAKE) lint
	cd serve/web && npm run --silent test
	$(BIN)/pytest -m "not slow"

unit: .venv/.dev ## Tests that start nothing: no broker, camera, cluster or browser
	$(BIN)/pytest -m "not slow and not integration"

test-slow: .venv/.dev $(WEB) ## Tests that take minutes each
	scripts/install-test-tools
	$(BIN)/pytest -m slow

lint: .venv/.dev $(WEB_DEV) ## Style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd serve/web && npm run --silent lint && npm run --silent types && npm run --silent api-types-check

format: .venv/.dev $(WEB_DEV) ## Bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd serve/web && npm run --silent format

bench: .venv/.run ## Measure this machine, and write docs/benchmarks.md
	benchmarks/run

docs: .venv/.dev $(WEB_DEV) ## Write what is generated: settings, OpenAPI document, types of client and page
	$(BIN)/python -m serve.cli.settings_reference docs/settings.md
	scripts/write-api-documents
	cd serve/web && npm run --silent api-types

clean: ## Remove what the targets made
	rm -rf .venv .venv-bench .test-cache serve/web/node_modules serve/web/static/vendor

.venv/.run: pyproject.toml
	@test -n "$(PYTHON)" || { echo "footfall needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "footfall needs Python 3.11 or newer; set PYTHON=" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.dev: pyproject.toml .venv/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(WEB): serve/web/package-lock.json
	@command -v npm >/dev/null || { echo "the page needs npm once, to fetch its libraries" >&2; exit 1; }
	cd serve/web && npm ci --omit=dev --no-audit --no-fund --loglevel=error && npm run --silent vendor
	touch $@

# After the other: `npm ci` begins with an empty node_modules.
$(WEB_DEV): $(WEB)
	cd serve/web && npm ci --no-audit --no-fund --loglevel=error
	touch $@
