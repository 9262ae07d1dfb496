"""How often the p-value calls rows of the same distribution different at a nominal 5 %.

Each trial draws a reference, builds its baseline, and compares a window of fresh rows of the same
distribution. Prints a table for benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from rich.console import Console
from rich.progress import Progress

LEVEL: Final = 0.05
COLUMNS_AT_ONCE: Final = 50
Draw = Callable[[np.random.Generator, int], FloatArray]


@dataclass(frozen=True)
class Distribution:
    """Where rows come from; categories are drawn as their numbers."""

    name: str
    draw: Draw
    categories: int = 0


def _gaps(share: float) -> Draw:
    return lambda g, n: np.where(g.random(n) < share, np.nan, g.normal(size=n))


def _flag(share: float) -> Draw:
    return lambda g, n: (g.random(n) < share).astype(np.float64)


def _choice(weights: FloatArray) -> Draw:
    p = weights / weights.sum()
    return lambda g, n: g.choice(len(p), n, p=p).astype(np.float64)


def _zipf(categories: int) -> FloatArray:
    return np.arange(1.0, categories + 1.0) ** -1.1


DISTRIBUTIONS: Final = (
    Distribution("normal", lambda g, n: g.normal(size=n)),
    Distribution("normal, 1 % missing", _gaps(0.01)),
    Distribution("normal, 20 % missing", _gaps(0.2)),
    Distribution("60 % zeros", lambda g, n: np.where(g.random(n) < 0.6, 0.0, g.exponential(size=n))),
    Distribution("rounded normal", lambda g, n: np.round(8.0 * g.normal(size=n))),
    Distribution("Poisson, mean 3", lambda g, n: g.poisson(3.0, n).astype(np.float64)),
    Distribution("flag, 50 %", _flag(0.5)),
    Distribution("flag, 10 %", _flag(0.1)),
    Distribution("flag, 3 %", _flag(0.03)),
    Distribution("3 categories", _choice(np.array([6.0, 3.0, 1.0])), 3),
    Distribution("30 categories, Zipf", _choice(_zipf(30)), 30),
    Distribution("2,000 categories, Zipf", _choice(_zipf(2_000)), 2_000),
    Distribution("300 categories, equal", _choice(np.ones(300)), 300),
    Distribution("10 categories, 6 of them rare", _choice(np.array([500, 300, 150, 30, 10, 5, 2, 1, 1, 1.0])), 10),
)


def rejected(
    source: Distribution, reference_rows: int, windows: Sequence[int], generator: np.random.Generator
) -> IntArray:
    """Return how many of 50 columns are called different, and have a p-value; shape [2, window sizes]."""
    names = [str(place) for place in range(COLUMNS_AT_ONCE)]
    baseline = _baseline(source, {name: source.draw(generator, reference_rows) for name in names})
    encoded = [own.encode([str(i) for i in range(source.categories)]) for own in baseline.bins]
    found = []
    for rows in windows:
        cells = [source.draw(generator, rows) for _ in names]
        if source.categories:
            cells = [codes[own.astype(np.int64)] for codes, own in zip(encoded, cells, strict=True)]
        counts = baseline.binner.counts(baseline.binner.codes(np.stack(cells, axis=1)))
        p_value = baseline.significance(counts.astype(np.float64)).p_value
        found.append(np.array([(p_value <= LEVEL).sum(), (~np.isnan(p_value)).sum()]))
    return np.stack(found, axis=1)


def _baseline(source: Distribution, columns: dict[str, FloatArray]) -> Baseline:
    if not source.categories:
        return build_baseline(dict(columns), created="2026-01-01T00:00:00Z")
    names = tuple(str(i) for i in range(source.categories))
    table = {name: Categories(own.astype(np.int64), names) for name, own in columns.items()}
    return build_baseline(dict(table), created="2026-01-01T00:00:00Z")


def _share(rejected: int, known: int, trials: int) -> str:
    return f"{100.0 * rejected / known:.1f}" if 2 * known > trials else "none"


def main(
    trials: Annotated[int, typer.Option(help="References, and windows of each size, for each distribution.")] = 10_000,
    references: Annotated[str, typer.Option(help="Rows of the reference.")] = "1000,10000",
    windows: Annotated[str, typer.Option(help="Rows of the window.")] = "100,200,500,1000,10000",
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
) -> None:
    """Simulate the size of the p-value at a nominal 5 %."""
    sizes = [int(part) for part in windows.split(",")]
    error = 100.0 * (LEVEL * (1.0 - LEVEL) / trials) ** 0.5
    with Progress(console=Console(stderr=True)) as progress:
        for rows in [int(part) for part in references.split(",")]:
            print(f"### Reference of {rows:,} rows: rejected at 5 %, in % (standard error {error:.2f})\n")
            print("| distribution | " + " | ".join(f"n = {size:,}" for size in sizes) + " |")
            print("|---" * (len(sizes) + 1) + "|")
            for source in DISTRIBUTIONS:
                generator = np.random.default_rng([seed, rows])
                lots = range(max(1, trials // COLUMNS_AT_ONCE))
                bar = progress.track(lots, description=f"{rows:,} rows, {source.name}")
                total, told = np.sum([rejected(source, rows, sizes, generator) for _ in bar], axis=0).tolist()
                cells = [_share(few, known, trials) for few, known in zip(total, told, strict=True)]
                print(f"| {source.name} | " + " | ".join(cells) + " |", flush=True)
            print()


if __name__ == "__main__":
    typer.run(main)
