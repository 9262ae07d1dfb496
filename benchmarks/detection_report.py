"""The benchmark of detection as tables in Markdown, and as one plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Alarms, Delays, Found
from benchmarks.statistics_cost import table
from benchmarks.streams import COLUMNS, DEPENDENT, INDEPENDENT, NUMERIC, SHIFTS, Shift
from benchmarks.trials import HORIZON, REFERENCE_ROWS, RIVAL_HORIZON

PLOTTED: Final = "mean 0.5 sd"
REACH_ALARMS: Final = {source.name: 1.0 for source in INDEPENDENT} | {
    "AR(1), φ = 0.5, with τ": 3.0,
    "AR(1), φ = 0.9, with τ": 3.0,
    "daily cycle, by hour": 0.0,
}
"""Limit of false alarms in 1e6 rows."""
REACH_DELAYS: Final = {
    "mean 0.25 sd": (600, 750),
    "mean 0.5 sd": (200, 250),
    "mean 1 sd": (100, 100),
    "variance × 1.5": (900, None),
    "missing 0 → 5 %": (150, None),
    "category 10 → 20 %": (500, None),
    "category 20 → 30 %": (500, None),
}
"""Median rows with the largest reference, for each tolerance."""
REACH_COST: Final = 1.0
OWN: Final = "evidence, tolerance"


def report(found: Found, tolerances: Sequence[float]) -> str:
    """Return all tables of what was found."""
    setting = ", ".join(f"{name} {value}" for name, value in found.setting.items())
    parts = [setting + ".\n"]
    if _common(found.alarms):
        parts.append(_alarms(found, tolerances))
    if _common(found.delays):
        parts.append(_delays(found, tolerances))
    if found.rivals:
        parts.append(_rivals(found, tolerances))
    if found.cost is not None:
        cells = [f"{found.cost.evidence:.2f}", f"{found.cost.evidence_by_block:.2f}", f"{found.cost.binning:.2f}"]
        heads = ("evidence, 20 blocks at once", "evidence, block by block", "binning", "target")
        rows = [[*cells, _reach(found.cost.evidence, REACH_COST)]]
        parts.append(table(f"CPU time of a row of {COLUMNS} columns, µs", heads, rows))
    return "\n".join(parts)


def _alarms(found: Found, tolerances: Sequence[float]) -> str:
    sizes = sorted(_common(found.alarms))
    heads = ["columns", *(f"m = {m:,}, tolerance {tolerance:g}" for m in sizes for tolerance in tolerances), "target"]
    rows = []
    for name in (source.name for source in (*INDEPENDENT, *DEPENDENT) if source.name in found.alarms):
        by_size = found.alarms[name]
        refused: list[Alarms | None] = [None] * len(tolerances)
        cells = [text for m in sizes for text in map(rate, by_size[str(m)] or refused)]
        default = {m: by_size[str(m)][-1] for m in sizes if by_size[str(m)]}
        title = f"{name} ({max(alarms.rows for alarms in default.values()):,} rows)"
        rows.append([title, *cells, _reach_of_all(default, REACH_ALARMS.get(name))])
    return table(f"False alarms in 1e6 rows of {COLUMNS} columns, nothing drifting (95 % interval)", heads, rows)


def _common(found: Mapping[str, Mapping[str, object]]) -> set[int]:
    """Return the sizes of the reference that everything was run with."""
    sizes = [{int(m) for m in by_size} for by_size in found.values()]
    return set.intersection(*sizes) if sizes else set()


def rate(alarms: Alarms | None) -> str:
    """Return alarms in 1e6 rows with their interval, and how many streams they come from where they are few.

    None is what could not be run: too few reference rows to tell hours apart.
    """
    if alarms is None:
        return "refused"
    low, high = alarms.limits
    if not alarms.alarms:
        return f"0 (≤ {_short(high)})"
    where = f"; {alarms.streams_with} of {alarms.streams} streams" if alarms.alarms < 10 * alarms.streams else ""
    return f"{_short(alarms.per_million)} ({_short(low)}–{_short(high)}{where})"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def _reach_of_all(by_size: dict[int, Alarms], limit: float | None) -> str:
    """Return whether a limit holds with each size of the reference, and with which it does not."""
    if limit is None:
        return ""
    beyond = [f"m = {m:,}" for m, alarms in by_size.items() if alarms.per_million > limit]
    return f"≤ {limit:g}: {'no, ' + ', '.join(beyond) if beyond else 'yes'}"


def _reach(number: float | None, limit: float | None) -> str:
    if limit is None:
        return ""
    return f"≤ {limit:g}: {'yes' if number is not None and number <= limit else 'no'}"


def _delays(found: Found, tolerances: Sequence[float]) -> str:
    sizes = sorted(_common(found.delays), reverse=True)
    heads = ["shift", *(f"m = {m:,}, tolerance {tolerance:g}" for m in sizes for tolerance in tolerances), "target"]
    rows = []
    for name in (shift.name for shift in SHIFTS if shift.name in found.delays):
        own = [delays for m in sizes for delays in found.delays[name][str(m)]]
        limits = zip(own, REACH_DELAYS.get(name, ()), strict=False)
        reach = ", ".join(_reach(delays.median, limit) for delays, limit in limits if limit is not None)
        rows.append([name, *map(delay, own), reach])
    trials = max(delays.trials for own in found.delays.values() for each in own.values() for delays in each)
    title = f"Rows until drift in one of {COLUMNS} columns is detected: median (90th percentile) of {trials} trials"
    return table(title, heads, rows) + f"\nTrials end after {HORIZON:,} rows.\n"


def delay(delays: Delays) -> str:
    """Return the median and the 90th percentile, or how many were found at all."""
    if delays.median is None:
        return f"{100.0 * delays.found / delays.trials:.0f} % found" if delays.found else "never"
    return f"{delays.median:,.0f} ({'–' if delays.late is None else f'{delays.late:,.0f}'})"


def _rivals(found: Found, tolerances: Sequence[float]) -> str:
    heads = ["contestant", "false alarms in 1e6 rows", "rows", "trials", *(shift.name for shift in SHIFTS)]
    rows = []
    for name, alarms, told in contestants(found, tolerances):
        trials = min(own.trials for own in told.values())
        late = [delay(told[shift.name]) if shift.name in told else _unseen(shift) for shift in SHIFTS]
        rows.append([name, rate(alarms), f"{alarms.rows:,}", f"{trials:,}", *late])
    rows += [[name, f"cannot be imported: {reason}"] for name, reason in found.missing_rivals.items()]
    title = f"Beside others: m = {REFERENCE_ROWS:,}, false alarms on {COLUMNS} normal columns, rows until detection"
    note = f"Trials of the others end after {RIVAL_HORIZON:,} rows. The number of trials is the smallest of any shift."
    return table(title, heads, rows) + f"\n{note}\n"


def _unseen(shift: Shift) -> str:
    return "blind" if shift.missing else "takes none"


def contestants(found: Found, tolerances: Sequence[float]) -> list[tuple[str, Alarms, dict[str, Delays]]]:
    """Return evidence with each tolerance, and then the rivals: name, false alarms, delays by shift."""
    m, own = str(REFERENCE_ROWS), []
    if m in found.alarms.get(NUMERIC.name, {}) and m in found.delays.get(PLOTTED, {}):
        for place, tolerance in enumerate(tolerances):
            told = {shift: by_size[m][place] for shift, by_size in found.delays.items()}
            own.append((f"{OWN} {tolerance:g}", found.alarms[NUMERIC.name][m][place], told))
    return own + [(name, contest.alarms, contest.delays) for name, contest in found.rivals.items()]


# ---------------------------------------------------------------- plot


def draw(found: Found, tolerances: Sequence[float], path: Path) -> None:
    """Write a plot of delay against false alarms, all contestants, as SVG; the same bytes for the same numbers."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "driftgauge", "svg.fonttype": "none", "font.size": 9})
    figure, axes = import_module("matplotlib.pyplot").subplots(figsize=(7.5, 4.2), layout="constrained")
    placed = [
        (name, alarms, told[PLOTTED].median or 0.0)
        for name, alarms, told in contestants(found, tolerances)
        if PLOTTED in told and told[PLOTTED].median
    ]
    for own in placed:
        _place(axes, *own, below=any(_crowds(own, other) for other in placed))
    axes.set(xscale="log", yscale="log", ylabel=f"rows until {PLOTTED} is detected, median")
    axes.set_xlabel(f"false alarms in 1e6 rows of {COLUMNS} columns (◂: none, at its upper limit)")
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.margins(x=0.16, y=0.12)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _crowds(own: tuple[str, Alarms, float], other: tuple[str, Alarms, float]) -> bool:
    """Return whether another contestant lies where the name of this one would be written: a little above."""
    apart = math.log10(_shown(own[1]) / _shown(other[1]))
    return own[2] < other[2] < 1.5 * own[2] and abs(apart) < 1.0


def _shown(alarms: Alarms) -> float:
    return alarms.per_million or alarms.limits[1]


def _place(axes: Any, name: str, alarms: Alarms, rows: float, *, below: bool) -> None:
    (low, high), x = alarms.limits, _shown(alarms)
    colour = "tab:blue" if name.startswith(OWN) else "tab:gray"
    axes.errorbar(x, rows, xerr=[[x - low if alarms.alarms else 0.0], [high - x]], color=colour, capsize=2)
    axes.plot(x, rows, "o" if alarms.alarms else "<", color=colour)
    beside = (4, -11 if below else 5)
    axes.annotate(name.split(" (")[0], (x, rows), xytext=beside, textcoords="offset points", fontsize=7.5, color=colour)
