# CaseVault: `make` lists the targets. Everything runs in .venv, made from requirements.lock.

PYTHON ?= python3
BIN    := .venv/bin
PYTEST := $(BIN)/python -m pytest
GATE   := -m "not faults and not slow"
# Parallel test processes; each starts its own PostgreSQL.
JOBS   ?= 2
# Kills in a row, on each database, of the test of the log.
KILLS  ?= 500

# Where Python may not keep what it compiled, each process of a run compiles its plugins anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all lint types contracts coverage migrations wheel bench faults \
        attack oracle example-ledger openapi snapshots clean

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: .venv/.installed ## make .venv from the lock file (hashes checked)

# Debian's python3 may lack ensurepip: then the system's pip fills a venv made without one.
.venv/.installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv >/dev/null 2>&1 \
	  || $(PYTHON) -m venv --clear --without-pip .venv
	@pip="$(BIN)/python -m pip"; \
	$$pip --version >/dev/null 2>&1 || pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	$$pip install --quiet --require-hashes -r requirements.lock \
	  && $$pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: venv ## walk through made-up cases; STEP=name shows its detail, SERVE=1 leaves the API running
	@$(BIN)/python -m casevault demo $(if $(STEP),--step $(STEP)) $(if $(SERVE),--serve)

test: venv ## the gate: everything but fault injection and slow tests, on SQLite and PostgreSQL
	$(PYTEST) $(GATE) -n $(JOBS) --dist worksteal

# Of all branches in percent; of three packages it is 100: `coverage`, below.
OVERALL  ?= 95

test-all: venv oracle ## every test, with branch coverage; FUZZ=1: the properties, ever so often
	$(PYTEST) -n $(JOBS) $(if $(FUZZ),tests/property --hypothesis-profile=fuzz \
	  ,--cov --cov-fail-under=$(OVERALL) --cov-report=term-missing:skip-covered)

lint: venv ## style, with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv ## types, with mypy --strict
	$(BIN)/mypy

contracts: venv ## who may import whom, and the rules that read the source
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.checks

migrations: venv ## the tables in the code and the migrations agree, on SQLite and PostgreSQL
	$(BIN)/python -m tests.migrations

wheel: venv ## build the wheel, install it elsewhere, prove that nothing is missing
	tests/wheel.sh

bench: venv ## compare with the plaintext twin; results go to stdout
	$(BIN)/python benchmarks/bench.py
	PYTHONPATH=. $(BIN)/python benchmarks/search.py
	PYTHONPATH=. $(BIN)/python benchmarks/watch.py
	PYTHONPATH=. $(BIN)/python benchmarks/ledger.py
	PYTHONPATH=. $(BIN)/python benchmarks/backups.py 20000
	PYTHONPATH=. $(BIN)/python benchmarks/retention.py 2000 100000
	PYTHONPATH=. $(BIN)/python benchmarks/rolls.py 20000
	PYTHONPATH=. $(BIN)/python benchmarks/releases.py

faults: venv ## kill processes and cut connections at the worst moments; KILLS=n of the longest
	CASEVAULT_TEST_KILLS=$(KILLS) $(PYTEST) -m faults -v -n $(JOBS) --durations=10

# OpenDP, against which our sampler of noise is tested. Without a network its tests skip by name.
oracle: venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-oracle.lock \
	  || echo "OpenDP cannot be installed here: its tests will be skipped"

attack: venv oracle ## attack published counts: naive ones and ours; results go to stdout
	$(BIN)/python -m tests.attacks
	$(PYTEST) tests/attacks -q -rs

# Three packages of which every branch is taken by their own tests; others are seen in `test-all`.
COVERED  ?= 100
BRANCHES := casevault/crypto casevault/ledger casevault/domain

coverage: venv ## every branch of crypto, ledger and domain is taken by their own tests
	$(PYTEST) $(GATE) $(BRANCHES:casevault/%=tests/unit/%) -q -n $(JOBS) \
	  $(BRANCHES:%=--cov=%) --cov-branch --cov-fail-under=$(COVERED) --cov-report=term-missing:skip-covered

snapshots: openapi example-ledger ## write every generated file anew: then review `git diff`
	$(BIN)/python tests/vectors/make_ledger.py tests/vectors/ledger.json
	$(BIN)/casevault dictionary docs docs/data-dictionary.md
	$(BIN)/casevault dictionary dpia docs/dpia.md
	$(BIN)/python -m tests.security.columns --write
	$(BIN)/python -m tests.security.matrix --write

example-ledger: venv
	$(BIN)/python tests/vectors/make_example.py docs/examples/ledger

openapi: venv
	$(BIN)/python -m tests.openapi_snapshot --write

clean: ## remove everything that can be made again, .venv included
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
