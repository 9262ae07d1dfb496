from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driftgauge.errors import SettingsError
from driftgauge.settings.actions import UrlAction
from driftgauge.settings.features import FeatureSettings, FeatureThresholds
from driftgauge.settings.notify import FileReceiver
from driftgauge.settings.options import (
    CONFIG_VARIABLE,
    GROUPS,
    Settings,
    ignored_variables,
    load,
    variable,
)
from driftgauge.settings.outcomes import OutcomeSettings
from driftgauge.settings.server import IN_MEMORY
from pydantic import BaseModel, ValidationError

UNITS = ("_ratio", "_seconds", "_bytes", "_rows", "_threads", "_factor", "_requests", "_messages")
LIMITED = ("psi", "missing", "unseen")
WITHOUT_UNIT = {
    "port",
    "windows",
    "workers",
    "max_header_count",
    "max_models",
    "max_versions",
    "rolling_reference_days",
    "ingest_seen_records",
    "ingest_max_open_events",
    "drift_share",
    "otlp_max_queued_spans",
    "attribution_ndcg_threshold",
    *(f"performance_drop_threshold_{how}" for how in ("warning", "critical")),
    *(f"multivariate_auc_threshold_{how}" for how in ("warning", "critical")),
    *(f"{what}_threshold_{how}" for what in LIMITED for how in ("warning", "critical")),
}
"""Numbers that are no time or size, or are known by their name to be rows, processes, or header fields."""

