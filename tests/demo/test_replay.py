from __future__ import annotations

import socket
import sys
from pathlib import Path

import httpx
import numpy as np
import orjson
import pandas as pd
import pytest
from driftgauge.demo import replay as demo
from driftgauge.demo.flights import CLASSES, FEATURES, load_flights
from driftgauge.demo.prometheus_stack import Alert, Endpoint, Endpoints
from driftgauge.demo.replay import DemoOptions
from driftgauge.drift.verdict.rule import RANK
from driftgauge.errors import MonitoringError
from sklearn.metrics import roc_auc_score


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights()


def test_a_request_holds_the_flights_of_one_hour(flights: pd.DataFrame) -> None:
    part = flights[flights["month"] == 5].head(3_000)
    bodies = [(orjson.loads(body), rows, date) for body, rows, date in demo.requests(part, 40)]
    assert sum(rows for _, rows, _ in bodies) == len(part)
    assert max(rows for _, rows, _ in bodies) == 40
    for body, rows, date in bodies:
        assert len(body["data"]) == len(body["timestamps"]) == rows
        assert len({time[:13] for time in body["timestamps"]}) == 1
        assert body["timestamps"][0].startswith(date)
    sent = [row for body, _, _ in bodies for row in body["data"]]
    assert [row[FEATURES.index("dest")] for row in sent] == part["dest"].tolist()
    gusts = [np.nan if row[FEATURES.index("wind_gust")] is None else row[FEATURES.index("wind_gust")] for row in sent]
    np.testing.assert_equal(gusts, part["wind_gust"].to_numpy())


def test_auc_by_month_is_that_of_the_arrived_flights(flights: pd.DataFrame) -> None:
    part = flights[flights["month"].isin([5, 6])]
    scores = np.random.default_rng(0).random(len(part))
    by_month = demo.auc_by_month(part, scores.tolist())
    may = (part["month"] == 5) & part["late"].notna()
    assert set(by_month) == {5, 6}
    assert by_month[5][0] == may.sum()
    assert by_month[5][1] == pytest.approx(roc_auc_score(part["late"][may] == CLASSES[1], scores[may.to_numpy()]))


# ---------------------------------------------------------------- the pace


