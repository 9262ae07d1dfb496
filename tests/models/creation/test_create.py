from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import skops.io
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.errors import BaselineError, BundleError, Refused, TableError
from driftgauge.models.attribution_file import ATTRIBUTIONS_FILE
from driftgauge.models.bundle import (
    BASELINE_FILE,
    BUNDLE_FILE,
    LABELS_FILE,
    MODEL_FILE,
    Bundle,
    Performance,
    load_bundle,
)
from driftgauge.models.constraints_file import CONSTRAINTS_FILE
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.importance_file import IMPORTANCES_FILE
from driftgauge.models.predictor import Predictor, batch_of, check_samples
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from tests.abouts import USUAL
from tests.conftest import ExampleOf
from tests.examples import (
    MAKERS,
    SHAPE_CODES,
    TARGET,
    Example,
    boosting,
    categorical,
    cells,
    coded,
    flowers,
    json_rows,
    logistic,
    make,
    one_hot,
    patients,
    shapes,
)
from tests.models.creation.test_feature_names import Dropping, Plain
from tests.models.test_bundle import FOREIGN, Foreign

CELLS = cells()
INPUTS = CELLS.drop(columns=TARGET)
LOGISTIC = logistic().fit(INPUTS, CELLS[TARGET])


class Picky(Foreign):
    """An estimator that takes no large cells."""

    def predict_proba(self, x: Any) -> Any:
        if len(x) == 1 and x[0][0] > 15:
            raise ValueError("too large")
        return super().predict_proba(x)


class Locked(Foreign):
    """An estimator that holds a lock."""

    def fit(self, x: Any, y: Any) -> Foreign:
        self.lock = threading.Lock()
        return super().fit(x, y)


PICKY = f"{Picky.__module__}.Picky"


def create(out: Path, estimator: Any = LOGISTIC, reference: Any = CELLS, **options: Any) -> Bundle:
    return create_bundle(estimator, reference, TARGET, **{"name": "m", "version": "1", "out": out, **options})


def column_of(bundle: Bundle, name: str) -> ColumnBaseline:
    return bundle.baseline.columns[bundle.baseline.names.index(name)]


def performance_of(bundle: Bundle) -> Performance:
    assert bundle.info.performance is not None
    return bundle.info.performance


# ---------------------------------------------------------------- what is made


def test_performance_of_two_classes_is_that_of_scikit_learn(binary: Example) -> None:
    truth = binary.evaluation[TARGET]
    positive = binary.estimator.predict_proba(binary.held_out)[:, 1]
    found = performance_of(binary.bundle)
    assert found.rows == len(truth)
    assert not found.in_sample
    assert found.metrics == pytest.approx(
        {
            "accuracy": accuracy_score(truth, binary.estimator.predict(binary.held_out)),
            "positive_ratio": truth.mean(),
            "brier": brier_score_loss(truth, positive),
            "log_loss": log_loss(truth, positive),
            "roc_auc": roc_auc_score(truth, positive),
        }
    )


def test_performance_of_many_classes_is_that_of_scikit_learn(multiclass: Example) -> None:
    accuracy = accuracy_score(multiclass.evaluation[TARGET], multiclass.estimator.predict(multiclass.held_out))
    assert performance_of(multiclass.bundle).metrics == pytest.approx({"accuracy": accuracy})


def test_performance_of_a_regression_is_that_of_scikit_learn(regression: Example) -> None:
    truth, answer = regression.evaluation[TARGET], regression.estimator.predict(regression.held_out)
    assert performance_of(regression.bundle).metrics == pytest.approx(
        {
            "mean_absolute_error": mean_absolute_error(truth, answer),
            "root_mean_squared_error": root_mean_squared_error(truth, answer),
            "r2": r2_score(truth, answer),
        }
    )


def test_rows_without_truth_are_left_out_of_the_performance(tmp_path: Path) -> None:
    evaluation = CELLS.astype({TARGET: "Int64"})
    evaluation.loc[evaluation.index[::3], TARGET] = pd.NA
    found = performance_of(create(tmp_path / "b", evaluation=evaluation))
    known = evaluation[TARGET].notna()
    assert found.rows == known.sum()
    assert found.metrics["accuracy"] == pytest.approx(LOGISTIC.score(INPUTS[known], CELLS[TARGET][known]))


def test_without_any_truth_there_is_no_performance(tmp_path: Path) -> None:
    found = performance_of(create(tmp_path / "b", evaluation=CELLS.assign(**{TARGET: None})))
    assert (found.rows, found.metrics) == (0, {})


@pytest.mark.parametrize("kept", [0, 1])
def test_truth_of_a_single_class_has_no_auc_and_is_measured_otherwise(kept: int, tmp_path: Path) -> None:
    evaluation = CELLS[CELLS[TARGET] == kept]
    metrics = performance_of(create(tmp_path / "b", evaluation=evaluation)).metrics
    positive = LOGISTIC.predict_proba(evaluation.drop(columns=TARGET))[:, 1]
    assert "roc_auc" not in metrics
    assert metrics["positive_ratio"] == kept
    assert metrics["brier"] == pytest.approx(np.mean((positive - kept) ** 2))


