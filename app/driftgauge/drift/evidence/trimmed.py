"""Trimmed means of squared differences, and their values for independent rows.

A step of the distribution spoils one difference at each scale, an incident two. The largest differences are left
out, so that a change is not taken for dependence.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray

FEWEST_PAIRS: Final = 4
KEPT_PAIRS: Final = 64
LEVEL: Final = 0.999
"""Part of the ratios of independent rows that stays below the limit."""
_TABLE: Final = (
    (0.5099, 5.993),  # 4
    (0.5559, 5.032),  # 5
    (0.3715, 5.378),  # 6
    (0.4125, 4.687),  # 7
    (0.4474, 4.225),  # 8
    (0.4775, 3.880),  # 9
    (0.5039, 3.603),  # 10
    (0.5271, 3.388),  # 11
    (0.5482, 3.192),  # 12
    (0.5667, 3.057),  # 13
    (0.5835, 2.935),  # 14
    (0.5990, 2.831),  # 15
    (0.4999, 2.888),  # 16
    (0.5160, 2.791),  # 17
    (0.5302, 2.711),  # 18
    (0.5437, 2.633),  # 19
    (0.5561, 2.554),  # 20
    (0.5682, 2.505),  # 21
    (0.5791, 2.449),  # 22
    (0.5897, 2.408),  # 23
    (0.5991, 2.345),  # 24
    (0.6084, 2.319),  # 25
    (0.6172, 2.264),  # 26
    (0.6256, 2.236),  # 27
    (0.6331, 2.201),  # 28
    (0.6407, 2.169),  # 29
    (0.6479, 2.142),  # 30
    (0.6548, 2.108),  # 31
    (0.5922, 2.143),  # 32
    (0.5992, 2.111),  # 33
    (0.6061, 2.089),  # 34
    (0.6126, 2.065),  # 35
    (0.6191, 2.041),  # 36
    (0.6253, 2.021),  # 37
    (0.6313, 2.002),  # 38
    (0.6365, 1.985),  # 39
    (0.6419, 1.960),  # 40
    (0.6474, 1.944),  # 41
    (0.6522, 1.927),  # 42
    (0.6573, 1.911),  # 43
    (0.6618, 1.900),  # 44
    (0.6667, 1.885),  # 45
    (0.6711, 1.873),  # 46
    (0.6755, 1.860),  # 47
    (0.6795, 1.840),  # 48
    (0.6836, 1.840),  # 49
    (0.6878, 1.821),  # 50
    (0.6913, 1.809),  # 51
    (0.6951, 1.809),  # 52
    (0.6985, 1.791),  # 53
    (0.7023, 1.784),  # 54
    (0.7056, 1.774),  # 55
    (0.7089, 1.762),  # 56
    (0.7123, 1.756),  # 57
    (0.7155, 1.744),  # 58
    (0.7184, 1.736),  # 59
    (0.7215, 1.731),  # 60
    (0.7244, 1.719),  # 61
    (0.7271, 1.712),  # 62
    (0.7298, 1.707),  # 63
    (0.7327, 1.697),  # 64
)
"""For 4 to 64 squares of standard normals: the mean without the largest, and the `LEVEL` quantile of such a mean
relative to it. `benchmarks/dependence_table.py` makes it (seed 1, 1,000,000 trials)."""


def dropped(pairs: int) -> int:
    """Return how many of the largest values are left out."""
    if pairs < 6:
        return 1
    return 2 if pairs < 16 else 3 if pairs < 32 else 4


def ratios(values: npt.NDArray[np.integer], unit: int) -> FloatArray:
    """Return the ratio of trimmed means to those of independent rows, 0 where it is within chance.

    `values` are squares whose mean is `unit` for independent rows, shape [pairs, ...] with at least `FEWEST_PAIRS`
    and at most `KEPT_PAIRS` of them; the result has shape [...].
    """
    kept = len(values) - dropped(len(values))
    mean, limit = _TABLE[len(values) - FEWEST_PAIRS]
    flat = np.ascontiguousarray(values.reshape(len(values), -1).T)  # sorted along the memory, which is faster
    flat.sort(axis=1)
    total = flat[:, :kept].sum(axis=1, dtype=np.int64).reshape(values.shape[1:])
    ratio = total / (kept * unit * mean)
    counting: FloatArray = np.where(ratio > limit, ratio, 0.0)
    return counting
