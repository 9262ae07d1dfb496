"""Ingestion in the style of Evidently's collector service: rows are kept as DataFrames, and reported now and then.

Each request is parsed into a DataFrame and appended to a buffer. With 10,000 rows in it a thread makes Evidently's
report with its drift preset of them, and begins with an empty buffer again.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
from fastapi import FastAPI, Request

REPORT_ROWS: Final = 10_000
REFERENCE_ROWS: Final = 10_000


class Collector:
    """A buffer of rows and the reports of them."""

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []
        self._rows = 0
        self._thread = ThreadPoolExecutor(1)
        self.rows = 0

    def add(self, part: pd.DataFrame) -> None:
        """Append rows, and have a report made if they suffice."""
        self._parts.append(part)
        self._rows += len(part)
        self.rows += len(part)
        if self._rows >= REPORT_ROWS:
            self._thread.submit(self._report, pd.concat(self._parts, ignore_index=True))
            self._parts, self._rows = [], 0

    def _report(self, current: pd.DataFrame) -> None:
        generator = np.random.default_rng(0)
        reference = pd.DataFrame(generator.normal(size=(REFERENCE_ROWS, current.shape[1])), columns=current.columns)
        Report([DataDriftPreset()]).run(current, reference).dict()


def create_app() -> FastAPI:
    """Return the service."""
    app, collector = FastAPI(), Collector()

    @app.post("/data")
    async def data(request: Request) -> dict[str, int]:
        collector.add(pd.DataFrame(await request.json()))
        return {"rows": collector.rows}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
