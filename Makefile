# trainshed: `make demo` shows the whole of it, `make test` proves it. Both set up .venv by themselves.
# uv does the setting up when it is on the PATH; otherwise python3 -m venv and pip do.

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := $(VENV)/.tools
CHECKS := $(VENV)/.checks
# Others' software, each in an environment of its own: it holds back packages that this project wants newer.
CLIENTS  := .venv-clients/.ready
MLSERVER := .venv-mlserver/.ready
GENERATORS := .venv-generators/.ready
UV     := $(shell command -v uv 2>/dev/null)
# The first interpreter that is new enough; `make demo PYTHON=/path/to/python` names another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

# Many processes are started: each would compile every module anew if it were not allowed to keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: demo test accept examples chaos bench serve bench-serving clients generators check doctor lock clean help

demo: $(READY)  ## train a network on handwritten digits through the whole stack, then stop it
	@$(BIN)/trainshed demo

# Three at a time on two cores: tests of processes wait a fifth of their time.
test: $(TOOLS)  ## run the whole suite
	@OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

accept: $(TOOLS) $(CLIENTS) $(GENERATORS)  ## reproduce every published result, the long ones too (half an hour; needs ../shared/data)
	@$(BIN)/pytest -m "accept or clients or generators"
	@$(BIN)/pytest -n 2 -m hypothesis --hypothesis-profile=thorough
	@$(BIN)/python -m tests.acceptance $(ARGS)

examples: $(TOOLS)  ## record the answers that /openapi.json shows, after answers have changed
	@$(BIN)/python -m tests.service.record_answers

chaos: $(TOOLS)  ## kill workers, Redis and jobs at random moments; nothing may be lost (a quarter of an hour)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.chaos $(ARGS)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -m chaos

bench-serving: $(TOOLS) $(MLSERVER)  ## predictions against MLServer, plain FastAPI and the bare products (five minutes)
	@env -u OPENBLAS_CORETYPE $(BIN)/python -m benchmarks.serving --mlserver $(dir $(MLSERVER))bin/python $(ARGS)

clients: $(CLIENTS)  ## install KServe's client and MKL, for the tests that `make accept` adds

generators: $(TOOLS) $(GENERATORS)  ## have others' generators make clients of /openapi.json, and submit and predict with them
	@$(BIN)/pytest -m generators $(ARGS) tests/generators

PEERS := .venv-peers/.ready
bench: $(TOOLS) $(PEERS)  ## time training beside JAX, PyTorch, scikit-learn and the bare products (half an hour)
	@env -u OPENBLAS_CORETYPE $(BIN)/python -m benchmarks.training --peers $(dir $(PEERS))bin/python $(ARGS)

serve: $(READY)  ## start the stack and keep it up until Ctrl-C
	@$(BIN)/trainshed serve

check: $(CHECKS)  ## ruff, mypy and import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

doctor: $(READY)  ## say what this machine offers and what is missing
	@$(BIN)/trainshed doctor

# uv resolves for every Python and platform at once, which pip cannot. All agree: what is deployed is what was tested.
LOCK := uv pip compile pyproject.toml --universal --generate-hashes --quiet --custom-compile-command "make lock" \
	--no-emit-package trainshed-client --extra postgres --group build
# What `import engine` needs, in the versions of the other lock files.
ENGINE := numpy numba llvmlite pillow pydantic safetensors
lock:  ## resolve the lock files anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	@$(LOCK) --python-version 3.11 --group dev -o requirements-dev.lock
	@uv pip compile --group check --universal --generate-hashes --quiet --custom-compile-command "make lock" \
		--python-version 3.11 -c requirements-dev.lock -o requirements-check.lock
	@uv pip compile --group generators --universal --generate-hashes --quiet --custom-compile-command "make lock" \
		--python-version 3.11 -o requirements-generators.lock
	@$(LOCK) --python-version 3.11 -c requirements-dev.lock -o requirements.lock
	@printf '%s\n' $(ENGINE) | uv pip compile - --universal --generate-hashes --quiet --custom-compile-command "make lock" \
		--python-version 3.11 -c requirements.lock --no-annotate -o requirements-engine.lock
	@echo pip | uv pip compile - --universal --generate-hashes --quiet --custom-compile-command "make lock" \
		--python-version 3.11 --no-annotate -o requirements-pip.lock
	@$(LOCK) --python-version 3.12 -c requirements-dev.lock -o deploy/requirements.lock
	@$(LOCK) --python-version 3.12 --extra gpu -c requirements-dev.lock -o deploy/requirements-gpu.lock

clean:  ## remove the virtual environment and every cache
	@rm -rf $(VENV) .venv-clients .venv-generators .venv-mlserver .venv-peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# A stamp is written last: an interrupted set-up starts afresh. The lock files are complete, hence --no-deps.
