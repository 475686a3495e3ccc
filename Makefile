# Tidegate. `make help` lists what can be asked for.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# `make up` writes the addresses of the running set here; targets that talk to it read them.
HOME_DIR := $(or $(TIDEGATE_HOME),.tidegate)
WITH_STACK := set -a; [ ! -f $(HOME_DIR)/stack.env ] || . $(HOME_DIR)/stack.env; set +a;

# Addresses and credentials of the lakehouse and of its dashboards.
LAKE = $(WITH_STACK) set -a; eval "$$($(PY) -m stack env lake)"; eval "$$($(PY) -m stack env dashboards)"; set +a;

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Make .venv from the locked requirements (every other target does it first)
	@stack/setup.sh

.PHONY: demo
demo: setup ## Start everything, train the first models, send a few hundred webhooks, show what became of them
	@$(PY) -m stack up
	@$(WITH_STACK) $(PY) -m mlops.training --unless-served
	@$(WITH_STACK) $(PY) -m services.simulator.demo

.PHONY: up
up: setup ## Start engines and services on this machine; with PROFILE=lake the lakehouse too; writes .tidegate/stack.env
	@$(PY) -m stack up $(if $(PROFILE),--profile $(PROFILE))

.PHONY: down
down: setup ## Stop services and engines; data stays
	@$(PY) -m stack down

.PHONY: status
status: setup ## Show engines, services, lag and counts on one screen
	@$(PY) -m stack status

.PHONY: logs
logs: setup ## Follow the logs; one part only: make logs NAME=gateway
	@$(PY) -m stack logs $(NAME)

# Dagster starts last: its sensors would ingest beside it. So many customers do not fit in the memory that Valkey has else.
.PHONY: demo-lake
demo-lake: export TIDEGATE_STACK_VALKEY_MEMORY_MIB ?= 2048
demo-lake: setup ## A simulated quarter, a million events, through the lakehouse to models and dashboards (CUSTOMERS=, DAYS=)
	@$(PY) -m stack up
	@$(PY) -m stack up trino superset
	@$(LAKE) TIDEGATE_WRITER_DATABASE_URL="$$($(PY) -m stack env writer | sed -n 's/^TIDEGATE_DATABASE_URL=//p')" \
		$(PY) -m mlops.pipelines.demo $(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(DAYS),--days $(DAYS))
	@$(PY) -m stack up --profile lake

.PHONY: dashboards
dashboards: setup ## Bring the dashboards into Superset, replacing what differs, and ask every chart for its data
	@$(LAKE) $(PY) -m deploy.superset.publish

.PHONY: train
train: setup ## Train the models on a history (made where there is none), register them, let a first champion serve
	@$(WITH_STACK) $(PY) -m mlops.training

.PHONY: replay
replay: setup ## Run champion and challenger of fraud over the past: what would be decided otherwise; a page in .tidegate/
	@$(WITH_STACK) $(PY) -m services.inference.replay fraud --html $(HOME_DIR)/replay.html

.PHONY: monitor
monitor: setup ## Compare what models were told and said with the stream, their training and what came of it
	@set -a; eval "$$($(PY) -m stack env monitor)"; set +a; $(PY) -m mlops.monitoring

.PHONY: gen
gen: setup ## Regenerate gen/ and dbt's sources from proto/, byte for byte, and docs/features.md
	@$(PY) -m codegen.python
	@$(PY) -m codegen.dbt_sources
	@$(PY) -m mlops.features.page

.PHONY: impact
impact: setup ## What a change of the contracts touches: topics, columns, models, dashboards (BASE=, HEAD=: revisions)
	@$(PY) -m codegen.impact $(if $(BASE),--base $(BASE)) $(if $(HEAD),--head $(HEAD)) $(if $(MARKDOWN),--markdown $(MARKDOWN))

.PHONY: register
register: setup ## Register every topic's schema in the Schema Registry
	@$(WITH_STACK) $(PY) -m codegen.register

LOCK := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --no-annotate
.PHONY: lock
lock: setup ## Resolve the requirements anew, for this machine and for the service image
	@$(LOCK) --all-extras pyproject.toml -o requirements.lock
	@$(LOCK) -c requirements.lock pyproject.toml -o deploy/services.lock
	@$(LOCK) --override deploy/superset/overrides.txt deploy/superset/requirements.in -o deploy/superset/requirements.lock

.PHONY: format
format: setup ## Format code and contracts
	@ruff check --fix-only --quiet .
	@ruff format --quiet .
	@buf format -w proto

.PHONY: lint
lint: setup ## Style, types, import rules, contracts (lint, format, breaking, drift)
	@ruff check .
	@ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@mypy .
	@lint-imports --no-logo
	@$(PY) -m codegen.gate

.PHONY: test-unit
test-unit: setup ## The unit tests alone: no engine, no socket; without those that play worlds or train models
	@pytest tests/unit -n 2 -q -m "not slow"

.PHONY: test
test: lint test-unit ## Everything that proves the platform, on real engines
	@pytest tests/unit -n 2 -q -m slow
	@pytest tests/contract tests/integration --ignore tests/integration/lake -n 2 -q
	@pytest tests/integration/lake -q
	@pytest tests/e2e

.PHONY: bench
bench: setup ## Measure, as ratios to baselines of the same run; writes .tidegate/bench.json
	@$(PY) -m bench
