from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import PredictionLogError
from driftgauge.predictions import chunk_reader, compaction
from driftgauge.predictions.compaction import CLOSING_SECONDS, FAILPOINTS, compact, remove_orphans
from driftgauge.predictions.database import days_folder, reading, writing
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.pages import read_page
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.retention import Limits, retain, used_bytes
from driftgauge.predictions.schema import chunks, day_files
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import func, select, update

from tests.predictions.logs import NOW, model, rows

DAY = 86_400
MIDNIGHT = NOW // 1_000_000 // DAY * DAY
"""The start of a day, in seconds since 1970."""


@pytest.fixture
def filled(store: PredictionStore) -> PredictionStore:
    """A log of three days, two versions of other width, and 5 chunks of 20 rows of each a day: `a1 3` of day 1 …"""
    first, second = store.register(model()), store.register(model(version="2", features=2))
    for day in range(3):
        for turn in range(5):
            at = (MIDNIGHT + day * DAY + 3_600 * turn) * 1_000_000
            for name, version, features in (("a", first, 3), ("b", second, 2)):
                ids = [f"{name}{day} {20 * turn + row}" for row in range(20)]
                store.write([rows(version, ids, at=at, features=features, seed=100 * day + turn)])
    return store


def contents(store: PredictionStore, selection: Selection | None = None) -> dict[str, list[float]]:
    """Return the features of each prediction by its id."""
    found: dict[str, list[float]] = {}
    for batch in store.read(selection or Selection("m", batch_rows=33)):
        for version, values in batch.features.items():
            names = [batch.ids[index] for index in batch.rows_of(version)]
            found |= dict(zip(names, values.tolist(), strict=True))
    return found


def _compacted(store: PredictionStore, now: float) -> int:
    steps = 0
    while compact(store.engine, now):
        steps += 1
    return steps


def _days(store: PredictionStore) -> Sequence[tuple[str, int, int]]:
    own = day_files.c
    with reading(store.engine) as connection:
        found = connection.execute(select(own.day, own.version, own.rows).order_by(own.day, own.version)).all()
    return [(day, version, count) for day, version, count in found]


def _chunks(store: PredictionStore) -> int:
    with reading(store.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(chunks)).scalar_one())


def _names(store: PredictionStore) -> list[str] | None:
    folder = days_folder(store.engine)
    return None if folder is None else sorted(path.name for path in folder.iterdir())


def test_closed_days_are_moved_and_read_as_before(filled: PredictionStore) -> None:
    before = contents(filled)
    assert _compacted(filled, MIDNIGHT + 2 * DAY + 4 * 3_600) == 4
    assert _days(filled) == [
        ("2023-11-14", 1, 100),
        ("2023-11-14", 2, 100),
        ("2023-11-15", 1, 100),
        ("2023-11-15", 2, 100),
    ]
    assert _chunks(filled) == 10
    assert contents(filled) == before
    assert contents(filled, Selection("m", batch_rows=1_000)) == before
    wanted = ["a0 7", "b1 99", "a2 1"]
    assert contents(filled, Selection("m", keys=[key_of(id_) for id_ in wanted])) == {
        id_: before[id_] for id_ in wanted
    }
    only = contents(filled, Selection("m", version="2", since=MIDNIGHT + DAY, until=MIDNIGHT + 2 * DAY))
    assert only == {id_: values for id_, values in before.items() if id_.startswith("b1")}


@pytest.mark.parametrize("size", [7, 64])
def test_pages_over_closed_days_and_live_rows_are_those_of_live_rows_alone(filled: PredictionStore, size: int) -> None:
    def pages() -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        after = None
        while not found or after is not None:
            page = read_page(filled, Selection("m", after=after), size, with_labels=True)
            found, after = [*found, *page.predictions], page.after
        return found

    before = pages()
    assert len(before) == 600
    assert _compacted(filled, MIDNIGHT + 2 * DAY + 4 * 3_600) == 4
    assert pages() == before
    at = MIDNIGHT + 3 * DAY
    wanted = {f"a{day} {row}": row % 2 for day in range(3) for row in range(50)}
    given = [GivenLabel(key_of(id_), float(label), at * 1_000_000) for id_, label in wanted.items()]
    LabelStore(filled.engine, filled.register(model())).add(given, at)
    labelled = {row["prediction_id"]: row["label"] for row in pages() if row.get("label") is not None}
    assert labelled == {id_: ("no", "yes")[label] for id_, label in wanted.items()}