OPTIONS: list[tuple[str, str, object]] = [
    ("bundle", "some/folder", Path("some/folder")),
    ("host", "::1", "::1"),
    ("port", "0", 0),
    ("allowed_hosts", "api.example.com, *.example.com, [fd00::1]", ("api.example.com", "*.example.com", "fd00::1")),
    (
        "allowed_origins",
        "https://app.example.com, http://localhost:3000",
        ("https://app.example.com", "http://localhost:3000"),
    ),
    ("root_path", "/models/a/", "/models/a"),
    ("workers", "4", 4),
    ("state_dir", "some/state", Path("some/state")),
    ("shutdown_grace_seconds", "7", 7),
    ("log_level", "warning", "warning"),
    ("log_format", "console", "console"),
    ("log_file", "some/server.log", Path("some/server.log")),
    ("trusted_types", "a.B, c.D", ("a.B", "c.D")),
    ("model_threads", "3", 3),
    ("bundles", "some/a, some/b", (Path("some/a"), Path("some/b"))),
    ("models", "{}", {}),
    ("max_models", "7", 7),
    ("tokens_file", "some/tokens", Path("some/tokens")),
    ("insecure", "true", True),
    ("metrics_access", "Open", "open"),
    ("trusted_proxies", "10.0.0.5, 10.1.0.0/16, ::1", ("10.0.0.5", "10.1.0.0/16", "::1")),
    ("ssl_certfile", "some/cert.pem", Path("some/cert.pem")),
    ("ssl_keyfile", "some/key.pem", Path("some/key.pem")),
    ("ssl_keyfile_password_file", "some/password", Path("some/password")),
    ("ssl_ca_certs", "some/ca.pem", Path("some/ca.pem")),
    ("max_body_bytes", "1024", 1_024),
    ("max_pending_bytes", "1000000000", 1_000_000_000),
    ("max_rows", "7", 7),
    ("max_batch_rows", "64", 64),
    ("max_queued_requests", "8", 8),
    ("max_queued_rows", "900", 900),
    ("max_connections", "500", 500),
    ("max_header_bytes", "16384", 16_384),
    ("max_header_count", "50", 50),
    ("max_url_bytes", "2048", 2_048),
    ("head_timeout_seconds", "2.5", 2.5),
    ("body_timeout_seconds", "120", 120.0),
    ("answer_timeout_seconds", "300", 300.0),
    ("idle_timeout_seconds", "5", 5.0),
    ("max_requests_per_second", "2.5", 2.5),
    ("max_request_burst", "5", 5),
    ("max_concurrent_requests", "4", 4),
    ("max_queue_share_ratio", "0.5", 0.5),
    ("bundle_folders", "models,/srv/b", (Path("models"), Path("/srv/b"))),
    ("version_load_seconds", "300", 300.0),
    ("max_versions", "4", 4),
    ("retired_state_seconds", "3600", 3600.0),
    ("shadow_queue_rows", "500", 500),
    ("release_threshold_warning_ratio", "0.2", 0.2),
    ("release_threshold_critical_ratio", "1.5", 1.5),
    ("follow_alias", "champion", "champion"),
    ("registered_model", "churn model", "churn model"),
    ("registry_uri", "http://mlflow:5000", "http://mlflow:5000"),
    ("alias_poll_seconds", "5", 5.0),
    ("alias_stale_seconds", "900", 900.0),
    ("record_verdicts", "false", False),
    ("monitoring_enabled", "false", False),
    ("clock", "event", "event"),
    ("max_event_ahead_seconds", "0", 0.0),
    ("windows", "50,500", (50, 500)),
    ("time_windows", "90s,36h,7d", ("90s", "36h", "7d")),
    ("max_age_seconds", "3600", 3_600.0),
    ("reference", "Rolling", "rolling"),
    ("rolling_reference_days", "7", 7),
    ("rolling_reference_refresh_seconds", "3600", 3_600.0),
    ("evaluation_interval_seconds", "0.5", 0.5),
    ("evaluation_rest_factor", "0", 0.0),
    ("evaluation_wait_seconds", "0.5", 0.5),
    ("metrics_windows", "main, 1000,1h", ("main", "1000", "1h")),
    ("metrics_bin_rows", "false", False),
    ("metrics_top_features", "20", 20),
    ("psi_threshold_warning", "0.15", 0.15),
    ("psi_threshold_critical", "0.4", 0.4),
    ("psi_thresholds_by_feature", "temp=0.3:0.5, dewp=0.2:0.4", {"temp": (0.3, 0.5), "dewp": (0.2, 0.4)}),
    (
        "features",
        '{"temp": {"monitor": false}, "Größe, cm": {"thresholds": {"psi": [0.3, 0.5]}, "tolerance": 0.1}}',
        {
            "temp": FeatureSettings(monitor=False),
            "Größe, cm": FeatureSettings(thresholds=FeatureThresholds(psi=(0.3, 0.5)), tolerance=0.1),
        },
    ),
    ("alert_on_small", "true", True),
    ("learning_seconds", "0", 0.0),
    ("false_alarm_rows", "1e9", 1e9),
    ("false_alarm_interval_seconds", "2592000", 2_592_000.0),
    ("evidence_tolerance_ratio", "0", 0.0),
    ("missing_threshold_warning", "0.02", 0.02),
    ("missing_threshold_critical", "0.2", 0.2),
    ("unseen_threshold_warning", "0.005", 0.005),
    ("unseen_threshold_critical", "0.5", 0.5),
    ("latency_threshold_warning_seconds", "0.05", 0.05),
    ("latency_threshold_critical_seconds", "2", 2.0),
    ("error_budget_ratio", "0.01", 0.01),
    ("evaluation_stale_seconds", "30", 30.0),
    ("price_per_hour", "0.25", 0.25),
    ("price_currency", "EUR", "EUR"),
    ("latency_rise_threshold_warning_ratio", "0.25", 0.25),
    ("latency_rise_threshold_critical_ratio", "3", 3.0),
    ("statistic", "KS", "ks"),
    ("statistic_thresholds", "ks=0.15:0.3, JS=0.1:0.2", {"ks": (0.15, 0.3), "js": (0.1, 0.2)}),
    ("drift_share", "0.5", 0.5),
    ("multivariate", "verdict", "verdict"),
    ("multivariate_interval_seconds", "30", 30),
    ("multivariate_timeout_seconds", "5", 5),
    ("multivariate_auc_threshold_warning", "0.6", 0.6),
    ("multivariate_auc_threshold_critical", "0.9", 0.9),
    ("attribution_seconds", "300", 300),
    ("attribution_ndcg_threshold", "0.8", 0.8),
    ("outliers", "true", True),
    ("outliers_inline", "true", True),
    ("outlier_threshold_ratio", "0.3", 0.3),
    ("preset", "Two-minutes", "two-minutes"),
    ("job_ids", "true", True),
    ("quality_enabled", "false", False),
    ("quality_examples", "false", False),
    ("label_maturity_seconds", "7200", 7_200.0),
    ("label_wait_seconds", "0", 0.0),
    ("labels_missing_seconds", "600", 600.0),
    (
        "outcomes",
        '{"click": {"kind": "event", "absent": 0}}',
        {"click": OutcomeSettings(kind="event", absent=0.0)},
    ),
    ("performance_interval_seconds", "10", 10.0),
    ("performance_drop_threshold_warning", "0.03", 0.03),
    ("performance_drop_threshold_critical", "0.1", 0.1),
    ("performance_floors", "precision=0.85,log_loss=0.4", {"precision": 0.85, "log_loss": 0.4}),
    ("performance_segments", "carrier,origin", ("carrier", "origin")),
    ("prediction_log", "false", False),
    ("prediction_log_url", "postgresql://me@host/log", "postgresql://me@host/log"),
    ("prediction_log_sample_ratio", "0.25", 0.25),
    ("prediction_log_durability", "acknowledged", "acknowledged"),
    ("prediction_log_max_age_seconds", "86400", 86_400.0),
    ("prediction_log_max_bytes", "1048576", 1_048_576),
    ("prediction_log_queue_rows", "100", 100),
    ("prediction_log_min_free_bytes", "0", 0),
    ("prediction_log_drop", "age,name", ("age", "name")),
    ("prediction_log_hash", "", ()),
    ("prediction_log_hash_key", "a long and secret text", "a long and secret text"),
    ("ingest_time_zone", "Europe/Berlin", "Europe/Berlin"),
    ("ingest_seen_records", "50000", 50_000),
    ("ingest_join_wait_seconds", "60", 60.0),
    ("ingest_max_open_events", "500", 500),
    ("ingest_dead_letter_bytes", "65536", 65_536),
    ("ingest_refused_threshold_ratio", "0.1", 0.1),
    ("ingest_stale_seconds", "120", 120.0),
    ("ingest_max_body_bytes", "1000000", 1_000_000),
    ("ingest_max_inflated_bytes", "2000000", 2_000_000),
    ("ingest_max_pending_requests", "8", 8),
    ("kafka_brokers", "kafka-1:9092,kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
    ("kafka_topics", "clicks, orders", ("clicks", "orders")),
    ("kafka_group", "drift", "drift"),
    ("kafka_format", "BentoML", "bentoml"),
    ("kafka_from_beginning", "true", True),
    (
        "kafka_properties",
        '{"security.protocol": "SSL", "socket": {"keepalive": {"enable": true}}, "retries": 3}',
        {"security.protocol": "SSL", "socket.keepalive.enable": "true", "retries": "3"},
    ),
    ("kafka_profile_out", "profiles", Path("profiles")),
    ("kafka_lag_threshold_warning_messages", "500", 500.0),
    ("kafka_lag_threshold_critical_messages", "200000", 200_000.0),
    (
        "actions",
        '[{"name": "retrain", "kind": "url", "alerts": ["A"], "url": "https://jobs.example.com", "dry_run": false}]',
        (UrlAction(name="retrain", kind="url", alerts=("A",), url="https://jobs.example.com", dry_run=False),),
    ),
    ("actions_history_rows", "500", 500),
    ("allow_commands", "/usr/bin/a,/usr/bin/b", (Path("/usr/bin/a"), Path("/usr/bin/b"))),
    (
        "notify",
        '[{"name": "log", "kind": "file", "path": "some/file", "severity": "critical"}]',
        (FileReceiver(name="log", kind="file", path=Path("some/file"), severity="critical"),),
    ),
    ("notify_hold_seconds", "60", 60),
    ("notify_interval_seconds", "30", 30),
    ("notify_wait_seconds", "0", 0.0),
    ("notify_group_seconds", "60", 60.0),
    ("external_url", "https://models.example.org/a", "https://models.example.org/a"),
    ("grafana_url", "https://grafana.example.org", "https://grafana.example.org"),
    ("otlp_endpoint", "http://localhost:4318", "http://localhost:4318"),
    ("otlp_protocol", "GRPC", "grpc"),
    ("otlp_headers_file", "some/headers", Path("some/headers")),
    ("otlp_signals", "traces", ("traces",)),
    ("otlp_resource_attributes", "team=fraud, zone=a=b", {"team": "fraud", "zone": "a=b"}),
    ("otlp_interval_seconds", "15", 15.0),
    ("otlp_timeout_seconds", "5", 5.0),
    ("otlp_trace_ratio", "0.5", 0.5),
    ("otlp_max_queued_spans", "4096", 4_096),
    ("otlp_lost_threshold_ratio", "0.1", 0.1),
]
WRONG: list[tuple[str, str]] = [
    ("reference", "yesterday"),
    ("rolling_reference_days", "1"),
    ("rolling_reference_days", "61"),
    ("rolling_reference_refresh_seconds", "0"),
    ("allowed_hosts", "https://api.example.com"),
    ("allowed_hosts", "api.example.com:8000"),
    ("allowed_hosts", "api.*.com"),
    ("allowed_origins", "app.example.com"),
    ("allowed_origins", "https://app.example.com/page"),
    ("allowed_origins", "null"),
    ("trusted_proxies", "proxy.example.com"),
    ("trusted_proxies", "*"),
    ("trusted_proxies", "0.0.0.0/0"),
    ("metrics_access", "basic"),
    ("root_path", "models/a"),
    ("root_path", "//models"),
    ("root_path", "/models?a"),
    ("port", "65536"),
    ("port", "-1"),
    ("port", "http"),
    ("workers", "0"),
    ("workers", "61"),
    ("workers", "auto"),
    ("shutdown_grace_seconds", "1"),
    ("shutdown_grace_seconds", "2.5"),
    ("log_level", "loud"),
    ("log_format", "xml"),
    ("model_threads", "0"),
    ("max_body_bytes", "0"),
    ("max_pending_bytes", "0"),
    ("max_pending_bytes", "8388607"),
    ("max_rows", "0"),
    ("max_batch_rows", "0"),
    ("max_queued_requests", "0"),
    ("max_queued_rows", "0"),
    ("max_connections", "0"),
    ("version_load_seconds", "0"),
    ("max_versions", "2"),
    ("retired_state_seconds", "-1"),
    ("shadow_queue_rows", "0"),
    ("release_threshold_warning_ratio", "0"),
    ("release_threshold_critical_ratio", "inf"),
    ("max_header_bytes", "1023"),
    ("max_header_count", "9"),
    ("max_url_bytes", "255"),
    ("head_timeout_seconds", "0"),
    ("head_timeout_seconds", "inf"),
    ("body_timeout_seconds", "-1"),
    ("answer_timeout_seconds", "nan"),
    ("idle_timeout_seconds", "0"),
    ("idle_timeout_seconds", "never"),
    ("monitoring_enabled", "perhaps"),
    ("metrics_windows", "5m"),
    ("metrics_windows", "1000,,500"),
    ("metrics_top_features", "-1"),
    ("metrics_top_features", "all"),
    ("clock", "wall"),
    ("max_event_ahead_seconds", "-1"),
    ("max_event_ahead_seconds", "nan"),
    ("windows", ""),
    ("windows", ","),
    ("windows", "0,100"),
    ("windows", "-5"),
    ("windows", "1000,1000001"),
    ("windows", "1000;10000"),
    ("windows", "1.5"),
    ("time_windows", "9s"),
    ("time_windows", "32d"),
    ("time_windows", "45000m"),
    ("time_windows", "0m"),
    ("time_windows", "01h"),
    ("time_windows", "1.5h"),
    ("time_windows", "-1h"),
    ("time_windows", "60"),
    ("time_windows", "h"),
    ("time_windows", "1w"),
    ("time_windows", "1H"),
    ("time_windows", "1h 30m"),
    ("time_windows", "2m;1h"),
    ("time_windows", "2m,1x"),
    ("max_age_seconds", "0"),
    ("max_age_seconds", "-1"),
    ("max_age_seconds", "nan"),
    ("max_age_seconds", "day"),
    ("psi_threshold_warning", "0"),
    ("psi_threshold_critical", "nan"),
    ("psi_threshold_critical", "inf"),
    ("psi_thresholds_by_feature", "temp"),
    ("psi_thresholds_by_feature", "temp=0.3"),
    ("psi_thresholds_by_feature", "temp=0.5:0.3"),
    ("psi_thresholds_by_feature", "temp=a:b"),
    ("psi_thresholds_by_feature", "temp=0:1"),
    ("psi_thresholds_by_feature", "temp=-1:1"),
    ("psi_thresholds_by_feature", "temp=nan:1"),
    ("psi_thresholds_by_feature", "temp=0.1:inf"),
    ("psi_thresholds_by_feature", "temp=0.1:0.2:0.3"),
    ("psi_thresholds_by_feature", "temp=:"),
    ("psi_thresholds_by_feature", "=1:2"),
    ("psi_thresholds_by_feature", "temp:1=2"),
    ("psi_thresholds_by_feature", "dewp=0.1:0.2,temp=0.3"),
    ("false_alarm_rows", "999"),
    ("false_alarm_rows", "1e16"),
    ("false_alarm_rows", "nan"),
    ("false_alarm_rows", "inf"),
    ("false_alarm_interval_seconds", "3599"),
    ("false_alarm_interval_seconds", "inf"),
    ("features", "temp"),
    ("features", "[]"),
    ("features", "[" * 100_000),
    ("alert_on_small", "sometimes"),
    ("learning_seconds", "-1"),
    ("learning_seconds", "inf"),
    ("learning_seconds", "1000000001"),
    ("false_alarm_interval_seconds", "nan"),
    ("false_alarm_interval_seconds", "month"),
    ("evidence_tolerance_ratio", "-0.01"),
    ("evidence_tolerance_ratio", "1.01"),
    ("evidence_tolerance_ratio", "nan"),
    ("missing_threshold_warning", "0"),
    ("unseen_threshold_critical", "1.5"),
    ("latency_threshold_warning_seconds", "0"),
    ("error_budget_ratio", "1"),
    ("evaluation_stale_seconds", "0"),
    ("price_per_hour", "0"),
    ("price_per_hour", "inf"),
    ("price_currency", "euro"),
    ("latency_rise_threshold_warning_ratio", "0"),
    ("statistic", "anova"),
    ("statistic_thresholds", "ks"),
    ("statistic_thresholds", "ks=0.3:0.1"),
    ("statistic_thresholds", "js=0.3:1"),
    ("statistic_thresholds", "anova=0.1:0.3"),
    ("statistic_thresholds", "psi=0.1:0.3"),
    ("drift_share", "0"),
    ("drift_share", "1.5"),
    ("label_maturity_seconds", "-1"),
    ("label_wait_seconds", "inf"),
    ("labels_missing_seconds", "0"),
    ("performance_floors", "precision"),
    ("performance_floors", "exactness=0.5"),
    ("outcomes", "click"),
    ("prediction_log", "sometimes"),
    ("prediction_log_url", ""),
    ("prediction_log_sample_ratio", "0"),
    ("prediction_log_sample_ratio", "1.5"),
    ("prediction_log_durability", "always"),
    ("prediction_log_max_age_seconds", "0"),
    ("prediction_log_max_bytes", "1000"),
    ("prediction_log_queue_rows", "0"),
    ("prediction_log_min_free_bytes", "-1"),
    ("prediction_log_hash_key", "short"),
    ("ingest_time_zone", "Mars/Olympus"),
    ("ingest_time_zone", "../etc/passwd"),
    ("ingest_seen_records", "999"),
    ("ingest_join_wait_seconds", "0"),
    ("ingest_max_open_events", "0"),
    ("ingest_dead_letter_bytes", "100"),
    ("ingest_refused_threshold_ratio", "1.5"),
    ("ingest_stale_seconds", "0"),
    ("ingest_max_body_bytes", "0"),
    ("ingest_max_inflated_bytes", "0"),
    ("ingest_max_pending_requests", "0"),
    ("kafka_format", "xml"),
    ("kafka_properties", "security.protocol=SSL"),
    ("kafka_properties", "3"),
    ("kafka_lag_threshold_warning_messages", "0"),
    ("actions", "retrain"),
    ("actions", "{}"),
    ("actions", "[3]"),
    ("actions_history_rows", "99"),
    ("notify", "slack"),
    ("notify_hold_seconds", "1"),
    ("notify_interval_seconds", "0"),
    ("notify_wait_seconds", "-1"),
    ("notify_group_seconds", "-1"),
    ("external_url", "models.example.org"),
    ("grafana_url", "https://user:secret@grafana.example.org"),
    ("otlp_endpoint", "localhost:4318"),
    ("otlp_endpoint", "http://localhost:4318/?token=1"),
    ("otlp_protocol", "thrift"),
    ("otlp_signals", "logs"),
    ("otlp_signals", ""),
    ("otlp_resource_attributes", "team"),
    ("otlp_resource_attributes", "my team=fraud"),
    ("otlp_interval_seconds", "0.5"),
    ("otlp_timeout_seconds", "0"),
    ("otlp_trace_ratio", "1.5"),
    ("otlp_max_queued_spans", "100"),
    ("otlp_lost_threshold_ratio", "-0.1"),
    ("evaluation_interval_seconds", "0"),
    ("evaluation_rest_factor", "-1"),
    ("evaluation_wait_seconds", "0"),
    ("evaluation_wait_seconds", "61"),
    ("evaluation_wait_seconds", "nan"),
]


def _as_toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=False)} = {_as_toml(own)}" for key, own in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, BaseModel):
        return _as_toml(value.model_dump(exclude_unset=True))
    return str(value).lower() if isinstance(value, int | float) else f'"{value}"'


