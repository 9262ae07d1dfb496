"""How often whole rows that changed are found: by the domain classifier, the reconstruction error, and MMD.

Maximum mean discrepancy (MMD) is the usual test of whole rows with a kernel. It is compared here alone: it needs a
permutation test, names no column, and its time grows with the square of the rows.

Run `python -m benchmarks.whole_rows --trials 100`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.classifier import separation
from driftgauge.drift.multivariate.components import reconstruction
from driftgauge.drift.multivariate.encoding import Encoded
from scipy.spatial.distance import cdist

COLUMNS: Final = 8
PERMUTATIONS: Final = 100
LEVEL: Final = 0.05
Rows = FloatArray
Method = Callable[[Rows, Rows, np.random.Generator], bool]


def correlated(rng: np.random.Generator, rows: int, correlation: float = 0.7) -> Rows:
    """Return normal rows whose first two columns go together."""
    found = rng.normal(size=(rows, COLUMNS))
    found[:, 1] = correlation * found[:, 0] + np.sqrt(1.0 - correlation**2) * found[:, 1]
    return found


def _shifted(rng: np.random.Generator, rows: int) -> Rows:
    found = correlated(rng, rows)
    found[:, 3] += 0.25
    return found


def _everywhere(rng: np.random.Generator, rows: int) -> Rows:
    return correlated(rng, rows) + 0.1


def _wider(rng: np.random.Generator, rows: int) -> Rows:
    found = correlated(rng, rows)
    found[:, 3] *= 1.25
    return found


CHANGES: Final[Mapping[str, Callable[[np.random.Generator, int], Rows]]] = {
    "no drift": correlated,
    "mean of one column by 0.25": _shifted,
    "mean of all columns by 0.1": _everywhere,
    "spread of one column by 1.25": _wider,
    "correlation 0.7 to 0.4": lambda rng, rows: correlated(rng, rows, 0.4),
}


def classified(reference: Rows, current: Rows, rng: np.random.Generator) -> bool:
    """Return whether the classifier's interval lies above 0.5."""
    rows = Encoded(np.vstack([reference, current]), np.arange(COLUMNS))
    return separation(rows, np.arange(len(rows.values)) >= len(reference), rng).is_significant


def rebuilt(reference: Rows, current: Rows, rng: np.random.Generator) -> bool:
    """Return whether the interval of the reconstruction error's shift leaves out 0."""
    found = reconstruction(reference, current, rng)
    return found is not None and found.is_significant


def discrepant(reference: Rows, current: Rows, rng: np.random.Generator) -> bool:
    """Return whether MMD (a Gaussian kernel of the median distance) exceeds that of permuted rows."""
    together = np.vstack([reference, current])
    distances = cdist(together, together, "sqeuclidean")
    kernel = np.exp(-distances / np.median(distances))
    sides = np.where(np.arange(len(together)) < len(reference), 1.0 / len(reference), -1.0 / len(current))
    orders = np.stack([sides, *(rng.permutation(sides) for _ in range(PERMUTATIONS))])
    found = np.einsum("ij,ij->i", orders @ kernel, orders)
    return float((found[1:] >= found[0]).mean()) < LEVEL


METHODS: Final[Mapping[str, Method]] = {"classifier": classified, "reconstruction": rebuilt, "MMD": discrepant}


def found_in(change: str, trials: int, rows: int) -> dict[str, tuple[float, float]]:
    """Return for each method the share of trials in which it finds a change, and seconds for one."""
    counts, seconds = dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0.0)
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        sides = correlated(rng, rows), CHANGES[change](rng, rows)
        for name, method in METHODS.items():
            started = time.process_time()
            counts[name] += method(*sides, rng)
            seconds[name] += time.process_time() - started
    return {name: (counts[name] / trials, seconds[name] / trials) for name in METHODS}


def main() -> None:
    """Print a table of all changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of each side")
    options = parser.parse_args()
    print(f"| change | {' | '.join(METHODS)} |")
    print(f"|---|{'---|' * len(METHODS)}")
    for change in CHANGES:
        found = found_in(change, options.trials, options.rows)
        cells = [f"{share:.0%} ({1_000.0 * seconds:.0f} ms)" for share, seconds in found.values()]
        print(f"| {change} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
