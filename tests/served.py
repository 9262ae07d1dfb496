"""An example's bundle behind a real server, with a look at its parts and its metrics."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import httpx
from driftgauge.edges.http.context import ServerContext
from driftgauge.main import create_app
from driftgauge.models.bundle import Bundle
from driftgauge.monitor.monitor import ColumnMonitor
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from tests.examples import quiet
from tests.servers import serving

IN_MEMORY = {"kept": "memory", "workers": 1, "notes": []}
"""What the status says of a state that is not kept in files."""

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Served:
    """A running server: its client, its application, and what it is composed of."""

    client: httpx.Client
    app: FastAPI

    @property
    def context(self) -> ServerContext:
        context: ServerContext = self.app.state.context
        return context

    @property
    def monitor(self) -> ColumnMonitor:
        return self.context.monitoring.model().monitor

    def predict(self, body: Any) -> httpx.Response:
        return self.client.post("/predict", json=body)

    def status(self, **query: str) -> dict[str, Any]:
        status: dict[str, Any] = self.client.get("/drift/status", params=query).json()
        return status

    def problems(self, count: int) -> list[str]:
        """The problems of monitoring in order, once there are so many: threads find them out."""
        deadline = time.monotonic() + 30.0
        while len(found := self.status()["monitoring"]["problems"]) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return sorted(found)

    def metrics(self) -> Series:
        """Every sample of `/metrics`, by name and labels."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        return total(self.metrics(), name, **labels)


def total(series: Series, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in series.items() if found == name and wanted <= has)


@contextlib.contextmanager
def served(
    example: Bundled, *, model: Any = None, now: Callable[[], float] = time.time, **settings: Any
) -> Iterator[Served]:
    """Serve an example, with another model in place of its own if one is given."""
    bundle = example.bundle if model is None else replace(example.bundle, model=model)
    app = create_app(quiet(**settings), bundle=bundle, clock=now)
    with serving(app) as client:
        yield Served(client, app)


class Bundled(Protocol):
    """What can be served."""

    @property
    def bundle(self) -> Bundle: ...


class Failing:
    """An estimator that raises on rows whose first number is above a limit, and on all while it is `broken`."""

    def __init__(self, estimator: Any, limit: float = 1e6) -> None:
        self._estimator = estimator
        self._limit = limit
        self.broken = False

    def predict_proba(self, x: Any) -> Any:
        if self.broken or x[:, 0].max() > self._limit:
            raise ArithmeticError("the number is too large")
        return self._estimator.predict_proba(x)


class Picky:
    """An estimator that raises ValueError on rows whose first column is below zero, as a logarithm does."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict_proba(self, x: Any) -> Any:
        first = x.iloc[:, 0] if hasattr(x, "iloc") else x[:, 0]
        if (first < 0.0).any():
            raise ValueError("math domain error")
        return self._estimator.predict_proba(x)
