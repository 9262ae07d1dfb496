"""What a server answers is in its prediction log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.errors import LOG_DROPS, Reason
from driftgauge.predictions.class_probabilities import probabilities_of
from driftgauge.predictions.database import reading
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.ids import is_sampled, key_of
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import PredictionBatch
from driftgauge.predictions.store import PredictionStore

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.postgres import Postgres
from tests.served import Served, served

WRITTEN = "model_prediction_log_written_total"
DROPPED = "model_prediction_log_dropped_total"


@pytest.fixture
def server(binary: Example, tmp_path: Path) -> Iterator[Served]:
    with served(binary, state_dir=tmp_path / "state", prediction_log_durability="acknowledged") as running:
        yield running


def logged(folder: Path | None, model: str, url: str | None = None) -> PredictionBatch:
    """Return all predictions of a model as one batch."""
    store = PredictionStore.open(folder, url)
    (batch,) = store.read(Selection(model))
    store.close()
    return batch


@pytest.mark.parametrize("name", MAKERS)
def test_every_answer_is_in_the_log_with_its_inputs(name: str, example_of: ExampleOf, tmp_path: Path) -> None:
    example = example_of(name)
    with served(example, state_dir=tmp_path / "state") as running:
        answers = running.predict({"instances": example.rows(40)}).json()["predictions"]
        answers += [running.predict({"features": row}).json() for row in example.rows(5, first=40)]
    batch = logged(tmp_path / "state", name)
    ((version, model),) = batch.models.items()
    predictor = running.context.model().predictor
    expected = predictor.predict(example.batch(example.rows(45))).columns
    assert (model.version, model.baseline_hash) == ("1.2", example.bundle.baseline.hash)
    assert [feature.name for feature in model.features] == example.names
    at = {id_: row for row, id_ in enumerate(batch.ids)}
    order = [at[answer["prediction_id"]] for answer in answers]
    assert sorted(order) == list(range(45))
    assert np.array_equal(batch.features[version][order], expected[:, : len(example.names)], equal_nan=True)
    assert batch.scores[order].tolist() == [answer["score"] for answer in answers]
    said = [answer["prediction"] for answer in answers]
    found = batch.predictions[order].tolist()
    assert (found if name == "regression" else [model.classes[int(index)] for index in found]) == said


def test_categories_are_logged_by_their_bins(text: Example, tmp_path: Path) -> None:
    with served(text, state_dir=tmp_path / "state") as running:
        running.predict({"instances": text.rows(20)})
    batch = logged(tmp_path / "state", "text")
    ((version, model),) = batch.models.items()
    of_categories = [index for index, feature in enumerate(model.features) if feature.categories]
    assert of_categories
    for index in of_categories:
        feature = model.features[index]
        sent = sorted(str(row[feature.name]) for row in text.rows(20))
        assert sorted(feature.categories[int(code)] for code in batch.features[version][:, index]) == sent


def test_rows_have_the_times_that_were_sent(binary: Example, server: Served, tmp_path: Path) -> None:
    rows = binary.rows(2)
    server.predict(
        {"instances": rows, "prediction_ids": ["a", "b"], "timestamps": [None, "2026-01-31T12:00:00.25Z"]}
    ).raise_for_status()
    batch = logged(tmp_path / "state", "binary")
    time = dict(zip(batch.ids, batch.time.tolist(), strict=True))
    arrival = dict(zip(batch.ids, batch.arrival.tolist(), strict=True))
    assert time["b"] == 1_769_860_800_250_000
    assert time["a"] == arrival["a"] == arrival["b"]


def test_the_open_inference_protocol_is_logged_too(binary: Example, server: Served, tmp_path: Path) -> None:
    rows = [list(row.values()) for row in binary.rows(3)]

    def ask(count: int, **more: Any) -> list[str]:
        tensor = {"name": "x", "shape": [count, len(rows[0])], "datatype": "FP64", "data": rows[:count]}
        answer = server.client.post("/v2/models/binary/infer", json={"inputs": [tensor], **more}).json()
        ids: list[str] = answer["outputs"][2]["data"]
        return ids

    ids = [*ask(1, id="mine"), *ask(1), *ask(3, id="a request of three")]
    assert ids[0] == "mine"
    assert sorted(logged(tmp_path / "state", "binary").ids) == sorted(ids)


def test_an_acknowledged_prediction_is_in_the_log_before_its_answer(
    binary: Example, server: Served, tmp_path: Path
) -> None:
    store = PredictionStore.open(tmp_path / "state")
    for row in binary.rows(20):
        id_ = server.predict({"features": row}).json()["prediction_id"]
        assert [batch.ids for batch in store.read(Selection("binary", keys=[key_of(id_)]))] == [[id_]]
    store.close()


def test_what_became_of_predictions_is_counted(binary: Example, server: Served) -> None:
    server.predict({"instances": binary.rows(3), "prediction_ids": ["a", "b", "c"]})
    server.predict({"instances": binary.rows(2), "prediction_ids": ["c", "d"]})
    assert server.metric(WRITTEN) == server.metric("model_prediction_log_lag_seconds_count") == 4
    drops = {reason: server.metric(DROPPED, reason=reason) for reason in LOG_DROPS}
    assert drops == {reason: float(reason is Reason.PREDICTION_ID_REPEATED) for reason in LOG_DROPS}


def test_a_sample_is_logged_by_id(binary: Example, tmp_path: Path) -> None:
    ids = [f"order {number}" for number in range(100)]
    with served(binary, state_dir=tmp_path / "state", prediction_log_sample_ratio=0.3) as running:
        running.predict({"instances": binary.rows(1) * 100, "prediction_ids": ids}).raise_for_status()
    assert set(logged(tmp_path / "state", "binary").ids) == {id_ for id_ in ids if is_sampled(key_of(id_), 0.3)}


def test_columns_are_dropped_and_hashed(binary: Example, tmp_path: Path) -> None:
    first, second, *others = binary.names
    options: dict[str, Any] = {
        "prediction_log_drop": (first,),
        "prediction_log_hash": (second,),
        "prediction_log_hash_key": "a long and secret text",
    }
    with served(binary, state_dir=tmp_path / "state", **options) as running:
        running.predict({"instances": binary.rows(30)}).raise_for_status()
    batch = logged(tmp_path / "state", "binary")
    ((version, model),) = batch.models.items()
    assert [feature.name for feature in model.features] == [second, *others]
    assert model.features[0].kind == "hashed"
    plain = {float(row[second]) for row in binary.rows(30)}
    hashed = set(batch.features[version][:, 0].tolist())
    assert len(hashed) == len(plain)
    assert hashed.isdisjoint(plain)


def test_the_log_names_the_token_of_each_caller_and_never_has_the_token(binary: Example, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("billing predict token:a-secret-of-billing\nweb predict,read token:a-secret-of-the-web\n")
    with served(
        binary, state_dir=tmp_path / "state", tokens_file=tokens, prediction_log_durability="acknowledged"
    ) as running:
        for id_, secret in (("a", "a-secret-of-billing"), ("b", "a-secret-of-the-web")):
            body = {"features": binary.rows(1)[0], "prediction_id": id_}
            headers = {"authorization": f"Bearer {secret}"}
            running.client.post("/predict", json=body, headers=headers).raise_for_status()
        answer = running.client.get("/predictions", headers={"authorization": "Bearer a-secret-of-the-web"})
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [(own["prediction_id"], own["caller"]) for own in found] == [("a", "billing"), ("b", "web")]
    content = b"".join(path.read_bytes() for path in (tmp_path / "state" / "predictions").iterdir())
    assert b"billing" in content
    assert b"a-secret-of" not in content


def test_a_server_without_a_log_writes_none(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path / "state", prediction_log=False) as running:
        running.predict({"features": binary.rows(1)[0]}).raise_for_status()
        assert running.context.monitoring.predictions is None
        assert running.metric(WRITTEN) == 0
    assert not sqlite_file(tmp_path / "state").exists()


def test_state_in_memory_has_no_log(binary: Example) -> None:
    with served(binary) as running:
        running.predict({"features": binary.rows(1)[0]}).raise_for_status()
        assert running.context.monitoring.predictions is None


def test_postgresql_takes_the_log_of_a_server_without_files(binary: Example, postgres: Postgres) -> None:
    url = postgres.new_database()
    with served(binary, prediction_log_url=url) as running:
        running.predict({"instances": binary.rows(3), "prediction_ids": ["a", "b", "c"]}).raise_for_status()
    assert sorted(logged(None, "binary", url).ids) == ["a", "b", "c"]


@pytest.mark.parametrize("durability", ["written_behind", "acknowledged"])
def test_a_log_that_cannot_be_written_does_not_fail_predictions(
    binary: Example, tmp_path: Path, durability: str
) -> None:
    file = sqlite_file(tmp_path / "state")
    file.mkdir(parents=True)
    for folder in (tmp_path / "state", file.parent, file):
        folder.chmod(0o700)
    with served(binary, state_dir=tmp_path / "state", prediction_log_durability=durability) as running:
        answer = running.predict({"features": binary.rows(1)[0]})
        assert answer.status_code == 200
        running.context.monitoring.predictions.writer.written().result(60)  # type: ignore[union-attr]
        assert any("log.sqlite3" in problem for problem in running.status()["monitoring"]["problems"])


def test_the_probability_of_each_of_several_classes_is_logged(multiclass: Example, tmp_path: Path) -> None:
    with served(multiclass, state_dir=tmp_path / "state") as running:
        running.predict({"instances": multiclass.rows(30), "prediction_ids": [f"{row:02}" for row in range(30)]})
        running.predict({"features": multiclass.rows(1, first=30)[0], "prediction_id": "30"})
    batch = logged(tmp_path / "state", "multiclass")
    expected = multiclass.estimator.predict_proba(multiclass.inputs(multiclass.held_out))[
        [int(id_) for id_ in batch.ids]
    ]
    store = PredictionStore.open(tmp_path / "state")
    with reading(store.engine) as connection:
        for index in range(expected.shape[1]):
            asked = np.full(len(batch), float(index))
            found = probabilities_of(connection, batch.seq, asked, expected.shape[1])
            assert found == pytest.approx(expected[:, index], rel=1e-6, abs=1e-7)
    store.close()


def test_monitored_columns_of_the_prediction_are_no_features(multiclass: Example, tmp_path: Path) -> None:
    with served(multiclass, state_dir=tmp_path / "state") as running:
        running.predict({"instances": multiclass.rows(5)}).raise_for_status()
    (model,) = logged(tmp_path / "state", "multiclass").models.values()
    assert set(multiclass.bundle.baseline.names) >= set(RESERVED)
    assert not {feature.name for feature in model.features} & set(RESERVED)
    assert model.classes == tuple(multiclass.bundle.info.classes)
