"""Model bundles: a folder with `bundle.json`, `baseline.json` and the model, read and verified."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, model_validator

from driftgauge.about import NOTHING, About
from driftgauge.common.safe_files import read_bounded
from driftgauge.common.schema_errors import display, explain
from driftgauge.drift.attribution.attributions import Attributions
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import PREDICTION, RESERVED, Baseline
from driftgauge.drift.reference.columns import Kind
from driftgauge.errors import BaselineError, BundleError
from driftgauge.models import (
    attribution_file,
    baseline_file,
    constraints_file,
    held_out_file,
    importance_file,
    outlier_file,
    sample_file,
)
from driftgauge.models.formats.registry import load_from
from driftgauge.models.formats.spec import SKOPS_FILE, ModelSpec
from driftgauge.models.inner_estimators import strip_feature_names

SCHEMA_VERSION: Final = 1
BUNDLE_FILE: Final = "bundle.json"
MODEL_FILE: Final = SKOPS_FILE
"""File of a scikit-learn model; other formats name theirs in `bundle.json`."""
BASELINE_FILE: Final = "baseline.json"
LABELS_FILE: Final = "labels.json"
"""The baseline of the target, which live labels are compared with. Bundles of earlier versions have none."""
MOST_INFO_BYTES: Final = 64 << 20
"""Largest `bundle.json` that is read: features with millions of categories."""
MOST_INFO_BRACKETS: Final = 1_000_000
"""Most lists and objects in it. A feature has three; in memory an empty one takes twenty times its text."""
SAMPLE_TOLERANCE: Final = 1e-6
SINGLE_TOLERANCE: Final = 1e-4
"""Of a model that computes in single precision, whose last digits differ between processors."""

_SCORE_KINDS: Final[tuple[tuple[Kind, Kind], ...]] = (("numeric", "numeric"), ("categorical", "categorical"))
"""Kinds of the score and of the predicted class: for the model, and in the baseline."""
_BASELINE_HINT: Final = ": give a bundle's folder, or a baseline.json, which `driftgauge baseline build` writes"

Task = Literal["binary", "multiclass", "regression"]
FeatureKind = Literal["numeric", "categorical", "text"]
Values = Literal["text", "number", "integer", "boolean"]
Missing = Literal["nan", "none", "na", "empty"]
Input = Literal["matrix", "dataframe", "texts", "columns"]
Label = int | float | bool | str
Dtype = Annotated[
    str, Field(pattern=r"^[A-Za-z_]+[0-9]{0,4}(\([0-9, -]{1,12}\)|<[^>]{1,100}>)?(\[[^\]]{1,100}\])*$", max_length=300)
]
"""A dtype as pandas spells it: int64, string[pyarrow], datetime64[ns, UTC]; not U999999999, which takes terabytes."""
Name = Annotated[str, Field(pattern=r"^\.*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=128)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Feature(_Part):
    """One input of the model."""

    name: str
    kind: FeatureKind
    """numeric, categorical, or free text."""
    categories: tuple[str, ...] = ()
    """The categories that the model knows; empty for a number and for free text."""
    codes: tuple[float, ...] | None = None
    """The number that the model is given for each category; None if it is given the category itself."""
    boolean: bool = False
    """Whether the column held booleans; for documentation only."""
    accepts_missing: bool = False
    """Whether the model answers a row in which it is missing."""
    dtype: Dtype | None = None
    """The pandas dtype of the column that the model was fitted on; None in a bundle of an earlier version."""
    values: Values | None = None
    """The type of a category, or of a cell of dtype object; None for categories with the author's codes.

    An unseen category is given to the model only if the type is known.
    """
    missing: Missing = "nan"
    """The missing value in that column: NaN, None, pandas.NA or an empty text."""
    accepts_unseen: bool = False
    """Whether the model answers a category that it was not fitted on."""

    @property
    def watched_as(self) -> Kind:
        """The kind of its column in the baseline: of a free text the length is monitored."""
        return "categorical" if self.kind == "categorical" else "numeric"

    @model_validator(mode="after")
    def _fits(self) -> Feature:
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("a category is named twice")
        if self.codes is not None and len(self.codes) != len(self.categories):
            raise ValueError(f"{len(self.codes)} codes for {len(self.categories)} categories")
        return self


class Sample(_Part):
    """A row, and the model's prediction when the bundle was created."""

    features: dict[str, float | str | None]
    prediction: Label
    score: float
    shown: bool = False
    """Whether clients see it, because it is synthetic or the owner shares it. Bundles of earlier versions do not state
    it: they hold rows of the evaluation table, which are not shown."""


