"""Every alert as Alertmanager sends it: real rules on a page of metrics on which all of them fire."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from driftgauge.alerting.alerts import alert_rules
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs

from tests.e2e.monitored import seen
from tests.e2e.processes import free_port
from tests.e2e.programs import needs_servers
from tests.e2e.webhooks import Inbox, webhook

pytestmark = [pytest.mark.e2e, pytest.mark.long, needs_servers]

BASE: Final = "https://model.example.org"
OWNER: Final = 'The "flights" team, flights@example.org, https://example.org/delay'
PAGE: Final = """
model_info{MODEL,owner="The \\"flights\\" team",contact="flights@example.org",docs_url="https://example.org/delay"} 1
http_requests_total{method="POST",handler="/predict",code="500"} RISING
http_requests_total{method="POST",handler="/predict",code="200"} RISING
http_requests_error_budget_ratio 0.001
http_connections_refused_total{reason="too_many_connections"} RISING
http_requests_limited_total{reason="rate_limited"} RISING
model_prediction_latency_seconds_bucket{MODEL,batch_size_bucket="small",le="1.0"} 0
model_prediction_latency_seconds_bucket{MODEL,batch_size_bucket="small",le="2.5"} RISING
model_prediction_latency_seconds_bucket{MODEL,batch_size_bucket="small",le="+Inf"} RISING
model_prediction_latency_seconds_count{MODEL,batch_size_bucket="small"} RISING
model_prediction_latency_threshold_seconds{MODEL,severity="warning"} 0.5
model_prediction_latency_threshold_seconds{MODEL,severity="critical"} 1
model_prediction_latency_rise_threshold_ratio{MODEL,severity="warning"} 0.5
model_prediction_latency_rise_threshold_ratio{MODEL,severity="critical"} 1
model_size:model_prediction_latency_rise:ratio5m{MODEL,batch_size_bucket="small"} 1.5
model_size:model_prediction_latency_seconds:p95_5m{MODEL,batch_size_bucket="small"} 2.5
model_size:model_prediction_latency_seconds:p95_7d_high{MODEL,batch_size_bucket="small"} 1.5
model_size:model_prediction_latency_seconds:mean5m{MODEL,batch_size_bucket="small"} 2
model_size:model_prediction_latency_seconds:mean7d_median{MODEL,batch_size_bucket="small"} 1
model_feature_drift_severity{MODEL,feature_name="temp"} 3
model_feature_drift_since_timestamp_seconds{MODEL,feature_name="temp"} 1767225600
model_feature_moved_ratio{MODEL,feature_name="temp",rows="above the reference's largest value"} 0.9448
model_feature_moved_reference_ratio{MODEL,feature_name="temp",rows="above the reference's largest value"} 0
model_feature_psi_debiased{MODEL,feature_name="temp",window="1000"} 0.31
model_feature_psi_threshold{MODEL,feature_name="temp",window="1000",severity="warning"} 0.1
model_feature_drift_severity{MODEL,feature_name="prediction"} 3
model_feature_drift_since_timestamp_seconds{MODEL,feature_name="prediction"} 1767225600
model_feature_value{MODEL,feature_name="prediction",stat="mean"} 0.6149
model_feature_reference_mean{MODEL,feature_name="prediction"} 0.25
model_feature_missing_ratio{MODEL,feature_name="dew \\"point\\"",window="1000"} 0.4
model_feature_missing_ratio_threshold{MODEL,feature_name="dew \\"point\\"",severity="warning"} 0.05
model_feature_missing_ratio_threshold{MODEL,feature_name="dew \\"point\\"",severity="critical"} 0.1
model_feature_unseen_ratio{MODEL,feature_name="carrier",window="1000"} 0.125
model_feature_unseen_ratio_threshold{MODEL,feature_name="carrier",severity="warning"} 0.01
model_feature_unseen_ratio_threshold{MODEL,feature_name="carrier",severity="critical"} 0.05
model_window_rows{MODEL,window="1000"} 1000
model_window_required_rows{MODEL,window="1000"} 500
model_window_rows{model_name="new",model_version="2",window="1000"} 12
model_window_required_rows{model_name="new",model_version="2",window="1000"} 500
model_outlier_ratio{MODEL,window="1000"} 0.3
model_outlier_threshold_ratio{MODEL} 0.2
model_evaluation_timestamp_seconds{MODEL} PAST
model_evaluation_age_threshold_seconds{MODEL} 120
model_observations_dropped_total{MODEL,reason="log_full"} RISING
model_predictions_total{MODEL} RISING
model_label_timestamp_seconds{MODEL} PAST
model_label_age_threshold_seconds{MODEL} 120
model_ingest_refused_records_total{MODEL,reason="not_json"} RISING
model_ingest_rows_total{MODEL,result="taken"} 0
model_ingest_refused_threshold_ratio{MODEL} 0.01
model_ingest_timestamp_seconds{MODEL} PAST
model_ingest_age_threshold_seconds{MODEL} 120
server_actions_total{action="retrain",result="failed"} RISING
model_ingest_lag_messages{MODEL} 1200000
model_ingest_lag_threshold_messages{MODEL,severity="warning"} 100000
model_ingest_lag_threshold_messages{MODEL,severity="critical"} 1000000
model_ingest_lost_timestamp_seconds{MODEL} LATELY
model_feature_constraint_severity{MODEL,feature_name="temp",constraint="range"} 3
model_feature_constraint_violation_ratio{MODEL,feature_name="temp",constraint="range",window="1000"} 0.25
model_request_constraint_violations_total{MODEL,constraint="type"} RISING
model_request_rows_refused_total{MODEL} RISING
model_prediction_failures_total{MODEL,reason="model_failed"} 0
model_request_constraint_threshold_ratio{MODEL,severity="warning"} 0.01
model_request_constraint_threshold_ratio{MODEL,severity="critical"} 0.1
model_request_constraint_threshold_rows{MODEL} 10
model_performance_severity{MODEL} 3
model_outcome_severity{MODEL,outcome_name="revenue"} 2
model_prediction_log_dropped_total{MODEL,reason="prediction_log_failed"} RISING
prediction_log_disk_free_bytes 1048576
prediction_log_disk_free_threshold_bytes 2097152
prediction_log_damaged_files 1
server_notifications_total{name="team",result="failed"} RISING
server_telemetry_items_total{signal="traces",result="failed"} RISING
server_telemetry_lost_threshold_ratio 0.05
model_release_latency_change_ratio{MODEL,percentile="99"} 1.5
model_release_change_threshold_ratio{MODEL,severity="warning"} 0.5
model_release_change_threshold_ratio{MODEL,severity="critical"} 1
model_available{model_name="broken"} 0
model_shadow_rows_dropped_total{MODEL,reason="shadow_queue_full"} RISING
model_alias_followed{MODEL} 0
model_multivariate_severity{MODEL} 3
model_attribution_ndcg{MODEL} 0.625
model_attribution_ndcg_threshold{MODEL,severity="warning"} 0.9
model_long_window_feature_drift_severity{MODEL,feature_name="humid",window="7d"} 2
model_long_window_feature_psi_debiased{MODEL,feature_name="humid",window="7d"} 0.045
model_long_window_feature_psi_threshold{MODEL,feature_name="humid",window="7d",severity="warning"} 0.025
model_reference_feature_drift_severity{MODEL,feature_name="temp",reference="rolling"} 2
model_reference_feature_psi_debiased{MODEL,feature_name="temp",reference="rolling"} 0.31
model_reference_feature_psi_threshold{MODEL,feature_name="temp",reference="rolling",severity="warning"} 0.1
"""
OF_COLUMNS: Final = ("ModelFeatureDrift", "ModelPredictionDrift")
TEXTS: Final = """
DriftgaugeDown: No server answers. Predictions and drift monitoring have stopped. No server of driftgauge has
    answered Prometheus for #m. Check that the servers run and that Prometheus reaches them.
