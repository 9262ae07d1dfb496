"""The model that a program names: a baseline, its file, or a bundle's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.performance.report import BundleTruth
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import PREDICTION_CLASS, Baseline
from driftgauge.edges.formats.label_values import Label
from driftgauge.errors import BundleError, SettingsError
from driftgauge.models import held_out_file, importance_file, sample_file
from driftgauge.models.bundle import (
    BASELINE_FILE,
    BUNDLE_FILE,
    LABELS_FILE,
    Bundle,
    BundleInfo,
    Name,
    belonging_to,
    check_features,
    read_baseline,
    read_info,
)
from driftgauge.models.bundle_truth import truth_of
from driftgauge.models.constraints_file import of_baseline

DEFAULT_NAME: Final = "model"
DEFAULT_VERSION: Final = "1"
UNKNOWN_TASK: Final = "unknown"


@dataclass(frozen=True)
class WatchedSource:
    """A baseline, and the name, version and task of its model."""

    baseline: Baseline
    name: str
    version: str
    task: str
    given: Baseline | Bundle | Path
    """What the program named: a bundle can also predict."""
    held_out: HeldOut | None = None
    """What a bundle keeps of its held-out rows."""
    classes: tuple[Label, ...] | None = None
    """The classes of a bundle in the order of its model's probabilities; None for those that a baseline knows."""
    constraints: Constraints | None = None
    """What the rows have to satisfy."""
    sample: RowSample | None = None
    """Rows that are kept of the reference."""
    importances: Importances | None = None
    """How much a bundle's model depends on each feature."""
    truth: BundleTruth = field(default_factory=BundleTruth)
    """What a bundle knows of the truth."""


@dataclass(frozen=True)
class _Read:
    """What was read of a model."""

    baseline: Baseline
    given: Baseline | Bundle | Path
    info: BundleInfo | None = None
    held_out: HeldOut | None = None
    labels: Baseline | None = None
    constraints: Constraints | None = None
    sample: RowSample | None = None
    importances: Importances | None = None


def watched_source(
    baseline: Baseline | Bundle | Path | str, name: str | None = None, version: str | None = None
) -> WatchedSource:
    """Read what is to be watched; a bundle's own name and version are the defaults.

    Raises BundleError for files, SettingsError for anything else, and for names that cannot be those of a folder.
    """
    own = _read(baseline)
    info = own.info
    task = "multiclass" if PREDICTION_CLASS in own.baseline.names else UNKNOWN_TASK
    found = WatchedSource(
        baseline=own.baseline,
        name=name or (info.name if info else DEFAULT_NAME),
        version=version or (info.version if info else DEFAULT_VERSION),
        task=info.task if info else task,
        given=own.given,
        held_out=own.held_out,
        classes=tuple(info.classes) if info else None,
        constraints=own.constraints,
        sample=own.sample,
        importances=own.importances,
        truth=truth_of(info, own.labels, own.held_out) if info else BundleTruth(),
    )
    for what, text in (("name", found.name), ("version", found.version)):
        try:
            TypeAdapter(Name).validate_python(text)
        except ValidationError as error:
            raise SettingsError(
                f"{what} {text!r}: give letters, digits, points, dashes and underscores, at most 128"
            ) from error
    return found


def _read(given: Any) -> _Read:
    """Return what is known of the model, and what is kept beside its baseline."""
    if isinstance(given, Baseline):
        return _Read(given, given)
    if isinstance(given, Bundle):
        beside = (given.info, given.held_out, given.labels, given.constraints, given.sample, given.importances)
        return _Read(given.baseline, given, *beside)
    if not isinstance(given, str | Path):
        name = type(given).__name__
        raise SettingsError(f"a {name} cannot be watched: give a baseline or a bundle, or the path of one")
    path = Path(given)
    if not path.is_dir():
        baseline = read_baseline(path)
        return _Read(
            baseline,
            baseline,
            constraints=of_baseline(path, baseline),
            sample=sample_file.of_baseline(path, baseline),
        )
    return _of_folder(path)


def _of_folder(path: Path) -> _Read:
    """Return what a bundle's folder holds, without its model."""
    file = path / BASELINE_FILE
    if not (path / BUNDLE_FILE).exists():
        raise BundleError(f"{path} is a folder without {BUNDLE_FILE}: give a bundle's folder, or a {BASELINE_FILE}")
    info = read_info(path)
    baseline = belonging_to(info, read_baseline(file))
    check_features(info, baseline)
    return _Read(
        baseline=baseline,
        given=path,
        info=info,
        held_out=held_out_file.read(path),
        labels=read_baseline(path / LABELS_FILE) if (path / LABELS_FILE).exists() else None,
        constraints=of_baseline(file, baseline),
        sample=sample_file.of_baseline(file, baseline),
        importances=importance_file.read(path, [feature.name for feature in info.features]),
    )