@pytest.mark.parametrize("name", ["binary", "multiclass", "regression"])
def test_the_baseline_of_the_score_comes_from_the_evaluation_table(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    column = column_of(example.bundle, PREDICTION)
    if name == "regression":
        scores = example.estimator.predict(example.held_out)
    else:
        probabilities = example.estimator.predict_proba(example.held_out)
        scores = probabilities[:, 1] if name == "binary" else probabilities.max(axis=1)
    assert column.rows == len(example.evaluation)
    assert column.mean == pytest.approx(scores.mean())
    assert column.min == pytest.approx(scores.min())
    assert column.max == pytest.approx(scores.max())
    assert not column.in_sample
    assert column_of(example.bundle, example.names[0]).rows == len(example.reference)


def test_the_baseline_of_the_class_counts_the_predicted_ones(multiclass: Example) -> None:
    column = column_of(multiclass.bundle, PREDICTION_CLASS)
    predicted, counts = np.unique(multiclass.estimator.predict(multiclass.held_out), return_counts=True)
    expected = {name: count for name, count in zip(predicted, counts, strict=True) if count >= 20}
    kept = dict(zip(column.bins.categories, column.counts, strict=False))
    assert column.kind == "categorical"
    assert kept == {name: pytest.approx(count) for name, count in expected.items()}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_without_an_evaluation_table_the_score_is_marked_in_sample(task: str, tmp_path: Path) -> None:
    table = {"binary": CELLS, "multiclass": flowers(), "regression": patients()}[task]
    estimator = {"binary": logistic(), "multiclass": LogisticRegression(max_iter=500), "regression": Ridge()}[task]
    estimator.fit(table.drop(columns=TARGET), table[TARGET])
    bundle = create(tmp_path / "b", estimator, table)
    assert bundle.info.task == task
    assert performance_of(bundle).in_sample
    marked = [column.name for column in bundle.baseline.columns if column.in_sample]
    assert tuple(marked) == bundle.info.score_columns
    assert load_bundle(tmp_path / "b").baseline == bundle.baseline


@pytest.mark.parametrize("name", MAKERS)
def test_the_samples_are_made_up_and_answered_as_the_estimator_answers(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    rows = example.rows()
    checked = check_samples(Predictor(example.bundle), example.bundle.info)
    assert len(checked) == 3
    assert all(sample.shown for sample, *_ in checked)
    for sample, label, score, agrees in checked:
        assert agrees
        features = dict(sample.features)
        assert features not in rows
        one = example.inputs(pd.DataFrame([features]).astype(example.held_out.dtypes.to_dict()))
        if name == "regression":
            assert [score, sample.score] == pytest.approx([example.estimator.predict(one)[0]] * 2)
        else:
            assert label == sample.prediction == example.estimator.predict(one)[0]


def test_a_sample_has_the_medians_and_the_most_frequent_categories(text: Example) -> None:
    held_out = text.held_out
    radius = held_out["radius"].quantile([0.5, 0.25, 0.75], interpolation="lower").tolist()
    shapes = held_out["shape"].value_counts().index.tolist()
    found = [sample.features for sample in text.bundle.info.samples]
    assert [row["shape"] for row in found] == shapes[:3]
    assert [row["radius"] for row in found] == pytest.approx(radius, rel=0.02)
    assert all(row["radius"] in set(held_out["radius"]) for row in found)
    assert {row["smooth"] for row in found} <= {0.0, 1.0}


@pytest.mark.parametrize("name", MAKERS)
def test_shared_samples_are_rows_of_the_table(name: str, example_of: ExampleOf, tmp_path: Path) -> None:
    example = example_of(name)
    codes = {"shape": SHAPE_CODES} if name == "coded" else None
    bundle = create(
        tmp_path / "b",
        example.estimator,
        example.reference,
        evaluation=example.evaluation,
        category_codes=codes,
        share_samples=True,
    )
    rows = example.rows()
    checked = check_samples(Predictor(bundle), bundle.info)
    assert len(checked) == 3
    for sample, label, _, agrees in checked:
        place = rows.index(dict(sample.features))
        assert agrees
        assert sample.shown
        if name != "regression":
            assert label == example.estimator.predict(example.inputs(example.held_out.iloc[[place]]))[0]


def test_samples_that_an_older_bundle_kept_are_not_shown(binary: Example, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(binary.folder, tmp_path / "b"))
    content = json.loads((folder / BUNDLE_FILE).read_text())
    for sample in content["samples"]:
        del sample["shown"]
    (folder / BUNDLE_FILE).write_text(json.dumps(content))
    info = load_bundle(folder).info
    assert len(info.samples) == 3
    assert info.shown_samples == ()
    assert binary.bundle.info.shown_samples == binary.bundle.info.samples


def test_a_made_up_row_that_the_model_does_not_answer_is_no_sample(tmp_path: Path) -> None:
    estimator = Picky().fit(INPUTS, CELLS[TARGET])
    made_up = create(tmp_path / "a", estimator, trusted_types=[PICKY])
    medians = [row.features["mean radius"] for row in made_up.info.samples]
    assert len(medians) == 2
    assert all(value < 15 for value in medians if isinstance(value, float))


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("binary", False),
        ("tolerant", True),
        ("multiclass", False),
        ("regression", False),
        ("text", False),
        ("category", True),
        ("coded", True),
    ],
)
def test_whether_missing_values_are_accepted_is_found_out(name: str, accepted: bool, example_of: ExampleOf) -> None:
    info = example_of(name).bundle.info
    assert info.accepts_missing is accepted
    assert {feature.accepts_missing for feature in info.features} == {accepted}


def imputing() -> Any:
    """A pipeline that fills a missing radius alone, and gives a missing or unseen shape no share."""
    encode = ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["shape"]),
            ("filled", SimpleImputer(), ["radius"]),
            ("bare", StandardScaler(), ["smooth"]),
        ]
    )
    return make_pipeline(encode, LogisticRegression())


def test_whether_missing_values_are_accepted_is_found_out_for_each_feature(tmp_path: Path) -> None:
    example = make(tmp_path / "b", imputing(), shapes())
    info, predictor, row = example.bundle.info, Predictor(example.bundle), example.rows(1)[0]
    assert {feature.name: feature.accepts_missing for feature in info.features} == {
        "radius": True,
        "shape": True,
        "smooth": False,
    }
    assert info.accepts_missing is False
    for change in ({"radius": None}, {"shape": None}, {"shape": "square"}):
        predictor.predict(FeatureDecoder(info).decode([{**row, **change}]))
    with pytest.raises(Refused, match="smooth is missing"):
        FeatureDecoder(info).decode([{**row, "smooth": None}])


