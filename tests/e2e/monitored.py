"""Servers with Prometheus and Alertmanager beside them, all real, for tests of what is told and recorded."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, Final, TypeVar

import httpx
import numpy as np
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.create import create_bundle
from sklearn.ensemble import HistGradientBoostingClassifier

from tests.e2e.processes import answers, running, until
from tests.messages import Broker

FEATURES: Final = tuple(f"f{i}" for i in range(12))
MODEL: Final = "coin"
ENV: Final = {
    "DRIFTGAUGE_WINDOWS": "1000,2000",
    "DRIFTGAUGE_EVALUATION_REST_FACTOR": "0",
    "DRIFTGAUGE_LEARNING_SECONDS": "0",
    # As if each server had a machine of its own: on one bundle they would share their state.
    "DRIFTGAUGE_STATE_DIR": "memory",
}
LIMITS: Final = '[0.6, 0.55], "above": [0.98, 0.99]'
TRUTH: Final = {
    "DRIFTGAUGE_CLOCK": "event",  # rows of hours ago are in the cohort of that hour, which is over
    "DRIFTGAUGE_PREDICTION_LOG_DURABILITY": "acknowledged",  # so labels find their predictions at once
    "DRIFTGAUGE_LABEL_MATURITY_SECONDS": "0",
    "DRIFTGAUGE_PERFORMANCE_INTERVAL_SECONDS": "1",
    "DRIFTGAUGE_PERFORMANCE_FLOORS": "accuracy=0.5,roc_auc=0.5",
    "DRIFTGAUGE_PERFORMANCE_SEGMENTS": FEATURES[-2],
    "DRIFTGAUGE_OUTCOMES": f'{{"click": {{"kind": "event", "below": {LIMITS}}}}}',
}
"""Settings of the server that gets ground truth."""
ROWS: Final = {
    "DRIFTGAUGE_OUTLIERS": "true",
    "DRIFTGAUGE_MULTIVARIATE": "verdict",
    "DRIFTGAUGE_MULTIVARIATE_INTERVAL_SECONDS": "5",
    "DRIFTGAUGE_ATTRIBUTION_SECONDS": "5",
}
"""Settings of the server that looks at rows as a whole."""
HOURS_AGO: Final = 3 * 3_600.0
SECONDS: Final = 60.0
"""Longest wait for anything."""

Rows = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Seen = TypeVar("Seen")


# ---------------------------------------------------------------- waiting


def seen(look: Callable[[], Seen], wanted: Callable[[Seen], Any] = bool, also: object = "") -> Seen:
    """Look until it is what is wanted, and return it; fails with what was seen last, and `also`."""
    deadline = time.monotonic() + SECONDS
    while True:
        last = look()
        if wanted(last):
            return last
        assert time.monotonic() < deadline, f"last seen: {last}\n{also}"
        time.sleep(0.05)


def stays(look: Callable[[], Any], seconds: float, also: object = "") -> None:
    """Check that nothing is seen for a while; fails with what is, and `also`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        assert not found, f"seen: {found}\n{also}"
        time.sleep(0.05)


# ---------------------------------------------------------------- the server


def rows(seed: int, count: int, *, shift: float = 0.0, missing: float = 0.0) -> Rows:
    """Rows like the reference; `shift` moves the last feature, `missing` is the share without it; one is discrete."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, len(FEATURES)))
    x[:, -2] = np.round(x[:, -2])
    x[:, -1] += shift
    x[rng.random(count) < missing, -1] = np.nan
    return x


def make_bundle(folder: Path, version: str, name: str = MODEL) -> Path:
    """Make the bundle, with kept rows, of a model that accepts missing values and looks at its first feature only."""
    rng = np.random.default_rng(0)
    x = rows(0, 3_000)
    y = (x[:, 0] + 0.5 * rng.normal(size=len(x)) > 0).astype(np.int64)
    model = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=6, random_state=0).fit(x[:2_000], y[:2_000])
    table = {**{name: x[:, i] for i, name in enumerate(FEATURES)}, "y": y}
    reference, held_out = (
        {name: column[part] for name, column in table.items()} for part in (slice(0, 2_000), slice(2_000, None))
    )
    kept = BaselineOptions(keep_rows=1_000)
    create_bundle(model, reference, "y", name=name, version=version, out=folder, evaluation=held_out, options=kept)
    return folder


@dataclass(frozen=True)
class Server:
    """A running `driftgauge serve`."""

    process: Popen[bytes]
    log: Path
    target: str

    @property
    def address(self) -> str:
        return f"http://{self.target}"

    def send(self, x: Rows, at: float | None = None, model: str | None = None) -> list[str]:
        """Have rows predicted in one request, of now or of a time, and return the ids of their predictions.

        The model is named where there are several.
        """
        data = [[None if np.isnan(value) else value for value in row] for row in x.tolist()]
        timed = {} if at is None else {"timestamps": [at] * len(data)}
        path = "/predict" if model is None else f"/models/{model}/predict"
        answer = httpx.post(f"{self.address}{path}", json={"data": data, **timed}, timeout=SECONDS)
        return [own["prediction_id"] for own in answer.raise_for_status().json()["predictions"]]

    def label(self, ids: Sequence[str], model: str | None = None) -> int:
        """Send ground truth that has nothing to do with features, in one request; return of how many predictions.

        Every tenth has none.
        """
        known = [
            {"prediction_id": own, "label": i % 3 == 0, "outcomes": {"click": i % 4 > 0}}
            for i, own in enumerate(ids)
            if i % 10
        ]
        asked = {} if model is None else {"model": model}
        httpx.post(f"{self.address}/labels", params=asked, json=known, timeout=SECONDS).raise_for_status()
        return len(known)

    def ingest(self, x: Rows, model: str) -> None:
        """Send rows that another server predicted: a record that cannot be read among them, and a request alone."""
        logged = [{"features": row, "prediction": 0.5} for row in x.tolist()]
        event = {"ce-id": "alone", "ce-type": "org.kubeflow.serving.inference.request"}
        httpx.post(f"{self.address}/ingest/{model}", json=[*logged, {}], timeout=SECONDS).raise_for_status()
        address, body = f"{self.address}/ingest/cloudevents?model={model}", {"instances": x[:1].tolist()}
        httpx.post(address, headers=event, json=body, timeout=SECONDS).raise_for_status()

    def load(self, model: str, bundle: Path, mode: str = "live") -> None:
        """Have another version of a model answer in place of the live one, or predict the same rows unseen."""
        body = {"bundle": str(bundle), "reason": "a test", "mode": mode}
        answer = httpx.post(f"{self.address}/models/{model}/versions", json=body, timeout=SECONDS)
        answer.raise_for_status()

    def kill(self) -> None:
        """End it at once, by its id."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=SECONDS)


