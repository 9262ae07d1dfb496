"""How long large and hostile bodies hold up the others: the event loop by a timer, small requests, and answers of 503.

Each body is sent by a few clients again and again, beside clients of single rows, and beside the
same run without it.
"""

from __future__ import annotations

import http.client
import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import orjson
import typer
from driftgauge.drift.bins import FloatArray

from benchmarks.contestants.catalogue import environment
from benchmarks.measuring import number, table
from benchmarks.processes import free_port, last_lines, stop
from benchmarks.serving_models import LOGISTIC, Fitted, fit

FEATURES: Final = 30
ROWS: Final = 10_000
LARGE_CLIENTS: Final = 2
OVERLOAD_CLIENTS: Final = 50
SMALL_CLIENTS: Final = 4
PAUSE_SECONDS: Final = 0.003
REFUSED_SECONDS: Final = 1.0
"""How long a client waits that was answered 503, as its `Retry-After` asks."""
SERVER: Final = Path(__file__).with_name("stalls_server.py")
PREDICT: Final = "/predict"
INFER: Final = "/v2/models/model/infer"
HEADS: Final = (
    *("body", "MB", "timer p50, ms", "p99.9", "max", "own p99.9"),
    *("single row p50, ms", "p99", "max", "answers of 200 a second", "large bodies: answers, median ms"),
)


@dataclass(frozen=True)
class Case:
    """What a number of clients sends."""

    name: str
    path: str
    body: bytes
    clients: int = LARGE_CLIENTS


@dataclass
class Times:
    """What clients of one kind saw, and for how long they asked until the last had its answer."""

    asked_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)
    by_status: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.seconds.append(seconds)
        self.by_status.setdefault(status, []).append(seconds)


