"""What others do with the same rows: each as its documentation shows it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, Histogram

from benchmarks.contestants.textbook import Textbook
from benchmarks.library_rows import SINGLE, Rows, Way, Work
from benchmarks.peers import TELEMETRY_OFF, quiet

Opening = Callable[[Rows], contextlib.AbstractContextManager[Work]]
EMPTY_ROUTE: Final = "FastAPI, an empty route"
FEW: Final = 100
"""Rows of one call of the work, where a row takes long."""
FEWEST: Final = 5
WHYLOGS_BATCHES: Final = (100, 10_000)
EVIDENTLY_BATCHES: Final = (1_000, 10_000)


def rival_ways() -> tuple[list[Way], dict[str, str]]:
    """Return the ways of others that can be imported, and by name why the others cannot."""
    os.environ.update(TELEMETRY_OFF)
    found = [
        Way("prometheus_client", "a Histogram for each column, dict", SINGLE, _histograms),
        Way("textbook monitor", "dict", FEWEST, _textbook),
        Way(EMPTY_ROUTE, "a request each, in process", SINGLE, _requests(None)),
    ]
    failed = dict[str, str]()
    for name, make in (
        ("prometheus-fastapi-instrumentator", _instrumentator),
        ("whylogs", _whylogs),
        ("evidently", _evidently),
        ("river", _river),
    ):
        try:
            with quiet():
                found += make(f"{name} {version(name)}")
        except Exception as error:  # an import runs the whole package: anything can go wrong in it
            failed[name] = f"{type(error).__name__}: {error}"
    return found, failed


def mixed_rival_ways() -> list[Way]:
    """Return the ways of others that also take categories."""
    return [way for way in rival_ways()[0] if way.who.startswith(("whylogs", "evidently"))]


@contextlib.contextmanager
def _histograms(rows: Rows) -> Iterator[Work]:
    family = Histogram("feature", "Values of a feature.", ["feature"], registry=CollectorRegistry())
    children = [(name, family.labels(name)) for name in rows.names]

    def work() -> None:
        for row in rows.dicts:
            for name, child in children:
                child.observe(row[name])

    yield work


@contextlib.contextmanager
def _textbook(rows: Rows) -> Iterator[Work]:
    monitor = Textbook(rows.names, CollectorRegistry())

    def work() -> None:
        for row, score in zip(rows.dicts[:FEWEST], rows.single_scores, strict=False):
            monitor.observe(row, score)

    yield work


# ---------------------------------------------------------------- requests


def _requests(instrument: Callable[[FastAPI], object] | None) -> Opening:
    """Return what answers requests to an empty route, without a server and without a body."""

    @contextlib.contextmanager
    def opened(_: Rows) -> Iterator[Work]:
        app = FastAPI()

        @app.post("/predict")
        async def predict() -> Response:
            return Response()

        if instrument:
            instrument(app)
        with asyncio.Runner() as runner:
            yield lambda: runner.run(_ask(app, SINGLE))

    return opened


async def _ask(app: FastAPI, requests: int) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    for _ in range(requests):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/predict",
            "raw_path": b"/predict",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"0")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await app(scope, receive, send)


def _instrumentator(name: str) -> list[Way]:
    make = import_module("prometheus_fastapi_instrumentator").Instrumentator
    way = _requests(lambda app: make(registry=CollectorRegistry()).instrument(app))
    return [Way(name, "an empty route of FastAPI, a request each, in process", SINGLE, way)]


# ---------------------------------------------------------------- whylogs


def _whylogs(name: str) -> list[Way]:
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    why = import_module("whylogs")
    profile = import_module("whylogs.core").DatasetProfile

    @contextlib.contextmanager
    def rolling(rows: Rows) -> Iterator[Work]:
        with tempfile.TemporaryDirectory() as folder, why.logger(mode="rolling", interval=1, when="H") as logger:
            logger.append_writer("local", base_dir=folder)
            yield lambda: [logger.log(row) for row in rows.dicts[:FEW]]

    @contextlib.contextmanager
    def logged(rows: Rows) -> Iterator[Work]:
        yield lambda: [why.log(row) for row in rows.dicts[:FEW]]

    @contextlib.contextmanager
    def tracked(rows: Rows) -> Iterator[Work]:
        own = profile()
        yield lambda: [own.track(row) for row in rows.dicts[:FEW]]

    ways = [
        Way(name, "why.log of a dict, a profile each", FEW, logged),
        Way(name, "DatasetProfile.track of a dict", FEW, tracked),
        Way(name, "rolling logger, dict", FEW, rolling),
    ]
    return [*ways, *(Way(name, f"why.log of a DataFrame of {n:,}", n, _logged(why, n)) for n in WHYLOGS_BATCHES)]


def _logged(why: Any, size: int) -> Opening:
    @contextlib.contextmanager
    def opened(rows: Rows) -> Iterator[Work]:
        frame = rows.frame(size)
        yield lambda: why.log(frame)

    return opened


# ---------------------------------------------------------------- evidently


def _evidently(name: str) -> list[Way]:
    report, preset = import_module("evidently").Report, import_module("evidently.presets").DataDriftPreset

    def reported(size: int) -> Opening:
        @contextlib.contextmanager
        def opened(rows: Rows) -> Iterator[Work]:
            frame, reference = rows.frame(size), rows.reference_frame
            with quiet():
                yield lambda: report([preset()]).run(frame, reference).dict()

        return opened

    reports = [Way(name, f"Report of a DataFrame of {n:,}", n, reported(n)) for n in EVIDENTLY_BATCHES]
    return [*reports, *_collector(name)]


def _collector(name: str) -> list[Way]:
    """Return what the collector service, which evidently keeps as legacy, does with what it was posted."""
    legacy = "evidently.legacy"
    storage_type = import_module(f"{legacy}.collector.storage").InMemoryStorage
    report = import_module(f"{legacy}.report").Report
    preset = import_module(f"{legacy}.metric_preset").DataDriftPreset

    def collected(size: int) -> Opening:
        @contextlib.contextmanager
        def opened(rows: Rows) -> Iterator[Work]:
            storage, posted, reference = storage_type(), rows.frame(size).to_dict(), rows.reference_frame
            storage.init("rows")

            def work() -> None:
                storage.append("rows", posted)
                report(metrics=[preset()]).run(reference_data=reference, current_data=storage.get_and_flush("rows"))

            with quiet():
                yield work

        return opened

    return [Way(name, f"collector (legacy), {n:,} rows posted at once", n, collected(n)) for n in EVIDENTLY_BATCHES]


# ---------------------------------------------------------------- river


def _river(name: str) -> list[Way]:
    drift = import_module("river.drift")

    def detecting(make: Callable[[], Any], count: int) -> Opening:
        @contextlib.contextmanager
        def opened(rows: Rows) -> Iterator[Work]:
            detectors = {column: make() for column in rows.names}

            def work() -> None:
                for row in rows.dicts[:count]:
                    for column, detector in detectors.items():
                        detector.update(row[column])

            with warnings.catch_warnings(action="ignore"):
                yield work

        return opened

    return [
        Way(name, "ADWIN for each column, dict", FEW, detecting(drift.ADWIN, FEW)),
        Way(name, "KSWIN for each column, dict", FEWEST, detecting(lambda: drift.KSWIN(seed=1), FEWEST)),
    ]
