from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge.checks.check import Check
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BundleError, TableError
from driftgauge.models.bundle import Bundle, Feature, load_bundle
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.models.creation.column_types import TableSource, missing_kinds, pandas_dtypes, with_column_type
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.creation.learned_columns import LearnedColumn, learned_columns, takes_only_texts
from driftgauge.models.frames import Frames
from driftgauge.models.predictor import Predictor, batch_of
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from tests.examples import json_rows

ROWS = 120
RNG = np.random.default_rng(3)
X = RNG.normal(size=ROWS)
Y = (X + RNG.normal(size=ROWS) > 0).astype(int)
COLOURS = RNG.choice(["red", "green"], ROWS).astype(object)
TEXTS = [f"{word} item {place % 5}" for place, word in enumerate(RNG.choice(["good", "bad", "fine"], ROWS))]
REVIEWS = pd.DataFrame({"review": pd.Series(TEXTS, dtype=object), "x": X})


def gapped(values: Any, gap: Any) -> Any:
    return np.array([gap if place % 5 == 0 else value for place, value in enumerate(values)], dtype=object)


def create(model: Any, table: Any, out: Path, **more: Any) -> Bundle:
    create_bundle(model, table, "y", name="m", version="1", out=out, **more)
    return load_bundle(out)


# ---------------------------------------------------------------- what the parts of an estimator know


def around(inner: Any) -> dict[str, Any]:
    """An estimator as others wrap it."""
    return {
        "alone": inner,
        "search": GridSearchCV(inner, {}, cv=2),
        "calibrated": CalibratedClassifierCV(inner, cv=2),
        "threshold": FixedThresholdClassifier(inner),
    }


@pytest.mark.parametrize("wrapped", around(None))
@pytest.mark.parametrize(("gap", "missing"), [(None, "none"), (np.nan, "nan")])
def test_the_categories_of_a_column_are_found_inside_other_estimators(wrapped: str, gap: Any, missing: str) -> None:
    frame = pd.DataFrame({"x": X, "c": pd.Series(gapped(COLOURS, gap), dtype=object)})
    encode = ColumnTransformer([("o", OneHotEncoder(), ["c"])], remainder="passthrough")
    model = around(make_pipeline(encode, LogisticRegression()))[wrapped].fit(frame, Y)
    found = learned_columns(model, ["x", "c"])
    assert found["c"] == LearnedColumn(categories=("green", "red"), missing=missing)  # type: ignore[arg-type]
    assert found["c"].has_texts
    assert found.get("x", LearnedColumn()) == LearnedColumn()


@pytest.mark.parametrize("columns", [["c", "x"], [1, 0], slice(None), [True, True]])
def test_columns_are_told_apart_however_they_are_selected(columns: Any) -> None:
    frame = pd.DataFrame({"x": np.round(X), "c": COLOURS})
    model = make_pipeline(ColumnTransformer([("o", OneHotEncoder(), columns)]), LogisticRegression()).fit(frame, Y)
    found = learned_columns(model, ["x", "c"])
    assert found["c"].categories == ("green", "red")
    assert found["x"].categories == tuple(np.unique(np.round(X)).tolist())
    assert not found["x"].has_texts


def test_what_is_missing_is_what_the_first_imputer_fills() -> None:
    frame = pd.DataFrame({"c": pd.Series(gapped(COLOURS, None), dtype=object)})
    steps = make_pipeline(SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder())
    model = make_pipeline(make_column_transformer((steps, ["c"])), LogisticRegression()).fit(frame, Y)
    assert learned_columns(model, ["c"])["c"] == LearnedColumn(categories=("green", "red"), missing="none")


def test_a_boosting_by_dtype_is_known_as_such() -> None:
    frame = pd.DataFrame({"x": X, "c": pd.Categorical(COLOURS)})
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(frame, Y)
    found = learned_columns(model, ["x", "c"])
    assert found["c"].by_dtype
    assert found["c"].categories == ("green", "red")
    assert not found["x"].by_dtype


