"""Reports as a history keeps them, and a recount of what it should hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.history import STATISTICS, History
from driftgauge.state.history import RESOLUTIONS, HistoryBuffer, HistoryShape

NAMES = ("age", "flag", "city")
NOON = 1_699_963_200.0
"""A noon (UTC)."""


def verdicts(at: float, names: Sequence[str] = NAMES, *, seed: int = 0, rank: int | None = None) -> History:
    """Return the verdicts of a report at a moment: numbers of chance, a fifth of them unknown, and ranks."""
    generator = np.random.default_rng([seed, int(abs(at))])
    numbers = generator.random((1, len(STATISTICS), len(names)))
    numbers[generator.random(numbers.shape) < 0.2] = math.nan
    ranks = generator.integers(0, 8, (1, len(names))) if rank is None else np.full((1, len(names)), rank)
    return History(
        names=tuple(names),
        at=np.array([at]),
        seconds=np.zeros(1),
        rank=ranks.max(axis=1).astype(np.uint8),
        rows=np.array([at - NOON]),
        score_mean=generator.random(1),
        ranks=ranks.astype(np.uint8),
        statistics=numbers.astype(np.float32),
    )


def recount(reports: Iterable[History]) -> dict[str, dict[int, History]]:
    """Return what a history keeps at most of reports in the order of time: by resolution, by number.

    This is computed from all reports at once, by plain loops, and not from finer records one after another.
    """
    minutes: dict[int, History] = {}
    for report in reports:
        minutes.setdefault(math.floor(report.at[0] / 60), report)
    found = {"minutes": minutes}
    for finer, coarser in pairwise(RESOLUTIONS):
        parts: dict[int, list[History]] = {}
        for number, record in found[finer.name].items():
            parts.setdefault(number * finer.seconds // coarser.seconds, []).append(record)
        over = max(minutes, default=0) * 60 // coarser.seconds
        found[coarser.name] = {number: _together(own) for number, own in parts.items() if number < over}
    return found


def _together(records: Sequence[History]) -> History:
    return replace(
        records[-1],
        rank=np.array([max(int(record.rank[0]) for record in records)], np.uint8),
        ranks=np.array([[max(column) for column in zip(*(own.ranks[0].tolist() for own in records), strict=True)]]),
        score_mean=np.array([_mean([float(own.score_mean[0]) for own in records])]),
        statistics=np.array(
            [
                [
                    [_mean([float(own.statistics[0, s, c]) for own in records]) for c in range(len(records[0].names))]
                    for s in range(len(STATISTICS))
                ]
            ]
        ),
    )


def _mean(numbers: Sequence[float]) -> float:
    known = [number for number in numbers if not math.isnan(number)]
    return math.fsum(known) / len(known) if known else math.nan


def assert_recounted(found: History, reports: Sequence[History]) -> None:
    """Assert that a history is that of these reports: each time by the finest records that are kept of it."""
    expected, finer, begin = recount(reports), [math.inf], math.inf
    rows: list[tuple[float, int, History]] = []
    for own in RESOLUTIONS:
        newest = max(expected[own.name], default=0)
        held = {n * own.seconds: record for n, record in expected[own.name].items() if n > newest - own.records}
        for at, record in held.items():
            if at < begin or not any(at <= part < at + own.seconds for part in finer):
                rows.append((at, own.seconds, record))
        finer, begin = [*finer, *held], own.seconds * (newest - own.records + 1)
    rows.sort(key=lambda row: row[0])
    assert found.at.tolist() == [at for at, _, _ in rows]
    assert found.seconds.tolist() == [seconds for _, seconds, _ in rows]
    for name in ("rank", "rows", "ranks", "score_mean", "statistics"):
        parts: list[FloatArray] = [getattr(record, name) for _, _, record in rows]
        np.testing.assert_allclose(getattr(found, name), np.concatenate(parts), rtol=1e-5, equal_nan=True)


def minutely(count: int) -> list[History]:
    """Return the reports of some minutes, one each."""
    return [verdicts(NOON + 60.0 * minute) for minute in range(count)]


def kept_in_memory(reports: Iterable[History]) -> HistoryBuffer:
    """Return a history of reports that never stopped."""
    history = HistoryBuffer(HistoryShape(len(NAMES)))
    for report in reports:
        history.keep(report)
    return history


def assert_same_history(found: HistoryBuffer, expected: HistoryBuffer) -> None:
    """Assert that two histories hold the same verdicts and changes."""
    np.testing.assert_equal(vars(found.read(NAMES)), vars(expected.read(NAMES)))
    np.testing.assert_equal(vars(found.changes()), vars(expected.changes()))
