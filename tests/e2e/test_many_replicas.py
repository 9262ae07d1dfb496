"""Six servers with two workers and a hundred features each, as one Prometheus and one VictoriaMetrics see them."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import numpy as np
import pytest
import yaml
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import render
from driftgauge.alerting.rules import BIN_INCREASE, REFERENCE, REPLICAS_PSI, ROWS_INCREASE, SHARE
from driftgauge.demo.prometheus_stack import Programs

from tests.e2e.monitored import Prometheus, seen
from tests.e2e.processes import run
from tests.e2e.programs import Victoria, needs_servers
from tests.e2e.test_replicas import psi
from tests.e2e.wide import FEATURES, ROWS, SCRAPE_SECONDS, SERVERS, WORKERS, Wide, counted, wide

pytestmark = [pytest.mark.e2e, pytest.mark.long, needs_servers]

COUNTS: Final = "model_feature_bin_rows_total"
OVER_TIME: Final = re.compile(r"\b(rate|increase)\(")
"""What depends on the ends of a range: Prometheus extrapolates to them, VictoriaMetrics does not."""
SETTLED_SECONDS: Final = 5.0
"""Age of samples that both have stored."""
Found = Mapping[frozenset[tuple[str, str]], float]


@pytest.fixture(scope="module")
def running(servers: Programs, victoria: Victoria, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wide]:
    with wide(servers, victoria, tmp_path_factory.mktemp("wide")) as own:
        yield own


@pytest.fixture(scope="module")
def reference(running: Wide) -> dict[str, dict[str, float]]:
    """The shares of the reference, by feature and bin."""
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for series in running.prometheus.ask(f"max by (feature_name, bin) ({REFERENCE})"):
        shares[series["metric"]["feature_name"]][series["metric"]["bin"]] = float(series["value"][1])
    return dict(shares)


@pytest.fixture(scope="module")
def by_numpy(running: Wide, reference: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The PSI of each feature on the union of all rows."""
    counts, names = counted(running.folder / "bundle", running.union)
    return {own: psi(dict(zip(names[own], counts[own].tolist(), strict=True)), reference[own]) for own in FEATURES}


def recorded(name: str) -> str:
    """Return the expression of a recording rule of a day, with those that it refers to in place of their names."""
    groups = yaml.safe_load(render(MonitoringOptions())["prometheus/rules/driftgauge.yml"])["groups"]
    rules = {own["record"]: own["expr"] for group in groups for own in group["rules"]}
    expr: str = rules[name]
    for inner in (SHARE + "24h", ROWS_INCREASE + "24h", BIN_INCREASE + "24h", REFERENCE):
        expr = expr.replace(inner, f"({rules[inner]})")
    return expr


def by_feature(store: Prometheus, query: str) -> dict[str, float]:
    found = {own["metric"]["feature_name"]: float(own["value"][1]) for own in store.ask(query)}
    return {own: found[own] for own in FEATURES}


def largest_distance(found: Mapping[str, float], wanted: Mapping[str, float]) -> float:
    return max(abs(found[own] - wanted[own]) for own in wanted)


# ---------------------------------------------------------------- one distribution


@pytest.mark.parametrize("store", ["prometheus", "victoria"])
def test_the_bins_of_all_servers_hold_the_union_of_their_rows(running: Wide, store: str) -> None:
    counts, names = counted(running.folder / "bundle", running.union)
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for series in getattr(running, store).ask(f"sum by (feature_name, bin) ({COUNTS})"):
        found[series["metric"]["feature_name"]][series["metric"]["bin"]] = float(series["value"][1])
    for own in FEATURES:
        assert found[own] == dict(zip(names[own], counts[own].tolist(), strict=True))
        assert sum(found[own].values()) == SERVERS * ROWS


def test_the_psi_of_all_servers_is_that_of_the_union_of_their_rows(running: Wide, by_numpy: dict[str, float]) -> None:
    rule = recorded(REPLICAS_PSI + "24h")
    # All counters began at zero. `increase` extrapolates each server's to the ends of the range, which weighs servers.
    exact = rule.replace(f"increase({COUNTS}[24h])", COUNTS)
    assert exact != rule
    assert largest_distance(by_feature(running.prometheus, exact), by_numpy) < 1e-6
    assert largest_distance(by_feature(running.victoria, exact), by_numpy) < 1e-6
    assert largest_distance(by_feature(running.victoria, rule), by_numpy) < 1e-6
    assert max(by_numpy.values()) > 0.5


def test_prometheus_records_it_for_every_column(running: Wide) -> None:
    """That its value is the formula on what was scraped is in test_replicas.py."""
    query = f"{REPLICAS_PSI}5m"
    found = seen(
        lambda: {own["metric"]["feature_name"]: float(own["value"][1]) for own in running.prometheus.ask(query)}
    )
    assert found.keys() == {*FEATURES, "prediction"}
    assert min(found.values()) > 0


