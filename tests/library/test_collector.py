from __future__ import annotations

import pytest
from driftgauge.library.monitor import Monitor
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tests.library.watching import ROW, series_of, watching
from tests.monitors import AWKWARD
from tests.served import Series

OF_PROCESS = ("process_", "python_")


def exposed(monitor: Monitor) -> Series:
    """What `/metrics` of the monitor itself shows, without the process."""
    from driftgauge.library.endpoints import Endpoints

    answer = Endpoints(monitor._parts).waited(
        {"method": "GET", "path": "/metrics", "headers": [], "query_string": b"", "scheme": "http"}
    )
    return without_process(series_of(answer.body.decode()))


def without_process(series: Series) -> Series:
    """Leave out what the process is measured by, and what a scrape changes."""
    return {key: value for key, value in series.items() if not key[0].startswith((*OF_PROCESS, "model_evaluation_"))}


def test_a_registry_shows_the_same_samples_as_the_monitors_own_endpoint() -> None:
    with watching() as monitor:
        rows = [{**ROW, "age": 20.0 + i, "city": AWKWARD if i % 3 else "farm"} for i in range(300)]
        monitor.observe(rows, prediction=[i / 300 for i in range(300)])
        monitor.observe({"unknown": 1.0}, prediction=0.5)
        registry = CollectorRegistry()
        registry.register(monitor.collector())
        exposed(monitor)  # evaluates
        found = without_process(series_of(generate_latest(registry).decode()))
        assert found == pytest.approx(exposed(monitor), nan_ok=True)
        assert len(found) > 300


def test_types_and_help_are_those_of_the_monitors_own_endpoint() -> None:
    with watching() as monitor:
        registry = CollectorRegistry()
        registry.register(monitor.collector())
        text = generate_latest(registry).decode()
        assert "# HELP model_predictions_total Rows predicted and answered." in text
        assert "# TYPE model_predictions_total counter" in text
        assert "# TYPE model_prediction_latency_seconds histogram" in text
        assert text.count("# TYPE model_info gauge") == 1
        assert choose_encoder("application/openmetrics-text")[0](registry).endswith(b"# EOF\n")


def test_a_registry_keeps_its_own_families_of_the_process() -> None:
    registry = CollectorRegistry()
    own = Counter("own_total", "The application's own.", registry=registry)
    own.inc()
    with watching() as monitor:
        registry.register(monitor.collector())
        text = generate_latest(registry).decode()
        assert "own_total 1.0" in text
        assert not any(name.startswith(OF_PROCESS) for name, _ in series_of(text))


def test_the_default_registry_takes_a_monitor_beside_what_it_has() -> None:
    with watching() as monitor:
        collector = monitor.collector()
        REGISTRY.register(collector)
        try:
            assert b"model_info" in generate_latest(REGISTRY)
        finally:
            REGISTRY.unregister(collector)


def test_registration_collects_nothing_and_names_every_family_that_is_collected_later() -> None:
    with watching() as monitor:
        collector = monitor.collector()
        described = {(family.name, family.type, family.documentation) for family in collector.describe()}
        collected = {(family.name, family.type, family.documentation) for family in collector.collect()}
        assert collected <= described
        assert not any(family.samples for family in collector.describe())


def test_one_family_of_it_can_be_scraped_alone() -> None:
    with watching() as monitor:
        registry = CollectorRegistry()
        registry.register(monitor.collector())
        restricted = registry.restricted_registry(["model_info"])
        assert {family.name for family in restricted.collect()} == {"model_info"}


def test_a_closed_monitor_leaves_the_rest_of_the_registry() -> None:
    registry = CollectorRegistry()
    Counter("own_total", "The application's own.", registry=registry)
    with watching() as monitor:
        registry.register(monitor.collector())
    assert [family.name for family in registry.collect()] == ["own"]


def test_a_failure_leaves_the_rest_of_the_registry_and_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise OSError("the disk is gone")

    with watching() as monitor:
        collector: Collector = monitor.collector()
        monkeypatch.setattr("driftgauge.edges.http.monitoring.Monitoring.facts", broken)
        assert list(collector.collect()) == []
        problems = monitor._parts().monitoring.current_problems()
        assert problems == ["metrics_not_collected: OSError: the disk is gone"]
