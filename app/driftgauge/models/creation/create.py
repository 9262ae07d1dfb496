"""Creating a bundle: from a fitted estimator and its tables to a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from driftgauge.about import About
from driftgauge.common.quoting import listed
from driftgauge.common.schema_errors import display, explain
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.suggestion import suggest, table_facts
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import Table
from driftgauge.errors import BundleError
from driftgauge.models.bundle import Bundle, BundleInfo, Feature, Input
from driftgauge.models.creation.baseline import BaselineOptions, kept_rows, now_text
from driftgauge.models.creation.bundle_builder import BundleBuilder, Rows
from driftgauge.models.creation.column_warnings import column_warnings
from driftgauge.models.creation.estimator import classes_of, refuse_several_answers, selects_by_name
from driftgauge.models.creation.feature_names import FeatureNames, not_taken
from driftgauge.models.creation.foreign import ForeignModel
from driftgauge.models.creation.label_baseline import label_baseline
from driftgauge.models.creation.model_source import ModelSource
from driftgauge.models.creation.reference import Reference
from driftgauge.models.creation.write import refuse_existing, write_bundle
from driftgauge.models.formats.registry import distribution_of
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.tables.table import index_columns

LIBRARIES: Final = ("scikit-learn", "numpy", "skops")


def create_bundle(
    model: Any,
    reference: Any,
    target: str,
    *,
    name: str,
    version: str,
    out: Path | str,
    evaluation: Any = None,
    options: BaselineOptions | None = None,
    about: About | None = None,
    category_codes: Mapping[str, Mapping[str, float]] | None = None,
    trusted_types: Iterable[str] = (),
    overwrite: bool = False,
    features: Sequence[str] = (),
    share_samples: bool = False,
    classes: Sequence[str] = (),
    onnx_outputs: Mapping[str, str] | None = None,
    trust_pickle: bool = False,
    importances: bool = True,
    log: Callable[[str], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Create a bundle folder from a fitted model and the table it was fitted on.

    `model` is a scikit-learn, LightGBM or XGBoost estimator or the path of its .skops file, a booster of XGBoost or
    LightGBM, a model of CatBoost, the path of a file of one of them or of an ONNX model, `python:MODULE:OBJECT` of your
    own code, or a model of MLflow: its folder or `models:/NAME@ALIAS`.
    `reference` and `evaluation` are a DataFrame, an Arrow table, a dict of columns, or the path of a file or folder;
    both hold the features and the column `target`.

    - `evaluation`: rows that the estimator was not fitted on. The score's distribution and the performance come from
      it; without it they come from the reference and are marked `in_sample`.
    - `options`: how the baseline is built, such as the column of times.
    - `about`: whose the model is, and what it was made from; by default what `options` say.
    - `category_codes`: for each column of text, the number that stood for each category in training. A column of
      text without codes is given to the estimator as text, in a DataFrame.
    - `trusted_types`: types beyond the built-in list that the model may contain; each can run code.
    - `overwrite`: replace an existing bundle.
    - `features`: the columns that the model takes, in order, if it does not know them itself.
    - `share_samples`: show three rows of the evaluation table to clients, instead of synthetic ones.
    - `classes`: names of the classes in the order of the model's probabilities, if it does not know them itself; by
      default the sorted values of the target.
    - `onnx_outputs`: what an ONNX model's outputs are, where that is ambiguous: label, probabilities or value.
    - `trust_pickle`: load a model of MLflow, although it may run any code.
    - `importances`: measure how much the model depends on each feature, by shuffling the feature's values in up to
      5,000 rows of the evaluation table, or of the reference without one; and what each contributes to their scores.
    - `log`: called with one line for the features, one for the other columns, and one for each warning.
    - `progress`: called with what is being done, where it may take a while.

    Raises BundleError, BaselineError or TableError, all of them DriftgaugeError.

    >>> import driftgauge
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> table = load_breast_cancer(as_frame=True).frame
    >>> train, test = table[:400], table[400:]
    >>> model = GaussianNB().fit(train.drop(columns="target"), train["target"])
    >>> driftgauge.create_bundle(model, train, "target", name="tumours", version="1", out="bundle", evaluation=test)
    <Bundle tumours 1: binary, 30 features, reference of 400 rows>
    """
    out = Path(out)
    refuse_existing(out, overwrite)
    source = ModelSource(model, tuple(trusted_types), onnx_outputs, trust_pickle)
    loaded = source.load()
    options = options or BaselineOptions()
    options = options if about is None else replace(options, about=about)
    table = Reference.read(reference, target, loaded, options, category_codes or {})
    if isinstance(loaded, ForeignModel):
        loaded = loaded.with_classes(table.table, target, classes)
        table = replace(table, model=loaded)
    names = table.feature_names(features)
    info, baseline, constraints, sample = _described(table, names, name, version, log)
    foreign = loaded if isinstance(loaded, ForeignModel) else None
    measured = progress if importances else None
    builder = BundleBuilder(
        info, foreign.model if foreign else loaded, baseline, table.options, share_samples, measured
    )
    bundle = replace(_built(builder, table, evaluation, names), constraints=constraints, sample=sample)
    return write_bundle(bundle, out, source.trusted, foreign.saved if foreign else None)


