# Each target is one command; `labkit NAME` (or `python -m labkit NAME`) inside the environment is the same.
# GNU make 4.3 or 3.81, a POSIX shell, Python 3.11 or 3.12 with venv. Nothing else is needed.

SHELL = /bin/sh
.SHELLFLAGS = -euc
.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Where worlds, indexes and unpacked models are kept: beside the checkout's files, so that one folder is all there is.
LABKIT_HOME ?= $(CURDIR)/.labkit
export LABKIT_HOME
# No library calls home or a model hub; idle threads sleep instead of spinning on a shared machine.
export HF_HUB_OFFLINE = 1
export LITELLM_LOCAL_MODEL_COST_MAP = True
export TOKENIZERS_PARALLELISM = false
export OMP_WAIT_POLICY = PASSIVE
export GOMP_SPINCOUNT = 0
# Few allocation arenas: threads that come and go do not leave their memory behind.
export MALLOC_ARENA_MAX = 2
# Large libraries are compiled at first import; a process that may not keep the result pays seconds each time.
unexport PYTHONDONTWRITEBYTECODE

LAB = .venv/labkit-environment
LABKIT = .venv/bin/python -m labkit
# A Python that fits, asked for by number because `python3` may be any version. Overridden by PYTHON=…
PYTHON ?= $(or $(firstword $(foreach found,python3.11 python3.12 python3 python,$(shell \
	$(found) -c 'import sys, venv, ensurepip; (3, 11) <= sys.version_info[:2] <= (3, 12) and print("$(found)")' 2>/dev/null))),no-python)

NEED_PYTHON = test "$(PYTHON)" != no-python || { echo "make: no Python 3.11 or 3.12 with the module venv was found. \
	Install one (on Debian and Ubuntu: python3.11 and python3.11-venv), or name it: make env PYTHON=path" >&2; exit 1; }

.PHONY: help env course lab ask test unit lint doctor lock sbom licences smoke clean

help:  ## what there is
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

env: $(LAB)  ## build .venv from the lock; nothing to do the second time

$(LAB): requirements/lab.txt requirements/torch-cuda.txt requirements/environments.toml pyproject.toml scripts/environment.py
	@$(NEED_PYTHON)
	@$(PYTHON) scripts/environment.py lab

env-%:  ## build another environment: phoenix serve serve-cpu serve-cuda quantize legacy
	@$(NEED_PYTHON)
	@$(PYTHON) scripts/environment.py $*

course: env  ## execute the notebooks, verify them, print the scoreboard
	@$(LABKIT) course $(ARGS)

lab: env  ## open JupyterLab on notebooks and labs
	@$(LABKIT) lab

ask: env  ## answer a question with citations: make ask Q="Which caused more downtime, INC-7942 or INC-9612?"
	@test -n "$${Q:-}" || { echo 'make ask: no question. Write make ask Q="…"' >&2; exit 2; }
	@$(LABKIT) ask "$$Q" $(ARGS)

test: env  ## everything CI runs: style, types, contracts, all tests, every notebook once
	@$(LABKIT) test

unit: env  ## the tests that take seconds
	@$(LABKIT) unit

lint: env  ## style, types, the import contract
	@$(LABKIT) lint

doctor: env  ## what this machine can run, what is missing, how to get it
	@$(LABKIT) doctor

lock: env  ## resolve requirements/*.in again (ARGS=--upgrade takes newer versions), then the SBOM
	@.venv/bin/python scripts/lock.py $(ARGS)
	@.venv/bin/python scripts/sbom.py lab docs/sbom.json

sbom: env  ## write the bill of materials of the lab environment
	@.venv/bin/python scripts/sbom.py lab docs/sbom.json

licences: env  ## check the licence of every installed package against the allow-list
	@.venv/bin/python scripts/licences.py lab

smoke: env  ## import every library the course names, in fresh processes
	@.venv/bin/python scripts/smoke.py lab

clean:  ## remove environments and generated files (.venv .venvs .labkit dist, caches)
	rm -rf .venv .venvs .labkit dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
