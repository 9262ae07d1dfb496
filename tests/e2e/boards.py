"""The dashboards' queries, asked of a real Prometheus as Grafana asks them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from tests.alerting.queries import filled, load, panels
from tests.e2e.monitored import FEATURES, SECONDS, Prometheus

BOARDS: Final = load()
DISCRETE, SHIFTED = FEATURES[-2:]
OF_RELEASES: Final = {
    "Models loaded",
    "Rows of a shadow version",
    "PSI against the last days",
    "PSI against both references",
}
"""Panels that stay empty with one model, no shadow and no rolling reference; test_alerting has all of them."""
OF_WEEKS: Final = {"Gradual drift"}
"""Panels that stay empty in the first days."""


def targets(uid: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the title and each query of the panels of a dashboard."""
    for panel in panels(BOARDS[uid]):
        for target in panel.get("targets", []):
            yield panel["title"], target


def answers(prometheus: Prometheus, target: Mapping[str, Any], chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what a query finds with these variables: now, or over the last two minutes for a panel of lines."""
    query = filled(target["expr"], {"job": "driftgauge", "instance": ".*", **SPANS, **chosen})
    if target.get("instant"):
        return prometheus.ask(query)
    now = time.time()
    span = {"start": f"{now - 120:.3f}", "end": f"{now:.3f}", "step": "20"}
    answer = httpx.post(f"{prometheus.address}/api/v1/query_range", data={"query": query, **span}, timeout=SECONDS)
    content = answer.json()
    assert content["status"] == "success", f"{query}: {content}"
    found: list[dict[str, Any]] = content["data"]["result"]
    return found


SPANS: Final = {"__rate_interval": "1m", "__range": "5m"}


def choices(model: str, version: str = "7") -> list[dict[str, str]]:
    """Return the variables for a continuous and for a discrete feature: only that one can have unseen values."""
    return [
        {"model_name": model, "model_version": version, "window": "2000", "feature_name": name}
        for name in (SHIFTED, DISCRETE)
    ]
