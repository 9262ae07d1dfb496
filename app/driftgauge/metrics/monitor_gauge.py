"""A gauge of a monitor itself rather than of its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.series import Kind, Labels


@dataclass(frozen=True)
class MonitorGauge:
    """A gauge of the monitor itself rather than of its report."""

    name: str
    help: str
    labels: Labels
    values: Callable[[MonitorFacts], Numbers]
    of_monitoring: bool = True
    """Whether it is absent with monitoring disabled."""
    of_labels: bool = False
    """Whether it is absent without a prediction log."""
    of_rolling: bool = False
    """Whether it is absent without a rolling reference."""
    of_gradual: bool = False
    """Whether it is absent without time windows of a week or more, and `window` names these."""
    of_ingestion: bool = False
    """Whether it is absent without records from the logs of other servers."""
    applies: Callable[[MonitorFacts], bool] = lambda _: True
    """Whether settings make it appear."""
    type: ClassVar[Kind] = "gauge"

    def applies_to(self, facts: MonitorFacts) -> bool:
        """Say whether a monitor has it."""
        needed = (
            (self.of_monitoring, facts.report),
            (self.of_labels, facts.labels),
            (self.of_rolling, facts.rolling),
            (self.of_gradual, facts.gradual),
            (self.of_ingestion, facts.ingest),
        )
        return all(known is not None or not is_needed for is_needed, known in needed) and self.applies(facts)
