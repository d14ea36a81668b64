# Everything runs in the project's own virtual environment, which is created on first use. `make` lists the targets.

PYTHON ?= python3
WORKERS ?= auto
ARGS ?=
PID_FILE ?= data/gateway.pid
LOG ?= data/gateway.log
VENV := .venv
BIN := $(VENV)/bin
SITE := .venv-site
CODE := $(wildcard gateway tests scripts bench wsgi.py)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
GATEWAY := $(BIN)/python -m gateway
FILES := --pid-file $(PID_FILE) --log $(LOG)
TRY := $(BIN)/python scripts/try.py
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --custom-compile-command "make requirements" --python-version

.DEFAULT_GOAL := help
.PHONY: help install dev-setup start start-prod start-prod-bg stop restart status logs kill test test-all test-fast \
	test-clients fuzz chaos test-health test-models test-hello test-chat quick-test lint format fmt type-check coverage deploy-check doctor dist site \
	login check-claude models info demo bench bench-check requirements clean distclean claude ready ready-dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: ready ## Install everything: virtual environment, pinned packages, the Claude Code CLI
	@echo "Installed. Start the gateway with: make start"

dev-setup: ready-dev ## Install everything for development, and create .env
	@[ -e .env ] || { install -m 600 .env.example .env && echo "Created .env. Uncomment the settings that you change."; }
	@echo "Ready. Try: make start, make test-fast, make demo"

start: ready ## Run for development, with a reload when the code changes
	@exec $(GATEWAY) serve --reload

start-prod: ready ## Run for production, in the foreground
	@exec $(GATEWAY) serve --pid-file $(PID_FILE)

start-prod-bg: ready ## Run for production, in the background
	@$(GATEWAY) serve --background $(FILES)

stop: $(VENV)/.installed ## Stop the gateway after its running answers
	@$(GATEWAY) stop $(FILES)

restart: ready ## Apply new code and settings without losing an answer or a request
	@$(GATEWAY) restart $(FILES)

status: $(VENV)/.installed ## Show the state of the gateway and the end of its log
	@$(GATEWAY) status $(FILES)

logs: $(VENV)/.installed ## Follow the log of start-prod-bg
	@$(GATEWAY) logs $(FILES)

kill: $(BIN)/python ## End the processes that listen on a port (PORT=8000)
	@[ -n "$(PORT)" ] || { echo "Name the port: make kill PORT=8000" >&2; exit 2; }
	@$(BIN)/python scripts/kill_port.py $(PORT)

# Tests often wait, so lint runs beside them, which saves a minute. It is shown only if it fails.
test: ready-dev ## Lint and run the tests, in parallel (WORKERS=2, ARGS="-k stream")
	@log=$$(mktemp); $(MAKE) --no-print-directory lint >"$$log" 2>&1 & lint=$$!; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS); tests=$$?; \
	wait $$lint || { cat "$$log" >&2; echo "make lint failed." >&2; tests=1; }; \
	rm -f "$$log"; exit $$tests

test-fast: ready-dev ## Run the tests that need no gateway and no CLI (one minute)
	@$(BIN)/python -m pytest -n $(WORKERS) tests/unit tests/http $(ARGS)

test-all: ready-dev ## Run all tests: more cases of each kind, then those for a quiet machine
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not clients and not fuzz" $(ARGS)
	@$(BIN)/python -m pytest -m slow $(ARGS)

test-clients: ready-dev ## Install Codex, opencode, LangChain and others, and run whole jobs through them
	@$(BIN)/python -m pytest -n 2 -m clients tests/clients $(ARGS)

fuzz: ready-dev ## Send 10,000 generated bodies and compare the model's requests, and 10,000 hostile ones (ARGS="-k 7" for a part)
	@$(BIN)/python -m pytest -n $(WORKERS) -m fuzz -rP $(ARGS)

chaos: ready-dev ## Disturb a gateway at random, and list what held (ARGS="--seconds 600 --cli real --servers")
	@$(BIN)/python -m tests.chaos $(ARGS)

test-health: $(VENV)/.installed ## Get the health of the running gateway (or of BASE_URL, with API_KEY)
	@$(TRY) health

test-models: $(VENV)/.installed ## Check that it lists its models
	@$(TRY) models