# What the kernels need is installed beside the rest: they are compiled as soon as it is there.
LOCKS := requirements-pip.lock requirements-engine.lock requirements.lock pyproject.toml client/pyproject.toml
$(READY): $(LOCKS)
	@$(NEW_VENV)
	@$(call REST,requirements.lock)
	@$(INSTALL) --require-hashes -r $(REST_LOCK) & rest=$$!; \
		$(INSTALL) --require-hashes -r requirements-engine.lock || { kill $$rest; exit 1; }; \
		nice $(BIN)/python -m engine.warm_up float32 data & warming=$$!; \
		wait $$rest && $(INSTALL) --no-build-isolation -e ./client -e . || { kill $$warming; exit 1; }; \
		wait $$warming
	@touch $@

# The tools' lock file holds all of the other's: from nothing, both are installed at once. Tests are collected once to
# have Python compile all that they import, as each of the processes that run them would; what is wrong they will say.
$(TOOLS): $(LOCKS) requirements-dev.lock
	@set -e; fresh=yes; for lock in $(LOCKS); do [ $(READY) -nt $$lock ] || fresh=; done; \
		if [ $$fresh ]; then echo "adding the tools for tests"; else $(NEW_VENV); fi
	@$(call REST,requirements-dev.lock)
	@$(INSTALL) --require-hashes -r $(REST_LOCK) & rest=$$!; \
		$(INSTALL) --require-hashes -r requirements-engine.lock || { kill $$rest; exit 1; }; \
		nice $(BIN)/python -m engine.warm_up float32 float64 & floats=$$!; $(BIN)/python -m engine.warm_up data & data=$$!; \
		wait $$rest && $(INSTALL) --no-build-isolation -e ./client -e . && wait $$data || { kill $$floats $$data; exit 1; }; \
		$(BIN)/pytest --collect-only >/dev/null 2>&1; wait $$floats
	@touch $(READY) $@

# What a lock file holds beside the engine's: two that install at once must not install the same.
REST_LOCK := $(VENV)/rest.lock
REST = awk 'NR == FNR { engine[$$1]; next } /^[^ ]/ { known = /==/ && $$1 in engine } !known' \
	requirements-engine.lock $(1) > $(REST_LOCK)

$(CHECKS): $(TOOLS) requirements-check.lock
	@echo "adding the tools for checks"
	@$(INSTALL) --require-hashes -r requirements-check.lock
	@touch $@

$(CLIENTS): tests/clients_requirements.txt
$(MLSERVER): benchmarks/serving/requirements.txt
$(PEERS): benchmarks/training/requirements.txt
$(CLIENTS) $(MLSERVER) $(PEERS):
	@echo "setting up $(@D) with $(<F); this takes a minute or two, once"
	@"$(PYTHON)" -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(GENERATORS): requirements-generators.lock tests/generators/package-lock.json
	@echo "setting up $(@D), once"
	@"$(PYTHON)" -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@cp tests/generators/package.json tests/generators/package-lock.json $(@D)
	@if command -v npm >/dev/null; then npm ci --silent --prefix $(@D); else echo "no npm on the PATH: nothing in TypeScript"; fi
	@touch $@

ifneq ($(UV),)
INSTALL = "$(UV)" pip install --quiet --python $(BIN)/python --no-deps
define NEW_VENV
echo "setting up $(VENV) with uv"; \
"$(UV)" venv --quiet --clear --python '>=3.11' $(VENV)
endef
else
# The pip that comes with Python 3.11 looks at every file of every release, and takes twice as long as one of today.
# It is installed by the interpreter's own, if that has one: a pip for the environment alone takes seconds to unpack.
# Python compiles what it imports; compiling all that pip installs would take half a minute.
QUIETLY := --quiet --disable-pip-version-check --no-deps --no-compile
INSTALL = $(BIN)/python -m pip install $(QUIETLY)
define NEW_VENV
[ -n "$(PYTHON)" ] || { echo "trainshed needs Python 3.11 or newer, and found none on the PATH."; \
	echo "Install one (python.org, pyenv, uv), or name it: make PYTHON=/path/to/python3.12"; exit 1; }; \
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "trainshed needs Python 3.11 or newer, and $(PYTHON) is not. Name one: make PYTHON=/path/to/python3.12"; exit 1; }; \
"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) lacks the venv module. Install it (Debian and Ubuntu: apt install python3-venv) or install uv."; exit 1; }; \
echo "setting up $(VENV) with $(PYTHON); this takes a minute, once"; \
"$(PYTHON)" -m venv --clear --without-pip $(VENV) && { \
	"$(PYTHON)" -m pip --python $(BIN)/python install $(QUIETLY) --require-hashes -r requirements-pip.lock 2>/dev/null || { \
		$(BIN)/python -m ensurepip >/dev/null && $(INSTALL) --require-hashes -r requirements-pip.lock; }; }
endef
endif