class Timing(_Part):
    """Seconds that a prediction took when the bundle was created, the median of a few."""

    one_row_seconds: float
    rows: int
    rows_seconds: float | None
    """Seconds for a batch of `rows` rows; None if the model accepts one row at a time."""


class Performance(_Part):
    """The model's metrics on held-out rows, or on its training rows if `in_sample`."""

    rows: int
    in_sample: bool
    metrics: dict[str, float]
    estimates: Annotated[dict[str, tuple[float, float, float]], Field(exclude_if=lambda known: not known)] = {}
    """Value, lower and upper bound (95 %) of each metric that live predictions are compared with. Bundles of earlier
    versions have none."""


class BundleInfo(_Part):
    """The content of `bundle.json`."""

    schema_version: Literal[1] = 1
    name: Name
    version: Name
    task: Task
    features: tuple[Feature, ...]
    classes: tuple[Label, ...] = ()
    """The model's classes in the order of its probabilities; of two, the last is the positive one."""
    model: ModelSpec = ModelSpec()
    """The model's format and its place; bundles of earlier versions hold a skops file."""
    input: Input
    """What the model is given: a float64 matrix, a DataFrame with column names, a list of texts, or a list of columns,
    one of numbers or texts for each feature."""
    created: str
    libraries: dict[str, str]
    target: str | None = None
    samples: Annotated[tuple[Sample, ...], Field(max_length=100)] = ()
    performance: Performance | None = None
    timing: Timing | None = None
    about: Annotated[About, Field(exclude_if=lambda about: not about.stated)] = NOTHING
    """Whose the model is; it wins over what the baseline of the bundle says."""

    @field_serializer("about")
    def _stated(self, about: About) -> dict[str, str]:
        return about.stated

    @model_validator(mode="after")
    def _is_possible(self) -> BundleInfo:
        names = [feature.name for feature in self.features]
        if len(set(names)) < len(names):
            raise ValueError("two features have the same name")
        few, most = {"regression": (0, 0), "binary": (2, 2), "multiclass": (3, math.inf)}[self.task]
        if not few <= len(self.classes) <= most or len(set(map(repr, self.classes))) < len(self.classes):
            raise ValueError(f"{len(self.classes)} classes of a {self.task} model, or one of them twice")
        for sample in self.samples:
            self._check_sample(sample)
        return self

    def _check_sample(self, sample: Sample) -> None:
        if set(sample.features) != {feature.name for feature in self.features}:
            raise ValueError("a sample has other features than the model")
        for feature in self.features:
            value = sample.features[feature.name]
            if feature.kind == "numeric" and isinstance(value, str):
                raise ValueError(f"a sample of {feature.name} is {display(value)}, and the feature is a number")

    def as_text(self) -> str:
        """Return the content of `bundle.json`."""
        return self.model_dump_json(indent=1) + "\n"

    def __repr__(self) -> str:
        return f"<BundleInfo {self.summary}>"

    __str__ = __repr__

    @property
    def summary(self) -> str:
        """The model in a few words: name, version, task, number of features."""
        many = "feature" if len(self.features) == 1 else "features"
        return f"{self.name} {self.version}: {self.task}, {len(self.features):,} {many}"

    @property
    def shown_samples(self) -> tuple[Sample, ...]:
        """The samples that clients may see."""
        return tuple(sample for sample in self.samples if sample.shown)

    @property
    def sample_tolerance(self) -> float:
        """How far the score of a sample may lie from the stored one, relative or absolute."""
        return SINGLE_TOLERANCE if self.model.format == "onnx" else SAMPLE_TOLERANCE

    @property
    def accepts_missing(self) -> bool:
        """Whether the model accepts a missing value in every feature."""
        return all(feature.accepts_missing for feature in self.features)

    @property
    def score_columns(self) -> tuple[str, ...]:
        """The monitored columns besides the features."""
        return RESERVED if self.task == "multiclass" else (PREDICTION,)


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory."""

    info: BundleInfo
    """The content of `bundle.json`: name, version, task, features, classes, performance."""
    model: Any
    """The estimator, or the object of the library that the model's format belongs to."""
    baseline: Baseline
    """What live rows are compared with."""
    labels: Baseline | None = None
    """What live labels are compared with: the target of the reference. None in a bundle of an earlier version."""
    held_out: HeldOut | None = None
    """What is kept of the rows of the evaluation table. None without one, and in a bundle of an earlier version."""
    constraints: Constraints | None = None
    """What its rows have to satisfy. None without the file, as in a bundle of an earlier version."""
    sample: RowSample | None = None
    """Rows of the reference; None if none were to be kept."""
    importances: Importances | None = None
    """How much the model depends on each feature. None if they were not measured, as in an earlier version."""
    attributions: Attributions | None = None
    """What each feature contributes to the scores of reference rows. None if it is not known."""

    def __repr__(self) -> str:
        return f"<Bundle {self.info.summary}, reference of {self.baseline.rows:,} rows>"


