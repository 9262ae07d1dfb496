"""`GET /predictions` of a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.edges.http.openapi.schemas_predictions import LoggedPredictions
from driftgauge.edges.http.predictions import MOST_IDS, MOST_ROWS
from driftgauge.predictions.log import MOST_READS
from sqlalchemy import text as sql

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.postgres import Postgres
from tests.served import Served, served

JSON = {"accept": "application/json"}
ROWS = 25


def at(second: int) -> str:
    return f"2026-01-31T12:00:{second:02d}Z"


@pytest.fixture
def server(binary: Example, tmp_path: Path) -> Iterator[Served]:
    """A server with logged predictions id0 … id24, a second apart."""
    outcomes = {"revenue": {"kind": "number"}}
    with served(
        binary, state_dir=tmp_path / "state", prediction_log_durability="acknowledged", outcomes=outcomes
    ) as running:
        fill(running, binary)
        yield running


def fill(server: Served, example: Example) -> None:
    server.predict(
        {
            "instances": example.rows(ROWS),
            "prediction_ids": [f"id{row}" for row in range(ROWS)],
            "timestamps": [at(row) for row in range(ROWS)],
        }
    ).raise_for_status()


def get(server: Served, **query: Any) -> Any:
    answer = server.client.get("/predictions", params=query, headers=JSON)
    assert answer.status_code == 200, answer.text
    LoggedPredictions.model_validate(answer.json())
    return answer.json()


def ids(found: Any) -> list[str]:
    return [row["prediction_id"] for row in found["predictions"]]


def lines(answer: httpx.Response) -> list[Any]:
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("name", MAKERS)
def test_a_prediction_is_shown_as_it_was_asked_and_answered(name: str, example_of: ExampleOf, tmp_path: Path) -> None:
    example = example_of(name)
    with served(example, state_dir=tmp_path / "state", prediction_log_durability="acknowledged") as running:
        answered = running.predict({"instances": example.rows(30)}).json()["predictions"]
        found = get(running, limit=30)["predictions"]
    of_id = {row["prediction_id"]: row for row in found}
    assert len(of_id) == 30
    for sent, said in zip(example.rows(30), answered, strict=True):
        row = of_id[said["prediction_id"]]
        assert (row["prediction"], row["score"]) == (said["prediction"], said["score"])
        assert (row["model_name"], row["model_version"], row["source"]) == (name, "1.2", "predict")
        if name == "multiclass":
            assert max(row["probabilities"].values()) == pytest.approx(row["score"], rel=1e-6)
            assert row["probabilities"][row["prediction"]] == max(row["probabilities"].values())
        else:
            assert row["probabilities"] is None
        for feature in example.bundle.info.features:
            value = sent[feature.name]
            if feature.kind == "numeric":
                assert row["features"][feature.name] == (None if value is None else pytest.approx(float(value)))
            elif feature.kind == "categorical" and value is not None:
                assert row["features"][feature.name] == str(value)


def test_pages_follow_one_another_in_the_order_of_time(server: Served) -> None:
    found, address = [], "/predictions?limit=10&since=2026-01-31"
    pages = 0
    while address:
        answer = server.client.get(address)
        assert answer.headers["content-type"] == "application/x-ndjson"
        found += [row["prediction_id"] for row in lines(answer)]
        pages += 1
        after = answer.links.get("next", {}).get("url")
        address = f"/predictions{after}" if after else ""
    assert (found, pages) == ([f"id{row}" for row in range(ROWS)], 3)


def test_json_has_the_cursor_of_the_next_page(server: Served) -> None:
    first = get(server, limit=20)
    assert ids(first) == [f"id{row}" for row in range(20)]
    last = get(server, limit=20, cursor=first["next_cursor"])
    assert (ids(last), last["next_cursor"]) == ([f"id{row}" for row in range(20, ROWS)], None)
    assert get(server, limit=ROWS)["next_cursor"] is None


def test_a_range_of_time_holds_its_start_and_not_its_end(server: Served) -> None:
    assert ids(get(server, since=at(3), until=at(6))) == ["id3", "id4", "id5"]
    assert ids(get(server, until="9999d")) == []


def test_predictions_are_found_by_id(server: Served) -> None:
    assert ids(get(server, id=["id7", "id3", "elsewhere", "id7"])) == ["id3", "id7"]
    assert get(server, id="elsewhere")["predictions"] == []


def test_a_version_is_shown_alone(server: Served) -> None:
    assert len(ids(get(server, version="1.2"))) == ROWS
    assert ids(get(server, version="2")) == []


def test_features_are_left_out_on_request(server: Served) -> None:
    assert all("features" not in row for row in get(server, features="false")["predictions"])


def test_labels_and_outcomes_are_joined_on_request(server: Served, binary: Example) -> None:
    label = binary.bundle.info.classes[1]
    given = {"prediction_id": "id4", "label": label, "observed_at": at(30), "outcomes": {"revenue": 2.5}}
    server.client.post("/labels", json=[given]).raise_for_status()
    (row,) = get(server, id="id4", labels="true")["predictions"]
    assert (row["label"], row["observed_at"], row["outcomes"]) == (
        label,
        "2026-01-31T12:00:30.000000Z",
        {"revenue": 2.5},
    )
    (other,) = get(server, id="id5", labels="true")["predictions"]
    assert (other["label"], other["observed_at"], other["outcomes"]) == (None, None, {})
    assert "label" not in get(server, id="id4")["predictions"][0]


def test_answers_are_compressed_on_request(server: Served) -> None:
    answer = server.client.get("/predictions", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(lines(answer)) == ROWS


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"limit": "0"}, "invalid_query", "limit"),
        ({"limit": str(MOST_ROWS + 1)}, "invalid_query", "limit"),
        ({"limit": "9" * 5_000}, "invalid_query", "limit"),
        ({"limit": "²"}, "invalid_query", "limit"),
        ({"cursor": "back"}, "invalid_query", "cursor"),
        ({"cursor": "é"}, "invalid_query", "cursor"),
        ({"features": "no"}, "invalid_query", "features"),
        ({"labels": ""}, "invalid_query", "labels"),
        ({"untill": "1h"}, "invalid_query", "untill"),
        ({"since": "often"}, "invalid_timestamp", "since"),
        ({"until": "1e400"}, "invalid_timestamp", "until"),
        ({"id": ""}, "invalid_prediction_id", "id"),
        ({"id": "a\nb"}, "invalid_prediction_id", "id"),
        ({"id": [f"id{row}" for row in range(MOST_IDS + 1)]}, "invalid_query", "id"),
    ],
)
def test_a_wrong_query_is_refused_by_name(server: Served, query: Any, code: str, field: str) -> None:
    answer = server.client.get("/predictions", params=query)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["detail"]["field"]) == (code, field)
    assert field in error["message"]


def test_an_unknown_model_is_refused(server: Served) -> None:
    assert server.client.get("/predictions", params={"model": "other"}).status_code == 404


def test_dropped_columns_are_missing_and_hashed_ones_stay_hashed(binary: Example, tmp_path: Path) -> None:
    first, second, *_ = binary.names
    options: dict[str, Any] = {
        "prediction_log_drop": (first,),
        "prediction_log_hash": (second,),
        "prediction_log_hash_key": "a long and secret text",
        "prediction_log_durability": "acknowledged",
    }
    with served(binary, state_dir=tmp_path / "state", **options) as running:
        fill(running, binary)
        found = get(running)["predictions"]
    assert all(first not in row["features"] for row in found)
    assert {row["features"][second] for row in found}.isdisjoint({row[second] for row in binary.rows(ROWS)})


def test_a_server_without_a_log_says_so(binary: Example) -> None:
    with served(binary) as running:
        answer = running.client.get("/predictions")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "prediction_log_disabled"


def test_a_log_that_fails_is_a_problem_and_can_be_asked_again(server: Served) -> None:
    log = server.context.monitoring.predictions
    assert log is not None
    for _ in range(5):  # what else reads the log may find the damage first, and then begins a new file
        with log.store().engine.begin() as connection:
            connection.execute(sql("ALTER TABLE versions RENAME TO away"))
        answer = server.client.get("/predictions")
        if answer.status_code != 200:
            break
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "prediction_log_not_read")
    assert "retry-after" in answer.headers
    assert any("versions" in problem for problem in server.status()["monitoring"]["problems"])


def test_few_requests_wait_for_the_log(server: Served) -> None:
    log = server.context.monitoring.predictions
    assert log is not None
    for _ in range(MOST_READS):
        assert log.reads.acquire(blocking=False)
    answer = server.client.get("/predictions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    for _ in range(MOST_READS):
        log.reads.release()
    assert server.client.get("/predictions").status_code == 200


def test_postgresql_answers_the_same(binary: Example, postgres: Postgres) -> None:
    url = postgres.new_database()
    with served(binary, prediction_log_url=url, prediction_log_durability="acknowledged") as running:
        fill(running, binary)
        given = [{"prediction_id": "id2", "label": binary.bundle.info.classes[0]}]
        running.client.post("/labels", json=given).raise_for_status()
        first = get(running, limit=5, labels="true")
        assert ids(first) == [f"id{row}" for row in range(5)]
        assert [row["label"] for row in first["predictions"]] == [None, None, binary.bundle.info.classes[0], None, None]
        assert ids(get(running, limit=2, cursor=first["next_cursor"])) == ["id5", "id6"]
