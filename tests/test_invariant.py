"""Whatever way a row comes, the answer is what the fitted estimator gives for it, or a refusal that names the field."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.main import create_app
from driftgauge.models.bundle import Bundle, Label, load_bundle
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.predictor import Predictor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from tests.examples import quiet
from tests.servers import serving

TARGET = "outcome"
ROWS = 240
EXAMPLES = {"frame": 3, "parquet": 2, "csv": 2}
WORDS = ("good", "bad", "great", "awful", "fast", "slow")
Frame = pd.DataFrame


@dataclass(frozen=True)
class Case:
    """An estimator, and how its author prepares what pandas reads before fitting it."""

    model: Callable[[], Any]
    columns: Mapping[str, Any]
    """Columns of the table as its author holds them, each of ROWS values."""
    prepare: Callable[[Frame], Frame] = lambda frame: frame
    """What is done to a table that was read from a csv, so that its dtypes are the author's."""
    is_regression: bool = False
    kinds: Mapping[str, Any] = field(default_factory=dict)
    classes: int = 2


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def numbers(seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(size=ROWS).round(3)


def gapped(values: Any, gap: Any, dtype: Any = object) -> pd.Series[Any]:
    """Values with every seventh missing."""
    cells = [gap if place % 7 == 0 else value for place, value in enumerate(np.asarray(values, dtype=object).tolist())]
    found: pd.Series[Any] = pd.Series(cells, dtype=dtype)
    return found


COLOURS = rng().choice(["red", "green", "blue"], ROWS)
FLAGS = rng().random(ROWS) < 0.5
TEXTS = [" ".join(rng().permutation(WORDS)[: 2 + place % 4]) for place in range(ROWS)]


def one_hot(*columns: str, **options: Any) -> Any:
    encoder = OneHotEncoder(**{"handle_unknown": "ignore", **options})
    return make_pipeline(
        ColumnTransformer([("o", encoder, list(columns))], remainder="passthrough"), LogisticRegression()
    )


def encoded(encoder: Any, column: str) -> Any:
    return make_pipeline(
        make_column_transformer((encoder, [column]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=4),
    )


def boosting(**options: Any) -> Any:
    return HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype", **options)


def as_category(frame: Frame) -> Frame:
    return frame.assign(c=frame["c"].astype("category"))


CASES: dict[str, Case] = {
    "numbers": Case(
        lambda: make_pipeline(StandardScaler(), LogisticRegression()), {"x": numbers(), "k": rng().integers(0, 9, ROWS)}
    ),
    "many classes": Case(lambda: LogisticRegression(max_iter=300), {"x": numbers(), "z": numbers(2)}, classes=3),
    "a boosting with gaps": Case(
        lambda: HistGradientBoostingClassifier(max_iter=5), {"x": gapped(numbers(), np.nan, "float64"), "z": numbers(2)}
    ),
    "a threshold": Case(
        lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.2), {"x": numbers(), "z": numbers(2)}
    ),
    "category dtype": Case(boosting, {"c": pd.Categorical(gapped(COLOURS, None)), "x": numbers()}, prepare=as_category),
    "category dtype of numbers": Case(
        boosting,
        {"c": pd.Categorical(rng().integers(3, 7, ROWS)), "x": numbers()},
        prepare=as_category,
        kinds={"c": "categorical"},
    ),
    "text, None": Case(lambda: one_hot("c"), {"c": gapped(COLOURS, None), "x": numbers()}),
    "text, NaN": Case(lambda: one_hot("c"), {"c": gapped(COLOURS, np.nan), "x": numbers()}),
    "text of pandas": Case(lambda: one_hot("c"), {"c": gapped(COLOURS, np.nan, "str"), "x": numbers()}),
    "text, empty": Case(
        lambda: one_hot("c"), {"c": gapped(COLOURS, ""), "x": numbers()}, prepare=lambda f: f.fillna({"c": ""})
    ),
    "text, unknown is an error": Case(
        lambda: one_hot("c", handle_unknown="error"), {"c": pd.Series(COLOURS, dtype=object), "x": numbers()}
    ),
    "booleans": Case(lambda: one_hot("b"), {"b": FLAGS, "x": numbers()}),
    "booleans with gaps": Case(lambda: one_hot("b"), {"b": gapped(FLAGS, np.nan), "x": numbers()}),
    "nullable": Case(
        lambda: one_hot("b", "i"),
        {
            "b": gapped(FLAGS, None, "boolean"),
            "i": gapped(rng().integers(0, 4, ROWS), None, "Int64"),
            "x": numbers(),
        },
        prepare=lambda f: f.astype({"b": "boolean", "i": "Int64"}),
    ),
    "whole numbers as categories": Case(lambda: one_hot("k"), {"k": rng().integers(1, 5, ROWS), "x": numbers()}),
    "numbers stated as categories": Case(
        lambda: one_hot("k"), {"k": rng().choice([1.0, 2.5, 3.0], ROWS), "x": numbers()}, kinds={"k": "categorical"}
    ),
    "numbers as text": Case(
        lambda: one_hot("k"),
        {"k": pd.Series(rng().choice([1.0, 2.0, 3.0], ROWS)).astype(str), "x": numbers()},
        prepare=lambda f: f.astype({"k": str}),
    ),
    "booleans as text": Case(
        lambda: one_hot("k"),
        {"k": pd.Series(FLAGS).astype(str), "x": numbers()},
        prepare=lambda f: f.astype({"k": str}),
    ),
    "target encoder": Case(
        lambda: encoded(TargetEncoder(random_state=0), "c"), {"c": gapped(COLOURS, None), "x": numbers()}
    ),
    "ordinal encoder": Case(
        lambda: encoded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "c"),
        {"c": gapped(COLOURS, np.nan), "x": numbers()},
    ),
    "imputer": Case(
        lambda: make_pipeline(
            make_column_transformer(
                (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["c"]),
                (SimpleImputer(), ["x"]),
            ),
            LogisticRegression(),
        ),
        {"c": gapped(COLOURS, np.nan), "x": gapped(numbers(), np.nan, "float64")},
    ),
    "free text": Case(
        lambda: make_pipeline(
            make_column_transformer((TfidfVectorizer(), "t"), remainder="passthrough"), LogisticRegression()
        ),
        {"t": pd.Series(TEXTS, dtype=object), "x": numbers()},
    ),
    "texts alone": Case(
        lambda: make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()),
        {"t": pd.Series(TEXTS, dtype=object)},
    ),
    "regression": Case(
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["c"]), remainder="passthrough"), Ridge()
        ),
        {"c": gapped(COLOURS, None), "x": numbers()},
        is_regression=True,
    ),
    "regression of a boosting": Case(
        lambda: HistGradientBoostingRegressor(max_iter=5), {"x": numbers(), "z": numbers(2)}, is_regression=True
    ),
}
SOURCES = ("frame", "parquet", "csv")
Trial = tuple[str, str]
TRIALS: list[Trial] = [(name, source) for name in CASES for source in SOURCES]
SHORT_TRIALS = [(name, "frame") for name in list(CASES)[::2]]
ALL_TRIALS = [
    pytest.param(trial, id="-".join(trial), marks=[] if trial in SHORT_TRIALS else [pytest.mark.long])
    for trial in TRIALS
]
"""Each trial with its mark: half of the cases from one source are enough for the short tests."""


