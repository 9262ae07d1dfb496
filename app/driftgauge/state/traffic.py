"""Traffic: what later versions of a model take over from the rows of earlier ones.

How far rows depend on one another, and since when they are watched, is a property of the traffic and not of a
baseline. So it is kept for each column in one small file beside the folders of the model's versions.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from driftgauge.common.private_files import opened
from driftgauge.common.rfc3339 import EARLIEST, LATEST
from driftgauge.drift.evidence.live_dependence import LiveDependence

TRAFFIC_FILE: Final = "traffic.json"
_MOST_BYTES: Final = 16_777_216


class ColumnTraffic(NamedTuple):
    """What is known of the rows of one column."""

    autocorrelation_rows: float
    """The autocorrelation time that live rows show, at least 1."""
    since: float
    """When its first rows came, seconds since 1970."""


Traffic = Mapping[str, ColumnTraffic]
"""By the name of the column."""
UNKNOWN: Final = ColumnTraffic(math.nan, math.nan)
"""That of a column without earlier rows."""


def read_traffic(folder: Path) -> Traffic:
    """Return the traffic of the model whose versions lie in a folder; nothing where the file is missing.

    OSError if it cannot be read, ValueError if it is damaged.
    """
    try:
        descriptor = opened(folder / TRAFFIC_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return {}
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(_MOST_BYTES)
    try:
        return {name: _column(**own) for name, own in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{TRAFFIC_FILE} is damaged: {error}") from error


def _column(autocorrelation_rows: float, since: float) -> ColumnTraffic:
    column = ColumnTraffic(float(autocorrelation_rows), float(since))
    if not (1.0 <= column.autocorrelation_rows < math.inf and EARLIEST <= column.since <= LATEST):
        raise ValueError(f"{column} is not plausible")
    return column


def write_traffic(folder: Path, traffic: Traffic, version: str) -> None:
    """Replace the traffic of a model: all of it or nothing. OSError if it cannot be written.

    One process writes for a version at a time.
    """
    new = folder / f"{TRAFFIC_FILE}.{version}.new"
    content = json.dumps({name: own._asdict() for name, own in traffic.items()}, indent=1, allow_nan=False)
    try:
        with os.fdopen(opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(new, folder / TRAFFIC_FILE)
    finally:
        new.unlink(missing_ok=True)


class TrafficFile:
    """The traffic of a model, as the monitor of one version reads and keeps it."""

    def __init__(self, folder: Path, version: str) -> None:
        self._folder = folder
        self._version = version
        self._known: Traffic = {}

    def taken_over(self, live: LiveDependence, columns: Sequence[str]) -> LiveDependence:
        """Return this start with what earlier versions knew of the columns; errors as for `read_traffic`."""
        self._known = read_traffic(self._folder)
        known = [self._known.get(name, UNKNOWN) for name in columns]
        tau, since = (np.array(own) for own in zip(*known, strict=True))
        return live.taken_over(tau, since)

    def keep(self, live: LiveDependence, columns: Sequence[str]) -> None:
        """Write what is known of the columns, if it has changed; OSError if it cannot be written.

        What the file says of columns that this version does not have stays in it.
        """
        known = zip(columns, live.tau.tolist(), live.since.tolist(), strict=True)
        traffic = {name: ColumnTraffic(tau, since) for name, tau, since in known if not math.isnan(since)}
        if traffic != self._known:
            write_traffic(self._folder, {**self._of_all(), **traffic}, self._version)
            self._known = traffic

    def _of_all(self) -> Traffic:
        """Return what the file says of the columns of all versions; nothing if it is damaged."""
        try:
            return read_traffic(self._folder)
        except (OSError, ValueError):
            return {}
