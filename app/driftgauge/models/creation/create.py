"""Making a bundle: from a fitted estimator and its tables to a folder that can be served."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pydantic import ValidationError

from driftgauge.common.quoting import listed
from driftgauge.common.schema_errors import shown, told
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.reference.baseline import measuring_length
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.errors import BundleError, ColumnError
from driftgauge.models.bundle import Bundle, BundleInfo, Feature
from driftgauge.models.creation.baseline import (
    BaselineOptions,
    baseline_with,
    not_features,
    now_text,
    ordered,
    stated_text,
)
from driftgauge.models.creation.bundle_builder import Draft, Rows
from driftgauge.models.creation.column_types import Source, as_trained, cells_of
from driftgauge.models.creation.column_warnings import suspects
from driftgauge.models.creation.estimator import (
    class_names,
    classes_of,
    encoded_texts,
    features_of,
    refuse_several_answers,
    selects_by_name,
)
from driftgauge.models.creation.feature_names import FeatureNames, names_of, not_taken, trained_names
from driftgauge.models.creation.learned_columns import NOTHING_KNOWN, Known, known_columns, takes_text_alone
from driftgauge.models.creation.write import refuse_existing, write_bundle
from driftgauge.models.model_file import load_model
from driftgauge.tables.cells import as_numbers, text_lengths
from driftgauge.tables.table import categories, index_columns, is_csv, read_table, require

LIBRARIES: Final = ("scikit-learn", "numpy", "skops")


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
    stated = dict.fromkeys([*stated_text(options), *codes], ())
    table = ordered(read_table(reference, {**stated, **_known_texts(model), target: classes}), options)
    require(table, [target], "the reference")
    left_out = not_features(options, table, target)
    chosen = names_of(model, table.column_names, left_out, features)
    _refuse_ignored(chosen, options.ignore)
    taken = features_of(model, table, left_out, options.kinds, codes, chosen.names)
    taken = _as_trained(taken, model, Source.of(reference, table), options, codes)
    refuse_several_answers(model, table, chosen.names)
    columns = {f.name: watched(table, f, as_written=is_csv(reference)) for f in taken}
    lengths = [f.name for f in taken if f.kind == "text"]
    baseline = measuring_length(baseline_with(columns, options, table), lengths)
    info = _describe(model, taken, name, version, target, as_frame=chosen.as_frame)
    _tell_of(tell, chosen, columns, table, options, info)
    draft = Draft(info, model, baseline, share_samples)
    known = {f.name: f.categories for f in taken if f.kind != "numeric"}
    held_out = table if evaluation is None else ordered(read_table(evaluation, {**known, target: classes}), options)
    require(held_out, [target, *columns], "the evaluation table")
    if not held_out.num_rows:
        raise BundleError("the evaluation table has no rows")
    fitted = Rows.of(table, taken, reference) if options.time is not None and evaluation is not None else None
    held = Rows.of(held_out, taken, reference if evaluation is None else evaluation)
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


def _refuse_ignored(chosen: FeatureNames, ignored: Sequence[str]) -> None:
    """Raise BundleError where a column is to be ignored that the model takes."""
    taken = [name for name in ignored if name in chosen.names]
    if taken:
        raise BundleError(
            f"{listed(taken)} cannot be ignored, because the model takes it ({chosen.source}): leave "
            "out --ignore, or fit the estimator without it"
        )


def _tell_of(
    tell: Callable[[str], None],
    chosen: FeatureNames,
    columns: Table,
    table: pa.Table,
    options: BaselineOptions,
    info: BundleInfo,
) -> None:
    """Tell which columns were taken, which were not, and which of those that were look odd."""
    target = info.target or ""
    what = "feature" if len(chosen.names) == 1 else "features"
    tell(f"{len(chosen.names)} {what}, {chosen.source}: {listed(chosen.names)}")
    reasons = {**dict.fromkeys(options.ignore, "ignored"), target: "the target"}
    reasons |= {options.time: "the time"} if options.time else {}
    reasons |= dict.fromkeys(index_columns(table.column_names), "a DataFrame's index")
    tell(f"not taken: {not_taken(table.column_names, chosen.names, reasons)}")
    for sentence in suspects(columns, _truth(table, info)):
        tell(f"warning: {sentence}")


def _truth(table: pa.Table, info: BundleInfo) -> FloatArray | Categories:
    target = info.target or ""
    if info.task == "regression":
        try:
            return as_numbers(table[target], target)
        except ColumnError as error:
            raise BundleError(f"{error}: the model is a regressor, so its target must be numbers") from error
    return categories(table, target, [category_name(label) or "" for label in info.classes])


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
            created=now_text(),
            libraries={library: library_version(library) for library in LIBRARIES},
            target=target,
        )
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        value = {"name": name, "version": version}.get(str(field))
        if value is None:
            raise BundleError(told(error)) from error
        raise BundleError(
            f"{field}: {shown(value)!r} is not possible: use letters, digits, . _ - (at most 128, and not only dots)"
        ) from error


def watched(table: pa.Table, feature: Feature, *, as_written: bool) -> FloatArray | Categories:
    """Return what of a feature is watched: of free text its number of characters."""
    if feature.kind == "text":
        return text_lengths(table[feature.name], feature.name)
    return cells_of(table, feature, as_written=as_written)
