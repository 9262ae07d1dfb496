"""What a diagnosis of a monitored model is made of: its last evaluation, its newest rows, and what is known beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.facts import Facts, SystemFacts
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.monitor.monitor import ColumnMonitor, Evaluation
from driftgauge.monitor.newest_rows import newest_rows

BINARY: Final = "binary"


@dataclass(frozen=True)
class ModelFacts:
    """What a bundle knows of its model."""

    task: str = ""
    """As the model's metadata has it; empty or another word where it is not known."""
    importances: Importances | None = None
    sample: RowSample | None = None
    """Rows that are kept of the reference."""
    labels: Baseline | None = None
    """The baseline of the target."""
    positive_class: str | None = None
    """The positive class of a binary model, as the baseline of the target has it."""
    redacted: frozenset[str] = frozenset()
    """Columns of which no value is shown."""

    @cached_property
    def positive_rate(self) -> float | None:
        """The share of the positive class in the reference; None where it is not known."""
        if self.task != BINARY or self.labels is None or self.positive_class is None:
            return None
        column = self.labels.columns[0]
        counts = dict(zip(column.bins.names, column.counts, strict=False))
        total = sum(counts.values())
        return counts.get(self.positive_class, 0.0) / total if total else None


@dataclass(frozen=True)
class LiveFacts:
    """What is known of a model beside its drift, at one moment."""

    performance: PerformanceReport | None = None
    system: SystemFacts = field(default_factory=SystemFacts)
    earlier_version: str | None = None
    bundle: str | None = None
    """Folder of the bundle, for the commands."""
    state_folder: str | None = None
    """Folder of the state, which holds the prediction log, for the commands."""
    needs_token: bool = False
    """Whether the server wants a token."""
    replaces_versions: bool = True
    """Whether versions of the model are loaded and replaced."""


class DiagnosisFacts:
    """Collects the facts of one model version. It reads the state, so it belongs in a thread."""

    def __init__(self, monitor: ColumnMonitor, model: ModelFacts) -> None:
        self._monitor: Final = monitor
        self._model: Final = model

    def collect(self, evaluation: Evaluation, live: LiveFacts) -> Facts:
        """Return the facts behind a diagnosis of an evaluation; LockTimeout if the rows cannot be read in time."""
        monitor, model = self._monitor, self._model
        return Facts(
            report=evaluation.report,
            rows=newest_rows(monitor, evaluation.at),
            reference_rows=self._reference_rows,
            quality=evaluation.quality,
            performance=live.performance,
            is_binary=model.task == BINARY,
            positive_rate=model.positive_rate,
            importances=model.importances,
            redacted=model.redacted,
            system=live.system,
            model_name=monitor.model_name,
            model_version=monitor.model_version,
            earlier_version=live.earlier_version,
            bundle=live.bundle,
            state_folder=live.state_folder,
            needs_token=live.needs_token,
            replaces_versions=live.replaces_versions,
        )

    @cached_property
    def _reference_rows(self) -> FloatArray | None:
        sample = self._model.sample
        return None if sample is None else sample.values(self._monitor.watched)
