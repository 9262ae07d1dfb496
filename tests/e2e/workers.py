"""A service of several workers, as its clients and its operator see it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.windows.blocks import counted_blocks
from driftgauge.main import compose
from driftgauge.models.bundle import load_bundle, read_baseline
from driftgauge.models.creation.create import create_bundle
from driftgauge.settings.options import Settings
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import LogisticRegression

from tests.e2e.processes import answers, free_port, running, until
from tests.served import total

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
EVERYTHING = 150_000
"""A window that forgets nothing that a test sends."""
ROWS = 4
"""Of each request."""
STEP = 50
"""Rows of a block of evidence."""
PAUSE_SECONDS = 0.05
"""Between an answer and the next request: the machine has workers to start."""


@dataclass(frozen=True)
class Service:
    """A supervisor and its workers on a port of 127.0.0.1."""

    supervisor: subprocess.Popen[bytes]
    address: str
    log: Path
    connections: contextlib.ExitStack

    def pids(self) -> list[int]:
        """The workers that run, whether they answer yet or not."""
        return [pid for server in self.fork_servers() for pid in _children(server)]

    def fork_servers(self) -> list[int]:
        """The fork servers that run: two while a reload prepares the next one."""
        return [pid for pid in _children(self.supervisor.pid) if "spawn_main" in _command(pid)]

    def clients(self, workers: int, seconds: float = 60.0) -> dict[int, httpx.Client]:
        """A connection to each worker, by its slot."""
        found: dict[int, httpx.Client] = {}
        deadline = time.monotonic() + seconds
        while len(found) < workers:
            assert time.monotonic() < deadline, f"only slots {sorted(found)} answer\n{self.log.read_text()}"
            lasting = httpx.Limits(keepalive_expiry=None)  # a new connection may reach another worker
            client = self.connections.enter_context(httpx.Client(base_url=self.address, timeout=30.0, limits=lasting))
            with contextlib.suppress(httpx.TransportError):
                slot = client.get("/health").json()["worker"]["slot"]
                if found.setdefault(slot, client) is client:
                    continue
            client.close()
            time.sleep(0.01)
        return found

    def answering(self) -> int | None:
        """The process that answers a new connection, or None if it broke."""
        try:
            with httpx.Client(base_url=self.address, timeout=10.0) as client:
                pid: int = client.get("/health").json()["worker"]["pid"]
                return pid
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):  # but the port is open
            return None

    def samples(self) -> Samples:
        """Every sample of `/metrics`, by whichever worker."""
        with httpx.Client(base_url=self.address, timeout=30.0) as client:
            return samples_of(client.get("/metrics").text)


def samples_of(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@contextlib.contextmanager
def service(bundle: Path, state: Path, workers: int, log: Path, **settings: object) -> Iterator[Service]:
    """Run `driftgauge serve` while the block runs, then kill its remaining processes."""
    address = f"http://127.0.0.1:{free_port()}"
    env = {"DRIFTGAUGE_EVALUATION_REST_FACTOR": "0", **{f"DRIFTGAUGE_{k.upper()}": str(v) for k, v in settings.items()}}
    options = ("--bundle", str(bundle), "--state-dir", str(state), "--workers", str(workers))
    with running("serve", *options, "--port", address.rpartition(":")[2], log=log, env=env) as process:
        until(lambda: answers(address), process, log)
        with contextlib.ExitStack() as connections:
            yield Service(process, address, log, connections)


def stop(running: Service, number: int = signal.SIGTERM, seconds: float = 60.0) -> None:
    """Send the supervisor a signal, and wait until it and all of its workers are gone."""
    pids = [running.supervisor.pid, *running.fork_servers(), *running.pids()]
    os.kill(running.supervisor.pid, number)
    running.supervisor.wait(timeout=seconds)
    deadline = time.monotonic() + seconds
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.02)


def reload(running: Service, seconds: float = 90.0) -> None:
    """Send SIGHUP, and wait until the workers of before are gone."""
    old = running.pids()
    running.supervisor.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + seconds
    while any(map(lives, old)):
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.1)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# ---------------------------------------------------------------- load


@dataclass
class Load:
    """Clients that predict one after another, and remember what was answered and what was not."""

    address: str
    seed: int
    clients: int = 3
    answered: list[FloatArray] = field(default_factory=list)
    unanswered: list[FloatArray] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        """Load the service while the block runs."""
        over = threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=(np.random.default_rng([self.seed, own]), over), daemon=True)
            for own in range(self.clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join(timeout=60.0)
            assert not any(thread.is_alive() for thread in threads)

    def _ask(self, generator: np.random.Generator, over: threading.Event) -> None:
        client = httpx.Client(base_url=self.address, timeout=30.0)
        while not over.wait(PAUSE_SECONDS):
            rows = generator.normal(size=(ROWS, 2))
            try:
                answer = client.post("/predict", json={"data": rows.tolist()})
            except httpx.TransportError:
                self.unanswered.append(rows)
                client.close()
                client = httpx.Client(base_url=self.address, timeout=30.0)
                over.wait(0.02)
                continue
            if answer.status_code == httpx.codes.OK:
                self.answered.append(rows)
            else:
                self.refused.append(answer.text)
        client.close()


class Watch:
    """Asks for metrics over and over, of whichever worker, and notes every count that goes back."""

    def __init__(self, running: Service) -> None:
        self._service = running
        self._last: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.scrapes = 0
        self.backwards: list[str] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[Watch]:
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(over,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join(timeout=60.0)

    def _look(self, over: threading.Event) -> None:
        while not over.wait(0.2):
            with contextlib.suppress(httpx.TransportError):
                self.look()

    def look(self) -> None:
        """Compare with what was told before; CPU time as a sum."""
        told = dict(self._service.samples())
        cpu = sum(value for (name, _), value in told.items() if name == "process_cpu_seconds_total")
        told["process_cpu_seconds_total", frozenset()] = cpu
        for key, value in told.items():
            if key[0].endswith(("_total", "_count", "_bucket")) and value < self._last.get(key, 0.0):
                self.backwards.append(f"{key}: {self._last[key]} → {value}")
        self._last.update(told)
        self.scrapes += 1


# ---------------------------------------------------------------- what must be true of it


def coin_bundle(folder: Path) -> Path:
    """Make the bundle of a model of two numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4_000, 2))
    y = (x[:, 0] + rng.normal(size=4_000) > 0).astype(np.int64)
    tables = [{"a": x[part, 0], "b": x[part, 1], "y": y[part]} for part in (slice(0, 2_000), slice(2_000, None))]
    model = LogisticRegression().fit(x[:2_000], y[:2_000])
    create_bundle(model, tables[0], "y", name="coin", version="1", out=folder, evaluation=tables[1])
    return folder


