"""The two dashboards: variables, annotations, links, and rows of panels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from . import feature, overview
from .panels import FEATURE, OVERVIEW, AnyPanel
from .queries import MODEL_IS, SERVER_IS, SOURCE

NOTE: Final = "Written by monitoring/grafana/dashboards.py from source/; change that, then run it."
ANNOTATIONS: Final = (
    {
        "name": "Alerts",
        "expr": 'ALERTS{alertstate="firing", job=~"$job|", alertname!="Watchdog"}',
        "iconColor": "red",
        "titleFormat": "{{alertname}} ({{severity}})",
        "textFormat": "{{feature_name}} {{instance}}",
        "tagKeys": "alertname,severity",
    },
    {
        "name": "Models",
        "expr": (
            f"group by (model_name, model_version, baseline_hash) (model_info{{{SERVER_IS}}}) "
            f"unless group by (model_name, model_version, baseline_hash) (model_info{{{SERVER_IS}}} offset 5m)"
        ),
        "iconColor": "blue",
        "titleFormat": "{{model_name}} {{model_version}} is served",
        "textFormat": "baseline {{baseline_hash}}",
        "tagKeys": "model_name,model_version",
    },
)
"""Alerts that fire, and models that were not served five minutes before."""


def files() -> dict[str, str]:
    """Return the text of each dashboard by its file's name."""
    made = {board["uid"]: board for board in (_overview(), _feature_drift())}
    return {
        f"{uid}.json": json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for uid, board in made.items()
    }


def _overview() -> dict[str, Any]:
    board = build.Dashboard("Driftgauge: overview").uid(OVERVIEW)
    board.description(f"Is the model served, and do its inputs still look like the reference? {NOTE}")
    board.variables(list(_variables()))
    board.links(list(_links(FEATURE, "Feature drift", "${server:raw}/drift/status")))
    return _assemble(board, overview.PARTS)


def _feature_drift() -> dict[str, Any]:
    board = build.Dashboard("Driftgauge: feature drift").uid(FEATURE)
    board.description(f"How one column differs from the reference, and where its values are now. {NOTE}")
    board.variables([*_variables(), *_feature_variables()])
    verdict = "${server:raw}/drift/status?feature=${feature_name:percentencode}&windows=all"
    board.links(list(_links(OVERVIEW, "Overview", verdict)))
    return _assemble(board, feature.PARTS)


# ---------------------------------------------------------------- variables


def _variables() -> list[build.QueryVariable | build.DatasourceVariable | build.TextBoxVariable]:
    """Return the variables of both dashboards."""
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    model_is = 'model_info{job=~"$job", model_name=~"$model_name"'
    version = _query_variable("model_version", "Version", f"label_values({model_is}}}, model_version)")
    instances = f'label_values({model_is}, model_version=~"$model_version"}}, instance)'
    server = build.TextBoxVariable("server").label("Server").default_value("http://localhost:8000")
    runbooks = build.TextBoxVariable("runbooks").label("Runbooks").default_value("http://localhost:8000/runbooks")
    return [
        source.current(model.VariableOption(selected=True, text="Prometheus", value="prometheus")),
        _query_variable("job", "Job", "label_values(model_info, job)"),
        _query_variable("model_name", "Model", 'label_values(model_info{job=~"$job"}, model_name)'),
        version.sort(model.VariableSort.NATURAL_DESC),  # the newest is chosen unless another is
        _all(_query_variable("instance", "Instance", instances)),
        server.description("Address of a server, for the link to its verdict."),
        runbooks.description("Address of the runbooks, for the links of alerts."),
    ]


def _feature_variables() -> list[build.QueryVariable]:
    """Return the further variables of the dashboard of a feature."""
    names = f"label_values(model_feature_drift_severity{{{MODEL_IS}}}, feature_name)"
    windows = f"label_values(model_window_rows{{{MODEL_IS}}}, window)"
    return [
        _query_variable("feature_name", "Feature", names),
        _all(_query_variable("window", "Window", windows)),
    ]


def _query_variable(name: str, label: str, query: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(label).datasource(SOURCE).query({"query": query, "refId": name})
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NATURAL_ASC)


def _all(variable: build.QueryVariable) -> build.QueryVariable:
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


# ---------------------------------------------------------------- the whole


def _links(to: str, title: str, verdict: str) -> list[build.DashboardLink]:
    other = build.DashboardLink(title).url(f"/d/{to}").include_vars(True).keep_time(True).icon("dashboard")
    status = build.DashboardLink("Verdict as JSON").url(verdict).icon("info").target_blank(True)
    books = build.DashboardLink("Runbooks").url("${runbooks:raw}").icon("doc").target_blank(True)
    other.tooltip(title).type(model.DashboardLinkType.LINK)
    status.tooltip("GET /drift/status of the server").type(model.DashboardLinkType.LINK)
    books.tooltip("What to do on an alert").type(model.DashboardLinkType.LINK)
    return [other, status, books]


def _assemble(board: build.Dashboard, parts: Sequence[tuple[str, Callable[[], list[AnyPanel]]]]) -> dict[str, Any]:
    """Return a dashboard's JSON with its rows, its settings, and ids in order."""
    board.tags(["driftgauge"]).editable().tooltip(model.DashboardCursorSync.CROSSHAIR).version(1)
    board.time("now-3h", "now").refresh("30s").timezone("browser")
    for title, panels in parts:
        board.with_row(build.Row(title))
        for panel in panels():
            board.with_panel(panel)
    made: dict[str, Any] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    for place, panel in enumerate(made["panels"], start=1):
        panel["id"] = place
    # The builder knows none of the fields with which Prometheus' annotations are named.
    shared = {"datasource": {"type": "prometheus", "uid": "${datasource}"}, "enable": True}
    return {**made, "id": None, "annotations": {"list": [{**shared, **one} for one in ANNOTATIONS]}}
