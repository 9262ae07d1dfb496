"""The values that runbooks state: addresses, names, and the numbers of rules and settings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from driftgauge.alerting.alerts.actions import RANGE as ACTIONS_RANGE
from driftgauge.alerting.alerts.efficiency import HOLDS, LEAST_SECONDS, MEAN_RISE
from driftgauge.alerting.alerts.quality import RANGE
from driftgauge.alerting.alerts.server import BURN_RATES, down_hold
from driftgauge.alerting.alerts.watcher import insufficient_hold
from driftgauge.alerting.efficiency import LATENCY_REQUESTS, PAST_MINUTES, USUAL_HIGH
from driftgauge.alerting.options import MonitoringOptions, duration, milliseconds
from driftgauge.drift.reference.dependence import HIGH_TAU
from driftgauge.drift.verdict.rule import JUDGED_ROWS, REPORTED_ROWS
from driftgauge.drift.verdict.wording import ago_in_words
from driftgauge.settings.options import Settings

BUDGET_DAYS: Final = 30
"""Days of an error budget, for which the burn rates are chosen."""
ANY: Final = "NAME"
"""What a command names where the feature is not known."""
PORTS: Final = {"http": 80, "https": 443}


def default_settings() -> dict[str, Any]:
    """Return the default of every setting."""
    return {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}


def runbook_values(options: MonitoringOptions, settings: Mapping[str, Any], feature: str | None) -> dict[str, str]:
    """Return the text of each placeholder of the runbooks.

    `settings` are a server's own or the defaults, by name. `feature` is the column that the commands ask about.
    """
    return {
        **{name: _text(value) for name, value in settings.items()},
        **_addresses(options),
        **_names(options, feature),
        **_rules(options),
        **_budget(settings["error_budget_ratio"]),
        "max_age": ago_in_words(settings["max_age_seconds"]),
        "request_range": f"{RANGE.removesuffix('m')} minutes",
        "actions_range": f"{ACTIONS_RANGE.removesuffix('m')} minutes",
        "judged_rows": _text(JUDGED_ROWS),
        "reported_rows": _text(REPORTED_ROWS),
        "high_tau": _text(HIGH_TAU),
    }


def _text(value: object) -> str:
    """Return a setting's value as a sentence has it: `1,000 and 10,000`, `0.1`."""
    if isinstance(value, tuple):
        return " and ".join(map(_text, value))
    if isinstance(value, int | float) and math.isfinite(value) and value == int(value):
        return f"{int(value):,}"
    return str(value)


def _addresses(options: MonitoringOptions) -> dict[str, str]:
    server = urlsplit(options.base_url)
    return {
        "base_url": options.base_url.rstrip("/"),
        "port": str(server.port or PORTS[server.scheme]),
        "job": options.job,
        "prometheus": options.prometheus,
        "alertmanager": options.alertmanager,
    }


def _names(options: MonitoringOptions, feature: str | None) -> dict[str, str]:
    """Return the model and the feature as URLs, PromQL and jq write them."""
    in_url = f"model={quote(options.model, safe='')}" if options.model else ""
    in_promql = json.dumps(feature or ANY, ensure_ascii=False)[1:-1]
    return {
        "of_model": f"?{in_url}" if in_url else "",
        "model_and": f"{in_url}&" if in_url else "",
        "and_model": f", model_name={json.dumps(options.model, ensure_ascii=False)}" if options.model else "",
        "feature": in_promql,
        "feature_in_jq": in_promql.replace("'", r"'\''"),
        "feature_in_url": quote(feature or ANY, safe=""),
        "replace_name": "" if feature else f" (Replace {ANY} with the feature's name.)",
    }


def _rules(options: MonitoringOptions) -> dict[str, str]:
    return {
        "hold": options.hold,
        "down_hold": down_hold(options),
        "insufficient_hold": insufficient_hold(options),
        "latency_requests": _text(LATENCY_REQUESTS),
        "latency_rise_hold": duration(HOLDS * milliseconds(options.hold)),
        "latency_least_ms": _text(round(1_000 * LEAST_SECONDS)),
        "latency_past_hours": _text(PAST_MINUTES / 60),
        "latency_usual_percent": _text(round(100 * USUAL_HIGH)),
        "latency_mean_percent": _text(round(100 * (MEAN_RISE - 1))),
    }


def _budget(ratio: float) -> dict[str, str]:
    """Return what the burn rates mean for an error budget."""
    rows = (
        f"| {rate} | {100 * float(rate) * ratio:.3g} % | {long} and {short} | {severity} |"
        for rate, long, short, _, severity in BURN_RATES
    )
    fastest = BURN_RATES[0][0]
    return {
        "success_percent": f"{100 * (1 - ratio):.6g} %",
        "burn_rates": "\n".join(rows),
        "fastest_burn": fastest,
        "budget_days": str(BUDGET_DAYS),
        "budget_lasts": f"{BUDGET_DAYS / float(fastest):.0f} days",
    }
