"""Changing what a bundle or a baseline says about its model, without building it again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from driftgauge.about import About
from driftgauge.common.replacing import replacing
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.errors import BaselineError, BundleError
from driftgauge.models.bundle import BASELINE_FILE, BUNDLE_FILE, BundleInfo, belonging_to, read_baseline, read_info


def describe_baseline(path: Path, changes: About) -> Baseline:
    """Write texts into a baseline's file and return it; texts that `changes` does not name stay."""
    baseline = read_baseline(path)
    described = replace(baseline, about=baseline.about.updated(changes))
    try:
        _rewrite(path, dumps(described))
    except OSError as error:
        raise BaselineError(f"cannot write {path}: {error.strerror or error}") from error
    return described


def describe_bundle(folder: Path, changes: About) -> BundleInfo:
    """Write texts into a bundle and its baseline; texts that `changes` does not name stay."""
    info, baseline = read_info(folder), read_baseline(folder / BASELINE_FILE)
    described = info.model_copy(update={"about": info.about.updated(changes)})
    try:
        _rewrite(folder / BASELINE_FILE, dumps(belonging_to(described, baseline)))
        _rewrite(folder / BUNDLE_FILE, described.as_text())
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror or error}") from error
    return described


def _rewrite(path: Path, text: str) -> None:
    """Replace a file's content at once: readers find the old or the new one."""
    target = path.resolve()
    with replacing(target) as new:
        new.write_text(text, encoding="utf-8")
        shutil.copymode(target, new)
