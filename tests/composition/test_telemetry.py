from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driftgauge.composition.telemetry import headers_in
from driftgauge.errors import SettingsError
from driftgauge.main import create_app
from driftgauge.telemetry.exporters import LOGGER

from tests.examples import Example, quiet
from tests.otlp_receiver import over_http
from tests.served import served

NOWHERE = "http://127.0.0.1:1"
ITEMS = "server_telemetry_items_total"


def seen(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60.0
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_metrics_say_arrives_with_the_last_numbers_at_the_end(binary: Example, tmp_path: Path) -> None:
    with over_http() as (address, collector):
        with served(binary, state_dir=tmp_path, otlp_endpoint=address, otlp_interval_seconds=3_600) as own:
            seen(lambda: collector.metrics)
            assert own.predict({"features": binary.rows(1)[0]}).status_code == 200
            assert own.metric(ITEMS, signal="metrics", result="sent") > 100
        last = {own.name: own for own in collector.points}  # the newest of each name
        assert last["model.predictions"].value == 1.0
        with served(binary, state_dir=tmp_path, otlp_endpoint=address, otlp_signals=("traces",)) as own:
            assert own.metric(ITEMS, signal="metrics") > 100  # of the run before
    ids = {own["service.instance.id"] for own in collector.resources}
    assert len(ids) == 1
    assert not logging.getLogger(LOGGER).handlers


def test_a_request_is_traced_with_its_prediction_and_its_bucket_names_the_trace(
    binary: Example, tmp_path: Path
) -> None:
    traced = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with (
        over_http() as (address, collector),
        served(binary, state_dir=tmp_path, otlp_endpoint=address, otlp_trace_ratio=0) as own,
    ):
        rows = binary.rows(2)
        answer = own.client.post("/predict", json={"data": rows}, headers=traced)
        own.client.post("/predict", json={"data": rows})
        own.client.get("/metadata", headers=traced)
        text = own.client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
    (span,) = collector.spans
    ids = [one["prediction_id"] for one in answer.json()["predictions"]]
    assert (span.name, span.trace_id, span.parent_id) == ("POST /predict", "ab" * 16, "cd" * 8)
    assert span.attributes["driftgauge.prediction.ids"] == ids
    assert span.attributes["driftgauge.model.name"] == binary.bundle.info.name
    assert span.attributes["http.response.status_code"] == 200
    assert f'# {{span_id="{span.span_id}",trace_id="{span.trace_id}"}}' in text
    (point,) = [
        one
        for one in collector.points
        if one.name == "http.request.duration" and one.attributes["handler"] == "/predict" and one.raw.exemplars
    ][-1:]
    assert point.raw.exemplars[0].trace_id.hex() == span.trace_id


def test_a_collector_that_is_away_fails_no_prediction_and_the_status_says_so(binary: Example, tmp_path: Path) -> None:
    options: dict[str, Any] = {"otlp_interval_seconds": 1, "otlp_timeout_seconds": 0.5, "otlp_trace_ratio": 1}
    with served(binary, state_dir=tmp_path, otlp_endpoint=NOWHERE, **options) as own:
        for row in binary.rows(5):
            assert own.predict({"features": row}).status_code == 200
        seen(lambda: own.metric(ITEMS, signal="metrics", result="failed") > 0)
        problems = [one for one in own.problems(1) if one.startswith("telemetry")]
        why = f"telemetry: metrics do not reach the collector: {NOWHERE} cannot be reached"
        assert any(one.startswith(why) for one in problems)
        assert why in own.client.get("/", headers={"accept": "text/html"}).text


def test_without_a_collector_nothing_of_it_is_there(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as own:
        assert own.context.monitoring.telemetry is None
        assert not hasattr(own.app.state, "telemetry")
        assert "telemetry" not in own.client.get("/metrics").text
        assert "telemetry" not in own.status()["monitoring"]
    assert not (tmp_path / "@telemetry").exists()


def test_the_environment_can_switch_it_off(binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with served(binary, state_dir=tmp_path, otlp_endpoint=NOWHERE, otlp_trace_ratio=1) as own:
        assert own.predict({"features": binary.rows(1)[0]}).status_code == 200
        assert "telemetry" not in own.client.get("/metrics").text


def test_a_folder_that_cannot_be_used_costs_no_prediction(binary: Example, tmp_path: Path) -> None:
    (tmp_path / "@telemetry").write_text("no folder")
    with over_http() as (address, collector), served(binary, state_dir=tmp_path, otlp_endpoint=address) as own:
        assert own.predict({"features": binary.rows(1)[0]}).status_code == 200
        seen(lambda: collector.metrics)
        assert own.status()["monitoring"]["telemetry"]["endpoint"] == address
        assert any("each worker sends its own metrics" in one for one in own.problems(1))


def test_an_identity_that_cannot_be_kept_costs_no_start(binary: Example, tmp_path: Path) -> None:
    (tmp_path / "@telemetry" / "instance.json").mkdir(parents=True, mode=0o700)
    (tmp_path / "@telemetry").chmod(0o700)
    with over_http() as (address, _), served(binary, state_dir=tmp_path, otlp_endpoint=address) as own:
        assert own.predict({"features": binary.rows(1)[0]}).status_code == 200


def test_a_variable_of_opentelemetry_that_cannot_be_used_stops_the_start(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096")
    with pytest.raises(SettingsError, match="a variable OTEL_… of the environment cannot be used: max_export_batch"):
        create_app(quiet(state_dir=tmp_path, otlp_endpoint=NOWHERE), bundle=binary.bundle)


def test_a_library_that_is_missing_stops_the_start(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(SettingsError, match=r"pip install 'driftgauge\[otlp\]'"):
        create_app(quiet(state_dir=tmp_path, otlp_endpoint=NOWHERE), bundle=binary.bundle)


def test_headers_are_read_from_a_file_with_comments(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# of the team\nAuthorization: Bearer a:b\n\nx-scope:  fraud \n")
    assert headers_in(file) == {"Authorization": "Bearer a:b", "x-scope": "fraud"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Authorization", "line 1 of .* is no header: give name: value"),
        (b"a: b\nmy name: secret", "line 2 of"),
        (b": secret", "line 1 of"),
        (b"\xff", "is not text in UTF-8"),
    ],
)
def test_a_line_that_is_no_header_is_named_without_its_value(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "headers"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"otlp_headers_file: .*{why}") as raised:
        headers_in(file)
    assert "secret" not in str(raised.value)
    with pytest.raises(SettingsError, match="cannot read"):
        headers_in(tmp_path / "none")