@dataclass(frozen=True)
class Fitted:
    """A case's estimator, the inputs that it was fitted on, and its bundle."""

    model: Any
    inputs: Frame
    bundle: Bundle
    is_text_alone: bool
    is_regression: bool

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.inputs]

    def oracle(self, row: Mapping[str, Any]) -> tuple[Label, float] | None:
        """What the estimator answers to a row as a DataFrame with the dtypes of its training, None if it fails."""
        frame = Frame({name: rebuilt([row[name]], self.inputs[name]) for name in self.names})
        given: Any = frame["t"] if self.is_text_alone else frame
        try:
            label = self.model.predict(given)[0].item()
            if self.is_regression:
                return label, label
            shares = self.model.predict_proba(given)[0]
        except Exception:
            return None
        return label, float(shares[1] if len(shares) == 2 else shares.max())


def rebuilt(values: list[Any], column: pd.Series[Any]) -> Any:
    gaps = column[column.isna()]
    gap = gaps.iloc[0] if len(gaps) else "" if (column == "").any() else np.nan
    cells = [gap if value is None else value for value in values]
    if column.dtype == "category":
        known = column.cat.categories.tolist()
        new = [value for value in cells if value is not gap and value not in known]
        return pd.Categorical(cells, categories=[*known, *new])
    objects = pd.Series(cells, dtype=object)
    if column.dtype == "bool" and None in values:  # NaN would become True
        return objects
    try:
        typed = objects.astype(column.dtype)
    except (TypeError, ValueError):
        return objects.infer_objects()
    pairs = [(a, b) for a, b in zip(typed.tolist(), cells, strict=True) if not pd.isna(b)]
    return objects.infer_objects() if any(a != b for a, b in pairs) else typed


