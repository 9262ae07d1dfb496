from __future__ import annotations

import itertools
import os
import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import IntArray
from driftgauge.errors import PredictionLogError
from driftgauge.predictions import chunk_reader, feature_reader, spilled_numbers
from driftgauge.predictions.database import open_sqlite, writing
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import Cursor, LoggedRows, PredictionBatch
from driftgauge.predictions.schema import chunks
from driftgauge.predictions.spilled_numbers import SpilledNumbers, most_bytes
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import update

from tests.predictions.logs import NOW, compact_all, decoded_rows, model

ROWS, CHUNK_ROWS, PAGE_ROWS, FEATURES = 3_000, 100, 60, 3
BOUNDS = [(10, 3), (10, 7), (20, 1)]


def hold_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read 300 rows ahead, and hold no chunks of the page before: the log is larger than what is held."""
    monkeypatch.setattr(feature_reader, "AHEAD_BYTES", 300 * 8 * FEATURES)
    monkeypatch.setattr(chunk_reader, "HELD_BYTES", 0)


@pytest.fixture
def shuffled(store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> PredictionStore:
    """A log in no order, each row with its place in time as feature."""
    hold_little(monkeypatch)
    write(store, np.random.default_rng(0).permutation(ROWS), "own")
    return store


def write(
    store: PredictionStore,
    places: IntArray,
    prefix: str,
    *,
    name: str = "m",
    version: str = "1",
    classes: Sequence[str] = ("no", "yes"),
) -> None:
    number = store.register(model(name, version, features=FEATURES, classes=classes))
    for chunk in np.split(places, range(CHUNK_ROWS, len(places), CHUNK_ROWS)):
        count = len(chunk)
        store.write(
            [
                LoggedRows(
                    version=number,
                    keys=[key_of(f"{prefix} {place}") for place in chunk.tolist()],
                    arrival=np.full(count, NOW),
                    time=NOW + 1_000 * chunk,
                    scores=np.full(count, 0.5),
                    predictions=np.zeros(count),
                    latency=np.ones(count, dtype=np.int64),
                    features=chunk[:, None] + np.array([0.0, 0.25, 1 / 3]),
                    probabilities=None if len(classes) < 3 else np.repeat(chunk[:, None] / ROWS, len(classes), axis=1),
                )
            ]
        )


def firsts(batches: Iterator[PredictionBatch]) -> list[float]:
    """Return the first feature of all rows in the order in which they were read."""
    return [
        value for batch in batches for version in [*batch.features] for value in batch.features[version][:, 0].tolist()
    ]


def temporary_files() -> list[str]:
    """Return the open files of this process that have no name any more."""
    links = []
    for own in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(own.readlink()))
        except OSError:  # the one that lists the folder
            continue
    return [link for link in links if link.endswith("(deleted)")]


def test_all_rows_have_their_own_numbers_in_the_order_of_time(shuffled: PredictionStore) -> None:
    write(shuffled, np.arange(ROWS), "other", name="another model")
    found = firsts(shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True)))
    assert found == list(range(ROWS))


@pytest.mark.parametrize("is_compacted", [False, True])
def test_each_chunk_is_decoded_a_few_times_however_long_the_log_is(
    shuffled: PredictionStore, monkeypatch: pytest.MonkeyPatch, *, is_compacted: bool
) -> None:
    if is_compacted:
        compact_all(shuffled.engine)
    decoded = decoded_rows(monkeypatch)
    assert firsts(shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True))) == list(range(ROWS))
    # The first page, what was read ahead, and the file, whose steps may end within a chunk.
    assert decoded[0] <= 4 * ROWS


def test_probabilities_of_classes_are_those_of_their_rows(
    store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_little(monkeypatch)
    places = np.random.default_rng(0).permutation(ROWS)
    write(store, places, "own", classes=("a", "b", "c"))
    selection = Selection("m", with_features=False, with_probabilities=True, batch_rows=PAGE_ROWS, sorts_on_disk=True)
    found = np.concatenate([batch.probabilities[1][:, 0] for batch in store.read(selection)])
    assert found.tolist() == (np.arange(ROWS, dtype=np.float32) / ROWS).astype(np.float64).tolist()


def test_rows_that_are_written_after_the_file_are_read_too(shuffled: PredictionStore) -> None:
    batches = shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True))
    found = firsts(itertools.islice(batches, 5))
    write(shuffled, np.arange(ROWS, ROWS + 200), "new")
    assert found + firsts(batches) == list(range(ROWS + 200))


def test_rows_whose_chunk_is_lost_are_missing_and_said_to_be_damaged(shuffled: PredictionStore) -> None:
    with writing(shuffled.engine) as connection:
        connection.execute(update(chunks).where(chunks.c.chunk == 7).values(features=b"short"))
    batches = list(shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True)))
    lost = np.concatenate([batch.damaged for batch in batches])
    assert lost.sum() == CHUNK_ROWS
    assert np.array_equal(np.isnan(firsts(iter(batches))), lost)


def test_a_span_of_one_version_has_its_own_rows_alone(shuffled: PredictionStore) -> None:
    write(shuffled, np.random.default_rng(1).permutation(ROWS), "half", version="2")
    begin, end = NOW / 1e6 + 0.2, NOW / 1e6 + 2.8
    found = firsts(shuffled.read(Selection("m", "2", begin, end, batch_rows=PAGE_ROWS, sorts_on_disk=True)))
    assert found == list(range(200, 2_800))


def test_events_of_the_same_moment_are_told_apart_by_their_number(
    store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_little(monkeypatch)
    moments = np.random.default_rng(0).permutation(ROWS) // 1_000
    number = store.register(model(features=FEATURES))
    for chunk in range(ROWS // CHUNK_ROWS):
        rows = np.arange(CHUNK_ROWS * chunk, CHUNK_ROWS * (chunk + 1))
        own = LoggedRows(
            version=number,
            keys=[key_of(str(row)) for row in rows.tolist()],
            arrival=np.full(CHUNK_ROWS, NOW),
            time=NOW + moments[rows],
            scores=np.full(CHUNK_ROWS, 0.5),
            predictions=np.zeros(CHUNK_ROWS),
            latency=np.ones(CHUNK_ROWS, dtype=np.int64),
            features=np.repeat(rows[:, None].astype(np.float64), FEATURES, axis=1),
        )
        store.write([own])
    found = firsts(store.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True)))
    assert found == np.lexsort((np.arange(ROWS), moments)).tolist()


def test_the_file_is_gone_when_the_reading_ends_early(shuffled: PredictionStore) -> None:
    before = temporary_files()
    batches = shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True))
    firsts(itertools.islice(batches, 5))
    assert len(temporary_files()) == len(before) + 1
    batches.close()  # type: ignore[attr-defined]
    assert temporary_files() == before


def test_a_page_alone_needs_no_file(shuffled: PredictionStore) -> None:
    before = temporary_files()
    batches = shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True))
    next(batches)
    assert temporary_files() == before


def test_a_server_writes_no_file(shuffled: PredictionStore) -> None:
    before = temporary_files()
    found: list[float] = []
    for batch in shuffled.read(Selection("m", batch_rows=PAGE_ROWS)):
        found += firsts(iter([batch]))
        assert temporary_files() == before
    assert found == list(range(ROWS))


def test_a_log_in_its_order_needs_no_file(store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    hold_little(monkeypatch)
    write(store, np.arange(ROWS), "own")
    before = temporary_files()
    for _ in store.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True)):
        assert temporary_files() == before


def test_too_little_room_is_an_error_that_says_where_and_what_to_do(
    shuffled: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spilled_numbers, "RESERVE_BYTES", 1 << 60)
    before = temporary_files()
    with pytest.raises(PredictionLogError, match=r"temporary file of up to 1 MiB in .*: read a shorter time, or make"):
        firsts(shuffled.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True)))
    assert temporary_files() == before


def test_a_short_log_is_read_without_room(store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_reader, "HELD_BYTES", 0)
    monkeypatch.setattr(spilled_numbers, "RESERVE_BYTES", 1 << 60)
    write(store, np.random.default_rng(0).permutation(ROWS), "own")
    assert firsts(store.read(Selection("m", batch_rows=PAGE_ROWS, sorts_on_disk=True))) == list(range(ROWS))


@contextmanager
def most_file_bytes(size: int) -> Iterator[None]:
    """Let writing a file fail beyond a size, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def spilled(store: PredictionStore) -> Iterator[SpilledNumbers]:
    own = SpilledNumbers(store.engine, BOUNDS, most_bytes(len(BOUNDS), 4, 2))
    yield own
    own.close()