class FakeTime:
    """A clock that goes on when something sleeps or works."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_pace_is_kept_from_the_start_on() -> None:
    time = FakeTime()
    pace = demo.Pace(100, time.clock, time.sleep)
    starts = []
    for batch, work in enumerate([0.25, 0.0, 1.75, 0.5, 0.125]):
        pace.wait(batch * 50)
        starts.append(time.now - 1_000.0)
        time.now += work
    # the third batch takes longer than its share; the fourth is late, the fifth on time again
    assert starts == [0.0, 0.5, 1.0, 2.75, 3.25]
    pace.wait(500)
    assert time.now == 1_005.0


def test_without_a_pace_nothing_waits() -> None:
    time = FakeTime()
    pace = demo.Pace(None, time.clock, time.sleep)
    for rows in (0, 1_000_000):
        pace.wait(rows)
    assert time.slept == []


def test_a_replay_keeps_the_pace_and_tells_the_date(flights: pd.DataFrame) -> None:
    part = flights[flights["month"] == 5].head(6_000)
    time, dates, sent = FakeTime(), list[str](), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/drift/status":
            verdict = {"status": "drift_detected", "severity": "critical"}
            return httpx.Response(200, json={"features": {}, "prediction": verdict})
        rows = orjson.loads(request.content)["data"]
        sent.extend([time.now - 1_000.0] * len(rows))
        return httpx.Response(200, json={"predictions": [{"score": 0.5}] * len(rows)})

    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer)) as client:
        pace = demo.Pace(1_000, time.clock, time.sleep)
        seen = demo.replay(client, part, batch_rows=100, pace=pace, look=dates.append)
    assert seen.rows == len(sent) == 6_000
    # a row leaves with its batch, at the time of the batch's first row
    behind = np.arange(6_000) / 1_000 - np.array(sent)
    assert behind.min() >= -1e-9
    assert behind.max() < 0.1
    assert len(dates) == 3
    assert seen.verdicts == {"05": {"prediction": "BIG"}}
    assert dates == sorted(dates)
    assert dates[-1] == part["time"].iloc[-1].strftime("%Y-%m-%d")


def test_the_verdicts_of_every_month_are_shown_with_what_they_rest_on() -> None:
    window = {"psi_debiased": 0.3, "psi_threshold": {"warning": 0.2, "critical": 0.4}, "psi_expected_max": 0.15}
    timed = {"psi_debiased": 9.0, "psi_threshold": None, "psi_expected_max": None}
    temp = {"evidence_log10": 8.12, "tau": 633.4, "windows": {"1000": window, "1h": timed}}
    score = {"evidence_log10": None, "tau": None, "windows": {"1000": {**window, "psi_debiased": None}}}
    status = {"evidence": {"threshold_log10": 7.23}, "features": {"temp": temp}, "prediction": score}
    verdicts = {"05": {"temp": "real", "prediction": "·"}, "06": {"temp": "BIG", "prediction": "?"}}
    table = demo.drift_table(demo.Replay(verdicts=verdicts, status=status))
    cells = [list(column.cells) for column in table.columns]
    assert [column.header for column in table.columns] == [
        "column", "05", "06", "evidence/7.2", "effect", "varies", "tau"
    ]  # fmt: skip
    assert [list(row) for row in zip(*cells, strict=True)] == [
        ["temp", "real", "BIG", "8.1", "1.50", "0.15", "633"],
        ["prediction", "·", "?", "", "0.00", "0.15", ""],
    ]


def test_every_verdict_has_a_word() -> None:
    assert set(demo.VERDICTS) == {(str(status), severity) for status, severity in RANK}


# ---------------------------------------------------------------- the alerts


def test_the_log_of_alerts_says_what_changed() -> None:
    hot = [Alert("ModelFeatureDrift", "critical", name, "firing") for name in ("temp", "dewp")]
    soon = Alert("ModelFeatureDrift", "warning", "humid", "pending")
    watchdog = Alert("Watchdog", "info", "", "firing")
    answers = iter([[watchdog], [watchdog, soon, *hot], [watchdog, *hot], [watchdog, hot[0]]])
    said: list[str] = []
    log = demo.AlertLog(lambda: next(answers), said.append)
    for day in range(1, 5):
        log.look(f"2013-05-0{day}")
    assert said == [
        "2013-05-01  Watchdog (info) fires",
        "2013-05-02  ModelFeatureDrift (critical) fires: dewp, temp",
        "2013-05-04  ModelFeatureDrift (critical) fires no more: dewp",
    ]


# ---------------------------------------------------------------- what is asked for


def test_the_server_is_told_its_host_and_port_and_to_begin_anew() -> None:
    command = demo.serve_command(Path("bundle"), Endpoint(81, host="0.0.0.0"))  # noqa: S104  # it is not started
    assert command[:4] == [sys.executable, "-m", "driftgauge", "serve"]
    assert "--host 0.0.0.0 --port 81" in " ".join(command)
    assert "--clock event --state-dir memory" in " ".join(command)


@pytest.mark.parametrize(
    ("pace", "stack", "kept"),
    [(None, None, None), (None, Endpoints(), 2_000), (50, Endpoints(), 50), (50, None, 50)],
)
def test_the_stack_has_a_pace_by_itself(pace: float | None, stack: Endpoints | None, kept: float | None) -> None:
    assert DemoOptions(Endpoint(8000), pace=pace, stack=stack).rows_per_second() == kept


def test_prometheus_is_told_where_everything_listens() -> None:
    places = Endpoints(Endpoint(1), Endpoint(2))
    made = DemoOptions(Endpoint(3, host="::1"), stack=places).monitoring(places)
    assert (made.targets, made.prometheus, made.alertmanager) == (("[::1]:3",), "127.0.0.1:1", "127.0.0.1:2")
    assert made.base_url == "http://[::1]:3"


OPTIONS = ("--port", "--prometheus-port", "--alertmanager-port")


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test whose demo gets as far as its data."""

    def load() -> pd.DataFrame:
        raise AssertionError("the flights must not be read yet")

    monkeypatch.setattr(demo, "load_flights", load)


@pytest.mark.usefixtures("untouched")
def test_missing_programs_are_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MonitoringError, match=r"^Prometheus and Alertmanager are not installed\. .*apt-get install"):
        demo.run(DemoOptions(Endpoint(8000), stack=Endpoints()))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("option", OPTIONS)
def test_a_taken_port_is_said_before_any_work(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("prometheus", "alertmanager"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        places = [Endpoint(port if option == each else 0, each) for each in OPTIONS]
        with pytest.raises(MonitoringError, match=rf"^port {port} is taken .* {option}$"):
            demo.run(DemoOptions(places[0], stack=Endpoints(*places[1:])))
