"""Recording rules over real servers: what they record is the formula on what was scraped."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pytest
from driftgauge.alerting.options import REPLICA_WINDOWS, MonitoringOptions, milliseconds
from driftgauge.alerting.render import write
from driftgauge.alerting.rules import REPLICAS_MISSING, REPLICAS_PSI, ROWS_INCREASE
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs
from driftgauge.drift.bins import MISSING

from tests.e2e.monitored import FEATURES, Prometheus, Server, await_answer, make_bundle, rows, seen, server
from tests.e2e.processes import free_port
from tests.e2e.programs import needs_servers

pytestmark = [pytest.mark.e2e, needs_servers]

SHIFTED: Final = FEATURES[-1]
COUNTS: Final = "model_feature_bin_rows_total"
IN_FLIGHT_SECONDS: Final = 0.25
"""A scrape that began so shortly before an evaluation may not have been stored by then."""

Points = np.ndarray[tuple[int, int], np.dtype[np.float64]]
"""Times and values of a series' samples."""
Increases = Mapping[str, Mapping[str, float]]
"""Rows by feature and bin."""


@dataclass(frozen=True)
class Replicas:
    """Two replicas of one model version, a server of the next one, and who scrapes them."""

    prometheus: Prometheus
    since: float
    """When all traffic had been scraped."""


# ---------------------------------------------------------------- the formula, by hand


def increase(points: Points, end: float, seconds: float) -> float:
    """Return what `increase` is documented to: resets added up, extrapolated to the ends of the range."""
    if len(points) < 2:
        return float("nan")
    times, values = points.T
    grown = recount(points)
    covered = times[-1] - times[0]
    spacing = covered / (len(points) - 1)
    to_start, to_end = times[0] - (end - seconds), end - times[-1]
    if grown > 0:  # a counter is not below zero
        to_start = min(to_start, covered * values[0] / grown)
    reach = covered + sum(gap if gap < 1.1 * spacing else spacing / 2 for gap in (to_start, to_end))
    return float(grown * reach / covered)


def recount(points: Points) -> float:
    """Return how much a counter grew from its first sample to its last: after a reset, all of it is new."""
    values = points[:, 1]
    before, after = values[:-1], values[1:]
    return float(np.where(after < before, after, after - before).sum())