def test_a_file_that_cannot_grow_is_an_error_that_says_what_to_do(spilled: SpilledNumbers) -> None:
    rows = 1_000
    parts, keys = np.zeros(rows, dtype=np.int64), np.arange(rows)
    with (
        most_file_bytes(4_096),
        pytest.raises(PredictionLogError, match=r"cannot use a temporary file in .*File too large.*or make room"),
    ):
        spilled.add(parts, 1, keys, np.full((rows, 2), 0.1))


def test_parts_have_the_rows_that_were_added_in_the_order_of_their_keys(spilled: SpilledNumbers) -> None:
    spilled.add(np.array([1, 0, 1]), 7, np.array([5, 6, 3]), np.array([[0.1, 1.0], [0.2, 2.0], [np.nan, 3.0]]))
    spilled.add(np.array([1]), 7, np.array([4]), np.array([[0.5, 0.25]]))
    spilled.add(np.array([1]), 8, np.array([1]), np.array([[9.0]]))
    part = spilled.read(1)
    assert part[7].keys.tolist() == [3, 4, 5]
    assert np.array_equal(part[7].values, [[np.nan, 3.0], [0.5, 0.25], [0.1, 1.0]], equal_nan=True)
    assert (part[8].keys.tolist(), part[8].values.tolist()) == ([1], [[9.0]])
    assert spilled.read(0)[7].values.tolist() == [[0.2, 2.0]]
    assert spilled.read(2) == {}


@pytest.mark.parametrize(
    ("first", "last", "parts"),
    [
        ((0, 0), (10, 3), [0]),
        ((10, 3), (10, 4), [0, 1]),
        ((10, 4), (10, 7), [1]),
        ((5, 1), (20, 0), [0, 1, 2]),
        ((20, 1), (30, 0), [2]),
        ((20, 2), (30, 0), []),
    ],
)
def test_a_page_needs_the_parts_of_its_rows(
    spilled: SpilledNumbers, first: tuple[int, int], last: tuple[int, int], parts: list[int]
) -> None:
    assert list(spilled.parts_between(Cursor(*first), Cursor(*last))) == parts


def test_the_file_is_beside_a_sqlite_log_and_has_no_name(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    own = SpilledNumbers(store.engine, BOUNDS, 1)
    sqlite = store.engine.dialect.name == "sqlite"
    folder = Path(str(store.engine.url.database)).parent if sqlite else elsewhere
    assert [link for link in temporary_files() if Path(link).parent == folder]
    assert os.listdir(elsewhere) == []
    own.close()


def test_a_folder_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "state" / "predictions" / "log.sqlite3")
    (tmp_path / "state" / "predictions").rename(tmp_path / "gone")
    with pytest.raises(PredictionLogError, match=r"cannot use a temporary file in .*predictions: No such file"):
        SpilledNumbers(engine, BOUNDS, 1)
    engine.dispose()