# ---------------------------------------------------------------- what there is


def test_defaults_are_those_of_the_design() -> None:
    settings = load()
    assert settings == Settings()
    assert settings.bundle is None
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.workers, settings.state_dir, settings.shutdown_grace_seconds) == (1, None, 25)
    assert (settings.windows, settings.clock) == ((1_000, 10_000), "arrival")
    assert (settings.time_windows, settings.max_age_seconds) == (("2m", "1h", "24h"), 86_400.0)
    assert (settings.psi_threshold_warning, settings.psi_threshold_critical) == (0.1, 0.2)
    assert (settings.psi_thresholds_by_feature, settings.false_alarm_interval_seconds) == ({}, None)
    assert (settings.features, settings.alert_on_small, settings.learning_seconds) == ({}, False, 14 * 86_400.0)
    assert (settings.false_alarm_rows, settings.evidence_tolerance_ratio) == (1e6, 0.02)
    assert (settings.evaluation_interval_seconds, settings.evaluation_rest_factor) == (5.0, 50.0)
    assert settings.max_event_ahead_seconds == 300.0


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_option_has_a_default_and_a_sentence(name: str) -> None:
    field = Settings.model_fields[name]
    assert not field.is_required()
    assert re.fullmatch(r"[A-Z].{15,}\.", field.description or "")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_number_has_its_unit_in_its_name(name: str) -> None:
    default = Settings.model_fields[name].default
    values = default if isinstance(default, tuple) else (default,)
    is_number = any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    say_their_unit = any(values) and all(re.fullmatch(r"\d+[smhd]", str(value)) for value in values)
    assert say_their_unit == (name == "time_windows")
    if is_number and name not in WITHOUT_UNIT:
        assert f"_{name}".endswith(UNITS)
    if re.match(r"Time|Seconds", Settings.model_fields[name].description or "") and not say_their_unit:
        assert name.endswith("_seconds")


