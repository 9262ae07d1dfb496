from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression

from tests.e2e.processes import COMMAND, answers, free_port, run, running, until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 2))
    y = (x[:, 0] + rng.normal(size=2_000) > 0).astype(np.int64)
    table = {"a": x[:, 0], "b": x[:, 1], "y": y}
    model = LogisticRegression().fit(x[:1_000], y[:1_000])
    folder = tmp_path_factory.mktemp("serve") / "bundle"
    halves = ({name: column[part] for name, column in table.items()} for part in (slice(0, 1_000), slice(1_000, None)))
    create_bundle(model, next(halves), "y", name="coin", version="7", out=folder, evaluation=next(halves))
    return folder


@pytest.fixture
def address() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_a_shifted_feature_is_found_and_recovers(bundle: Path, address: str, tmp_path: Path) -> None:
    log, port = tmp_path / "log", address.rpartition(":")[2]
    env = {"DRIFTGAUGE_WINDOWS": "1000,2000", "DRIFTGAUGE_EVALUATION_REST_FACTOR": "0"}
    state = ("--state-dir", str(tmp_path / "state"))
    with running("serve", "--bundle", str(bundle), "--port", port, *state, log=log, env=env) as process:
        until(lambda: answers(address), process, log)
        rng = np.random.default_rng(1)
        verdicts = [_send(address, rng.normal(shift, 1.0, (2_000, 2))) for shift in (0.0, 1.0, 0.0)]
        assert [verdict["status"] for verdict in verdicts] == ["normal", "drift_detected", "normal"]
        assert sorted(verdicts[1]["drifted_features"]) == ["a", "b"]
        metrics = httpx.get(f"{address}/metrics", timeout=60.0).text
        assert 'model_predictions_total{model_name="coin",model_version="7"} 6000.0' in metrics
        assert 'model_feature_drift_severity{model_name="coin",model_version="7",feature_name="a"} 0.0' in metrics


