from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from app.bundles import MODEL_FILE
from app.drift.evidence import Budget
from app.errors import BundleError
from app.main import compose, create_app
from app.metrics import SCORE, SCORE_BUCKETS
from app.settings import Settings, SettingsError
from tests.examples import TARGET, Example, quiet
from tests.served import Failing, served
from tests.servers import serving
from tests.test_bundles import FOREIGN, Foreign


def test_without_a_bundle_no_server_is_made() -> None:
    with pytest.raises(SettingsError, match=r"no model to serve: .*--bundle DIR, or DRIFTGAUGE_BUNDLE"):
        create_app(Settings())


def test_the_bundle_is_found_through_the_environment(binary: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTGAUGE_BUNDLE", str(binary.folder))
    with serving(create_app()) as client:
        assert client.get("/health").json()["model_name"] == "binary"
        assert client.post("/predict", json={"features": binary.rows(1)[0]}).status_code == 200


def test_a_bundle_that_is_not_there_or_spoilt_stops_the_start(binary: Example, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no model bundle"):
        create_app(quiet(bundle=tmp_path / "absent"))
    spoilt = Path(shutil.copytree(binary.folder, tmp_path / "spoilt"))
    (spoilt / MODEL_FILE).write_bytes(b"PK")
    with pytest.raises(BundleError, match="cannot read the model"):
        create_app(quiet(bundle=spoilt))


def test_a_model_that_does_not_answer_its_samples_stops_the_start(binary: Example) -> None:
    model = Failing(binary.bundle.model)
    model.broken = True
    with pytest.raises(BundleError, match="fails on a sample of its bundle"):
        create_app(quiet(), bundle=replace(binary.bundle, model=model))


def test_the_settings_reach_the_parts(binary: Example) -> None:
    settings = quiet(
        windows=(10, 20),
        psi_threshold_warning=0.3,
        psi_threshold_critical=0.4,
        psi_thresholds_by_feature={"mean area": (0.5, 0.6), "prediction": (0.2, 0.9)},
        false_alarm_rows=1e8,
        false_alarm_interval_seconds=86_400.0,
        evidence_tolerance_ratio=0.1,
        clock="event",
        max_event_ahead_seconds=7,
    )
    service = compose(settings, binary.bundle, lambda: 5.0)
    options = service.monitor(None).options
    assert options.policy.windows == (10, 20)
    assert options.policy.psi_thresholds == (0.3, 0.4)
    assert options.policy.feature_psi_thresholds == {"mean area": (0.5, 0.6), "prediction": (0.2, 0.9)}
    assert options.policy.budget == Budget(1e8, 86_400.0, 0.1)
    assert service.monitor(None).detector.budget == options.policy.budget
    assert (options.clock, options.max_event_ahead_seconds) == ("event", 7)
    assert service.monitor(None).last.report.evaluated_at == 5.0
    assert not service.ready


def test_thresholds_of_a_column_that_the_model_does_not_have_stop_the_start(binary: Example) -> None:
    settings = quiet(psi_thresholds_by_feature={"mean area": (0.5, 0.6), "aera": (0.1, 0.2), "hight": (0.1, 0.2)})
    names = ", ".join(binary.bundle.baseline.names)
    expected = f"psi_thresholds_by_feature: the model has no column aera, hight; it has {names}"
    with pytest.raises(SettingsError) as refused:
        compose(settings, binary.bundle, lambda: 5.0)
    assert str(refused.value) == expected
    with pytest.raises(SettingsError, match="no column aera, hight"):
        create_app(settings.model_copy(update={"bundle": binary.folder}))


def test_a_regressions_score_is_counted_between_its_own_edges(regression: Example, binary: Example) -> None:
    def buckets(example: Example) -> tuple[float, ...]:
        series = compose(quiet(), example.bundle, lambda: 0.0).monitor(None).state.counters.series
        return next(spec.buckets for spec in series if spec.name == SCORE)

    edges = regression.bundle.baseline.columns[-1].bins.edges
    assert buckets(regression) == tuple(sorted({edge for edge in edges if np.isfinite(edge)}))
    assert buckets(binary) == SCORE_BUCKETS


def test_two_servers_in_one_process_know_nothing_of_each_other(binary: Example, multiclass: Example) -> None:
    with served(binary) as one, served(multiclass) as other:
        one.predict({"instances": binary.rows(3)})
        other.predict({"instances": multiclass.rows(5)})
        assert (one.metric("model_predictions_total"), other.metric("model_predictions_total")) == (3, 5)
        assert one.status()["model_name"] == "binary"
        assert other.status()["model_name"] == "multiclass"


def test_the_clock_of_a_server_is_the_one_given(binary: Example) -> None:
    with served(binary, now=lambda: 1_700_000_000.0) as running:
        running.predict({"features": binary.rows(1)[0]})
        status = running.status()
    assert status["evaluated_at"] == "2023-11-14T22:13:20.000Z"
    assert status["windows"]["50"]["to"] == "2023-11-14T22:13:20.000Z"


def test_in_event_mode_now_is_the_latest_time_that_was_sent(binary: Example) -> None:
    row = binary.rows(1)[0]
    with served(binary, clock="event", now=lambda: 1_700_000_000.0) as running:
        running.predict({"instances": [row, row], "timestamps": ["2013-07-01T12:00:00Z", "2013-07-01T10:00:00Z"]})
        status = running.status()
    assert status["evaluated_at"] == "2013-07-01T12:00:00.000Z"
    assert status["windows"]["50"]["to"] == "2013-07-01T12:00:00.000Z"
    assert status["windows"]["50"]["from"] == "2013-07-01T10:00:00.000Z"


def test_a_server_evaluates_by_itself_when_nobody_asks(binary: Example) -> None:
    with served(binary, evaluation_interval_seconds=0.02) as running:
        running.predict({"instances": binary.rows(3)})
        deadline = time.monotonic() + 30.0
        while running.monitor.last.report.rows_observed < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert running.monitor.last.report.rows_observed == 3


@pytest.mark.parametrize("option", [{"windows": ()}, {"port": -1}, {"clock": "noon"}, {"prot": 1}])
def test_settings_that_cannot_be_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        quiet(**option)


def test_foreign_types_need_the_setting_that_trusts_them(binary: Example, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(binary.folder, tmp_path / "b"))
    model = Foreign().fit(binary.held_out, binary.evaluation[TARGET])
    skops.io.dump(model, folder / MODEL_FILE)
    with pytest.raises(BundleError, match="not trusted"):
        create_app(quiet(bundle=folder))
    with pytest.raises(BundleError, match=r"answers a sample with 0\.5"):  # it is loaded, and is not the bundle's model
        create_app(quiet(bundle=folder, trusted_types=(FOREIGN,)))