def test_every_option_is_tried_here() -> None:
    assert [name for name, *_ in OPTIONS] == list(Settings.model_fields)


def test_every_option_is_in_one_group() -> None:
    assert [name for group in GROUPS.values() for name in group.model_fields] == list(Settings.model_fields)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load().port = 9  # type: ignore[misc]


# ---------------------------------------------------------------- where they come from


NEEDED = {"max_request_burst": "max_requests_per_second", "preset": "outliers"}
"""Options that need another one, which is then set to 1."""


def _set_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in NEEDED:
        monkeypatch.setenv(variable(NEEDED[name]), "1")


@pytest.mark.parametrize(("name", "text", "value"), OPTIONS)
def test_every_option_can_come_from_the_environment(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_needed(name, monkeypatch)
    monkeypatch.setenv(variable(name), text)
    assert variable(name) == f"DRIFTGAUGE_{name.upper()}"
    assert getattr(load(), name) == value


@pytest.mark.parametrize(("name", "text", "value"), OPTIONS)
def test_every_option_can_come_from_a_file(
    name: str, text: str, value: object, toml: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_needed(name, monkeypatch)
    path = toml(f"{name} = {_as_toml(value)}\n")
    assert getattr(load(config=path), name) == value
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    assert getattr(load(), name) == value


@pytest.mark.parametrize(("name", "text", "value"), OPTIONS)
def test_every_option_can_come_from_a_flag(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_needed(name, monkeypatch)
    assert getattr(load({name: text}), name) == value
    assert getattr(load({name: value}), name) == value


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("from_environment", [False, True])
@pytest.mark.parametrize("from_flag", [False, True])
def test_flags_win_over_the_environment_over_the_file_over_the_defaults(
    from_file: bool,
    from_environment: bool,
    from_flag: bool,
    toml: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = toml("port = 1\nwindows = [1]\n") if from_file else None
    if from_environment:
        monkeypatch.setenv("DRIFTGAUGE_PORT", "2")
        monkeypatch.setenv("DRIFTGAUGE_WINDOWS", "2")
    flags: dict[str, Any] = {"port": 3, "windows": (3,)} if from_flag else {"port": None}
    settings = load(flags, path)
    expected = 3 if from_flag else 2 if from_environment else 1 if from_file else None
    assert (settings.port, settings.windows) == ((expected, (expected,)) if expected else (8000, (1_000, 10_000)))
    assert settings.host == "127.0.0.1"


def test_a_config_flag_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, port in (("flag", 1), ("variable", 2)):
        (tmp_path / name).write_text(f"port = {port}")
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "variable"))
    assert load(config=tmp_path / "flag").port == 1
    assert load().port == 2


def test_an_empty_config_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, "")
    assert load() == Settings()


def test_a_file_is_read_as_utf_8(toml: Callable[[str], Path]) -> None:
    assert load(config=toml('bundle = "módèle"')).bundle == Path("módèle")


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("1000,10000", (1_000, 10_000)),
        (" 10000 , 1000 ,", (1_000, 10_000)),
        ("500,500", (500,)),
        ("1", (1,)),
    ],
)
def test_windows_are_numbers_between_commas_sorted_and_distinct(
    text: str, windows: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, toml: Callable[[str], Path]
) -> None:
    assert load({"windows": text}).windows == windows
    assert load(config=toml(f'windows = "{text}"')).windows == windows
    monkeypatch.setenv("DRIFTGAUGE_WINDOWS", text)
    assert load().windows == windows


