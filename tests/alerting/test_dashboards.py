from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import render
from driftgauge.metrics.catalogue import catalogue

from tests.alerting.promtool import assert_answers
from tests.alerting.queries import VALUES, Question, dashboard_queries, filled, load, panels
from tests.e2e.programs import needs_servers

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "monitoring" / "grafana" / "dashboards.py"
BOARDS = load()
PANELS = [(uid, panel) for uid, board in BOARDS.items() for panel in panels(board)]
SHOWN = [pytest.param(panel, id=f"{uid}: {panel['title']}") for uid, panel in PANELS if panel["type"] != "row"]
QUERIES = dashboard_queries()


def test_they_are_what_their_source_makes() -> None:
    done = subprocess.run([sys.executable, SOURCE, "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_their_links_lead_to_the_rendered_addresses() -> None:
    shipped = {path: text for path, text in render(MonitoringOptions()).items() if path.startswith("grafana/")}
    assert shipped == {f"grafana/dashboards/{uid}.json": _shipped(uid) for uid in BOARDS}
    base, wiki = "https://model.example.org/a", 'https://wiki.example.org/"runbooks"'
    for options, runbooks in (
        (MonitoringOptions(base_url=f"{base}/"), f"{base}/runbooks"),
        (MonitoringOptions(base_url=base, runbook_url=wiki), wiki),
    ):
        files = render(options)
        for uid in BOARDS:
            board = json.loads(files[f"grafana/dashboards/{uid}.json"])
            variables = {own["name"]: own["query"] for own in board["templating"]["list"]}
            assert (variables["server"], variables["runbooks"]) == (base, runbooks)


def _shipped(uid: str) -> str:
    return (ROOT / "monitoring" / "grafana" / "dashboards" / f"{uid}.json").read_text(encoding="utf-8")


def test_their_uids_never_change() -> None:
    uids = ["driftgauge-feature-drift", "driftgauge-ground-truth", "driftgauge-overview", "driftgauge-replicas"]
    assert sorted(BOARDS) == uids
    for uid, board in BOARDS.items():
        assert board["id"] is None
        assert board["tags"] == ["driftgauge"]
        assert "__inputs" not in board
        assert (ROOT / "monitoring" / "grafana" / "dashboards" / f"{uid}.json").is_file()


@pytest.mark.parametrize("panel", SHOWN)
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 40
    assert re.search(r"\b[Bb]ad\b", panel["description"]), "what is bad?"
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_do_not_overlap(uid: str) -> None:
    every = list(panels(BOARDS[uid]))
    ids = [panel["id"] for panel in every]
    assert len(set(ids)) == len(ids)
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(every, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart, (one["title"], other["title"])


@pytest.mark.parametrize("uid", BOARDS)
def test_the_variables_that_queries_use_exist(uid: str) -> None:
    variables = {variable["name"]: variable for variable in BOARDS[uid]["templating"]["list"]}
    assert {"datasource", "job", "model_name", "model_version", "instance"} <= set(variables)
    assert variables["datasource"]["type"] == "datasource"
    assert variables["instance"]["multi"]
    assert variables["instance"]["includeAll"]
    for panel in panels(BOARDS[uid]):
        for target in panel.get("targets", []):
            used = set(re.findall(r"\$([A-Za-z]\w*)", target["expr"]))
            assert used <= set(variables), panel["title"]
    for variable in variables.values():
        if variable["type"] == "query":
            selector = filled(variable["query"]["query"], VALUES).removeprefix("label_values(").rpartition(",")[0]
            _names(selector)


@pytest.mark.parametrize(
    "question", [pytest.param(q, id=f"{q.dashboard}: {q.panel} {i}") for i, q in enumerate(QUERIES)]
)
def test_a_query_asks_for_metrics_that_exist(question: Question) -> None:
    unknown = _names(question.expr) - _known()
    assert not unknown


ONE_OF_EACH_KIND: dict[str, list[tuple[dict[str, str], float]]] = {
    "model_window_rows": [({"window": "1000"}, 800), ({"window": "2m"}, 3), ({"window": "24h"}, 90_000)],
    "model_window_required_rows": [({"window": "1000"}, 500)],
    "model_window_span_seconds": [({"window": "2m"}, 120), ({"window": "24h"}, 86_400)],
    "model_feature_missing_ratio": [({"window": "1000"}, 0.03), ({"window": "2m"}, 1), ({"window": "24h"}, 0.9)],
    "model_feature_unseen_ratio": [({"window": "1000"}, 0.03), ({"window": "2m"}, 1), ({"window": "24h"}, 0.9)],
    "model_feature_out_of_range_ratio": [({"window": "1000"}, 0.02), ({"window": "2m"}, 1), ({"window": "24h"}, 0.9)],
    "model_feature_missing_ratio_threshold": [({"severity": "warning"}, 0.06)],
    "model_feature_unseen_ratio_threshold": [({"severity": "warning"}, 0.06)],
    "model_feature_psi": [({"window": "24h"}, 7)],
    "model_feature_psi_debiased": [({"window": "1000"}, 0.05), ({"window": "24h"}, 7)],
    "model_feature_psi_threshold": [({"window": "1000", "severity": "warning"}, 0.1)],
    "model_feature_drift_severity": [({}, 0)],
    "model_feature_evidence_log10": [({}, 2.5)],
    "model_feature_evidence_threshold_log10": [({}, 7.5)],
}
"""What a server says of a column whose time windows are far above limits that do not apply to them."""
SHOWN_OF_IT = {
    ("driftgauge-overview", "Rows in sliding windows"): ('{window="1000"}', 800),
    ("driftgauge-overview", "Missing values relative to their limit"): ('{feature_name="prediction"}', 0.5),
    ("driftgauge-overview", "Unseen values relative to their limit"): ('{feature_name="prediction"}', 0.5),
    ("driftgauge-overview", "Out of range"): ('{feature_name="prediction"}', 0.02),
    ("driftgauge-overview", "Largest PSI relative to its limit"): ('{feature_name="prediction"}', 0.5),
    ("driftgauge-overview", "Evidence (log10)"): ('{feature_name="prediction"}', 2.5),
    ("driftgauge-feature-drift", "Autocorrelation time (tau)"): ("{}", 1),  # its reference has no times
    ("driftgauge-feature-drift", "PSI relative to its limit"): ("{}", 0.5),
    # No verdict rests on the PSI of a day.
    ("driftgauge-feature-drift", "Drift severity"): ("{}", -1),
}


@needs_servers
def test_what_is_compared_with_a_limit_is_of_sliding_windows(tmp_path: Path) -> None:
    asked = {(question.dashboard, question.panel): question.expr for question in reversed(QUERIES)}  # each one's first
    assert_answers(ONE_OF_EACH_KIND, [(asked[panel], *shown) for panel, shown in SHOWN_OF_IT.items()], tmp_path)


@needs_servers
def test_rows_in_time_windows_are_shown_where_servers_expose_them(tmp_path: Path) -> None:
    expr = next(question.expr for question in QUERIES if question.panel == "Rows in time windows")
    exposed = {
        "model_window_rows": [({"window": "1000"}, 800.0), ({"window": "1h"}, 3_000.0)],
        "model_window_span_seconds": [({"window": "1h"}, 3_600.0)],
    }
    assert_answers(exposed, [(expr, '{window="1h"}', 3_000)], tmp_path)


REAL_OF_FEW_ROWS: dict[str, list[tuple[dict[str, str], float]]] = ONE_OF_EACH_KIND | {
    "model_window_rows": [({"window": "1000"}, 300)],
    "model_feature_psi_debiased": [({"window": "1000"}, 7)],
    "model_feature_drift_severity": [({}, 1)],
    "model_feature_drift_since_timestamp_seconds": [({}, 60)],
    "model_feature_evidence_log10": [({}, 9.5)],
    "model_feature_autocorrelation_rows": [({"origin": "reference"}, 2), ({"origin": "live"}, 3)],
}
"""What a server says of a column that drifts while its windows have too few rows for a PSI."""


@needs_servers
def test_drift_of_too_few_rows_for_a_psi_is_shown(tmp_path: Path) -> None:
    verdict, size = (
        next(q.expr for q in QUERIES if (q.dashboard, q.panel) == ("driftgauge-feature-drift", panel))
        for panel in ("Drift severity", "PSI relative to its limit")
    )
    told = [q.expr for q in QUERIES if q.panel == "Columns with a significant change"]
    row = '{feature_name="prediction", window="too few rows"}'
    numbers = (
        1,
        None,
        None,
        None,
        60_000,
        9.5,
        7.5,
        3,
    )  # severity, PSI / limit, PSI, threshold, since, evidence, limit, tau
    expected: list[tuple[str, str, float | None]] = [(verdict, "{}", 1), (size, "{}", None)]
    expected += [(expr, row, value) for expr, value in zip(told, numbers, strict=True)]
    assert_answers(REAL_OF_FEW_ROWS, expected, tmp_path)


def test_annotations_ask_for_metrics_that_exist() -> None:
    for board in BOARDS.values():
        for annotation in board["annotations"]["list"]:
            assert _names(filled(annotation["expr"], VALUES)) <= _known()


def test_rates_follow_the_interval_or_the_range_of_the_screen() -> None:
    for _, panel in PANELS:
        for target in panel.get("targets", []):
            for span in re.findall(r"(?:rate|increase)\([^()]*\[([^]]+)\]", target["expr"]):
                assert span in {"$__rate_interval", "$__range"}, panel["title"]


def test_links_lead_to_dashboards_that_exist() -> None:
    for uid, board in BOARDS.items():
        linked = set(re.findall(r"/d/([\w-]+)", SOURCE_TEXT[uid]))
        assert linked
        assert linked <= set(BOARDS)
        to = [link["url"].removeprefix("/d/") for link in board["links"] if link["url"].startswith("/d/")]
        assert sorted(to) == [other for other in BOARDS if other != uid]
        assert any("runbooks" in link["url"] for link in board["links"])


SOURCE_TEXT = {uid: (SOURCE.parent / "dashboards" / f"{uid}.json").read_text(encoding="utf-8") for uid in BOARDS}


def _names(expr: str) -> set[str]:
    """Return the metrics that an expression asks for; what does not parse fails."""
    promql_parser.parse(expr)
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"(?<![\w:.])[A-Za-z_:][\w:]*(?!\s*[\w:(])", bare)
    return set(words) - {
        "and",
        "or",
        "unless",
        "on",
        "by",
        "bool",
        "offset",
        "sum",
        "max",
        "min",
        "group",
        "count",
        "avg",
    }


@cache
def _known() -> set[str]:
    """Return every name that a server exposes or that a rule records."""
    known = {"up", "ALERTS"}
    for name, kind, _, _ in catalogue():
        known |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return known | _recorded()


def _recorded() -> set[str]:
    if find_spec("driftgauge.alerting.render") is None:
        return {name for question in QUERIES for name in _names(question.expr) if ":" in name}
    from driftgauge.alerting.options import MonitoringOptions
    from driftgauge.alerting.render import render

    return set(re.findall(r"record: (\S+)", "\n".join(render(MonitoringOptions()).values())))
