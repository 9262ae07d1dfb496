"""A server that monitors a model which another server serves, and the requests that tests send to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from driftgauge.edges.http.openapi.schemas_ingest import IngestAnswer, ValidationAnswer
from driftgauge.main import create_app

from tests.examples import Example, quiet
from tests.served import Served
from tests.servers import serving

NOW = 1_800_000_000.0


@contextlib.contextmanager
def watching(
    example: Example, folder: Path | str, *, own: dict[str, Any] | None = None, **settings: Any
) -> Iterator[Served]:
    """Monitor the example's model, which another server serves."""
    table = {"baseline": example.folder / "baseline.json", **(own or {})}
    app = create_app(quiet(models={"elsewhere": table}, state_dir=folder, **settings))
    with serving(app) as client:
        yield Served(client, app)


def records(example: Example, count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return our own rows, each with an id of its own."""
    return [
        {"features": row, "score": 0.25, "prediction_id": f"p{first + number}", "timestamp": NOW - 60.0}
        for number, row in enumerate(example.rows(count))
    ]


def post(server: Served, body: Any, path: str = "/ingest/elsewhere", **options: Any) -> dict[str, Any]:
    given = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = server.client.post(path, **given, **options)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    (ValidationAnswer if path.startswith("/validation") else IngestAnswer).model_validate(found)
    return found


def rows(found: dict[str, Any]) -> tuple[int, int, int]:
    """Return the rows that were taken, the duplicates, and the refused records."""
    return found["rows"]["taken"], found["rows"]["duplicate"], found["refused"]["records"]


def logged(server: Served) -> list[dict[str, Any]]:
    log = server.context.monitoring.predictions
    assert log is not None
    log.writer.written().result(10)
    found: list[dict[str, Any]] = server.client.get(
        "/predictions", params={"labels": "true"}, headers={"accept": "application/json"}
    ).json()["predictions"]
    return found
