"""What a real Prometheus answered about real servers (`record.py`), and changes to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from driftgauge.replicas.overview import Overview, overview
from driftgauge.replicas.prometheus import Sample
from driftgauge.replicas.queries import Asked

FIRST: Final = "127.0.0.1:8001"
SECOND: Final = "127.0.0.1:8002"
THIRD: Final = "127.0.0.1:8003"


@dataclass(frozen=True)
class Recording:
    """Answers to all queries at one time."""

    at: float
    answers: Mapping[str, list[Sample]]

    def overview(self, asked: Asked | None = None, *warnings: str) -> Overview:
        """Return what they say together."""
        return overview(self.answers, self.at, asked or Asked(), dict.fromkeys(warnings))

    def changed(self, query: str, change: Callable[[Sample], Sample | None], **labels: str) -> Recording:
        """Return it with other answers to a query: those with these labels are changed, or left out for None."""
        answers = [change(own) if labels.items() <= own.labels.items() else own for own in self.answers[query]]
        return replace(self, answers={**self.answers, query: [own for own in answers if own is not None]})

    def with_gauge(self, name: str, value: float, instance: str) -> Recording:
        """Return it with another value of a gauge of all models in a server."""
        (found, *_) = [own for own in self.answers["gauges"] if own.labels["instance"] == instance]
        one = Sample({**found.labels, "__name__": name}, value)
        without = self.changed("gauges", lambda _: None, instance=instance, __name__=name)
        return replace(self, answers={**without.answers, "gauges": [*without.answers["gauges"], one]})

    def without(self, instance: str, *queries: str) -> Recording:
        """Return it without a server in the answers to some queries."""
        own = self
        for query in queries:
            own = own.changed(query, lambda _: None, instance=instance)
        return own


def recorded(name: str) -> Recording:
    """Return what was recorded in a situation: fine, drift, two_versions or killed."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("recorded.json").read_text())[name]
    at = found.pop("at")
    return Recording(at, {query: [Sample(labels, value) for labels, value in own] for query, own in found.items()})


def with_labels(sample: Sample, **labels: str) -> Sample:
    """Return a series with other labels."""
    return replace(sample, labels={**sample.labels, **labels})