def cases(rows: FloatArray, names: Sequence[str]) -> Iterator[Case]:
    """Yield hostile bodies, then honest ones, then more of these than can be taken."""
    yield Case("brackets", PREDICT, b"[" * 8_000_000)
    yield Case("100,000 levels", PREDICT, b'{"features":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    yield Case("2.7 million empty lists", PREDICT, b'{"data":[' + b",".join([b"[]"] * 2_700_000) + b"]}")
    yield Case("600,000 unknown keys", PREDICT, orjson.dumps({"features": {}, **{f"k{k}": 1 for k in range(600_000)}}))
    yield Case("4 million numbers in a row", PREDICT, b'{"features":[' + b",".join([b"1"] * 4_000_000) + b"]}")
    yield Case("a text of escapes", PREDICT, b'{"features":["' + b"\\u00e9" * 1_300_000 + b'"]}')
    objects = [dict(zip(names, row, strict=True)) for row in rows.tolist()]
    lists = orjson.dumps({"data": rows.tolist()})
    yield Case("10,000 rows, lists", PREDICT, lists)
    yield Case("10,000 rows, objects", PREDICT, orjson.dumps({"instances": objects}))
    shape = {"shape": list(rows.shape), "datatype": "FP64"}
    yield Case("one tensor", INFER, orjson.dumps({"inputs": [{"name": "x", **shape, "data": rows.ravel().tolist()}]}))
    tensors = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": column.tolist()}
        for name, column in zip(names, rows.T, strict=True)
    ]
    yield Case("a tensor for each feature", INFER, orjson.dumps({"inputs": tensors}))
    yield Case("10,000 rows of 50 clients", PREDICT, lists, OVERLOAD_CLIENTS)


# ---------------------------------------------------------------- clients and server


def asking(port: int, path: str, body: bytes, until: float, times: Times, pause: float) -> None:
    """Send a body again and again."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120.0)
    while time.perf_counter() < until:
        began = time.perf_counter()
        connection.request("POST", path, body)
        response = connection.getresponse()
        response.read()
        times.add(response.status, time.perf_counter() - began)
        time.sleep(REFUSED_SECONDS if response.status == http.client.SERVICE_UNAVAILABLE else pause)
    connection.close()


@dataclass(frozen=True)
class Watched:
    """A server that runs, and the timer of its event loop."""

    port: int
    process: subprocess.Popen[bytes]

    def late(self) -> FloatArray:
        """Return how late the timer was since the last time, and its own part of that, in seconds, shape [n, 2]."""
        asked, told = self.process.stdin, self.process.stdout
        assert asked is not None
        assert told is not None
        asked.write(b"\n")
        asked.flush()
        return np.array(orjson.loads(told.readline())).reshape(-1, 2)


@contextmanager
def served(fitted: Fitted, root: Path, folder: Path) -> Iterator[Watched]:
    """Serve a bundle with the `app` of a folder."""
    port, log = free_port(), folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(fitted.bundle), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment({"PYTHONPATH": str(root)}),
            start_new_session=True,
        )
    try:
        until_answered(port, process, log)
        yield Watched(port, process)
    finally:
        stop(process)


def until_answered(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server is ready; RuntimeError with the end of its log if it is not."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"the server does not answer:\n{last_lines(log)}")


def measured(server: Watched, case: Case | None, small: bytes, seconds: float) -> tuple[FloatArray, Times, Times]:
    """Return how late the timer was, and what clients of single rows and of large bodies saw."""
    ones, large = Times(), Times()
    began = time.perf_counter()
    until = began + seconds
    clients = [(PREDICT, small, ones, PAUSE_SECONDS)] * SMALL_CLIENTS
    clients += [(case.path, case.body, large, 0.0)] * case.clients if case else []
    threads = [
        threading.Thread(target=asking, args=(server.port, path, body, until, times, pause))
        for path, body, times, pause in clients
    ]
    server.late()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ones.asked_seconds = large.asked_seconds = time.perf_counter() - began
    return server.late(), ones, large


# ---------------------------------------------------------------- the report


def row_of(case: Case | None, late: FloatArray, ones: Times, large: Times) -> list[str]:
    """Return a row of the table."""
    answers = ", ".join(
        f"{len(own):,} × {status} in {np.median(own) * 1e3:,.0f}" for status, own in sorted(large.by_status.items())
    )
    good = len(large.by_status.get(http.client.OK, ()))
    return [
        case.name if case else "none",
        number(len(case.body) / 1e6 if case else None, 1),
        *(number(value, 1) for value in milliseconds(late[:, 0], 50, 99.9, 100)),
        *(number(value, 1) for value in milliseconds(late[:, 1], 99.9)),
        *(number(value, 1) for value in milliseconds(ones.seconds, 50, 99, 100)),
        number(good / large.asked_seconds if good else None, 1),
        answers or "–",
    ]


def milliseconds(seconds: Sequence[float] | FloatArray, *percentiles: float) -> list[float | None]:
    """Return percentiles in milliseconds; None of nothing."""
    return [float(np.percentile(seconds, own)) * 1e3 if len(seconds) else None for own in percentiles]


def main(
    seconds: Annotated[float, typer.Option(help="How long each body is sent.", min=1.0)] = 8.0,
    only: Annotated[str, typer.Option(help="Only bodies whose name has this in it.")] = "",
    root: Annotated[Path, typer.Option(help="The folder whose `app` serves, for a comparison.")] = SERVER.parents[1],
    seed: Annotated[int, typer.Option(help="Of the data.")] = 1,
) -> None:
    """Measure how long large and hostile bodies hold up the others."""
    print(f"Python {platform.python_version()}, numpy {np.__version__}, orjson {orjson.__version__}; seed {seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fitted = fit(LOGISTIC, FEATURES, folder / "model", seed=seed)
        rows = np.random.default_rng(seed).normal(size=(ROWS, FEATURES))
        small = json.dumps({"features": fitted.rows[0].tolist()}).encode()
        chosen = [case for case in cases(rows, fitted.names) if only in case.name]
        found = []
        with served(fitted, root.resolve(), folder) as server:
            measured(server, None, small, 1.0)
            for case in [None, *chosen]:
                found.append(row_of(case, *measured(server, case, small, seconds)))
                print(" | ".join(found[-1]), file=sys.stderr, flush=True)
    print(
        table(
            f"The event loop beside large bodies: a timer of 5 ms, {SMALL_CLIENTS} clients of single rows", HEADS, found
        )
    )


if __name__ == "__main__":
    typer.run(main)
