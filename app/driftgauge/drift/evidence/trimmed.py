"""Trimmed means of squared differences, and their values for independent rows.

A step of the distribution spoils one difference at each scale, an incident two. The largest differences are left
out, so that a change is not taken for dependence.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray

FEWEST_PAIRS: Final = 5
KEPT_PAIRS: Final = 64
OVERLAPPING_ITEMS: Final = 16
"""Each of the first items of a level is compared with the one before it, later only every second one."""
LEVEL: Final = 0.999
"""Part of the ratios of independent rows that stays below the limit."""
_TABLE: Final = (
    (0.6033, 6.290),  # 5
    (0.4024, 6.670),  # 6
    (0.4411, 5.760),  # 7
    (0.4737, 5.146),  # 8
    (0.5018, 4.657),  # 9
    (0.5265, 4.327),  # 10
    (0.5483, 4.018),  # 11
    (0.5675, 3.813),  # 12
    (0.5847, 3.633),  # 13
    (0.6005, 3.485),  # 14
    (0.6150, 3.341),  # 15
    (0.5141, 3.381),  # 16
    (0.5282, 3.241),  # 17
    (0.5414, 3.099),  # 18
    (0.5538, 2.984),  # 19
    (0.5655, 2.890),  # 20
    (0.5765, 2.810),  # 21
    (0.5869, 2.743),  # 22
    (0.5966, 2.667),  # 23
    (0.6058, 2.611),  # 24
    (0.6146, 2.562),  # 25
    (0.6229, 2.494),  # 26
    (0.6308, 2.449),  # 27
    (0.6382, 2.411),  # 28
    (0.6453, 2.363),  # 29
    (0.6522, 2.318),  # 30
    (0.6586, 2.294),  # 31
    (0.5955, 2.302),  # 32
    (0.6025, 2.266),  # 33
    (0.6091, 2.233),  # 34
    (0.6156, 2.205),  # 35
    (0.6219, 2.167),  # 36
    (0.6278, 2.141),  # 37
    (0.6335, 2.116),  # 38
    (0.6391, 2.090),  # 39
    (0.6444, 2.071),  # 40
    (0.6496, 2.044),  # 41
    (0.6546, 2.029),  # 42
    (0.6594, 2.012),  # 43
    (0.6640, 1.994),  # 44
    (0.6685, 1.979),  # 45
    (0.6728, 1.966),  # 46
    (0.6771, 1.948),  # 47
    (0.6811, 1.933),  # 48
    (0.6852, 1.916),  # 49
    (0.6890, 1.903),  # 50
    (0.6928, 1.887),  # 51
    (0.6965, 1.877),  # 52
    (0.7001, 1.863),  # 53
    (0.7035, 1.852),  # 54
    (0.7069, 1.841),  # 55
    (0.7102, 1.824),  # 56
    (0.7133, 1.813),  # 57
    (0.7164, 1.802),  # 58
    (0.7194, 1.795),  # 59
    (0.7223, 1.783),  # 60
    (0.7252, 1.773),  # 61
    (0.7281, 1.761),  # 62
    (0.7308, 1.759),  # 63
    (0.7335, 1.747),  # 64
)
"""For 5 to 64 pairs of independent items: the mean square without the largest, and the `LEVEL` quantile of such a mean
relative to it. `benchmarks/dependence_table.py` makes it (seed 1, 400,000 trials)."""


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