def test_sigterm_ends_it_in_good_order_with_json_log_lines(bundle: Path, address: str, tmp_path: Path) -> None:
    log, port = tmp_path / "log", address.rpartition(":")[2]
    state = ("--state-dir", str(tmp_path / "state"))
    with running("serve", "--bundle", str(bundle), "--port", port, *state, log=log) as process:
        until(lambda: answers(address), process, log)
        process.send_signal(signal.SIGTERM)
        # uvicorn ends itself by the signal once everything is stopped
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    lines = [orjson.loads(line) for line in log.read_text().splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    events = [line["event"] for line in lines]
    assert events.index("started") < events.index("stopped")


@pytest.mark.long
def test_one_worker_says_that_it_cannot_be_reloaded_and_serves_on(bundle: Path, address: str, tmp_path: Path) -> None:
    log, port = tmp_path / "log", address.rpartition(":")[2]
    with running("serve", "--bundle", str(bundle), "--port", port, "--state-dir", "memory", log=log) as process:
        until(lambda: answers(address), process, log)
        process.send_signal(signal.SIGHUP)
        until(lambda: "a server with one worker cannot reload: restart it" in log.read_text(), process, log)
        until(lambda: answers(address), process, log)


@pytest.mark.long
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_and_stops_if_its_log_lines_cannot_be_written(
    workers: str, redirection: str, bundle: Path, address: str, tmp_path: Path
) -> None:
    log, port = tmp_path / "log", address.rpartition(":")[2]
    options = ("--bundle", str(bundle), "--port", port, "--workers", workers, "--log-format", "console")
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND]
    state = ("--state-dir", str(tmp_path / "state"))
    with running("serve", *options, *state, log=log, command=shell, env=os.environ) as process:
        until(lambda: answers(address), process, log)
        assert os.readlink(f"/proc/{process.pid}/fd/2") in {"/dev/null", "/dev/full"}  # no socket, no file
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_on_a_terminal_it_writes_for_people_and_ends_its_start_with_the_addresses(
    bundle: Path, address: str, workers: str
) -> None:
    options = ("--bundle", str(bundle), "--port", address.rpartition(":")[2], "--state-dir", "memory")
    controller, terminal = pty.openpty()
    with ExitStack() as opened:
        opened.callback(os.close, controller)
        process = subprocess.Popen(
            [*COMMAND, "serve", *options, "--workers", workers],
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        opened.callback(process.wait, 30)
        os.close(terminal)
        shown = _read_until(controller, f"metrics  {address}/metrics\r\n")
        assert httpx.get(f"{address}/health/ready", timeout=60.0).status_code == 200
        process.send_signal(signal.SIGINT)
        _drain(controller)
        assert process.wait(timeout=30) == 0
    assert "{" not in shown
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines[-6:] == [
        f"Driftgauge serves at {address} (Ctrl-C stops it)",
        f"page     {address}/",
        f"ready    {address}/health/ready",
        f"docs     {address}/docs",
        f"drift    {address}/drift/status",
        f"metrics  {address}/metrics",
    ]


def _read_until(descriptor: int, end: str, seconds: float = 90.0) -> str:
    """Read a terminal until a text appears."""
    shown, deadline = "", time.monotonic() + seconds
    while end not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([descriptor], [], [], 1.0)[0]:
            shown += os.read(descriptor, 65_536).decode()
    return shown


def _drain(descriptor: int) -> None:
    """Read a terminal until its last process has closed it, so that none waits for a reader."""
    with suppress(OSError):
        while os.read(descriptor, 65_536):
            pass


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        ((), {}, "name its bundle"),
        (("--bundle", "nowhere"), {}, "there is no model bundle at nowhere"),
        (("--bundle", "nowhere", "--clock", "sundial"), {}, "clock"),
        (("--bundle", "nowhere"), {"DRIFTGAUGE_WINDOW": "5"}, "DRIFTGAUGE_WINDOW;"),
        (("--bundle", "nowhere"), {"DRIFTGAUGE_WINDOWS": "0"}, "windows (DRIFTGAUGE_WINDOWS): give at least one"),
        (("--config", "nowhere.toml"), {}, "nowhere.toml"),
        (("--bundle", "nowhere", "--workers", "2"), {}, "there is no model bundle at nowhere"),
    ],
)
def test_what_cannot_work_stops_the_start_with_one_line(
    arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    done = run("serve", "--port", "0", *arguments, env=env)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def _send(address: str, rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> dict[str, Any]:
    httpx.post(f"{address}/predict", json={"data": rows.tolist()}, timeout=60.0).raise_for_status()
    verdict: dict[str, Any] = httpx.get(f"{address}/drift/status", timeout=60.0).json()
    assert verdict["rows_observed"]
    return verdict


COLUMNS = """
windows = [1000, 2000]
evaluation_rest_factor = 0
learning_seconds = 0

[features."a"]
monitor = false

[features."b"]
alert = false

[features.prediction]
thresholds = {psi = [50, 60]}
"""


def test_a_file_gives_columns_options_of_their_own(bundle: Path, address: str, tmp_path: Path) -> None:
    config, log = tmp_path / "driftgauge.toml", tmp_path / "log"
    config.write_text(COLUMNS)
    served = ("--port", address.rpartition(":")[2], "--state-dir", str(tmp_path / "state"), "--config", str(config))
    with running("serve", "--bundle", str(bundle), *served, log=log) as process:
        until(lambda: answers(address), process, log)
        status = _send(address, np.random.default_rng(1).normal(3.0, 1.0, (2_000, 2)))
        a, b, score = status["features"]["a"], status["features"]["b"], status["prediction"]
        assert (a["status"], a["severity"]) == ("insufficient_data", None)
        assert a["reason"] == "a: not monitored (monitor = false in the settings)"
        assert (b["status"], b["severity"]) == ("drift_detected", "info")
        assert (score["status"], score["severity"]) == ("normal", "info")
        assert score["psi_threshold"] == {"warning": 50.0, "critical": 60.0}
        assert (status["status"], status["severity"], status["drifted_features"]) == ("drift_detected", "info", ["b"])
        assert status["evidence"]["columns"] == 2
        metrics = httpx.get(f"{address}/metrics", timeout=60.0).text
        assert 'feature_name="a"' not in metrics
        assert 'model_feature_drift_severity{model_name="coin",model_version="7",feature_name="b"} 1.0' in metrics
        assert (
            'model_feature_missing_ratio_threshold{model_name="coin",model_version="7",feature_name="b"' not in metrics
        )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('[features."A"]', "features: the model has no column A; it has a, b, prediction"),
        ("[features.a]\nmonitr = false", 'features."a": unknown key monitr; did you mean monitor?'),
        ('[features.a]\nkind = "categorical"', 'features."a".kind: the column is numeric in the baseline'),
    ],
)
def test_a_table_that_cannot_be_used_stops_the_start(table: str, words: str, bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "driftgauge.toml"
    config.write_text(table)
    done = run("serve", "--bundle", str(bundle), "--port", str(free_port()), "--config", str(config))
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
