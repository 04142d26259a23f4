# Two commands do the work: `make report` and `make test`. Both make .venv on first use.

SCALE  ?= laptop
CORES  ?= $(shell getconf _NPROCESSORS_ONLN)
PYTHON ?= python3

BIN       := .venv/bin
READY     := .venv/.ready
OVERLAY   := $(wildcard workflow/scales/$(SCALE).yaml)
PUBLISHED := $(patsubst %/published.json,%,$(wildcard published/*/published.json))
# Further words for Snakemake, such as ARGS=--dry-run
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --resources gpu=1 \
             $(if $(OVERLAY),--configfile $(OVERLAY)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help report test soak bench crate ci lint format api why audit sameness publish site unlock lock licences clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10
	@echo "SCALE=smoke|laptop|paper and CORES=n choose the size of the run (now $(SCALE), $(CORES))"

report: $(READY) scale-exists ## make the report of SCALE, running only what is stale
	@$(SNAKEMAKE) || { status=$$?; ! ls .snakemake/locks/$(SCALE)/*.lock >/dev/null 2>&1 || \
	  echo "results/$(SCALE) is locked: a run is making it, or one was killed. If none goes on in" \
	    "this folder, say make unlock, and then make report again" >&2; exit $$status; }
	@echo "report: $(CURDIR)/results/$(SCALE)/report/index.html"

# Whole files go to each worker, in the order that tests/conftest.py gives them.
test: $(READY) lint ## lint, types, unit tests, DAG tests and the smoke scale end to end
	$(BIN)/python -m pytest -n $(CORES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

soak: $(READY) ## kill, fill, cut and starve runs for about MINUTES=30 and count what is lost
	@nice -n 10 $(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

# Others are installed in a folder beside the environment, which stays what the locks say.
PEERS := build/bench-peers

bench: $(READY) $(PEERS)/.ready ## time the library beside others, for the table of the report
	@PYTHONPATH=$(PEERS) OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench $(ARGS)

$(PEERS)/.ready: $(READY) tests/bench/peers.lock
	rm -rf $(PEERS)
	$(BIN)/pip install --quiet --no-deps --require-hashes --target $(PEERS) \
	  --requirement tests/bench/peers.lock
	@touch $@

VALIDATOR := build/crate-validator

crate: $(READY) $(VALIDATOR)/.ready ## set site/SCALE beside the profile of RO-Crate that it declares
	@PYTHONPATH=$(VALIDATOR) $(BIN)/python -m tests.crate site/$(SCALE)

$(VALIDATOR)/.ready: $(READY) tests/crate/validator.lock
	rm -rf $(VALIDATOR)
	$(BIN)/pip install --quiet --no-deps --require-hashes --target $(VALIDATOR) \
	  --requirement tests/crate/validator.lock
	@touch $@

LINTERS := build/ci-linters

ci: $(LINTERS)/.ready ## check the file of continuous integration: its form, and what it gives away
	@PYTHONPATH=$(LINTERS) $(BIN)/python -m check_jsonschema \
	  --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	@$(LINTERS)/bin/zizmor --offline --quiet .github/workflows

$(LINTERS)/.ready: $(READY) .github/linters.lock
	rm -rf $(LINTERS)
	$(BIN)/pip install --quiet --no-deps --require-hashes --target $(LINTERS) \
	  --requirement .github/linters.lock
	@touch $@

lint: $(READY) ## ruff, mypy, snakefmt and snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --compact-diff Snakefile workflow
	$(BIN)/snakemake --lint

format: $(READY) ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

api: $(READY) ## write the pages of the library from its docstrings to build/api
	@$(BIN)/python -W error::UserWarning -W "ignore:Cannot determine where:UserWarning" \
	  -m pdoc --docformat google --output-directory build/api flatminima
	@echo "library: $(CURDIR)/build/api/index.html"

why: $(READY) scale-exists ## say for each stale thing what changed
	@plan=$$(mktemp) && trap 'rm -f "$$plan"' EXIT && \
	{ said=$$(FLATMINIMA_PLAN="$$plan" $(SNAKEMAKE) --dry-run --quiet all 2>&1) \
	  || { echo "$$said" >&2; exit 1; }; } && \
	$(BIN)/flatminima why results/$(SCALE) --plan "$$plan"

audit: $(READY) ## re-hash every file of SCALE and of published runs, back to the data
	@$(BIN)/flatminima audit results/$(SCALE) $(PUBLISHED)

sameness: $(READY) ## measure anew what repeats on which machine, for the table of the report
	@$(BIN)/python -m tests.workflow.sameness

publish: $(READY) ## pack the finished run of SCALE into published/ and site/, with NOTE="what to know"
	@$(BIN)/flatminima publish results/$(SCALE) $(if $(NOTE),--note "$(NOTE)") $(if $(LIMIT),--limit $(LIMIT))

site: $(READY) ## write site/SCALE alone: the finished run as a folder for any web server
	@$(BIN)/flatminima site results/$(SCALE) $(if $(NOTE),--note "$(NOTE)")

unlock: $(READY) scale-exists ## take off locks that killed runs left, when no run goes on here
	@$(SNAKEMAKE) --unlock

# Torch's builds for a GPU need more packages than its build for a CPU; a file of their own has them.
lock: ## resolve the dependencies anew and write requirements.lock and requirements-gpu.lock
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --upgrade pyproject.toml --output-file .venv-lock/all
	awk '/^[a-z]/ { lock = /^(cuda|nvidia|triton)/ ? "requirements-gpu.lock" : "requirements.lock" } \
	  { print > lock }' .venv-lock/all
	rm -rf .venv-lock

licences: $(READY) ## write docs/licences.md from what is installed
	@$(BIN)/python docs/licences.py

clean: ## remove the environment and Snakemake's cache; results stay
	rm -rf .venv .snakemake

.PHONY: scale-exists
scale-exists: $(READY)
	@test "$(SCALE)" = laptop -o -n "$(OVERLAY)" || { \
	  echo "SCALE=$(SCALE): there is no workflow/scales/$(SCALE).yaml; choose one of laptop" \
	    "$(patsubst workflow/scales/%.yaml,%,$(wildcard workflow/scales/*.yaml))" >&2; exit 1; }
	@$(BIN)/flatminima check $(OVERLAY) >/dev/null

# Every file is checked by its sha256, and none is taken that is not in a lock: dependencies are not
# looked up, and setuptools, which builds the one package that is there as source only, comes first.
INSTALL := $(BIN)/pip install --quiet --no-deps --no-build-isolation --require-hashes

$(READY): requirements.lock requirements-cpu.lock requirements-gpu.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@PYTHONPATH=src $(PYTHON) -m flatminima.place
	$(PYTHON) -m venv .venv
	@! $(BIN)/pip install --quiet --no-deps --dry-run "$$(grep -o '^torch==[^ ]*' requirements-cpu.lock)" \
	  2>/dev/null || $(INSTALL) --requirement requirements-cpu.lock
	@sed -n '/^setuptools==/,/^    #/p' requirements.lock > .venv/setuptools.lock
	$(INSTALL) --requirement .venv/setuptools.lock
	$(INSTALL) --requirement requirements.lock
	@$(BIN)/pip check >/dev/null || $(INSTALL) --requirement requirements-gpu.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/pip check >/dev/null || { $(BIN)/pip check >&2; exit 1; }
	@touch $@
