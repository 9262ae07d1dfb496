"""`driftgauge log export`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import MICROSECONDS
from driftgauge.predictions.store import PredictionStore

from tests.cli.runs import Run, runs
from tests.postgres import Postgres
from tests.predictions.logs import NOW, model, rows

IDS = [f"r{row}" for row in range(30)]
SINCE = "2023-11-14T22:13:20Z"
"""The time of the first of them."""


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runs(monkeypatch, capfd, "log", "export")


def fill(store: PredictionStore, name: str = "m") -> None:
    """Log thirty predictions, a millisecond apart; r3 has a label and an outcome."""
    version = store.register(model(name))
    store.write([rows(version, IDS)])
    labels = LabelStore(store.engine, version)
    at = NOW + 60 * MICROSECONDS
    given = [GivenLabel(key_of("r3"), 1.0, at), GivenLabel(key_of("r3"), 2.5, at, "revenue")]
    labels.add(given, NOW / MICROSECONDS + 60.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder with a log."""
    store = PredictionStore.open(tmp_path / "state")
    fill(store)
    store.close()
    return tmp_path / "state"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_go_to_standard_output(export: Run, folder: Path) -> None:
    code, shown, errors = export("--state-dir", folder, "--out", "-")
    assert code == 0, errors
    found = lines(shown)
    assert [row["prediction_id"] for row in found] == IDS
    assert found[0]["timestamp"] == "2023-11-14T22:13:20.000000Z"
    assert set(found[0]["features"]) == {"f0", "f1", "f2"}
    assert found[0]["prediction"] in ("no", "yes")
    assert "label" not in found[0]
    assert "wrote 30 predictions" in errors


def test_a_file_has_labels_on_request(export: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "log.jsonl"
    assert export("--state-dir", folder, "--out", out, "--labels")[0] == 0
    found = {row["prediction_id"]: row for row in lines(out.read_text())}
    assert (found["r3"]["label"], found["r3"]["outcomes"]) == ("yes", {"revenue": 2.5})
    assert found["r3"]["observed_at"] == "2023-11-14T22:14:20.000000Z"
    assert (found["r4"]["label"], found["r4"]["outcomes"]) == (None, {})


@pytest.mark.parametrize("arguments", [("--format", "parquet", "--out", "log.bin"), ("--out", "log.parquet")])
def test_parquet_has_the_same(
    export: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = export("--state-dir", folder, "--out", "-", "--labels")[1]
    assert export("--state-dir", folder, "--labels", *arguments)[0] == 0
    table = pq.read_table(tmp_path / arguments[-1])
    for row, expected in zip(table.to_pylist(), lines(shown), strict=True):
        assert expected.pop("probabilities") is None
        features = expected.pop("features")
        assert {name: row.pop(name) for name in features} == features
        assert row.pop("outcome.revenue") == expected.pop("outcomes").get("revenue")
        for name in ("timestamp", "arrived_at", "observed_at"):
            at, text = row.pop(name), expected.pop(name)
            assert (None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == text
        assert row == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == [arguments[-1], "state"]


def test_parquet_goes_to_a_pipe(export: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "piped").open("w+b") as piped:
        monkeypatch.setattr(sys, "stdout", open(piped.fileno(), "w", closefd=False))  # noqa: SIM115
        assert export("--state-dir", folder, "--out", "-", "--format", "parquet")[0] == 0
    assert pq.read_table(tmp_path / "piped").num_rows == len(IDS)


def test_a_span_of_time_holds_its_start_and_not_its_end(export: Run, folder: Path) -> None:
    bounds = ("--since", SINCE.replace("Z", ".010Z"), "--until", SINCE.replace("Z", ".012Z"))
    shown = export("--state-dir", folder, "--out", "-", *bounds)[1]
    assert [row["prediction_id"] for row in lines(shown)] == ["r10", "r11"]


def test_one_of_several_models_is_named(export: Run, folder: Path) -> None:
    store = PredictionStore.open(folder)
    fill(store, "other")
    store.close()
    code, _, errors = export("--state-dir", folder, "--out", "-")
    assert (code, "--model: m, other" in errors) == (2, True)
    code, shown, _ = export("--state-dir", folder, "--out", "-", "--model", "other")
    assert (code, {row["model_name"] for row in lines(shown)}) == (0, {"other"})


def test_a_bundles_log_is_beside_it(export: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    folder.rename(tmp_path / "bundle.state")
    code, shown, errors = export("--bundle", tmp_path / "bundle", "--out", "-")
    assert (code, len(lines(shown))) == (0, len(IDS)), errors


def test_postgresql_is_named_by_its_url(export: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.new_database()
    store = PredictionStore.open(None, url)
    fill(store)
    store.close()
    monkeypatch.setenv("DRIFTGAUGE_PREDICTION_LOG_URL", url)
    code, shown, errors = export("--out", "-", "--labels")
    assert code == 0, errors
    assert [row["prediction_id"] for row in lines(shown)] == IDS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "often"), "--since: 'often' is not a time"),
        (("--until", "2026-02-30"), "--until: '2026-02-30' is not a time"),
        (("--since", "1h"), "the log has no such predictions of m"),
        (("--version", "7"), "the log has no such predictions of m"),
        (("--model", "x"), "--model: the log has no model x; there is m"),
    ],
)
def test_what_cannot_be_exported_is_said_and_nothing_written(
    export: Run, folder: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, shown, errors = export("--state-dir", folder, "--out", tmp_path / "out.parquet", *arguments)
    assert (code, shown) == (2, "")
    assert message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_folder_that_is_missing_is_named(export: Run, folder: Path, tmp_path: Path) -> None:
    code, _, errors = export("--state-dir", folder, "--out", tmp_path / "none" / "out.jsonl")
    assert code == 2
    assert "out.jsonl: No such file or directory" in errors


def test_without_a_log_none_is_made(export: Run, tmp_path: Path) -> None:
    code, _, errors = export("--state-dir", tmp_path / "state", "--out", "-")
    assert (code, "there is no prediction log in" in errors) == (2, True)
    assert export("--out", "-")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_versions_with_other_features_share_a_parquet_file(export: Run, folder: Path, tmp_path: Path) -> None:
    store = PredictionStore.open(folder)
    store.write([rows(store.register(model(version="2", features=5)), ["n1", "n2"], features=5)])
    store.close()
    out = tmp_path / "all.parquet"
    assert export("--state-dir", folder, "--out", out)[0] == 0
    table = pq.read_table(out)
    assert table["f4"].null_count == len(IDS)
    assert table.num_rows == len(IDS) + 2
    assert export("--state-dir", folder, "--out", out, "--version", "2")[0] == 0
    assert pq.read_schema(out).field("f4").type == pa.float64()
    assert pq.read_table(out)["prediction_id"].to_pylist() == ["n1", "n2"]
