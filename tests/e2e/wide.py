"""Six servers with two workers and a hundred features each, one Prometheus, and VictoriaMetrics beside it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, Programs
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression

from tests.e2e.monitored import Prometheus, Rows, Server, running_server, seen
from tests.e2e.processes import answers, free_port, until
from tests.e2e.programs import Victoria

SERVERS: Final = 6
WORKERS: Final = 2
FEATURES: Final = tuple(f"f{i:03d}" for i in range(100))
ROWS: Final = 600
"""Rows of each server."""
REQUEST_ROWS: Final = 100
SECONDS: Final = 240.0
"""Longest wait for all servers, whose start takes long while other tests run."""
SCRAPE_SECONDS: Final = 10

Counts = Mapping[str, np.ndarray[tuple[int], np.dtype[np.int64]]]
"""Rows by bin, of each feature."""


@dataclass(frozen=True)
class Wide:
    """What runs, and the rows that were sent."""

    prometheus: Prometheus
    victoria: Prometheus
    servers: tuple[Server, ...]
    rows: Mapping[str, Rows]
    """By address of the server."""
    folder: Path
    """Of the rendered files, the bundle and the logs."""
    scraped_at: float
    """When all rows had been scraped."""

    @property
    def union(self) -> Rows:
        """All rows of all servers."""
        return np.concatenate(list(self.rows.values()))


def sent_to(number: int) -> Rows:
    """Rows for a server: each has others, so that no server's distribution is that of all."""
    rng = np.random.default_rng(100 + number)
    x = rng.normal(size=(ROWS, len(FEATURES)))
    x *= 1 + 0.1 * number
    x += np.linspace(0.0, 0.4, len(FEATURES)) * number
    x[:, 1] = np.round(x[:, 1])
    return x


def bundle_of(folder: Path) -> Path:
    """Make a bundle of a hundred features of which one is discrete."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, len(FEATURES)))
    x[:, 1] = np.round(x[:, 1])
    y = (x[:, 0] + rng.normal(size=len(x)) > 0).astype(np.int64)
    table = {**{name: x[:, i] for i, name in enumerate(FEATURES)}, "y": y}
    create_bundle(LogisticRegression().fit(x, y), table, "y", name="wide", version="1", out=folder, importances=False)
    return folder


def counted(bundle: Path, x: Rows) -> tuple[Counts, Mapping[str, tuple[str, ...]]]:
    """Return the rows of each bin by numpy, and the names of the bins: the edges are the baseline's."""
    counts, names = {}, {}
    columns = {own.name: own.bins for own in read_baseline(bundle / "baseline.json").columns}
    for i, name in enumerate(FEATURES):
        own = columns[name]
        names[name] = own.names
        edges, values = np.array(own.edges), x[:, i]
        if own.rule == "interval":
            codes = np.searchsorted(edges, values, side="left")
        else:  # one bin for each value, then above, unseen and missing
            found = np.searchsorted(edges, values, side="left")
            is_known = np.isin(values, edges)
            codes = np.where(values > edges[-1], len(edges) + 1, np.where(is_known, found + 1, len(edges) + 2))
            codes = np.where(values < edges[0], 0, codes)
        counts[name] = np.bincount(codes, minlength=len(own.names)).astype(np.int64)
    return counts, names


@contextlib.contextmanager
def wide(programs: Programs, victoria: Victoria, folder: Path) -> Iterator[Wide]:
    """Run all of it while the block runs, which starts when all rows have been scraped."""
    bundle = bundle_of(folder / "bundle")
    with contextlib.ExitStack() as started:
        servers = _servers(started, bundle, folder)
        stored = started.enter_context(victoria.running(folder, free_port()))
        port = free_port()  # each is taken at once: others look for free ports too
        options = MonitoringOptions(
            scrape_interval=f"{SCRAPE_SECONDS}s",
            window="30s",
            targets=tuple(each.target for each in servers),
            prometheus=f"127.0.0.1:{port}",
        )
        write(options, folder)
        _also_write_to(folder / "prometheus" / "prometheus.yml", stored)
        own = folder / "prometheus", folder / "data", Endpoint(port), folder / "prometheus.log"
        prometheus = Prometheus(started.enter_context(stack.prometheus(programs.prometheus, *own)))
        _scraped(prometheus, dict.fromkeys(servers, 0))
        rows = {each.target: sent_to(number) for number, each in enumerate(servers)}
        for each in servers:
            for first in range(0, ROWS, REQUEST_ROWS):
                each.send(rows[each.target][first : first + REQUEST_ROWS])
        for at in (prometheus, Prometheus(stored)):
            _scraped(at, dict.fromkeys(servers, ROWS))
        yield Wide(prometheus, Prometheus(stored), servers, rows, folder, time.time())


def _servers(started: contextlib.ExitStack, bundle: Path, folder: Path) -> tuple[Server, ...]:
    options = ("--bundle", str(bundle), "--workers", str(WORKERS))
    servers = tuple(
        started.enter_context(
            running_server(
                options, free_port(), folder / f"{number}.log", DRIFTGAUGE_STATE_DIR=str(folder / f"state-{number}")
            )
        )
        for number in range(SERVERS)
    )
    for each in servers:
        until(functools.partial(answers, each.address), each.process, each.log, seconds=SECONDS)
    return servers


def _also_write_to(config: Path, stored: str) -> None:
    """Have a Prometheus send its samples to VictoriaMetrics too."""
    own = yaml.safe_load(config.read_text())
    queue = {"batch_send_deadline": "500ms", "max_shards": 2}
    own["remote_write"] = [{"url": f"{stored}/api/v1/write", "queue_config": queue}]
    config.write_text(yaml.safe_dump(own))


def _scraped(prometheus: Prometheus, rows: Mapping[Server, int]) -> None:
    query = f'sum by (instance) (model_feature_bin_rows_total{{feature_name="{FEATURES[0]}"}})'
    wanted = {each.target: float(count) for each, count in rows.items()}
    seen(
        lambda: {own["metric"]["instance"]: float(own["value"][1]) for own in prometheus.ask(query)},
        lambda found: found == wanted,
    )