def psi(counts: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """Return PSI with shares clipped at 1e-4."""
    rows = sum(counts.values())
    p = np.maximum([counts[name] / rows for name in reference], 1e-4)
    q = np.maximum(list(reference.values()), 1e-4)
    return float(((p - q) * np.log(p / q)).sum())


# ---------------------------------------------------------------- the servers


@pytest.fixture(scope="module")
def replicas(servers: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Give replicas that have seen traffic: one replica was restarted in between, on its port."""
    folder = tmp_path_factory.mktemp("replicas")
    bundles = {version: make_bundle(folder / version, version) for version in ("7", "8")}
    ports = [free_port() for _ in range(4)]
    options = MonitoringOptions(
        scrape_interval="500ms",
        window="2s",
        targets=tuple(f"127.0.0.1:{port}" for port in ports[:3]),
        prometheus=f"127.0.0.1:{ports[3]}",
    )
    write(options, folder)
    with contextlib.ExitStack() as started:
        first, second, newer = (
            started.enter_context(server(bundles[version], port, folder / f"{port}.log"))
            for version, port in zip(("7", "7", "8"), ports[:3], strict=True)
        )
        await_answer(first, second, newer)
        address = started.enter_context(
            stack.prometheus(
                servers.prometheus,
                folder / "prometheus",
                folder / "data",
                Endpoint(ports[3]),
                folder / "prometheus.log",
            )
        )
        prometheus = Prometheus(address)
        too_few_rows_have_no_psi(prometheus, first, second)
        first.send(rows(3, 2_000, shift=0.4))
        second.send(rows(4, 1_000, missing=0.1))
        newer.send(rows(5, 1_200, shift=1.0))
        scraped(prometheus, {first: 2_150, second: 1_150, newer: 1_200})
        second.kill()
        restarted = started.enter_context(server(bundles["7"], ports[1], folder / "restarted.log"))
        await_answer(restarted)
        # A counter that outgrew its last value between two scrapes would not look like a restart.
        scraped(prometheus, {restarted: 0})
        restarted.send(rows(6, 1_500, shift=-0.3, missing=0.2))
        scraped(prometheus, {first: 2_150, restarted: 1_500, newer: 1_200})
        yield Replicas(prometheus, time.time())


def too_few_rows_have_no_psi(prometheus: Prometheus, first: Server, second: Server) -> None:
    """Send too few rows for a verdict, and check that there is none."""
    # After so many samples extrapolation adds little to what was counted.
    seen(lambda: prometheus.ask(f"min(count_over_time({COUNTS}[5m])) >= 12"))
    for each in (first, second):
        each.send(rows(1, 150))
    scraped(prometheus, {first: 150, second: 150})
    for window in REPLICA_WINDOWS:
        counted_in(prometheus, f'min({ROWS_INCREASE}{window}{{model_version="7"}})')
        for record in (REPLICAS_PSI, REPLICAS_MISSING):
            assert prometheus.ask(f"count_over_time({record}{window}[5m])") == []


def counted_in(prometheus: Prometheus, query: str) -> None:
    seen(lambda: prometheus.value(query), lambda value: 299 < value < 450)


def scraped(prometheus: Prometheus, counted: Mapping[Server, int]) -> None:
    """Wait until Prometheus has each server's rows."""
    query = f'sum by (instance) ({COUNTS}{{feature_name="{SHIFTED}"}})'
    wanted = {each.target: float(count) for each, count in counted.items()}
    seen(
        lambda: {series["metric"]["instance"]: float(series["value"][1]) for series in prometheus.ask(query)},
        lambda found: wanted.items() <= found.items(),
    )


# ---------------------------------------------------------------- what is recorded

Samples = Mapping[str, list[tuple[str, str, Points]]]
"""By replica: features, bins and what was scraped of them."""


@pytest.mark.long
@pytest.mark.parametrize("window", REPLICA_WINDOWS)
@pytest.mark.parametrize("version", ["7", "8"])
def test_psi_and_missing_ratio_are_the_formula_on_what_was_scraped(
    replicas: Replicas, version: str, window: str
) -> None:
    at, recorded = settled(replicas, REPLICAS_PSI + window, version)
    missing = sampled(replicas.prometheus, REPLICAS_MISSING + window, version, at)
    reference = references(replicas.prometheus, version)
    assert set(FEATURES) < recorded.keys() == missing.keys() == reference.keys()
    samples = raw(replicas.prometheus, window, version, at)
    assert len(samples) == {"7": 2, "8": 1}[version]
    seconds = milliseconds(window) / 1_000
    apart = []
    for seen_then in as_stored(samples, at):
        counts = summed(seen_then, lambda points: increase(points, at, seconds))
        apart.append(distance(counts, reference, recorded, missing))
    assert min(apart) < 1e-6
    # Extrapolation scales all bins of this one replica alike (each was scraped at zero first), so that its shares are
    # those of a plain recount. Several replicas weigh differently, by the time since each one's last sample.
    if version == "8":
        assert distance(summed(samples, recount), reference, recorded, missing) < 1e-9
    assert recorded[SHIFTED] > 0.02


@pytest.mark.long
@pytest.mark.parametrize("window", REPLICA_WINDOWS)
def test_versions_stay_apart_and_a_restart_loses_nothing(replicas: Replicas, window: str) -> None:
    for version, sent in (("7", 2_150 + 1_150 + 1_500), ("8", 1_200)):
        at, _ = settled(replicas, REPLICAS_PSI + window, version)
        counted = sampled(replicas.prometheus, ROWS_INCREASE + window, version, at)
        assert counted[SHIFTED] == pytest.approx(sent, rel=0.1)
        assert (
            sum(
                recount(points)
                for name, _, points in flat(raw(replicas.prometheus, window, version, at))
                if name == SHIFTED
            )
            == sent
        )


def settled(replicas: Replicas, record: str, version: str) -> tuple[float, dict[str, float]]:
    """Return a recorded value of each feature, and when it was recorded: after all traffic was scraped."""
    query = f'{record}{{model_version="{version}"}}[1m]'

    def last() -> dict[str, tuple[float, float]]:
        found = replicas.prometheus.ask(query)
        return {
            series["metric"]["feature_name"]: (series["values"][-1][0], float(series["values"][-1][1]))
            for series in found
        }

    found = seen(
        last, lambda each: {at for at, _ in each.values()} and min(at for at, _ in each.values()) > replicas.since
    )
    (at,) = {at for at, _ in found.values()}
    return at, {name: value for name, (_, value) in found.items()}


def sampled(prometheus: Prometheus, record: str, version: str, at: float) -> dict[str, float]:
    """Return what was recorded at exactly that time, by feature.

    Rules of a group are stored one after another: one of them may be there some time before the next.
    """
    found = seen(
        lambda: prometheus.ask(f'{record}{{model_version="{version}"}}[10s]', at),
        lambda series: series and all(own["values"][-1][0] == at for own in series),
    )
    return {series["metric"]["feature_name"]: float(series["values"][-1][1]) for series in found}


def references(prometheus: Prometheus, version: str) -> dict[str, dict[str, float]]:
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for series in prometheus.ask(f'model_feature_reference_ratio{{model_version="{version}"}}'):
        labels = series["metric"]
        shares[labels["feature_name"]][labels["bin"]] = float(series["value"][1])
    return dict(shares)


def raw(prometheus: Prometheus, window: str, version: str, at: float) -> Samples:
    """Return the scraped counts of a window, by replica."""
    samples: dict[str, list[tuple[str, str, Points]]] = defaultdict(list)
    for series in prometheus.ask(f'{COUNTS}{{model_version="{version}"}}[{window}]', at):
        labels, points = series["metric"], np.array(series["values"], dtype=np.float64)
        samples[labels["instance"]].append((labels["feature_name"], labels["bin"], points))
    return dict(samples)


def as_stored(samples: Samples, at: float) -> Iterator[Samples]:
    """Yield what the evaluation may have found: with or without the samples of scrapes that had just begun."""
    choices = []
    for replica, series in samples.items():
        late = at - series[0][2][-1, 0] < IN_FLIGHT_SECONDS
        without = [(feature, name, points[:-1]) for feature, name, points in series]
        choices.append([(replica, series), *([(replica, without)] if late else [])])
    for choice in itertools.product(*choices):
        yield dict(choice)


def flat(samples: Samples) -> Iterator[tuple[str, str, Points]]:
    return itertools.chain.from_iterable(samples.values())


def summed(samples: Samples, grown: Callable[[Points], float]) -> Increases:
    """Return by how much the bins of all replicas together grew."""
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for feature, name, points in flat(samples):
        counts[feature][name] += grown(points)
    return counts


def distance(
    counts: Increases,
    reference: Mapping[str, Mapping[str, float]],
    recorded: Mapping[str, float],
    missing: Mapping[str, float],
) -> float:
    """Return the largest difference of any feature's PSI or missing ratio from what was recorded."""
    return max(
        max(
            abs(psi(counts[feature], reference[feature]) - recorded[feature]),
            abs(counts[feature][MISSING] / sum(counts[feature].values()) - missing[feature]),
        )
        for feature in recorded
    )
