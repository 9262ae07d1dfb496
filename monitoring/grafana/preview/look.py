"""Ask a Prometheus what the dashboards show, and take pictures of it; look.sh builds what draws them."""

from __future__ import annotations

import argparse
import copy
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

DASHBOARDS: Final = Path(__file__).parents[1] / "dashboards"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
COLUMNS: Final = 24
ROW_PIXELS: Final = 38
POINTS: Final = 300
BACKGROUNDS: Final = {"dark": "#111217", "light": "#f4f5f5"}

Board = dict[str, Any]
Panel = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """The time range of a picture, in seconds."""

    start: int
    end: int

    @property
    def step(self) -> int:
        """Seconds between two points."""
        return max(5, (self.end - self.start) // POINTS)


# ---------------------------------------------------------------- what a dashboard shows


def filled(text: str, values: Mapping[str, str]) -> str:
    """Replace Grafana's variables; one without a value stays as it is."""
    named = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|([A-Za-z_]\w*))")
    return named.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def expanded(board: Board, values: Mapping[str, str], windows: Sequence[str]) -> Iterator[Panel]:
    """Yield the panels with their variables replaced; one that repeats comes once for each window."""
    pushed = 0
    for panel in board["panels"]:
        repeats = windows if panel.get("repeat") == "window" else [values.get("window", "")]
        lines = 1
        for place, window in enumerate(repeats):
            one = json.loads(filled(json.dumps(_plain(panel)), {**values, "window": window}))
            if "repeat" in panel:
                across = min(panel["maxPerRow"], len(windows))
                line, column = divmod(place, across)
                lines = line + 1
                one["gridPos"] |= {"w": COLUMNS // across, "x": column * COLUMNS // across}
                one["gridPos"]["y"] += line * panel["gridPos"]["h"]
            one["gridPos"]["y"] += pushed
            yield one
        pushed += (lines - 1) * panel["gridPos"]["h"]


def _plain(panel: Panel) -> Panel:
    """Return a panel without its links, whose variables are not those of a query."""
    bare = copy.deepcopy(panel)
    bare.get("fieldConfig", {}).get("defaults", {}).pop("links", None)
    return bare


def answered(prometheus: str, panel: Panel, span: Span) -> Panel:
    """Add to each query of a panel what it finds."""
    for target in panel.get("targets", []):
        target["result"] = ask(prometheus, target["expr"], span.end if target.get("instant") else span)
    return panel


def ask(prometheus: str, query: str, at: int | Span) -> list[dict[str, Any]]:
    """Return what a query finds at a time or over a span."""
    if isinstance(at, Span):
        path, when = "query_range", {"start": at.start, "end": at.end, "step": at.step}
    else:
        path, when = "query", {"time": at}
    answer = httpx.post(f"{prometheus}/api/v1/{path}", data={"query": query, **when}, timeout=60).json()
    if answer["status"] != "success":
        raise SystemExit(f"{answer['error']}: {query}")
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


# ---------------------------------------------------------------- a picture


def photograph(board: Board, span: Span, mode: str, script: Path, picture: Path, height: int | None) -> None:
    """Draw a dashboard in a browser and save the picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit("look.py: Chromium is needed to take pictures")
    shown = {"board": board, "mode": mode, "start": span.start, "end": span.end, "step": span.step}
    data = json.dumps(shown).replace("</", "<\\/")
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>html {{font-size: 14px; background: {BACKGROUNDS[mode]}}}"
            "body {margin: 0; font-family: Inter, Helvetica, Arial, sans-serif}</style><div id=root></div>"
            f"<link rel=stylesheet href='{script.with_suffix('.css').as_uri()}'>"
            f"<script>window.PREVIEW = {data}</script><script src='{script.as_uri()}'></script>",
            encoding="utf-8",
        )
        size = f"--window-size=1600,{height or bottom * ROW_PIXELS + 80}"
        options = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--virtual-time-budget=20000",
        )
        command = [
            browser,
            *options,
            size,
            f"--user-data-dir={folder}/profile",
            f"--screenshot={picture}",
            page.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 (our own page)


def main(arguments: Sequence[str]) -> int:
    """Take a picture of each dashboard and print its path."""
    asked = _options().parse_args(arguments)
    end = int(time.time())
    span = Span(end - asked.minutes * 60, end)
    values = {
        "job": asked.job, "model_name": asked.model, "model_version": ".*", "instance": ".*",
        "feature_name": asked.feature, "window": ".*", "__rate_interval": "1m", "__range": f"{asked.minutes}m",
    }  # fmt: skip
    exposed = f'group by (window) (model_window_rows{{job="{asked.job}", model_name="{asked.model}"}})'
    windows = [series["metric"]["window"] for series in ask(asked.prometheus, exposed, end)]
    if not windows:
        raise SystemExit(f"look.py: {asked.prometheus} knows no model {asked.model} of the job {asked.job}")
    asked.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        board["panels"] = [answered(asked.prometheus, one, span) for one in expanded(board, values, sorted(windows))]
        picture = asked.out.resolve() / f"{path.stem}-{asked.theme}.png"
        photograph(board, span, asked.theme, asked.script, picture, asked.height)
        print(picture)  # noqa: T201
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="look.sh", description=__doc__)
    parser.add_argument("--script", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="address of Prometheus")
    parser.add_argument("--job", default="driftgauge", help="job of the servers")
    parser.add_argument("--model", default="flight-delays", help="name of the model")
    parser.add_argument("--feature", default="hour", help="column of the panels about one column")
    parser.add_argument("--minutes", type=int, default=30, help="length of the time range")
    parser.add_argument("--theme", choices=list(BACKGROUNDS), default="dark", help="colours of the page")
    parser.add_argument("--height", type=int, help="height of the pictures in pixels; the whole dashboard by default")
    parser.add_argument("--out", type=Path, default=Path(".venv/dashboards"), help="folder of the pictures")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
