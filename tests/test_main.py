from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from driftgauge.composition.states import IN_MEMORY_PROBLEM, WITHOUT_FILES
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.verdict.policy import ColumnPolicy
from driftgauge.errors import BundleError, SettingsError
from driftgauge.main import compose, create_app
from driftgauge.metrics.series import SCORE, SCORE_BUCKETS
from driftgauge.metrics.server_series import PROCESS
from driftgauge.models.bundle import MODEL_FILE
from driftgauge.monitor.problems import LOG_PROBLEM
from driftgauge.settings.options import Settings
from driftgauge.state.files import HEADER_BYTES
from driftgauge.state.slots import CHECKPOINT_FILE

from tests.examples import TARGET, Example, quiet
from tests.models.test_bundle import FOREIGN, Foreign
from tests.monitors import START
from tests.served import IN_MEMORY, Failing, Series, served, total
from tests.servers import serving


def test_without_a_bundle_no_server_is_made() -> None:
    with pytest.raises(
        SettingsError, match=r"no model to serve: .*--bundle FOLDER, or DRIFTGAUGE_BUNDLE.*--baseline FILE"
    ):
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
        features={
            "mean area": {"alert": False},
            "mean radius": {"monitor": False, "tolerance": 0.5, "thresholds": {"missing": (0.3, 0.4)}},
        },
        alert_on_small=True,
        learning_seconds=60.0,
        clock="event",
        max_event_ahead_seconds=7,
    )
    service = compose(settings, binary.bundle, lambda: 5.0)
    options = service.monitoring.model().monitor.options
    assert options.policy.windows == (10, 20)
    assert options.policy.psi_thresholds == (0.3, 0.4)
    assert options.policy.columns == {
        "mean area": ColumnPolicy(alert=False, psi_thresholds=(0.5, 0.6)),
        "mean radius": ColumnPolicy(monitor=False, missing_thresholds=(0.3, 0.4), tolerance=0.5),
        "prediction": ColumnPolicy(psi_thresholds=(0.2, 0.9)),
    }
    assert options.policy.budget == Budget(1e8, 86_400.0, 0.1)
    assert (options.policy.alert_on_small, options.policy.learning_seconds) == (True, 60.0)
    detector = service.monitoring.model().monitor.store.shape.detector
    assert detector.budget == options.policy.budget
    for name, watched, tolerance in zip(
        binary.bundle.baseline.names, detector.watched.tolist(), detector.tolerance.tolist(), strict=True
    ):
        assert (watched, tolerance) == ((False, 0.5) if name == "mean radius" else (True, 0.1))
    assert (options.clock, options.max_event_ahead_seconds) == ("event", 7)
    assert service.monitoring.model().monitor.last.report.evaluated_at == 5.0
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


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"mean aera": {}}, "features: the model has no column mean aera; did you mean mean area?"),
        (
            {"mean area": {"kind": "categorical"}},
            (
                'features."mean area".kind: the column is numeric in the baseline, whose bins cannot be changed here. '
                "Build the baseline with --kinds 'mean area=categorical', or leave out the key"
            ),
        ),
    ],
)
def test_tables_of_columns_that_contradict_the_baseline_stop_the_start(
    features: dict[str, Any], words: str, binary: Example
) -> None:
    with pytest.raises(SettingsError) as refused:
        compose(quiet(features=features), binary.bundle, lambda: 5.0)
    assert str(refused.value) == words


def test_a_stated_kind_is_that_of_the_baseline(binary: Example) -> None:
    context = compose(quiet(features={"mean area": {"kind": "numeric"}}), binary.bundle, lambda: 5.0)
    assert context.models.all_live[0].info == binary.bundle.info


def test_some_column_must_be_monitored(binary: Example) -> None:
    none = {name: {"monitor": False} for name in binary.bundle.baseline.names}
    with pytest.raises(SettingsError, match=r"^features: at least one column must be monitored"):
        compose(quiet(features=none), binary.bundle, lambda: 5.0)


def test_a_regressions_score_is_counted_between_its_own_edges(regression: Example, binary: Example) -> None:
    def buckets(example: Example) -> tuple[float, ...]:
        series = compose(quiet(), example.bundle, lambda: 0.0).monitoring.model().monitor.store.counters.series
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


