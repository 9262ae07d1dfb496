"""Making a bundle: from a fitted estimator and its tables to a folder that can be served."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from app.bundle_write import refuse_existing, write_bundle
from app.bundles import Bundle, BundleInfo, Feature, FeatureKind, Label
from app.cells import as_numbers, text_lengths, texts_of
from app.drift.baseline import (
    PREDICTION,
    PREDICTION_CLASS,
    Baseline,
    BaselineError,
    Categories,
    Table,
    joined,
    measuring_length,
    varying_as,
)
from app.drift.baseline_build import WINDOW_SIZES, build_baseline
from app.drift.bins import BoolArray, FloatArray, category_name
from app.drift.blocks import FEWEST_HOUR_ROWS, hours_of, rows_by_hour
from app.drift.statistics import ZeroBin
from app.errors import BundleError, ModelFailed, Refused
from app.estimators import (
    class_names,
    classes_of,
    column_kinds,
    encoded_texts,
    features_of,
    refuse_several_answers,
    selects_by_name,
)
from app.feature_names import Names, names_of, not_taken, trained_names
from app.fitted import NOTHING_KNOWN, Known, known_columns, takes_text_alone
from app.held_out import measure_performance
from app.model_file import load_model
from app.naming import listed
from app.probing import Probe
from app.sample_rows import made_up_samples, shared_samples, timing_of
from app.schema_errors import shown, told
from app.serving import Batch, Predictor
from app.suspects import suspects
from app.tables import (
    categories,
    column,
    in_order,
    index_columns,
    infer_kinds,
    is_csv,
    read_table,
    require,
    seconds_since_1970,
)
from app.training import Source, as_trained, cells_of

LIBRARIES: Final = ("scikit-learn", "numpy", "skops")
_ROWS_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class BaselineOptions:
    """How a baseline is built of a table."""

    time: str | None = None
    """Column that puts the rows in order; with it the baseline knows its natural variation."""
    kinds: Mapping[str, FeatureKind] = field(default_factory=dict)
    """Kinds of columns where inference is wrong."""
    ignore: Sequence[str] = ()
    """Columns to leave out."""
    window_sizes: Sequence[int] = WINDOW_SIZES
    """Sizes in rows of which the natural variation is measured."""
    natural_variation_quantile: float = 1.0
    """Quantile of the reference's own windows that counts as natural; 1 is the largest."""
    by_hour: bool = False
    """Whether rows are compared with the reference of their hour of the day (UTC), which takes `time`."""
    zero_bin: ZeroBin = "jeffreys"
    """How PSI counts an empty bin: Jeffreys' half row in each bin, or shares clipped at 1e-4."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built, before a table is read; BaselineError."""
        if self.by_hour and self.time is None:
            raise BaselineError("hours of the day are told from times: name the column that holds them (--time)")


def baseline_of(source: Any, options: BaselineOptions | None = None) -> Baseline:
    """Build the baseline of a table alone, for a model that is served elsewhere."""
    options = options or BaselineOptions()
    table = _ordered(read_table(source, _stated_text(options)), options)
    left_out = _not_features(options, table)
    names = [name for name in table.column_names if name not in left_out]
    kinds = infer_kinds(table, names, column_kinds(options.kinds))
    lengths = [name for name, kind in options.kinds.items() if kind == "text"]
    columns = {
        name: text_lengths(table[name], name) if name in lengths else column(table, name, kinds[name]) for name in names
    }
    return measuring_length(_baseline(columns, options, table), lengths)


