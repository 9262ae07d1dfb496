"""What others watch columns with: each says after which rows it looked, and which columns it then called drifting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from scipy.stats import kstwo

from benchmarks.streams import CREATED, encoded, table_of

PSI_THRESHOLD: Final = 0.2
KS_LEVEL: Final = 0.05
WASSERSTEIN_THRESHOLD: Final = 0.1
EVIDENTLY_REFERENCE_ROWS: Final = 10_000
"""Rows of the reference that evidently gets; it sorts all of them for each window."""
_SUMMARY: Final = 10
"""Reference quantiles for each row of a window, by which the Wasserstein distance is integrated."""

Looks = tuple[IntArray, BoolArray]
"""After which row (from the first, 1) it looked, shape [looks], and what it called drifting, shape [looks, columns]."""
Watch = Callable[[FloatArray], Looks]
"""Takes the next rows, shape [n, columns], categories as their numbers."""


@dataclass(frozen=True)
class Reference:
    """What a rival compares with: `values` have shape [m, columns], categories as their numbers."""

    values: FloatArray
    categories: int = 0

    @cached_property
    def baseline(self) -> Baseline:
        """The baseline of these rows, compared by the widely used formula of the PSI."""
        built = build_baseline(table_of(self.values, self.categories), created=CREATED)
        return replace(built, zero_bin="clip")

    @cached_property
    def ordered(self) -> FloatArray:
        """The rows of each column in order, shape [columns, m]."""
        return np.sort(self.values.T, axis=1)


@dataclass(frozen=True)
class Rival:
    """A rule that others use."""

    name: str
    start: Callable[[Reference], Watch]
    window: int = 0
    """Rows that it needs before it looks for the first time."""
    lot: int = 1_000
    """Rows that it is given at once, so that it stops in time."""
    trials: int = 40
    """Trials that are run side by side."""
    categories: bool = False
    """Whether it takes categories."""


class Windows:
    """Tests the newest rows at a fixed interval of rows."""

    def __init__(self, window: int, every: int, judge: Callable[[FloatArray], BoolArray]) -> None:
        self._window = window
        self._every = every
        self._judge = judge
        self._held: FloatArray | None = None
        self._passed = 0

    def __call__(self, cells: FloatArray) -> Looks:
        """Take the next rows."""
        held = cells if self._held is None else np.concatenate([self._held, cells])
        self._passed += len(cells)
        first = self._passed - len(cells) + 1
        due = range(-(-first // self._every) * self._every, self._passed + 1, self._every)
        ends = [end for end in due if end >= self._window]
        last = [len(held) - (self._passed - end) for end in ends]
        raised = [self._judge(held[stop - self._window : stop]) for stop in last]
        self._held = held[-self._window :]
        return np.array(ends, dtype=np.int64), np.array(raised, dtype=np.bool_).reshape(len(ends), cells.shape[1])


class OneByOne:
    """Gives each column's values one after another to a detector of its own."""

    def __init__(self, make: Callable[[int], Any], columns: int) -> None:
        self._own = [make(column) for column in range(columns)]
        self._passed = 0

    def __call__(self, cells: FloatArray) -> Looks:
        """Take the next rows."""
        raised = np.zeros(cells.shape, dtype=np.bool_)
        for column, detector in enumerate(self._own):
            for row, value in enumerate(cells[:, column].tolist()):
                detector.update(value)
                raised[row, column] = detector.drift_detected
        self._passed += len(cells)
        return np.arange(self._passed - len(cells) + 1, self._passed + 1), raised


def _psi(reference: Reference) -> Callable[[FloatArray], BoolArray]:
    baseline = reference.baseline

    def judge(window: FloatArray) -> BoolArray:
        codes = baseline.binner.codes(encoded(window, baseline, reference.categories))
        above: BoolArray = baseline.psi(baseline.binner.counts(codes)).psi >= PSI_THRESHOLD
        return above

    return judge


def _ks(window: int) -> Callable[[Reference], Callable[[FloatArray], BoolArray]]:
    """Return scipy's asymptotic two-sample test: a distance is compared with that of the level."""

    def start(reference: Reference) -> Callable[[FloatArray], BoolArray]:
        ordered, m = reference.ordered, len(reference.values)
        far = float(kstwo.isf(KS_LEVEL, round(window * m / (window + m))))
        step = np.arange(window + 1) / window

        def judge(rows: FloatArray) -> BoolArray:
            distance = np.empty(rows.shape[1])
            for column, own in enumerate(np.sort(rows.T, axis=1)):
                low, high = (np.searchsorted(ordered[column], own, side=side) / m for side in ("left", "right"))
                distance[column] = max((step[1:] - high).max(), (low - step[:-1]).max())
            raised: BoolArray = distance >= far
            return raised

        return judge

    return start