@pytest.mark.parametrize(
    ("text", "time_windows"),
    [
        ("2m,1h,24h", ("2m", "1h", "24h")),
        (" 1h , 90s ,10s,", ("10s", "90s", "1h")),
        ("1d,2m,24h,1440m", ("2m", "1440m")),  # of the same length, the one that is written last
        ("10s,31d", ("10s", "31d")),
        ("", ()),
        (",", ()),
    ],
)
def test_time_windows_are_times_between_commas_by_length_and_distinct(
    text: str, time_windows: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, toml: Callable[[str], Path]
) -> None:
    assert load({"time_windows": text}).time_windows == time_windows
    assert load(config=toml(f'time_windows = "{text}"')).time_windows == time_windows
    monkeypatch.setenv("DRIFTGAUGE_TIME_WINDOWS", text)
    assert load().time_windows == time_windows


@pytest.mark.parametrize(
    ("text", "thresholds"),
    [
        ("temp=0.3:0.5", {"temp": (0.3, 0.5)}),
        (" temp = 0.3 : 0.5 ,dewp=1:1,", {"temp": (0.3, 0.5), "dewp": (1.0, 1.0)}),
        ("mean area=0.3:0.5,a=b=0.1:0.2", {"mean area": (0.3, 0.5), "a=b": (0.1, 0.2)}),
        ("a=0.1:0.2,a=0.3:0.4", {"a": (0.3, 0.4)}),  # what is written last
        ("", {}),
        (",", {}),
    ],
)
def test_thresholds_of_single_columns_are_pairs_between_commas(
    text: str,
    thresholds: dict[str, tuple[float, float]],
    monkeypatch: pytest.MonkeyPatch,
    toml: Callable[[str], Path],
) -> None:
    assert load({"psi_thresholds_by_feature": text}).psi_thresholds_by_feature == thresholds
    assert load(config=toml(f'psi_thresholds_by_feature = "{text}"')).psi_thresholds_by_feature == thresholds
    monkeypatch.setenv("DRIFTGAUGE_PSI_THRESHOLDS_BY_FEATURE", text)
    assert load().psi_thresholds_by_feature == thresholds


