from __future__ import annotations

import asyncio
import threading

import pytest
from driftgauge.edges.http.context import ServerContext
from driftgauge.errors import Reason, Refused
from driftgauge.main import compose
from driftgauge.metrics.gpu import GpuReading, Gpus
from driftgauge.metrics.process import process_numbers
from driftgauge.metrics.server_series import (
    CONNECTIONS_REFUSED,
    CPU,
    HTTP_DURATION,
    HTTP_REQUESTS,
    REQUESTS_DENIED,
    REQUESTS_LIMITED,
)

from tests.examples import Example, quiet
from tests.served import IN_MEMORY, served


@pytest.fixture
def context(binary: Example) -> ServerContext:
    return compose(quiet(), binary.bundle, lambda: 1000.0)


def test_its_only_monitor_is_found_with_and_without_its_name(context: ServerContext) -> None:
    model = context.monitoring.model()
    assert model is context.monitoring.model("binary") is context.monitoring.model("binary", "1.2")
    assert model is context.model().monitoring


@pytest.mark.parametrize("name", ["nobody", "", "binary "])
def test_an_unknown_monitor_is_refused_with_those_there_are(name: str, context: ServerContext) -> None:
    with pytest.raises(Refused, match="there is binary") as caught:
        context.monitoring.model(name)
    assert caught.value.reason is Reason.NOT_FOUND


def test_its_facts_are_of_this_moment(context: ServerContext, binary: Example) -> None:
    columns = context.model().predictor.predict(binary.batch(binary.rows(7))).columns
    context.monitoring.model().monitor.observe(columns, arrival=1000.0)
    (facts,), _ = asyncio.run(context.monitoring.facts())
    assert (facts.model_name, facts.model_version, facts.task, facts.healthy) == ("binary", "1.2", "binary", True)
    assert facts.report is not None
    assert facts.report.rows_observed == 7
    assert facts.bin_rows is not None
    assert facts.bin_rows.sum() == 7 * columns.shape[1]
    context.monitoring.model().problems.record("kind", ValueError("broken"))
    (facts,), _ = asyncio.run(context.monitoring.facts())
    assert not facts.healthy


def test_its_facts_of_the_server_are_of_its_own_series_and_its_process(context: ServerContext) -> None:
    context.http.count("POST", "/predict", 200, 0.01)
    (facts,), server = asyncio.run(context.monitoring.facts())
    names = {spec.name for spec in server.series}
    assert names == {
        HTTP_REQUESTS,
        HTTP_DURATION,
        CONNECTIONS_REFUSED.name,
        REQUESTS_DENIED.name,
        REQUESTS_LIMITED.name,
    }
    assert server.arrays[HTTP_REQUESTS].sum() == 1
    assert not names & {spec.name for spec in facts.series}
    (worker,) = server.workers
    assert (worker.slot, worker.is_running) == ("0", True)
    assert 0 < worker.process[CPU] <= process_numbers()[CPU]


def test_without_files_it_says_so(context: ServerContext) -> None:
    (facts,), _ = asyncio.run(context.monitoring.facts())
    assert facts.persistent is False
    assert context.monitoring.model().state_facts() == IN_MEMORY


def test_with_monitoring_off_nothing_is_evaluated_and_the_status_is_refused(binary: Example) -> None:
    off = compose(quiet(monitoring_enabled=False), binary.bundle, lambda: 1000.0).monitoring
    (facts,), _ = asyncio.run(off.facts())
    assert (facts.report, facts.bin_rows) == (None, None)
    with pytest.raises(Refused, match="monitoring_enabled=true") as caught:
        _ = off.model().evaluations
    assert caught.value.reason is Reason.MONITORING_DISABLED


def test_metrics_have_the_price_of_a_second_where_an_hour_has_one(tolerant: Example) -> None:
    with served(tolerant, price_per_hour=0.9, price_currency="EUR") as running:
        assert running.metric("server_price_per_second", currency="EUR") == pytest.approx(0.00025)
    with served(tolerant) as running:
        assert "server_price_per_second" not in {name for name, _ in running.metrics()}


class _Slow(Gpus):
    """A driver that does not answer until it is released."""

    def __init__(self) -> None:
        super().__init__(lambda _: True)
        self.released = threading.Event()

    def read(self) -> tuple[GpuReading, ...]:
        self.released.wait(30)
        return (GpuReading(0, temperature_celsius=54.0),)


def test_a_driver_of_gpus_that_hangs_delays_the_metrics_little_and_is_listed_once_it_answers(
    context: ServerContext,
) -> None:
    driver = _Slow()
    context.monitoring.gpus = driver

    async def asked() -> list[int]:
        _, without = await context.monitoring.facts()
        driver.released.set()
        _, server = await context.monitoring.facts()
        return [len(without.gpus), len(server.gpus)]

    assert asyncio.run(asked()) == [0, 1]
