# trainshed: `make demo` shows the whole of it, `make test` proves it. Both set up .venv by themselves.
# scripts/set-up does the setting up; `make demo PYTHON=/path/to/python` names another interpreter.

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := $(VENV)/.tools
# Others' software, each in an environment of its own: it holds back packages that this project wants newer.
CLIENTS  := .venv-clients/.ready
MLSERVER := .venv-mlserver/.ready
GENERATORS := .venv-generators/.ready
BROWSER  := .venv-browser/.ready
# Many processes are started: each would compile every module anew if it were not allowed to keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: demo test accept examples chaos bench serve bench-serving clients generators browser check doctor lock clean help

demo: $(READY)  ## train a network on handwritten digits through the whole stack, then stop it
	@$(BIN)/trainshed demo

# Three at a time on two cores: tests of processes wait a fifth of their time.
test: $(TOOLS)  ## run the whole suite
	@OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

accept: $(TOOLS) $(CLIENTS) $(GENERATORS) $(BROWSER)  ## reproduce every published result, the long ones too (an hour; needs ../shared/data)
	@$(BIN)/pytest -m "accept or clients or generators or browser"
	@$(BIN)/pytest -n 2 -m fuzz
	@$(BIN)/pytest -n 2 -m hypothesis --hypothesis-profile=thorough
	@$(BIN)/python -m tests.roads --draws 20000
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

browser: $(TOOLS) $(BROWSER)  ## have Chromium show pages of this and of other sites, through a proxy as well (needs chromium)
	@$(BIN)/pytest -m browser $(ARGS) tests/service/test_browser.py

PEERS := .venv-peers/.ready
bench: $(TOOLS) $(PEERS)  ## time training beside JAX, PyTorch, scikit-learn and the bare products (half an hour)
	@env -u OPENBLAS_CORETYPE $(BIN)/python -m benchmarks.training --peers $(dir $(PEERS))bin/python $(ARGS)

serve: $(READY)  ## start the stack and keep it up until Ctrl-C
	@$(BIN)/trainshed serve

check: $(TOOLS)  ## ruff, mypy and import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

doctor: $(READY)  ## say what this machine offers and what is missing
	@$(BIN)/trainshed doctor

# uv resolves for every Python and platform at once, which pip cannot. All agree: what is deployed is what was tested.
LOCK := uv pip compile --universal --generate-hashes --quiet --custom-compile-command "make lock" --python-version
OURS := pyproject.toml --no-emit-package trainshed-client --extra postgres --group build
lock:  ## resolve the lock files anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	@$(LOCK) 3.11 $(OURS) --group dev --group check -o requirements-dev.lock
	@$(LOCK) 3.11 $(OURS) -c requirements-dev.lock -o requirements.lock
	@$(LOCK) 3.12 $(OURS) -c requirements-dev.lock --extra gpu -o deploy/requirements-gpu.lock
	@$(LOCK) 3.11 --group generators -o tests/generators/requirements.lock
	@$(LOCK) 3.11 --group browser -o tests/service/browser_requirements.lock

clean:  ## remove the virtual environment and every cache
	@rm -rf $(VENV) .venv-browser .venv-clients .venv-generators .venv-mlserver .venv-peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# A stamp is written last: an interrupted set-up starts afresh.
LOCKS := requirements.lock pyproject.toml client/pyproject.toml scripts/set-up
$(READY): $(LOCKS)
	@scripts/set-up run
	@touch $@

$(TOOLS): $(LOCKS) requirements-dev.lock
	@added=added; for lock in $(LOCKS); do [ $(READY) -nt $$lock ] || added=; done; scripts/set-up tools $$added
	@touch $(READY) $@

$(CLIENTS): tests/clients_requirements.txt
$(MLSERVER): benchmarks/serving/requirements.txt
$(PEERS): benchmarks/training/requirements.txt
$(CLIENTS) $(MLSERVER) $(PEERS):
	@scripts/set-up others $(@D) $<
	@touch $@

$(GENERATORS): tests/generators/requirements.lock tests/generators/package-lock.json
	@scripts/set-up others $(@D) $< --no-deps --require-hashes
	@cp tests/generators/package.json tests/generators/package-lock.json $(@D)
	@if command -v npm >/dev/null; then npm ci --silent --prefix $(@D); else echo "no npm on the PATH: nothing in TypeScript"; fi
	@touch $@

$(BROWSER): tests/service/browser_requirements.lock
	@scripts/set-up others $(@D) $< --no-deps --require-hashes
	@touch $@
