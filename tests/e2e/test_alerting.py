"""From traffic to a notification: a real server, Prometheus, Alertmanager and a receiver of webhooks."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import promql_parser
import pytest
import yaml
from driftgauge.alerting.drift_details import UNSIZED
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import render, write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs
from driftgauge.releases.figures import ENOUGH_REQUESTS

from tests.e2e.boards import BOARDS, OF_RELEASES, answers, choices, targets
from tests.e2e.monitored import (
    FEATURES,
    HOURS_AGO,
    MODEL,
    ROWS,
    SECONDS,
    TRUTH,
    Alertmanager,
    Prometheus,
    Server,
    Stream,
    await_answer,
    consumer,
    make_bundle,
    rows,
    seen,
    server,
    stays,
)
from tests.e2e.processes import free_port
from tests.e2e.programs import needs_servers
from tests.e2e.webhooks import Inbox, webhook
from tests.messages import Broker, broker

pytestmark = [pytest.mark.e2e, needs_servers]

SHIFTED: Final = FEATURES[-1]
DRIFT: Final = "ModelFeatureDrift"
MISSING: Final = "ModelMissingValues"
OF_THE_MODEL: Final = (DRIFT, MISSING, "ModelPredictionDrift", "ModelUnseenCategories")
OF_THE_SERVER: Final = ("DriftgaugeDown", "DriftgaugeServerDown")
IDENTITY: Final = {"job": "driftgauge", "model_name": MODEL, "model_version": "7"}


def quick(port: int, prometheus: int, alertmanager: int, told: str) -> MonitoringOptions:
    """Options that make the chain fast, and nothing else different.

    The window is so long because what the server's end ends must outlive the hold of DriftgaugeDown.
    """
    return MonitoringOptions(
        scrape_interval="500ms",
        window="9s",
        hold="1s",
        group_wait="1s",
        group_interval="1s",
        base_url=f"http://127.0.0.1:{port}",
        targets=(f"127.0.0.1:{port}",),
        prometheus=f"127.0.0.1:{prometheus}",
        alertmanager=f"127.0.0.1:{alertmanager}",
        webhook_url=told,
    )


@dataclass(frozen=True)
class Chain:
    """All that lies between traffic and people."""

    server: Server
    prometheus: Prometheus
    alertmanager: Alertmanager
    inbox: Inbox


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("alerting") / "bundle", "7")


@dataclass(frozen=True)
class Watching:
    """All but the server, which is expected on a port."""

    port: int
    prometheus: Prometheus
    alertmanager: Alertmanager
    inbox: Inbox


@pytest.fixture(scope="module")
def watching(servers: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    tmp_path = tmp_path_factory.mktemp("chain")
    port, prometheus, alertmanager = free_port(), free_port(), free_port()
    with contextlib.ExitStack() as started:
        inbox = started.enter_context(webhook())
        write(quick(port, prometheus, alertmanager, inbox.address), tmp_path)
        addresses = [
            started.enter_context(
                run(program, tmp_path / name, tmp_path / f"{name}-data", place, tmp_path / f"{name}.log")
            )
            for name, run, program, place in (
                ("alertmanager", stack.alertmanager, servers.alertmanager, Endpoint(alertmanager)),
                ("prometheus", stack.prometheus, servers.prometheus, Endpoint(prometheus)),
            )
        ]
        yield Watching(port, Prometheus(addresses[1]), Alertmanager(addresses[0]), inbox)


@pytest.fixture
def chain(bundle: Path, watching: Watching, tmp_path: Path) -> Iterator[Chain]:
    """Give the chain with windows full of undrifted rows, and nothing that fires but the Watchdog.

    Each test has a server of its own: rows that drift in one test after the other would depend on one another.
    """
    with server(bundle, watching.port, tmp_path / "server.log") as app:
        await_answer(app)
        app.send(rows(1, 2_000))
        seen(lambda: watching.alertmanager.alerts("Watchdog"))
        seen(lambda: watching.prometheus.value('up{job="driftgauge"}'), lambda up: up == 1)
        seen(lambda: watching.prometheus.alerts(state="firing", **IDENTITY), lambda alerts: not alerts)
        seen(lambda: watching.alertmanager.alerts(*OF_THE_MODEL, *OF_THE_SERVER), lambda alerts: not alerts)
        yield Chain(app, watching.prometheus, watching.alertmanager, watching.inbox)


# ---------------------------------------------------------------- what is tested is what is shipped


def test_the_tested_files_differ_from_the_defaults_in_times_addresses_and_the_receiver_only() -> None:
    told = "http://127.0.0.1:4/alerts"
    # Lists and names of receivers depend on whether there is one; the default with one has the same shape.
    default, tested = (_parsed(options) for options in (MonitoringOptions(webhook_url=told), quick(1, 2, 3, told)))
    assert default.keys() == tested.keys()
    for path in default:
        assert _leaves(default[path]).keys() == _leaves(tested[path]).keys()
    differing = {
        (path, *where): (value, _leaves(tested[path])[where])
        for path in default
        for where, value in _leaves(default[path]).items()
        if value != _leaves(tested[path])[where]
    }
    assert differing
    for where, (one, other) in differing.items():
        assert _normal(one) == _normal(other), where
    without = _parsed(MonitoringOptions())
    assert {path for path in default if default[path] != without[path]} == {"alertmanager/alertmanager.yml"}
    routing, silent = default["alertmanager/alertmanager.yml"], without["alertmanager/alertmanager.yml"]
    assert routing["receivers"][:-1] == silent["receivers"]
    for config in (routing, silent):
        for route in (config["route"], *config["route"]["routes"]):
            if route["receiver"] == "team":
                route["receiver"] = "none"
    assert {**routing, "receivers": []} == {**silent, "receivers": []}


def _parsed(options: MonitoringOptions) -> dict[str, Any]:
    files = render(options).items()
    return {path: yaml.safe_load(text) for path, text in files if path.endswith(".yml")}


def _leaves(content: Any) -> dict[tuple[Any, ...], Any]:
    if not isinstance(content, dict | list):
        return {(): content}
    items = content.items() if isinstance(content, dict) else enumerate(content)
    return {(key, *rest): leaf for key, part in items for rest, leaf in _leaves(part).items()}


def _normal(text: str) -> str:
    """The text without its times and addresses."""
    without = re.sub(r"(http://)?[\w.]+:\d+", "ADDRESS", text)
    return re.sub(r"\b(\d+(ms|s|m|h|d))+\b", "TIME", without)


# ---------------------------------------------------------------- from traffic to a notification


def test_all_features_missing_is_one_notification_and_silences_their_drift(chain: Chain) -> None:
    empty = rows(2, 2_000)
    empty[:] = float("nan")
    chain.server.send(empty)
    features = set(FEATURES)
    seen(
        lambda: {alert["labels"]["feature_name"] for alert in chain.inbox.alerts(MISSING, "firing")},
        lambda told: told == features,
        chain.inbox,
    )
    # Drift of the same features has reached Alertmanager too, where it stays.
    seen(
        lambda: {alert["labels"]["feature_name"] for alert in chain.alertmanager.alerts(DRIFT)},
        lambda drifted: drifted == features,
        chain.inbox,
    )
    assert chain.alertmanager.states(DRIFT) == {"suppressed"}
    stays(lambda: chain.inbox.alerts(DRIFT, "firing"), 2.5, chain.inbox)
    (told,) = [body for body in chain.inbox.bodies if _about(body, MISSING)]
    assert told["status"] == "firing"
    assert told["groupLabels"] == IDENTITY
    about = [alert["labels"] for alert in told["alerts"] if alert["labels"]["alertname"] == MISSING]
    assert sorted(labels["feature_name"] for labels in about) == sorted(features)
    assert {labels["severity"] for labels in about} == {"critical"}
    _check_texts_of_missing_values(told["alerts"], chain.alertmanager.alerts(DRIFT))


def _check_texts_of_missing_values(told: list[dict[str, Any]], silenced: list[dict[str, Any]]) -> None:
    """Check what the notification says, and what the drift that it silences would have said."""
    for alert in told:
        if alert["labels"]["alertname"] == MISSING:
            name, annotations = alert["labels"]["feature_name"], alert["annotations"]
            assert annotations["summary"] == f"{name} of {MODEL} 7 has more missing values than the reference."
            assert annotations["description"] == "100% of rows have no value (limit for critical: 10%)."
    for alert in silenced:
        assert alert["annotations"]["description"].startswith("100% of rows missing (reference: 0%). Since 20")


@pytest.mark.long
def test_drift_of_a_feature_is_told_with_how_far_and_since_when_and_its_end_too(chain: Chain) -> None:
    first = len(chain.inbox.bodies)
    stays(lambda: [alert for name in OF_THE_MODEL for alert in chain.inbox.alerts(name, "firing", first)], 2.0)
    chain.server.send(rows(3, 2_000, shift=1.5))
    alert = seen(lambda: chain.inbox.alerts(DRIFT, "firing", first), also=chain.inbox)[0]
    body = next(body for body in chain.inbox.bodies[first:] if _about(body, DRIFT))
    assert body["version"] == "4"
    assert alert["labels"] == {**IDENTITY, "alertname": DRIFT, "feature_name": SHIFTED, "severity": "critical"}
    _check_texts(alert["annotations"], chain.server.address)
    before = len(chain.inbox.bodies)
    chain.server.send(rows(4, 2_000))
    seen(lambda: _over(chain, before), also=chain.inbox)
    told = {alert["labels"].get("feature_name") for alert in chain.inbox.alerts(DRIFT, "firing", first)}
    assert told == {SHIFTED}


def _check_texts(annotations: Mapping[str, str], address: str) -> None:
    assert annotations["summary"] == f"{SHIFTED} of {MODEL} 7 has drifted from the reference."
    description = annotations["description"]
    found = re.fullmatch(
        r"mean ([0-9.]+) \(reference: ([0-9.]+)\)\. "
        r"Since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* \+0000 UTC\. The change is ([0-9.]+) times its limit\.",
        description,
    )
    assert found, description
    mean, was, since, times = float(found[1]), float(found[2]), found[3], float(found[4])
    assert mean - was == pytest.approx(1.5, abs=0.1)
    assert times > 2
    assert 0 <= (datetime.now(UTC) - datetime.fromisoformat(since).replace(tzinfo=UTC)).total_seconds() < 600
    assert annotations["runbook_url"] == f"{address}/runbooks/{DRIFT}?feature={SHIFTED}"
    assert annotations["page_url"] == f"{address}/drift/status?model={MODEL}&feature={SHIFTED}"
    assert annotations["diagnosis_url"] == f"{address}/diagnosis?model={MODEL}"
    for url in (annotations["runbook_url"], annotations["page_url"], annotations["diagnosis_url"]):
        assert httpx.get(url, timeout=60.0).status_code == 200, url
    assert list(httpx.get(annotations["page_url"], timeout=60.0).json()["features"]) == [SHIFTED]
    assert f'feature_name="{SHIFTED}"' in httpx.get(annotations["runbook_url"], timeout=60.0).text


def _about(body: Mapping[str, Any], name: str) -> bool:
    return any(alert["labels"]["alertname"] == name for alert in body["alerts"])


# ---------------------------------------------------------------- every query, every address


OTHER: Final = "dice"
ROLLING: Final = {"DRIFTGAUGE_REFERENCE": "rolling", "DRIFTGAUGE_ROLLING_REFERENCE_DAYS": "3"}


@pytest.fixture
def complete(bundle: Path, watching: Watching, tmp_path: Path) -> Iterator[Chain]:
    """Give the chain with a server of two models that has releases, ground truth and a log on a disk, of days too.

    Rows of one of the models are also in Kafka.
    """
    newer, shadow = (make_bundle(tmp_path / version, version) for version in ("8", "9"))
    other = make_bundle(tmp_path / OTHER, "7", OTHER)
    folders = {"DRIFTGAUGE_STATE_DIR": str(tmp_path / "state"), "DRIFTGAUGE_BUNDLE_FOLDERS": str(tmp_path)}
    told = f'[{{"name": "log", "kind": "file", "path": "{tmp_path / "sent"}"}}]'
    acts = '[{"name": "retrain", "kind": "url", "alerts": ["ModelFeatureDrift"], "url": "http://127.0.0.1:1/"}]'
    paid = {"DRIFTGAUGE_PRICE_PER_HOUR": "0.5", "DRIFTGAUGE_NOTIFY": told, "DRIFTGAUGE_ACTIONS": acts}
    env = {"DRIFTGAUGE_BUNDLES": f"{bundle},{other}", **TRUTH, **ROLLING, **ROWS, **folders, **paid}
    with broker(tmp_path) as kafka, consumer(_stream(kafka), watching.port, tmp_path / "server.log", **env) as app:
        await_answer(app)
        for _ in range(ENOUGH_REQUESTS):
            app.send(rows(1, 1), model=MODEL)
        app.load(MODEL, newer)
        app.load(MODEL, shadow, "shadow")
        for days in (4, 3, 2):
            app.send(rows(days, 2_000), time.time() - days * 86_400.0, MODEL)
        drifted = rows(7, 2_000, shift=1.5)
        drifted[::2, 0] = float("nan")  # of this feature a share of rows has changed, of the other the mean
        app.label(app.send(drifted, time.time() - HOURS_AGO, MODEL), MODEL)
        for _ in range(ENOUGH_REQUESTS):
            app.send(drifted[:1], time.time(), MODEL)
        app.send(rows(8, 2_000), model=OTHER)
        logged = [{"features": rows(9, 1)[0].tolist(), "prediction": 0.5, "prediction_id": "of another server"}]
        httpx.post(f"{app.address}/ingest/{OTHER}", json=logged, timeout=SECONDS).raise_for_status()
        yield Chain(app, watching.prometheus, watching.alertmanager, watching.inbox)


def _stream(kafka: Broker) -> Stream:
    """Return a topic with some rows of the other model."""
    kafka.create(OTHER, 1)
    stream = Stream(kafka, OTHER, OTHER)
    stream.send(rows(10, 20))
    return stream


ELSEWHERE: Final = r"model_alias_|7d|latency_rise|server_telemetry_|model_long_window_|model_ingest_lost_"
"""Queries on a followed alias, on weeks, on a collector and on lost messages: tests/e2e/test_mlflow.py,
tests/e2e/test_telemetry.py and promtool's tests have them."""


