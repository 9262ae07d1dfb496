"""Write what docs/concepts.md and docs/check.md show of one example: orders of a shop, from a fixed seed."""

from __future__ import annotations

import math
import sys
from contextlib import chdir
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import CheckReport
from driftgauge.checks.table import check
from driftgauge.cli.check_report import show
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from rich.console import Console
from scipy.signal import lfilter

HERE: Final = Path(__file__).parent
END: Final = "<!-- end -->"
WIDTH_OF_TERMINAL: Final = 80
WIDTH_OF_STATISTICS: Final = 110
REFERENCE_ROWS, NEW_ROWS = 40_000, 4_000
REFERENCE_SEED, NEW_SEED = 1, 5
TIME: Final = "ordered_at"
CHANGES: Final = {
    "amount": "prices rise by 40 %",
    "items": "baskets hold 2.2 items instead of 2.0",
    "queue": "half a standard deviation longer",
    "temperature": "nothing: this is the weather of three days",
    "country": "nothing",
}
"""The columns of the example, and what happens to each."""


# ---------------------------------------------------------------- the example


def orders(seed: int, rows: int, first: float, *, changed: bool) -> pa.Table:
    """Return orders of a shop, one a minute; consecutive ones share their queue and their weather."""
    rng = np.random.default_rng(seed)
    amount = np.exp(rng.normal(3.5, 0.6, rows)) * (1.4 if changed else 1.0)
    items = rng.poisson(2.2 if changed else 2.0, rows)
    queue = 30.0 + 8.0 * (_slow(rng, rows, 50) + (0.5 if changed else 0.0))
    temperature = 12.0 + 8.0 * _slow(rng, rows, 500)
    country = rng.choice(["DE", "FR", "IT"], rows, p=[0.5, 0.3, 0.2])
    columns = [amount, items, queue, temperature, country]
    return pa.table({TIME: first + np.arange(rows) * 60.0, **dict(zip(CHANGES, columns, strict=True))})


def _slow(rng: np.random.Generator, rows: int, tau: int) -> FloatArray:
    """Return standard normal values of which about `tau` in a row carry the information of one."""
    kept = 1.0 - 2.0 / tau
    noise = rng.normal(size=rows + 20 * tau) * np.sqrt(1.0 - kept * kept)
    values: FloatArray = lfilter([1.0], [1.0, -kept], noise)[20 * tau :]
    return values


def example(every: str | None = None) -> CheckReport:
    """Build the baseline of the reference, and judge the new orders as `driftgauge check` does."""
    start = 1_767_225_600.0  # 2026-01-01
    with TemporaryDirectory() as folder, chdir(folder):
        reference, new = Path("reference.parquet"), Path("orders.parquet")
        pq.write_table(orders(REFERENCE_SEED, REFERENCE_ROWS, start, changed=False), reference)
        pq.write_table(orders(NEW_SEED, NEW_ROWS, start + 60.0 * REFERENCE_ROWS, changed=True), new)
        baseline = create_baseline(reference, BaselineOptions(time=TIME))
        return check(baseline, new, CheckOptions(time=TIME, every=every), now=0.0)


