"""The model that a program names: a baseline, its file, or a bundle's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from driftgauge.drift.reference.baseline import PREDICTION_CLASS, Baseline
from driftgauge.errors import BundleError, SettingsError
from driftgauge.models.bundle import (
    BASELINE_FILE,
    BUNDLE_FILE,
    Name,
    belonging_to,
    check_features,
    read_baseline,
    read_info,
)

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


def watched_source(baseline: str | Path | Baseline, name: str | None, version: str | None) -> WatchedSource:
    """Read what is to be watched; a bundle's own name and version are the defaults.

    Raises BundleError for files, SettingsError for names that cannot be those of a folder.
    """
    if isinstance(baseline, Baseline):
        task = "multiclass" if PREDICTION_CLASS in baseline.names else UNKNOWN_TASK
        found = WatchedSource(baseline, name or DEFAULT_NAME, version or DEFAULT_VERSION, task)
    elif (path := Path(baseline)).is_dir():
        if not (path / BUNDLE_FILE).exists():
            raise BundleError(f"{path} is a folder without {BUNDLE_FILE}: give a bundle's folder, or a {BASELINE_FILE}")
        info = read_info(path)
        own = belonging_to(info, read_baseline(path / BASELINE_FILE))
        check_features(info, own)
        found = WatchedSource(own, name or info.name, version or info.version, info.task)
    else:
        return watched_source(read_baseline(path), name, version)
    for field, text in (("name", found.name), ("version", found.version)):
        try:
            TypeAdapter(Name).validate_python(text)
        except ValidationError as error:
            raise SettingsError(
                f"{field} {text!r}: give letters, digits, points, dashes and underscores, at most 128"
            ) from error
    return found
