"""The dashboards' queries on a real Prometheus: replicas of a model, another one, and one from Kafka, in one job."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs

from tests.alerting.queries import filled
from tests.e2e.boards import BOARDS, OF_RELEASES, OF_WEEKS, SHIFTED, answers, choices, targets
from tests.e2e.monitored import (
    FEATURES,
    HOURS_AGO,
    MODEL,
    ROWS,
    TRUTH,
    Prometheus,
    Server,
    Stream,
    await_answer,
    consumer,
    make_bundle,
    rows,
    seen,
    server,
)
from tests.e2e.processes import free_port
from tests.e2e.programs import needs_servers
from tests.messages import broker

pytestmark = [pytest.mark.e2e, pytest.mark.long, needs_servers]

OTHER: Final = "dice"
LOGGED: Final = "logged"
DRIFTED: Final = {FEATURES[0], SHIFTED, "prediction"}
NOT_OF_TWO_CLASSES: Final = {"Mean absolute error", "Recall by class"}
"""Panels that stay empty for a model of two classes."""
ELSEWHERE: Final = {
    "Items for the OTLP collector",  # of a server with a collector: tests/e2e/test_telemetry.py
    "Alias of the registered model",  # of a server that follows MLflow: tests/e2e/test_mlflow.py
    *("Latency beside its past", "Rise of latency over its past"),  # a day of samples: monitoring/prometheus/tests
    *("GPU use", "GPU memory"),  # of a machine with a GPU: tests/metrics/test_gpu.py
}
"""Panels that stay empty here, and where their queries are tested."""
ONLY_WITH_ALL_WINDOWS: Final = {"Rows in time windows"}
"""Panels that stay empty as long as a server exposes the main window alone."""


@dataclass(frozen=True)
class Watched:
    """Two replicas of which one has drifted, servers of two other models, and who scrapes them."""

    drifted: Server
    quiet: Server
    other: Server
    logged: Server
    """Has the rows of a model that another server serves, by Kafka and by requests."""
    prometheus: Prometheus
    began: float
    """The time of all later rows of the drifted server: the hour of it is never over."""


@pytest.fixture(scope="module")
def watched(servers: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, kafka = tmp_path_factory.mktemp("dashboards"), tmp_path_factory.mktemp("kafka")
    bundles = {name: make_bundle(folder / name, "7", name) for name in (MODEL, OTHER)}
    ports = [free_port() for _ in range(5)]
    options = MonitoringOptions(
        scrape_interval="1s",  # four servers on few cores
        window="4s",
        hold="1s",
        targets=tuple(f"127.0.0.1:{port}" for port in ports[:4]),
        prometheus=f"127.0.0.1:{ports[4]}",
    )
    write(options, folder)
    told = f'[{{"name": "log", "kind": "file", "path": "{folder / "sent"}"}}]'
    acts = '[{"name": "retrain", "kind": "url", "alerts": ["ModelFeatureDrift"], "url": "http://127.0.0.1:1/"}]'
    paid = {"DRIFTGAUGE_PRICE_PER_HOUR": "0.5", "DRIFTGAUGE_NOTIFY": told, "DRIFTGAUGE_ACTIONS": acts}
    known = {**ALL, **TRUTH, "DRIFTGAUGE_STATE_DIR": str(folder / "state"), **paid}
    with contextlib.ExitStack() as started:
        apps = [
            started.enter_context(server(bundles[name], port, folder / f"{port}.log", **env))
            for name, port, env in zip((MODEL, MODEL, OTHER), ports[:3], (known, {**ALL, **ROWS}, {}), strict=True)
        ]
        stream = Stream(started.enter_context(broker(kafka)), LOGGED, LOGGED)
        stream.kafka.create(LOGGED, 1)
        apps.append(started.enter_context(_logged(stream, bundles[MODEL], ports[3], folder / f"{ports[3]}.log")))
        await_answer(*apps)
        configured, data, log = folder / "prometheus", folder / "data", folder / "prometheus.log"
        address = started.enter_context(stack.prometheus(servers.prometheus, configured, data, Endpoint(ports[4]), log))
        prometheus = Prometheus(address)
        seen(lambda: prometheus.value('up{job="driftgauge"}'), lambda up: up == 4)
        drifted, quiet, other, logged = apps
        watched = Watched(drifted, quiet, other, logged, prometheus, time.time())
        moved = rows(7, 2_000, shift=1.5)
        moved[::2, 0] = float("nan")  # of this feature a share of rows has changed, of the other the mean
        predicted = watched.drifted.send(moved, watched.began - HOURS_AGO)
        labelled = watched.drifted.label(predicted)
        watched.drifted.send(moved[:1], watched.began)  # by the clock of events the hour of the others is over now
        watched.quiet.send(rows(8, 2_000))
        watched.other.send(rows(9, 2_000))
        seen(lambda: prometheus.value('server_actions_total{result="dry_run"} == bool 0'))  # there before it grows
        _alert(watched.drifted)
        stream.send(rows(11, 500))
        watched.logged.ingest(rows(12, 500), LOGGED)
        # Whichever test comes first, the verdicts have been scraped.
        drifted_columns = f'count(model_feature_drift_severity{{model_name="{MODEL}"}} >= 2)'
        seen(lambda: prometheus.value(drifted_columns), lambda count: count == len(DRIFTED))
        seen(lambda: prometheus.value(f'model_evaluated_features{{model_name="{OTHER}"}}'))
        seen(lambda: prometheus.value(f'model_performance_severity{{model_name="{MODEL}"}}'), lambda level: level == 3)
        seen(lambda: prometheus.value("model_outcome_rows"), lambda count: count == labelled)  # once a minute
        yield watched


ALL: Final = {"DRIFTGAUGE_METRICS_WINDOWS": "all"}


def _alert(server: Server) -> None:
    """Send a firing alert as Alertmanager does, so that an action is decided on."""
    labels = {"alertname": "ModelFeatureDrift", "severity": "critical", "model_name": MODEL}
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z"}
    body = {"version": "4", "groupKey": "one", "status": "firing", "alerts": [{**alert, "fingerprint": "1"}]}
    httpx.post(f"{server.address}/actions/alertmanager", json=body, timeout=30).raise_for_status()


def _logged(stream: Stream, bundle: Path, port: int, log: Path) -> contextlib.AbstractContextManager[Server]:
    """Consume the messages of a model that has the baseline of a bundle."""
    return consumer(stream, port, log, "--baseline", str(bundle / "baseline.json"), "--model-version", "7")


# ---------------------------------------------------------------- what they show


def empty(watched: Watched, uid: str) -> list[str]:
    """Return the panels of a dashboard with a query that finds nothing, while traffic goes on."""
    watched.drifted.send(rows(10, 20, shift=1.5), watched.began)
    watched.logged.ingest(rows(13, 20), LOGGED)
    return [
        title
        for title, target in targets(uid)
        if title not in NOT_OF_TWO_CLASSES | OF_RELEASES | OF_WEEKS | ELSEWHERE
        and not any(answers(watched.prometheus, target, own) for name in (MODEL, LOGGED) for own in choices(name))
    ]


@pytest.mark.parametrize("uid", BOARDS)
def test_every_query_of_a_dashboard_runs_and_finds_something(uid: str, watched: Watched) -> None:
    assert len(list(targets(uid))) > 20
    seen(lambda: empty(watched, uid), lambda panels: not panels)


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_shows_the_servers_of_the_chosen_model_alone(uid: str, watched: Watched) -> None:
    for model, own in ((MODEL, {watched.drifted.target, watched.quiet.target}), (OTHER, {watched.other.target})):
        shown = {
            series["metric"]["instance"]
            for _, target in targets(uid)
            for series in answers(watched.prometheus, target, choices(model)[0])
            if "instance" in series["metric"]
        }
        assert shown <= own, model


def test_time_windows_are_empty_unless_servers_expose_them(watched: Watched) -> None:
    of_them = [target for title, target in targets("driftgauge-overview") if title in ONLY_WITH_ALL_WINDOWS]
    assert of_them
    for target in of_them:
        assert answers(watched.prometheus, target, choices(OTHER)[0]) == []


def test_the_overview_answers_for_each_model_by_itself(watched: Watched) -> None:
    def answer(panel: str, model: str) -> list[float]:
        asked = [target for title, target in targets("driftgauge-overview") if title == panel]
        return [last(answers(watched.prometheus, target, choices(model)[0])) for target in asked]

    seen(lambda: answer("Is it all right?", MODEL)[0], lambda value: value >= 5)  # drift: critical
    seen(lambda: answer("Is it all right?", OTHER)[0], lambda value: value == 0)  # all right
    # A scrape that took too long leaves its server out until the next.
    seen(lambda: answer("Servers", MODEL), lambda counts: counts == [2, 0])
    seen(lambda: answer("Servers", OTHER), lambda counts: counts == [1, 0])


def test_the_overview_says_what_came_from_other_servers(watched: Watched) -> None:
    def answer(panel: str, model: str = LOGGED) -> list[list[dict[str, Any]]]:
        asked = [target for title, target in targets("driftgauge-overview") if title == panel]
        return [answers(watched.prometheus, target, choices(model)[0]) for target in asked]

    (rows_of,) = answer("Rows from other servers")
    assert {series["metric"]["result"] for series in rows_of} == {"taken", "duplicate"}
    waiting, lag = answer("Requests and responses waiting"), answer("Lag behind Kafka")
    assert (last(waiting[0]), last(lag[0])) == (1, 0)
    assert {series["metric"]["severity"] for series in lag[1]} == {"warning", "critical"}
    assert answer("Lag behind Kafka", MODEL) == [[], []]


def test_the_dashboard_of_ground_truth_says_what_the_labels_say(watched: Watched) -> None:
    def answer(panel: str, model: str = MODEL) -> list[list[dict[str, Any]]]:
        asked = [target for title, target in targets("driftgauge-ground-truth") if title == panel]
        return [answers(watched.prometheus, target, choices(model)[0]) for target in asked]

    assert [last(own) for own in answer("Performance")] == [3]
    assert [last(own) for own in answer("Labelled rows")] == [1_800, 200]
    assert [last(own) for own in answer("Coverage")] == [pytest.approx(0.9)]
    value, lower, upper, estimated, held_out, floor = (last(own) for own in answer("Accuracy"))
    assert lower < value < upper < min(estimated, held_out)
    assert floor == 0.5
    (severity,) = answer("Outcomes beside their limits")[4]
    assert (severity["metric"]["outcome_name"], float(severity["value"][1])) == ("click", 0)
    assert answer("Performance", OTHER) == [[]]  # it has no prediction log
    assert {title for title in NOT_OF_TWO_CLASSES if any(answer(title))} == set()


def last(series: Sequence[Mapping[str, Any]]) -> float:
    """Return the last value of the only series."""
    (only,) = series
    return float((only["values"][-1] if "values" in only else only["value"])[1])


def test_the_table_of_columns_has_the_drifted_ones_with_their_start(watched: Watched) -> None:
    titled = [target for title, target in targets("driftgauge-feature-drift") if title == "All columns"]
    severity, since = titled[:2]
    chosen = choices(MODEL)[0]
    found = {
        series["metric"]["feature_name"]: float(series["value"][1])
        for series in answers(watched.prometheus, severity, chosen)
    }
    assert set(FEATURES) <= found.keys()
    assert {name for name, value in found.items() if value >= 2} == DRIFTED
    began = {series["metric"]["feature_name"] for series in answers(watched.prometheus, since, chosen)}
    assert began == DRIFTED


def test_the_variables_offer_what_there_is(watched: Watched) -> None:
    for variable in BOARDS["driftgauge-feature-drift"]["templating"]["list"]:
        if variable["type"] == "query":
            offered = _label_values(watched.prometheus, variable["query"]["query"])
            assert OFFERED[variable["name"]] <= offered, variable["name"]


OFFERED: Final[Mapping[str, set[str]]] = {
    "job": {"driftgauge"},
    "model_name": {MODEL, OTHER, LOGGED},
    "model_version": {"7"},
    "instance": set(),
    "feature_name": {*FEATURES, "prediction"},
    "window": {"1000", "2000", "1h"},
}


def _label_values(prometheus: Prometheus, query: str) -> set[str]:
    """Return the values that Grafana would offer."""
    wildcards = dict.fromkeys(("job", "model_name", "model_version", "instance"), ".*")
    selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", filled(query, wildcards)).groups()  # type: ignore[union-attr]
    return {series["metric"][label] for series in prometheus.ask(f"group by ({label}) ({selector})")}