def test_thresholds_of_single_columns_may_be_a_table_of_the_file(toml: Callable[[str], Path]) -> None:
    path = toml('[psi_thresholds_by_feature]\n"mean area" = [0.3, 0.5]\nflag = [1, 2]\n')
    assert load(config=path).psi_thresholds_by_feature == {"mean area": (0.3, 0.5), "flag": (1.0, 2.0)}
    with pytest.raises(SettingsError, match=r"^psi_thresholds_by_feature: .*flag: 2:1 must be above 0, the second not"):
        load(config=toml("[psi_thresholds_by_feature]\nflag = [2, 1]\n"))


def test_thresholds_of_single_columns_that_are_none_say_what_to_write() -> None:
    with pytest.raises(
        SettingsError, match=r"^psi_thresholds_by_feature: .*write COLUMN=WARNING:CRITICAL, e\.g\. temp="
    ):
        load({"psi_thresholds_by_feature": "temp=0.3"})


def test_a_time_window_that_is_none_says_what_to_write() -> None:
    with pytest.raises(SettingsError, match=r"^time_windows: '1w' is not a time: write .* such as 2m, 1h or 7d$"):
        load({"time_windows": "1h,1w"})
    with pytest.raises(SettingsError, match=r"^time_windows: 32d is not between 10s and 31d$"):
        load({"time_windows": "1h,32d"})


# ---------------------------------------------------------------- what is refused


def test_the_critical_increase_of_a_release_is_not_below_the_warning() -> None:
    with pytest.raises(SettingsError, match=r"release_threshold_critical_ratio must not be below"):
        load({"release_threshold_critical_ratio": "0.4"})