def _described(
    reference: Reference, names: FeatureNames, name: str, version: str, log: Callable[[str], None]
) -> tuple[BundleInfo, Baseline, Constraints, RowSample | None]:
    """Describe the model, build the baseline of its features and what is kept beside it, and log what was found."""
    features = reference.features(names)
    refuse_several_answers(reference.model, reference.table, names.names)
    columns = reference.columns(features)
    baseline = reference.baseline(features, columns)
    info = _info(reference, features, name, version, as_frame=names.as_frame)
    for line in _log_lines(reference, names, columns, info):
        log(line)
    kept = kept_rows(columns, reference.options)
    return info, baseline, suggest(baseline, table_facts(columns, baseline)), kept


def _built(builder: BundleBuilder, reference: Reference, evaluation: Any, names: FeatureNames) -> Bundle:
    """Score the evaluation table, and with times also the reference, and build the bundle."""
    features = builder.info.features
    table = reference.evaluation(evaluation, features)
    is_timed = reference.options.time is not None
    fitted = Rows.of(reference.table, features, reference.source) if is_timed and evaluation is not None else None
    rows = Rows.of(table, features, reference.source if evaluation is None else evaluation)
    try:
        built = builder.build(rows, in_sample=evaluation is None, fitted=fitted)
    except BundleError as error:
        raise BundleError(f"{error}{names.doubt}") from error
    return replace(built, labels=label_baseline(builder.info, reference.table, reference.options))


def _log_lines(reference: Reference, names: FeatureNames, columns: Table, info: BundleInfo) -> Iterator[str]:
    """Yield the features, the columns that are none, and warnings about odd features."""
    what = "feature" if len(names.names) == 1 else "features"
    yield f"{len(names.names)} {what}, {names.source}: {listed(names.names)}"
    options, others = reference.options, reference.table.column_names
    reasons = {**dict.fromkeys(options.ignore, "ignored"), reference.target: "the target"}
    reasons |= {options.time: "the time"} if options.time else {}
    reasons |= dict.fromkeys(index_columns(others), "a DataFrame's index")
    yield f"not taken: {not_taken(others, names.names, reasons)}"
    for warning in column_warnings(columns, reference.truth(info)):
        yield f"warning: {warning}"


def _info(
    reference: Reference, features: tuple[Feature, ...], name: str, version: str, *, as_frame: bool
) -> BundleInfo:
    model = reference.model
    classes = classes_of(model)
    spec = model.description.spec if isinstance(model, ForeignModel) else ModelSpec()
    try:
        return BundleInfo(
            name=name,
            version=version,
            task="regression" if classes is None else "binary" if len(classes) == 2 else "multiclass",
            features=features,
            classes=classes or (),
            model=spec,
            input=_input(model, features, as_frame=as_frame),
            created=now_text(),
            libraries={library: library_version(library) for library in (*LIBRARIES, *distribution_of(spec))},
            target=reference.target,
            about=reference.options.about,
        )
    except ValidationError as error:
        raise BundleError(_refusal(error, {"name": name, "version": version})) from error


def _input(model: Any, features: Sequence[Feature], *, as_frame: bool) -> Input:
    """Return what the model is given."""
    if isinstance(model, ForeignModel):
        return model.description.input
    frame = as_frame or any(f.kind != "numeric" and f.codes is None for f in features) or selects_by_name(model)
    return "dataframe" if frame else "matrix"


def _refusal(error: ValidationError, given: Mapping[str, str]) -> str:
    """Return why a bundle cannot be described, with the advice for a name or version."""
    field = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else ""
    if field not in given:
        return explain(error)
    rule = "use letters, digits, . _ - (at most 128, and not only dots)"
    return f"{field}: {display(given[field])!r} is not possible: {rule}"