def made(name: str, source: str, folder: Path) -> Fitted:
    case = CASES[name]
    table = Frame(dict(case.columns))
    first = pd.Series(numbers()) + (table[table.columns[0]] == table[table.columns[0]].iloc[1]).fillna(False).astype(
        float
    )
    noisy = first + rng().normal(size=ROWS)
    target = noisy if case.is_regression else pd.cut(noisy, [-9, *np.linspace(0, 1, case.classes - 1), 9], labels=False)
    given: Any = table.assign(**{TARGET: target})
    inputs = table
    if source == "parquet":
        given.to_parquet(folder / "t.parquet")
        given = folder / "t.parquet"
    if source == "csv":
        given.to_csv(folder / "t.csv", index=False)
        inputs = case.prepare(pd.read_csv(folder / "t.csv").drop(columns=TARGET))
        given = folder / "t.csv"
    alone = list(inputs) == ["t"]
    model = case.model().fit(inputs["t"] if alone else inputs, target)
    options = BaselineOptions(kinds=case.kinds)
    create_bundle(model, given, TARGET, name="m", version="1", out=folder / "b", options=options)
    return Fitted(model, inputs, load_bundle(folder / "b"), alone, case.is_regression)


@pytest.fixture(scope="module")
def fitted_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Trial], Fitted]:
    found: dict[Trial, Fitted] = {}

    def fitted(trial: Trial) -> Fitted:
        if trial not in found:
            with warnings.catch_warnings(action="ignore"):
                found[trial] = made(*trial, tmp_path_factory.mktemp("m"))
        return found[trial]

    return fitted


def values(column: pd.Series[Any], name: str) -> st.SearchStrategy[Any]:
    """Values of a column as JSON has them: known ones, new ones and missing ones."""
    known = [value for value in column.dropna().unique().tolist() if value != ""]
    if name == "t":
        return st.sampled_from([*known[:5], None, "", "good and never seen"]) | st.text(max_size=12)
    if isinstance(known[0], str):
        return st.sampled_from([*known, *known, None, "", "violet", "Red", "nan", "None", "01"])
    if isinstance(known[0], bool):
        return st.sampled_from([True, False, None])
    new = [known[0] + 17, -known[-1], 0.25]
    return st.sampled_from([*known[:8], *new, None])


# ---------------------------------------------------------------- the ways to ask


def by_name(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"features": dict(row)}


def tensors(rows: list[dict[str, Any]]) -> dict[str, Any]:
    inputs = []
    for name in rows[0]:
        data = [row[name] for row in rows]
        kinds = {type(value) for value in data if value is not None}
        datatype = "BYTES" if kinds == {str} else "BOOL" if kinds == {bool} else "FP64"
        inputs.append({"name": name, "shape": [len(rows)], "datatype": datatype, "data": data})
    return {"inputs": inputs}


def infer(client: httpx.Client, rows: list[dict[str, Any]]) -> list[tuple[Any, float]] | None:
    answer = client.post("/v2/models/m/infer", json=tensors(rows))
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        return None
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    return list(zip(outputs["prediction"], outputs["score"], strict=True))


def predict(client: httpx.Client, body: Any) -> list[tuple[Any, float]] | None:
    answer = client.post("/predict", json=body)
    assert answer.status_code in (200, 422), answer.text
    content = answer.json()
    if answer.status_code == 422:
        error = content["error"]
        assert "field" in error["detail"] or error["code"] == "model_rejected_row", error
        return None
    rows = content.get("predictions", [content])
    return [(row["prediction"], row["score"]) for row in rows]


