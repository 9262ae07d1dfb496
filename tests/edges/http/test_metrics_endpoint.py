from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from driftgauge.drift.reference.baseline import PREDICTION
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from tests.examples import Example
from tests.served import Served, served


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text", "application/openmetrics-text"),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(
    accept: str, content_type: str, server: Served, binary: Example
) -> None:
    server.predict({"instances": binary.rows(20)})
    answer = server.client.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(content_type)
    openmetrics = "openmetrics" in content_type
    assert answer.text.endswith("# EOF\n") is openmetrics
    families = list((openmetrics_families if openmetrics else text_families)(answer.text))
    found = {sample.name: sample.value for family in families for sample in family.samples}
    assert found["model_predictions_total"] == 20
    assert len({family.name for family in families}) == len(families)


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
@pytest.mark.parametrize(("wanted", "coding"), [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("identity", None)])
def test_metrics_are_compressed_where_that_is_wanted(
    accept: str, wanted: str, coding: str | None, server: Served, binary: Example
) -> None:
    server.predict({"instances": binary.rows(20)})
    with server.client.stream("GET", "/metrics", headers={"accept": accept, "accept-encoding": wanted}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(sent)
    text = (gzip.decompress(sent) if coding else sent).decode()
    families = list((openmetrics_families if "openmetrics" in accept else text_families)(text))
    found = {sample.name: sample.value for family in families for sample in family.samples}
    assert found["model_predictions_total"] == 20
    assert len(sent) < len(text) / 5 or coding is None


def test_the_rows_of_bins_can_be_left_out(binary: Example) -> None:
    with served(binary, metrics_bin_rows=False) as running:
        running.predict({"instances": binary.rows(60)})
        names = {name for name, _ in running.metrics()}
    assert not names & {"model_feature_bin_rows_total", "model_feature_reference_ratio"}
    assert {"model_feature_missing_ratio", "model_predictions_total"} <= names


@pytest.mark.parametrize(
    ("asked", "listed"), [(("main",), set()), (("50", "24h"), {"50", "24h"})], ids=["default", "list"]
)
def test_the_main_window_is_listed_and_others_are_by_name(
    asked: tuple[str, ...], listed: set[str], binary: Example
) -> None:
    with served(binary, metrics_windows=asked) as running:
        running.predict({"instances": binary.rows(60)})
        series = running.metrics()
    windows = [dict(labels)["window"] for _, labels in series if "window" in dict(labels)]
    assert set(windows) == {"1000", *listed}
    assert {"model_feature_psi_threshold", "model_window_rows"} <= {name for name, _ in series}


def test_only_the_worst_features_can_be_listed(binary: Example) -> None:
    moved = binary.names[2]
    with served(binary, metrics_top_features=1) as running:
        for _ in range(4):
            running.predict({"instances": [{**row, moved: 10 * row[moved]} for row in binary.rows()]})
        series = running.metrics()
        assert running.status()["drifted_features"][0] == moved
    listed = {dict(labels).get("feature_name") for name, labels in series if name == "model_feature_psi"}
    assert listed == {moved, PREDICTION}
