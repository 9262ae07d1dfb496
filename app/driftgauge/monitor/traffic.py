"""What one version of a model leaves to the next: how far the rows of its columns depend on one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from driftgauge.state.store import Store
from driftgauge.state.traffic import TrafficFile


def take_over(store: Store, traffic: TrafficFile, columns: Sequence[str]) -> None:
    """Begin with what earlier versions knew of the rows of the columns, unless rows of this one have come.

    The caller holds the lock of the evaluations. A file that cannot be read is noted.
    """
    live = store.root.progress.evidence.live
    if live is None or not np.isnan(live.since).all() or not store.is_persistent:
        return
    try:
        store.begin_with(traffic.taken_over(live, columns))
    except (OSError, ValueError) as error:
        store.note(f"{error}; autocorrelation is measured from the start")


def keep_traffic(store: Store, traffic: TrafficFile, columns: Sequence[str]) -> None:
    """Keep what is known of the rows of the columns for later versions; a file that cannot be written is noted.

    The caller holds the lock of the evaluations.
    """
    live = store.root.progress.evidence.live
    if live is None or not store.is_persistent:
        return
    try:
        traffic.keep(live, columns)
    except OSError as error:
        store.note(f"autocorrelation is not kept for the next version: {error}")