@contextlib.contextmanager
def client_of(bundle: Bundle) -> Iterator[httpx.Client]:
    with serving(create_app(quiet(), bundle=bundle)) as client:
        yield client


def agrees(found: list[tuple[Any, float]] | None, expected: list[tuple[Label, float] | None]) -> bool:
    if found is None or None in expected:
        return found is None and None in expected
    known = [one for one in expected if one is not None]
    same = [a[0] == b[0] or np.isclose(float(a[0]), float(b[0]), rtol=1e-12) for a, b in zip(found, known, strict=True)]
    return all(same) and np.allclose([a[1] for a in found], [b[1] for b in known], rtol=1e-12, atol=1e-14)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trial", ALL_TRIALS)
def test_an_answer_is_the_estimators_own_whichever_way_a_row_comes(
    trial: Trial, fitted_of: Callable[[Trial], Fitted]
) -> None:
    fitted = fitted_of(trial)
    rows_of = st.lists(
        st.fixed_dictionaries({name: values(fitted.inputs[name], name) for name in fitted.names}),
        min_size=1,
        max_size=6,
    )
    with client_of(fitted.bundle) as client:

        @settings(
            max_examples=EXAMPLES[trial[1]],
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(rows_of)
        def holds(rows: list[dict[str, Any]]) -> None:
            expected = [fitted.oracle(row) for row in rows]
            for row, one in zip(rows, expected, strict=True):
                assert agrees(predict(client, by_name(row)), [one]), (row, one)
            taken = [row for row, one in zip(rows, expected, strict=True) if one is not None]
            if len(taken) < len(rows):
                assert predict(client, {"instances": rows}) is None
                assert infer(client, rows) is None
            if taken:
                answers = [one for one in expected if one is not None]
                in_order = [[row[name] for name in fitted.names] for row in taken]
                assert agrees(predict(client, {"instances": taken}), [*answers]), (taken, answers)
                assert agrees(predict(client, {"data": in_order}), [*answers]), (taken, answers)
                assert agrees(infer(client, taken), [*answers]), (taken, answers)

        holds()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trial", ALL_TRIALS)
def test_the_bundles_samples_are_answered_as_the_estimator_answers_them(
    trial: Trial, fitted_of: Callable[[Trial], Fitted]
) -> None:
    fitted = fitted_of(trial)
    assert fitted.bundle.info.samples
    for sample in fitted.bundle.info.samples:
        row = {f.name: as_sent(sample.features[f.name], fitted.inputs[f.name]) for f in fitted.bundle.info.features}
        assert agrees([(sample.prediction, sample.score)], [fitted.oracle(row)])


def as_sent(value: Any, column: pd.Series[Any]) -> Any:
    """A value of a sample, which names a category, as the table holds it."""
    known = column.dropna().unique().tolist()
    if value is None or isinstance(known[0], str):
        return value
    return bool(value) if isinstance(known[0], bool) else type(known[0])(float(value))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trial", ALL_TRIALS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_read_by_check_as_requests_are_watched(
    trial: Trial, suffix: str, fitted_of: Callable[[Trial], Fitted], tmp_path: Path
) -> None:
    fitted = fitted_of(trial)
    table = fitted.inputs.head(90).copy()
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    info, baseline = fitted.bundle.info, fitted.bundle.baseline
    columns = {name: [None if v is pd.NA or v != v else v for v in table[name].tolist()] for name in table}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    watched = Predictor(fitted.bundle).predict(FeatureDecoder(info).decode(rows)).columns
    codes = baseline.binner.codes(watched)[:, : len(info.features)]
    judged = next(iter(Check(baseline, [path]).windows(0.0)))
    assert judged.report.baseline.names == tuple(feature.name for feature in info.features)
    for place, column in enumerate(baseline.columns[: len(info.features)]):
        counted = np.bincount(codes[:, place], minlength=len(column.bins.names)) / len(rows)
        shares = judged.report.main.shares
        for bin_name, share in (("missing", shares.missing), ("unseen", shares.unseen)):
            if bin_name in column.bins.special:
                assert share[place] == pytest.approx(counted[column.bins.special[bin_name]]), (column.name, bin_name)
