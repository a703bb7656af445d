.DEFAULT_GOAL := help
SHELL := bash
export XDG_CACHE_HOME ?= $(HOME)/.cache
VENV := .venv
BIN := $(VENV)/bin

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

venv: $(VENV)/.done ## Make .venv with the locked dependencies and the command in it

$(VENV)/.done: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@tools/setup venv
	@touch $@

lock: venv ## Write requirements/*.txt anew from their .in files and pyproject.toml
	cd requirements && for f in "../pyproject.toml runtime" "build.in build" "dev.in dev" "bootstrap.in bootstrap"; do set -- $$f; \
	  ../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $$1 -o $$2.txt; done

.PHONY: help venv lock
