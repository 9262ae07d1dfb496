"""Monitors as programs open them, of the small baseline, and requests to their endpoints."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.library.monitor import Monitor
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.monitors import small_baseline
from tests.served import Series

ROW: dict[str, Any] = {"age": 41.0, "flag": 1.0, "city": "north"}
BROWSER = {"accept": "text/html,*/*;q=0.8"}


@contextlib.contextmanager
def watching(state: Path | None = None, **settings: Any) -> Iterator[Monitor]:
    """Open a monitor of the small baseline while the block runs."""
    known = {"windows": (200, 1_000), "evaluation_rest_factor": 0.0, **settings}
    with Monitor.open(small_baseline(), name="churn", version="1", state_dir=state or "memory", **known) as monitor:
        yield monitor


def series_of(text: str) -> Series:
    """Return every sample of an exposition, by name and labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def counted(monitor: Monitor) -> Series:
    """Return every sample of the monitor's metrics."""
    return series_of(generate_latest(registry_of(monitor)).decode())


def registry_of(monitor: Monitor) -> CollectorRegistry:
    """Return a registry of the monitor alone."""
    registry = CollectorRegistry()
    registry.register(monitor.collector())
    return registry


def evaluated(monitor: Monitor) -> ModelMonitoring:
    """Join the labels with all rows that were observed, evaluate ground truth, and return the model's monitoring.

    Each step is taken in its own thread, which may be in the middle of one.
    """
    monitoring = monitor._parts().monitoring
    log, own = monitoring.predictions, monitoring.model()
    assert log is not None
    assert own.labels is not None
    assert own.truth is not None
    log.writer.written().result(60.0)
    own.labels.thread.submit(own.labels.settle).result(60.0)
    assert own.labels.facts.waiting == 0
    while own.truth.thread.submit(own.truth.step).result(60.0):
        pass
    return own


def links(client: httpx.Client, path: str) -> dict[str, int]:
    """Return the links of a page, with the status of what is there, and the page's own."""
    page = client.get(path, headers=BROWSER, follow_redirects=True)
    found = {urljoin(str(page.url), unescape(link)) for link in re.findall(r'(?:href|src)="([^"#]+)', page.text)}
    return {
        link: client.get(link, headers=BROWSER, follow_redirects=True).status_code
        for link in (str(page.url), *sorted(link for link in found if link.startswith(str(client.base_url))))
    }
