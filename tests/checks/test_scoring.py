from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import WindowVerdict
from driftgauge.checks.scoring import Answers, PerformanceSample, Scorer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.errors import BundleError, TableError
from driftgauge.models.bundle import BundleInfo, load_bundle, read_info
from driftgauge.models.creation.create import create_bundle
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from tests.conftest import ExampleOf
from tests.examples import MAKERS, TARGET, Example
from tests.monitors import START

Writer = Callable[[pd.DataFrame, Path], Path]


def _csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


def _parquet(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
    return path.with_suffix(".parquet")


def _jsonl(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_json(path.with_suffix(".jsonl"), orient="records", lines=True, double_precision=15)
    return path.with_suffix(".jsonl")


WRITERS: dict[str, Writer] = {"csv": _csv, "parquet": _parquet, "jsonl": _jsonl}


def scorer_of(example: Example) -> Scorer:
    return Scorer(example.bundle.info, lambda: load_bundle(example.folder))


def judged(example: Example, *tables: Path, **options: Any) -> list[WindowVerdict]:
    check = Check(example.bundle.baseline, tables, CheckOptions(**options), scorer_of(example))
    assert check.not_compared == ()
    return list(check.windows(START))


def expected_scores(example: Example, frame: pd.DataFrame) -> Any:
    """Return the scores as the fitted estimator itself gives them."""
    inputs = example.inputs(frame[example.names])
    if example.bundle.info.task == "regression":
        return example.estimator.predict(inputs)
    probabilities = example.estimator.predict_proba(inputs)
    return probabilities[:, 1] if example.bundle.info.task == "binary" else probabilities.max(axis=1)


def counts_of(found: WindowVerdict, name: str) -> list[int]:
    place = found.report.baseline.names.index(name)
    size = len(found.report.baseline.bins[place].names)
    return [int(count) for count in found.report.main.counts[place][:size]]


# ---------------------------------------------------------------- the scores that a table lacks


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", MAKERS)
def test_what_a_table_lacks_is_what_the_fitted_estimator_answers(
    name: str, form: str, example_of: ExampleOf, tmp_path: Path
) -> None:
    example = example_of(name)
    frame = example.evaluation
    scores = expected_scores(example, frame)
    labels = example.estimator.predict(example.inputs(frame[example.names]))
    whole = frame.assign(**{PREDICTION: scores})
    if example.bundle.info.task == "multiclass":
        whole[PREDICTION_CLASS] = labels
    lacking = WRITERS[form](frame.drop(columns=TARGET), tmp_path / "lacking")
    (found,) = judged(example, lacking, bytes_at_once=3_000)
    recorded = Check(example.bundle.baseline, [_parquet(whole, tmp_path / "whole")])
    (expected,) = recorded.windows(START)
    for column in example.bundle.info.score_columns:
        moved = np.abs(np.subtract(counts_of(found, column), counts_of(expected, column))).sum()
        # The bins' edges are values of these very rows, and a matrix product in parts may differ in the last bit.
        assert moved <= (4 if example.bundle.info.task == "regression" else 0)
    place = found.report.baseline.names.index(PREDICTION)
    assert found.report.main.sample.mean[place] == pytest.approx(scores.mean(), rel=1e-9)
    assert (found.unanswered_rows, found.performance) == (0, None)


def test_scores_that_a_table_has_are_compared_as_they_are(binary: Example, tmp_path: Path) -> None:
    frame = binary.evaluation.drop(columns=TARGET)
    tables = [_csv(frame.assign(prediction=0.75), tmp_path / "a"), _csv(frame, tmp_path / "b")]
    check = Check(binary.bundle.baseline, tables, scorer=scorer_of(binary))
    assert check.predicted == (PREDICTION,)
    recorded, predicted = check.windows(START)
    place = recorded.report.baseline.names.index(PREDICTION)
    assert recorded.report.main.sample.mean[place] == 0.75
    assert predicted.report.main.sample.mean[place] == pytest.approx(expected_scores(binary, frame).mean())


def test_the_model_is_not_loaded_where_nothing_is_asked_of_it(binary: Example, tmp_path: Path) -> None:
    def fails() -> Any:
        raise BundleError("it must not be loaded")

    frame = binary.evaluation.drop(columns=TARGET)
    scorer = Scorer(binary.bundle.info, fails)
    table = _csv(frame.assign(prediction=0.5), tmp_path / "t")
    assert Check(binary.bundle.baseline, [table], scorer=scorer).model_problem == ""
    without = _csv(frame.drop(columns="mean area").assign(prediction=0.5), tmp_path / "u")
    ignoring = Check(binary.bundle.baseline, [without], CheckOptions(ignore=("mean area",)), scorer)
    assert (ignoring.model_problem, ignoring.predicted) == ("", ())
    failing = Check(binary.bundle.baseline, [_csv(frame, tmp_path / "v")], scorer=scorer)
    assert failing.model_problem == "it must not be loaded"
    assert (failing.not_compared, failing.predicted) == ((PREDICTION,), ())


def test_a_model_that_answers_its_samples_otherwise_is_not_asked(binary: Example, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(binary.folder, folder)
    content = json.loads((folder / "bundle.json").read_text())
    content["samples"][0]["score"] = 0.123
    (folder / "bundle.json").write_text(json.dumps(content))
    table = _csv(binary.evaluation, tmp_path / "t")
    check = Check(binary.bundle.baseline, [table], scorer=Scorer(read_info(folder), lambda: load_bundle(folder)))
    assert "its bundle says 0.123" in check.model_problem
    assert check.not_compared == (PREDICTION,)


def test_rows_that_the_model_cannot_answer_have_no_score(binary: Example, text: Example, tmp_path: Path) -> None:
    frame = binary.evaluation.drop(columns=TARGET)
    frame.loc[[3, 5], "mean area"] = np.nan  # a logistic regression takes none
    frame.loc[7, "mean radius"] = math.inf
    (found,) = judged(binary, _parquet(frame, tmp_path / "t"))
    assert found.unanswered_rows == 3
    column = next(column for column in binary.bundle.baseline.columns if column.name == PREDICTION)
    assert counts_of(found, PREDICTION)[column.bins.special["missing"]] == 3
    place = found.report.baseline.names.index(PREDICTION)
    answered = expected_scores(binary, frame.drop(index=[3, 5, 7]))
    assert found.report.main.sample.mean[place] == pytest.approx(answered.mean())
    shapes = text.evaluation.drop(columns=TARGET)
    shapes.loc[2, "shape"] = "square"
    assert judged(text, _csv(shapes, tmp_path / "shapes"))[0].unanswered_rows == 1


# ---------------------------------------------------------------- how good they are


def metrics_of(found: WindowVerdict) -> dict[str, float]:
    assert found.performance is not None
    assert not found.performance.in_sample
    return dict(found.performance.metrics)


@pytest.mark.parametrize("form", WRITERS)
def test_performance_of_two_classes_is_that_of_scikit_learn(form: str, binary: Example, tmp_path: Path) -> None:
    frame = binary.evaluation
    (found,) = judged(binary, WRITERS[form](frame, tmp_path / "t"), bytes_at_once=2_000)
    scores = expected_scores(binary, frame)
    assert found.performance is not None
    assert found.performance.rows == len(frame)
    assert metrics_of(found) == {
        "accuracy": pytest.approx(accuracy_score(frame[TARGET], binary.estimator.predict(frame[binary.names]))),
        "positive_ratio": pytest.approx(frame[TARGET].mean()),
        "brier": pytest.approx(brier_score_loss(frame[TARGET], scores)),
        "log_loss": pytest.approx(log_loss(frame[TARGET], scores)),
        "roc_auc": pytest.approx(roc_auc_score(frame[TARGET], scores)),
    }
    assert metrics_of(found) == pytest.approx(dict(binary.bundle.info.performance.metrics))  # type: ignore[union-attr]


@pytest.mark.parametrize("form", WRITERS)
def test_performance_of_classes_of_text_and_of_a_regression(
    form: str, multiclass: Example, regression: Example, tmp_path: Path
) -> None:
    flowers = multiclass.evaluation
    (found,) = judged(multiclass, WRITERS[form](flowers, tmp_path / "flowers"))
    labels = multiclass.estimator.predict(flowers[multiclass.names])
    assert metrics_of(found) == {"accuracy": pytest.approx(accuracy_score(flowers[TARGET], labels))}
    patients = regression.evaluation.assign(**{TARGET: regression.evaluation[TARGET].astype(float)})
    patients.loc[:9, TARGET] = np.nan
    (found,) = judged(regression, WRITERS[form](patients, tmp_path / "patients"))
    known = patients[10:]
    values = regression.estimator.predict(known[regression.names])
    assert found.performance is not None
    assert found.performance.rows == len(known)
    assert metrics_of(found)["mean_absolute_error"] == pytest.approx(mean_absolute_error(known[TARGET], values))
    assert metrics_of(found)["r2"] == pytest.approx(r2_score(known[TARGET], values))


def test_each_window_of_a_history_has_its_own_performance(tolerant: Example, tmp_path: Path) -> None:
    frame = tolerant.evaluation
    halves = [frame[:80], frame[80:]]
    tables = [_parquet(half, tmp_path / str(place)) for place, half in enumerate(halves)]
    for found, half in zip(judged(tolerant, *tables), halves, strict=True):
        labels = tolerant.estimator.predict(half[tolerant.names])
        assert metrics_of(found)["accuracy"] == pytest.approx(accuracy_score(half[TARGET], labels))


def test_a_target_of_other_classes_is_named_with_what_leaves_it_out(binary: Example, tmp_path: Path) -> None:
    table = _csv(binary.evaluation.assign(**{TARGET: "benign"}), tmp_path / "t")
    with pytest.raises(TableError, match=r"outcome holds benign, but the model's classes are 0, 1: .*--no-predict"):
        judged(binary, table)


def test_of_very_many_rows_a_sample_is_measured(regression: Example) -> None:
    info: BundleInfo = regression.bundle.info
    rows = 5_000
    truth = np.random.default_rng(0).normal(size=rows)
    scores = truth + np.where(np.arange(rows) % 2 == 0, 1.0, -1.0)
    whole, sampled = PerformanceSample(info, rows), PerformanceSample(info, 400)
    for first in range(0, rows, 100):
        part = slice(first, first + 100)
        answers = Answers(scores[part].tolist(), scores[part], scores[part, None], truth[part].tolist())
        for grades in (whole, sampled):
            grades.add(answers, slice(0, 100))
    exact, found = whole.performance(), sampled.performance()
    assert exact is not None
    assert found is not None
    assert (exact.rows, found.rows) == (rows, 400)
    assert exact.metrics["mean_absolute_error"] == found.metrics["mean_absolute_error"] == pytest.approx(1.0)
    assert found.metrics["r2"] == pytest.approx(exact.metrics["r2"], abs=0.3)


def test_the_report_is_json_with_the_performance_when_made(binary: Example, tmp_path: Path) -> None:
    table = _csv(binary.evaluation, tmp_path / "t")
    report = Check(binary.bundle.baseline, [table], scorer=scorer_of(binary)).report(START)
    made = binary.bundle.info.performance
    told = report.to_dict()
    assert told["unanswered_rows"] == 0
    assert told["performance"]["rows"] == len(binary.evaluation)
    assert told["performance"]["metrics"]["accuracy"] == metrics_of(report.windows[0])["accuracy"]
    assert made is not None
    assert told["performance"]["when_made"] == made.model_dump(mode="json")


# ---------------------------------------------------------------- models that decide for themselves


def made(folder: Path, estimator: Any, frame: pd.DataFrame, **options: Any) -> Example:
    """Make the bundle of a fitted estimator on the table that it was fitted on."""
    create_bundle(estimator, frame, TARGET, name="m", version="1", out=folder, **options)
    return Example(folder, load_bundle(folder), estimator, frame, frame, lambda rows: rows)


def scores_in(found: WindowVerdict, example: Example) -> FloatArray:
    """Return the mean of the scores, and the rows without one."""
    place = found.report.baseline.names.index(PREDICTION)
    column = next(column for column in example.bundle.baseline.columns if column.name == PREDICTION)
    missing = counts_of(found, PREDICTION)[column.bins.special["missing"]]
    return np.array([found.report.main.sample.mean[place], missing])


@pytest.mark.parametrize("form", WRITERS)
def test_a_model_of_free_text_is_given_the_text(form: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    words = np.array(["good", "fine", "nice", "bad", "poor", "awful", "the", "a", "it", "was"])
    texts = [" ".join(generator.choice(words, 6)) for _ in range(300)]
    truth = np.array([text.count("good") + text.count("nice") > text.count("bad") for text in texts])
    frame = pd.DataFrame({"review": texts, TARGET: truth.astype(int)})
    columns = ColumnTransformer([("words", TfidfVectorizer(), "review")])
    model = make_pipeline(columns, LogisticRegression()).fit(frame[["review"]], frame[TARGET])
    example = made(tmp_path / "bundle", model, frame)
    fresh = frame.assign(review=[f"{text} entirely new {place}" for place, text in enumerate(texts)])
    (found,) = judged(example, WRITERS[form](fresh, tmp_path / "t"))
    assert metrics_of(found)["accuracy"] == pytest.approx(model.score(fresh[["review"]], fresh[TARGET]))
    expected = model.predict_proba(fresh[["review"]])[:, 1].mean()
    assert scores_in(found, example) == pytest.approx([expected, 0.0])


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("named", [("1.0", "2.0", "3.0"), ("True", "False", "Unknown"), ("a", "b,c", "d")])
def test_categories_reach_the_model_as_it_was_fitted_on_them(named: tuple[str, ...], form: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"x": generator.normal(size=400), "k": generator.choice(named, 400)})
    frame[TARGET] = ((frame["k"] == named[0]) ^ (generator.random(400) < 0.1)).astype(int)
    encode = ColumnTransformer([("k", OneHotEncoder(handle_unknown="ignore"), ["k"])], remainder="passthrough")
    model = make_pipeline(encode, LogisticRegression()).fit(frame[["x", "k"]], frame[TARGET])
    example = made(tmp_path / "bundle", model, frame)
    (found,) = judged(example, WRITERS[form](frame, tmp_path / "t"))
    expected = model.predict_proba(frame[["x", "k"]])[:, 1]
    assert scores_in(found, example) == pytest.approx([expected.mean(), 0.0])
    assert metrics_of(found)["log_loss"] == pytest.approx(log_loss(frame[TARGET], expected))


def test_the_label_is_the_model_s_own(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=500)})
    frame[TARGET] = (frame["x"] + np.random.default_rng(1).normal(size=500) > 0).astype(int)
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(frame[["x"]], frame[TARGET])
    example = made(tmp_path / "bundle", model, frame)
    (found,) = judged(example, _csv(frame, tmp_path / "t"))
    own = accuracy_score(frame[TARGET], model.predict(frame[["x"]]))
    assert own != accuracy_score(frame[TARGET], model.predict_proba(frame[["x"]])[:, 1] > 0.5)
    assert metrics_of(found)["accuracy"] == pytest.approx(own)


def test_rows_on_which_the_model_raises_have_no_score(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).uniform(0.1, 5.0, 300)})
    frame[TARGET] = np.log(frame["x"])
    model = make_pipeline(FunctionTransformer(np.log, check_inverse=False), LinearRegression())
    model.fit(frame[["x"]], frame[TARGET])
    example = made(tmp_path / "bundle", model, frame)
    frame.loc[[5, 77, 290], "x"] = [-1.0, 0.0, -2.0]
    (found,) = judged(example, _parquet(frame, tmp_path / "t"), bytes_at_once=1_000)
    assert found.unanswered_rows == 3
    expected = model.predict(frame[["x"]].drop(index=[5, 77, 290])).mean()
    assert scores_in(found, example) == pytest.approx([expected, 3.0])
    with pytest.raises(TableError, match=r"the model fails on many rows \(the model raised ValueError: .*--no-predict"):
        judged(example, _parquet(frame.assign(x=-1.0), tmp_path / "t"))
