"""Statistics of a window's bins that a verdict may rest on beside PSI, each with its noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.statistics.divergences import cramers_v, kl_divergence
from driftgauge.drift.statistics.noise import js_noise, kl_noise, v_noise, without_noise
from driftgauge.drift.statistics.psi import js_distance


@dataclass(frozen=True)
class BinMeasure:
    """A statistic of the shares of bins."""

    compare: Callable[[FloatArray, FloatArray], FloatArray]
    """From the counts of window and reference."""
    noise: Callable[[FloatArray], FloatArray]
    """From the noise of PSI."""
    is_distance: bool
    """Whether it grows with a change itself, rather than with its square."""

    def measured(
        self, current: FloatArray, reference: FloatArray, psi_noise: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return value, noise, and the value without noise; NaN where the noise of PSI is unknown."""
        noise = self.noise(psi_noise)
        value = np.where(np.isnan(noise), np.nan, self.compare(current, reference))
        return value, noise, without_noise(value, noise, is_distance=self.is_distance)


OF_BINS: Final[Mapping[str, BinMeasure]] = {
    "js": BinMeasure(js_distance, js_noise, is_distance=True),
    "kl": BinMeasure(kl_divergence, kl_noise, is_distance=False),
    "chi2": BinMeasure(cramers_v, v_noise, is_distance=True),
}
