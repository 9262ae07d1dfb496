"""Attributions of the features on rows of a table, which those of live rows are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.attribution.attributions import Attributions, Method
from driftgauge.errors import ModelFailed, Refused
from driftgauge.models.attributor import Attributor
from driftgauge.models.predictor import Batch, Predictor

MOST_ROWS: Final = 2_000
MOST_SECONDS: Final = 60.0
"""About how long it may take; a slower model gets fewer rows."""
_ROWS_AT_ONCE: Final = 1_000
_SEED: Final = 0


def reference_attributions(
    predictor: Predictor, batch: Batch, progress: Callable[[str], None] = lambda _: None
) -> Attributions | None:
    """Return the attributions on rows of a batch: by the model's library, or else by replacing values.

    None of a model that takes free text, that depends on no feature, or that fails on rows with replaced values.
    """
    progress("measuring attributions …")
    random = np.random.default_rng(_SEED)
    rows = batch.rows(random.permutation(len(batch))[:MOST_ROWS])
    methods: tuple[Method | None, ...] = (None, "replacement")
    for method in methods:
        try:
            attributor = Attributor(predictor, method)
            found = attributor.attributions(rows, MOST_SECONDS, seed=_SEED, at_once=_ROWS_AT_ONCE)
        except (ModelFailed, Refused):  # a model of another kind, such as one with linear trees
            continue
        return found if found is not None and sum(found.means) > 0.0 else None
    return None
