"""Writing a bundle's folder: to a temporary folder, read back, then renamed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import skops.io

from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BundleError
from driftgauge.models import (
    attribution_file,
    constraints_file,
    held_out_file,
    importance_file,
    outlier_file,
    sample_file,
)
from driftgauge.models import bundle as bundles
from driftgauge.models.attribution_file import ATTRIBUTIONS_FILE
from driftgauge.models.bundle import Bundle
from driftgauge.models.constraints_file import CONSTRAINTS_FILE
from driftgauge.models.held_out_file import HELD_OUT_FILE
from driftgauge.models.importance_file import IMPORTANCES_FILE
from driftgauge.models.model_file import OWN_CODE, UntrustedTypes, refuse_unimportable
from driftgauge.models.predictor import Predictor, verify
from driftgauge.models.sample_file import SAMPLE_FILE


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Raise BundleError if the path holds something that must not be replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise BundleError(f"{out} exists already: choose another folder, or overwrite it (--overwrite)")
    if not (out / bundles.BUNDLE_FILE).is_file():
        raise BundleError(f"{out} is not a bundle and is not overwritten: choose another folder")


def write_bundle(
    bundle: Bundle, out: Path, trusted_types: Iterable[str], saved: Callable[[Path], None] | None = None
) -> Bundle:
    """Write a temporary folder, read it back, and rename it to `out`; return the bundle with the hash of its model.

    `saved` writes the model's file or folder; by default an estimator is written with skops.
    """
    try:
        return _write_and_check(bundle, out, trusted_types, saved or partial(_dump, bundle.model))
    except OSError as error:
        raise BundleError(f"cannot write {out}: {error}") from error


def _write_and_check(bundle: Bundle, out: Path, trusted_types: Iterable[str], saved: Callable[[Path], None]) -> Bundle:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        draft = Path(folder) / "bundle"
        draft.mkdir()
        if bundle.info.model.file is not None:
            saved(draft / bundle.info.model.file)
            bundle = _with_hash(bundle, draft / bundle.info.model.file)
        (draft / bundles.BASELINE_FILE).write_text(dumps(bundle.baseline), encoding="utf-8")
        if (detector := outlier_file.dumps(bundle.baseline)) is not None:
            (draft / outlier_file.OUTLIERS_FILE).write_bytes(detector)
        if bundle.labels is not None:
            (draft / bundles.LABELS_FILE).write_text(dumps(bundle.labels), encoding="utf-8")
        if bundle.held_out is not None:
            (draft / HELD_OUT_FILE).write_text(held_out_file.dumps(bundle.held_out), encoding="utf-8")
        if bundle.importances is not None:
            (draft / IMPORTANCES_FILE).write_text(importance_file.dumps(bundle.importances), encoding="utf-8")
        if bundle.attributions is not None:
            (draft / ATTRIBUTIONS_FILE).write_text(attribution_file.dumps(bundle.attributions), encoding="utf-8")
        if bundle.constraints is not None:
            (draft / CONSTRAINTS_FILE).write_text(constraints_file.dumps(bundle.constraints), encoding="utf-8")
        if bundle.sample is not None:
            (draft / SAMPLE_FILE).write_bytes(sample_file.dumps(bundle.sample, bundle.baseline))
        (draft / bundles.BUNDLE_FILE).write_text(bundle.info.as_text(), encoding="utf-8")
        try:
            again = bundles.load_bundle(draft, trusted_types)
        except UntrustedTypes as error:
            raise error.about("the estimator", OWN_CODE) from error
        verify(Predictor(again), again.info)
        if out.exists():
            shutil.rmtree(out)
        draft.rename(out)
    return bundle


def _with_hash(bundle: Bundle, path: Path) -> Bundle:
    """Return the bundle with the hash of its model's file; a skops file and a folder have none."""
    spec = bundle.info.model
    if spec.format == "sklearn" or not path.is_file():
        return bundle
    with path.open("rb") as file:
        spec = spec.model_copy(update={"sha256": hashlib.file_digest(file, "sha256").hexdigest()})
    return replace(bundle, info=bundle.info.model_copy(update={"model": spec}))


def _dump(model: Any, path: Path) -> None:
    """Save the estimator; BundleError for parts that skops cannot save or a server cannot import."""
    try:
        skops.io.dump(model, path)
    except Exception as error:  # skops passes on any exception of a part's __getstate__
        raise BundleError(
            f"the estimator cannot be saved as a skops file ({type(error).__name__}: {error}): leave out or replace "
            f"the part that holds open files, locks, generators or the like{OWN_CODE}"
        ) from error
    refuse_unimportable(path)