def test_a_day_is_closed_some_minutes_after_midnight(filled: PredictionStore) -> None:
    assert _compacted(filled, MIDNIGHT + DAY + CLOSING_SECONDS - 1) == 0
    assert _compacted(filled, MIDNIGHT + DAY + CLOSING_SECONDS) == 2


def test_the_day_is_that_of_the_arrival(store: PredictionStore) -> None:
    version = store.register(model())
    for number in range(3):
        own = rows(version, [f"r{number}"], at=MIDNIGHT * 1_000_000)
        store.write([replace(own, time=own.time - 400 * DAY * 1_000_000)])
    assert _compacted(store, MIDNIGHT + 3_600) == 0
    assert _compacted(store, MIDNIGHT + 2 * DAY) == 1
    assert _days(store) == [("2023-11-14", version, 2)]


def test_the_newest_chunk_stays_so_that_no_number_comes_twice(filled: PredictionStore) -> None:
    before = contents(filled)
    assert _compacted(filled, MIDNIGHT + 100 * DAY) == 6
    assert _chunks(filled) == 1
    filled.write([rows(1, ["new"], at=NOW + 100 * DAY * 1_000_000, seed=5)])
    found = contents(filled)
    assert found.pop("new") == rows(1, ["x"], seed=5).features[0].tolist()
    assert found == before


