"""The file of a fitted detector of outliers, beside the baseline that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.novelty import MAHALANOBIS
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import BundleError
from driftgauge.models.beside import path_beside
from driftgauge.models.model_file import load_model

OUTLIERS_FILE: Final = "outliers.skops"
_CLASSES: Final = {"isolation_forest": "IsolationForest", "one_class_svm": "OneClassSVM"}


@dataclass(frozen=True)
class FittedDetector:
    """A fitted detector of scikit-learn."""

    model: Any

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Return the score of each row, from 0 for the most ordinary to 1; shape [n]."""
        found = self.model.score_samples(rows)
        weights = getattr(self.model, "dual_coef_", None)
        scores: FloatArray = -found if weights is None else np.maximum(1.0 - found / weights.sum(), 0.0)
        return scores


def dumps(baseline: Baseline) -> bytes | None:
    """Return the content of the file of a baseline's detector; None if it has no fitted one."""
    fitted = None if baseline.novelty is None else baseline.novelty.fitted
    if not isinstance(fitted, FittedDetector):
        return None
    import skops.io  # takes a second

    content: bytes = skops.io.dumps(fitted.model)
    return content


def with_detector(path: Path, baseline: Baseline) -> Baseline:
    """Return the baseline that was read from a path with its detector, if it names one.

    BundleError if that is missing, damaged or another one.
    """
    novelty = baseline.novelty
    if novelty is None or novelty.detector == MAHALANOBIS:
        return baseline
    file = path_beside(path, OUTLIERS_FILE)
    if not file.exists():
        raise BundleError(
            f"there is no {file}, with which {path} tells outliers ({novelty.detector}): copy both files, or build "
            "them again"
        )
    model = load_model(file)
    width = getattr(model, "n_features_in_", None)
    if type(model).__name__ != _CLASSES[novelty.detector] or width != len(novelty.features):
        raise BundleError(
            f"{file} is not the {novelty.detector} of {path}: copy the files of one baseline, or build them again"
        )
    return replace(baseline, novelty=replace(novelty, fitted=FittedDetector(model)))
