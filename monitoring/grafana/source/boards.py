"""The dashboards: variables, annotations, links, and rows of panels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from . import feature, ground_truth, overview, replicas
from .panels import DIAGNOSIS_URL, FEATURE, GROUND_TRUTH, OVERVIEW, REPLICAS, STATUS_URL, AnyPanel
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


TITLES: Final = {OVERVIEW: "Overview", FEATURE: "Feature drift", GROUND_TRUTH: "Ground truth", REPLICAS: "Replicas"}


def files() -> dict[str, str]:
    """Return the text of each dashboard by its file's name."""
    made = {board["uid"]: board for board in (_overview(), _feature_drift(), _ground_truth(), _replicas())}
    return {
        f"{uid}.json": json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for uid, board in made.items()
    }


def _overview() -> dict[str, Any]:
    board = build.Dashboard("Driftgauge: overview").uid(OVERVIEW).time("now-6h", "now")
    board.description(f"Is the model served, and do its inputs still look like the reference? {NOTE}")
    board.variables(list(_variables()))
    board.links(list(_links(OVERVIEW, STATUS_URL)))
    return _assemble(board, overview.PARTS)


def _feature_drift() -> dict[str, Any]:
    board = build.Dashboard("Driftgauge: feature drift").uid(FEATURE).time("now-24h", "now")
    board.description(f"Which columns differ from the reference, since when, and where their values are now. {NOTE}")
    board.variables([*_variables(), _feature_variable(), _window_variable()])
    board.links(list(_links(FEATURE, f"{STATUS_URL}&feature=${{feature_name:percentencode}}&windows=all")))
    return _assemble(board, feature.PARTS)


def _ground_truth() -> dict[str, Any]:
    board = build.Dashboard("Driftgauge: ground truth").uid(GROUND_TRUTH).time("now-24h", "now")
    board.description(f"Is the model still right, are its labels coming, and what comes of its predictions? {NOTE}")
    board.variables([*_variables(), _labelled_window_variable()])
    board.links(list(_links(GROUND_TRUTH, STATUS_URL)))
    return _assemble(board, ground_truth.PARTS)


def _replicas() -> dict[str, Any]:
    board = build.Dashboard("Driftgauge: replicas").uid(REPLICAS).time("now-6h", "now")
    board.description(f"Is each replica current, do they agree, and what do all of them show together? {NOTE}")
    board.variables([*_variables(every_version=True), _feature_variable()])
    board.links(list(_links(REPLICAS, STATUS_URL)))
    return _assemble(board, replicas.PARTS)


# ---------------------------------------------------------------- variables


AnyVariable = build.QueryVariable | build.DatasourceVariable | build.TextBoxVariable


def _variables(every_version: bool = False) -> list[AnyVariable]:
    """Return the variables of all dashboards; of versions the newest is chosen, or every one."""
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    model_is = 'model_info{job=~"$job", model_name=~"$model_name"'
    version = _query_variable("model_version", "Version", f"label_values({model_is}}}, model_version)")
    version.sort(model.VariableSort.NATURAL_DESC)  # the newest is chosen unless another is
    instances = f'label_values({model_is}, model_version=~"$model_version"}}, instance)'
    server = build.TextBoxVariable("server").label("Server").default_value("http://localhost:8000")
    runbooks = build.TextBoxVariable("runbooks").label("Runbooks").default_value("http://localhost:8000/runbooks")
    return [
        source.current(model.VariableOption(selected=True, text="Prometheus", value="prometheus")),
        _query_variable("job", "Job", "label_values(model_info, job)"),
        _query_variable("model_name", "Model", 'label_values(model_info{job=~"$job"}, model_name)'),
        _all(version) if every_version else version,
        _all(_query_variable("instance", "Instance", instances)),
        server.description("Address of a server, for the link to its verdict."),
        runbooks.description("Address of the runbooks, for the links of alerts."),
    ]


def _feature_variable() -> build.QueryVariable:
    names = f"label_values(model_feature_drift_severity{{{MODEL_IS}}}, feature_name)"
    return _query_variable("feature_name", "Feature", names)


def _window_variable() -> build.QueryVariable:
    return _all(_query_variable("window", "Window", f"label_values(model_window_rows{{{MODEL_IS}}}, window)"))


def _labelled_window_variable() -> build.QueryVariable:
    """Return the variable of one window of labelled predictions; the largest sliding window comes first."""
    variable = _query_variable("window", "Window", f"label_values(model_labelled_rows{{{MODEL_IS}}}, window)")
    return variable.sort(model.VariableSort.NUMERICAL_DESC)


def _query_variable(name: str, label: str, query: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(label).datasource(SOURCE).query({"query": query, "refId": name})
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NATURAL_ASC)


def _all(variable: build.QueryVariable) -> build.QueryVariable:
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


# ---------------------------------------------------------------- the whole


def _links(uid: str, verdict: str) -> list[build.DashboardLink]:
    """Return the links to the other dashboards, to verdict and diagnosis at the server, and to the runbooks."""
    others = [
        _link(title, f"/d/{other}", title, "dashboard").include_vars(True).keep_time(True)
        for other, title in TITLES.items()
        if other != uid
    ]
    status = _link("Verdict", verdict, "GET /drift/status of the server", "info").target_blank(True)
    books = _link("Runbooks", "${runbooks:raw}", "What to do on an alert", "doc").target_blank(True)
    found = _link("Diagnosis", DIAGNOSIS_URL, "GET /diagnosis of the server", "question").target_blank(True)
    return [*others, status, found, books]


def _link(title: str, url: str, tooltip: str, icon: str) -> build.DashboardLink:
    link = build.DashboardLink(title).url(url).tooltip(tooltip).icon(icon)
    return link.type(model.DashboardLinkType.LINK)


def _assemble(board: build.Dashboard, parts: Sequence[tuple[str, Callable[[], list[AnyPanel]]]]) -> dict[str, Any]:
    """Return a dashboard's JSON with its rows, its settings, and ids in order."""
    board.tags(["driftgauge"]).editable().tooltip(model.DashboardCursorSync.CROSSHAIR).version(1)
    board.refresh("30s").timezone("browser")
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
