"""Probing an estimator: whether it accepts a matrix, missing values, unseen categories and new texts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import BundleError, ModelFailed, Refused
from driftgauge.models.bundle import Bundle, BundleInfo, Feature
from driftgauge.models.creation.learned_columns import takes_only_texts
from driftgauge.models.inner_estimators import strip_feature_names
from driftgauge.models.predictor import Batch, Predictions, Predictor

NEW_TEXT: Final = "a text of words that training did not hold: qxzj"
_NEW_CATEGORY: Final = "never seen before"
_COMPARED: Final = 200
"""Rows that are predicted both from a matrix and from a DataFrame, and compared."""
_ALIKE: Final = 1e-9


@dataclass(frozen=True)
class Probe:
    """An unfinished bundle, and rows that its model should answer."""

    info: BundleInfo
    model: Any
    baseline: Baseline
    rows: Batch
    """Rows of the table."""
    typical: Batch
    """One row, without a missing value if there is such a row."""

    def run(self) -> tuple[BundleInfo, Any]:
        """Return the bundle's info with what the model accepts, and the model.

        A model that is given a matrix loses its feature names. BundleError if it cannot answer a new text.
        """
        info, model = self._with_input_form()
        probe = Probe(info, model, self.baseline, self.rows, self.typical)
        probe.require_new_texts()
        features = probe.with_accepts_missing()
        return info.model_copy(update={"features": probe.with_accepts_unseen(features)}), model

    def _with_input_form(self) -> tuple[BundleInfo, Any]:
        if self.info.model.format != "sklearn":  # its input is decided by what it says about itself
            return (self._with_dtypes() if self.info.input == "dataframe" else self.info), self.model
        if takes_only_texts(self.model):
            return self._texts_alone(), self.model
        if self.info.input == "dataframe":
            return self._with_dtypes(), self.model
        frame = self.info.model_copy(update={"input": "dataframe"})
        stripped = strip_feature_names(copy.deepcopy(self.model))
        if find_spec("pandas") is None:
            return self.info, stripped
        answers = _predict(_lenient(self.info, stripped, self.baseline), self.typical)
        if answers is not None and not hasattr(self.model, "feature_names_in_"):
            return self.info, stripped
        framed = _lenient(frame, self.model, self.baseline)
        if answers is None:
            return (frame, self.model) if _predict(framed, self.typical) is not None else (self.info, stripped)
        return (self.info, stripped) if self._agree(stripped, framed) else (frame, self.model)

    def _with_dtypes(self) -> BundleInfo:
        """Return the info with texts as dtype category if the model accepts them only so.

        A csv file states no dtype, and LightGBM and XGBoost refuse text of any other dtype.
        """
        if _predict(_lenient(self.info, self.model, self.baseline), self.typical) is not None:
            return self.info
        features = tuple(
            feature.model_copy(update={"dtype": "category", "missing": "nan"})
            if feature.kind == "categorical" and feature.values == "text"
            else feature
            for feature in self.info.features
        )
        other = self.info.model_copy(update={"features": features})
        answered = _predict(_lenient(other, self.model, self.baseline), self.typical) is not None
        return other if answered else self.info

    def _agree(self, stripped: Any, framed: Predictor) -> bool:
        """Return whether the model answers a matrix and a DataFrame alike."""
        rows = self.rows.part(slice(0, _COMPARED))
        for batch in (rows, self.typical):
            expected = _predict(framed, batch)
            if expected is None:
                continue
            answers = _predict(_lenient(self.info, stripped, self.baseline), batch)
            if answers is None or answers.labels != expected.labels:
                return False
            if not np.allclose(answers.scores, expected.scores, rtol=_ALIKE, atol=_ALIKE):
                return False
        return True

    def _texts_alone(self) -> BundleInfo:
        features = self.info.features
        if len(features) > 1:
            raise BundleError(
                f"the estimator takes one column of texts, but the reference has {len(features)} beside the target "
                f"({', '.join(feature.name for feature in features[:5])}): --ignore the others"
            )
        one = Feature(name=features[0].name, kind="text", values="text", missing=features[0].missing)
        return self.info.model_copy(update={"input": "texts", "features": (one,)})

    def require_new_texts(self) -> None:
        """Raise BundleError unless the model answers free text that it was not fitted on."""
        predictor = _lenient(self.info, self.model, self.baseline)
        for index, feature in enumerate(self.info.features):
            if feature.kind == "text" and _predict(predictor, self._changed(index, NEW_TEXT)) is None:
                if _predict(predictor, self.typical) is None:
                    return  # it fails on every row: the prediction of the table says why
                raise BundleError(
                    f"{feature.name}: the model cannot answer a text that it was not fitted on; if the column holds "
                    f"categories, state that (--kinds {feature.name}=categorical)"
                )

    def with_accepts_missing(self) -> tuple[Feature, ...]:
        """Return the features with `accepts_missing`, probed with one missing value at a time."""
        count = len(self.info.features)
        cells = np.repeat(self.typical.cells, count, axis=0)
        np.fill_diagonal(cells, np.nan)
        texts = {
            index: [self._gap(index) if i == index else names[0] for i in range(count)]
            for index, names in self.typical.texts.items()
        }
        rows = Batch(cells, texts)
        predictor = _lenient(self.info, self.model, self.baseline)
        together = _predict(predictor, rows) is not None
        return tuple(
            feature.model_copy(
                update={
                    "accepts_missing": together or _predict(predictor, rows.part(slice(index, index + 1))) is not None
                }
            )
            for index, feature in enumerate(self.info.features)
        )

    def _gap(self, index: int) -> str | None:
        feature = self.info.features[index]
        return "" if feature.kind == "categorical" and feature.missing == "empty" else None

    def with_accepts_unseen(self, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        """Return the features with `accepts_unseen`, probed with a new category."""
        predictor = _lenient(self.info, self.model, self.baseline)
        return tuple(
            feature.model_copy(
                update={"accepts_unseen": _predict(predictor, self._changed(index, _unseen(feature))) is not None}
            )
            if feature.kind == "categorical" and feature.values not in (None, "boolean")
            else feature
            for index, feature in enumerate(features)
        )

    def _changed(self, index: int, text: str) -> Batch:
        """Return the typical row with another text for one feature."""
        texts: Mapping[int, list[str | None]] = {
            i: [text] if i == index else list(names) for i, names in self.typical.texts.items()
        }
        return Batch(self.typical.cells, texts)


def _unseen(feature: Feature) -> str:
    """Return a category that the model has not seen."""
    if feature.values == "text":
        new = _NEW_CATEGORY
        while new in feature.categories:
            new += "!"
        return new
    return str(int(max((abs(code) for code in feature.codes or ()), default=0.0)) + 17)


def _lenient(info: BundleInfo, model: Any, baseline: Baseline) -> Predictor:
    """Return a predictor that passes everything on to the model."""
    features = tuple(
        feature.model_copy(update={"accepts_missing": True, "accepts_unseen": True}) for feature in info.features
    )
    return Predictor(Bundle(info.model_copy(update={"features": features}), model, baseline))


def _predict(predictor: Predictor, rows: Batch) -> Predictions | None:
    """Return the model's predictions, None if it fails."""
    try:
        return predictor.predict(rows)
    except (ModelFailed, Refused):
        return None
