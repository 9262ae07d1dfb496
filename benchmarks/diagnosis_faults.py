"""Twelve faults in three sizes, as they are injected into rows, scores, labels and latencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.causes import CauseKind

from benchmarks.diagnosis_tables import TARGET, Made, Trained

Size = Literal["small", "middle", "large"]
SIZES: Final[tuple[Size, ...]] = get_args(Size)
MILES: Final = 1.609344


@dataclass(frozen=True)
class Batch:
    """Rows with their labels, scores and the latencies of their requests."""

    frame: pd.DataFrame
    scores: FloatArray
    labels: FloatArray
    latencies: FloatArray

    def part(self, first: int, end: int) -> Batch:
        """Return some of the rows."""
        own = slice(first, end)
        frame = self.frame[own].reset_index(drop=True)
        return Batch(frame, self.scores[own], self.labels[own], self.latencies[own])


@dataclass(frozen=True)
class Fault:
    """A fault, its right answer, and what its sizes are."""

    kind: CauseKind
    unit: str
    """What the numbers of `sizes` are."""
    sizes: tuple[float, float, float]
    rows: Callable[[Made, np.random.Generator, int, float], pd.DataFrame] | None = None
    """Makes faulty rows; None where these are as usual."""

    def columns(self, made: Made) -> tuple[str, ...] | None:
        """Return the columns that the first cause has to name, in any order; None for any."""
        named: Mapping[str, tuple[str, ...]] = {
            "unit_change": (made.length,),
            "scaled_feature": (made.scaled,),
            "stuck_sensor": (made.sensor,),
            "swapped_columns": made.pair,
            "new_category": (made.category,),
            "missing_upstream": made.source,
            "time_zone_shift": (made.hour,),
            "traffic_mix": (made.group,),
        }
        return named.get(self.kind)


def quiet(trained: Trained, frame: pd.DataFrame, rng: np.random.Generator) -> Batch:
    """Return rows as they are usually answered."""
    labels = frame[TARGET].to_numpy(dtype=np.float64)
    features = frame.drop(columns=TARGET)
    latencies = rng.lognormal(np.log(0.004), 0.4, len(frame))
    return Batch(features, trained.scores(features), labels, latencies)


def faulty(trained: Trained, fault: Fault, size: float, rng: np.random.Generator, rows: int) -> Batch:
    """Return rows with a fault."""
    make = fault.rows or _usual
    batch = quiet(trained, make(trained.made, rng, rows, size), rng)
    if fault.kind == "concept_drift":
        flipped = rng.random(rows) < size
        return Batch(batch.frame, batch.scores, np.where(flipped, 1.0 - batch.labels, batch.labels), batch.latencies)
    if fault.kind == "slow_model":
        return Batch(batch.frame, batch.scores, batch.labels, size * batch.latencies)
    if fault.kind == "constant_answers":
        stuck = np.where(rng.random(rows) < size, 0.03, batch.scores)
        return Batch(batch.frame, stuck, batch.labels, batch.latencies)
    return batch


def _usual(made: Made, rng: np.random.Generator, n: int, size: float) -> pd.DataFrame:
    return made.rows(rng, n)


def _of_some(change: Callable[[Made, pd.DataFrame, Any], None]) -> Callable[..., pd.DataFrame]:
    """Return what changes a part of `size` of the rows."""

    def rows(made: Made, rng: np.random.Generator, n: int, size: float) -> pd.DataFrame:
        frame = made.rows(rng, n)
        change(made, frame, rng.random(n) < size)
        return frame

    return rows


def _other_unit(made: Made, frame: pd.DataFrame, some: Any) -> None:
    factor = MILES if made.length.endswith("miles") else 1_000.0
    frame.loc[some, made.length] = (frame.loc[some, made.length] * factor).round(1)


def _standardised(made: Made, frame: pd.DataFrame, some: Any) -> None:
    own = frame[made.scaled]
    frame.loc[some, made.scaled] = ((own - own.mean()) / own.std())[some].round(4)


def _stuck(made: Made, frame: pd.DataFrame, some: Any) -> None:
    frame.loc[some, made.sensor] = float(frame[made.sensor].iloc[0])


def _swapped(made: Made, frame: pd.DataFrame, some: Any) -> None:
    first, second = made.pair
    frame.loc[some, [first, second]] = frame.loc[some, [second, first]].to_numpy().copy()


def _renamed(made: Made, frame: pd.DataFrame, some: Any) -> None:
    frame.loc[some, made.category] = "brand-new"


def _missing(made: Made, frame: pd.DataFrame, some: Any) -> None:
    frame.loc[some, list(made.source)] = np.nan


def _other_zone(made: Made, rng: np.random.Generator, n: int, size: float) -> pd.DataFrame:
    frame = made.rows(rng, n)
    frame[made.hour] = np.mod(frame[made.hour] + size, 24.0)
    return frame


def _other_rate(made: Made, rng: np.random.Generator, n: int, size: float) -> pd.DataFrame:
    return made.rows_of_rate(rng, n, size)


def _other_mix(made: Made, rng: np.random.Generator, n: int, size: float) -> pd.DataFrame:
    grown = "phone" if "phone" in made.groups else "EV"
    left = (1.0 - size) / (1.0 - made.groups[grown])
    return made.rows(rng, n, {own: size if own == grown else left * share for own, share in made.groups.items()})


FAULTS: Final = (
    Fault("unit_change", "share of rows", (0.5, 0.75, 1.0), _of_some(_other_unit)),
    Fault("stuck_sensor", "share of rows", (0.2, 0.5, 1.0), _of_some(_stuck)),
    Fault("swapped_columns", "share of rows", (0.3, 0.6, 1.0), _of_some(_swapped)),
    Fault("new_category", "share of rows", (0.03, 0.1, 0.4), _of_some(_renamed)),
    Fault("missing_upstream", "share of rows", (0.05, 0.2, 0.8), _of_some(_missing)),
    Fault("time_zone_shift", "hours", (2.0, 5.0, -7.0), _other_zone),
    Fault("scaled_feature", "share of rows", (0.3, 0.6, 1.0), _of_some(_standardised)),
    Fault("label_shift", "positive class", (0.5, 0.6, 0.75), _other_rate),
    Fault("concept_drift", "share of labels", (0.15, 0.3, 0.5)),
    Fault("slow_model", "times slower", (1.7, 3.0, 8.0)),
    Fault("constant_answers", "share of rows", (0.3, 0.6, 1.0)),
    Fault("traffic_mix", "share of one group", (0.45, 0.6, 0.85), _other_mix),
)