def test_the_critical_rise_of_latency_is_not_below_the_warning() -> None:
    with pytest.raises(SettingsError, match=r"latency_rise_threshold_critical_ratio must not be below"):
        load({"latency_rise_threshold_warning_ratio": 2})


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_is_refused_by_name_wherever_it_comes_from(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch, toml: Callable[[str], Path]
) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}\b.*: "):
        load({name: text})
    with pytest.raises(SettingsError, match=rf"^{name}\b.*: "):
        load(config=toml(f'{name} = "{text}"'))
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(SettingsError, match=rf"^{name}\b.*: "):
        load()


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_is_told_of_in_our_own_words(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: text})
    assert not re.search(r"[Ii]nput|valid|should|Tuple|Field|errors\.pydantic", str(caught.value))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("port", "http", "port: 'http' cannot be used: give a whole number, at least 0 and at most 65,535"),
        ("log_level", "loud", "log_level: 'loud' cannot be used: give debug, info, warning or error"),
        ("monitoring_enabled", "perhaps", "monitoring_enabled: 'perhaps' cannot be used: give true or false"),
        ("windows", "10;20", "windows: '10;20' cannot be used: give whole numbers, separated by commas"),
        ("windows", 3, "windows: 3 cannot be used: give whole numbers, separated by commas"),
        ("max_age_seconds", "nan", "max_age_seconds: 'nan' cannot be used: give a number, above 0"),
        ("metrics_top_features", "all", "metrics_top_features: 'all' cannot be used: give a whole number, at least 0"),
        (
            "metrics_windows",
            "5m",
            "metrics_windows: there is no window '5m': give main, all, 1000, 10000, 2m, 1h, 24h",
        ),
        ("bundle", 3, "bundle: 3 cannot be used: give a path"),
        ("host", 3, "host: 3 cannot be used: give text that is not empty"),
        ("host", "", "host: '' cannot be used: give text that is not empty"),  # it would be every address
    ],
)
def test_a_wrong_value_is_told_of_with_what_is_allowed(name: str, value: object, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    assert str(caught.value) == sentence


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"port": "9" * 5_000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("name", "text"), [("log_level", "INFO"), ("log_format", "Console"), ("clock", "EVENT")])
def test_words_are_read_in_either_case(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch, toml: Callable[[str], Path]
) -> None:
    assert getattr(load({name: text}), name) == text.lower()
    assert getattr(load(config=toml(f'{name} = "{text}"')), name) == text.lower()
    monkeypatch.setenv(variable(name), text)
    assert getattr(load(), name) == text.lower()


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"^port: .*; clock: "):
        load({"port": -1, "clock": "wall"})


def test_hashed_features_need_a_key() -> None:
    with pytest.raises(SettingsError, match="prediction_log_hash needs prediction_log_hash_key"):
        load({"prediction_log_hash": "age"})


def test_a_feature_is_dropped_or_hashed_but_not_both() -> None:
    with pytest.raises(SettingsError, match="both name age: leave one out"):
        load(
            {
                "prediction_log_hash": "age,name",
                "prediction_log_drop": "age",
                "prediction_log_hash_key": "a long and secret text",
            }
        )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"prediction_log": False}, "reference=rolling needs the prediction log: set prediction_log=true"),
        ({"prediction_log_drop": "age"}, "leave out prediction_log_drop"),
        (
            {"prediction_log_hash": "age", "prediction_log_hash_key": "a long and secret text"},
            "leave out prediction_log_hash",
        ),
    ],
)
def test_a_rolling_reference_needs_all_features_in_the_log(other: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load({"reference": "rolling", **other})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({}, "preset=two-minutes needs the share of outliers: set outliers=true"),
        ({"outliers": True, "time_windows": "1h"}, "preset=two-minutes needs the window 2m: add it to time_windows"),
        ({"outliers": True, "monitoring_enabled": False}, "leave out monitoring_enabled=false"),
    ],
)
def test_the_rule_on_two_minutes_says_what_it_needs(other: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load({"preset": "two-minutes", **other})


def test_critical_below_warning_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^psi_threshold_critical must not be below psi_threshold_warning$"):
        load({"psi_threshold_warning": 0.3})
    same = load({"psi_threshold_warning": 0.2})
    assert same.psi_threshold_warning == same.psi_threshold_critical


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("missing_threshold_critical", "missing_threshold_warning"),
        ("unseen_threshold_critical", "unseen_threshold_warning"),
        ("latency_threshold_critical_seconds", "latency_threshold_warning_seconds"),
    ],
)
def test_other_critical_limits_are_not_below_their_warnings(low: str, high: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{low} must not be below {high}$"):
        load({low: 0.1, high: 0.2})


def test_an_evaluation_is_not_stale_before_the_next_is_due() -> None:
    with pytest.raises(SettingsError, match=r"^evaluation_stale_seconds must be longer than"):
        load({"evaluation_interval_seconds": 120.0})


def test_several_workers_cannot_replay_rows_in_their_order() -> None:
    assert load({"workers": 2}).clock == "arrival"
    assert load({"workers": 1, "clock": "event"}).workers == 1
    message = "workers must be 1 with clock=event, because a replay keeps the order of its rows"
    with pytest.raises(SettingsError, match=f"^{message}$"):
        load({"workers": 2, "clock": "event"})


@pytest.mark.parametrize(
    ("bundle", "state_dir", "folder"),
    [
        ("models/churn", None, Path.cwd() / "models/churn.state"),
        ("models/churn/", None, Path.cwd() / "models/churn.state"),
        ("churn.v2", None, Path.cwd() / "churn.v2.state"),
        (".", None, Path.cwd().with_name(f"{Path.cwd().name}.state")),
        ("/models/churn", None, Path("/models/churn.state")),
        ("/models/churn", "state", Path("state")),
        ("/models/churn", "/var/lib/driftgauge", Path("/var/lib/driftgauge")),
        ("/models/churn", "memory", None),
        ("/models/churn", "/memory", Path("/memory")),
        (None, None, None),
        (None, "state", Path("state")),
        (None, "memory", None),
    ],
)
def test_state_is_kept_beside_the_bundle_unless_it_is_told_where(
    bundle: str | None, state_dir: str | None, folder: Path | None
) -> None:
    assert Path("memory") == IN_MEMORY
    assert load({"bundle": bundle, "state_dir": state_dir}).state_folder == folder


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("DRIFTGAUGE_PROT", r"did you mean DRIFTGAUGE_PORT\?"),
        ("DRIFTGAUGE_PSI_TRESHOLD_WARNING", r"did you mean DRIFTGAUGE_PSI_THRESHOLD_WARNING\?"),
        ("DRIFTGAUGE_CONFG", r"did you mean DRIFTGAUGE_CONFIG\?"),
        ("DRIFTGAUGE_port", r"did you mean DRIFTGAUGE_PORT\?"),
        ("driftgauge_port", r"did you mean DRIFTGAUGE_PORT\?"),
        ("DRIFTGAUGE_", r"docs/settings\.md lists all of them"),
    ],
)
def test_an_unknown_variable_is_refused_by_name_with_the_one_that_may_be_meant(
    name: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "9000")
    with pytest.raises(SettingsError, match=rf"^unknown in the environment: {name}; {advice}$"):
        load()


