"""The overview of all servers as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from driftgauge.replicas.findings import Finding
from driftgauge.replicas.overview import Column, Key, ModelVersion, Overview, Server

State = Literal["wrong", "cannot_tell", "fine"]


def state_of(found: Overview, wrong: Sequence[Finding]) -> State:
    """Return whether something is wrong; with an incomplete answer it may be unknown."""
    if wrong:
        return "wrong"
    return "cannot_tell" if found.warnings else "fine"


def as_json(found: Overview, wrong: Sequence[Finding], prometheus: str) -> dict[str, Any]:
    """Return the whole overview; times are seconds since 1970, unknown values are null."""
    by = found.asked.by
    known: dict[str, Any] = _finite(
        {
            "state": state_of(found, wrong),
            "prometheus": prometheus,
            "at": found.at,
            "since": found.asked.since,
            "findings": [_finding(own, by) for own in wrong],
            "models": [_model(own, by) for own in found.models],
            "servers": [_server(own, by) for own in found.servers],
            "warnings": list(found.warnings),
        }
    )
    return known


def _finite(given: Any) -> Any:
    """Return content with null for infinite numbers, which JSON cannot hold."""
    if isinstance(given, dict):
        return {name: _finite(own) for name, own in given.items()}
    if isinstance(given, list):
        return [_finite(own) for own in given]
    return None if isinstance(given, float) and not math.isfinite(given) else given


def _finding(own: Finding, by: Key) -> dict[str, Any]:
    return {
        "group": own.group,
        "kind": own.kind,
        **_labels(own.deployment, by),
        "model_name": own.model_name,
        "model_version": own.model_version,
        "servers": list(own.servers),
        "sentence": own.sentence,
    }


def _model(own: ModelVersion, by: Key) -> dict[str, Any]:
    return {
        **_labels(own.deployment, by),
        "model_name": own.name,
        "model_version": own.version,
        "is_live": own.is_live,
        "servers_up": len(own.replicas),
        "servers": list(own.servers),
        "workers": own.workers,
        "rows": own.rows,
        "rows_per_second": own.rows_per_second,
        "last_row": own.last_row,
        "last_evaluation": own.last_evaluation,
        "live_since": own.live_since,
        "drift": own.drift,
        "drifted_columns": own.drifted,
        "worst_column": _column(own.worst, "times_limit"),
        "worst_across_replicas": _column(own.across, "psi"),
        "performance": own.performance,
        "baseline_hashes": list(own.baseline_hashes),
        "is_state_persistent": _all(own, "model_state_persistent"),
    }


def _server(own: Server, by: Key) -> dict[str, Any]:
    return {
        **_labels(own.deployment, by),
        "instance": own.instance,
        "is_up": own.is_up,
        "last_sample": own.last_sample,
        "workers": own.workers,
    }


def _labels(deployment: Key, by: Key) -> dict[str, str]:
    return dict(zip(by, deployment, strict=True))


def _column(own: Column | None, what: str) -> dict[str, Any] | None:
    return None if own is None else {"feature_name": own.name, what: own.value}


def _all(own: ModelVersion, gauge: str) -> bool | None:
    values = [value for each in own.replicas if (value := each.gauge(gauge)) is not None]
    return all(values) if values else None
