.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
export XDG_CACHE_HOME ?= $(HOME)/.cache

BIN := .venv/bin
CLUSTER ?= kai-snapshot
ARGS ?=
KIND := --kind-bin .tools/bin/kind --kind-kubectl-bin .tools/bin/kubectl
E2E := $(BIN)/pytest tests/e2e --cluster-name $(CLUSTER)-e2e $(KIND)
LONG = $(BIN)/pytest -v --durations=0 $(if $(ARGS),,--write-docs) --cluster-name $(CLUSTER)-long $(KIND) $(ARGS)
TIMED := tools/timed

help: ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 13

demo: cluster ## Start a cluster with everything in it, apply manifests/samples, show what comes of it
	@tools/demo --cluster-name $(CLUSTER)

test: ## Set up, lint, run the unit tests, look at the pages, run the e2e stories; says how long each took
	@$(TIMED) setup lint unit browser e2e

down: ## Remove the clusters of demo, test, test-docs and test-long
	@for cluster in $(CLUSTER) $(CLUSTER)-e2e $(CLUSTER)-docs $(CLUSTER)-long; do .tools/bin/kind delete cluster --name $$cluster; done

setup: ## Debian packages, .venv, the cluster's programs, the base of the images, a browser, Prometheus
	@tools/setup

cluster:
	@tools/setup cluster

venv: ## .venv with the locked dependencies and the command in it
	@tools/setup venv

lint: venv ## Format, style, types, layers
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache | tail -1

format: venv ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

unit: venv ## The unit tests, on all cores; ARGS go to pytest (-n0: on one)
	@$(BIN)/pytest tests/unit -q -n auto --dist worksteal $(ARGS)

browser: ## The pages in a real browser; ARGS go to pytest
	@tools/setup browser && $(BIN)/pytest tests/browser -q $(ARGS)

e2e: cluster ## The e2e stories on a cluster of their own; ARGS go to pytest (--keep-cluster, --kai-tool-image=...)
	@$(E2E) -v --durations=10 $(ARGS)

test-long: ## Chaos, scale and fuzzing, on a cluster of their own, then test-docs; writes docs/chaos.md and docs/scale.md
	@tools/setup long && KAI_SNAPSHOT_FUZZ_EXAMPLES=$${KAI_SNAPSHOT_FUZZ_EXAMPLES:-20000} $(LONG) tests/long
	@$(if $(ARGS),,$(MAKE) --no-print-directory test-docs)

chaos: ## Of the long tests: the operator killed at every step, and all else that can go away; ARGS go to pytest
	@tools/setup long && $(LONG) tests/long/test_chaos_*.py

scale: ## Of the long tests: up to 10,000 captures, 50,000 replays; ARGS go to pytest (--sizes=20,40: smaller)
	@tools/setup long && $(LONG) tests/long/test_scale.py

test-docs: cluster ## Run the commands of README.md and docs/ on a cluster of their own; ARGS go to pytest (-k incident)
	@$(BIN)/pytest tests/docs --cluster-name $(CLUSTER)-docs $(KIND) -v -rs --durations=10 $(ARGS)

bench: setup ## Speed and memory beside kubectl, curl, jq, grep and rclone; ARGS=--kai-tool=PATH: and snapshot-tool
	@PYTHONPATH=tests:tools $(BIN)/python -m bench $(ARGS)

screenshots: ## Write docs/screenshots/: the pages as they are now
	@tools/setup browser && PYTHONPATH=tests $(BIN)/python -m browser.screenshots docs/screenshots

agreement: venv ## Write docs/simulator-agreement.md: the simulator beside the tool's recorded runs
	@PYTHONPATH=tests $(BIN)/python -m bench.agreement docs/simulator-agreement.md

growth: venv ## Write docs/simulator-speed.md: the simulator's time and memory up to 5,000 nodes; ARGS=--kai-tool=PATH
	@PYTHONPATH=tests $(BIN)/python -m bench.growth docs/simulator-speed.md $(ARGS)

crds: venv ## Render crds/ and docs/api.md from the models, docs/command-reference.md from the command
	@$(BIN)/python -m kai_snapshot.api.crd crds && $(BIN)/python -m kai_snapshot.api.reference docs/api.md
	@$(BIN)/typer kai_snapshot.cli.app utils docs --name kai-snapshot --title "Command reference" --output docs/command-reference.md

chart: venv ## Render from manifests/ what is not kustomize
	@PYTHONPATH=tools $(BIN)/python -m chart

image-twice: venv ## Build the image twice, each time from nothing, and compare the digests; about 4 minutes
	@tools/setup image && tools/image twice

sbom: venv ## Build the image, and write dist/kai-snapshot-operator.cdx.json: what is in it
	@tools/setup image && PYTHONPATH=tools $(BIN)/python -m sbom dist

audit: venv ## Ask for known vulnerabilities of the locked dependencies; fails too where nobody could be asked; ARGS go to pip-audit
	@PYTHONPATH=tools $(BIN)/python -m toolchain.audit $(ARGS)

lock: venv ## Lock the newest dependencies into requirements/
	@cd requirements && for each in "../pyproject.toml runtime" "build.in build" "dev.in dev" "bootstrap.in bootstrap" "go.in go" "axe.in axe --no-deps"; do \
	  set -- $$each; ../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header $$1 --output-file $$2.txt $${3-}; done

.PHONY: help demo test down setup cluster venv lint format unit browser e2e test-docs test-long chaos scale bench screenshots agreement growth crds chart image-twice sbom audit lock