@pytest.mark.parametrize("vectoriser", [TfidfVectorizer(), CountVectorizer(), HashingVectorizer(n_features=8)])
def test_a_vectoriser_takes_free_text(vectoriser: Any) -> None:
    model = make_pipeline(make_column_transformer((vectoriser, "review")), LogisticRegression()).fit(REVIEWS, Y)
    assert learned_columns(model, ["review", "x"])["review"].is_text
    assert not takes_only_texts(model)
    alone = make_pipeline(vectoriser, LogisticRegression()).fit(TEXTS, Y)
    assert takes_only_texts(alone)
    assert takes_only_texts(
        make_pipeline(make_union(vectoriser, CountVectorizer()), LogisticRegression()).fit(TEXTS, Y)
    )
    assert not takes_only_texts(make_pipeline(StandardScaler(), LogisticRegression()).fit(REVIEWS[["x"]], Y))


# ---------------------------------------------------------------- what a column was

TYPED = pd.DataFrame(
    {
        "object": pd.Series(gapped(COLOURS, None), dtype=object),
        "nan": pd.Series(gapped(COLOURS, np.nan), dtype=object),
        "str": pd.Series(gapped(COLOURS, np.nan), dtype="str"),
        "category": pd.Categorical(COLOURS),
        "bool": X > 0,
        "gaps": gapped((X > 0).tolist(), np.nan),
        "boolean": pd.array(gapped((X > 0).tolist(), None), dtype="boolean"),
        "int32": np.arange(ROWS, dtype=np.int32),
        "Int64": pd.array(gapped(range(ROWS), None), dtype="Int64"),
        "float32": X.astype(np.float32),
        "float64": X,
        "empty": pd.Series(gapped(COLOURS, ""), dtype=object),
    }
)


def trained(name: str, source: Any, table: pa.Table) -> Feature:
    kind: Any = "categorical" if name in ("object", "nan", "str", "category", "empty") else "numeric"
    names = tuple(sorted({str(one) for one in TYPED[name].dropna()})) if kind == "categorical" else ()
    feature = Feature(name=name, kind=kind, categories=names)
    return with_column_type(feature, TableSource.of(source, table), LearnedColumn(), ())


@pytest.mark.parametrize("name", TYPED)
def test_a_column_is_rebuilt_as_it_was(name: str) -> None:
    feature = trained(name, TYPED, pa.table(TYPED))
    assert feature.dtype == str(TYPED[name].dtype)
    column = TYPED[name]
    cells = np.full((ROWS, 1), np.nan)
    texts = {}
    if feature.kind == "categorical":
        texts[0] = [None if pd.isna(value) else value for value in column]
    else:
        cells[:, 0] = [np.nan if pd.isna(value) else float(value) for value in column]
    ((rows, frame),) = list(Frames([feature]).of(cells, texts))
    assert rows is None
    pd.testing.assert_series_equal(frame[name], column, check_dtype=True)
    kinds = [type(value) for value in column.tolist()]
    assert [type(value) for value in frame[name].tolist()] == kinds  # None is None, and NaN is NaN


def test_a_parquet_file_says_its_dtypes_as_the_frame_does(tmp_path: Path) -> None:
    TYPED.to_parquet(tmp_path / "t.parquet")
    assert (
        pandas_dtypes(tmp_path / "t.parquet")
        == pandas_dtypes(TYPED)
        == {name: str(TYPED[name].dtype) for name in TYPED}
    )
    assert pandas_dtypes(pa.table(TYPED)) == pandas_dtypes(TYPED)
    assert pandas_dtypes({"x": [1]}) == pandas_dtypes(pa.table({"x": [1]})) == pandas_dtypes(tmp_path / "t.csv") == {}
    assert missing_kinds(TYPED) == {"object": "none", "nan": "nan", "gaps": "nan"}


def test_a_row_that_does_not_fit_a_dtype_is_in_a_frame_of_its_own() -> None:
    features = [Feature(name="i", kind="numeric", dtype="int64"), Feature(name="x", kind="numeric", dtype="float64")]
    cells = np.array([[1.0, 0.5], [1.5, 0.5], [np.nan, 0.5], [2.0, 0.5]])
    found = {tuple(rows.tolist()): frame for rows, frame in Frames(features).of(cells, {}) if rows is not None}
    assert set(found) == {(0, 3), (1, 2)}
    assert found[0, 3]["i"].tolist() == [1, 2]
    assert found[0, 3]["i"].dtype == "int64"
    assert found[1, 2]["i"].dtype == "float64"


