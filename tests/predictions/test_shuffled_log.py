"""Predictions whose events came in any order: the rows of one page are in all chunks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, model

ROWS = 200_000
FEATURES = 30
CHUNK_ROWS = 4_096
PAGE_ROWS = 1_000
MOST_BYTES = {"live": (32 << 20, 96 << 20), "compacted": (64 << 20, 96 << 20)}
"""Bounds of what one page holds, and two, with what is read ahead; a log may be of any size."""
DAY = 86_400


@pytest.fixture(scope="module")
def order() -> IntArray:
    """The place of each row in the order of events."""
    return np.random.default_rng(0).permutation(ROWS)


def _features(start: int) -> FloatArray:
    """Return the features of a chunk, which need double precision."""
    return np.random.default_rng(start).normal(size=(min(CHUNK_ROWS, ROWS - start), FEATURES))


def _parts(version: int, order: IntArray) -> Iterator[LoggedRows]:
    """Yield the chunks of a day, a millisecond between two events."""
    for start in range(0, ROWS, CHUNK_ROWS):
        features = _features(start)
        count = len(features)
        yield LoggedRows(
            version=version,
            keys=[key_of(f"r{row}") for row in range(start, start + count)],
            arrival=np.full(count, NOW, dtype=np.int64),
            time=NOW - 1_000 * ROWS + 1_000 * order[start : start + count],
            scores=np.full(count, 0.5),
            predictions=np.zeros(count),
            latency=np.ones(count, dtype=np.int64),
            features=features,
        )


def _expected(order: IntArray, first: int) -> FloatArray:
    """Return the features of a page's rows, counted from what was written."""
    found = np.empty((PAGE_ROWS, FEATURES))
    for start in range(0, ROWS, CHUNK_ROWS):
        features = _features(start)
        places = order[start : start + len(features)] - first
        inside = (places >= 0) & (places < PAGE_ROWS)
        found[places[inside]] = features[inside]
    return found


PAGES = """
import sys, tracemalloc
from pathlib import Path
import numpy as np
import pyarrow as pa
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

state, rows, out = sys.argv[1:]
pa.set_memory_pool(pa.system_memory_pool())
store = PredictionStore.open(Path(state))
tracemalloc.start()
pages = store.read(Selection("m", batch_rows=int(rows)))
found = []
for batch, _ in zip(pages, range(2)):
    found += batch.features.values()
    print(tracemalloc.get_traced_memory()[1] + pa.default_memory_pool().max_memory())
np.save(out, np.concatenate(found))
"""


def _pages(state: Path) -> tuple[FloatArray, list[int]]:
    """Return the features of two pages, and the most bytes that a process held until it had the one and the other."""
    out = state / "found.npy"
    arguments = [sys.executable, "-c", PAGES, str(state), str(PAGE_ROWS), str(out)]
    ended = subprocess.run(arguments, capture_output=True, timeout=300, check=False, text=True)
    assert ended.returncode == 0, ended.stderr
    return np.load(out), [int(line) for line in ended.stdout.split()]


@pytest.mark.long
def test_pages_hold_few_chunks_at_a_time(tmp_path: Path, order: IntArray) -> None:
    store = PredictionStore.open(tmp_path)
    version = store.register(model(features=FEATURES))
    for part in _parts(version, order):
        store.write([part])
    expected = np.concatenate([_expected(order, 0), _expected(order, PAGE_ROWS)])
    for kind, most in MOST_BYTES.items():
        while kind == "compacted" and compact(store.engine, NOW / 1e6 + 2 * DAY):
            pass
        found, peaks = _pages(tmp_path)
        assert np.array_equal(found, expected), kind
        assert peaks[0] < most[0], kind
        assert peaks[1] < most[1], kind
    store.close()