DriftgaugeServerDown: A server does not answer. 127.0.0.1:# of driftgauge has not answered Prometheus for #m.
DriftgaugeErrorBudgetBurn: Predictions fail faster than the error budget allows. #% of the prediction requests to
    driftgauge failed in the last #, more than # × what the error budget allows. The last # exceed it too.
DriftgaugeLatencyHigh: Predictions are slow. The 95th percentile of latency is #s for small requests to delay 1,
    above the limit for LEVEL.
ModelLatencyRegressed: Predictions are slower than they used to be. The 95th percentile of latency of small requests
    to delay 1 is 150% above its median of the last # days.
DriftgaugeConnectionsRefused: A server refuses clients because all its connections are in use. 127.0.0.1:# of
    driftgauge refused or closed about # connections in the last 5m (too_many_connections), because it has reached
    its maximum.
DriftgaugeCallerLimited: A server has been refusing requests of a caller that reached its limit. 127.0.0.1:# of
    driftgauge answered about # requests with 429 in the last 5m (rate_limited), and has done so for 15m.
DriftgaugeNotificationsFailing: Notifications of a server do not arrive. About # notifications of driftgauge to team
    were given up in the last 15m. /drift/status says why the last one did not arrive.
DriftgaugeTelemetryFailing: Metrics or traces of a server do not reach the collector. 100% of the traces of driftgauge
    in the last 15m were lost. /drift/status says why the last ones did not arrive.
