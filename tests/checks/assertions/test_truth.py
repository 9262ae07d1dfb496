from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.assertions.suite import suite
from driftgauge.checks.options import CheckOptions
from sklearn import metrics

IN_PARTS = CheckOptions(bytes_at_once=4_096)


def value(text: str, table: Any, options: CheckOptions = IN_PARTS, **columns: str) -> float | str | None:
    (outcome,) = suite(f"{text} != -1", **columns).run(table, None, options).outcomes
    if outcome.value is None:
        raise ValueError(outcome.problem)
    return outcome.value


def binary(rows: int = 6_000) -> pd.DataFrame:
    random = np.random.default_rng(3)
    score = random.random(rows).round(3)
    truth = (random.random(rows) < score).astype(int)
    return pd.DataFrame({"y": truth, "p": (score > 0.4).astype(int), "s": score})


BINARY = {
    "accuracy": metrics.accuracy_score,
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
    "f1": metrics.f1_score,
    "true_positive_rate": metrics.recall_score,
    "true_negative_rate": lambda y, p: metrics.recall_score(y, p, pos_label=0),
    "false_positive_rate": lambda y, p: 1 - metrics.recall_score(y, p, pos_label=0),
    "false_negative_rate": lambda y, p: 1 - metrics.recall_score(y, p),
    "labelled_rows": lambda y, p: len(y),
}
SCORED = {"roc_auc": metrics.roc_auc_score, "log_loss": metrics.log_loss, "brier": metrics.brier_score_loss}


@pytest.mark.parametrize("name", BINARY)
def test_performance_of_classes_is_that_of_scikit_learn(name: str, tmp_path: Path) -> None:
    found = binary()
    assert value(name, found, label="y", prediction="p") == pytest.approx(BINARY[name](found["y"], found["p"]))
    found.to_csv(tmp_path / "t.csv", index=False)
    assert value(name, tmp_path / "t.csv", label="y", prediction="p") == pytest.approx(
        BINARY[name](found["y"], found["p"])
    )


@pytest.mark.parametrize("name", SCORED)
def test_performance_of_scores_is_that_of_scikit_learn(name: str) -> None:
    found = binary()
    assert value(name, found, label="y", score="s") == pytest.approx(SCORED[name](found["y"], found["s"]))


def test_a_score_predicts_the_likelier_class() -> None:
    found = binary()
    likelier = found["s"] >= 0.5
    assert value("precision", found, label="y", score="s") == pytest.approx(
        metrics.precision_score(found["y"], likelier)
    )


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_performance_of_several_classes_is_the_macro_average(name: str) -> None:
    random = np.random.default_rng(5)
    truth = random.choice(["a", "b", "c"], 3_000)
    answer = np.where(random.random(3_000) < 0.7, truth, random.choice(["a", "b", "d"], 3_000))
    oracle = getattr(metrics, f"{name}_score")(truth, answer, average="macro", zero_division=0)
    assert value(name, {"y": truth, "p": answer}, label="y", prediction="p") == pytest.approx(oracle)
    of_a = getattr(metrics, f"{name}_score")(truth == "a", answer == "a")
    assert value(name, {"y": truth, "p": answer}, label="y", prediction="p", positive="a") == pytest.approx(of_a)


def test_true_and_1_are_the_same_class() -> None:
    found = {"y": [True, False, True], "p": ["1.0", "0", "false"]}
    assert value("precision", found, label="y", prediction="p") == 1.0
    assert value("recall", found, label="y", prediction="p") == 0.5


def test_two_classes_with_other_names_need_the_positive_one() -> None:
    found = {"y": ["yes", "no", "yes"], "p": ["yes", "yes", "no"], "s": [0.9, 0.8, 0.2]}
    for one in ("precision", "log_loss"):
        with pytest.raises(ValueError, match="name the positive one"):
            value(one, found, label="y", prediction="p", score="s")
    assert value("precision", found, label="y", prediction="p", positive="yes") == 0.5
    assert value("precision", found, label="y", score="s", positive="yes") == 0.5
    assert value("accuracy", found, label="y", prediction="p", positive="yes") == pytest.approx(1 / 3)


def test_rows_without_truth_or_prediction_do_not_count() -> None:
    found = {"y": [1, None, 0, 1], "p": [1, 1, None, 0], "n": [1.0, 2.0, None, 4.0]}
    assert value("labelled_rows", found, label="y", prediction="p") == 2.0
    assert value("accuracy", found, label="y", prediction="p") == 0.5
    assert value("mae", found, label="n", prediction="p") == pytest.approx((0 + 1 + 4) / 3)


def test_what_is_not_defined_is_unknown() -> None:
    for one in ("precision", "roc_auc"):
        with pytest.raises(ValueError, match="not defined"):
            value(one, {"y": [0, 0], "p": [0, 0], "s": [0.1, 0.2]}, label="y", prediction="p", score="s")


def test_a_score_must_be_a_probability() -> None:
    with pytest.raises(ValueError, match=r"row 2: s: 1\.5 is not a probability from 0 to 1"):
        value("log_loss", {"y": [0, 1], "s": [0.5, 1.5]}, label="y", score="s")


def test_a_truth_of_very_many_classes_is_refused() -> None:
    found = {"y": np.arange(3_000), "p": np.arange(3_000)}
    with pytest.raises(ValueError, match="more than 1,000 classes"):
        value("accuracy", found, label="y", prediction="p")


