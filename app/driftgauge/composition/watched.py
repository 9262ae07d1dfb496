"""The model that is watched, and where its state is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.performance.report import BundleTruth
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.metrics.series import SOURCES
from driftgauge.models.bundle import Bundle
from driftgauge.models.bundle_truth import truth_of
from driftgauge.predictions.rows import ClassLabel
from driftgauge.settings.options import Settings


@dataclass(frozen=True)
class WatchedModel:
    """The model that is watched, and where its state is kept."""

    baseline: Baseline
    name: str
    version: str
    task: str
    state_folder: Path | None
    """Folder of the states of all models; None for in memory."""
    classes: Sequence[ClassLabel] | None = None
    """The classes by their index, as the model answers them; by default those of the baseline."""
    service: int | None = None
    """The id that the workers of one service share, by default one of this process alone."""
    source: str = SOURCES[0]
    """Who observes its rows, one of `metrics.SOURCES`."""
    held_out: HeldOut | None = None
    """What is known of rows that the model was not fitted on; None for a baseline alone."""
    constraints: Constraints | None = None
    """What its rows have to satisfy; None where nothing is checked."""
    sample: RowSample | None = None
    """Rows that are kept of its reference; None without."""
    importances: Importances | None = None
    """How much the model depends on each feature; None if it is not known."""
    truth: BundleTruth = field(default_factory=BundleTruth)
    """What its bundle knows of the truth."""

    @classmethod
    def of_bundle(cls, settings: Settings, bundle: Bundle, service: int | None) -> WatchedModel:
        """Return a bundle's model as it is watched, with all that the bundle knows."""
        info = bundle.info
        return cls(
            baseline=bundle.baseline,
            name=info.name,
            version=info.version,
            task=info.task,
            state_folder=settings.state_folder,
            classes=tuple(info.classes),
            service=service,
            held_out=bundle.held_out,
            constraints=bundle.constraints,
            sample=bundle.sample,
            importances=bundle.importances,
            truth=truth_of(info, bundle.labels, bundle.held_out),
        )
