"""Queries about the models of all servers, in PromQL that Prometheus, Mimir and VictoriaMetrics share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from driftgauge.errors import PrometheusError

MODEL: Final = ("model_name", "model_version")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
DURATION: Final = re.compile(r"[1-9][0-9]*[smhd]")
MATCHER: Final = r'\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\]|\\.)*"\s*'
MATCHERS: Final = re.compile(f"{MATCHER}(,{MATCHER})*")
GAUGES: Final = (
    "model_available",
    "model_drift_severity",
    "model_drifted_features",
    "model_evaluated_features",
    "model_evaluation_age_threshold_seconds",
    "model_evaluation_timestamp_seconds",
    "model_labelled_rows",
    "model_labelled_rows_required",
    "model_live",
    "model_live_since_timestamp_seconds",
    "model_monitoring_healthy",
    "model_performance_severity",
    "model_state_persistent",
)
"""Gauges of a model that are asked for, one at a time: all of very many models are too much for one answer."""
IN_PARTS: Final = "gauges"
"""Result that several queries find together; their names begin with it and a space."""
ROWS: Final = "model_observations_total"
STEP: Final = "1m"
"""Resolution at which past samples are looked at."""


@dataclass(frozen=True)
class Asked:
    """Which servers are asked about, and how far back."""

    by: tuple[str, ...] = ("job",)
    """Labels that tell deployments apart."""
    match: str = ""
    """Label matchers that choose servers, as they stand between braces; empty for all."""
    since: str = "1h"
    """How far back to look for servers that are missing now."""

    def __post_init__(self) -> None:
        if not self.by or not all(LABEL.fullmatch(name) for name in self.by):
            raise PrometheusError(f"--by {','.join(self.by)}: give names of labels, like job,namespace")
        if {*self.by} & {*MODEL, "instance"}:
            raise PrometheusError(f"--by {','.join(self.by)}: leave out the labels of models, and instance")
        if self.match and not MATCHERS.fullmatch(self.match):
            raise PrometheusError(f"--match {self.match}: give label matchers, like 'job=\"driftgauge\"'")
        if not DURATION.fullmatch(self.since):
            raise PrometheusError(f"--since {self.since}: give a time like 30m, 1h or 1d")

    @property
    def server(self) -> tuple[str, ...]:
        """Labels of a server."""
        return (*self.by, "instance")

    @property
    def replica(self) -> tuple[str, ...]:
        """Labels of a model in a server."""
        return (*self.by, "instance", *MODEL)

    @property
    def model(self) -> tuple[str, ...]:
        """Labels of a version of a model in a deployment."""
        return (*self.by, *MODEL)


def queries(asked: Asked) -> Mapping[str, str]:
    """Return each query by the name of its result.

    Each first takes the maximum of a server's series, so that a server scraped by two Prometheus servers counts once.
    """
    server, replica, model = (", ".join(own) for own in (asked.server, asked.replica, asked.model))
    chosen, since = asked.match, asked.since
    only = f"{{{chosen}}}"
    ours = f" and on ({', '.join(asked.by)}) last_over_time(model_info{only}[{since}])"
    slots = ", ".join(part for part in ('slot!=""', chosen) if part)
    rows = f"sum by ({replica}) (max by ({replica}, source) ({ROWS}{only}))"
    rows_before = f"sum by ({replica}) (max by ({replica}, source) ({ROWS}{only} offset {STEP}))"
    return {
        "up": f"max by ({server}) (up{only}{ours})",
        "last_sample": f"max by ({server}) (timestamp(up{only}){ours})",
        "last_sample_before": f"max by ({server}) (max_over_time(timestamp(up{only})[{since}:{STEP}]){ours})",
        "info": f"max by ({replica}, baseline_hash) (model_info{only})",
        "info_lately": f"max by ({replica}) (last_over_time(model_info{only}[{since}]))",
        "info_before": f"max by ({replica}) (model_info{only} offset {since})",
        **{f"{IN_PARTS} {name}": f"max by ({replica}, __name__) ({name}{only})" for name in GAUGES},
        "workers": f"count by ({server}) (max by ({server}, slot) (process_start_time_seconds{{{slots}}}))",
        "rows": rows,
        "rate": f"sum by ({replica}) (max by ({replica}, source) (rate({ROWS}{only}[5m])))",
        "rows_before": rows_before,
        "last_row_before": f"max_over_time((time() * ({rows} != bool {rows_before}))[{since}:{STEP}]) > 0",
        "drifted": f"count by ({model}) (max by ({model}, feature_name) (model_feature_drift_severity{only}) >= 2)",
        "worst": _worst(asked, only),
        "across": f"topk by ({model}) (1, max by ({model}, feature_name) ({{{_recorded(chosen)}}}))",
    }


def _recorded(chosen: str) -> str:
    """Return the selector of the PSI across replicas; recorded series have only the labels of a deployment."""
    return ", ".join(part for part in ('__name__="feature:model_feature_psi_clip:increase1h"', chosen) if part)


def _worst(asked: Asked, only: str) -> str:
    """Return the query for the column with the largest change, relative to its limit, in windows with enough rows."""
    model = ", ".join(asked.model)
    window = ", ".join((*asked.replica, "window"))
    column = ", ".join((*asked.replica, "feature_name", "window"))
    limit_of = ", ".join(part for part in ('severity="warning"', asked.match) if part)
    return (
        f"topk by ({model}) (1, max by ({model}, feature_name) (("
        f"max by ({column}) (model_feature_psi_debiased{only})"
        f" / max by ({column}) (model_feature_psi_threshold{{{limit_of}}})"
        f" or max by ({column}) (model_feature_drift_score{only}))"
        f" and on ({window}) (max by ({window}) (model_window_rows{only})"
        f" >= max by ({window}) (model_window_required_rows{only}))))"
    )
