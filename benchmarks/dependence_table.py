"""Makes the table of `drift/evidence/trimmed.py`: what trimmed means of squares are without dependence.

Prints one line for each number of pairs. The same seed gives the same table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.trimmed import FEWEST_PAIRS, KEPT_PAIRS, LEVEL, OVERLAPPING_ITEMS, dropped

SEED: Final = 1
TRIALS: Final = 400_000
_TRIALS_AT_ONCE: Final = 20_000


def entries(sizes: Sequence[int], trials: int, seed: int) -> Mapping[int, tuple[float, float]]:
    """Return for numbers of pairs the mean of the smallest squares, and the limit of their ratio to it.

    The pairs are those of independent standard normal items, as a level compares them.
    """
    generator = np.random.default_rng(seed)
    means: dict[int, list[FloatArray]] = {size: [] for size in sizes}
    for first in range(0, trials, _TRIALS_AT_ONCE):
        squares = _squares(generator, min(_TRIALS_AT_ONCE, trials - first), max(sizes))
        for size, own in means.items():
            own.append(np.sort(squares[:size], axis=0)[: size - dropped(size)].mean(axis=0))
    return {size: _entry(np.concatenate(own)) for size, own in means.items()}


def _entry(means: FloatArray) -> tuple[float, float]:
    return float(means.mean()), float(np.quantile(means, LEVEL) / means.mean())


def _squares(generator: np.random.Generator, trials: int, pairs: int) -> FloatArray:
    """Return the first pairs of items, shape [pairs, trials]; later ones do not overlap."""
    seconds = [item for item in range(1, 2 * pairs) if item < OVERLAPPING_ITEMS or item % 2 == 1][:pairs]
    items = generator.standard_normal((seconds[-1] + 1, trials))
    squares: FloatArray = (items[seconds] - items[np.array(seconds) - 1]) ** 2 / 2.0
    return squares


def main(
    trials: Annotated[int, typer.Option(help="Trials.")] = TRIALS,
    seed: Annotated[int, typer.Option(help="Seed.")] = SEED,
) -> None:
    """Print the table as it stands in the code."""
    for pairs, (mean, limit) in entries(range(FEWEST_PAIRS, KEPT_PAIRS + 1), trials, seed).items():
        print(f"    ({mean:.4f}, {limit:.3f}),  # {pairs}")


if __name__ == "__main__":
    typer.run(main)
