"""Families of the server itself, read back by prometheus_client."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.metrics.facts import ActionFacts, Exemplar, ServerFacts, TelemetryFacts, WorkerFacts
from driftgauge.metrics.gpu import GpuReading
from driftgauge.metrics.server_families import server_families
from driftgauge.metrics.server_series import CPU, HTTP_DURATION, NO_SLOT, PROCESS, server_series

from tests.expositions import families_of

ROUTES = [("POST", "/predict", (200,))]
SERIES = server_series(ROUTES, [("POST", "/predict")])
ARRAYS = {spec.name: np.zeros((len(spec.children), spec.width)) for spec in SERIES}
BARE = ServerFacts((), {}, 0.001)
Found = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


def written(server: ServerFacts, *, openmetrics: bool = False) -> Found:
    """Return samples by name and labels, as a Prometheus reads them."""
    text = "".join(server_families(server, openmetrics))
    families = families_of(f"{text}# EOF\n" if openmetrics else text, openmetrics=openmetrics)
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for own in families:
        for sample in own.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_server_of_which_nothing_is_known_has_its_error_budget_alone(openmetrics: bool) -> None:
    assert written(BARE, openmetrics=openmetrics) == {"http_requests_error_budget_ratio": {(): 0.001}}


def test_a_worker_that_has_ended_keeps_its_cpu_time_and_nothing_else() -> None:
    numbers = np.arange(1.0, len(PROCESS) + 1)
    workers = [
        WorkerFacts("0", numbers, is_running=True),
        WorkerFacts("1", 10.0 * numbers, is_running=False),
        WorkerFacts(NO_SLOT, 100.0 * numbers, is_running=False),
    ]
    found = written(replace(BARE, workers=workers))
    slots = {own.name: {dict(labels)["slot"]: value for labels, value in found[own.name].items()} for own in PROCESS}
    assert slots.pop(PROCESS[CPU].name) == {"0": 1.0, "1": 10.0, NO_SLOT: 100.0}
    assert all(own.keys() == {"0"} for own in slots.values())


def test_a_number_that_the_system_does_not_tell_is_absent() -> None:
    numbers = np.full(len(PROCESS), math.nan)
    numbers[CPU] = 2.0
    found = written(replace(BARE, workers=[WorkerFacts("0", numbers, is_running=True)]))
    assert [own.name for own in PROCESS if own.name in found] == [PROCESS[CPU].name]


FACTS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]]] = {
    "price": ({"price": ("EUR", 0.25)}, {"server_price_per_second": {(("currency", "EUR"),): 0.25}}),
    "models": (
        {"available": {("a", "1"): True, ("b", ""): False}},
        {
            "model_available": {
                (("model_name", "a"), ("model_version", "1")): 1.0,
                (("model_name", "b"), ("model_version", "")): 0.0,
            }
        },
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_what_is_known_of_the_server_is_listed(name: str) -> None:
    facts, expected = FACTS[name]
    found = {key: own for key, own in written(replace(BARE, **facts)).items() if not key.startswith("http_")}
    assert list(found.values()) == list(expected.values())


def test_gauges_of_limits_and_of_the_log_are_listed_where_they_are_known() -> None:
    found = written(replace(BARE, caller_limits=(5.0, None, 2.0), prediction_log=(None, 1e9, *[None] * 5)))
    assert sorted(value for own in found.values() for value in own.values()) == [0.001, 2.0, 5.0, 1e9]


def test_only_openmetrics_has_the_traces_of_requests() -> None:
    trace: Mapping[tuple[str, ...], Mapping[int, Exemplar]] = {
        ("POST", "/predict"): {2: Exemplar("ab" * 16, "cd" * 8, 0.002, 1_700_000_000.0)}
    }
    telemetry = TelemetryFacts({("metrics", "sent"): 7.0, ("traces", "lost"): 0.0}, 0.01, trace)
    server = replace(BARE, series=SERIES, arrays=ARRAYS, telemetry=telemetry)
    openmetrics, plain = ("".join(server_families(server, own)) for own in (True, False))
    assert openmetrics.count("trace_id") == 1
    assert next(line for line in openmetrics.splitlines() if "trace_id" in line).startswith(f"{HTTP_DURATION}_bucket")
    assert "trace_id" not in plain
    counted = {value for name, own in written(server).items() if "telemetry" in name for value in own.values()}
    assert counted == {7.0, 0.0, 0.01}


def test_a_gpu_has_the_gauges_that_its_driver_tells() -> None:
    gpus = [GpuReading(0, "A100", "u-0", used_ratio=0.5), GpuReading(1, "A100", "u-1", memory_bytes=8e10)]
    found = written(replace(BARE, gpus=gpus))
    assert {dict(own)["uuid"] for own in found["gpu_info"]} == {"u-0", "u-1"}
    assert found["gpu_utilization_ratio"] == {(("gpu", "0"),): 0.5}
    assert found["gpu_memory_bytes"] == {(("gpu", "1"),): 8e10}
    assert "gpu_power_watts" not in found


def test_actions_and_notifications_are_counted_by_what_became_of_them() -> None:
    actions = [ActionFacts("retrain", {"succeeded": 2, "failed": 0}, {"succeeded": 1_700_000_000.0})]
    found = written(replace(BARE, actions=actions, notifications={("ops", "sent"): 3.0}))
    numbers = {name: sorted(own.values()) for name, own in found.items() if name.startswith("server_")}
    assert sorted(numbers.values()) == [[0.0, 2.0], [3.0], [1_700_000_000.0]]
