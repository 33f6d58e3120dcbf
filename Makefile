# pgqrs. `make help` lists the targets.
#
# Needed: Go, a C compiler, Python 3.10 or newer, make. Everything else goes into
# .venv, Go's own caches and build/. Nothing is installed outside but by `make deps`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# It finds the package by the first Python on the PATH, and would ask for its newest version.
PYRIGHT := PATH="$(CURDIR)/$(BIN):$$PATH" PYRIGHT_PYTHON_IGNORE_WARNINGS=1 pyright
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
GO_LICENSES := github.com/google/go-licenses@v1.6.0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What users have, wherever they are.
ELSEWHERE := ./core ./core/backend/... ./capi/internal/bridge

# What the C library and the package are made of.
GO_SOURCES := $(shell find core capi -type f ! -name '*_test.go' ! -path '*/testdata/*') go.mod go.sum
PACKAGING := pyproject.toml setup.py

.DEFAULT_GOAL := help
.PHONY: help audit cross demo build lint fmt check docs test test-race fuzz soak stress model sync bench licences wheel wheel-release sdist deps clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.built ## set everything up, then watch 20,000 messages survive a killed worker
	@$(BIN)/python -m pgqrs._demo

build: $(VENV)/.built ## build the C library and install the package into .venv
	@$(BIN)/python -c 'from importlib.metadata import version; print("pgqrs", version("pgqrs"), "is installed in $(VENV)")'

fmt: $(VENV)/.tools ## format Go and Python
	gofmt -w core capi bench soak examples scripts
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only

lint: $(VENV)/.built $(VENV)/.tools ## look for mistakes without running anything
	@test -z "$$(gofmt -l core capi bench soak examples scripts)" || { echo "not formatted (make fmt):"; gofmt -l core capi bench soak examples scripts; exit 1; }
	go mod tidy -diff
	go vet ./...
	go run $(STATICCHECK) ./...
	cd bench/godriver && go mod tidy -diff && go vet ./... && go run $(STATICCHECK) ./...
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(PYRIGHT)
	@mkdir -p build
	@$(PYRIGHT) --verifytypes pgqrs --ignoreexternal >build/types || { cat build/types; exit 1; }

check: lint docs ## the quick checks, before each commit
	$(BIN)/python scripts/check.py
	$(BIN)/python scripts/make_sync.py --check
	$(BIN)/python scripts/draw.py --check

docs: $(VENV)/.built $(VENV)/.tools ## build the documentation site into build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

cross: ## compile the Go code for macOS and Windows, too, without cgo and without running it
	GOOS=darwin CGO_ENABLED=0 go build $(ELSEWHERE)
	GOOS=windows CGO_ENABLED=0 go build $(ELSEWHERE)

sync: $(VENV)/.built $(VENV)/.tools ## write the blocking API after the asynchronous one
	$(BIN)/python scripts/make_sync.py

test: $(VENV)/.built $(VENV)/.tools ## set up and run all tests, on every PostgreSQL there is
	@$(BIN)/python scripts/test.py

test-race: $(VENV)/.built ## the Go tests under the race detector
	go test -race ./core/... ./capi/...

fuzz: $(VENV)/.built ## compare the backends in random operation sequences for FUZZTIME (default 5m)
	go test ./core/backend/postgres -run '^$$' -fuzz FuzzModel -fuzztime $(or $(FUZZTIME),5m)

soak: $(VENV)/.built $(VENV)/.tools ## faults and a ledger for SOAKTIME seconds a run (default 120; SEED=, FAULTS=mix|each|none|NAME,…, ROUNDS=, LOAD=0.5)
	@mkdir -p build && go build -buildvcs=false -o build/testserver ./core/internal/testserver/run
	@PGQRS_TESTSERVER=$(CURDIR)/build/testserver $(BIN)/python -m soak --seconds $(or $(SOAKTIME),120) --faults $(or $(FAULTS),mix) --rounds $(or $(ROUNDS),1) $(if $(SEED),--seed $(SEED)) $(if $(LOAD),--load $(LOAD))

stress: $(VENV)/.built ## run random calls on the tables for STRESSTIME (default 1h), crashes of the server included
	go test ./core/backend/postgres/stress -count=1 -timeout 0 -stress.duration $(or $(STRESSTIME),1h)

model: ## check the formal models of the protocols with spin, and that broken ones are found out
	@$(PYTHON) scripts/model.py $(RUNS)

bench: $(VENV)/.built $(VENV)/.bench ## measure pgqrs beside its peers (QUICK=1: less exact, LONG=1: all, ONLY=drain,wake: some, BEFORE=COMMIT: beside that version)
	@$(BIN)/python -m bench $(if $(BEFORE),compare $(BEFORE),run) $(if $(QUICK),--quick) $(if $(LONG),--long) $(if $(ONLY),--only $(ONLY))

wheel: $(VENV)/.tools ## build the wheel into dist/
	rm -rf build/lib build/lib.* build/bdist.*
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

wheel-release: $(VENV)/.built $(VENV)/.tools $(VENV)/.release ## build the sdist and the wheels for Linux x86_64 and aarch64, and try them
	$(BIN)/python scripts/release.py

sdist: $(VENV)/.tools ## build the source distribution into dist/
	$(BIN)/python -m build --sdist --no-isolation --outdir dist .

audit: $(VENV)/.built ## ask the databases of known vulnerabilities about what we depend on (needs them: fails without)
	go run $(GOVULNCHECK) ./...
	@$(BIN)/python -m pip install --quiet --upgrade 'pip-audit>=2.9'
	@$(BIN)/python scripts/audit.py

licences: ## write down the licences of what is linked into the C library
	go run $(GO_LICENSES) report ./capi --template scripts/licences.tpl --stderrthreshold=ERROR >THIRD_PARTY_LICENSES
	@{ echo "======== Go's runtime and standard library (BSD-3-Clause)" && echo && cat "$$(go env GOROOT)/LICENSE"; } >>THIRD_PARTY_LICENSES

deps: ## install the Debian packages that some tests want (as root), or print the line
	@sh scripts/deps.sh

clean: ## remove what was built, .venv included
	rm -rf $(VENV) build dist python/*.egg-info python/pgqrs/_native/_cffi.py python/pgqrs/_native/libpgqrs.*
	find python scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: each is made anew when what it depends on is newer.

$(VENV)/.made: scripts/make_venv.py
	@$(PYTHON) scripts/make_venv.py $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' 'setuptools>=77' 'cffi>=1.16'
	@touch $@

$(VENV)/.built: $(VENV)/.made $(PACKAGING) $(GO_SOURCES) python/pgqrs/_native/_build.py
	@echo "building the C library and installing pgqrs into $(VENV) (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[cli,demo,uvloop]'
	@touch $@

$(VENV)/.tools: $(VENV)/.made pyproject.toml
	@echo "installing the tools for tests and checks into $(VENV)"
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.made pyproject.toml
	@$(BIN)/python -m pip install --quiet --group bench
	@touch $@

$(VENV)/.release: $(VENV)/.made pyproject.toml
	@$(BIN)/python -m pip install --quiet --group release
	@touch $@