REGRESSION = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "mape": metrics.mean_absolute_percentage_error,
    "r2": metrics.r2_score,
    "bias": lambda y, p: float((p - y).mean()),
}


@pytest.mark.parametrize("name", REGRESSION)
def test_errors_of_numbers_are_those_of_scikit_learn(name: str) -> None:
    random = np.random.default_rng(2)
    truth = random.normal(1e6, 10.0, 5_000)
    answer = truth + random.normal(1.0, 3.0, 5_000)
    found = value(name, {"y": truth, "p": answer}, label="y", prediction="p")
    assert found == pytest.approx(REGRESSION[name](truth, answer), rel=1e-9)


def test_the_area_under_the_curve_of_many_rows_is_of_a_sample() -> None:
    found = binary(20_000)
    options = CheckOptions(held_rows=4_000, bytes_at_once=4_096)
    (outcome,) = suite("roc_auc > 0.5", label="y", score="s").run(found, None, options).outcomes
    assert outcome.note == "of a random sample of 4,000 of 20,000 rows"
    assert outcome.value == pytest.approx(metrics.roc_auc_score(found["y"], found["s"]), abs=0.03)


@pytest.mark.parametrize("size", [4_096, 1 << 20])
def test_errors_that_exceed_the_largest_number_fail(size: int) -> None:
    found = {"y": [1.0, 2.0, 3.0] * 600, "p": [1.0, -1e200, 3.0] * 600}
    options = CheckOptions(bytes_at_once=size)
    assert value("rmse", found, options, label="y", prediction="p") == math.inf
    assert value("mae", found, options, label="y", prediction="p") == pytest.approx(1e200 / 3)
    with pytest.raises(ValueError, match="the numbers are infinite or too large"):
        value("r2", found, options, label="y", prediction="p")
    with pytest.raises(ValueError, match="the numbers are infinite or too large"):
        value("r2", found, options, label="p", prediction="y")


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize(
    ("truth", "answer"), [(2.0, math.inf), (2.0, -math.inf), (math.inf, 2.0), (math.inf, math.inf)]
)
def test_an_infinite_number_is_an_infinite_error(name: str, truth: float, answer: float) -> None:
    found = {"y": [1.0, truth, 3.0], "p": [1.0, answer, math.nan]}
    if name in ("r2", "bias"):
        with pytest.raises(ValueError, match="the numbers are infinite or too large"):
            value(name, found, label="y", prediction="p")
    else:
        assert value(name, found, label="y", prediction="p") == math.inf
        (outcome,) = suite(f"{name} < 1e9", label="y", prediction="p").run(found).outcomes
        assert (outcome.passed, outcome.reason) == (False, "it is inf")


def by_day(text: str, days: list[dict[str, Any]], **columns: str) -> list[float | str]:
    """Return the value of each day, or the problem."""
    parts = [pd.DataFrame(day).assign(at=index * 86_400.0) for index, day in enumerate(days)]
    options = CheckOptions(time="at", every="1d")
    outcomes = suite(f"{text} != -1", **columns).run(pd.concat(parts), None, options).outcomes
    return [one.problem if one.value is None else one.value for one in outcomes]


@pytest.mark.parametrize("names", [("a", "b", "c"), (0, 1, 2)])
@pytest.mark.parametrize("whole_first", [True, False])
def test_several_classes_are_averaged_in_windows_that_lack_one(names: tuple[Any, ...], whole_first: bool) -> None:
    a, b, c = names
    whole = {"y": [a, b, c, c], "p": [a, b, c, a]}
    lacking = {"y": [a, a, b, b], "p": [a, b, b, b]}
    days: list[dict[str, Any]] = [whole, lacking] if whole_first else [lacking, whole]
    for name in ("precision", "recall", "f1"):
        oracle = getattr(metrics, f"{name}_score")
        expected = [oracle(day["y"], day["p"], average="macro") for day in days]
        assert by_day(name, days, label="y", prediction="p") == pytest.approx(expected)
    assert by_day("labelled_rows", days, label="y", prediction="p") == [4.0, 4.0]
    assert by_day("accuracy", days, label="y", prediction="p") == [0.75, 0.75]


def test_accuracy_and_the_number_of_rows_need_no_positive_class() -> None:
    found = {"y": ["a", "b", "b"], "p": ["a", "b", "a"], "s": [0.1, 0.7, None]}
    assert value("accuracy", found, label="y", prediction="p") == pytest.approx(2 / 3)
    assert value("labelled_rows", found, label="y", prediction="p") == 3.0
    assert value("labelled_rows", found, label="y", score="s") == 2.0


@pytest.mark.parametrize("name", ["recall", "accuracy", "roc_auc", "log_loss", "brier"])
def test_scores_of_several_classes_are_undefined_in_every_window(name: str) -> None:
    days: list[dict[str, Any]] = [
        {"y": [0, 1], "s": [0.2, 0.7]},
        {"y": [0, 2], "s": [0.2, 0.7]},
        {"y": [1, 0], "s": [0.2, 0.7]},
    ]
    problem = "the classes are 2: name the positive one (--positive CLASS)"
    assert by_day(name, days, label="y", score="s") == [problem] * 3
    assert problem not in by_day(name, days, label="y", score="s", positive="2")