def test_a_server_evaluates_by_interval_without_readers(binary: Example) -> None:
    with served(binary, evaluation_interval_seconds=0.02) as running:
        running.predict({"instances": binary.rows(3)})
        deadline = time.monotonic() + 30.0
        while running.monitor.last.report.rows_observed != 3:
            assert time.monotonic() < deadline, running.monitor.last.report.rows_observed
            time.sleep(0.005)


# ---------------------------------------------------------------- the state in files

COUNTED = ("_total", "_bucket", "_count", "_sum")
OF_OTHERS = "it belongs to other settings or columns; it begins empty"


def _counted_of_the_model(series: Series) -> dict[Any, float]:
    return {key: value for key, value in series.items() if key[0].startswith("model_") and key[0].endswith(COUNTED)}


def test_a_restart_goes_on_with_windows_evidence_and_counters(tolerant: Example, tmp_path: Path) -> None:
    moved = [{**row, "mean area": 3 * row["mean area"]} for row in tolerant.rows() * 4]
    with served(tolerant, state_dir=tmp_path, now=lambda: START, prediction_log_durability="acknowledged") as running:
        for first in range(0, len(moved), 100):
            running.predict({"instances": moved[first : first + 100]})
        running.predict({})
        deadline = time.monotonic() + 60.0
        while running.status()["performance"] is None:  # its first evaluation is a thread's
            assert time.monotonic() < deadline
            time.sleep(0.02)
        before, counted = running.status(), running.metrics()
    with served(tolerant, state_dir=tmp_path, now=lambda: START) as running:
        after, recounted = running.status(), running.metrics()
        assert running.client.get("/health").json()["worker"]["slot"] == 0
    assert before["status"] == "drift_detected"
    assert before["monitoring"]["state"] == {"kept": "files", "workers": 1, "notes": []}
    log = before["monitoring"].pop("prediction_log")
    del after["monitoring"]["prediction_log"]  # its free space is that of the moment
    assert (log["kept"], log["max_bytes"], log["max_age_seconds"]) == ("sqlite", 1 << 31, 604_800.0)
    assert log["free_bytes"] > 0
    # Of requests a process reports those since it began, and its efficiency is that of the last minutes.
    del before["efficiency"], after["efficiency"]
    assert [status["quality"].pop("requests")["rows"] for status in (before, after)] == [760, 0]
    assert after == before
    assert _counted_of_the_model(recounted) == _counted_of_the_model(counted)
    assert total(counted, "model_predictions_total") == 760
    assert total(counted, "model_state_persistent") == total(recounted, "model_state_persistent") == 1
    asked = {code: total(recounted, "http_requests_total", handler="/predict", code=code) for code in ("200", "422")}
    assert asked == {"200": 8, "422": 1}
    assert total(recounted, "http_requests_total", handler="/drift/status") >= 3
    assert total(recounted, "process_cpu_seconds_total") >= total(counted, "process_cpu_seconds_total") > 0


def test_servers_on_one_folder_tell_the_same_of_all_rows(binary: Example, tmp_path: Path) -> None:
    options: dict[str, Any] = {"state_dir": tmp_path, "now": lambda: START}
    with served(binary, **options) as one:
        with served(binary, **options) as other:
            one.predict({"instances": binary.rows(30)})
            other.predict({"instances": binary.rows(50, 30)})
            assert one.predict({}).status_code == 422
            for each in (one, other):
                status, series = each.status(), each.metrics()
                assert (status["rows_observed"], status["windows"]["1000"]["rows"]) == (80, 80)
                assert status["monitoring"]["state"] == {"kept": "files", "workers": 2, "notes": []}
                assert total(series, "model_predictions_total") == 80
                assert total(series, "model_input_size_count") == 2
                assert total(series, "model_feature_bin_rows_total", feature_name="mean area") == 80
                assert total(series, "http_requests_total", handler="/predict", code="422") == 1
                assert {dict(labels)["slot"] for name, labels in series if name == "process_open_fds"} == {"0", "1"}
            slots = [each.client.get("/health").json()["worker"]["slot"] for each in (one, other)]
            assert slots == [0, 1]
        assert one.status()["rows_observed"] == 80
        assert one.metric("model_predictions_total") == 80


