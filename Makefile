# Everything runs in the project's own virtual environment, made on first use. `make` alone lists the targets.

PYTHON ?= python3
WORKERS ?= auto
ARGS ?=
PID_FILE ?= data/gateway.pid
LOG ?= data/gateway.log
VENV := .venv
BIN := $(VENV)/bin
CODE := $(wildcard gateway tests scripts bench wsgi.py)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
SERVER := $(BIN)/gunicorn -c gunicorn.conf.py
SERVE := $(BIN)/python scripts/serve.py --pid-file $(PID_FILE) --log $(LOG)
TRY := $(BIN)/python scripts/try.py
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 \
	--custom-compile-command "make requirements"

.DEFAULT_GOAL := help
.PHONY: help install dev-setup start start-prod start-prod-bg stop restart status logs kill test test-all test-fast \
	test-clients test-health test-models test-hello test-chat quick-test lint format fmt type-check coverage deploy-check \
	check-claude models info demo bench requirements clean distclean claude ready ready-dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: ready ## Set up everything: virtual environment, pinned packages, the Claude Code CLI
	@echo "Installed. Start the gateway with: make start"

dev-setup: ready-dev ## The same for working on the gateway itself, with a .env of your own
	@[ -e .env ] || { install -m 600 .env.example .env && echo "Made .env: uncomment what you change."; }
	@echo "Ready. Try: make start, make test-fast, make demo"

start: ready ## Run for development: reloads when the code changes
	@exec $(SERVER) --reload wsgi:app

start-prod: ready ## Run for production, in the foreground
	@mkdir -p $(dir $(PID_FILE)) && exec $(SERVER) --pid $(PID_FILE) wsgi:app

start-prod-bg: ready ## Run for production, in the background; it survives the shell
	@$(SERVE) start

stop: $(VENV)/.installed ## Stop the gateway; running answers may finish
	@$(SERVE) stop

restart: ready ## Take up new code and settings without cutting an answer or refusing a request
	@$(SERVE) restart

status: $(VENV)/.installed ## Say whether the gateway runs and how it is, with the end of its log
	@$(SERVE) status

logs: $(VENV)/.installed ## Follow the log of start-prod-bg
	@$(SERVE) logs

kill: $(BIN)/python ## End whatever listens on a port (PORT=8000)
	@[ -n "$(PORT)" ] || { echo "Which port? make kill PORT=8000" >&2; exit 2; }
	@$(BIN)/python scripts/kill_port.py $(PORT)

# Both run even if the first fails, and pytest speaks last.
test: ready-dev ## Lint and run the tests, in parallel (WORKERS=2, ARGS="-k stream")
	@$(MAKE) --no-print-directory lint; lint=$$?; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS); tests=$$?; \
	[ $$lint -eq 0 ] || echo "make lint failed: see above the tests." >&2; \
	[ $$lint -eq 0 ] && [ $$tests -eq 0 ]

test-fast: ready-dev ## Run the tests that need no gateway and no CLI: a minute
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not clients and not cli" $(ARGS)

test-all: ready-dev ## Run every test: more cases of each kind, then those that take the machine to themselves
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not clients" $(ARGS)
	@$(BIN)/python -m pytest -m slow $(ARGS)

test-clients: ready-dev ## Run agent loops through LangChain, litellm, the AI SDK and others; installs them first
	@$(BIN)/python -m pytest -n 2 -m clients $(ARGS)

test-health: $(VENV)/.installed ## Ask the running gateway for its health (BASE_URL=, API_KEY= for another)
	@$(TRY) health

test-models: $(VENV)/.installed ## See whether it lists its models
	@$(TRY) models

test-hello: $(VENV)/.installed ## Have a hello-world chat with Haiku
	@$(TRY) hello

test-chat: $(VENV)/.installed ## Have a streamed chat with the default model
	@$(TRY) chat

quick-test: $(VENV)/.installed ## Health, models and hello in one go
	@$(TRY) health models hello

lint: $(VENV)/.installed-dev ## Check style, types, the direction of imports, and the dependencies
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry --no-ansi .

format: $(VENV)/.installed-dev ## Mend the style
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

fmt: format ## The same as format

type-check: $(VENV)/.installed-dev ## Check the types
	@$(BIN)/mypy $(CODE)

coverage: ready-dev ## Run the tests and show what they do not reach
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term $(ARGS)

deploy-check: $(VENV)/.installed ## Say what to change before the gateway goes on the network
	@$(BIN)/python scripts/deploy_check.py

check-claude: $(BIN)/python ## Say which Claude Code CLI is used, and whether it is new enough
	@$(BIN)/python scripts/get_claude.py --check

models: $(VENV)/.installed ## List the models of the running gateway
	@$(BIN)/python scripts/show.py models

info: $(VENV)/.installed ## Show versions, paths and settings
	@$(BIN)/python scripts/show.py info

demo: ready-dev ## See the gateway at work, without an account
	@$(BIN)/python -m scripts.demo $(ARGS)

bench: ready-dev ## Measure latency and throughput
	@$(BIN)/python -m bench $(ARGS)

requirements: $(BIN)/python ## Pin the packages anew after a change of requirements*.in (ARGS=--upgrade for the newest)
	@$(PIP) uv
	@$(UV_COMPILE) $(ARGS) requirements.in -o requirements.txt >/dev/null
	@$(UV_COMPILE) $(ARGS) --constraints requirements.txt requirements-dev.in -o requirements-dev.txt >/dev/null

clean: ## Remove caches and reports
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	@find . \( -name $(VENV) -o -name .git \) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Remove the virtual environment and the project's own CLI as well
	@rm -rf $(VENV) .claude-cli

# What the targets above stand on. Stamps are younger than the requirements they were installed from.
ready: $(VENV)/.installed claude
ready-dev: $(VENV)/.installed-dev claude

claude: $(BIN)/python
	@$(BIN)/python scripts/get_claude.py >/dev/null

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the packages of $< ..."
	@$(PIP) -r $<
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the packages of $< ..."
	@$(PIP) -r $<
	@touch $@

# Debian's Python may come without ensurepip (package python3-venv): then its pip puts one into the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "Python 3.10 or newer is needed. Name one: make PYTHON=python3.12 install" >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --target \
		"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" pip; } || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