def test_no_server_alone_has_the_psi_of_all(running: Wide, by_numpy: dict[str, float]) -> None:
    column = FEATURES[-1]
    alone = running.prometheus.ask(f'model_feature_psi{{feature_name="{column}"}}')
    assert len({own["metric"]["instance"] for own in alone}) == SERVERS
    assert all(abs(float(own["value"][1]) - by_numpy[column]) > 0.01 for own in alone)


def test_every_rule_is_evaluated_without_an_error(running: Wide) -> None:
    def groups() -> list[dict[str, Any]]:
        answer = httpx.get(f"{running.prometheus.address}/api/v1/rules", timeout=60).json()
        found: list[dict[str, Any]] = answer["data"]["groups"]
        return found

    rules = [rule for group in seen(groups, _evaluated) for rule in group["rules"]]
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert len(rules) > 80


def _evaluated(groups: list[dict[str, Any]]) -> bool:
    """Return whether the groups that are evaluated at each scrape have been; of others the first time may be later."""
    often = [group for group in groups if group["interval"] <= SCRAPE_SECONDS]
    return all(rule["health"] != "unknown" for group in often for rule in group["rules"])


# ---------------------------------------------------------------- the same in VictoriaMetrics


def test_the_same_rules_give_the_same_numbers_in_victoriametrics(running: Wide) -> None:
    at = time.time() - SETTLED_SECONDS
    newest = f'count(timestamp(up{{job="driftgauge"}}) >= {at:.3f})'
    seen(functools.partial(running.victoria.value, newest), lambda found: found == SERVERS)
    different = []
    with httpx.Client(timeout=60) as client:
        for name, expr in expressions(running):
            first, second = (numbers(client, own, expr, at) for own in (running.prometheus, running.victoria))
            same = first.keys() == second.keys() and (
                OVER_TIME.search(expr)
                or all(np.isclose(first[own], second[own], rtol=1e-9, equal_nan=True) for own in first)
            )
            if not same:
                different.append(name)
    assert different == []


def expressions(running: Wide) -> Iterator[tuple[str, str]]:
    """Yield the rules that are loaded, by their names."""
    for kind in ("rules", "alerts"):
        text = (running.folder / "prometheus" / kind / "driftgauge.yml").read_text()
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                yield rule.get("record") or rule["alert"], rule["expr"]


def numbers(client: httpx.Client, store: Prometheus, expr: str, at: float) -> Found:
    answer = client.post(f"{store.address}/api/v1/query", data={"query": expr, "time": f"{at:.3f}"}).json()
    assert answer["status"] == "success", f"{expr}: {answer}"
    return {
        frozenset((name, value) for name, value in own["metric"].items() if name != "__name__"): float(own["value"][1])
        for own in answer["data"]["result"]
    }


def test_vmalert_reads_the_recording_rules(running: Wide, victoria: Victoria) -> None:
    rules = running.folder / "prometheus" / "rules" / "driftgauge.yml"
    done = subprocess.run([victoria.alert, "-dryRun", f"-rule={rules}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- one table


def replicas(store: Prometheus, *options: str) -> tuple[int, dict[str, Any]]:
    done = run("replicas", "--prometheus", store.address, "--json", *options)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_server_that_is_killed_is_named(running: Wide) -> None:
    """The last of this file: it kills a server."""
    for store in (running.prometheus, running.victoria):
        code, found = replicas(store, "--match", 'job="driftgauge"')
        (model,) = found["models"]
        assert (model["model_name"], model["servers_up"], model["workers"]) == ("wide", SERVERS, SERVERS * WORKERS)
        assert model["rows"] == SERVERS * ROWS
        assert (code, {own["kind"] for own in found["findings"]}) == (1, {"drift"})
        assert replicas(store, "--ignore", "drift")[0] == 0
    killed = running.servers[2]
    killed.kill()
    for store in (running.prometheus, running.victoria):
        seen(functools.partial(store.ask, f'up{{instance="{killed.target}"}} == 0'))
        _, found = replicas(store, "--ignore", "drift")
        (finding,) = found["findings"]
        assert (finding["kind"], finding["servers"]) == ("server_down", [killed.target])
        (model,) = found["models"]
        assert (model["servers_up"], len(model["servers"])) == (SERVERS - 1, SERVERS)
    shown = run("replicas", "--prometheus", running.prometheus.address, "--ignore", "drift")
    assert shown.returncode == 1
    assert f"missing {killed.target}, which had wide, does not answer" in shown.stdout