DriftgaugeDiskNearlyFull: The disk of the prediction log is nearly full. 127.0.0.1:# has 1MiB of disk left. At half
    of the threshold (prediction_log_disk_free_threshold_bytes) predictions are no longer logged; they are still
    answered.
DriftgaugePredictionLogDamaged: A database of the prediction log is damaged. 127.0.0.1:# goes on with its
    prediction log in a new file (damaged so far: 1). Predictions and labels in a damaged file are not read any more.
ModelFeatureDrift: temp of delay 1 has drifted from the reference. 94.5% of rows above the reference's largest
    value (reference: 0%). Since 2026-01-01 00:00:00 +0000 UTC. The change is 3.1 times its limit.
ModelPredictionDrift: The predictions of delay 1 have drifted from those on held-out rows. mean 0.6149 (reference:
    0.25). Since 2026-01-01 00:00:00 +0000 UTC. There are too few rows to judge the size of the change.
ModelWholeRowDrift: Whole rows of delay 1 can be told from the reference. A classifier tells the newest rows of delay 1
    from those of the reference, and the whole interval of its AUC is above the limit. Columns may change together while
    each is as before. /drift/status names them.
ModelAttributionDrift: Other features decide the scores of delay 1. The features that contribute most to the scores of
    delay 1 are no longer those of the reference (NDCG 0.62). /drift/status names the features whose share has changed.
ModelDataQuality: Rows of delay 1 violate the constraint range. More rows than in the reference violate this constraint
    on temp: 25% of a window. /drift/status shows examples.
ModelRequestViolations: Requests to delay 1 violate the constraint type. #% of the rows that were sent to delay 1
    in the last 15m violate it. Rows that were refused are in no window; their answers name the field.
