"""`driftgauge ingest` of recorded logs: each row once, at its own time, however the process ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.drift.reference.baseline import dumps

from tests.e2e.processes import answers, free_port, run, running, until
from tests.ingest_bodies import BODIES, EVENTS, ROWS, iris_baseline

pytestmark = pytest.mark.e2e


@pytest.fixture
def options(tmp_path: Path) -> tuple[str, ...]:
    baseline = tmp_path / "iris.json"
    baseline.write_text(dumps(iris_baseline()))
    return ("--baseline", str(baseline), "--model", "iris", "--state-dir", str(tmp_path / "state"))


def capture(id_: str, at: str) -> bytes:
    half = {"observedContentType": "text/csv", "mode": "INPUT", "data": "5.1,3.5,1.4,0.2", "encoding": "CSV"}
    data = {"endpointInput": half, "endpointOutput": {**half, "mode": "OUTPUT", "data": "0"}}
    return json.dumps({"captureData": data, "eventMetadata": {"eventId": id_, "inferenceTime": at}}).encode() + b"\n"


def exported(tmp_path: Path, *more: str) -> list[dict[str, object]]:
    done = run("log", "export", "--state-dir", str(tmp_path / "state"), "--out", "-", *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.long
def test_rows_of_a_file_are_counted_once_at_their_own_times(tmp_path: Path, options: tuple[str, ...]) -> None:
    first = run("ingest", str(BODIES / "data.1.log"), "--format", "bentoml", *options)
    assert (first.returncode, first.stdout.splitlines()) == (
        0,
        ["1 files read", f"{len(ROWS)} rows counted, 0 known from before"],
    ), first.stderr
    again = run("ingest", str(BODIES / "data.1.log"), "--format", "bentoml", *options)
    assert again.stdout.splitlines() == ["0 files read, 1 were read before", "0 rows counted, 0 known from before"]
    logged = exported(tmp_path)
    times = [datetime.fromisoformat(str(own["timestamp"])).timestamp() for own in logged]
    assert sorted(times) == pytest.approx(sorted(EVENTS), abs=1e-6)
    assert {own["source"] for own in logged} == {"ingest"}
    table, other = tmp_path / "log.parquet", (*options[:-1], str(tmp_path / "other"))
    assert run("log", "export", "--state-dir", options[-1], "--out", str(table)).returncode == 0
    copied = run("ingest", str(table), "--format", "parquet", *other)
    assert f"{len(ROWS)} rows counted, 0 known" in copied.stdout, copied.stderr
    fresh = run("ingest", str(BODIES / "data.1.log"), "--format", "bentoml", "--fresh-state", *options)
    assert f"{len(ROWS)} rows counted, 0 known" in fresh.stdout, fresh.stderr


def test_a_request_is_joined_with_the_response_in_another_file(tmp_path: Path, options: tuple[str, ...]) -> None:
    kinds = {"request": {"instances": [[5.1, 3.5, 1.4, 0.2]]}, "response": {"predictions": [1]}}
    for kind, data in kinds.items():
        event = {"specversion": "1.0", "id": "7", "time": "2026-11-01T10:00:00Z", "data": data}
        own = {**event, "type": f"org.kubeflow.serving.inference.{kind}"}
        (tmp_path / f"{kind}.jsonl").write_text(json.dumps(own) + "\n")
    first = run("ingest", str(tmp_path / "request.jsonl"), "--format", "kserve", *options)
    assert "0 requests and responses joined, 1 wait for the other" in first.stdout
    second = run("ingest", str(tmp_path / "re*.jsonl"), "--format", "kserve", *options)
    assert "1 rows counted" in second.stdout
    assert "2 requests and responses joined, 0 wait for the other" in second.stdout


def test_ground_truth_is_joined_with_the_captures_of_the_same_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(capture("1", "2026-11-01T10:00:00Z"))
    truth = {"groundTruthData": {"data": "2", "encoding": "CSV"}, "eventMetadata": {"eventId": "1"}}
    (folder / "b.jsonl").write_text(json.dumps(truth) + "\n")
    done = run("ingest", str(folder), "--format", "sagemaker", *options)
    assert done.returncode == 0, done.stderr
    (logged,) = exported(tmp_path, "--labels")
    assert logged["label"] == "2"


def test_what_cannot_be_read_is_kept_with_the_reason(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "a.log"
    path.write_text("no json\n")
    done = run("ingest", str(path), str(BODIES / "data.1.log"), "--format", "bentoml", *options)
    assert done.returncode == 1
    assert "1 records cannot be read: 1 not_json" in done.stdout
    letters = tmp_path / "state" / "@ingest" / "iris" / "dead_letters.jsonl"
    assert str(letters) in done.stdout
    assert json.loads(letters.read_text())["record"] == "no json"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("absent.log",), "there is no file absent.log"),
        (("a.log", "--format", "xml"), "there is jsonl, bentoml, fluent_bit, sagemaker, kserve, azureml, parquet"),
        (("a.log", "--time", "at"), "they go with --format parquet"),
        (("a.log", "--model-version", "2", "--baseline", ""), "--model-version goes with --baseline"),
    ],
)
def test_wrong_options_are_named(options: tuple[str, ...], arguments: tuple[str, ...], sentence: str) -> None:
    is_own = "--baseline" in arguments
    own = (*arguments[:-2], *options[2:]) if is_own else (*arguments, *options)
    done = run("ingest", *own)
    assert done.returncode == 2
    assert sentence in done.stderr


def lines(ages: Iterator[int] | range) -> str:
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    rows = ({"features": {**dict.fromkeys(names, 4.0), "sepal_length": age}, "prediction_class": 0} for age in ages)
    return "".join(json.dumps(own) + "\n" for own in rows)


def kept(state: Path) -> int:
    """Return the position in the file that was read last."""
    with contextlib.closing(sqlite3.connect(state / "iris" / "1" / "seen-records-files.sqlite3")) as connection:
        ((position,),) = connection.execute("select position from files order by at desc limit 1").fetchall()
    return int(position)


@pytest.mark.long
def test_a_followed_file_that_is_rotated_and_a_killed_process_lose_and_repeat_nothing(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    path, log, address = tmp_path / "a.jsonl", tmp_path / "log", f"http://127.0.0.1:{free_port()}"
    follow = ("ingest", str(path), "--follow", "--interval", "0.05", *options)
    path.write_text(lines(range(1000)))
    serve = ("serve", *options, "--port", address.rpartition(":")[2])
    with running(*serve, log=tmp_path / "server") as server:
        until(lambda: answers(address), server, tmp_path / "server", 120.0)

        def observed() -> int:
            rows: int = httpx.get(f"{address}/drift/status", timeout=60.0).json()["rows_observed"]
            return rows

        with running(*follow, log=log) as process:
            until(lambda: observed() >= 1000, process, log)
            with path.open("a") as file:
                file.write(lines(range(1000, 20_000)))
            until(lambda: kept(tmp_path / "state") == path.stat().st_size, process, log)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
        path.rename(tmp_path / "a.jsonl.1")
        path.write_text(lines(range(500)))
        with running(*follow, log=log) as process:
            until(lambda: observed() >= 20_500, process, log)
            with path.open("a") as file:
                file.write(lines(range(500, 600))[:-1])
            until(lambda: observed() >= 20_600, process, log)
            time.sleep(0.3)
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text()
        until(lambda: observed() == 20_600, server, tmp_path / "server")
    done = run("ingest", str(tmp_path / "a.jsonl*"), *options)
    assert "0 rows counted, 0 known from before" in done.stdout, done.stderr


@pytest.mark.long
def test_captures_of_sagemaker_in_object_storage_are_read_in_the_order_of_their_hours(
    tmp_path: Path, options: tuple[str, ...], bucket: Any
) -> None:
    for day, hour in ((2, 0), (1, 23)):
        content = b"".join(capture(f"{day}-{minute}", f"2026-11-0{day}T{hour:02}:{minute}:00Z") for minute in (10, 20))
        bucket.pipe(f"bucket/captures/iris/all/2026/11/0{day}/{hour:02}/10-00-1-a.jsonl", content)
    command = ("ingest", "s3://bucket/captures", "--format", "sagemaker", *options)
    assert "4 rows counted, 0 known" in run(*command).stdout
    late = capture("2-10", "2026-11-02T00:10:00Z") + capture("2-30", "2026-11-02T00:30:00Z")
    bucket.pipe("bucket/captures/iris/all/2026/11/02/00/30-00-1-b.jsonl", late)
    done = run(*command)
    assert done.stdout.splitlines() == ["1 files read, 2 were read before", "1 rows counted, 1 known from before"]
    assert [str(own["timestamp"])[8:16] for own in exported(tmp_path)] == [
        *("01T23:10", "01T23:20", "02T00:10", "02T00:20", "02T00:30")
    ]
    bad = run("ingest", "s3://absent/captures", "--format", "sagemaker", *options)
    assert bad.returncode == 2