def test_a_worker_that_ended_leaves_its_counts_and_takes_its_process_along(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as one:
        with served(binary, state_dir=tmp_path) as other:
            other.predict({"instances": binary.rows(5)})
        before = one.metrics()
        assert one.status()["monitoring"]["state"]["workers"] == 1
    slots = {dict(labels)["slot"] for name, labels in before if name == "process_cpu_seconds_total"}
    assert {"0", "1"} <= slots
    assert [dict(labels)["slot"] for name, labels in before if name == "process_open_fds"] == ["0"]


def test_versions_of_a_model_have_states_of_their_own(binary: Example, tmp_path: Path) -> None:
    newer = replace(binary.bundle, info=binary.bundle.info.model_copy(update={"version": "2.0"}))
    for _ in range(2):
        with (
            served(binary, state_dir=tmp_path) as old,
            served(replace(binary, bundle=newer), state_dir=tmp_path) as new,
        ):
            old.predict({"instances": binary.rows(3)})
            new.predict({"instances": binary.rows(5)})
            found = [
                (each.status()["rows_observed"], each.status()["monitoring"]["state"]["workers"]) for each in (old, new)
            ]
    assert found == [(6, 1), (10, 1)]
    assert sorted(path.name for path in (tmp_path / "binary").iterdir()) == ["1.2", "2.0"]


def test_state_is_kept_beside_the_bundle_by_default(binary: Example, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(binary.folder, tmp_path / "churn"))
    with serving(create_app(quiet(bundle=bundle, state_dir=None))) as client:
        assert client.get("/drift/status").json()["monitoring"]["state"]["kept"] == "files"
    assert (tmp_path / "churn.state" / "binary" / "1.2" / "0.log").is_file()


def test_a_slot_never_shows_the_process_that_had_it_before(binary: Example, tmp_path: Path) -> None:
    settings = quiet(bundle=binary.folder, state_dir=tmp_path)
    first = compose(settings, binary.bundle, time.time)
    first.monitoring.service.store.process[:] = 1e12
    first.monitoring.service.store.publish()
    first.monitoring.leave()
    second = compose(settings, binary.bundle, time.time)
    (member,) = (own for own in second.monitoring.service.store.counted() if own.number == 0)
    names = [*(process.name for process in PROCESS), "queued"]
    numbers = dict(zip(names, member.counted["process"].tolist(), strict=True))
    assert numbers.pop("queued") == 0.0
    assert numbers.pop("process_cpu_seconds_total") > 1e12
    assert all(0.0 < number < 1e12 for number in numbers.values())
    second.monitoring.leave()


def test_a_state_of_other_settings_begins_empty_and_the_status_says_so(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path, windows=(50, 1000)) as running:
        running.predict({"instances": binary.rows(60)})
    for notes in ([f"state_foreign: {name}: {OF_OTHERS}" for name in (CHECKPOINT_FILE, "0.log")], []):
        with served(binary, state_dir=tmp_path, windows=(50, 500)) as running:
            assert running.status()["monitoring"]["state"]["notes"] == notes
            assert (running.status()["rows_observed"], running.metric("model_predictions_total")) == (0, 0)
            assert running.metric("model_state_recoveries_total", reason="state_foreign") == 2
            assert running.metric("model_monitoring_healthy") == 1


def test_the_whole_rows_of_a_truncated_log_are_kept(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as running:
        running.predict({"instances": binary.rows(60)})
    file = tmp_path / "binary" / "1.2" / "0.log"
    size = file.stat().st_size
    os.truncate(file, size - 8)
    with served(binary, state_dir=tmp_path) as running:
        status = running.status()
        assert status["monitoring"]["state"]["notes"] == ["state_truncated: 0.log: it is truncated"]
        assert status["rows_observed"] == status["windows"]["1000"]["rows"] == 60
        assert running.metric("model_predictions_total") == 60
        assert running.metric("model_state_recoveries_total", reason="state_truncated") == 1
        assert running.metric("model_state_recoveries_total") == 1
    assert file.stat().st_size == size


def test_a_log_that_was_truncated_before_its_first_row_stays_empty(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path):
        pass
    file = tmp_path / "binary" / "1.2" / "0.log"
    os.truncate(file, file.stat().st_size - 8)
    with served(binary, state_dir=tmp_path) as running:
        assert running.status()["rows_observed"] == running.status()["windows"]["1000"]["rows"] == 0


def test_where_no_state_can_be_kept_predictions_go_on_and_it_is_told(binary: Example, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "state"
    with served(binary, state_dir=folder) as running:
        assert running.predict({"instances": binary.rows(7)}).status_code == 200
        problems = running.problems(2)
        monitoring, series = running.status()["monitoring"], running.metrics()
        assert running.client.get("/health").json()["monitoring"]["healthy"] is False
    log = folder / "predictions" / "log.sqlite3"
    assert problems == [
        f"{LOG_PROBLEM}: PredictionLogError: cannot open the prediction log {log}: Not a directory",
        f"{IN_MEMORY_PROBLEM}: {folder}: Not a directory. {WITHOUT_FILES}",
    ]
    assert "state_dir" in WITHOUT_FILES
    assert monitoring["state"] == IN_MEMORY
    assert total(series, "model_state_persistent") == total(series, "model_monitoring_healthy") == 0
    assert total(series, "model_predictions_total") == total(series, "model_observations_total") == 7


def test_a_folder_that_is_deleted_while_it_is_served_is_a_problem_and_no_more(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path / "state") as running:
        running.predict({"instances": binary.rows(60)})
        running.status()
        shutil.rmtree(tmp_path / "state")
        assert running.predict({"instances": binary.rows(60)}).status_code == 200
        answers = {path: running.client.get(path).status_code for path in ("/drift/status", "/metrics")}
        healthy = running.client.get("/health").json()["monitoring"]["healthy"]
    assert answers == {"/drift/status": 200, "/metrics": 200}
    assert healthy is False


def test_a_damaged_checkpoint_is_restored_and_predictions_continue(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as running:
        running.predict({"instances": binary.rows(60)})
        running.status()
        file = tmp_path / "binary" / "1.2" / CHECKPOINT_FILE
        with file.open("r+b") as opened:
            opened.seek(HEADER_BYTES)
            opened.write(bytes(file.stat().st_size - HEADER_BYTES))
        assert {running.client.get(path).status_code for path in ("/drift/status", "/metrics")} == {200}
        running.predict({"instances": binary.rows(5)})
        notes = running.status()["monitoring"]["state"]["notes"]
        assert notes
        assert all(note.startswith("state_damaged: ") for note in notes)
        assert running.metric("model_predictions_total") == running.status()["rows_observed"] == 65


def test_a_state_in_memory_is_no_problem_where_it_was_asked_for(binary: Example) -> None:
    with served(binary, state_dir="memory") as running:
        assert running.status()["monitoring"] == {
            "healthy": True,
            "problems": [],
            "state": IN_MEMORY,
            "prediction_log": None,
        }
        assert (running.metric("model_state_persistent"), running.metric("model_monitoring_healthy")) == (0, 1)


def test_a_second_replay_on_one_folder_keeps_its_state_in_memory(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path, clock="event"), served(binary, state_dir=tmp_path, clock="event") as second:
        (problem,) = second.status()["monitoring"]["problems"]
        assert "1 worker(s) use it already; with clock=event there is one worker" in problem
        assert second.predict({"instances": binary.rows(3)}).status_code == 200


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize("option", [{"windows": ()}, {"port": -1}, {"clock": "noon"}, {"prot": 1}])
def test_settings_that_cannot_be_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        quiet(**option)


def test_foreign_types_need_the_setting_that_trusts_them(binary: Example, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(binary.folder, tmp_path / "b"))
    model = Foreign().fit(binary.held_out, binary.evaluation[TARGET])
    skops.io.dump(model, folder / MODEL_FILE)
    with pytest.raises(BundleError, match="not trusted") as caught:
        create_app(quiet(bundle=folder))
    assert f"the setting trusted_types: --trusted-types {FOREIGN}, or DRIFTGAUGE_TRUSTED_TYPES={FOREIGN}" in str(
        caught.value
    )
    with pytest.raises(BundleError, match=r"scores a sample 0\.5, but"):  # loaded, and not the bundle's model
        create_app(quiet(bundle=folder, trusted_types=(FOREIGN,)))