def _counts(bundle: Path, rows: list[FloatArray]) -> IntArray:
    """The rows in each bin of the two features, recounted."""
    baseline = read_baseline(bundle / "baseline.json")
    values = np.concatenate(rows) if rows else np.empty((0, 2))
    codes = baseline.binner.codes(np.column_stack([values, np.full(len(values), 0.5)]))
    return baseline.binner.counts(codes)[:2]


def _told(bundle: Path, samples: Samples) -> IntArray:
    """The rows in each bin of the two features, as the metrics tell."""
    baseline = read_baseline(bundle / "baseline.json")
    told = np.zeros((2, baseline.binner.width), dtype=np.int64)
    for place in range(2):
        for code, name in enumerate(baseline.bins[place].names):
            labels = {"feature_name": baseline.names[place], "bin": name}
            told[place, code] = total(samples, "model_feature_bin_rows_total", **labels)
    return told


def assert_nothing_answered_is_lost(bundle: Path, running: Service, load: Load) -> int:
    """Assert that all that was answered is counted, in counters, bins and window; returns the rows beyond that."""
    answered, broken = ROWS * len(load.answered), ROWS * len(load.unanswered)
    samples = running.samples()
    with httpx.Client(base_url=running.address, timeout=30.0) as client:
        status = client.get("/drift/status").json()
    beyond = status["rows_observed"] - answered
    assert 0 <= beyond <= broken
    assert answered <= total(samples, "model_predictions_total") <= answered + broken
    assert total(samples, "model_observations_total") == status["rows_observed"]
    assert status["windows"][str(EVERYTHING)]["rows"] == status["rows_observed"]
    assert status["windows"]["24h"]["rows"] == status["rows_observed"]
    more = _told(bundle, samples) - _counts(bundle, load.answered)
    assert more.min() >= 0
    assert more.sum(axis=1).tolist() == [beyond, beyond]
    return int(beyond)


def assert_evidence_is_a_recount(bundle: Path, state: Path) -> None:
    """Assert that every row is in the evidence once: it is that of the rows in the window, in their order.

    Which rows of several workers share a block makes a difference to the evidence, but a small one.
    """
    settings = Settings(bundle=bundle, state_dir=state, windows=(EVERYTHING,))
    monitoring = compose(settings, load_bundle(bundle), time.time).monitoring
    monitor = monitoring.model().monitor
    store = monitor.store
    monitor.catch_up(time.time())
    with store.evaluating():
        snapshot = store.snapshot(time.time())
    assert snapshot.observed == len(snapshot.rows) == store.rows == int(store.root.progress.head.total[0].sum())
    ends = np.arange(STEP, len(snapshot.rows) + 1, STEP)
    blocks = counted_blocks(
        monitor.baseline.binner, snapshot.rows.codes, ends, np.zeros_like(ends), np.zeros(len(ends))
    )
    detector = store.shape.detector
    np.testing.assert_allclose(
        store.root.progress.evidence.log10, detector.advance(detector.start(), blocks).log10, atol=0.5
    )
    store.leave()
