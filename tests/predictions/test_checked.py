"""Stored values that are damaged, or of a newer version: null and counted, and good rows are read as before."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from driftgauge.cli.log_export import export
from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.database import writing
from driftgauge.predictions.ids import id_of_key
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.pages import PredictionPage, read_page
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import MICROSECONDS, LoggedFeature
from driftgauge.predictions.schema import chunks, class_probabilities, labels, predictions, versions
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.truth_store import TruthStore
from sqlalchemy import delete, update

from tests.predictions.logs import NOW, model, rows

FEATURES = (
    LoggedFeature("colour", "categorical", ("red", "blue", "missing")),
    LoggedFeature("size", "numeric"),
    LoggedFeature("owner", "hashed"),
)
OWN = replace(model(classes=("a", "b", "c")), features=FEATURES)
GOOD = np.array([[0.0, 1.5, 7.0], [1.0, 2.5, 8.0], [0.0, 3.5, 9.0], [1.0, 4.5, 10.0]])
IDS = ("p", "q", "r", "s")
DAYS_LATER = NOW / MICROSECONDS + 3 * 86_400.0


def fill(store: PredictionStore, features: FloatArray = GOOD) -> None:
    """Write rows in two chunks, and one of a later day, which is not compacted."""
    version = store.register(OWN)
    given = np.full((2, 3), 0.25)
    for first in (0, 2):
        part = rows(version, IDS[first : first + 2], at=NOW + first * 1_000)
        store.write([replace(part, features=features[first : first + 2], probabilities=given)])
    store.write([replace(rows(version, ["later"], at=NOW + 9 * 86_400 * MICROSECONDS), features=GOOD[:1])])


def page_of(store: PredictionStore) -> PredictionPage:
    return read_page(store, Selection("m"), 100, with_labels=True)


def shown(store: PredictionStore, damaged: int) -> dict[str, Any]:
    """Return the predictions of a page by id, which says how many are damaged, as do both exports."""
    page = page_of(store)
    assert page.damaged == damaged
    return {row["prediction_id"]: row for row in page.predictions}


@pytest.fixture
def exports(store: PredictionStore, tmp_path: Path) -> Iterator[list[int]]:
    """Collects the numbers of damaged rows that are expected, and exports the log in both formats in the end."""
    expected: list[int] = []
    yield expected
    for kind in ("jsonl", "parquet"):
        done = export(store, Selection("m"), tmp_path / kind, kind, with_labels=True)
        assert (done.rows, done.damaged) == (5, expected[0])
    assert pq.read_table(io.BytesIO((tmp_path / "parquet").read_bytes())).num_rows == 5


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_code_without_a_category_is_null(store: PredictionStore, exports: list[int], *, is_compacted: bool) -> None:
    wrong = GOOD.copy()
    wrong[:3, 0] = (3.0, -1.0, 0.5)
    wrong[3, 2] = np.inf
    fill(store, wrong)
    while is_compacted and compact(store.engine, DAYS_LATER):
        pass
    found = shown(store, damaged=4)
    assert [found[id_]["features"]["colour"] for id_ in IDS] == [None, None, None, "blue"]
    assert [found[id_]["features"]["size"] for id_ in IDS] == GOOD[:, 1].tolist()
    assert [found[id_]["features"]["owner"] for id_ in IDS] == [7, 8, 9, None]
    exports.append(4)


@pytest.mark.parametrize("value", [3.0, -1.0, 1.5, 1e300])
def test_a_class_that_the_model_does_not_have_is_null(store: PredictionStore, exports: list[int], value: float) -> None:
    fill(store)
    with writing(store.engine) as connection:
        connection.execute(update(predictions).where(predictions.c.id == b"q").values(prediction=value))
    found = shown(store, damaged=1)
    assert found["q"]["prediction"] is None
    assert found["p"]["prediction"] in ("a", "b")
    exports.append(1)


def test_such_a_class_is_unknown_to_ground_truth(store: PredictionStore) -> None:
    fill(store)
    version = store.register(OWN)
    LabelStore(store.engine, version).add([GivenLabel(b"q", 1.0), GivenLabel(b"p", 1.0)], NOW / MICROSECONDS + 60.0)
    with writing(store.engine) as connection:
        connection.execute(update(predictions).where(predictions.c.id == b"q").values(prediction=3.0))
    truth = TruthStore(store.engine, "m", "1")
    (page,) = truth.pages(0.0, DAYS_LATER, with_features=False)
    for found in (page.rows[0], truth.newest(DAYS_LATER, 10)[0]):
        assert np.isnan(found.predicted).tolist() == [False, True]


def test_a_source_of_a_newer_version_is_null(store: PredictionStore, exports: list[int]) -> None:
    fill(store)
    with writing(store.engine) as connection:
        connection.execute(update(predictions).where(predictions.c.id == b"q").values(source=99))
    assert [shown(store, damaged=1)[id_]["source"] for id_ in IDS] == ["predict", None, "predict", "predict"]
    exports.append(1)


@pytest.mark.parametrize("is_compacted", [False, True])
def test_features_of_another_size_are_null(store: PredictionStore, exports: list[int], *, is_compacted: bool) -> None:
    fill(store)
    with writing(store.engine) as connection:
        connection.execute(update(chunks).where(chunks.c.chunk == 1).values(features=b"\0" * 13))
    exports.append(2)  # such a chunk is not compacted, so its rows stay damaged
    while is_compacted and compact(store.engine, DAYS_LATER):
        pass
    found = shown(store, damaged=2)
    assert [found[id_]["features"]["size"] for id_ in IDS] == [None, None, 3.5, 4.5]


def test_a_position_that_a_chunk_does_not_have_is_null(store: PredictionStore, exports: list[int]) -> None:
    fill(store)
    with writing(store.engine) as connection:
        connection.execute(update(predictions).where(predictions.c.id == b"q").values(position=2))
        connection.execute(update(predictions).where(predictions.c.id == b"s").values(position=-1))
    found = shown(store, damaged=2)
    assert [found[id_]["features"]["size"] for id_ in IDS] == [1.5, None, 3.5, None]
    exports.append(2)


def test_probabilities_of_another_size_are_null(store: PredictionStore, exports: list[int]) -> None:
    fill(store)
    with writing(store.engine) as connection:
        own = class_probabilities
        connection.execute(update(own).where(own.c.chunk == 2).values(content=b"\0" * 13))
    found = shown(store, damaged=2)
    assert [found[id_]["probabilities"] is None for id_ in IDS] == [False, False, True, True]
    exports.append(2)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"features": 3}', '{"features": [{}], "classes": []}', "\udce4{"])
def test_a_version_whose_description_cannot_be_read_has_only_what_needs_none(
    store: PredictionStore, exports: list[int], text: str
) -> None:
    other = store.register(model(version="2", features=1, classes=("x", "y")))
    fill(store)
    store.write([rows(other, ["other"], at=NOW + 10 * MICROSECONDS, features=1)])
    with writing(store.engine) as connection:
        connection.execute(delete(predictions).where(predictions.c.id == b"later"))
        content = text.encode(errors="replace").decode()
        connection.execute(update(versions).where(versions.c.version == other).values(description=content))
    while compact(store.engine, DAYS_LATER):
        pass
    found = PredictionStore(store.engine)
    row = shown(found, damaged=1)["other"]
    assert (row["prediction"], row["features"], row["model_version"]) == (None, {}, "2")
    assert shown(found, damaged=1)["p"]["features"] == {"colour": "red", "size": 1.5, "owner": 7}
    exports.append(1)


def test_a_label_of_a_class_that_the_model_does_not_have_is_null(store: PredictionStore, exports: list[int]) -> None:
    fill(store)
    LabelStore(store.engine, store.register(OWN)).add([GivenLabel(b"p", 1.0)], NOW / MICROSECONDS + 60.0)
    with writing(store.engine) as connection:
        connection.execute(update(labels).values(value=7.0))
    assert shown(store, damaged=0)["p"]["label"] is None
    exports.append(0)


@pytest.mark.parametrize("content", [b"PAR1 and nothing else", b""])
def test_a_damaged_parquet_file_takes_only_its_own_features(tmp_path: Path, content: bytes) -> None:
    store = PredictionStore.open(tmp_path)
    fill(store)
    while compact(store.engine, DAYS_LATER):
        pass
    (file,) = (tmp_path / "predictions" / "days").iterdir()
    file.write_bytes(content)
    found = shown(store, damaged=4)
    assert {tuple(found[id_]["features"].values()) for id_ in IDS} == {(None, None, None)}
    assert found["later"]["features"]["size"] is not None
    done = export(store, Selection("m"), tmp_path / "out.jsonl", "jsonl", with_labels=False)
    assert (done.rows, done.damaged) == (5, 4)
    assert done.damage is not None
    assert f"the Parquet file {file} is damaged" in done.damage
    store.close()


def test_a_parquet_file_of_other_columns_is_damaged(tmp_path: Path) -> None:
    store = PredictionStore.open(tmp_path)
    fill(store)
    while compact(store.engine, DAYS_LATER):
        pass
    (file,) = (tmp_path / "predictions" / "days").iterdir()
    table = pq.read_table(file)
    pq.write_table(table.drop_columns(["size"]), file)
    shown(store, damaged=4)
    pq.write_table(table.set_column(2, "colour", [["red", "red", "blue", "blue"]]), file)
    shown(store, damaged=4)
    pq.write_table(table, file, write_statistics=False)
    shown(store, damaged=4)
    store.close()


def test_an_id_that_is_no_text_is_shown_with_its_bytes() -> None:
    assert id_of_key(b"order \xff") == "order \\xff"
