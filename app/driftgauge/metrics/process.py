"""Measurements of this process, as prometheus_client takes them."""

from __future__ import annotations

import math

import numpy as np
from prometheus_client import ProcessCollector

from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.server_series import PROCESS


def process_numbers() -> FloatArray:
    """Return the measurements of this process in the order of `PROCESS`; NaN for unknown ones."""
    found = {
        sample.name: sample.value for family in ProcessCollector(registry=None).collect() for sample in family.samples
    }
    return np.array([found.get(spec.name, math.nan) for spec in PROCESS])