@pytest.mark.long
def test_every_query_of_rules_and_alerts_and_of_panels_of_releases_runs_and_finds_something(complete: Chain) -> None:
    asked = {query for query in _recorded() | _alert_selectors() if not re.search(ELSEWHERE, query)}
    assert len(asked) > 50
    seen(lambda: complete.prometheus.ask("model_outcome_severity"))  # once a minute

    def left() -> set[str]:
        """Ask again what found nothing yet: after a scrape that took too long there is nothing to find."""
        asked.difference_update([query for query in asked if complete.prometheus.ask(query)])
        return asked

    seen(left, lambda queries: not queries)
    assert {title for uid in BOARDS for title, _ in targets(uid)} >= OF_RELEASES
    seen(lambda: _empty(complete), lambda panels: not panels)


def _empty(chain: Chain) -> list[str]:
    """Return the panels of releases and of the rolling reference with a query that finds nothing.

    The chosen version is the live one or the shadow. Of rows that a shadow missed there are counts, which are zero.
    """
    chosen = [own for version in ("8", "9") for own in choices(MODEL, version)]
    return [
        title
        for uid in BOARDS
        for title, target in targets(uid)
        if title in OF_RELEASES
        for counted in [{**target, "expr": target["expr"].removesuffix(" > 0")}]
        if not any(answers(chain.prometheus, counted, own) for own in chosen)
    ]


