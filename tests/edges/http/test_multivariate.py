"""Whole rows in the status, in the metrics, on the page and on demand of a real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.http.openapi.schemas_multivariate import ComparedNow
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.errors import SettingsError
from driftgauge.main import create_app
from driftgauge.models.bundle import Bundle

from tests.examples import quiet
from tests.served import Served, served
from tests.whole_rows import kept_bundle, pairs

AUC = "model_multivariate_auc"
SEVERITY = "model_multivariate_severity"
WINDOWS: dict[str, Any] = {"windows": (1_000,)}


@dataclass(frozen=True)
class Kept:
    bundle: Bundle


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(kept_bundle(tmp_path_factory.mktemp("kept") / "bundle"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(kept_bundle(tmp_path_factory.mktemp("bare") / "bundle", keep_rows=0))


@pytest.fixture
def on_demand(kept: Kept) -> Iterator[Served]:
    with served(kept, **WINDOWS) as running:
        yield running


def predict(server: Served, count: int, correlation: float = 0.9) -> None:
    assert server.predict({"data": pairs(count, 5, correlation).tolist()}).status_code == 200


def until(server: Served, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what the status says of whole rows, once it is as wanted."""
    deadline = time.monotonic() + 60.0
    while True:
        status = server.status()
        found: dict[str, Any] = status["multivariate"]
        if wanted(found):
            DriftStatus.model_validate(status)
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def compared_at_least(rows: int) -> Callable[[dict[str, Any]], bool]:
    return lambda found: found["last"] is not None and found["last"]["rows"] >= rows


def test_rows_are_compared_on_demand_and_nothing_else_is_there_by_default(on_demand: Served) -> None:
    predict(on_demand, 1_000, correlation=0.0)
    answer = on_demand.client.post("/drift/multivariate")
    assert answer.status_code == 200, answer.text
    found = ComparedNow.model_validate(answer.json())
    assert (found.model_name, found.rows, found.reference_rows) == ("kept", 1_000, 1_000)
    assert found.auc is not None
    assert found.auc.low > 0.7
    assert set(found.columns) == {"a", "b"}
    assert on_demand.status()["multivariate"] is None
    assert not [name for name in on_demand.metrics() if name[0].startswith("model_multivariate")]
    assert 'id="whole-rows"' not in on_demand.client.get("/", headers={"accept": "text/html"}).text


def test_few_rows_are_said_to_be_too_few(on_demand: Served) -> None:
    predict(on_demand, 50)
    found = on_demand.client.post("/drift/multivariate", params={"model": "kept"}).json()
    assert found["auc"] is None
    assert found["reason"].startswith("not enough data: 50 rows")


def test_a_bundle_without_kept_rows_says_what_to_do(bare: Kept) -> None:
    with served(bare, **WINDOWS) as running:
        answer = running.client.post("/drift/multivariate")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "no_kept_rows"
    assert "--keep-rows 2000" in answer.json()["error"]["message"]
    with pytest.raises(SettingsError, match="multivariate=on: no rows of the reference are kept for kept"):
        create_app(quiet(multivariate="on"), bundle=bare.bundle)


def test_without_monitoring_nothing_is_compared(kept: Kept) -> None:
    with served(kept, monitoring_enabled=False, multivariate="on") as running:
        assert running.client.post("/drift/multivariate").json()["error"]["code"] == "monitoring_disabled"


def test_a_comparison_that_takes_too_long_is_said_and_counted(kept: Kept) -> None:
    with served(kept, **WINDOWS) as running:
        loop = running.context.monitoring.model().whole_rows
        assert loop is not None
        loop.monitor.process.seconds = 0.01  # type: ignore[misc]
        predict(running, 500)
        answer = running.client.post("/drift/multivariate")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "rows_not_compared")
        assert loop.monitor.known.results["timed_out"] == 1


def test_by_interval_rows_are_in_the_status_the_metrics_and_on_the_page_but_not_in_the_verdict(
    kept: Kept, tmp_path: Path
) -> None:
    with served(kept, state_dir=tmp_path, multivariate="on", multivariate_interval_seconds=1, **WINDOWS) as running:
        predict(running, 1_000, correlation=0.0)
        found = until(running, compared_at_least(1_000))
        assert (found["severity"], found["in_verdict"]) == ("info", False)
        assert found["thresholds"] == {"auc": {"warning": 0.65, "critical": 0.8}}
        assert found["comparisons"]["compared"] >= 1
        status = running.status()
        assert status["severity"] is None
        metrics = running.metrics()
        values = {str(key): value for key, value in metrics.items()}
        assert len([key for key in values if AUC in key]) == 5
        assert [value for key, value in values.items() if SEVERITY in key] == [1.0]
        page = running.client.get("/", headers={"accept": "text/html"}).text
        assert "MessageAlert apart" in page
        assert "It is no part of the verdict." in page


def test_in_the_verdict_rows_that_can_be_told_apart_raise_it(kept: Kept, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"multivariate": "verdict", "multivariate_interval_seconds": 1, **WINDOWS}
    with served(kept, state_dir=tmp_path, evaluation_interval_seconds=0.1, **settings) as running:
        predict(running, 1_000, correlation=-0.9)
        assert until(running, compared_at_least(1_000))["severity"] == "critical"
        deadline = time.monotonic() + 30.0
        while (status := running.status())["severity"] != "critical":
            assert time.monotonic() < deadline, status["reason"]
            time.sleep(0.1)
        assert status["status"] == "drift_detected"
        assert status["reason"].startswith("whole rows: a classifier can tell the rows")
        assert {own["severity"] for own in status["features"].values()} <= {None, "info"}