@pytest.mark.parametrize("shared", [True, False])
def test_samples_are_rows_that_a_request_may_send(shared: bool, tmp_path: Path) -> None:
    estimator = boosting().fit(INPUTS, CELLS[TARGET])
    holes = CELLS.assign(**{"mean area": np.where(CELLS.index % 2, np.inf, np.nan)})
    info = create(tmp_path / "b", estimator, evaluation=holes, share_samples=shared).info
    assert len(info.samples) == 3
    assert all(sample.features["mean area"] is None for sample in info.samples)
    FeatureDecoder(info).decode([dict(sample.features) for sample in info.samples])


def test_shared_samples_are_complete_rows_where_there_are_any(tmp_path: Path) -> None:
    estimator = boosting().fit(INPUTS, CELLS[TARGET])
    whole = CELLS.assign(**{"mean area": np.where(CELLS.index == 500, 700.0, np.nan)})
    info = create(tmp_path / "c", estimator, evaluation=whole, share_samples=True).info
    assert [sample.features["mean area"] for sample in info.samples] == [700.0]


@pytest.mark.parametrize(("name", "given"), [("binary", "matrix"), ("text", "dataframe"), ("category", "dataframe")])
def test_only_estimators_that_need_a_dataframe_get_one(name: str, given: str, example_of: ExampleOf) -> None:
    assert example_of(name).bundle.info.input == given


def test_features_keep_the_order_that_the_estimator_was_fitted_in(tmp_path: Path) -> None:
    turned = CELLS[[TARGET, *reversed(INPUTS.columns)]].assign(unused=1.0)
    bundle = create(tmp_path / "b", reference=turned)
    assert [feature.name for feature in bundle.info.features] == list(INPUTS.columns)


def test_features_of_an_estimator_without_names_are_the_columns_that_are_not_ignored(tmp_path: Path) -> None:
    estimator = logistic().fit(INPUTS.to_numpy(), CELLS[TARGET])
    table = CELLS.assign(id=range(len(CELLS)), at=range(len(CELLS)))
    bundle = create(
        tmp_path / "b", estimator, table, options=BaselineOptions(time="at", ignore=["id"], window_sizes=[20])
    )
    assert [feature.name for feature in bundle.info.features] == list(INPUTS.columns)
    assert bundle.baseline.time_column == "at"
    assert all(column.expected_range for column in bundle.baseline.columns)


PLAIN = f"{Plain.__module__}.Plain"


@pytest.mark.parametrize("asked", [(), tuple(INPUTS.columns)])
def test_features_are_those_of_a_later_step_where_the_first_keeps_no_names(
    asked: Sequence[str], tmp_path: Path
) -> None:
    estimator = make_pipeline(Plain(), StandardScaler(), LogisticRegression()).fit(INPUTS, CELLS[TARGET])
    table = CELLS.assign(note="x", id=range(len(CELLS)))
    told: list[str] = []
    bundle = create(
        tmp_path / "b",
        estimator,
        table,
        trusted_types=[PLAIN],
        features=asked,
        log=told.append,
        options=BaselineOptions(ignore=["note"]),
    )
    assert [feature.name for feature in bundle.info.features] == list(INPUTS.columns)
    assert bundle.info.input == "dataframe"
    how = "as --features names them" if asked else "by the names that its step standardscaler was fitted on"
    assert told[0] == f"6 features, {how}: {', '.join(INPUTS.columns)}"
    assert told[1] == f"not taken: {TARGET} (the target), note (ignored), id"
    answered = Predictor(bundle).predict(batch_of(bundle.info.features, json_rows(INPUTS.head(9))))
    np.testing.assert_allclose(answered.scores, estimator.predict_proba(INPUTS.head(9))[:, 1])


def test_an_estimator_that_does_not_say_what_it_takes_asks_for_it(tmp_path: Path) -> None:
    estimator = make_pipeline(Plain(), GaussianNB()).fit(INPUTS.to_numpy(), CELLS[TARGET])
    with pytest.raises(BundleError, match=r"name them in their order, --features 'mean radius,mean texture"):
        create(tmp_path / "b", estimator, trusted_types=[PLAIN])
    with pytest.raises(TableError, match="the reference has no column mean aera"):
        create(tmp_path / "b", estimator, trusted_types=[PLAIN], features=["mean aera"])
    bundle = create(tmp_path / "b", estimator, trusted_types=[PLAIN], features=list(INPUTS.columns))
    assert bundle.info.input == "matrix"


def test_a_column_that_only_the_first_step_took_is_asked_for(tmp_path: Path) -> None:
    table = CELLS.assign(extra=np.arange(len(CELLS)) % 7)
    estimator = fitted_on(table, make_pipeline(Dropping(), StandardScaler(), GaussianNB()))
    trusted = [f"{Dropping.__module__}.Dropping"]
    with pytest.raises(BundleError, match=r"cannot answer the reference.*extra.*if it was fitted on others, name them"):
        create(tmp_path / "b", estimator, table, trusted_types=trusted)
    columns = [name for name in table if name != TARGET]
    bundle = create(tmp_path / "b", estimator, table, trusted_types=trusted, features=columns)
    answered = Predictor(bundle).predict(batch_of(bundle.info.features, json_rows(table[columns].head(9))))
    np.testing.assert_allclose(answered.scores, estimator.predict_proba(table[columns].head(9))[:, 1])


