"""Verdicts on dependent rows while the reference has no times: false alarms and delays, simulated and on real streams.

Prints tables for benchmarks/README.md. Everything runs through what serves: baseline, bins, blocks, detector, PSI.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.blocks import Blocks, step_rows
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from benchmarks import live_streams
from benchmarks.live_streams import WAVES, RealStream, Waves, WaveStream, halves, lots
from benchmarks.live_trials import DAY_SECONDS, LEARNING_DAYS, Verdicts, Watch
from benchmarks.measuring import cpu_seconds, table
from benchmarks.results import Delays
from benchmarks.streams import BLOCK_ROWS, COLUMNS, CREATED, SHIFTS, generator_of
from benchmarks.trials import References, delays

PARTS: Final = ("waves", "independent", "dependent", "real", "may", "cost")
REFERENCE_ROWS: Final = (10_000, 100_000)
LEARNED_ROWS: Final = 350_000
"""Rows of a system before its verdicts count."""
LOOK_BLOCKS: Final = 20
CHUNK_BLOCKS: Final = 400
QUARTER_MONTHS: Final = 3
DEPENDENT_SHIFTS: Final = (
    ("independent", 0.25, 100_000),
    ("independent", 0.5, 100_000),
    ("independent", 1.0, 100_000),
    ("AR(1), φ = 0.5", 0.5, 100_000),
    ("AR(1), φ = 0.9", 1.0, 100_000),
    ("AR(1), φ = 0.99", 1.0, 100_000),
    ("daily cycle of 5,000 rows", 1.0, 300_000),
)
"""Waves, the shift in standard deviations, and the rows before it."""
HORIZON: Final = 100_000
COST_COLUMNS: Final = (5, 30, 100, 300, 1_000)
COST_LOTS: Final = (1, 10, 80)
"""Blocks that come at once."""


@dataclass(frozen=True)
class Plan:
    """How much is run."""

    systems: int
    rows: int
    trials: int
    halves: int
    seed: int


def _watched(waves: Waves, reference_rows: int, rows: int, *key: int, live: bool = True) -> Verdicts:
    """Return the verdicts on one system."""
    stream = WaveStream(waves, reference_rows, generator_of(*key))
    watch = Watch(stream.baseline, stream.baseline.detector(live=live))
    for _ in range(0, rows, CHUNK_BLOCKS * BLOCK_ROWS):
        watch.over(lots(stream.blocks(CHUNK_BLOCKS), LOOK_BLOCKS))
    return watch.verdicts


def waves_table(plan: Plan) -> str:
    """Return how often drift is reported where nothing drifts."""
    rows = []
    for number, waves in enumerate(track(WAVES, "waves", console=Console(stderr=True))):
        runs = [
            _watched(waves, m, plan.rows, plan.seed, 10, number, m, system)
            for m in REFERENCE_ROWS
            for system in range(plan.systems)
        ]
        counted = len(runs) * max(0, plan.rows - LEARNED_ROWS)
        rows.append(
            [
                waves.name,
                f"{counted:,}",
                str(sum(run.onsets(LEARNED_ROWS) for run in runs)),
                f"{100.0 * np.mean([run.part(run.raised, LEARNED_ROWS) for run in runs]):.2f} %",
                f"{np.mean([run.onsets(0) - run.onsets(LEARNED_ROWS) for run in runs]):.1f}",
                f"{median(float(np.median(run.tau[-1])) for run in runs):.3g}",
            ]
        )
    heads = (
        "rows",
        "system rows counted",
        "onsets of drift",
        "time significant",
        "onsets before, a system",
        "median τ",
    )
    return table(f"Nothing drifts, {COLUMNS} columns, no times in the reference", heads, rows)


def independent_table(plan: Plan) -> str:
    """Return the delays of independent rows with and without live dependence."""
    drawn, rows = References(100_000, plan.trials, plan.seed), []
    for shift in track(SHIFTS, "independent", console=Console(stderr=True)):
        own = [delays(shift, drawn[shift.shares], [0.02], plan.seed, live=live)[0] for live in (False, True)]
        rows.append([shift.name, *map(_in_words, own)])
    return table("Rows until detection, independent rows: median (90th percentile)", ("shift", "τ = 1", "τ live"), rows)


def _in_words(found: Delays) -> str:
    if found.median is None:
        return f"{100 * found.found // found.trials} % found"
    return f"{found.median:,.0f} ({'–' if found.late is None else f'{found.late:,.0f}'})"


def dependent_table(plan: Plan) -> str:
    """Return the delays of shifts of all columns of dependent systems."""
    rows = []
    for name, shift, history in track(DEPENDENT_SHIFTS, "dependent", console=Console(stderr=True)):
        waves = next(own for own in WAVES if own.name == name)
        found = [_shifted(waves, shift, history, plan.seed, 11, system) for system in range(plan.systems)]
        rows.append([f"{name}, mean {shift:g} sd", f"{history:,}", _in_words(Delays.of(np.concatenate(found)))])
    heads = ("shift", "rows before", "median (90th percentile)")
    return table("Rows until detection after a long history, m = 100,000", heads, rows)


def _shifted(waves: Waves, shift: float, history: int, *key: int) -> FloatArray:
    """Return how many rows after its shift each column is raised, infinite where it is not; shape [columns]."""
    stream = WaveStream(waves, 100_000, generator_of(*key))
    detector = stream.baseline.detector(live=True)
    seen = detector.start()
    for _ in range(0, history, CHUNK_BLOCKS * BLOCK_ROWS):
        seen = detector.advance(seen, stream.blocks(CHUNK_BLOCKS))
    before, late = seen.raised, np.full(COLUMNS, np.inf)
    for rows in range(BLOCK_ROWS, HORIZON, BLOCK_ROWS):
        seen = detector.advance(seen, stream.blocks(1, shift))
        late = np.where(seen.raised & ~before & np.isinf(late), rows, late)
        if np.isfinite(late).all():
            break
    return late


# ---------------------------------------------------------------- real streams


def real_table(plan: Plan) -> str:
    """Return how long the other half of each quarter is critical, against a random half of it."""
    runs: list[tuple[Callable[[], RealStream], float | None, bool]] = [
        (live_streams.flights, DAY_SECONDS, False),
        (live_streams.flights, None, False),
        (live_streams.flights, DAY_SECONDS, True),
        (live_streams.delays, DAY_SECONDS, False),
        (live_streams.weather, None, False),
    ]
    rows = []
    for stream, max_age, ordered in track(runs, "real streams", console=Console(stderr=True)):
        for quarter in (1, 2, 3, 4):
            found = [
                _quarter(stream(), quarter, half, max_age, plan.seed, ordered=ordered) for half in range(plan.halves)
            ]
            critical = [own.part(own.critical) for own in found]
            rows.append(
                [
                    stream().name + (", with times" if ordered else ""),
                    "none" if max_age is None else "1 day",
                    str(quarter),
                    f"{100 * median(critical):.1f} %",
                    f"{100 * max(critical):.1f} %",
                    f"{100 * median(own.part(own.drifted) for own in found):.1f} %",
                ]
            )
    heads = ("stream", "max age", "quarter", "critical: median", "worst half", "drift, learning included")
    return table(f"A random half of a quarter against its other half, {plan.halves} halves", heads, rows)


def _quarter(stream: RealStream, quarter: int, half: int, max_age: float | None, seed: int, ordered: bool) -> Verdicts:
    months = stream.table["month"]
    own = stream.table[(months - 1) // QUARTER_MONTHS == quarter - 1]
    reference, replayed = halves(own, generator_of(seed, 12, quarter, half))
    baseline = stream.baseline(reference, ordered=ordered)
    learning = 0.0 if ordered else LEARNING_DAYS
    watch = Watch(baseline, baseline.detector(live=True), max_age=max_age, learning_days=learning)
    return watch.over(lots(stream.blocks(baseline, replayed), 4)).verdicts


def may_table(plan: Plan) -> str:
    """Return when May's temperature is found, after the winter's other half."""
    found = {name: np.array([_may(half, plan.seed)[name] for half in range(plan.halves)]) for name in ("temp", "dewp")}
    rows = [
        [name, _in_words(Delays.of(own)), *(_rows(end) for end in (own.min(), own.max()))]
        for name, own in found.items()
    ]
    heads = ("column", "rows: median (90th percentile)", "fewest", "most")
    return table("May and June after January to April, a random half of which is the reference", heads, rows)


def _rows(late: float) -> str:
    return f"{late:,.0f}" if np.isfinite(late) else "–"


def _may(half: int, seed: int) -> dict[str, float]:
    stream = live_streams.flights()
    months = stream.table["month"]
    reference, before = halves(stream.table[months <= 4], generator_of(seed, 13, half))
    baseline = stream.baseline(reference)
    detector = baseline.detector(live=True)
    seen = detector.advance(detector.start(), stream.blocks(baseline, before))
    raised, late = seen.raised, np.full(len(baseline.names), np.inf)
    for number, lot in enumerate(lots(stream.blocks(baseline, stream.table[months.isin([5, 6])]), 1), start=1):
        seen = detector.advance(seen, lot)
        late = np.where(seen.raised & ~raised & np.isinf(late), BLOCK_ROWS * number, late)
    return dict(zip(baseline.names, late.tolist(), strict=True))


# ---------------------------------------------------------------- cost


def cost_table(plan: Plan) -> str:
    """Return the CPU time that evidence takes for a value with and without live dependence."""
    rows = []
    for columns in track(COST_COLUMNS, "cost", console=Console(stderr=True)):
        baseline, blocks = _blocks_of(columns, plan.seed)
        cells = []
        for lot in COST_LOTS:
            without, live = (_evidence_ns(baseline, blocks, lot, live=own) for own in (False, True))
            cells.append(f"{without:.1f} + {live - without:.1f}")
        rows.append([f"{columns:,}", *cells])
    heads = ("columns", *(f"{lot} block{'s' if lot > 1 else ''} at once" for lot in COST_LOTS))
    return table("CPU time of evidence, ns a value: without + for live dependence", heads, rows)


def _blocks_of(columns: int, seed: int) -> tuple[Baseline, Blocks]:
    generator, step = generator_of(seed, 14, columns), step_rows(columns)
    reference = {f"f{column}": generator.standard_normal(2_000) for column in range(columns)}
    baseline = build_baseline(reference, created=CREATED)
    count = max(16_000 // step, 80) if columns <= 300 else 80
    codes = baseline.binner.codes(generator.standard_normal((count * step, columns)))
    counts = baseline.binner.counts_by(codes, np.repeat(np.arange(count), step), count)
    return baseline, Blocks(counts, np.zeros(count, np.int64), np.arange(1.0, count + 1.0))


def _evidence_ns(baseline: Baseline, blocks: Blocks, lot: int, *, live: bool) -> float:
    detector = baseline.detector(live=live)
    seen = detector.advance(detector.start(), blocks)

    def advance() -> None:
        for part in lots(blocks, lot):
            detector.advance(seen, part)

    return cpu_seconds(advance, 7) / float(blocks.counts.sum()) * 1e9


def main(
    only: Annotated[str, typer.Option(help="Parts to run.")] = ",".join(PARTS),
    seed: Annotated[int, typer.Option(help="Seed.")] = 101,
    quick: Annotated[bool, typer.Option(help="Fewer systems, trials and halves.")] = False,
) -> None:
    """Simulate verdicts on dependent rows without times in the reference."""
    plan = Plan(1, 500_000, 50, 2, seed) if quick else Plan(3, 900_000, 200, 10, seed)
    steps: dict[str, Callable[[Plan], str]] = {
        "waves": waves_table,
        "independent": independent_table,
        "dependent": dependent_table,
        "real": real_table,
        "may": may_table,
        "cost": cost_table,
    }
    parts: Sequence[str] = [part for part in only.split(",") if part]
    if not set(parts) <= set(steps):
        raise typer.BadParameter(f"the parts are {', '.join(PARTS)}", param_hint="--only")
    with threadpool_limits(1):
        for part in parts:
            print(steps[part](plan), flush=True)


if __name__ == "__main__":
    typer.run(main)