def test_a_step_takes_no_more_than_a_part(filled: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(filled)
    monkeypatch.setattr(compaction, "PART_BYTES", 2 * 20 * 3 * 8)
    monkeypatch.setattr(compaction, "MOST_KEYS", 1)
    monkeypatch.setattr(chunk_reader, "MOST_FILES", 1)
    assert _compacted(filled, MIDNIGHT + 2 * DAY + 3_600) == 10
    assert sum(count for _, _, count in _days(filled)) == 400
    assert contents(filled) == before


def test_parts_have_the_same_content_in_files_and_in_the_database(filled: PredictionStore) -> None:
    _compacted(filled, MIDNIGHT + DAY + 3_600)
    with reading(filled.engine) as connection:
        found = connection.execute(select(day_files).order_by(day_files.c.part)).all()
    folder = days_folder(filled.engine)
    for row in found:
        if folder is None:
            assert row.file is None
            assert len(row.content) == row.bytes
        else:
            assert row.content is None
            assert (folder / row.file).stat().st_size == row.bytes
            assert (folder / row.file).stat().st_mode & 0o777 == 0o600
    assert _names(filled) in (None, ["2023-11-14-1-1.parquet", "2023-11-14-2-2.parquet"])


def test_retention_deletes_files_and_counts_their_bytes(filled: PredictionStore) -> None:
    _compacted(filled, MIDNIGHT + 2 * DAY + 3_600)
    before = contents(filled)
    with reading(filled.engine) as connection:
        size = int(connection.execute(select(func.sum(day_files.c.bytes))).scalar_one())
    assert size > 0
    assert used_bytes(filled.engine) > size
    retain(filled.engine, Limits(2 * DAY - 7_200.0, 1 << 40), MIDNIGHT + 2 * DAY)
    left = contents(filled)
    assert left == {id_: before[id_] for id_ in left}
    assert len(left) == 600 - 80  # without two hours of the first day
    assert len(_days(filled)) == 4
    retain(filled.engine, Limits(DAY, 1 << 40), MIDNIGHT + 2 * DAY)
    assert _days(filled) == [("2023-11-15", 1, 100), ("2023-11-15", 2, 100)]
    remove_orphans(filled.engine)
    assert _names(filled) in (None, ["2023-11-15-1-11.parquet", "2023-11-15-2-12.parquet"])
    retain(filled.engine, Limits(1.0, 1 << 40), MIDNIGHT + 100 * DAY)
    assert (_days(filled), contents(filled)) == ([], {})


def test_a_log_that_is_too_large_loses_compacted_days(filled: PredictionStore) -> None:
    _compacted(filled, MIDNIGHT + 2 * DAY + 3_600)
    retain(filled.engine, Limits(1e9, 1), MIDNIGHT + 2 * DAY)
    assert (_days(filled), contents(filled)) == ([], {})


def test_a_chunk_of_another_size_stays_as_it_is_until_retention(filled: PredictionStore) -> None:
    before = contents(filled)
    own = chunks.c
    whole = select(own.features).where(own.chunk == 3)
    with writing(filled.engine) as connection:
        content = bytes(connection.execute(whole).scalar_one())
        connection.execute(update(chunks).where(own.chunk == 3).values(features=content[:-1]))
        connection.execute(update(chunks).where(own.chunk == 5).values(rows=2**31 - 1))
    assert _compacted(filled, MIDNIGHT + 2 * DAY + 3_600) == 4
    assert _chunks(filled) == 12
    assert np.isnan(contents(filled)["a0 21"]).all()
    with writing(filled.engine) as connection:
        connection.execute(update(chunks).where(own.chunk == 3).values(features=content))
        connection.execute(update(chunks).where(own.chunk == 5).values(rows=20))
    assert contents(filled) == before
    assert _compacted(filled, MIDNIGHT + 2 * DAY + 3_600) == 1
    assert contents(filled) == before
    with writing(filled.engine) as connection:
        connection.execute(update(chunks).values(features=b"x"))
    retain(filled.engine, Limits(1.0, 1 << 40), MIDNIGHT + 100 * DAY)
    assert (_chunks(filled), _compacted(filled, MIDNIGHT + 100 * DAY)) == (0, 0)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_file_that_is_gone_leaves_predictions_without_features(filled: PredictionStore) -> None:
    _compacted(filled, MIDNIGHT + DAY + 3_600)
    folder = days_folder(filled.engine)
    assert folder is not None
    (folder / "2023-11-14-1-1.parquet").unlink()
    found = contents(filled)
    assert np.isnan(found["a0 3"]).all()
    assert not np.isnan([found["b0 3"], found["b1 3"]]).any()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_folder_that_cannot_be_written_is_named(filled: PredictionStore) -> None:
    before = contents(filled)
    folder = days_folder(filled.engine)
    assert folder is not None
    folder.write_text("a file")
    with pytest.raises(PredictionLogError, match=f"{folder}.*it is not a folder"):
        compact(filled.engine, MIDNIGHT + 2 * DAY)
    assert contents(filled) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.store import PredictionStore

def failpoint(point):
    if point == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

state, url, now = sys.argv[2:]
store = PredictionStore.open(Path(state) if state else None, url or None)
compact(store.engine, float(now), failpoint)
"""


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_process_killed_at_any_step_loses_nothing(filled: PredictionStore, tmp_path: Path, point: str) -> None:
    folder = days_folder(filled.engine)
    if folder is None and point == "renamed":
        pytest.skip("PostgreSQL has no files")
    before = contents(filled)
    url = "" if folder is not None else filled.engine.url.render_as_string(hide_password=False)
    now = MIDNIGHT + 2 * DAY + 3_600
    state = str(tmp_path) if folder is not None else ""
    arguments = [sys.executable, "-c", KILLED, point, state, url.replace("+psycopg", ""), str(now)]
    ended = subprocess.run(arguments, capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert contents(filled) == before
    orphans = 1 if folder is not None and point != "committed" else 0
    assert remove_orphans(filled.engine) == orphans
    assert contents(filled) == before
    assert _compacted(filled, now) == (3 if point == "committed" else 4)
    assert remove_orphans(filled.engine) == 0
    assert contents(filled) == before


def test_values_survive_bit_by_bit(store: PredictionStore) -> None:
    version = store.register(model())
    values: FloatArray = np.array([[np.nan, -0.0, 1e300], [np.inf, 5e-324, 0.1], [-np.inf, 3.0, 16_777_217.0]])
    store.write([replace(rows(version, ["a", "b", "c"]), features=values)])
    store.write([rows(version, ["newest"])])
    assert _compacted(store, MIDNIGHT + 2 * DAY) == 1
    (batch,) = store.read(Selection("m", keys=[key_of(id_) for id_ in "abc"]))
    assert batch.features[version].tobytes() == values.tobytes()