def test_every_alert_names_a_runbook_that_the_server_has(chain: Chain) -> None:
    options = MonitoringOptions(base_url=chain.server.address)
    rules = yaml.safe_load(render(options)["prometheus/alerts/driftgauge.yml"])
    urls = {rule["annotations"]["runbook_url"] for group in rules["groups"] for rule in group["rules"]}
    assert {url: httpx.get(url, timeout=60.0).status_code for url in urls} == dict.fromkeys(urls, 200)


def _recorded() -> set[str]:
    """The recorded queries, but that of changes without a size: the windows are full."""
    return {rule["expr"] for rule in _rules("rules") if rule["record"] != UNSIZED}


def _alert_selectors() -> set[str]:
    """What the alerts look at: they themselves find nothing when all is well."""
    return {selector for rule in _rules("alerts") for selector in _selectors(rule["expr"])}


def _rules(kind: str) -> list[dict[str, Any]]:
    content = yaml.safe_load(render(MonitoringOptions())[f"prometheus/{kind}/driftgauge.yml"])
    return [rule for group in content["groups"] for rule in group["rules"]]


def _selectors(expr: str) -> set[str]:
    found: set[str] = set()

    def visit(part: promql_parser.Expr) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            found.add(part.prettify())

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


# ---------------------------------------------------------------- last, for the server is gone then