def printed(found: CheckReport, *, statistics: bool = False) -> str:
    """Return what the command prints; of a history the first table alone, of statistics what is below the facts."""
    width = WIDTH_OF_STATISTICS if statistics else WIDTH_OF_TERMINAL
    console = Console(width=width, file=StringIO(), markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        show(found, console, statistics=statistics)
    first, _, rest = capture.get().partition("\n\n")
    text = first if found.is_history else rest if statistics else capture.get()
    return "\n".join(["```", *(line.rstrip() for line in text.strip("\n").splitlines()), "```"])


@dataclass(frozen=True)
class Point:
    """A column of the example, with the numbers that decide its verdict."""

    name: str
    evidence: float
    evidence_threshold: float
    psi: float
    psi_threshold: float
    expected_range: float
    tau: float
    status: str
    severity: str


def points(report: DriftReport) -> list[Point]:
    """Return the columns of a report in the order of the example."""
    main, evidence = report.main, report.evidence
    return [
        Point(
            verdict.name,
            float(evidence.log10[i]),
            evidence.threshold_log10,
            float(main.psi.debiased[i]),
            float(main.thresholds["warning"][i]),
            float(main.expected_range[i]),
            float(evidence.tau[i]),
            str(verdict.status),
            verdict.severity or "",
        )
        for i, verdict in enumerate(report.verdicts)
    ]


def numbers(found: list[Point]) -> str:
    """Return the table of the page."""
    threshold = f"{found[0].evidence_threshold:.1f}"
    head = f"column | what changed | τ | evidence (threshold {threshold}) | PSI | expected range | PSI threshold"
    lines = [f"| {head} | status | severity |", f"|{'---|' * 9}"]
    lines += [
        f"| `{p.name}` | {CHANGES[p.name]} | {p.tau:.0f} | {_marked(p.evidence, p.evidence_threshold, 1)} "
        f"| {_marked(p.psi, p.psi_threshold, 2)} | {p.expected_range:.2f} | {p.psi_threshold:.2f} | `{p.status}` "
        f"| {p.severity or '–'} |"
        for p in found
    ]
    return "\n".join(lines)


def _marked(value: float, threshold: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return f"**{text}**" if value >= threshold else text


# ---------------------------------------------------------------- the picture

STYLE: Final = """
    .page { fill: #ffffff; stroke: #d0d7de; }
    .box { fill: #f6f8fa; stroke: #8c959f; }
    .line { stroke: #57606a; fill: none; }
    .tip { fill: #57606a; }
    .quiet { fill: #f6f8fa; } .blue { fill: #ddf4ff; } .red { fill: #ffd8d3; }
    .threshold { stroke: #57606a; stroke-dasharray: 5 4; }
    .dot { fill: #0550ae; }
    text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
    .strong { font-weight: 600; } .small { font-size: 12px; fill: #57606a; }
    .status { font: 600 13px ui-monospace, Menlo, Consolas, monospace; }
    .middle { text-anchor: middle; } .end { text-anchor: end; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d; }
      .box { fill: #161b22; stroke: #6e7681; }
      .line { stroke: #9198a1; } .tip { fill: #9198a1; } .threshold { stroke: #9198a1; }
      .quiet { fill: #161b22; } .blue { fill: #0c2d4d; } .red { fill: #5c1a17; }
      .dot { fill: #79c0ff; }
      text { fill: #f0f6fc; } .small { fill: #9198a1; }
    }"""
WIDTH, HEIGHT = 920, 480
LEFT, TOP, SIDE, TALL = 490.0, 52.0, 406.0, 366.0
"""The plane of the verdict: its left upper corner, its width and its height."""
MOST_EVIDENCE, MOST_EFFECT = 1.85, 6.0
"""What the sides of the plane reach to, in units of the thresholds."""
FLOOR: Final = 22.0
"""Height of the plane below an effect of 0, so that the dots of quiet columns lie inside."""


def picture(found: list[Point]) -> str:
    """Return the picture: how rows become two numbers, and where the example's columns lie between them."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        '  <title id="title">Evidence says whether a change is significant, PSI whether it is large</title>',
        f"  <style>{STYLE}\n  </style>",
        '  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '    <path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>',
        f'  <rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        *_flow(),
        *_plane(),
        *(line for point in found for line in _dot(point)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _flow() -> list[str]:
    return [
        *_box(20, 40, 400, 58, "reference", "training data, in order of time"),
        *_arrow("M220 98 V128"),
        *_box(20, 130, 400, 58, "baseline", "bins · expected range per window size · autocorrelation time τ"),
        *_box(20, 398, 400, 58, "live rows", "what the model is asked to predict"),
        *_arrow("M120 398 V348"),
        *_arrow("M320 398 V348"),
        *_box(20, 268, 190, 78, "sliding window", "last 10,000 rows:", "PSI without its noise"),
        *_box(230, 268, 190, 78, "evidence", "every row, each once,", "slowed down by τ"),
        *_arrow("M120 188 V266"),
        *_arrow("M320 188 V266"),
        _text(128, 224, "PSI threshold:", "small"),
        _text(128, 240, "setting or expected range", "small"),
        _text(328, 224, "threshold:", "small"),
        _text(328, 240, "false-alarm budget", "small"),
    ]


def _plane() -> list[str]:
    across, down = _x(1.0), _y(1.0)
    right, bottom = LEFT + SIDE, TOP + TALL
    return [
        *_area(LEFT, TOP, across, down, "quiet", "normal", "large, but may be chance"),
        *_area(across, TOP, right, down, "red", "drift_detected", "severity by its size"),
        *_area(LEFT, down, across, bottom, "quiet", "normal", "no significant change"),
        *_area(across, down, right, bottom, "blue", "normal", "small: severity info"),
        f'  <path class="threshold" d="M{across:.1f} {TOP} V{bottom} M{LEFT} {down:.1f} H{right}"/>',
        _text(across, TOP - 12, "significant →", "strong"),
        _upright(LEFT - 12, down, "large →", "strong"),
        _text((LEFT + across) / 2, bottom + 20, "evidence", "small middle"),
        _text(across, bottom + 20, "threshold", "small middle"),
        _upright(LEFT - 12, (down + bottom) / 2 + 14, "PSI", "small"),
    ]


def _x(evidence: float) -> float:
    return LEFT + SIDE * evidence / MOST_EVIDENCE


def _y(effect: float) -> float:
    """Return the height of an effect; a root, so that small ones do not all lie on the floor."""
    return TOP + (TALL - FLOOR) * (1.0 - math.sqrt(effect / MOST_EFFECT))


def _dot(point: Point) -> list[str]:
    x, y = _x(point.evidence / point.evidence_threshold), _y(point.psi / point.psi_threshold)
    before = point.evidence < point.evidence_threshold
    words = _text(x - 10 if before else x + 10, y + 5, point.name, "strong end" if before else "strong")
    return [f'  <circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="5"/>', words]


def _area(x: float, y: float, to_x: float, to_y: float, kind: str, status: str, note: str) -> list[str]:
    """Return a quadrant with its status."""
    return [
        f'  <rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{to_x - x:.1f}" height="{to_y - y:.1f}"/>',
        _text(x + 12, y + 24, status, "status"),
        _text(x + 12, y + 41, note, "small"),
    ]


def _box(x: float, y: float, width: float, height: float, title: str, *lines: str) -> list[str]:
    words = [_text(x + width / 2, y + 24, title, "strong middle")]
    words += [_text(x + width / 2, y + 43 + 17 * i, line, "small middle") for i, line in enumerate(lines)]
    return [f'  <rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>', *words]


def _arrow(path: str) -> list[str]:
    return [f'  <path class="line" d="{path}" marker-end="url(#tip)"/>']


def _upright(x: float, y: float, text: str, kind: str) -> str:
    return f'  <text class="{kind}" transform="translate({x:.1f} {y:.1f}) rotate(-90)">{text}</text>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'  <text class="{kind}" x="{x:.1f}" y="{y:.1f}">{text}</text>'


def pages() -> dict[Path, str]:
    """Return the picture and the pages with the example's numbers, by the files that hold them."""
    found, days = example(), example("1d")
    columns = points(found.worst.report)
    concepts, checking = HERE / "concepts.md", HERE / "check.md"
    page = filled(concepts.read_text(encoding="utf-8"), "numbers", numbers(columns))
    text = filled(checking.read_text(encoding="utf-8"), "table", printed(found))
    text = filled(text, "statistics", printed(found, statistics=True))
    return {
        HERE / "concepts.svg": picture(columns),
        concepts: filled(page, "reason", f"> {found.worst.report.reason}"),
        checking: filled(text, "history", printed(days)),
    }


def filled(page: str, block: str, text: str) -> str:
    """Return a page with a block replaced; ValueError if the page has no such block."""
    begin = f"<!-- Written by docs/example.py: {block} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"no block {block}")
    return f"{before}{begin}\n{text}\n{END}{after}"


def main() -> int:
    """Write the files."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
