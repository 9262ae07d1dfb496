from __future__ import annotations

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.blocks import Head
from driftgauge.drift.windows.time_spans import Summing
from driftgauge.state.pending import Ahead, Waiting
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.states import empty_ring

MOST = 600
HOUR = 3_600.0
BASELINE = build_baseline(
    {"x": np.random.default_rng(0).normal(3.0, 2.0, 500), "flag": np.tile([0.0, 1.0], 250)}, created=""
)
BINNER, SUMMING = BASELINE.binner, Summing(BASELINE.scales)


class _Worker:
    """Rows of a worker that has binned the first ones, and how often each was copied by a reader."""

    def __init__(self, rows: int, *, by_hour: bool = False, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.values = np.stack([rng.normal(3.0, 4.0, rows), rng.integers(0, 3, rows).astype(np.float64)], axis=1)
        self.values[rng.random((rows, 2)) < 0.1] = np.nan
        self.at = 1e6 + np.cumsum(rng.uniform(-1.0, 40.0, rows))
        self.codes = BINNER.codes(self.values)
        self.ring = empty_ring(BINNER, by_hour=by_hour)
        self.head, self.step = self.ring.start(), 0
        self.ahead = Ahead(BINNER, SUMMING, self.ring, MOST)
        self.copied = np.zeros(rows, dtype=np.int64)

    def digest(self, end: int) -> None:
        begin = self.head.rows
        self.head, _ = self.ring.add(self.head, self.codes[begin:end], self.at[begin:end])
        self.step += 1

    def upto(self, end: int) -> Waiting:
        return self.ahead.upto(end, self.head, self.step, self._copy)

    def _copy(self, begin: int, end: int) -> tuple[FloatArray, FloatArray]:
        self.copied[begin:end] += 1
        return self.values[begin:end].copy(), self.at[begin:end].copy()

    def assert_are_those(self, waiting: Waiting, head: Head, end: int) -> None:
        """The same as is derived of all the rows at once."""
        own = slice(head.rows, end)
        np.testing.assert_array_equal(waiting.rows.values, self.values[own])
        np.testing.assert_array_equal(waiting.rows.codes, self.codes[own])
        np.testing.assert_array_equal(waiting.rows.at, self.at[own])
        ends, after = self.ring.ahead(head, self.codes[own], self.at[own])
        np.testing.assert_equal([vars(waiting.ends), vars(waiting.head)], [vars(ends), vars(after)])
        np.testing.assert_allclose(waiting.sums, SUMMING(self.values[own]), rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(waiting.block.counts, BINNER.counts(self.codes[own]))
        assert len(waiting) == end - head.rows


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(st.tuples(st.integers(0, 150), st.booleans()), min_size=1, max_size=12), st.booleans(), st.integers(0, 9)
)
def test_rows_are_binned_once_each_whatever_was_read_before(
    reads: list[tuple[int, bool]], by_hour: bool, seed: int
) -> None:
    worker = _Worker(2_000, by_hour=by_hour, seed=seed)
    end, kept = 0, []
    for rows, digest in reads:
        end = min(end + rows, worker.head.rows + MOST)
        kept.append((worker.upto(end), worker.head, end))
        if digest:
            worker.digest(end)
    for waiting, head, upto in kept:  # the early ones too: what was given away is never written again
        worker.assert_are_those(waiting, head, upto)
    assert set(worker.copied[:end]) <= {1}
    assert not worker.copied[end:].any()


def test_no_rows_are_none() -> None:
    worker = _Worker(100)
    worker.digest(40)
    waiting = worker.upto(40)
    assert (len(waiting), len(waiting.ends), waiting.head.rows) == (0, 0, 40)
    assert not worker.copied.any()


def test_a_reader_that_is_behind_another_one_reads_its_own_rows() -> None:
    worker = _Worker(100)
    ahead = worker.upto(90)
    worker.assert_are_those(worker.upto(50), worker.head, 50)
    worker.assert_are_those(ahead, worker.head, 90)
