# The commands of the project; each may be run in a fresh clone. CONTRIBUTING.md says more.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest -q

.PHONY: help run test test-cpp test-asan test-tsan test-python bench lint tidy docs coverage prove clean

help:
	@echo "make run       set up, build, and run the main job on three million flights"
	@echo "make test      set up, build, and run every test"
	@echo "make lint      format, tree, Python and clang-tidy checks (make tidy: clang-tidy on all)"
	@echo "make bench     the benchmarks against their peers"
	@echo "make docs      write docs/reference from the registry"
	@echo "make coverage  line coverage of C++ and Python"
	@echo "make prove     the long proof: many more random pipelines than make test, against noob too, and every fault"
	@echo "make clean     remove the builds, keep .venv, .deps and .data"

run:
	@tools/setup
	@$(PYTHON) examples/flights/run.py

# Every part can be run by itself; `make test` runs them in this order and stops at the first that
# fails.
test:
	@tools/setup --tests
	@$(MAKE) --no-print-directory test-cpp
	@$(MAKE) --no-print-directory test-python
	@$(MAKE) --no-print-directory test-asan
	@$(MAKE) --no-print-directory test-tsan
	@echo "test: all parts passed"

test-cpp:
	@echo "== C++ tests, release"
	@cmake --preset release >/dev/null
	@cmake --build --preset release-tests -- --quiet
	@ctest --preset release --progress

test-python:
	@echo "== Python tests, documentation and examples"
	@$(PYTEST)

test-asan:
	@echo "== C++ tests, AddressSanitizer and UndefinedBehaviorSanitizer"
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev -- --quiet
	@ctest --preset dev --progress

test-tsan:
	@echo "== scheduler and executors, ThreadSanitizer"
	@cmake --preset tsan >/dev/null
	@cmake --build --preset tsan -- --quiet
	@ctest --preset tsan --progress

bench:
	@tools/setup --tests
	@tools/setup-peers
	@cmake --preset bench >/dev/null
	@cmake --build --preset bench -- --quiet
	@$(PYTHON) bench/run.py

lint:
	@tools/setup --tests --no-build
	@tools/lint

tidy:
	@tools/setup --tests --no-build
	@tools/lint --all-tidy

docs:
	@tools/setup
	@$(PYTHON) tools/make_reference.py

coverage:
	@tools/setup --tests
	@tools/coverage

prove:
	@tools/setup --tests
	@PENSTOCK_MODEL_COUNT=50000 $(PYTEST) python/tests/test_model.py
	@PENSTOCK_NOOB_COUNT=10000 $(PYTEST) -s python/tests/test_noob_differential.py
	@cmake --build --preset release --target faults_test -- --quiet
	@PENSTOCK_LONG_TESTS=1 build/release/tests/faults/faults_test --gtest_brief=1

clean:
	@rm -rf build .stamps
