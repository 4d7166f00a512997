# Everything a newcomer needs, with nothing but Python >= 3.11 on the machine: `make run`, `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8080
# Tests wait for servers more than they compute: two workers even on a small machine.
JOBS ?= 2
EXAMPLES ?= 2000
SECONDS ?= 60
ROUNDS ?= 200
RUNS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help run test check fix cover fuzz mutate rounds bench place flights experiments image clean

help:  ## what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

run: $(STAMP)  ## the service with an embedded store and the sample config; prints what to try
	$(BIN)/adlayout serve --port $(PORT)

test: $(STAMP)  ## every test; ARGS="-k ferry" picks some of them
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

check: $(STAMP)  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(STAMP)  ## what lint and format can repair by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

cover: $(STAMP)  ## which lines and branches no test runs, in every process
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(JOBS) $(ARGS); code=$$?; \
		$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$code

fuzz: $(STAMP)  ## EXAMPLES=2000 new articles and layouts for each property
	EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n $(JOBS) --hypothesis-profile=fuzz --timeout=0 \
		tests/test_properties.py $(ARGS)

mutate: $(STAMP)  ## SECONDS=60 of damaged articles against what the service promises
	$(BIN)/python benchmarks/mutate.py --seconds $(SECONDS) $(ARGS)

rounds: $(STAMP)  ## ROUNDS=200 of something failing under load, and every count held against what callers were told
	$(BIN)/python -m benchmarks.rounds --rounds $(ROUNDS) $(ARGS)

bench: $(STAMP)  ## pages per second beside a bare handler on the same server
	$(BIN)/python benchmarks/compose_bench.py $(ARGS)

place: $(STAMP)  ## placing ads in new articles beside what lxml takes to parse them, 1 KB to 5 MB
	$(BIN)/python -m pip install --quiet --disable-pip-version-check lxml
	$(BIN)/python benchmarks/place_bench.py $(ARGS)

flights: $(STAMP)  ## what a page's decisions cost with 10, 1,000 and 10,000 flights
	$(BIN)/python benchmarks/flights_bench.py $(ARGS)

experiments: $(STAMP)  ## RUNS=1000 tests of layouts on generated readers: are they right as often as they say
	$(BIN)/python -m benchmarks.experiments_bench --runs $(RUNS) $(ARGS)

image:  ## the container image
	docker build -t adlayout .

clean:  ## the environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* dist

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "adlayout needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $(STAMP)
