from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from driftgauge.cli.label_import import Columns, ImportTally, Server, send
from driftgauge.errors import SettingsError, TableError
from driftgauge.tables.stream import TableStream

from tests.cli.runs import Run, runs
from tests.examples import Example
from tests.served import Served, served


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runs(monkeypatch, capfd, "labels", "import")


@pytest.fixture
def server(binary: Example, tmp_path: Path) -> Iterator[Served]:
    outcomes = {"click": {"kind": "event"}, "revenue": {"kind": "number"}}
    with served(binary, state_dir=tmp_path / "state", outcomes=outcomes) as running:
        yield running


def predicted(server: Served, example: Example, count: int) -> list[str]:
    """Return the ids of predictions, once they are in the log."""
    answer = server.predict({"instances": example.rows(1) * count}).json()
    log = server.context.monitoring.predictions
    assert log is not None
    log.writer.written().result(10)
    return [row["prediction_id"] for row in answer["predictions"]]


def test_a_file_of_every_format_is_sent_and_may_be_sent_again(
    labels: Run, server: Served, binary: Example, tmp_path: Path
) -> None:
    ids = predicted(server, binary, 25)
    frame = pd.DataFrame(
        {
            "prediction_id": ids,
            "label": [None if row == 3 else str(binary.bundle.info.classes[row % 2]) for row in range(25)],
            "observed_at": pd.Timestamp("2026-01-31 12:00", tz="UTC"),
            "click": [None if row == 3 else row % 2 == 0 for row in range(25)],
            "revenue": [None if row == 3 else 12.5 for row in range(25)],
        }
    )
    frame.to_csv(tmp_path / "truth.csv", index=False)
    frame.to_parquet(tmp_path / "truth.parquet")
    frame.to_json(tmp_path / "truth.jsonl", orient="records", lines=True, date_format="iso")
    url = str(server.client.base_url)
    fates = []
    for name in ("truth.csv", "truth.parquet", "truth.jsonl"):
        code, out, err = labels(tmp_path / name, "--url", url, "--outcomes", "click,revenue", "--batch", 10)
        assert (code, err.strip()) == (0, "")
        assert "24 rows sent, 1 without a label left out" in out
        fates.append([line for line in out.splitlines() if line.startswith(("labels: ", "outcomes: "))])
    assert fates[0] == ["labels: 24 matched", "outcomes: 48 matched"]
    assert fates[1] == fates[2] == ["labels: 24 repeated", "outcomes: 48 repeated"]


def test_refused_rows_are_named_by_their_number(labels: Run, server: Served, tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text("flight,late\na,1\nb,\nc,perhaps\nd,perhaps\n")
    code, out, err = labels(file, "--url", server.client.base_url, "--id", "flight", "--label", "late")
    assert code == 1
    assert "labels: 1 waiting, 2 refused" in out
    assert [line.split(": ")[0] for line in err.strip().splitlines()] == ["row 3", "row 4"]


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("a,b\n1,2\n", (), "has no columns prediction_id, label; it has a, b"),
        ("prediction_id,label\n", (), "has no rows"),
        ("prediction_id,label\na,1\n", ("--url", "localhost:8000"), "--url localhost:8000: give an address such as"),
        ("prediction_id,label\na,1\n", ("--token-file", "nowhere"), "--token-file: cannot read nowhere"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_what_to_give(
    labels: Run, content: str, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(content)
    code, _, err = labels(file, *arguments)
    assert code == 2
    assert words in err


def test_a_server_without_a_log_ends_the_import(labels: Run, binary: Example, tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    file.write_text(json.dumps({"prediction_id": "a", "label": 1}))
    with served(binary, prediction_log=False) as off:
        code, _, err = labels(file, "--url", off.client.base_url)
    assert code == 2
    assert "404 there is no prediction log" in err


def test_a_server_that_is_away_is_tried_again_and_then_named(tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text("prediction_id,label\na,1\n")
    pauses: list[float] = []
    away = Server("http://127.0.0.1:1", sleep=pauses.append)
    table = TableStream(file)
    columns = Columns.among(table.column_names, "prediction_id", "label", "observed_at", "")
    with pytest.raises(SettingsError, match=r"^http://127\.0\.0\.1:1/labels: "):
        send(table, columns, away, 10)
    assert pauses == [0.5, 1.0, 2.0, 5.0, 10.0]


def test_an_outcome_without_labels_is_enough() -> None:
    assert Columns.among(["id", "click"], "id", "label", "observed_at", "click") == Columns(
        "id", None, None, ("click",)
    )
    with pytest.raises(TableError, match="no column label"):
        Columns.among(["id", "click"], "id", "label", "observed_at", "")


def test_few_errors_are_kept_of_many() -> None:
    tally = ImportTally()
    errors = [{"row": row, "message": "no"} for row in range(100)]
    tally.add({"labels": {"refused": 100}, "errors": errors}, range(1, 101))
    assert (tally.refused, len(tally.errors), tally.errors[0]) == (100, 20, "row 1: no")
