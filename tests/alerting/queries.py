"""The dashboards' queries as Prometheus would get them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

DASHBOARDS: Final = Path(__file__).parents[2] / "monitoring" / "grafana" / "dashboards"
VALUES: Final[Mapping[str, str]] = {
    "job": "driftgauge",
    "model_name": ".*",
    "model_version": ".*",
    "instance": ".*",
    "feature_name": "prediction",
    "window": "1000",
    "__rate_interval": "5m",
    "__range": "1h",
}


class Question(NamedTuple):
    """A panel's query, its variables replaced."""

    dashboard: str
    panel: str
    expr: str


def load() -> dict[str, dict[str, Any]]:
    """Return the committed dashboards by uid."""
    boards = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json")))
    return {board["uid"]: board for board in boards}


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all panels of a dashboard: also the rows, and what is in them."""
    for panel in board.get("panels", []):
        yield panel
        yield from panels(panel)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Replace Grafana's variables; one without a value stays as it is."""
    return re.sub(
        r"\$(?:\{(\w+)(?::\w+)?\}|([A-Za-z_]\w*))", lambda m: values.get(m.group(1) or m.group(2), m.group(0)), text
    )


def dashboard_queries(values: Mapping[str, str] | None = None) -> list[Question]:
    """Return every query of every panel; `values` come before those of VALUES."""
    chosen = {**VALUES, **(values or {})}
    return [
        Question(uid, panel["title"], filled(target["expr"], chosen))
        for uid, board in load().items()
        for panel in panels(board)
        for target in panel.get("targets", [])
    ]
