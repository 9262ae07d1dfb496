from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
import trustme
from driftgauge.edges.http import lifespan
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from tests.e2e.programs import say_what_was_skipped, servers, victoria
from tests.examples import MAKERS, Example
from tests.installed import installed
from tests.postgres import postgres
from tests.trained_demo import flights, trained_demo, trained_year

__all__ = [
    "flights",
    "installed",
    "postgres",
    "servers",
    "trained_demo",
    "trained_year",
    "victoria",
]  # fixtures of all tests

ExampleOf = Callable[[str], Example]

collect_ignore_glob = [] if find_spec("evidently") else ["*/test_*evidently*.py"]
"""`make test-all` runs them in an environment that has Evidently."""

# How long an example takes says more of the machine than of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("short", settings.get_profile("unhurried"), max_examples=20)
settings.register_profile("fuzz", settings.get_profile("unhurried"), max_examples=5_000)
settings.load_profile("unhurried")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name at the end what was not tested."""
    say_what_was_skipped(terminalreporter)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from scanning thousands of tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _unprepared() -> Iterator[None]:
    """Spare the hundreds of servers in test processes half of their start; those of their own processes have it all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifespan, "prepared", nullcontext)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spare each client the 140 authorities of the web, which take 25 ms to read and which no test asks."""
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep small fits from fighting other tests for the cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def example_of(tmp_path_factory: pytest.TempPathFactory) -> ExampleOf:
    """Give the example of a name, made once."""
    made: dict[str, Example] = {}

    def example(name: str) -> Example:
        if name not in made:
            made[name] = MAKERS[name](tmp_path_factory.mktemp("bundles") / name)
        return made[name]

    return example


@pytest.fixture(scope="session")
def binary(example_of: ExampleOf) -> Example:
    """A logistic regression of two classes: it takes no missing values."""
    return example_of("binary")


@pytest.fixture(scope="session")
def tolerant(example_of: ExampleOf) -> Example:
    """A boosting of two classes: it takes missing values."""
    return example_of("tolerant")


@pytest.fixture(scope="session")
def multiclass(example_of: ExampleOf) -> Example:
    """A logistic regression of three classes."""
    return example_of("multiclass")


@pytest.fixture(scope="session")
def regression(example_of: ExampleOf) -> Example:
    """A ridge regression."""
    return example_of("regression")


@pytest.fixture(scope="session")
def text(example_of: ExampleOf) -> Example:
    """A pipeline that selects and encodes a column of text itself: it takes no missing values."""
    return example_of("text")


@pytest.fixture(scope="session")
def category(example_of: ExampleOf) -> Example:
    """A boosting that takes a column of dtype category, and missing values."""
    return example_of("category")


@pytest.fixture(scope="session")
def coded(example_of: ExampleOf) -> Example:
    """A boosting that takes a number in place of each category, and missing values."""
    return example_of("coded")