def create_bundle(
    estimator: Any,
    reference: Any,
    target: str,
    *,
    name: str,
    version: str,
    out: Path | str,
    evaluation: Any = None,
    options: BaselineOptions | None = None,
    category_codes: Mapping[str, Mapping[str, float]] | None = None,
    trusted_types: Iterable[str] = (),
    overwrite: bool = False,
    features: Sequence[str] = (),
    share_samples: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Make a bundle folder of a fitted estimator (or its .skops file) and the table it was fitted on.

    `reference` and `evaluation` are a file or folder of rows, a DataFrame, an Arrow table or a dict of
    columns. The score's distribution and the performance come from `evaluation`, rows that the
    estimator was not fitted on; without it they are marked `in_sample`. `category_codes` gives for
    each column of text the number that the estimator was fitted on in its place; a column of text
    without codes is given to the estimator as text, in a DataFrame. A csv file's column that is stated
    categorical is read as text; if it spells numbers only, and no encoder in the estimator knows them as
    text, the estimator is given those numbers. `features` are the columns that the estimator takes, in order,
    where it does not say so itself. The samples that clients see are made up, with `share_samples` they are rows
    of the evaluation table. `tell` is called with what the maker should know: what was taken, and what looks odd.
    Raises BundleError or TableError.
    """
    options = options or BaselineOptions()
    out = Path(out)
    refuse_existing(out, overwrite)
    by_file = isinstance(estimator, str | Path)
    model = load_model(Path(estimator), trusted_types) if by_file else _copied(estimator)
    classes_of(model)  # whether there is a fitted one, before a table is read
    codes = category_codes or {}
    classes = class_names(model)
    stated = dict.fromkeys([*_stated_text(options), *codes], ())
    table = _ordered(read_table(reference, {**stated, **_known_texts(model), target: classes}), options)
    require(table, [target], "the reference")
    left_out = _not_features(options, table, target)
    chosen = names_of(model, table.column_names, left_out, features)
    taken = features_of(model, table, left_out, options.kinds, codes, chosen.names)
    taken = _as_trained(taken, model, Source.of(reference, table), options, codes)
    refuse_several_answers(model, table, chosen.names)
    columns = {f.name: _watched(table, f, as_written=is_csv(reference)) for f in taken}
    lengths = [f.name for f in taken if f.kind == "text"]
    baseline = measuring_length(_baseline(columns, options, table), lengths)
    info = _describe(model, taken, name, version, target, as_frame=chosen.as_frame)
    _tell_of(tell, chosen, columns, table, options, info)
    draft = _Draft(info, model, baseline, share_samples)
    known = {f.name: f.categories for f in taken if f.kind != "numeric"}
    held_out = table if evaluation is None else _ordered(read_table(evaluation, {**known, target: classes}), options)
    require(held_out, [target, *columns], "the evaluation table")
    if not held_out.num_rows:
        raise BundleError("the evaluation table has no rows")
    fitted = _Rows.of(table, taken, reference) if options.time is not None and evaluation is not None else None
    held = _Rows.of(held_out, taken, reference if evaluation is None else evaluation)
    try:
        bundle = draft.with_scores(held, target, options, in_sample=evaluation is None, fitted=fitted)
    except BundleError as error:
        raise BundleError(f"{error}{chosen.doubt}") from error
    write_bundle(bundle, out, trusted_types)
    return bundle


def _copied(estimator: Any) -> Any:
    """Return a copy, because the bundle's model forgets its features' names and the caller's must not."""
    try:
        return copy.deepcopy(estimator)
    except Exception as error:  # a part may raise anything when it is copied
        raise BundleError(
            f"the estimator cannot be copied ({type(error).__name__}), so it cannot be saved: leave out or replace the "
            "part that holds open files, locks, generators or the like"
        ) from error


def _tell_of(
    tell: Callable[[str], None],
    chosen: Names,
    columns: Table,
    table: pa.Table,
    options: BaselineOptions,
    info: BundleInfo,
) -> None:
    """Tell which columns were taken, which were not, and which of those that were look odd."""
    target = info.target or ""
    tell(f"{len(chosen.names)} features, {chosen.source}: {listed(chosen.names)}")
    reasons = {**dict.fromkeys(options.ignore, "ignored"), target: "the target"}
    reasons |= {options.time: "the time"} if options.time else {}
    reasons |= dict.fromkeys(index_columns(table.column_names), "a DataFrame's index")
    tell(f"not taken: {not_taken(table.column_names, chosen.names, reasons)}")
    for sentence in suspects(columns, _truth(table, info)):
        tell(f"warning: {sentence}")


def _truth(table: pa.Table, info: BundleInfo) -> FloatArray | Categories:
    target = info.target or ""
    if info.task == "regression":
        return as_numbers(table[target], target)
    return categories(table, target, [category_name(label) or "" for label in info.classes])


def _stated_text(options: BaselineOptions) -> list[str]:
    return [name for name, kind in options.kinds.items() if kind != "numeric"]


def _known_texts(model: Any) -> dict[str, tuple[str, ...]]:
    """Return the columns that an estimator takes as text, by the names that it was fitted on, with their categories."""
    found = known_columns(model, trained_names(model))
    return {name: known.texts for name, known in found.items() if known.spells or known.is_text}


def _as_trained(
    features: tuple[Feature, ...], model: Any, source: Source, options: BaselineOptions, codes: Mapping[str, object]
) -> tuple[Feature, ...]:
    """Return features with what their columns were in training; those with codes or a stated kind keep these."""
    known = known_columns(model, [f.name for f in features])
    if takes_text_alone(model) and len(features) == 1:
        known = {features[0].name: Known(is_text=True)}
    encoded = encoded_texts(model)
    found = []
    for feature in features:
        own = known.get(feature.name, NOTHING_KNOWN)
        if feature.name in options.kinds:
            own = replace(own, is_text=feature.kind == "text", categories=own.categories)
        coded = feature.name in codes
        found.append(feature if coded else as_trained(feature, source, own, encoded))
    return tuple(found)


def _ordered(table: pa.Table, options: BaselineOptions) -> pa.Table:
    return table if options.time is None else in_order(table, options.time)


def _not_features(options: BaselineOptions, table: pa.Table, *others: str) -> list[str]:
    """Return the columns that are no features: ignored ones, times, the target, and a DataFrame's index."""
    require(table, options.ignore, "the table")
    stored = index_columns(table.column_names)
    return [*others, *options.ignore, *([options.time] if options.time else []), *stored]


def _baseline(columns: Table, options: BaselineOptions, source: pa.Table) -> Baseline:
    """Build the baseline of columns whose times, if any, are in the table that they come from."""
    hours = hours_of(seconds_since_1970(source, options.time)) if options.by_hour and options.time else None
    return build_baseline(
        columns,
        created=_now(),
        ordered_by=options.time,
        window_sizes=options.window_sizes,
        natural_variation_quantile=options.natural_variation_quantile,
        zero_bin=options.zero_bin,
        hours=hours,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _describe(
    model: Any, features: tuple[Feature, ...], name: str, version: str, target: str, *, as_frame: bool
) -> BundleInfo:
    classes = classes_of(model)
    frame = as_frame or any(f.kind != "numeric" and f.codes is None for f in features) or selects_by_name(model)
    try:
        return BundleInfo(
            name=name,
            version=version,
            task="regression" if classes is None else "binary" if len(classes) == 2 else "multiclass",
            features=features,
            classes=classes or (),
            input="dataframe" if frame else "matrix",
            created=_now(),
            libraries={library: library_version(library) for library in LIBRARIES},
            target=target,
        )
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        value = {"name": name, "version": version}.get(str(field))
        if value is None:
            raise BundleError(told(error)) from error
        raise BundleError(
            f"{field}: {shown(value)!r} cannot be one: use letters, digits, . _ - (at most 128, and not only dots)"
        ) from error


# ---------------------------------------------------------------- what the model answers


@dataclass(frozen=True)
class _Rows:
    """Rows of a table, and how the model is given them."""

    table: pa.Table
    batch: Batch

    @classmethod
    def of(cls, table: pa.Table, features: Sequence[Feature], source: Any) -> _Rows:
        """Take the rows of a table that was read from a source."""
        return cls(table, _batch(table, features, as_written=is_csv(source)))


@dataclass(frozen=True)
class _Draft:
    """A bundle whose score columns, samples and performance are still to come."""

    info: BundleInfo
    model: Any
    baseline: Baseline
    share_samples: bool = False

    def with_scores(
        self, held: _Rows, target: str, options: BaselineOptions, *, in_sample: bool, fitted: _Rows | None
    ) -> Bundle:
        """Return the bundle with the scores of a table; `fitted` are the rows of the reference, if in order of time."""
        table, batch = held.table, held.batch
        usual = _usual_row(self.info.features, batch)
        info, model = Probe(self.info, self.model, self.baseline, batch, usual).found()
        predictor = Predictor(Bundle(info, model, self.baseline))
        try:
            labels, scores = _predict_all(predictor, batch)
        except (ModelFailed, Refused) as error:
            raise BundleError(
                f"the model cannot answer the {'reference' if in_sample else 'evaluation table'}: {error}"
            ) from error
        own = _baseline(_score_columns(info, labels, scores), _of_scores(options, table), table)
        if fitted is not None:
            own = self._varying_as(own, predictor, fitted, options)
        watched = joined(self.baseline, own, in_sample=in_sample)
        if self.share_samples:
            samples = shared_samples(info.features, batch, _lacking(info.features, batch), labels, scores)
        else:
            samples = made_up_samples(predictor, batch)
        info = info.model_copy(
            update={
                "samples": samples,
                "timing": timing_of(predictor, samples),
                "performance": measure_performance(info, table, target, labels, scores, in_sample),
            }
        )
        return Bundle(info, model, watched)

    def _varying_as(self, own: Baseline, predictor: Predictor, fitted: _Rows, options: BaselineOptions) -> Baseline:
        """Return the scores' baseline with the dependence and variation of those of the rows that it was fitted on.

        How they are distributed is not to be trusted, but how they follow one another is, and as a rule
        the rows span more time than the held-out ones: a season that these do not have.
        """
        try:
            labels, scores = _predict_all(predictor, fitted.batch)
        except (ModelFailed, Refused):  # there may be rows that it was not fitted on
            return own
        return varying_as(
            own,
            _baseline(_score_columns(self.info, labels, scores), _of_scores(options, fitted.table), fitted.table),
        )


def _of_scores(options: BaselineOptions, table: pa.Table) -> BaselineOptions:
    """Return how the baseline of scores is built: not by hour where the table has too few rows for that."""
    if not options.by_hour or options.time is None:
        return options
    most = rows_by_hour(seconds_since_1970(table, options.time)).max()
    return replace(options, by_hour=bool(most >= FEWEST_HOUR_ROWS))


def _score_columns(info: BundleInfo, labels: Sequence[Label], scores: FloatArray) -> Table:
    columns: dict[str, FloatArray | Categories] = {PREDICTION: scores}
    if info.task == "multiclass":
        columns[PREDICTION_CLASS] = categories(pa.table({"class": labels}), "class")
    return columns


def _usual_row(features: Sequence[Feature], batch: Batch) -> Batch:
    """Return the first row without a missing value, or the first of all."""
    row = int(np.argmax(~_lacking(features, batch).any(axis=1)))
    return batch.part(slice(row, row + 1))


def _lacking(features: Sequence[Feature], batch: Batch) -> BoolArray:
    """Say which values the model is given as missing, shape [n, features]."""
    lacking = np.isnan(batch.cells)
    for place, names in batch.texts.items():
        known = set(features[place].categories)
        is_text = features[place].kind == "text"
        lacking[:, place] = [name is None if is_text else name not in known for name in names]
    return lacking


def _batch(table: pa.Table, features: Sequence[Feature], *, as_written: bool) -> Batch:
    cells = np.full((table.num_rows, len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    for place, feature in enumerate(features):
        if feature.kind == "text":
            texts[place] = texts_of(table[feature.name], feature.name)
        elif isinstance(data := cells_of(table, feature, as_written=as_written), Categories):
            named = (*data.names, None)
            texts[place] = [named[code] for code in data.codes.tolist()]
        else:
            cells[:, place] = data
    return Batch(cells, texts)


def _watched(table: pa.Table, feature: Feature, *, as_written: bool) -> FloatArray | Categories:
    """Return what of a feature is watched: of free text its number of characters."""
    if feature.kind == "text":
        return text_lengths(table[feature.name], feature.name)
    return cells_of(table, feature, as_written=as_written)


def _predict_all(predictor: Predictor, batch: Batch) -> tuple[list[Label], FloatArray]:
    labels: list[Label] = []
    scores = []
    for first in range(0, len(batch), _ROWS_AT_ONCE):
        answer = predictor.predict(batch.part(slice(first, first + _ROWS_AT_ONCE)))
        labels.extend(answer.labels)
        scores.append(answer.scores)
    return labels, np.concatenate(scores)