def _wasserstein(window: int) -> Callable[[Reference], Callable[[FloatArray], BoolArray]]:
    def start(reference: Reference) -> Callable[[FloatArray], BoolArray]:
        levels = (np.arange(_SUMMARY * window) + 0.5) / (_SUMMARY * window)
        places = (levels * len(reference.values)).astype(np.int64)
        quantiles = reference.ordered[:, places].reshape(-1, window, _SUMMARY)
        spread = reference.values.std(axis=0)

        def judge(rows: FloatArray) -> BoolArray:
            distance = np.abs(np.sort(rows.T, axis=1)[:, :, None] - quantiles).mean(axis=(1, 2))
            raised: BoolArray = distance >= WASSERSTEIN_THRESHOLD * spread
            return raised

        return judge

    return start


def _windowed(name: str, window: int, every: int, start: Callable[[Reference], Any], *, categories: bool) -> Rival:
    return Rival(
        name,
        lambda reference: Windows(window, every, start(reference)),
        window=window,
        lot=max(1_000, every),
        categories=categories,
    )


WINDOWED: Final = (
    _windowed("PSI ≥ 0.2, 1,000 rows", 1_000, 50, _psi, categories=True),
    _windowed("PSI ≥ 0.2, 10,000 rows", 10_000, 250, _psi, categories=True),
    _windowed("KS p < 0.05, 1,000 rows", 1_000, 250, _ks(1_000), categories=False),
    _windowed("Wasserstein ≥ 0.1 sd, 1,000 rows", 1_000, 50, _wasserstein(1_000), categories=False),
)


def rivals() -> tuple[list[Rival], dict[str, str]]:
    """Return the rivals that can be imported, and by name why the others can not."""
    found, failed = list(WINDOWED), dict[str, str]()
    for name, make in (("river", _river), ("evidently", _evidently)):
        try:
            found += make()
        except Exception as error:  # an import runs the whole package: anything can go wrong in it
            failed[name] = f"{type(error).__name__}: {error}"
    return found, failed


def _river() -> Sequence[Rival]:
    drift = import_module("river.drift")
    of = f"river {version('river')}"
    return (
        Rival(
            f"ADWIN, δ = 0.002 ({of})",
            lambda reference: OneByOne(lambda _: drift.ADWIN(delta=0.002), reference.values.shape[1]),
        ),
        Rival(
            f"KSWIN ({of})",
            lambda reference: OneByOne(lambda column: drift.KSWIN(seed=column), reference.values.shape[1]),
            lot=100,
            trials=5,
        ),
    )


def _evidently() -> Sequence[Rival]:
    import pandas as pd

    from benchmarks.peers import peers  # tells no service of being run

    usable, failed = peers()
    evaluate = {peer.name: peer for peer in usable}.get("evidently")
    if evaluate is None:
        raise ImportError(failed["evidently"])

    def start(reference: Reference) -> Watch:
        def frame(rows: FloatArray) -> pd.DataFrame:
            table = pd.DataFrame(rows, columns=[f"f{column:03}" for column in range(rows.shape[1])])
            return table.astype("int64").astype("str") if reference.categories else table

        known = frame(reference.values[:EVIDENTLY_REFERENCE_ROWS])
        return Windows(1_000, 1_000, lambda window: _called(evaluate.evaluate(known, frame(window))))

    name = f"DataDriftPreset, 1,000 rows (evidently {evaluate.version})"
    return (Rival(name, start, window=1_000, trials=5, categories=True),)


def _called(report: Any) -> BoolArray:
    """Return which columns evidently's report calls drifted, in order."""
    own = [found for found in report["metrics"] if found["config"]["type"].endswith("ValueDrift")]
    own.sort(key=lambda found: str(found["config"]["column"]))
    return np.array([_beyond(found["config"]["method"], found["config"]["threshold"], found["value"]) for found in own])


def _beyond(method: str, threshold: float, value: float) -> bool:
    return value < threshold if "p_value" in method else value >= threshold
