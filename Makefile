# The two commands for everybody are `make run` and `make test`; `make` alone lists the rest.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c .ci/constraints.txt
TESTS := $(BIN)/pytest example/tests
METADATA := setup.py settings.ini pyproject.toml .ci/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test test-all notebooks-test black-box-test coverage test-stores test-matrix check lint sync export docs build release conformance faults bench bench-s3 bench-streams fuzz text notebooks constraints figures clean

help:  ## list the targets
	@echo "Targets:"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

run: .venv/run.stamp  ## run the example at http://127.0.0.1:8000/ (PORT= changes it)
	@$(BIN)/python example/run.py --port $(PORT)

test: notebooks-test black-box-test  ## run every notebook, then each behaviour of the example on real servers

test-all:  ## the same with every server, store and long case, what the notebooks leave out, two more Pythons
	@$(MAKE) --no-print-directory notebooks-test COVERAGE=1
	@$(MAKE) --no-print-directory black-box-test ALL="--all --store juicefs,seaweedfs,ceph"
	@$(MAKE) --no-print-directory test-matrix PAIRS="3.10-5.2 3.13-6.1"

notebooks-test: export COVERAGE_FILE := $(CURDIR)/.venv/coverage/data
notebooks-test: .venv/dev.stamp
	@.ci/programs chromium
	@echo "Notebooks:"
	@$(if $(COVERAGE),rm -rf .venv/coverage && $(BIN)/coverage run .ci/cells.py,$(BIN)/nbdev-test) --cell-timeout 60
	@$(if $(COVERAGE),$(BIN)/coverage combine --quiet && $(BIN)/coverage report)
	@echo "$$(find nbs -name '*.ipynb' -not -path '*/.*' | wc -l) notebooks passed"

black-box-test: .venv/dev.stamp
	@.ci/programs chromium npm
	@echo "Black-box tests:"
	@$(TESTS) $(ALL) -m "not measures" -n auto --dist loadfile --no-loadscope-reorder; status=$$?; \
	echo "One after the other, for they measure:"; \
	$(TESTS) $(ALL) -m measures && exit $$status

coverage:  ## the notebooks, and which lines and branches of the package they leave out; `make test COVERAGE=1` does it on the way
	@$(MAKE) --no-print-directory notebooks-test COVERAGE=1

test-stores: .venv/dev.stamp  ## the tests of S3 against SeaweedFS and Ceph (Debian: radosgw ceph-mon ceph-osd)
	@echo "Black-box tests with other stores:"
	@$(TESTS)/test_s3.py example/tests/test_s3_faults.py --all --store seaweedfs,ceph

test-matrix: .venv/dev.stamp  ## all notebooks and some tests on each Python and Django: 20 minutes (PAIRS="3.10-5.2 3.13-6.1")
	@$(BIN)/python .ci/matrix.py $(PAIRS)

check: lint sync  ## what CI checks besides the tests: style, types, everything in step

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/mypy

sync: .venv/dev.stamp
	$(BIN)/nbdev-clean
	$(BIN)/nbdev-export
	@$(MAKE) --no-print-directory docs
	@git add --intent-to-add -- docs fileresponse nbs README.md
	git --no-pager diff --no-ext-diff --stat --exit-code -- docs fileresponse nbs README.md

export: .venv/dev.stamp  ## write the package from the notebooks
	$(BIN)/nbdev-clean
	$(BIN)/nbdev-export

docs: .venv/dev.stamp  ## build the site in docs/ and the README from the notebooks
	@$(BIN)/python -c "from nbdev.quarto import nbdev_sidebar, refresh_quarto_yml; refresh_quarto_yml(); nbdev_sidebar()"
	$(BIN)/python .ci/site/figure.py
	$(BIN)/python .ci/site/build.py
	$(BIN)/python .ci/site/readme.py

build: .venv/dev.stamp  ## sdist and wheel of the last commit in dist/, the same bytes wherever they are built
	@$(BIN)/python .ci/build.py --out dist

release: .venv/dev.stamp  ## check all that a release needs, build it, and say what is left to do; nothing is published
	@$(BIN)/python .ci/release.py

bench: .venv/dev.stamp  ## measure files, beside Django, Starlette, nginx and others: 20 minutes (QUICK=1: two)
	@cd example && ../$(BIN)/python -m benchmark.files $(if $(QUICK),--quick) $(if $(OWN_NETWORK),--own-network)

bench-s3: .venv/dev.stamp  ## measure downloads from an S3 store, beside others: 10 minutes (QUICK=1: two)
	@cd example && ../$(BIN)/python -m benchmark.s3 $(if $(QUICK),--quick)

bench-streams: .venv/dev.stamp  ## measure long CSV files and large ZIP archives, beside Django's own ways: 7 minutes (QUICK=1: one)
	@cd example && ../$(BIN)/python -m benchmark.streams $(if $(QUICK),--quick)

conformance: .venv/dev.stamp  ## ask this library and others the same questions about RFC 9110
	@cd example && ../$(BIN)/python -m conformance

faults: .venv/dev.stamp  ## break files, clients, servers and stores in mid-transfer, and judge what clients see: half an hour (SECONDS= for the load on each server, FUZZ_SECONDS= for hostile input)
	@cd example && $(if $(SECONDS),SECONDS=$(SECONDS)) ../$(BIN)/python -m faults

fuzz: .venv/dev.stamp  ## throw text at every header parser for ten minutes (SECONDS= changes it)
	@$(BIN)/python .ci/fuzz.py $(SECONDS)

text: .venv/dev.stamp  ## notebooks -> percent scripts in .nbtext/, to be edited anywhere
	@$(BIN)/python .ci/text.py text

notebooks: .venv/dev.stamp  ## percent scripts -> notebooks; cell ids and outputs are kept
	@$(BIN)/python .ci/text.py notebooks
	@$(MAKE) --no-print-directory export

figures:  ## count cells, words and examples in the notebooks
	@$(PYTHON) .ci/figures.py

constraints: .venv/dev.stamp  ## renew .ci/constraints.txt from settings.ini
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.10 --all-extras \
	  --no-header --no-annotate pyproject.toml -o .ci/constraints.txt

clean:  ## remove what the other targets have made
	rm -rf .venv .nbtext .mypy_cache .ruff_cache .pytest_cache example/data build dist *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making .venv …"
	@$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python $(METADATA)
	@echo "Installing the library and a server …"
	@$(INSTALL) -e ".[example]"
	@touch $@

.venv/dev.stamp: .venv/bin/python $(METADATA)
	@echo "Installing the library and the tools for development (some minutes the first time) …"
	@$(INSTALL) -e ".[example,s3,dev]"
	@touch $@ .venv/run.stamp
