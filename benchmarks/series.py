"""How much a server says: series and bytes of `/metrics`, and bytes of `/drift/status`, by the number of features.

One server in this process answers through its own routes. It has had a few requests, its windows are full, and half
of its features have drifted. The same seed gives the same counts. Prints a table for benchmarks/README.md.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import httpx
import numpy as np
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.main import create_app
from driftgauge.models.bundle import Bundle
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.create import create_bundle
from driftgauge.settings.options import Settings
from fastapi import FastAPI
from sklearn.naive_bayes import GaussianNB

from benchmarks.load import SCRAPE_HEADERS
from benchmarks.measuring import table

START: Final = 1_700_000_000.0
REFERENCE_ROWS: Final = 4_000
ROWS: Final = 10_000
"""Rows that fill the main window."""
BATCH_ROWS: Final = 500
CATEGORIES: Final = 7
"""Categories of a categorical feature; with `other`, `unseen` and `missing` it has ten bins."""
PATHS: Final = ("/health", "/health/live", "/health/ready", "/metadata", "/drift/status", "/metrics")
"""What a deployment asks beside predictions."""
_FEATURE: Final = re.compile(r'feature_name="([^"]*)"')


@dataclass(frozen=True)
class Size:
    """What one server says."""

    series: int
    of_number: float
    """Series of a numeric feature, on average."""
    of_category: float
    beside: int
    """Series of the server and of the model as a whole."""
    metrics: int
    """Bytes of `/metrics`, as Prometheus asks for it."""
    metrics_gzip: int
    status: int
    """Bytes of `/drift/status`."""
    status_gzip: int
    whole_status: int
    """Bytes of `/drift/status?windows=all`."""


def names(features: int, categorical: int) -> list[str]:
    """Return the names of the features, the categorical ones last."""
    numbers = [f"number_{place:04}" for place in range(features - categorical)]
    return numbers + [f"category_{place:04}" for place in range(categorical)]


def bundle_of(features: int, categorical: int, seed: int, folder: str) -> Bundle:
    """Return the bundle of a small model of independent features, whose reference has times."""
    generator = np.random.default_rng([seed, features])
    x = generator.normal(size=(REFERENCE_ROWS, features))
    x[:, features - categorical :] = generator.integers(0, CATEGORIES, size=(REFERENCE_ROWS, categorical))
    y = (x[:, 0] + generator.normal(size=REFERENCE_ROWS) > 0.0).astype(np.int64)
    known = names(features, categorical)
    at = (np.datetime64("2026-01-01", "s") + np.arange(REFERENCE_ROWS) * np.timedelta64(60, "s")).astype(
        "datetime64[s]"
    )
    kinds: dict[str, Any] = dict.fromkeys(known[features - categorical :], "categorical")
    return create_bundle(
        GaussianNB().fit(x, y),
        {**dict(zip(known, x.T, strict=True)), "time": at, "outcome": y},
        "outcome",
        name="model",
        version="1",
        out=f"{folder}/bundle",
        options=BaselineOptions(time="time", kinds=kinds),
        features=known,
    )


def current_rows(features: int, categorical: int, seed: int) -> FloatArray:
    """Return rows of which every other number has drifted, shape [rows, features and score]."""
    generator = np.random.default_rng([seed, features, 1])
    rows = generator.normal(size=(ROWS, features + 1))
    rows[:, : features - categorical : 2] += 1.0
    rows[:, features - categorical : features] = generator.integers(0, CATEGORIES, size=(ROWS, categorical))
    rows[:, features] = generator.random(ROWS)
    return rows


def size(features: int, categorical: int, windows: str, seed: int, *, quality: bool = True) -> Size:
    """Measure a server with its default settings, or with these `metrics_windows`, with or without constraints."""
    given: dict[str, Any] = {"metrics_windows": tuple(windows.split(","))} if windows else {}
    with tempfile.TemporaryDirectory() as folder:
        bundle = bundle_of(features, categorical, seed, folder)
        app = create_app(
            Settings(state_dir="memory", evaluation_wait_seconds=60, quality_enabled=quality, **given),
            bundle=bundle,
            clock=lambda: START,
        )
    rows = current_rows(features, categorical, seed)
    text, *statuses = asyncio.run(_answers(app, bundle, rows))
    return counted(text, features, categorical, statuses)


async def _answers(app: FastAPI, bundle: Bundle, rows: FloatArray) -> list[bytes]:
    """Return the metrics, the status and the whole status of a server that has had some requests and these rows."""
    transport = httpx.ASGITransport(app)
    headers = {**SCRAPE_HEADERS, "Accept-Encoding": "identity"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=60.0) as client,
    ):
        sample = {"instances": [bundle.info.samples[0].features]}
        (await client.post("/predict", json=sample)).raise_for_status()
        monitor = app.state.context.monitoring.model().monitor
        for first in range(0, ROWS, BATCH_ROWS):
            monitor.observe(rows[first : first + BATCH_ROWS], arrival=START)
            monitor.catch_up(START)  # rows come faster than from clients: a full log would drop some
        monitor.evaluate(START)
        for path in PATHS:
            (await client.get(path)).raise_for_status()
        return [(await client.get(path)).content for path in ("/metrics", "/drift/status", "/drift/status?windows=all")]


def counted(text: bytes, features: int, categorical: int, statuses: Sequence[bytes]) -> Size:
    """Return the sizes of an exposition and of a short and a whole status."""
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    owners = [found[1] for line in lines if (found := _FEATURE.search(line))]
    of_number = sum(name.startswith("number_") for name in owners)
    of_category = sum(name.startswith("category_") for name in owners)
    status, whole = statuses
    return Size(
        series=len(lines),
        of_number=of_number / max(1, features - categorical),
        of_category=of_category / max(1, categorical),
        beside=len(lines) - len(owners),
        metrics=len(text),
        metrics_gzip=len(gzip.compress(text, 1)),
        status=len(status),
        status_gzip=len(gzip.compress(status, 1)),
        whole_status=len(whole),
    )


def sizes_table(found: Sequence[tuple[int, str, Size]]) -> str:
    """Return the table by features and settings."""
    heads = (
        "features", "windows", "series", "of a number", "of a category", "beside columns",
        "metrics, kB", "gzip, kB", "status, kB", "gzip, kB", "status?windows=all, kB",
    )  # fmt: skip
    rows = [
        [
            f"{features:,}",
            windows or "default",
            f"{own.series:,}",
            f"{own.of_number:.1f}",
            f"{own.of_category:.1f}",
            f"{own.beside}",
            *(
                f"{size / 1_000:,.1f}"
                for size in (own.metrics, own.metrics_gzip, own.status, own.status_gzip, own.whole_status)
            ),
        ]
        for features, windows, own in found
    ]
    return table("Series and bytes of one server", heads, rows)


def main(
    features: Annotated[str, typer.Option(help="Numbers of features, a fifth of them categorical.")] = "30,100,1000",
    windows: Annotated[
        str, typer.Option(help="metrics_windows of each run; `default` leaves the default.")
    ] = "default,all",
    seed: Annotated[int, typer.Option(help="Seed of the data.")] = 1,
) -> None:
    """Count what one server says."""
    settings = ["" if name == "default" else name for name in windows.split(",")]
    counts = [int(part) for part in features.split(",")]
    found = [(count, own, size(count, count // 5, own, seed)) for count in counts for own in settings]
    print(sizes_table(found))


if __name__ == "__main__":
    typer.run(main)