def load_bundle(folder: Path | str, trusted_types: Iterable[str] = ()) -> Bundle:
    """Read and check a bundle's folder.

    `trusted_types` are types beyond the built-in list that the model file may contain, and code of your own that it may
    name; each can run code. Raises BundleError, which says what to do.

    >>> import driftgauge
    >>> driftgauge.load_bundle("bundle")
    <Bundle tumours 1: binary, 30 features, reference of 400 rows>
    """
    folder = Path(folder)
    info = read_info(folder)
    baseline = read_baseline(folder / BASELINE_FILE)
    check_features(info, baseline)
    model = load_from(folder, info.model, trusted_types)
    if info.model.format == "sklearn" and info.input == "matrix":
        model = strip_feature_names(model)
    labels = read_baseline(folder / LABELS_FILE) if (folder / LABELS_FILE).exists() else None
    held_out, constraints = held_out_file.read(folder), constraints_file.of_baseline(folder / BASELINE_FILE, baseline)
    sample = sample_file.of_baseline(folder / BASELINE_FILE, baseline)
    names = [feature.name for feature in info.features]
    importances, attributions = importance_file.read(folder, names), attribution_file.read(folder, names)
    own = belonging_to(info, baseline)
    return Bundle(info, model, own, labels, held_out, constraints, sample, importances, attributions)


def belonging_to(info: BundleInfo, baseline: Baseline) -> Baseline:
    """Return a bundle's baseline with what `bundle.json` says about the model."""
    return baseline if baseline.about == info.about else replace(baseline, about=info.about)


def read_info(folder: Path) -> BundleInfo:
    """Read `bundle.json`; BundleError if there is no bundle or it is damaged."""
    if not folder.is_dir():
        raise BundleError(f"there is no model bundle at {folder}: create one with `driftgauge bundle create`")
    path = folder / BUNDLE_FILE
    text = _read(path, MOST_INFO_BYTES)
    if text.count("[") + text.count("{") > MOST_INFO_BRACKETS:
        raise BundleError(f"{path} cannot be used: it has more lists and objects than a bundle has")
    try:
        return BundleInfo.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(
            f"{path} cannot be used ({explain(error)}): it is damaged or from another version of Driftgauge; "
            "create the bundle again with `driftgauge bundle create`"
        ) from error


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file."""
    try:
        baseline = baseline_file.loads(_read(path, baseline_file.MOST_BYTES, _BASELINE_HINT))
    except BaselineError as error:
        raise BundleError(f"{path}: {error}") from error
    return outlier_file.with_detector(path, baseline)


def _read(path: Path, most_bytes: int, hint: str = "") -> str:
    try:
        return read_bounded(path, most_bytes).decode("utf-8")
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}{hint}") from error
    except UnicodeDecodeError as error:
        why = "it is not UTF-8 text, so it is damaged or another file"
        raise BundleError(f"cannot read {path}: {why}{hint}") from error


def check_features(info: BundleInfo, baseline: Baseline) -> None:
    """Raise BundleError unless the baseline has the model's features, in order, and its score columns."""
    if not info.features:
        raise BundleError("the bundle has no features: create it again with `driftgauge bundle create`")
    expected = (*(feature.name for feature in info.features), *info.score_columns)
    if baseline.names != expected:
        absent = [name for name in expected if name not in baseline.names]
        extra = [name for name in baseline.names if name not in expected]
        what = "; ".join(
            [f"without {', '.join(absent)}"] * bool(absent) + [f"with {', '.join(extra)} besides"] * bool(extra)
        )
        raise BundleError(
            f"the baseline's columns do not match the model's features ({what or 'in another order'}): "
            "build both from the same table with `driftgauge bundle create`"
        )
    kinds = [*((feature.kind, feature.watched_as) for feature in info.features), *_SCORE_KINDS]
    for (kind, watched_as), column in zip(kinds, baseline.columns, strict=False):
        if watched_as != column.kind:
            raise BundleError(
                f"{column.name} is {kind} for the model and {column.kind} in the baseline: "
                "build both from the same table with `driftgauge bundle create`"
            )