@contextlib.contextmanager
def server(bundle: Path, port: int, log: Path, *beside: Path, **env: str) -> Iterator[Server]:
    """Serve a bundle, and those beside it, while the block runs; does not wait until it answers.

    `env` comes before ENV.
    """
    bundles = [option for own in (bundle, *beside) for option in ("--bundle", str(own))]
    with running_server(bundles, port, log, **env) as own:
        yield own


@contextlib.contextmanager
def running_server(options: Sequence[str], port: int, log: Path, **env: str) -> Iterator[Server]:
    """Run `driftgauge serve` with these options while the block runs, as `server` does."""
    with _running(("serve", *options), port, log, env) as own:
        yield own


@dataclass(frozen=True)
class Stream:
    """A topic of one partition, and the model of its messages."""

    kafka: Broker
    topic: str
    model: str

    def send(self, x: Rows, *, first: int = 0) -> None:
        """Send rows as predictions that another server made, `first` is the number of those before."""
        messages = [
            json.dumps({"features": dict(zip(FEATURES, row, strict=True)), "prediction": 0.5}).encode()
            for row in x.tolist()
        ]
        self.kafka.send(self.topic, messages, 1, first=first)


@contextlib.contextmanager
def consumer(stream: Stream, port: int, log: Path, *model: str, **env: str) -> Iterator[Server]:
    """Consume a topic that there is while the block runs, with further arguments that say which model it is of."""
    kafka = ("--brokers", stream.kafka.address, "--topic", stream.topic, "--from-beginning")
    with _running(("consume", *kafka, "--model", stream.model, *model), port, log, env) as own:
        yield own


@contextlib.contextmanager
def _running(arguments: Sequence[str], port: int, log: Path, env: Mapping[str, str]) -> Iterator[Server]:
    with running(*arguments, "--port", str(port), log=log, env={**ENV, **env}) as process:
        yield Server(process, log, f"127.0.0.1:{port}")


def await_answer(*servers: Server) -> None:
    """Wait until all are ready."""
    for each in servers:
        until(lambda each=each: answers(each.address), each.process, each.log)


# ---------------------------------------------------------------- Prometheus and Alertmanager


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    address: str

    def ask(self, query: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return what a query finds: series with their value, or values."""
        parameters = {"query": query, **({} if at is None else {"time": f"{at:.3f}"})}
        answer = httpx.get(f"{self.address}/api/v1/query", params=parameters, timeout=SECONDS).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def value(self, query: str) -> float:
        """Return the sum of what a query finds, zero for nothing."""
        return sum(float(series["value"][1]) for series in self.ask(query))

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Alerts with these labels, pending or firing."""
        found = httpx.get(f"{self.address}/api/v1/alerts", timeout=SECONDS).json()["data"]["alerts"]
        return [alert for alert in found if labels.items() <= alert["labels"].items()]

    def rules(self) -> set[str]:
        """Names of the rules that are loaded."""
        groups = httpx.get(f"{self.address}/api/v1/rules", timeout=SECONDS).json()["data"]["groups"]
        return {rule["name"] for group in groups for rule in group["rules"]}


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    address: str

    def alerts(self, *names: str) -> list[dict[str, Any]]:
        """Alerts of these names that have not ended, whether told or suppressed."""
        found = httpx.get(f"{self.address}/api/v2/alerts", timeout=SECONDS).json()
        return [alert for alert in found if alert["labels"]["alertname"] in names]

    def states(self, *names: str) -> set[str]:
        """What becomes of these alerts: unprocessed, active or suppressed."""
        return {alert["status"]["state"] for alert in self.alerts(*names)}
