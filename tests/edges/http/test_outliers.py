"""Answers say which rows are outliers, and their share is watched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.novelty.novelty import Detector
from driftgauge.errors import SettingsError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline

from tests.conftest import ExampleOf
from tests.examples import Example
from tests.html_pages import Tree
from tests.served import Served, served


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary, outliers=True) as running:
        yield running


def strange(example: Example) -> dict[str, Any]:
    """Return a row with every number far away."""
    (row,) = example.rows(1)
    return {name: value * 1e6 + 1e6 if isinstance(value, float) else value for name, value in row.items()}


def test_an_answer_says_whether_the_row_is_an_outlier(server: Served, binary: Example) -> None:
    (row,) = binary.rows(1)
    ordinary, far = (server.predict({"features": own}).json() for own in (row, strange(binary)))
    assert (ordinary["is_outlier"], far["is_outlier"]) == (False, True)
    assert 0.0 <= ordinary["outlier_score"] < server.context.model().outlier_threshold < far["outlier_score"]


def test_each_of_many_rows_has_the_score_that_it_has_alone(server: Served, binary: Example) -> None:
    rows = [*binary.rows(20), strange(binary)]
    together = server.predict({"instances": rows}).json()["predictions"]
    alone = [server.predict({"features": row}).json() for row in rows]
    assert [own["outlier_score"] for own in together] == pytest.approx([own["outlier_score"] for own in alone])
    assert [own["is_outlier"] for own in together] == [own["is_outlier"] for own in alone]
    assert together[-1]["is_outlier"]


def test_a_request_that_is_predicted_in_slices_has_all_scores(binary: Example) -> None:
    rows = binary.rows(50)
    with served(binary, outliers=True) as whole, served(binary, outliers=True, max_batch_rows=7) as sliced:
        expected, found = (own.predict({"instances": rows}).json()["predictions"] for own in (whole, sliced))
    assert [own["outlier_score"] for own in found] == pytest.approx([own["outlier_score"] for own in expected])


def test_without_the_setting_answers_are_as_before(binary: Example) -> None:
    bare = replace(binary.bundle, baseline=replace(binary.bundle.baseline, novelty=None))
    with served(binary) as new, served(replace(binary, bundle=bare)) as old:
        body = {"instances": binary.rows(3), "prediction_ids": ["a", "b", "c"]}
        answers = [own.predict(body).json() for own in (new, old)]
        for answer in answers:
            answer.pop("latency_ms")
        assert answers[0] == answers[1]
        assert set(answers[0]["predictions"][0]) == {"prediction_id", "prediction", "score"}
        assert {"prediction_outlier", "outliers"}.isdisjoint(new.status())
        assert {name for name, _ in new.metrics()} == {name for name, _ in old.metrics()}


def test_the_outputs_of_the_open_inference_protocol_say_it_too(server: Served, binary: Example) -> None:
    path = f"/v2/models/{binary.bundle.info.name}"
    described = server.client.get(path).json()["outputs"]
    assert [own["name"] for own in described[-2:]] == ["is_outlier", "outlier_score"]
    rows = [*binary.rows(2), strange(binary)]
    names = [feature.name for feature in binary.bundle.info.features]
    inputs = [
        {
            "name": name,
            "shape": [3],
            "datatype": "BYTES" if isinstance(rows[0][name], str) else "FP64",
            "data": [row[name] for row in rows],
        }
        for name in names
    ]
    expected = server.predict({"instances": rows}).json()["predictions"]
    for wanted in (None, [{"name": "outlier_score"}, {"name": "is_outlier"}]):
        body = {"inputs": inputs, **({} if wanted is None else {"outputs": wanted})}
        outputs = {own["name"]: own for own in server.client.post(f"{path}/infer", json=body).json()["outputs"]}
        assert outputs["is_outlier"]["data"] == [own["is_outlier"] for own in expected]
        assert outputs["outlier_score"]["data"] == pytest.approx([own["outlier_score"] for own in expected])
        assert outputs["is_outlier"]["datatype"] == "BOOL"


def test_the_share_of_outliers_is_a_column_of_the_status_and_the_metrics(server: Served, binary: Example) -> None:
    rows = [*binary.rows(30), *[strange(binary)] * 10]
    assert server.predict({"instances": rows}).status_code == 200
    status = server.status()
    assert status["rows_observed"] == 40
    assert "prediction_outlier" in status
    assert "prediction_outlier" not in status["features"]
    flagged = sum(own["is_outlier"] for own in server.predict({"instances": rows}).json()["predictions"])
    counted = server.metric("model_feature_bin_rows_total", feature_name="prediction_outlier", bin="outlier")
    assert counted == 2 * flagged >= 20
    assert "prediction_outlier" in server.client.get("/", headers={"accept": "text/html"}).text


def test_a_high_share_of_outliers_is_in_the_status_the_metrics_and_the_page(binary: Example) -> None:
    with served(binary, outliers=True, outlier_threshold_ratio=0.25, windows=(500, 1_000)) as server:
        server.predict({"instances": [strange(binary)] * 200 + binary.rows(100) * 4})
        status, flagged = server.status()["outliers"], server.metric("model_outlier_ratio", window="1000")
        assert status["ratio"] == status["windows"]["1000"] == pytest.approx(flagged)
        assert flagged == pytest.approx(1 / 3, abs=0.02)
        assert (status["threshold"], status["is_high"], status["window"]) == (0.25, True, "1000")
        assert server.metric("model_outlier_threshold_ratio") == 0.25
        assert server.metric("model_outlier_reference_ratio") == pytest.approx(status["reference_ratio"])
        assert "limit is 25" in Tree(server.client.get("/", headers={"accept": "text/html"}).text).words


def test_many_outliers_are_drift(binary: Example) -> None:
    with served(binary, outliers=True, windows=(200, 1_000)) as server:
        rows = [*binary.rows(70), *[strange(binary)] * 30]
        for seed in range(10):
            order = np.random.default_rng(seed).permutation(100)
            server.predict({"instances": [rows[index] for index in order]})
        column = server.status()["prediction_outlier"]
        assert column["status"] == "drift_detected"
        assert "outlier" in column["reason"]


@pytest.mark.parametrize("name", ["multiclass", "regression", "tolerant", "category", "coded", "text"])
def test_models_of_every_kind_score_their_rows(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example, outliers=True) as server:
        rows = example.rows(50)
        found = server.predict({"instances": rows}).json()["predictions"]
        assert np.mean([own["is_outlier"] for own in found]) <= 0.1
        assert all(own["outlier_score"] >= 0.0 for own in found)


def test_a_bundle_of_an_earlier_version_says_how_to_rebuild_it(binary: Example) -> None:
    bare = replace(binary.bundle, baseline=replace(binary.bundle.baseline, novelty=None))
    with (
        pytest.raises(SettingsError, match="build it again with `driftgauge bundle create`"),
        served(replace(binary, bundle=bare), outliers=True),
    ):
        pass


def test_a_score_that_fails_does_not_fail_the_answer(
    server: Served, binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("driftgauge.drift.novelty.outlier_scorer.NoveltyScorer.scores", broken)
    answer = server.predict({"features": binary.rows(1)[0]})
    assert answer.status_code == 200
    assert "is_outlier" not in answer.json()
    assert any("no room" in problem for problem in server.problems(1))


DETECTORS: tuple[Detector, ...] = ("isolation_forest", "one_class_svm")


def with_detector(example: Example, detector: Detector) -> Example:
    """Return the example with a detector that was fitted on rows like its own."""
    bundle = example.bundle
    rows = example.rows(300)
    names = [feature.name for feature in bundle.info.features]
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    fitted = create_baseline(columns, BaselineOptions(outlier_detector=detector)).novelty
    return replace(example, bundle=replace(bundle, baseline=replace(bundle.baseline, novelty=fitted)))


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_slow_detector_scores_rows_after_their_answer(detector: Detector, binary: Example) -> None:
    with served(with_detector(binary, detector), outliers=True) as server:
        answer = server.predict({"instances": [*binary.rows(20), *[strange(binary)] * 10]}).json()
        assert set(answer["predictions"][0]) == {"prediction_id", "prediction", "score"}
        server.context.model().scoring.shutdown()  # ends once the rows are scored
        counted = [
            server.metric("model_feature_bin_rows_total", feature_name="prediction_outlier", bin=name)
            for name in ("ok", "outlier")
        ]
        assert sum(counted) == 30
        assert 10 <= counted[1] <= 13


@pytest.mark.parametrize("detector", DETECTORS)
def test_asked_inline_a_slow_detector_says_which_rows_are_outliers(detector: Detector, binary: Example) -> None:
    with served(with_detector(binary, detector), outliers=True, outliers_inline=True) as server:
        found = server.predict({"instances": [*binary.rows(20), strange(binary)]}).json()["predictions"]
        assert found[-1]["is_outlier"]
        assert sum(own["is_outlier"] for own in found) <= 3
        assert server.status()["rows_observed"] == 21
