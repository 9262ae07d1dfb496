"""Makes the table of `drift/evidence/trimmed.py`: what trimmed means of squares are without dependence.

Prints one line for each number of pairs. The same seed gives the same table.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.trimmed import FEWEST_PAIRS, KEPT_PAIRS, LEVEL, dropped

SEED: Final = 1
TRIALS: Final = 1_000_000
_TRIALS_AT_ONCE: Final = 50_000


def entry(pairs: int, trials: int, seed: int) -> tuple[float, float]:
    """Return the mean of the smallest squares of `pairs` standard normals, and the limit of their ratio to it."""
    generator = np.random.default_rng([seed, pairs])
    parts = [min(_TRIALS_AT_ONCE, trials - first) for first in range(0, trials, _TRIALS_AT_ONCE)]
    means = np.concatenate([_trimmed(generator.standard_normal((part, pairs)) ** 2) for part in parts])
    mean = float(means.mean())
    return mean, float(np.quantile(means, LEVEL)) / mean


def _trimmed(squares: FloatArray) -> FloatArray:
    """Return the mean of each row without its largest values, shape [rows]."""
    kept = squares.shape[1] - dropped(squares.shape[1])
    means: FloatArray = np.sort(squares, axis=1)[:, :kept].mean(axis=1)
    return means


def main(
    trials: Annotated[int, typer.Option(help="Trials for each number of pairs.")] = TRIALS,
    seed: Annotated[int, typer.Option(help="Seed.")] = SEED,
) -> None:
    """Print the table as it stands in the code."""
    for pairs in range(FEWEST_PAIRS, KEPT_PAIRS + 1):
        mean, limit = entry(pairs, trials, seed)
        print(f"    ({mean:.4f}, {limit:.3f}),  # {pairs}", flush=True)


if __name__ == "__main__":
    typer.run(main)
