"""The benchmark of serving as tables in Markdown, and as one plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.contestants.catalogue import BARE, MONITORED, UNLOGGED, UNMONITORED
from benchmarks.load import Load
from benchmarks.measuring import number, table
from benchmarks.open_loop import Latency
from benchmarks.serving_models import LOGISTIC
from benchmarks.serving_results import (
    Found,
    Measure,
    Offered,
    Overload,
    Phase,
    Round,
    ScrapePair,
    contestants,
    typical,
    typical_difference,
    typical_ratio,
)
from benchmarks.serving_workers_report import workers_report

REFUSED_WITHIN_MS: Final = 10.0
"""The slowest refusal must be faster."""
WATCHED: Final = (
    (MONITORED, UNLOGGED),
    (MONITORED, UNMONITORED),
    ("bare + instrumentator", BARE),
    ("bare + textbook monitor", BARE),
)
"""Each monitor beside the same server without it."""


def _requests(run: Any) -> float:
    return float(run.throughput.good_per_second)


MEASURES: Final[dict[str, Measure]] = {
    "requests/s": _requests,
    "CPU": lambda run: run.cpu_us,
    "p50": lambda run: run.latency.p50_ms,
    "p99": lambda run: run.latency.p99_ms,
    "busy p99": lambda run: run.throughput.p99_ms,
    "core": lambda run: 100.0 * run.core_share,
    "RSS": lambda run: run.memory.rss,
    "PSS": lambda run: run.memory.pss or float("nan"),
}


def report(found: Found) -> str:
    """Return all tables of what was found."""
    parts = [_listed(found.setting) + ".\n"]
    parts += [f"{part}: {_listed(plan)}.\n" for part, plan in found.plans.items()]
    for model, rounds in found.contest.items():
        parts += [_contest(model, rounds, found.plans.get("contest", {})), _watching(model, rounds)]
    parts.append(_formats(found))
    parts += [f"Not started: {name}, {reason}\n" for name, reason in found.missing.items()]
    if found.scrape:
        parts += [_scraped_closed(found.scrape, found.plans.get("scrape", {})), _scraped_open(found.scrape)]
    if found.overload:
        parts += [_overload(found.overload), _connections(found.overload)]
    if found.workers:
        parts.append(workers_report(found.workers))
    return "\n".join(parts)


def _listed(setting: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in setting.items())


# ---------------------------------------------------------------- contestants


def _contest(model: str, rounds: Sequence[Round], plan: Mapping[str, str]) -> str:
    many, few = plan.get("connections", "many"), plan.get("latency connections", "few")
    heads = [
        "contestant",
        f"requests/s ({many})",
        "× bare",
        f"CPU, µs a request ({many})",
        "× bare",
        f"p50, ms ({few})",
        f"p99, ms ({few})",
        "× bare",
        f"p99, ms ({many})",
        "RSS, MiB",
        "PSS, MiB",
        "core, %",
        "runs",
    ]
    rows = [[name, *_figures(rounds, name)] for name in contestants(rounds)]
    return table(f"{model[:1].upper()}{model[1:]}: median of {len(rounds)} rounds", heads, rows)


def _figures(rounds: Sequence[Round], name: str) -> list[str]:
    def cell(measure: str, digits: int) -> str:
        return number(typical(rounds, name, MEASURES[measure]), digits)

    def ratio(measure: str) -> str:
        return number(typical_ratio(rounds, name, BARE, MEASURES[measure]), 2)

    runs = [own[name] for own in rounds if name in own]
    invalid = [run for run in runs if not run.valid]
    failed = sum(run.throughput.failed + run.latency.failed + run.failed_scrapes for run in invalid)
    told = f"{len(runs)}, {len(invalid)} invalid: {failed:,} failed" if invalid else f"{len(runs)}"
    return [
        cell("requests/s", 0),
        ratio("requests/s"),
        cell("CPU", 0),
        ratio("CPU"),
        cell("p50", 2),
        cell("p99", 2),
        ratio("p99"),
        cell("busy p99", 1),
        cell("RSS", 0),
        cell("PSS", 0),
        cell("core", 0),
        told,
    ]


def _watching(model: str, rounds: Sequence[Round]) -> str:
    known = set(contestants(rounds))
    rows = [
        [
            watched,
            base,
            number(typical_ratio(rounds, watched, base, MEASURES["requests/s"]), 3),
            number(typical_difference(rounds, watched, base, MEASURES["CPU"]), 1),
            number(typical_ratio(rounds, watched, base, MEASURES["CPU"]), 3),
            number(typical_ratio(rounds, watched, base, MEASURES["p99"]), 2),
            number(typical_difference(rounds, watched, base, MEASURES["RSS"]), 0),
        ]
        for watched, base in WATCHED
        if {watched, base} <= known
    ]
    heads = ("monitor", "beside", "requests/s, ×", "CPU, µs a request more", "CPU, ×", "p99, ×", "RSS, MiB more")
    return table(f"What monitoring adds to the same server without it: {model}", heads, rows) if rows else ""


def _formats(found: Found) -> str:
    """Return requests/s of each model, relative to the logistic regression of scikit-learn and to the bare server."""
    medians = {
        model: (typical(rounds, MONITORED, _requests), typical(rounds, BARE, _requests))
        for model, rounds in found.contest.items()
    }
    twin = next((own for model, (own, _) in medians.items() if model.startswith(f"{LOGISTIC.name},")), None)
    if twin is None or len(medians) < 2:
        return ""
    rows = [
        [model, number(own, 0), number(_over(own, twin), 2), number(_over(own, bare), 2)]
        for model, (own, bare) in medians.items()
    ]
    heads = ("model", "requests/s", f"× {LOGISTIC.name}", "× bare")
    return table("Driftgauge with models of several formats: medians", heads, rows)


def _over(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


# ---------------------------------------------------------------- scrapes


def _scraped_closed(found: Mapping[str, Sequence[ScrapePair]], plan: Mapping[str, str]) -> str:
    heads = ("features", "requests/s, ×", "p99 without, ms", "p99 scraped, ms", "more, ms", "×", "rounds")
    rows = []
    for features, pairs in found.items():
        before, after = [pair.without.closed for pair in pairs], [pair.scraped.closed for pair in pairs]
        rows.append(
            [
                features,
                f"{median(b.good_per_second / a.good_per_second for a, b in zip(before, after, strict=True)):.3f}",
                *_paired([own.p99_ms for own in before], [own.p99_ms for own in after]),
                _rounds(pairs),
            ]
        )
    few = plan.get("latency connections", "few")
    return table(f"Scraped each second, {few} connections in a closed loop", heads, rows)


def _scraped_open(found: Mapping[str, Sequence[ScrapePair]]) -> str:
    heads = ("features", "quantile", "without, ms", "scraped, ms", "more, ms", "×", "client late, ms")
    rows = []
    for features, pairs in found.items():
        late = max(phase.open.late_ms for pair in pairs for phase in (pair.without, pair.scraped))
        for name in ("p50", "p99", "max"):
            before, after = ([_quantile(own, name) for own in side] for side in _sides(pairs))
            rows.append([features, name, *_paired(before, after), f"{late:.2f}"])
    return table("Scraped each second, on a schedule beside a load that leaves the server time", heads, rows)


def _sides(pairs: Sequence[ScrapePair]) -> tuple[list[Phase], list[Phase]]:
    return [pair.without for pair in pairs], [pair.scraped for pair in pairs]


def _quantile(phase: Phase, name: str) -> float:
    found: Latency = phase.open.good or Latency(float("nan"), float("nan"), float("nan"))
    return float(getattr(found, f"{name}_ms"))


def _paired(before: Sequence[float], after: Sequence[float]) -> list[str]:
    more = median(b - a for a, b in zip(before, after, strict=True))
    ratio = median(b / a for a, b in zip(before, after, strict=True))
    return [f"{median(before):.2f}", f"{median(after):.2f}", f"{more:+.2f}", f"{ratio:.2f}"]


def _rounds(pairs: Sequence[ScrapePair]) -> str:
    phases = [phase for pair in pairs for phase in (pair.without, pair.scraped)]
    failed = sum(phase.closed.failed + phase.open.asked - phase.open.statuses.get("200", 0) for phase in phases)
    return f"{len(pairs)}" + (f", {failed:,} requests failed" if failed else "")


# ---------------------------------------------------------------- overload


def _overload(found: Overload) -> str:
    heads = (
        "offered",
        "requests/s offered",
        "answered/s",
        "200: p50 / p99, ms",
        "503",
        "503: p50 / p99 / max, ms",
        f"< {REFUSED_WITHIN_MS:g} ms",
        "with Retry-After",
        "other",
        "client late, ms",
        "RSS before → after, MiB",
    )
    title = f"Overload: a slow model with a capacity of {found.carried_per_second:,.0f} rows/s, {found.queue} may wait"
    return table(title, heads, [_offered(own, found) for own in found.offered])


def _offered(own: Offered, found: Overload) -> list[str]:
    outcome = own.outcome
    refused, good = outcome.refused, outcome.good
    odd = outcome.asked - sum(outcome.statuses.get(status, 0) for status in ("200", "503"))
    return [
        f"{own.times:g} ×",
        f"{own.times * found.carried_per_second:,.0f}",
        f"{outcome.good_per_second:,.0f}",
        f"{good.p50_ms:,.0f} / {good.p99_ms:,.0f}" if good else "–",
        f"{100.0 * outcome.statuses.get('503', 0) / outcome.asked:.1f} %",
        f"{refused.p50_ms:.1f} / {refused.p99_ms:.1f} / {refused.max_ms:.1f}" if refused else "–",
        ("yes" if refused.max_ms < REFUSED_WITHIN_MS else "no") if refused else "–",
        f"{100.0 * outcome.refused_retry_after:.0f} %" if refused else "–",
        f"{odd:,}",
        f"{outcome.late_ms:.1f}",
        f"{own.before.rss:,.0f} → {own.after.rss:,.0f}",
    ]


def _connections(found: Overload) -> str:
    rows, base = [], next(iter(found.connections.values()), ())
    for connections, loads in found.connections.items():
        ratio = median(own.good_per_second / other.good_per_second for own, other in zip(loads, base, strict=True))
        rows.append([connections, *_load(loads), f"{ratio:.2f}", f"{sum(own.failed for own in loads):,}"])
    heads = ("connections", "answered/s", "p50, ms", "p99, ms", "answered/s, ×", "failed")
    return table("A fast model with more connections", heads, rows)


def _load(loads: Sequence[Load]) -> list[str]:
    return [
        f"{median(own.good_per_second for own in loads):,.0f}",
        f"{median(own.p50_ms for own in loads):.1f}",
        f"{median(own.p99_ms for own in loads):.1f}",
    ]


# ---------------------------------------------------------------- plot


@dataclass(frozen=True)
class Bar:
    """What is drawn of a contestant with a model."""

    contestant: str
    model: str
    requests_per_second: float
    p99_ms: float


def bars(found: Found) -> list[Bar]:
    """Return what is drawn: medians of all that have a valid run."""
    drawn = []
    for model, rounds in found.contest.items():
        for name in contestants(rounds):
            rate, late = (typical(rounds, name, MEASURES[measure]) for measure in ("requests/s", "p99"))
            if rate is not None and late is not None:
                drawn.append(Bar(name, model, rate, late))
    return drawn


def draw(found: Found, path: Path) -> None:
    """Write requests a second and p99 of all contestants as SVG; the same bytes for the same numbers."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "driftgauge", "svg.fonttype": "none", "font.size": 9})
    drawn = bars(found)
    names = list(dict.fromkeys(bar.contestant for bar in drawn))[::-1]
    figure, sides = import_module("matplotlib.pyplot").subplots(
        1, 2, figsize=(9.0, 0.45 * len(names) + 1.2), sharey=True, layout="constrained"
    )
    _draw_bars(sides[0], drawn, names, [bar.requests_per_second for bar in drawn])
    _draw_bars(sides[1], drawn, names, [bar.p99_ms for bar in drawn])
    sides[0].set_xlabel("requests/s (more is better)")
    sides[1].set_xlabel("p99, ms (less is better)")
    sides[0].set_yticks(range(len(names)), names)
    sides[1].legend(fontsize=7.5)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw_bars(axes: Any, drawn: Sequence[Bar], names: Sequence[str], values: Sequence[float]) -> None:
    models = list(dict.fromkeys(bar.model for bar in drawn))
    height = 0.8 / len(models)
    for place, model in enumerate(models):
        own = [(bar, value) for bar, value in zip(drawn, values, strict=True) if bar.model == model]
        at = [names.index(bar.contestant) + 0.4 - height * (place + 0.5) for bar, _ in own]
        shown = axes.barh(at, [value for _, value in own], height, label=model, color=f"C{place}")
        axes.bar_label(shown, fmt=_shortly, fontsize=7, padding=2)
    axes.set(xscale="log")
    axes.margins(x=0.15)
    axes.minorticks_off()
    axes.grid(visible=True, axis="x", alpha=0.3)


def _shortly(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