def test_whole_numbers_beyond_float64_are_kept_among_categories() -> None:
    names = (str(2**53 + 1), str(2**53 + 3))
    codes = tuple(map(float, names))
    feature = Feature(name="k", kind="categorical", categories=names, codes=codes, values="integer", dtype="int64")
    ((_, frame),) = Frames([feature]).of(np.zeros((2, 1)), {0: list(names)})
    assert frame["k"].tolist() == [2**53 + 1, 2**53 + 3]


def test_single_precision_stays_single_and_takes_a_matrix(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": X.astype(np.float32), "z": (X * 3).astype(np.float32)})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, Y)
    for table in (frame.assign(y=Y), frame.astype({"z": "float64"}).assign(y=Y)):
        bundle = create(model, table, tmp_path / str(len(list(tmp_path.iterdir()))))
        assert bundle.info.input == "matrix"
        rows = table.drop(columns="y")
        found = Predictor(bundle).predict(batch_of(bundle.info.features, json_rows(rows.astype(float))))
        np.testing.assert_array_equal(found.scores, model.predict_proba(rows)[:, 1])


def test_a_model_that_answers_otherwise_to_a_matrix_is_given_a_dataframe(tmp_path: Path) -> None:
    flags = pd.DataFrame({"b": gapped((X > 0).tolist(), np.nan)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(flags, Y)
    bundle = create(model, flags.assign(y=Y), tmp_path / "b")
    assert bundle.info.input == "dataframe"
    rows: list[dict[str, Any]] = [{"b": 1.0}, {"b": 0.0}, {"b": None}]
    oracle = pd.DataFrame({"b": pd.Series([True, False, np.nan], dtype=object)})
    found = Predictor(bundle).predict(batch_of(bundle.info.features, rows))
    np.testing.assert_allclose(found.scores, model.predict_proba(oracle)[:, 1], rtol=1e-12)


# ---------------------------------------------------------------- free text


def reviewing(**options: Any) -> Any:
    return make_pipeline(
        make_column_transformer((TfidfVectorizer(**options), "review"), remainder="passthrough"), LogisticRegression()
    )


@pytest.mark.parametrize("source", ["frame", "csv"])
def test_free_text_is_served_and_watched_by_its_length(source: str, tmp_path: Path) -> None:
    table: Any = REVIEWS.assign(y=Y)
    model = reviewing().fit(REVIEWS, Y)
    if source == "csv":
        table.to_csv(tmp_path / "t.csv", index=False)
        table = tmp_path / "t.csv"
    bundle = create(model, table, tmp_path / "b")
    feature, column = bundle.info.features[0], bundle.baseline.columns[0]
    assert (feature.kind, feature.categories, feature.accepts_missing) == ("text", (), False)
    assert (column.name, column.kind, column.of_text) == ("review", "numeric", True)
    assert column.mean == pytest.approx(np.mean([len(text) for text in TEXTS]))
    new = "a good and never seen text ✓"
    found = Predictor(bundle).predict(batch_of(bundle.info.features, [{"review": new, "x": 0.1}]))
    assert found.scores[0] == pytest.approx(model.predict_proba(pd.DataFrame({"review": [new], "x": [0.1]}))[0, 1])
    assert found.columns[0, 0] == len(new) == 28


def test_check_reads_free_text_by_its_length(tmp_path: Path) -> None:
    options = BaselineOptions(kinds={"review": "text"})
    baseline = create_baseline(REVIEWS, options)
    assert baseline.columns[0].of_text
    longer = REVIEWS.assign(review=[f"{text} and so on and so on" for text in TEXTS])
    means = []
    for place, table in enumerate((REVIEWS, longer)):
        for suffix in ("csv", "parquet"):
            path = tmp_path / f"{place}.{suffix}"
            table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
            judged = next(iter(Check(baseline, [path]).windows(0.0)))
            means.append(judged.report.main.sample.mean[0])
    lengths = [len(text) for text in TEXTS]
    assert means == pytest.approx([np.mean(lengths)] * 2 + [np.mean(lengths) + len(" and so on and so on")] * 2)


def test_the_file_of_a_baseline_without_free_text_is_as_before() -> None:
    assert "of_text" not in dumps(create_baseline(REVIEWS[["x"]]))


def test_a_missing_text_is_an_empty_one_where_the_reference_has_such(tmp_path: Path) -> None:
    texts = pd.DataFrame({"review": pd.Series(gapped(TEXTS, ""), dtype=object), "x": X})
    model = reviewing().fit(texts, Y)
    texts.assign(y=Y).to_csv(tmp_path / "t.csv", index=False)
    bundle = create(model, tmp_path / "t.csv", tmp_path / "b")
    assert bundle.info.features[0].accepts_missing
    found = Predictor(bundle).predict(batch_of(bundle.info.features, [{"review": None, "x": 0.1}]))
    assert found.scores[0] == pytest.approx(model.predict_proba(pd.DataFrame({"review": [""], "x": [0.1]}))[0, 1])
    assert np.isnan(found.columns[0, 0])


def test_a_model_that_cannot_answer_a_new_text_is_no_bundle(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": COLOURS, "x": X})
    model = make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["c"]), remainder="passthrough"), LogisticRegression()
    ).fit(frame, Y)
    with pytest.raises(BundleError, match=r"c: the model cannot answer a text that .* \(--kinds c=categorical\)"):
        create(model, frame.assign(y=Y), tmp_path / "b", options=BaselineOptions(kinds={"c": "text"}))
    assert list(tmp_path.iterdir()) == []


def test_a_column_of_numbers_is_no_free_text() -> None:
    with pytest.raises(TableError, match=r"x: it holds .*double, not text"):
        create_baseline(REVIEWS, BaselineOptions(kinds={"x": "text"}))


def test_an_estimator_of_texts_alone_takes_one_column(tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, Y)
    bundle = create(model, REVIEWS[["review"]].assign(y=Y), tmp_path / "b")
    assert bundle.info.input == "texts"
    found = Predictor(bundle).predict(batch_of(bundle.info.features, [{"review": "good stuff"}, {"review": ""}]))
    np.testing.assert_allclose(found.scores, model.predict_proba(["good stuff", ""])[:, 1], rtol=1e-12)
    with pytest.raises(BundleError, match=r"takes one column of texts, but the reference has 2 .*--ignore the others"):
        create(model, REVIEWS.assign(y=Y), tmp_path / "c")


# ---------------------------------------------------------------- bundles of earlier versions


def test_a_bundle_of_an_earlier_version_answers_as_it_did(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(COLOURS), "x": X})
    model = HistGradientBoostingClassifier(max_iter=4, categorical_features="from_dtype").fit(frame, Y)
    create(model, frame.assign(y=Y), tmp_path / "b")
    path = tmp_path / "b" / "bundle.json"
    content = orjson.loads(path.read_bytes())
    for feature in content["features"]:
        for key in ("dtype", "values", "missing", "accepts_unseen"):
            del feature[key]
    path.write_bytes(orjson.dumps(content))
    bundle = load_bundle(tmp_path / "b")
    rows: list[dict[str, Any]] = [{"c": "red", "x": 0.1}, {"c": "violet", "x": 0.1}, {"c": None, "x": 0.1}]
    found = Predictor(bundle).predict(batch_of(bundle.info.features, rows)).scores
    oracle = pd.DataFrame({"c": pd.Categorical(["red", None, None], categories=["green", "red"]), "x": [0.1] * 3})
    np.testing.assert_allclose(found, model.predict_proba(oracle)[:, 1], rtol=1e-12)


@pytest.mark.parametrize("is_file", [True, False])
def test_classes_are_categories_also_if_they_are_numbers(tmp_path: Path, *, is_file: bool) -> None:
    numbers, given = [1.5, 2.5, 3.5, 4.5] * 50, [0, 1, 1, 2] * 50
    table = {"x": numbers, "prediction_class": given}
    source = tmp_path / "classes.csv"
    lines = (f"{x},{own}\n" for x, own in zip(numbers, given, strict=True))
    source.write_text("x,prediction_class\n" + "".join(lines))
    x, classes = create_baseline(source if is_file else table).columns
    assert (x.kind, classes.kind) == ("numeric", "categorical")
    assert classes.bins.categories == ("1", "0", "2")
    stated = BaselineOptions(kinds={"prediction_class": "numeric"})
    assert create_baseline(source if is_file else table, stated).columns[1].kind == "numeric"