ModelMissingValues: dew "point" of delay 1 has more missing values than the reference. 40% of rows have no value
    (limit for LEVEL: #%).
ModelUnseenCategories: carrier of delay 1 has values that the reference does not have. 12.5% of rows have a value
    that the reference does not have (limit for LEVEL: #%).
ModelOutlierRatioHigh: Many rows of delay 1 are outliers. 30% of the newest rows of delay 1 are unlike the
    reference, more than outlier_threshold_ratio allows. Its predictions for them are guesses.
ModelEvaluationStale: Drift evaluation has stopped. The last verdict is stale. 127.0.0.1:# last evaluated delay 1
    1h 0m #s ago. Its drift metrics have not changed since.
ModelObservationsDropped: Drift monitoring loses rows. About # rows of delay 1 were predicted in the last 5m but
    not monitored (log_full).
ModelInsufficientData: There are too few rows to judge the size of a change. The sliding windows of new 2 hold at
    most 12 rows. That is too few to judge the size of a change, so drift is at most a warning, and missing and
    unseen values raise no alert.
ModelLabelsMissing: Ground truth has stopped coming in. The newest label of delay 1 arrived 1h 0m #s ago. Newer
    predictions cannot be judged by their labels.
DriftgaugeActionFailed: An action that an alert led to has failed. The action retrain of driftgauge ended as failed in
    the last 15m. GET /actions says why.
ModelIngestRefused: Records from the logs of another server cannot be read. #% of the records of delay 1 in the last
    15m could not be read. GET /ingest/errors lists the last ones with the reason.
ModelIngestStopped: The logs of another server have stopped coming in. The newest record of delay 1 arrived 1h 0m #s
    ago. Its drift is no longer known.
ModelIngestLag: Reading predictions from Kafka is behind. 1.2M messages of delay 1 in Kafka are not counted yet, above
    the limit for LEVEL. Its drift is that of older rows.
ModelIngestMessagesLost: Messages in Kafka were deleted before they were counted. Kafka had deleted messages of delay 1
    10m #s ago, when a process came to them. The verdict on drift lacks their rows.
ModelPerformanceDegraded: The predictions of delay 1 have become worse. On matured predictions of delay 1 with ground
    truth a metric has dropped significantly against its held-out value, or is beyond its floor.
ModelOutcomeBeyondLimit: A business outcome of delay 1 is beyond its limit. The outcome revenue of matured predictions
    of delay 1 is beyond its limit with its whole 95 % interval.
ModelPredictionsNotLogged: Predictions are missing from the prediction log. About # predictions of delay 1 were
    answered in the last 5m but not logged (prediction_log_failed). Their labels will be orphans.
ModelReleaseWorse: A new version is slower than the one before, or fails more. delay 1 takes 150% longer for a
    prediction than the version before.
ModelUnavailable: A model could not be loaded. 127.0.0.1:# could not load broken when it started. Requests for it
    get 503; the other models are served.
ModelRecentChange: temp of delay 1 has changed within the last days. Its values differ from those of the last
    days: 3.1 times the limit of PSI. Whether they differ from the reference of delay 1, other alerts say.
ModelGradualDrift: humid of delay 1 has drifted over weeks. Its values over a week or more differ from the
    reference: 1.8 times the limit of PSI in the window where they differ most. Shorter windows may not show it.
ModelAliasNotFollowed: A server does not serve the version that the alias of its registered model names.
    127.0.0.1:# still serves delay 1: it could not load the version that the alias names.
ModelShadowRowsDropped: A shadow version misses rows. About # rows in the last 5m were not predicted by the shadow
    delay 1 (shadow_queue_full). The live version has answered them.
Watchdog: Always fires: it shows that alerts arrive. Prometheus evaluates rules and reaches Alertmanager. An
    outside service should raise the alarm when this alert stops arriving.
"""
"""What summary and description of each alert say together: # is a number, LEVEL the severity."""


def texts() -> dict[str, str]:
    """Return a pattern of the text of each alert."""
    lines = TEXTS.replace("\n    ", " ").strip().splitlines()
    patterns = (line.split(": ", 1) for line in lines)
    return {name: re.escape(said).replace(r"\#", r"[0-9][0-9.]*\w*") for name, said in patterns}


@contextlib.contextmanager
def metrics_page() -> Iterator[int]:
    """Serve the page on a free port; its counters rise with time."""
    started = time.time()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = PAGE.replace("MODEL", 'model_name="delay",model_version="1"').replace("PAST", str(started - 3_600))
            text = text.replace("LATELY", str(started - 600))
            body = text.replace("RISING", str(1_000 * (time.time() - started))).encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def with_short_holds(path: Path) -> None:
    """Let every rule of a file fire after two seconds; its texts stay as they are."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for group in content["groups"]:
        for rule in group["rules"]:
            rule |= {"for": "2s"} if "for" in rule else {}
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


@contextlib.contextmanager
def notified(servers: Programs, folder: Path, targets: tuple[str, ...]) -> Iterator[Inbox]:
    """Run Prometheus on the shipped rules, and an Alertmanager that sends every alert."""
    prometheus, alertmanager = Endpoint(free_port()), Endpoint(free_port())
    with contextlib.ExitStack() as started:
        inbox = started.enter_context(webhook())
        options = MonitoringOptions(
            scrape_interval="500ms",
            base_url=BASE,
            targets=targets,
            prometheus=prometheus.address.removeprefix("http://"),
            alertmanager=alertmanager.address.removeprefix("http://"),
        )
        write(options, folder)
        with_short_holds(folder / "prometheus" / "alerts" / "driftgauge.yml")
        everything = {
            "route": {
                "receiver": "all",
                "group_by": ["..."],
                "group_wait": "1s",
                "group_interval": "1s",
                "repeat_interval": "3s",  # a text that has changed since is sent again
            },
            "receivers": [{"name": "all", "webhook_configs": [{"url": inbox.address}]}],
        }
        (folder / "alertmanager" / "alertmanager.yml").write_text(yaml.safe_dump(everything))
        for name, run, program, place in (
            ("alertmanager", stack.alertmanager, servers.alertmanager, alertmanager),
            ("prometheus", stack.prometheus, servers.prometheus, prometheus),
        ):
            started.enter_context(run(program, folder / name, folder / f"{name}-data", place, folder / f"{name}.log"))
        yield inbox


def sent(inbox: Inbox) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the newest firing alert of each rule: its name, severity and burn rate."""
    alerts = [alert for body in inbox.bodies for alert in body["alerts"] if alert["status"] == "firing"]
    return {_rule(alert["labels"]): alert for alert in alerts}


def _rule(labels: Mapping[str, str]) -> tuple[str, ...]:
    return labels["alertname"], labels["severity"], labels.get("burn_rate", "")


def expected() -> set[tuple[str, ...]]:
    groups = alert_rules(MonitoringOptions())["groups"]
    return {_rule({"alertname": rule["alert"], **rule["labels"]}) for group in groups for rule in group["rules"]}


def test_every_alert_arrives_with_its_texts_and_links(servers: Programs, tmp_path: Path) -> None:
    with metrics_page() as port:
        targets = (f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
        with notified(servers, tmp_path / "up", targets) as inbox:
            wanted = {rule for rule in expected() if rule[0] != "DriftgaugeDown"}
            alerts = seen(lambda: sent(inbox), lambda found: found.keys() >= wanted and _complete(found), inbox)
    with notified(servers, tmp_path / "down", (f"127.0.0.1:{free_port()}",)) as inbox:
        down = seen(lambda: sent(inbox), lambda found: ("DriftgaugeDown", "critical", "") in found, inbox)
    alerts |= {rule: alert for rule, alert in down.items() if rule[0] == "DriftgaugeDown"}
    assert alerts.keys() == expected()
    patterns = texts()
    assert {rule[0] for rule in alerts} == patterns.keys()
    for (name, severity, _), alert in alerts.items():
        annotations = alert["annotations"]
        said = f"{annotations['summary']} {annotations['description']}"
        assert re.fullmatch(patterns[name].replace("LEVEL", severity), said), said
        assert annotations["runbook_url"].partition("?")[0] == f"{BASE}/runbooks/{name}"
        assert annotations["page_url"].startswith(f"{BASE}/drift/status")
        assert annotations.get("owner", "") == (OWNER if alert["labels"].get("model_name") == "delay" else "")


def _complete(found: Mapping[tuple[str, ...], Mapping[str, Any]]) -> bool:
    """Return whether the details of the drift are recorded by now."""
    drift = [alert for rule, alert in found.items() if rule[0] in OF_COLUMNS]
    return all("Since" in alert["annotations"]["description"] for alert in drift)
