"""The model that a program names: a baseline, its file, or a bundle's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.performance.report import BundleTruth
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import PREDICTION_CLASS, Baseline
from driftgauge.edges.formats.label_values import Label
from driftgauge.errors import BundleError, SettingsError
from driftgauge.models import held_out_file
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
    truth: BundleTruth = field(default_factory=BundleTruth)
    """What a bundle knows of the truth."""


def watched_source(
    baseline: Baseline | Bundle | Path | str, name: str | None = None, version: str | None = None
) -> WatchedSource:
    """Read what is to be watched; a bundle's own name and version are the defaults.

    Raises BundleError for files, SettingsError for anything else, and for names that cannot be those of a folder.
    """
    info, own, given, held_out, labels, constraints = _read(baseline)
    task = "multiclass" if PREDICTION_CLASS in own.names else UNKNOWN_TASK
    found = WatchedSource(own, name or DEFAULT_NAME, version or DEFAULT_VERSION, task, given, constraints=constraints)
    if info is not None:
        truth = truth_of(info, labels, held_out)
        names = (name or info.name, version or info.version)
        found = WatchedSource(own, *names, info.task, given, held_out, tuple(info.classes), constraints, truth)
    for what, text in (("name", found.name), ("version", found.version)):
        try:
            TypeAdapter(Name).validate_python(text)
        except ValidationError as error:
            raise SettingsError(
                f"{what} {text!r}: give letters, digits, points, dashes and underscores, at most 128"
            ) from error
    return found


def _read(
    given: Any,
) -> tuple[BundleInfo | None, Baseline, Baseline | Bundle | Path, HeldOut | None, Baseline | None, Constraints | None]:
    """Return what is known of the model, its baseline, what was given, and what a bundle keeps beside it.

    That is the held-out rows, the target's baseline and the constraints.
    """
    if isinstance(given, Baseline):
        return None, given, given, None, None, None
    if isinstance(given, Bundle):
        return given.info, given.baseline, given, given.held_out, given.labels, given.constraints
    if not isinstance(given, str | Path):
        name = type(given).__name__
        raise SettingsError(f"a {name} cannot be watched: give a baseline or a bundle, or the path of one")
    path = Path(given)
    if not path.is_dir():
        baseline = read_baseline(path)
        return None, baseline, baseline, None, None, of_baseline(path, baseline)
    if not (path / BUNDLE_FILE).exists():
        raise BundleError(f"{path} is a folder without {BUNDLE_FILE}: give a bundle's folder, or a {BASELINE_FILE}")
    info = read_info(path)
    baseline = belonging_to(info, read_baseline(path / BASELINE_FILE))
    check_features(info, baseline)
    labels = read_baseline(path / LABELS_FILE) if (path / LABELS_FILE).exists() else None
    constraints = of_baseline(path / BASELINE_FILE, baseline)
    return info, baseline, path, held_out_file.read(path), labels, constraints
