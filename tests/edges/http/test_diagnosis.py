from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from driftgauge.edges.http.openapi.schemas_diagnosis import DiagnosisAnswer
from driftgauge.edges.http.recent_traffic import SPAN_SECONDS, STEP_SECONDS
from driftgauge.metrics.series import LATENCY
from driftgauge.predictions.generations import sqlite_file
from driftgauge.state.snapshot import sum_totals

from tests.examples import Example
from tests.ingesting import post, records, watching
from tests.monitors import START
from tests.served import Served, served

NEXT: Final = itertools.count(1)


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def diagnosed(server: Served, **query: str) -> dict[str, Any]:
    """Return the diagnosis of the only model, as its schema has it."""
    answer = server.client.get("/diagnosis", params=query)
    assert answer.status_code == 200, answer.text
    DiagnosisAnswer.model_validate(answer.json())
    (found,) = answer.json()["models"]
    assert found["state"] == answer.json()["state"]
    return dict(found)


def sent(server: Served, example: Example, factor: float = 1.0, times: int = 4) -> str:
    """Send the held-out rows, one feature in another unit; return its name. No two rows are equal."""
    name = example.names[0]
    for _ in range(times):
        small = 1.0 + next(NEXT) * 1e-9
        rows = [{**row, name: row[name] * factor * small} for row in example.rows()]
        assert server.predict({"instances": rows}).status_code == 200
    return name


def test_before_the_first_row_nothing_can_be_told(server: Served) -> None:
    found = diagnosed(server)
    assert found["state"] == "cannot_tell"
    assert found["causes"] == []
    assert [step["name"] for step in found["steps"]] == [
        *("data_quality", "drift", "prediction", "ground_truth", "system")
    ]


def test_usual_rows_have_nothing_wrong(server: Served, binary: Example) -> None:
    sent(server, binary)
    found = diagnosed(server, model="binary")
    assert (found["state"], found["causes"], found["since"]) == ("nothing_wrong", [], None)
    assert (found["model_name"], found["model_version"]) == ("binary", "1.2")


def test_the_column_in_another_unit_is_the_first_cause_with_commands_for_this_server(
    server: Served, binary: Example
) -> None:
    name = sent(server, binary, 25.4)
    found = diagnosed(server)
    first = found["causes"][0]
    assert found["state"] == "wrong"
    assert first["columns"] == [name]
    assert first["since"] == found["since"]
    commands = [action["command"] for action in first["actions"] if action["command"]]
    assert any(f"{str(server.client.base_url).rstrip('/')}/drift/status?model=binary" in own for own in commands)
    assert first["importance"] == pytest.approx(binary.bundle.importances.of(name) if binary.bundle.importances else 0)
    assert first["importance"] > 0
    points = found["dependence"]["points"]
    assert found["dependence"]["feature"] == name
    assert any(point["is_new"] for point in points)
    assert len({point["mean_score"] for point in points}) > 1
    page = server.client.get("/", headers={"accept": "text/html"}).text
    assert f"Score by {name}" in page
    assert found["dependence"]["summary"] in page.replace("&#39;", "'").replace("\N{NO-BREAK SPACE}", " ")
    assert {step["name"]: step["status"] for step in found["steps"]}["drift"] == "wrong"
    findings = {step["name"]: step for step in found["steps"]}
    assert findings["drift"]["finding"].startswith(f"Drift in {name}")
    assert findings["prediction"]["looked_at"][0] == "1 answer of the model"


def test_the_command_for_the_newest_rows_finds_their_log(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path / "state") as running:
        sent(running, binary, 25.4)
        actions = diagnosed(running)["causes"][0]["actions"]
        (command,) = (own["command"] for own in actions if own["command"] and "log export" in own["command"])
        assert shlex.split(command)[-2:] == ["--state-dir", str(tmp_path / "state")]
        assert sqlite_file(Path(shlex.split(command)[-1])).exists()


def test_no_value_of_a_column_that_is_not_logged_is_shown(binary: Example) -> None:
    name = binary.names[0]
    with served(binary, prediction_log_drop=(name,)) as server:
        for _ in range(4):
            rows = [{**row, name: 98_765.0} for row in binary.rows()]
            assert server.predict({"instances": rows}).status_code == 200
        found = diagnosed(server)
    assert (found["causes"][0]["kind"], found["causes"][0]["columns"]) == ("stuck_sensor", [name])
    assert "98765" not in str(found).replace(",", "")
    assert found["dependence"] is None


def test_a_diagnosis_is_made_once_for_each_evaluation(
    server: Served, binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(server, binary)
    first = diagnosed(server)
    diagnoses = server.context.model().monitoring.diagnoses

    def fails(*_: object) -> None:
        raise ArithmeticError("made again")

    with monkeypatch.context() as patched:
        patched.setattr(diagnoses, "made_of", fails)
        assert diagnosed(server) == first
        sent(server, binary, times=1)
        assert server.client.get("/diagnosis").status_code == 500
        page = server.client.get("/", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert 'id="diagnosis"' not in page.text
        assert any("made again" in text for text in server.status()["monitoring"]["problems"])
    assert diagnosed(server)["state"] == "nothing_wrong"
    assert 'id="diagnosis"' in server.client.get("/", headers={"accept": "text/html"}).text
    assert server.status()["monitoring"]["problems"] == []


def test_browsers_are_sent_to_the_page(server: Served) -> None:
    for query, where in (("", "./#diagnosis"), ("?model=binary", "./?model=binary#diagnosis")):
        answer = server.client.get(f"/diagnosis{query}", headers={"accept": "text/html"}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, where)
    assert server.client.get("/diagnosis?format=xml").json()["error"]["code"] == "unknown_format"


def test_an_unknown_model_is_not_found(server: Served) -> None:
    answer = server.client.get("/diagnosis", params={"model": "other"})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].endswith("there is binary")


def test_without_monitoring_there_is_no_diagnosis(binary: Example) -> None:
    with served(binary, monitoring_enabled=False) as running:
        answer = running.client.get("/diagnosis")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "monitoring_disabled")


def test_a_model_that_answers_more_slowly_than_it_did_is_slow(binary: Example) -> None:
    passed = [START]

    def answered(server: Served, seconds: float, later: float) -> None:
        model = server.context.model().monitoring
        with model.store.counting() as counters:
            counters.observe(LATENCY.name, np.full(200, seconds), "small")
        passed[0] += later
        model.recent.note(sum_totals(model.store.counted()))

    with served(binary, now=lambda: passed[0]) as server:
        sent(server, binary)
        answered(server, 0.004, STEP_SECONDS + 1.0)
        answered(server, 0.004, SPAN_SECONDS + 1.0)
        assert diagnosed(server)["state"] == "nothing_wrong"
        sent(server, binary, times=1)
        answered(server, 0.04, 1.0)
        answered(server, 0.04, 1.0)
        found = diagnosed(server)
    assert (found["causes"][0]["kind"], found["causes"][0]["columns"]) == ("slow_model", [])
    assert found["dependence"] is None
    assert {step["name"]: step["status"] for step in found["steps"]}["system"] == "wrong"


def test_a_source_of_records_that_stopped_is_named_once_it_is_stale(binary: Example) -> None:
    with watching(binary, "memory", ingest_stale_seconds=60.0) as server:
        post(server, records(binary, 150))
        assert "no_rows" not in [own["kind"] for own in diagnosed(server)["causes"]]
        server.context.monitoring.clock = lambda: time.time() + 100.0
        server.context.monitoring.model().monitor.evaluate(time.time() + 100.0)
        assert "no_rows" in [own["kind"] for own in diagnosed(server)["causes"]]
