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
OVERLAPPING_ITEMS: Final = 6
"""Each of the first items of a level is compared with the one before it, later only every second one."""
LEVEL: Final = 0.999
"""Part of the ratios of independent rows that stays below the limit."""
_TABLE: Final = (
    (0.3561, 7.990),  # 5
    (0.3973, 6.407),  # 6
    (0.4322, 5.456),  # 7
    (0.4631, 4.817),  # 8
    (0.4902, 4.360),  # 9
    (0.5143, 3.981),  # 10
    (0.5358, 3.668),  # 11
    (0.5553, 3.481),  # 12
    (0.5727, 3.291),  # 13
    (0.5887, 3.142),  # 14
    (0.6034, 3.018),  # 15
    (0.5040, 3.060),  # 16
    (0.5192, 2.944),  # 17
    (0.5333, 2.841),  # 18
    (0.5464, 2.744),  # 19
    (0.5588, 2.670),  # 20
    (0.5703, 2.606),  # 21
    (0.5811, 2.536),  # 22
    (0.5914, 2.482),  # 23
    (0.6009, 2.428),  # 24
    (0.6100, 2.382),  # 25
    (0.6185, 2.319),  # 26
    (0.6266, 2.290),  # 27
    (0.6344, 2.251),  # 28
    (0.6418, 2.213),  # 29
    (0.6487, 2.183),  # 30
    (0.6555, 2.164),  # 31
    (0.5926, 2.184),  # 32
    (0.5996, 2.153),  # 33
    (0.6065, 2.131),  # 34
    (0.6130, 2.106),  # 35
    (0.6194, 2.080),  # 36
    (0.6255, 2.053),  # 37
    (0.6313, 2.040),  # 38
    (0.6369, 2.016),  # 39
    (0.6423, 1.997),  # 40
    (0.6476, 1.979),  # 41
    (0.6527, 1.963),  # 42
    (0.6576, 1.948),  # 43
    (0.6623, 1.926),  # 44
    (0.6669, 1.910),  # 45
    (0.6714, 1.897),  # 46
    (0.6757, 1.883),  # 47
    (0.6799, 1.873),  # 48
    (0.6839, 1.861),  # 49
    (0.6878, 1.849),  # 50
    (0.6917, 1.835),  # 51
    (0.6954, 1.826),  # 52
    (0.6990, 1.812),  # 53
    (0.7025, 1.799),  # 54
    (0.7059, 1.792),  # 55
    (0.7092, 1.776),  # 56
    (0.7124, 1.769),  # 57
    (0.7156, 1.757),  # 58
    (0.7186, 1.752),  # 59
    (0.7216, 1.744),  # 60
    (0.7246, 1.735),  # 61
    (0.7274, 1.727),  # 62
    (0.7302, 1.725),  # 63
    (0.7329, 1.715),  # 64
)
"""For 5 to 64 pairs of independent items: the mean square without the largest, and the `LEVEL` quantile of such a mean
relative to it. `benchmarks/dependence_table.py` makes it (seed 1, 400,000 trials)."""


def dropped(pairs: int) -> int:
    """Return how many of the largest values are left out."""
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
