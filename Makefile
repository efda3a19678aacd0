# Everything a maintainer runs. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo python3 || echo python3.11)
WORKERS ?= 3
BENCH ?= --write
PIP := -m pip --disable-pip-version-check --quiet
export PYTHON
export PIP_ROOT_USER_ACTION := ignore
# Without bytecode each process that a test starts would compile the whole program.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
READY := $(VENV)/.ready
DEMO_VENV := .venv-demo
DEMO_READY := $(DEMO_VENV)/.ready

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  \1	\2/p' $(MAKEFILE_LIST) | expand -t 12

# --- what the machine needs -------------------------------------------------------------------

.PHONY: system
system: ## Debian packages for the tests (root: installed; else: the line to run)
	@tools/system_packages python postgresql mariadb strace chromium

.PHONY: system-python
system-python:
	@tools/system_packages python

# --- environments -----------------------------------------------------------------------------
# A stamp marks a finished environment. Without one the folder is what a broken run left behind.

$(READY): requirements/dev.txt pyproject.toml
	@test -e $@ || rm -rf $(VENV)
	test -e $@ || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP) install --require-hashes -r requirements/dev.txt
	$(VENV)/bin/python $(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(DEMO_READY): requirements/base.txt requirements/build.txt pyproject.toml
	@test -e $@ || rm -rf $(DEMO_VENV)
	test -e $@ || $(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python $(PIP) install --require-hashes \
		-r requirements/base.txt -r requirements/build.txt
	$(DEMO_VENV)/bin/python $(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# Stand-ins for warehouses that nobody can start at home, each with needs of its own.
STAND_INS := .venv-bqemulator/.ready .venv-fakesnow/.ready

$(STAND_INS): .venv-%/.ready: requirements/%.txt
	@test -e $@ || rm -rf $(@D)
	test -e $@ || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) install --require-hashes -r $<
	touch $@

# Segment's own SDK for Node, which tests point at the ingest API.
NODE_SDK := tests/node/node_modules/.ready

$(NODE_SDK): tests/node/package-lock.json | $(READY)
	$(VENV)/bin/npm ci --prefix tests/node --silent
	touch $@

$(READY) $(DEMO_READY) $(STAND_INS): | system-python

.PHONY: setup stand-ins node-sdk
setup: $(READY) ## the development environment in .venv, from hashed locks
stand-ins: $(STAND_INS)
node-sdk: $(NODE_SDK)

.PHONY: vendor
vendor: ## compare what the web UI vendors with the packages it is from; needs npm
	@python3 tools/vendor.py --check

.PHONY: lock
lock: | system-python ## rewrite requirements/*.txt from pyproject.toml
	@tools/lock $(PYTHON)

# --- use --------------------------------------------------------------------------------------

.PHONY: demo
demo: $(DEMO_READY) ## the main job from beginning to end on a small warehouse
	@$(DEMO_VENV)/bin/rowlift demo

.PHONY: test
test: system setup stand-ins node-sdk ## every test, against real servers
	@mkdir -p test-results
	$(VENV)/bin/python -m pytest -n $(WORKERS) --junitxml=test-results/junit.xml

.PHONY: docs
docs: setup ## rewrite docs/reference, and the tables as SQL, from the code
	@$(VENV)/bin/python tools/reference.py
	@$(VENV)/bin/python tools/tables.py

.PHONY: screenshots
screenshots: system setup ## pictures of every page in each of its states, of 100,000 people, to docs/screenshots
	@$(VENV)/bin/python -m tools.screenshots

.PHONY: check lint types layers ids reference wheel
check: lint types layers ids reference wheel ## lint, format, types, layers, requirement ids, docs, wheel

lint types layers ids reference wheel: | setup

lint:
	@$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types:
	@$(VENV)/bin/mypy

layers:
	@$(VENV)/bin/lint-imports --no-logo

ids:
	@$(VENV)/bin/python tools/requirement_ids.py tests

reference:
	@$(VENV)/bin/python tools/reference.py --check
	@$(VENV)/bin/python tools/tables.py --check

wheel:
	@$(VENV)/bin/python tools/wheel_smoke.py

.PHONY: audit sbom
audit: setup ## ask the public advisories about every locked package (needs the network)
	@$(VENV)/bin/python tools/audit.py

sbom: setup ## what a release is made of, as CycloneDX, on stdout
	@$(VENV)/bin/python -m tools.sbom

ifneq ($(wildcard bench/__main__.py),)
.PHONY: bench
bench: system setup stand-ins ## speed and memory on a million rows; BENCH="--quick --only segment" to try
	@$(VENV)/bin/python -m bench $(BENCH)
endif

ifneq ($(wildcard torture/__main__.py),)
.PHONY: torture
torture: system setup ## break everything that can break (TORTURE="--seconds 600, or --write")
	@$(VENV)/bin/python -m torture $(TORTURE)
endif

.PHONY: clean
clean: ## remove environments, caches and results
	rm -rf .venv .venv-* build dist test-results .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
