# make demo        install, and run the demo study, whose figures are in results/figures/
# make complete    install, and run the study with all stages and datasets, whose results are in results_complete/
# make test        install, and check everything
# make docs        write docs/config.md and config/schema.json from the descriptions in the code, and build the site of all pages
# make test-fast   install, and run the tests that take only seconds
PYTHON ?= python3
# The folder of the environment. Its path must not hold spaces: make demo VENV=$HOME/cortexscale_environment
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(BIN):$(PATH)
# Tests run in two processes with one thread each. CONTRIBUTING.md says how to run fewer tests.
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n 2 --dist worksteal

.PHONY: demo complete docs site test test-fast test-mutations lint browser test-slurm bench clean

demo: $(BIN)/.installed
	snakemake --quiet rules host
	@echo "Figures: results/figures/fig2.pdf, results/figures/fig3.pdf; all results: results/report.html, results/explore.html"

# Tests read the results of the complete study.
complete: $(BIN)/.installed
	snakemake --quiet rules host --configfile config/complete.yaml

test: lint site complete browser
	$(PYTEST)

test-fast: $(BIN)/.installed
	$(PYTEST) -m "not slow and not complete and not slurm"

# Mistakes are made in copies of the code, to see whether the fast tests notice them (docs/reliability.md).
test-mutations: $(BIN)/.installed
	python tests/mutations

# The tests of the pages need a browser. Without one, they are skipped with the reason.
browser:
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null; fi || true

lint: $(BIN)/.installed
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	codespell
	mypy
	snakemake --lint

# The test starts and stops Slurm on one node, which needs root. Otherwise it is skipped with the reason.
test-slurm: $(BIN)/.installed
	@if ! command -v slurmctld >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends slurm-wlm munge >/dev/null; fi || true
	python -m pytest tests/workflow/test_slurm.py -m slurm -rs

docs: $(BIN)/.installed
	python docs/config_reference.py
	$(MAKE) site

# Warnings are errors: a link that leads nowhere stops the build.
site: $(BIN)/.docs
	sphinx-build -q -W --keep-going -b html docs docs/_site
	@echo "Pages: docs/_site/index.html"

$(BIN)/.docs: $(BIN)/.installed docs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.lock
	touch $@

bench: $(BIN)/.installed
	python benchmarks/ridge.py
	python benchmarks/gram.py
	python benchmarks/projection.py
	python benchmarks/extraction.py
	python benchmarks/growth.py
	python benchmarks/similarity.py
	python benchmarks/fit.py
	python benchmarks/fit_all.py
	python benchmarks/finetuning.py
	python benchmarks/store.py
	python benchmarks/plan.py

# All versions are exact. The platform decides which build of torch is installed (on Linux, PyPI has the build with CUDA).
$(BIN)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "PYTHON=$(PYTHON) is not Python 3.11, 3.12 or 3.13: name one, as in make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

clean:
	rm -rf .venv results