@pytest.mark.long
def test_a_dead_server_is_told_and_silences_what_it_said(chain: Chain) -> None:
    first = len(chain.inbox.bodies)
    chain.server.send(rows(5, 2_000, shift=1.5))
    seen(lambda: chain.inbox.alerts(DRIFT, "firing", first), also=chain.inbox)
    before = len(chain.inbox.bodies)
    chain.server.kill()
    seen(lambda: chain.alertmanager.alerts("DriftgaugeDown"), also=chain.inbox)
    seen(lambda: chain.alertmanager.states(DRIFT), lambda states: states == {"suppressed"}, chain.inbox)
    down = seen(lambda: chain.inbox.alerts("DriftgaugeDown", "firing"), also=chain.inbox)[0]
    assert down["labels"] == {"alertname": "DriftgaugeDown", "job": "driftgauge", "severity": "critical"}
    # Without the server its drift ends in Prometheus; that is no news that anybody should hear.
    seen(lambda: chain.prometheus.alerts(alertname=DRIFT), lambda alerts: not alerts)
    stays(lambda: _over(chain, before), 3.0, chain.inbox)
    assert not chain.inbox.alerts("DriftgaugeServerDown", "firing", before)


def _over(chain: Chain, first: int) -> list[dict[str, Any]]:
    """The end of the feature's drift; Prometheus repeats for a while that older alerts have ended."""
    ended = chain.inbox.alerts(DRIFT, "resolved", first)
    return [alert for alert in ended if alert["labels"]["feature_name"] == SHIFTED]
