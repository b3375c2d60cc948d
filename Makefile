# `make demo` and `make test` set up all they need in .venv; the other targets are parts of them.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
WEB := serve/web/static/vendor/.complete
WEB_DEV := serve/web/node_modules/.dev
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# All platforms and Python versions in one file; without addresses, since everybody has a package index of their own.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --annotation-style line \
	--custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help demo test unit test-slow chaos soak lint format bench elastic scale events drift fleet watching screenshots docs wheel lock clean

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

chaos: .venv/.dev $(WEB) ## Kill parts of a service, take away what it needs, to docs/chaos.md; ROUNDS=3
	scripts/install-test-tools
	rm -f .chaos-results
	for round in $$(seq $(or $(ROUNDS),3)); do FOOTFALL_CHAOS_RESULTS=$(CURDIR)/.chaos-results \
		$(BIN)/pytest -x -m chaos $(addprefix tests/integration/,chaos nodes clocks) || exit 1; done
	PYTHONPATH=. $(BIN)/python -m benchmarks.chaos_table .chaos-results

soak: .venv/.dev $(WEB) ## A thousand camera lives, and what they leave behind, to docs/soak.md; MINUTES=7
	scripts/install-test-tools
	SOAK_MINUTES=$(or $(MINUTES),7) $(BIN)/pytest -x -s -m soak tests/integration/soak

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

elastic: .venv/.dev ## How readers follow their cameras, to docs/elastic.md; PARTS='day moves plan ramp overload kafka'
	scripts/install-test-tools
	benchmarks/run-elastic $(PARTS)

scale: .venv/.dev ## What breaks first when cameras become many, to docs/scale.md
	PYTHONPATH=. $(BIN)/python -m benchmarks.scale

events: .venv/.dev ## How soon events are with those who get them, to docs/events.md; some 12 minutes
	scripts/install-test-tools
	PYTHONPATH=. $(BIN)/python -m benchmarks.events

drift: .venv/.dev ## How soon cameras that go wrong are noticed, and why, to docs/drift.md; two hours; ARGUMENTS='--seeds 50'
	benchmarks/run-drift $(ARGUMENTS)

fleet: .venv/.dev $(WEB) ## How soon a thousand cameras are seen on the page, to docs/monitoring.md
	scripts/install-test-tools
	PYTHONPATH=. $(BIN)/python -m benchmarks.fleet

watching: .venv/.dev ## What it costs that the service watches itself, to docs/monitoring.md
	$(BIN)/footfall models pull
	PYTHONPATH=. $(BIN)/python -m benchmarks.watching

screenshots: .venv/.dev $(WEB) ## Take the pictures of Ray's dashboard and of the page's Health in docs
	scripts/install-test-tools
	PYTHONPATH=. $(BIN)/python scripts/take_screenshots.py

docs: .venv/.dev $(WEB_DEV) ## Write what is generated: settings, OpenAPI document, types of client and page
	$(BIN)/python -m serve.cli.settings_reference docs/settings.md
	scripts/write-api-documents
	cd serve/web && npm run --silent api-types

wheel: .venv/.run $(WEB) ## Build dist/footfall-*.whl, with the page and the detector in it
	$(BIN)/python scripts/build_wheel.py

lock: .venv/.dev ## Write requirements/ anew after a change of pyproject.toml; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) pyproject.toml --group dev --group build -o requirements/dev.txt
	$(LOCK) $(UPGRADE) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	$(LOCK) $(UPGRADE) --group build -c requirements/dev.txt -o requirements/build.txt

clean: ## Remove what the targets made
	rm -rf .venv .venv-bench .test-cache build dist serve/web/node_modules serve/web/static/vendor

.venv/.run: pyproject.toml requirements/run.txt requirements/build.txt
	@test -n "$(PYTHON)" || { echo "footfall needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "footfall needs Python 3.11 or newer; set PYTHON=" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements/run.txt -r requirements/build.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	$(PIP) --require-hashes -r requirements/dev.txt
	touch $@

$(WEB): serve/web/package-lock.json
	@command -v npm >/dev/null || { echo "the page needs npm once, to fetch its libraries" >&2; exit 1; }
	cd serve/web && npm ci --omit=dev --no-audit --no-fund --loglevel=error && npm run --silent vendor
	touch $@

# After the other: `npm ci` begins with an empty node_modules.
$(WEB_DEV): $(WEB)
	cd serve/web && npm ci --no-audit --no-fund --loglevel=error
	touch $@