LINKS = {
    "DRIFTGAUGE_SERVICE_HOST": "10.0.0.7",
    "DRIFTGAUGE_SERVICE_PORT": "8000",
    "DRIFTGAUGE_SERVICE_PORT_HTTP": "8000",
    "DRIFTGAUGE_PORT": "tcp://10.0.0.7:8000",
    "DRIFTGAUGE_PORT_8000_TCP": "tcp://10.0.0.7:8000",
    "DRIFTGAUGE_PORT_8000_TCP_PROTO": "tcp",
    "DRIFTGAUGE_PORT_8000_TCP_PORT": "8000",
    "DRIFTGAUGE_PORT_8000_TCP_ADDR": "10.0.0.7",
    # and for one named driftgauge-canary
    "DRIFTGAUGE_CANARY_SERVICE_HOST": "10.0.0.8",
    "DRIFTGAUGE_CANARY_PORT": "udp://10.0.0.8:53",
    "DRIFTGAUGE_CANARY_PORT_53_UDP_ADDR": "10.0.0.8",
}


def test_what_kubernetes_sets_for_a_service_of_that_name_is_ignored(
    monkeypatch: pytest.MonkeyPatch, toml: Callable[[str], Path]
) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    assert load() == Settings()
    assert load().port == 8000
    assert load(config=toml("port = 81")).port == 81
    assert load({"port": 82}, toml("port = 81")).port == 82
    assert ignored_variables() == sorted(LINKS)


@pytest.mark.parametrize("name", ["DRIFTGAUGE_PORTS", "DRIFTGAUGE_SERVICE", "DRIFTGAUGE_PORT_TCP", "DRIFTGAUGE_HOSTS"])
def test_what_only_looks_like_a_link_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "10.0.0.7")
    with pytest.raises(SettingsError, match=rf"^unknown in the environment: {name}; "):
        load()


def test_a_port_that_is_no_address_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTGAUGE_PORT", "http")
    with pytest.raises(SettingsError, match=r"^port \(DRIFTGAUGE_PORT\): 'http' cannot be used: give a whole number"):
        load()


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("MY_DRIFTGAUGE_PORT", "9000")
    assert load().port == 8000


@pytest.mark.parametrize("text", ["prot = 9000", "[prot]\nport = 9000", "prot.port = 9000"])
def test_an_unknown_key_of_the_file_is_refused_by_name(text: str, toml: Callable[[str], Path]) -> None:
    with pytest.raises(SettingsError, match=r"^unknown setting prot; did you mean port\?$"):
        load(config=toml(text))


def test_an_unknown_flag_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"^unknown setting prot; did you mean port\?$"):
        load({"prot": 9000})


@pytest.mark.parametrize(
    "content", [b"port 9000", b"port = 1\nport = 2", b'host = "\xff"', b"port = " + b"[" * 100_000]
)
def test_a_file_that_is_not_toml_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"the settings file .*broken\.toml is not TOML: "):
        load(config=path)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the settings file .*absent\.toml: No such file"):
        load(config=tmp_path / "absent.toml")
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path))
    with pytest.raises(SettingsError, match=r"cannot read the settings file .*: Is a directory"):
        load()


@pytest.mark.parametrize(
    ("text", "exposed"),
    [("main", set()), ("", set()), ("all", None), ("1h,all", None), ("main,1000", {"1000"}), ("24h,2m", {"2m", "24h"})],
)
def test_the_windows_whose_metrics_are_exposed(text: str, exposed: set[str] | None) -> None:
    assert load({"metrics_windows": text}).exposed_windows == exposed
