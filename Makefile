# Shipshape's own Makefile. That of rendered services is template/Makefile.jinja and template/ops/Makefile.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PORT ?= 8000
.DEFAULT_GOAL := help

help: ## List the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is not there, or older than 3.11: add PYTHON=python3.13 or the like" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "no venv? On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@touch $@

install: $(VENV)/installed ## Install the tools into .venv

demo: install ## Render a service into demo/, install it and start it in the foreground; PORT=8000
	@sh tests/demo.sh before $(PORT)
	rm -rf demo
	$(BIN)/copier copy --quiet --defaults --vcs-ref HEAD --data service_name=orders "$(CURDIR)" demo
	$(MAKE) --no-print-directory -C demo install
	@sh tests/demo.sh after $(PORT)
	@cd demo && exec .venv/bin/app serve --config config/dev.yaml --port $(PORT)

check: check-files check-types check-in-place ## Check format, lint and types, of the template's files too

check-files: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tests/manifest.py --check

check-types: install
	$(BIN)/mypy tests hooks fleet
	cd tests/benchmarks && ../../$(BIN)/mypy --strict service.py copying.py
	cd template && ../$(BIN)/mypy --strict --cache-dir ../.mypy_cache ops/slo ops/smoke ops/delivery
	cd template && ../$(BIN)/mypy --strict --cache-dir ../.mypy_cache --config-file ../pyproject.toml -p ops.documents -p ops.load -p ops.readiness

check-in-place: install
	$(BIN)/python tests/in_place.py
	$(MAKE) --no-print-directory -C .in-place install lint # its files are links, which the check of a service refuses

test: install ## Run the whole suite
	$(MAKE) --no-print-directory -j 2 check
	$(BIN)/python -m pytest -n 3 --dist loadfile

test-fast: install ## Run what needs no installed service
	$(BIN)/python -m pytest -n 2 -m "not slow"

manifest: install ## After a change of a template's file: renew the list of files and digests that services carry
	$(BIN)/python tests/manifest.py

release: install ## Release what is under "Unreleased" in the changelog: VERSION=v0.2.0
	$(BIN)/python tests/release.py $(VERSION)

lock: install ## Pin the tools anew, with hashes and without an index's address
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header --no-annotate --group dev pyproject.toml -o requirements.lock
	for tools in template/ops/tools/*.in; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-header --no-annotate $$tools -o $${tools%.in}.lock || exit 1; done

.PHONY: help install demo check check-files check-types check-in-place test test-fast manifest release lock