def test_ids_and_copies_of_the_target_are_named(tmp_path: Path) -> None:
    table = CELLS.assign(id=range(len(CELLS)), outcome_text=np.where(CELLS[TARGET] == 1, "good", "bad"))
    told: list[str] = []
    estimator = boosting().fit(table.drop(columns=[TARGET, "outcome_text"]), table[TARGET])
    create(tmp_path / "a", estimator, table, log=told.append)
    assert [line.partition(":")[0] for line in told] == [
        "7 features, by the estimator's own names",
        "not taken",
        "warning",
    ]
    assert told[2].startswith("warning: id is likely an id: it has almost as many distinct values as rows")
    told.clear()
    coded = table.assign(outcome_text=(table[TARGET] == 1) * 5.0).drop(columns="id")
    create(tmp_path / "b", boosting().fit(coded.drop(columns=TARGET), coded[TARGET]), coded, log=told.append)
    assert told[2].startswith("warning: outcome_text determines the target perfectly")
    told.clear()
    create(tmp_path / "c", log=told.append)
    assert len(told) == 2


BOOSTERS = {
    "XGBClassifier": lambda: XGBClassifier(n_estimators=4, n_jobs=1),
    "LGBMClassifier": lambda: LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1),
    "XGBRegressor": lambda: XGBRegressor(n_estimators=4, n_jobs=1),
    "LGBMRegressor": lambda: LGBMRegressor(n_estimators=4, n_jobs=1, verbose=-1),
}


@pytest.mark.parametrize("scaled_before", [True, False])
@pytest.mark.parametrize("name", BOOSTERS)
def test_boosters_of_other_libraries_are_bundled_and_answer_as_themselves(
    name: str, scaled_before: bool, tmp_path: Path
) -> None:
    inner = BOOSTERS[name]()
    estimator = fitted_on(CELLS, make_pipeline(StandardScaler(), inner) if scaled_before else inner)
    skops.io.dump(estimator, tmp_path / "m.skops")
    create(tmp_path / "b", tmp_path / "m.skops")
    bundle = load_bundle(tmp_path / "b")
    assert bundle.info.input == "matrix"
    answered = Predictor(bundle).predict(batch_of(bundle.info.features, json_rows(INPUTS)))
    if name.endswith("Regressor"):
        np.testing.assert_allclose(answered.scores, estimator.predict(INPUTS), rtol=1e-6)
    else:
        np.testing.assert_allclose(answered.scores, estimator.predict_proba(INPUTS)[:, 1], rtol=1e-6)


@pytest.mark.parametrize(("name", "given"), [("binary", "matrix"), ("text", "dataframe")])
def test_what_a_prediction_takes_is_measured(name: str, given: str, example_of: ExampleOf) -> None:
    info = example_of(name).bundle.info
    assert info.input == given
    assert info.timing is not None
    assert info.timing.rows == 64
    assert info.timing.rows_seconds is not None
    assert 0 < info.timing.one_row_seconds < info.timing.rows_seconds * 64


def test_a_boolean_column_is_a_number_that_the_documentation_calls_boolean(text: Example) -> None:
    kinds = {feature.name: (feature.kind, feature.boolean) for feature in text.bundle.info.features}
    assert kinds == {"radius": ("numeric", False), "shape": ("categorical", False), "smooth": ("numeric", True)}


def test_category_codes_are_kept_and_bar_the_text_from_the_model(coded: Example) -> None:
    shape = coded.bundle.info.features[1]
    assert coded.bundle.info.input == "matrix"
    assert dict(zip(shape.categories, shape.codes or (), strict=True)) == SHAPE_CODES


def test_a_category_of_numbers_is_given_to_the_model_as_that_number(tmp_path: Path) -> None:
    frame = shapes().assign(shape=shapes()["shape"].map({"flat": 5, "oval": 7, "round": 6}))
    rows = frame.drop(columns=TARGET)
    estimator = boosting(categorical_features=[1]).fit(rows.to_numpy(dtype=float), frame[TARGET])
    options = BaselineOptions(kinds={"shape": "categorical"})
    bundle = create(tmp_path / "b", estimator, frame, options=options)
    shape = bundle.info.features[1]
    assert (shape.categories, shape.codes) == (("5", "6", "7"), (5.0, 6.0, 7.0))
    accuracy = estimator.score(rows.to_numpy(dtype=float), frame[TARGET])
    assert performance_of(bundle).metrics["accuracy"] == pytest.approx(accuracy)


def test_a_category_dtype_of_numbers_is_rebuilt_for_the_model(tmp_path: Path) -> None:
    frame = shapes()
    frame["shape"] = pd.Categorical(frame["shape"].map({"flat": 5, "oval": 7, "round": 6}))
    rows = frame.drop(columns=TARGET)
    estimator = fitted_on(frame, boosting(categorical_features="from_dtype"))
    bundle = create(tmp_path / "b", estimator, frame)
    assert bundle.info.features[1].dtype == "category"
    batch = batch_of(bundle.info.features, json_rows(rows))
    assert np.allclose(Predictor(bundle).predict(batch).scores, estimator.predict_proba(rows)[:, 1], rtol=1e-12)


def scaled(inner: Any) -> Any:
    """A pipeline whose first step selects a column by name, and takes no text."""
    return make_pipeline(ColumnTransformer([("n", StandardScaler(), ["radius"])], remainder="passthrough"), inner)