test-hello: $(VENV)/.installed ## Have a hello-world chat with Haiku
	@$(TRY) hello

test-chat: $(VENV)/.installed ## Have a streamed chat with the default model
	@$(TRY) chat

quick-test: $(VENV)/.installed ## Run test-health, test-models and test-hello
	@$(TRY) health models hello

lint: $(VENV)/.installed-dev ## Check style, types, the direction of imports, dependencies and prose
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry --no-ansi .
	@$(BIN)/python scripts/check_prose.py

format: $(VENV)/.installed-dev ## Fix the style
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

fmt: format ## Fix the style, like format

type-check: $(VENV)/.installed-dev ## Check the types
	@$(BIN)/mypy $(CODE)

coverage: ready-dev ## Run the tests, and list the lines that they do not reach
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term $(ARGS)

deploy-check: $(VENV)/.installed ## List what to change before the gateway goes on the network
	@$(GATEWAY) doctor --deploy

doctor: $(VENV)/.installed ## Check the installation and the running gateway, and say what to do
	@$(GATEWAY) doctor $(ARGS)

login: ready ## Log the gateway's CLI in (ARGS=--console for an account that pays per token)
	@exec $(GATEWAY) login $(ARGS)

check-claude: $(BIN)/python ## Show the Claude Code CLI in use, and check its version
	@$(BIN)/python -m gateway.command_line.get_claude --check

models: $(VENV)/.installed ## List the models of the running gateway
	@$(BIN)/python scripts/show.py models

info: $(VENV)/.installed ## Show versions, paths and settings
	@$(BIN)/python scripts/show.py info

demo: ready ## Show the gateway at work, without an account
	@$(GATEWAY) demo $(ARGS)

bench: ready-dev ## Measure latency and throughput
	@$(BIN)/python -m bench $(ARGS)

bench-check: ready-dev ## Compare with the last release in turn, and fail if a row got 15 % worse
	@$(BIN)/python -m bench --check $(ARGS)

site: $(SITE)/.installed ## Build the documentation as a site, with all links checked, in build/site (needs Python 3.11)
	@$(SITE)/bin/sphinx-build -q -W --keep-going -c docs/site -d build/doctrees -b html . build/site
	@echo "Open build/site/index.html"

dist: ready-dev ## Build the wheel and the source archive in dist
	@rm -rf dist && $(BIN)/hatchling build -d dist

requirements: $(BIN)/python ## Pin the packages of requirements*.in again (ARGS=--upgrade for the newest)
	@$(PIP) uv
	@$(UV_COMPILE) 3.10 $(ARGS) requirements.in -o requirements.txt >/dev/null
	@$(UV_COMPILE) 3.10 $(ARGS) --constraints requirements.txt requirements-dev.in -o requirements-dev.txt >/dev/null
	@$(UV_COMPILE) 3.11 $(ARGS) docs/site/requirements.in -o docs/site/requirements.txt >/dev/null

clean: ## Remove caches and reports
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	@find . \( -name $(VENV) -o -name .git \) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Also remove the virtual environment and the project's own CLI
	@rm -rf $(VENV) $(SITE) .claude-cli

# Prerequisites of the targets above. A stamp is newer than the requirements that were installed from it.
ready: $(VENV)/.installed claude
ready-dev: $(VENV)/.installed-dev claude

claude: $(BIN)/python
	@$(BIN)/python -m gateway.command_line.get_claude >/dev/null

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the packages of $< ..."
	@$(PIP) -r $<
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the packages of $< ..."
	@$(PIP) -r $<
	@touch $@

$(SITE)/.installed: docs/site/requirements.txt
	@echo "Installing the packages of $< ..."
	@$(PYTHON) -m venv --clear $(SITE) && $(SITE)/bin/python -m pip --disable-pip-version-check install --quiet -r $<
	@touch $@

# Debian's Python may lack ensurepip (package python3-venv). Then its pip installs pip into the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "Python 3.10 or newer is required. Name one, for example: make PYTHON=python3.12 install" >&2; exit 1; }
	@[ ! -e $(VENV) ] || [ -O $(VENV) ] || { \
		echo "$(VENV) belongs to another user, and you cannot run its Python. Run make as its owner." >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --target \
		"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" pip; } || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot create a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
