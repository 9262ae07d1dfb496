from __future__ import annotations

import pytest
from driftgauge.metrics.catalogue import catalogue
from driftgauge.telemetry.names import NAMESPACES, OtelName, otel_name

PROMETHEUS_UNITS = {"s": "seconds", "By": "bytes", "Cel": "celsius", "W": "watts", "": ""}


def prometheus_name(otel: OtelName, kind: str) -> str:
    """Return the name that the specification gives a metric in Prometheus, from its name, unit and kind."""
    unit = ("ratio" if kind == "gauge" else "") if otel.unit == "1" else PROMETHEUS_UNITS[otel.unit]
    name = otel.name.replace(".", "_")
    name += f"_{unit}" if unit and not name.endswith(f"_{unit}") else ""
    return name + ("_total" if kind == "counter" else "")


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind, _, _ in catalogue()])
def test_a_collector_gives_prometheus_the_name_that_metrics_have(name: str, kind: str) -> None:
    assert prometheus_name(otel_name(name, kind), kind) == name


def test_no_two_series_have_one_name() -> None:
    names = [otel_name(name, kind).name for name, kind, _, _ in catalogue()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "kind", "named"),
    [
        ("model_feature_psi", "gauge", ("model.feature.psi", "")),
        ("model_feature_missing_ratio", "gauge", ("model.feature.missing", "1")),
        ("http_request_duration_seconds", "histogram", ("http.request.duration", "s")),
        ("http_requests_total", "counter", ("http.requests", "")),
        ("process_cpu_seconds_total", "counter", ("process.cpu", "s")),
        ("process_resident_memory_bytes", "gauge", ("process.resident_memory", "By")),
        ("prediction_log_bytes", "gauge", ("prediction.log.bytes", "")),
        ("python_info", "gauge", ("python.info", "")),
    ],
)
def test_names_have_namespaces_and_no_units(name: str, kind: str, named: tuple[str, str]) -> None:
    assert otel_name(name, kind) == OtelName(*named)


def test_the_longest_namespace_comes_first() -> None:
    for index, own in enumerate(NAMESPACES):
        assert not any(own.startswith(before) for before in NAMESPACES[:index])