WRAPPED: dict[str, Callable[[], Any]] = {
    "grid search": lambda: GridSearchCV(scaled(LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(scaled(GaussianNB()), cv=2),
    "voting": lambda: VotingClassifier([("a", GaussianNB()), ("b", scaled(LogisticRegression()))], voting="soft"),
    "transformed target": lambda: TransformedTargetRegressor(scaled(Ridge()), transformer=StandardScaler()),
}
SEARCHED = ("sklearn.metrics._scorer._PassthroughScorer", "sklearn.model_selection._split.StratifiedKFold")


@pytest.mark.parametrize("name", WRAPPED)
def test_an_estimator_around_one_that_selects_by_name_gets_a_dataframe(name: str, tmp_path: Path) -> None:
    frame = shapes()
    codes = frame.drop(columns=TARGET).assign(shape=frame["shape"].map(SHAPE_CODES))
    estimator = WRAPPED[name]().fit(codes, frame[TARGET])
    create(
        tmp_path / "b", estimator, frame, category_codes={"shape": SHAPE_CODES}, trusted_types=SEARCHED, overwrite=True
    )
    bundle = load_bundle(tmp_path / "b", SEARCHED)
    rows = json_rows(frame.drop(columns=TARGET))
    answer = Predictor(bundle).predict(batch_of(bundle.info.features, rows))
    expected = estimator.predict(codes) if name == "transformed target" else estimator.predict_proba(codes)[:, 1]
    assert bundle.info.input == "dataframe"
    assert np.allclose(answer.scores, expected, rtol=1e-12)


def test_an_estimator_that_selects_by_place_gets_a_matrix(tmp_path: Path) -> None:
    by_place = ColumnTransformer([("n", StandardScaler(), [0, 2])], remainder="passthrough")
    estimator = make_pipeline(by_place, StandardScaler(), LogisticRegression()).fit(INPUTS, CELLS[TARGET])
    bundle = create(tmp_path / "b", estimator)
    assert bundle.info.input == "matrix"
    assert performance_of(bundle).metrics["accuracy"] == pytest.approx(estimator.score(INPUTS, CELLS[TARGET]))


class Naming(Foreign):
    """An estimator that looks its columns up by name."""

    def predict_proba(self, x: Any) -> Any:
        return super().predict_proba(x[["mean area"]])


def test_an_estimator_that_only_a_dataframe_satisfies_gets_one(tmp_path: Path) -> None:
    trusted = [f"{Naming.__module__}.Naming"]
    estimator = Naming().fit(INPUTS, CELLS[TARGET])
    assert create(tmp_path / "b", estimator, trusted_types=trusted).info.input == "dataframe"


def test_booleans_can_be_categories(tmp_path: Path) -> None:
    frame = shapes()
    rows = coded(frame.drop(columns=TARGET))
    estimator = boosting(categorical_features=[2]).fit(rows, frame[TARGET])
    frame.to_csv(tmp_path / "t.csv", index=False)
    made = [
        create(
            tmp_path / str(i),
            estimator,
            table,
            options=BaselineOptions(kinds={"smooth": "categorical"}),
            category_codes={"shape": SHAPE_CODES},
        )
        for i, table in enumerate((frame, tmp_path / "t.csv"))
    ]
    for bundle in made:
        smooth = bundle.info.features[2]
        assert (smooth.categories, smooth.codes) == (("false", "true"), (0.0, 1.0))
        assert performance_of(bundle).metrics["accuracy"] == pytest.approx(estimator.score(rows, frame[TARGET]))
    assert made[0].baseline.columns == made[1].baseline.columns


ZIPS = {"flat": "02134", "oval": "10001", "round": "9007199254740993"}


def zips_of_csv(folder: Path) -> tuple[pd.DataFrame, Path]:
    frame = shapes().assign(shape=shapes()["shape"].map(ZIPS))
    frame.to_csv(folder / "t.csv", index=False)
    return frame, folder / "t.csv"


def test_a_zip_code_of_a_csv_is_text_and_its_number_is_given_to_a_model_of_numbers(tmp_path: Path) -> None:
    frame, path = zips_of_csv(tmp_path)
    rows = frame.drop(columns=TARGET).to_numpy(dtype=float)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(rows, frame[TARGET])
    bundle = create(
        tmp_path / "b", tree, path, evaluation=path, options=BaselineOptions(kinds={"shape": "categorical"})
    )
    shape = bundle.info.features[1]
    assert shape.categories == tuple(sorted(ZIPS.values()))
    assert shape.codes == (2134.0, 10001.0, float(2**53))
    assert performance_of(bundle).metrics["accuracy"] == pytest.approx(tree.score(rows, frame[TARGET]))


@pytest.mark.parametrize("inner", ["encoder", "boosting"])
def test_a_zip_code_of_a_csv_is_given_as_text_to_a_model_of_texts(inner: str, tmp_path: Path) -> None:
    frame, path = zips_of_csv(tmp_path)
    if inner == "boosting":
        frame = frame.assign(shape=frame["shape"].astype("category"))
    estimator = fitted_on(frame, one_hot() if inner == "encoder" else boosting(categorical_features="from_dtype"))
    bundle = create(
        tmp_path / "b", estimator, path, evaluation=path, options=BaselineOptions(kinds={"shape": "categorical"})
    )
    assert bundle.info.features[1].codes is None
    accuracy = estimator.score(frame.drop(columns=TARGET), frame[TARGET])
    assert performance_of(bundle).metrics["accuracy"] == pytest.approx(accuracy)


def test_a_missing_text_is_the_same_in_a_frame_and_in_a_csv(tmp_path: Path) -> None:
    frame = shapes()
    frame.loc[frame.index % 5 == 0, "shape"] = None
    frame.to_csv(tmp_path / "t.csv", index=False)
    columns = [create_baseline(table).columns for table in (frame, tmp_path / "t.csv")]
    assert columns[0] == columns[1]
    estimator = fitted_on(
        frame.assign(shape=frame["shape"].astype("category")), boosting(categorical_features="from_dtype")
    )
    made = [create(tmp_path / str(i), estimator, table) for i, table in enumerate((frame, tmp_path / "t.csv"))]
    assert made[0].info.features == made[1].info.features
    assert made[0].info.samples == made[1].info.samples
    assert made[0].baseline.columns == made[1].baseline.columns


@pytest.mark.parametrize("given", ["file", "text of its path"])
def test_the_same_bundle_comes_from_files_and_from_memory(given: str, binary: Example, tmp_path: Path) -> None:
    skops.io.dump(binary.estimator, tmp_path / "m.skops")
    binary.reference.to_csv(tmp_path / "r.csv", index=False)
    pyarrow.parquet.write_table(pa.table(binary.evaluation), tmp_path / "e.parquet")
    as_given = str if given == "text of its path" else Path
    paths = [as_given(tmp_path / name) for name in ("m.skops", "r.csv", "e.parquet")]
    bundle = create(tmp_path / "b", paths[0], paths[1], evaluation=paths[2])
    assert bundle.info.samples == binary.bundle.info.samples
    assert performance_of(bundle).metrics == pytest.approx(performance_of(binary.bundle).metrics)
    assert bundle.baseline.columns == binary.bundle.baseline.columns


def test_the_callers_estimator_is_left_as_it_was(tmp_path: Path) -> None:
    create(tmp_path / "b")
    assert list(LOGISTIC.feature_names_in_) == list(INPUTS.columns)
    LOGISTIC.predict_proba(INPUTS)  # a warning is an error here


def test_a_boosting_with_categories_by_name_answers_without_a_warning(tmp_path: Path) -> None:
    frame = shapes()
    rows = frame.drop(columns=TARGET)
    codes = rows.assign(shape=rows["shape"].map(SHAPE_CODES))
    estimator = boosting(categorical_features=["shape"]).fit(codes, frame[TARGET])
    bundle = create(tmp_path / "b", estimator, frame, category_codes={"shape": SHAPE_CODES})
    assert bundle.info.input == "matrix"
    assert performance_of(bundle).metrics["accuracy"] == pytest.approx(estimator.score(codes, frame[TARGET]))


def test_a_trusted_type_lets_a_foreign_estimator_through(tmp_path: Path) -> None:
    skops.io.dump(Foreign().fit(INPUTS, CELLS[TARGET]), tmp_path / "m.skops")
    with pytest.raises(BundleError, match="not trusted"):
        create(tmp_path / "b", tmp_path / "m.skops")
    assert not (tmp_path / "b").exists()
    bundle = create(tmp_path / "b", tmp_path / "m.skops", trusted_types=[FOREIGN])
    assert set(bundle.info.features)
    assert column_of(bundle, PREDICTION).mean == 0.5


# ---------------------------------------------------------------- what is refused


def without(name: str) -> pd.DataFrame:
    return CELLS.drop(columns=name)


def fitted_on(frame: pd.DataFrame, estimator: Any, **options: Any) -> Any:
    return estimator.fit(frame.drop(columns=TARGET), frame[TARGET], **options)


def in_module(module: str) -> Any:
    """Return a fitted estimator's class that is not to be found where it says it is."""

    class Own(Foreign):
        def __init__(self) -> None:
            self.fit(INPUTS, CELLS[TARGET])

    Own.__module__ = module
    return Own


def computed(function: Any) -> Any:
    return fitted_on(CELLS, make_pipeline(StandardScaler(), FunctionTransformer(), GaussianNB())).set_params(
        functiontransformer__func=function
    )


def local() -> Any:
    def inside(x: Any) -> Any:
        return x

    return inside


RESERVED_NAME = CELLS.rename(columns={"mean radius": "prediction"})
REFUSED: dict[str, tuple[Mapping[str, Any], str]] = {
    "target missing": ({"reference": without(TARGET)}, rf"the reference has no column {TARGET}"),
    "target missing in the evaluation": (
        {"evaluation": without(TARGET)},
        rf"the evaluation table has no column {TARGET}",
    ),
    "feature missing": ({"reference": without("mean area")}, "the reference has no column mean area"),
    "feature missing in the evaluation": (
        {"evaluation": without("mean area")},
        "the evaluation table has no column mean area",
    ),
    "too few columns": (
        {"estimator": logistic().fit(INPUTS.to_numpy(), CELLS[TARGET]), "reference": without("mean area")},
        "fitted on 6 features, the reference has 5 .* --ignore",
    ),
    "too many columns": (
        {"estimator": logistic().fit(INPUTS.to_numpy(), CELLS[TARGET]), "reference": CELLS.assign(id=1)},
        "fitted on 6 features, the reference has 7 .*id.* --ignore",
    ),
    "reserved name": (
        {"estimator": fitted_on(RESERVED_NAME, logistic()), "reference": RESERVED_NAME},
        "prediction is a reserved name, that of the monitored score: rename the feature",
    ),
    "no probabilities": ({"estimator": fitted_on(CELLS, RidgeClassifier())}, "no predict_proba: wrap it in Calibrated"),
    "not fitted": ({"estimator": LogisticRegression()}, "neither a fitted classifier nor a fitted regressor"),
    "a regressor that is not fitted": ({"estimator": Ridge()}, "the estimator is not fitted"),
    **{
        f"two outputs of {type(estimator).__name__}": (
            {"estimator": estimator.fit(INPUTS, np.stack([CELLS[TARGET], 1 - CELLS[TARGET]], axis=1))},
            "predicts 2 outputs for each row, and a bundle has one: fit an estimator for each",
        )
        for estimator in (
            RandomForestClassifier(2),
            RandomForestRegressor(2),
            DecisionTreeClassifier(),
            KNeighborsClassifier(),
            KNeighborsRegressor(),
            Ridge(),
            LinearRegression(),
            MultiOutputClassifier(GaussianNB()),
            MultiOutputRegressor(Ridge()),
            ClassifierChain(GaussianNB()),
            RegressorChain(Ridge()),
            OneVsRestClassifier(GaussianNB()),
            make_pipeline(StandardScaler(), Ridge()),
            GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2),
        )
    },
    "a class of the notebook": (
        {"estimator": in_module("__main__")(), "trusted_types": ["__main__.Own"]},
        r"it holds Own of the notebook or script that was run \(__main__\), which a server cannot import. Put it at",
    ),
    "a class inside a function": (
        {"estimator": in_module(__name__)(), "trusted_types": [f"{__name__}.Own"]},
        r"it holds Own of tests\.models\.creation\.test_create .*, which a server cannot import",
    ),
    "a lambda": (
        {"estimator": computed(lambda x: x), "trusted_types": [f"{__name__}.<lambda>"]},
        "it holds a lambda of .*, which a server cannot import",
    ),
    "a function inside a function": (
        {"estimator": computed(local()), "trusted_types": [f"{__name__}.inside"]},
        "it holds inside of .*, which a server cannot import",
    ),
    "what cannot be saved": (
        {"estimator": fitted_on(CELLS, make_pipeline(Birch(n_clusters=2), GaussianNB()))},
        "the estimator cannot be saved as a skops file .*Birch",
    ),
    "what cannot be copied": (
        {"estimator": fitted_on(CELLS, make_pipeline(StandardScaler(), Locked()))},
        "the estimator cannot be copied .*open files, locks",
    ),
    "no model at all": ({"estimator": fitted_on(CELLS, StandardScaler())}, "neither a fitted classifier nor"),
    "bad name": ({"name": "a b"}, r"^name: 'a b' is not possible: use letters"),
    "bad version": ({"version": "../1"}, r"^version: '../1' is not possible: use letters"),
    "a name that leaves its folder": ({"name": ".."}, r"^name: "),
    "codes that do not cover": (
        {
            "estimator": boosting().fit(coded(shapes())[:, :3], shapes()[TARGET]),
            "reference": shapes(),
            "category_codes": {"shape": {"flat": 0.0, "oval": 1.0}},
        },
        "shape: the category codes do not cover round",
    ),
    "codes of an absent column": ({"category_codes": {"shade": {"a": 1.0}}}, "has no column shade"),
    "kinds of an absent column": ({"options": BaselineOptions(kinds={"shade": "numeric"})}, "has no column shade"),
    "time absent": ({"options": BaselineOptions(time="at")}, "has no column at"),
    "no rows": ({"reference": CELLS.head(0)}, "the reference has no rows"),
    "no rows to evaluate": ({"evaluation": CELLS.head(0)}, "the evaluation table has no rows"),
    "missing values that the model cannot take": (
        {"evaluation": CELLS.assign(**{"mean area": np.where(CELLS["mean area"] > 900, np.nan, 1.0)})},
        "the model cannot answer the evaluation table: .*NaN",
    ),
    "infinite values": (
        {"evaluation": CELLS.assign(**{"mean area": np.inf})},
        "the model cannot answer the evaluation table: .*infinity",
    ),
    "another spelling of the classes": (
        {"reference": CELLS.assign(**{TARGET: CELLS[TARGET] == 1})},
        f"{TARGET} holds false, true, but the model's classes are 0, 1",
    ),
    "a text as target of a regression": (
        {"estimator": fitted_on(CELLS, Ridge()), "reference": CELLS.assign(**{TARGET: "yes"})},
        f"{TARGET}, row 1: 'yes' is not a number: the model is a regressor, so its target must be numbers",
    ),
    "a feature of the model is ignored": (
        {"options": BaselineOptions(ignore=["mean area"])},
        "^mean area cannot be ignored, because the model takes it .*: leave out --ignore",
    ),
    "an estimator file that is not there": ({"estimator": "nowhere.skops"}, r"cannot read the model nowhere\.skops"),
    "a table that is not there": ({"reference": "nowhere.csv"}, r"cannot read the table nowhere\.csv"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_bundle_is_refused_with_what_to_do_and_leaves_no_folder(case: str, tmp_path: Path) -> None:
    options, message = REFUSED[case]
    with pytest.raises((BundleError, TableError, BaselineError), match=message):
        create(tmp_path / "b", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_category_that_only_the_evaluation_has_is_named_where_the_model_cannot_take_it(
    text: Example, tmp_path: Path
) -> None:
    evaluation = text.evaluation.assign(shape="square")
    with pytest.raises(BundleError, match=r"cannot answer the evaluation table: shape: .*'square'"):
        create(tmp_path / "b", text.estimator, text.reference, evaluation=evaluation)


def test_a_category_that_only_the_evaluation_has_is_missing_where_the_model_takes_it(
    category: Example, tmp_path: Path
) -> None:
    strange, missing = (category.evaluation.assign(shape=shape) for shape in ("square", None))
    made = [
        create(tmp_path / str(i), category.estimator, categorical(category.reference), evaluation=evaluation)
        for i, evaluation in enumerate((strange, missing))
    ]
    assert performance_of(made[0]) == performance_of(made[1])


class Moody(Foreign):
    """An estimator that answers otherwise once it was saved and read."""

    calls = 0

    def predict_proba(self, x: Any) -> Any:
        Moody.calls += 1
        moved = 0.01 * Moody.calls
        return np.tile([0.5 - moved, 0.5 + moved], (len(x), 1))


def test_a_model_that_answers_its_samples_otherwise_is_refused_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"scores a sample .* but its bundle says .* scikit-learn"):
        create(tmp_path / "b", Moody().fit(INPUTS, CELLS[TARGET]), trusted_types=[f"{Moody.__module__}.Moody"])
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- the folder


def test_an_existing_folder_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"exists already: choose another folder, or overwrite it \(--overwrite\)"):
        create(tmp_path / "b")
    with pytest.raises(BundleError, match="is not a bundle and is not overwritten"):
        create(tmp_path / "b", overwrite=True)
    assert (tmp_path / "b" / "mine.txt").read_text() == "mine"


def test_a_file_in_the_folders_place_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(BundleError, match="choose another folder"):
            create(tmp_path / "b", overwrite=overwrite)
    assert (tmp_path / "b").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BundleError, match=r"cannot write .*file/b"):
        create(tmp_path / "file" / "b")


def test_an_empty_folder_is_used_and_absent_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty")
    create(tmp_path / "a" / "b" / "c")
    assert load_bundle(tmp_path / "empty").info.samples == load_bundle(tmp_path / "a" / "b" / "c").info.samples


def test_overwriting_replaces_the_bundle_and_a_failure_keeps_the_old_one(tmp_path: Path) -> None:
    create(tmp_path / "b", version="1")
    with pytest.raises(BundleError):
        create(tmp_path / "b", version="no version", overwrite=True)
    assert load_bundle(tmp_path / "b").info.version == "1"
    create(tmp_path / "b", version="2", overwrite=True)
    assert load_bundle(tmp_path / "b").info.version == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b"]
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(
        [BUNDLE_FILE, MODEL_FILE, BASELINE_FILE, LABELS_FILE, CONSTRAINTS_FILE, IMPORTANCES_FILE, ATTRIBUTIONS_FILE]
    )


def test_bundle_json_is_what_the_bundle_says(binary: Example) -> None:
    content = json.loads((binary.folder / BUNDLE_FILE).read_text())
    assert (content["name"], content["version"], content["task"]) == ("binary", "1.2", "binary")
    assert content["classes"] == [0, 1]
    assert content["target"] == TARGET
    assert set(content["libraries"]) == {"scikit-learn", "numpy", "skops"}


def test_a_bundle_says_whose_the_model_is_in_either_way(tmp_path: Path) -> None:
    table = cells()
    fitted = logistic().fit(table.drop(columns=TARGET).to_numpy(), table[TARGET])
    stated = create_bundle(fitted, table, TARGET, name="m", version="1", out=tmp_path / "a", about=USUAL)
    options = BaselineOptions(about=USUAL)
    in_options = create_bundle(fitted, table, TARGET, name="m", version="1", out=tmp_path / "b", options=options)
    for bundle in (stated, in_options, load_bundle(tmp_path / "a"), load_bundle(tmp_path / "b")):
        assert bundle.info.about == bundle.baseline.about == USUAL


# ---------------------------------------------------------------- the baseline alone


def test_a_baseline_alone_says_whose_the_model_is() -> None:
    described = create_baseline(shapes(), BaselineOptions(about=USUAL))
    assert described.about == USUAL
    assert described.hash == create_baseline(shapes()).hash


def test_a_baseline_alone_has_every_column_that_is_not_ignored() -> None:
    table = shapes().assign(id=range(569), at=range(569, 0, -1))
    baseline = create_baseline(table, BaselineOptions(time="at", ignore=["id"], window_sizes=[100]))
    assert baseline.names == ("radius", "shape", "smooth", TARGET)
    assert baseline.rows == 569
    assert [column.kind for column in baseline.columns] == ["numeric", "categorical", "numeric", "numeric"]
    assert all(set(column.expected_range) == {100} for column in baseline.columns)


def test_a_baseline_in_a_notebook_is_one_line() -> None:
    baseline = create_baseline(shapes())
    assert repr(baseline) == "<Baseline of 569 rows: 4 columns>"
    assert repr(baseline.columns[0]) == "<ColumnBaseline radius: numeric, 13 bins of 569 rows>"
    timed = create_baseline(shapes().assign(at=range(569)), BaselineOptions(time="at"))
    assert repr(timed) == "<Baseline of 569 rows, in order of at: 4 columns>"


def test_a_baseline_without_times_knows_no_variation_of_its_own() -> None:
    assert all(not column.expected_range for column in create_baseline(shapes()).columns)


def test_missing_probabilities_do_not_pass_for_accepting_missing_values(tmp_path: Path) -> None:
    estimator = KNeighborsClassifier(3).fit(INPUTS, CELLS[TARGET])
    assert create(tmp_path / "b", estimator).info.accepts_missing is False


def test_scores_of_a_small_evaluation_table_are_not_told_apart_by_hour(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=(6_000, 2)), 1.7e9 + 720.0 * np.arange(6_000)])
    table = pd.DataFrame(rows, columns=["a", "b", "at"]).assign(target=(rows[:, 0] > 0).astype(int))
    model = LogisticRegression().fit(table[["a", "b"]].to_numpy(), table["target"])
    bundle = create_bundle(
        model,
        table[:5_000],
        "target",
        name="m",
        version="1",
        out=tmp_path / "bundle",
        evaluation=table[5_000:],
        options=BaselineOptions(time="at", by_hour=True),
    )
    *features, score = bundle.baseline.columns
    assert all(len(column.by_hour) == 24 for column in features)
    assert score.by_hour == {}
    assert score.tau is not None
    hours = np.bincount([9, 9, 10], minlength=24)
    np.testing.assert_allclose(bundle.baseline.expected(hours)[-1].sum(), 1_000.0)  # of one reference, once


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by_hour": True}, "needs times: name the column"),
        ({"window_sizes": [500, 0]}, "--windows 500,0: a window has at least one row"),
        ({"expected_range_quantile": -0.5}, "--expected-range-quantile -0.5: give a number from 0 to 1"),
    ],
)
def test_options_of_a_baseline_are_checked_before_a_table_is_read(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BaselineError, match=message):
        BaselineOptions(**options)
