"""Write the pages of docs/ that list what the code declares; `--check` only says whether they are current."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from assertions_table import assertions_page
from driftgauge.metrics.catalogue import catalogue
from driftgauge.settings.actions import KINDS, ActionTable
from driftgauge.settings.features import FeatureSettings
from driftgauge.settings.notify import RECEIVERS, NotifyTable
from driftgauge.settings.options import GROUPS, variable
from driftgauge.settings.outcomes import OutcomeSettings
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from python_page import python_page

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py; change the code it reads, then run `make docs`. -->"


def metrics_page() -> str:
    """Return the table of all metrics."""
    rows = [f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in catalogue()]
    return _page(
        "Metrics",
        "`GET /metrics` serves these as Prometheus text or OpenMetrics, depending on the `Accept` header, and "
        "prometheus-client's `python_info`. Any worker answers for all workers: counters are sums. Only `process_*` "
        "belongs to one worker, its `slot`; `retired` holds the CPU time of removed slots, and rises at once when one "
        "is removed: leave it out of rates. Counters and histograms "
        "start at zero for every combination of labels, except that `http_requests_total` and "
        "`http_request_duration_seconds` list a route that does not predict from its first request. A gauge without a "
        "value is absent, for example a mean of categories, or a statistic with too few rows. `window` is the "
        "size of a sliding window in rows (`1000`) or the length of a time window (`1h`). By default only the main "
        "window, the largest sliding window, is listed; `metrics_windows` adds others. Two settings reduce the number "
        "of series further. `metrics_bin_rows=false` leaves out `model_feature_bin_rows_total` and "
        "`model_feature_reference_ratio`, which the recording rules need for the PSI across replicas. "
        "`metrics_top_features=50` lists every gauge with a `feature_name` for the predictions and the 50 features "
        "with the most drift only; the two metrics of bins still list every column. With monitoring disabled, counters "
        "and histograms, `process_*`, `model_info`, `model_state_persistent` and the latency threshold remain. "
        "[Scaling](scaling.md) has the number of series.",
        ["metric", "type", "labels", "description"],
        rows,
    )


def settings_page() -> str:
    """Return the tables of all settings, one for each group."""
    intro = (
        "Set an option in the environment, or by its name in a TOML file (`--config FILE`, or `DRIFTGAUGE_CONFIG`). "
        "The most common ones are also options of `driftgauge serve`. The command line wins, then the environment, "
        "then the file. All are checked at start: an unknown name or a wrong value stops the server with a message."
    )
    groups = [
        text
        for title, group in GROUPS.items()
        for text in ("", f"## {title}", "", *_table(SETTINGS_HEAD, _rows(group)))
    ]
    return "\n".join(
        ["# Settings", NOTE, "", intro, *groups, *_columns(), *_outcomes(), *_actions(), *_receivers(), ""]
    )


def _columns() -> list[str]:
    """Return the section on the tables of single columns."""
    example = (
        '[features."mean area"]',
        "thresholds = {psi = [0.3, 0.5]}",
        "tolerance = 0.05",
        "",
        '[features."order id"]',
        "monitor = false",
    )
    text = (
        "The file can have a table for each column, `prediction` and `prediction_class` included. Write the "
        "name in quotes; it may hold any character. An unknown key or column stops the start."
    )
    state = (
        "With another `monitor` or `tolerance`, evidence and time windows begin again from the rows of the largest "
        "sliding window, as with another `false_alarm_rows` ([state](state.md))."
    )
    return ["", "## Columns", "", text, "", "```toml", *example, "```", "", *_keys(FeatureSettings), "", state]


def _outcomes() -> list[str]:
    """Return the section on the tables of business outcomes."""
    example = (
        "[outcomes.click]",
        'kind = "event"',
        "absent = 0",
        "below = [0.02, 0.01]",
        "",
        "[outcomes.revenue]",
        'kind = "number"',
        'window = "30d"',
    )
    text = (
        "The file can have a table for each business outcome that is sent to `POST /labels` "
        "([ground truth](ground-truth.md#business-outcomes))."
    )
    return ["", "## Outcomes", "", text, "", "```toml", *example, "```", "", *_keys(OutcomeSettings)]


def _actions() -> list[str]:
    """Return the section on the tables of actions."""
    example = (
        "[[actions]]",
        'name = "retrain"',
        'kind = "url"',
        'alerts = ["ModelPerformanceDegraded"]',
        'url = "https://jobs.example.com/run"',
    )
    text = "The file can have a table for each action on alerts. Every action has these keys ([actions](actions.md))."
    parts = ["", "## Tables of actions", "", text, "", "```toml", *example, "```", "", *_keys(ActionTable, ("kind",))]
    for kind, model in KINDS.items():
        own = _keys(model, ActionTable.model_fields)
        parts += ["", f"Actions of the kind `{kind}` also have:", "", *own] if len(own) > 2 else []
    return parts


def _receivers() -> list[str]:
    """Return the section on the tables of receivers."""
    example = ("[[notify]]", 'name = "team"', 'kind = "slack"', 'url_file = "/run/secrets/slack"')
    text = "The file can have a table for each receiver. Every one has these keys ([notifications](notifications.md))."
    parts = ["", "## Tables of receivers", "", text, "", "```toml", *example, "```", ""]
    parts += _keys(NotifyTable, ("kind",))
    for kind, model in RECEIVERS.items():
        own = _keys(model, NotifyTable.model_fields)
        parts += ["", f"Receivers of the kind `{kind}` also have:", "", *own]
    return parts


def _keys(model: type[BaseModel], without: Collection[str] = ()) -> list[str]:
    """Return the table of a table's keys."""
    rows = [
        f"| `{name}` | {'' if field.is_required() else _shown(field.default)} | {field.description} |"
        for name, field in model.model_fields.items()
        if name not in without
    ]
    return _table(KEYS_HEAD, rows)


KEYS_HEAD = ["key", "default", "what it does"]
SETTINGS_HEAD = ["setting", "in the environment", "default", "what it does"]


def _rows(group: type[BaseModel]) -> list[str]:
    return [
        f"| `{name}` | `{variable(name)}` | {_shown(field.default)} | {field.description} |"
        for name, field in group.model_fields.items()
    ]


def _shown(default: object) -> str:
    """Return a default as the tables show it."""
    if default in (None, "", PydanticUndefined, ()) or isinstance(default, BaseModel):
        return ""
    return f"`{_plain(default)}`"


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _page(title: str, text: str, head: list[str], rows: list[str]) -> str:
    return "\n".join([f"# {title}", NOTE, "", text, "", *_table(head, rows), ""])


def _table(head: list[str], rows: list[str]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows]


def main(check: bool) -> int:
    """Write the pages, or compare them; returns the exit code."""
    pages = {"metrics.md": metrics_page(), "settings.md": settings_page(), "python.md": python_page(NOTE)}
    pages["assertions.md"] = assertions_page((HERE / "assertions.md").read_text(encoding="utf-8"))
    if not check:
        for name, text in pages.items():
            (HERE / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if (HERE / name).read_text(encoding="utf-8") != text]
    if stale:
        sys.stderr.write(f"docs/{', docs/'.join(stale)} are not what the code declares: run `make docs`\n")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
