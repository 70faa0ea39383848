# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= out/demo

.PHONY: demo test check bench torture docs site clean setup wheel

setup: $(VENV)/.done

$(VENV)/.done: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("clinmart needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q flows schemas sources stores transforms
	touch $@

demo: setup
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(BIN)/clinmart load data/sample --mart $(DEMO)/mart.duckdb --source demo
	@echo
	@echo 'Mean laboratory values of women and men, straight from the mart:'
	@$(BIN)/python data/show.py $(DEMO)/mart.duckdb
	@echo
	@echo 'And what a load does with bad input:'
	@$(BIN)/clinmart load data/faulty --mart $(DEMO)/faulty.duckdb --source demo || test $$? -eq 3
	@$(BIN)/clinmart quarantine list --mart $(DEMO)/faulty.duckdb --limit 5

test: setup
	$(BIN)/python -m pytest -n auto

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.times
	$(BIN)/python -m benchmarks.units
	$(BIN)/python -m benchmarks.codes
	$(BIN)/python -m benchmarks.hl7v2
	$(BIN)/python -m benchmarks.mllp
	$(BIN)/python -m benchmarks.merge
	$(BIN)/python -m benchmarks.ccda
	$(BIN)/python -m benchmarks.extracts
	$(BIN)/python -m benchmarks.bulk_export
	$(BIN)/python -m benchmarks.brokers
	$(BIN)/python -m benchmarks.objects

torture: setup
	$(BIN)/python -m benchmarks.torture
	$(BIN)/python -m benchmarks.outages
	$(BIN)/python -m benchmarks.object_outages
	$(BIN)/python -m benchmarks.consume_crashes

docs: setup
	$(BIN)/python tools/data_dictionary.py
	$(BIN)/python tools/deidentification.py

site: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

wheel: setup
	rm -rf dist
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf out dist build .mypy_cache .ruff_cache .pytest_cache
