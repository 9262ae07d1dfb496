from __future__ import annotations

import multiprocessing
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, model, rows


def test_rows_are_read_back_as_they_were_written(store: PredictionStore) -> None:
    version = store.register(model())
    written = rows(version, ["a", "b", "01890a5d-ac96-774b-bcce-b302099a8057"])
    assert store.write([written]) == 3
    (batch,) = store.read(Selection("m"))
    assert batch.ids == ["a", "b", "01890a5d-ac96-774b-bcce-b302099a8057"]
    assert batch.models == {version: model()}
    for name in ("time", "arrival", "scores", "predictions", "latency"):
        assert np.array_equal(getattr(batch, name), getattr(written, name)), name
    assert np.array_equal(batch.features[version], written.features)
    assert batch.source.tolist() == [0, 0, 0]
    assert batch.callers == (None, None, None)


def test_what_is_missing_is_read_back_as_missing(store: PredictionStore) -> None:
    version = store.register(model())
    gaps = replace(
        rows(version, ["a", "b"]),
        scores=np.array([np.nan, 0.5]),
        predictions=np.array([np.nan, 1.0]),
        features=np.array([[np.nan, 1.0, np.inf], [0.1, np.nan, np.nan]]),
    )
    store.write([gaps])
    (batch,) = store.read(Selection("m"))
    assert np.array_equal(batch.scores, [np.nan, 0.5], equal_nan=True)
    assert np.array_equal(batch.predictions, [np.nan, 1.0], equal_nan=True)
    assert np.array_equal(batch.features[version], gaps.features, equal_nan=True)


def test_an_event_time_is_kept_beside_the_arrival(store: PredictionStore) -> None:
    version = store.register(model())
    late = replace(rows(version, ["a", "b"]), time=np.array([NOW - 5, NOW + 1_000]))
    store.write([late])
    (batch,) = store.read(Selection("m"))
    assert batch.time.tolist() == [NOW - 5, NOW + 1_000]
    assert batch.arrival.tolist() == [NOW, NOW + 1_000]


def test_callers_and_sources_are_kept(store: PredictionStore) -> None:
    version = store.register(model())
    store.write([replace(rows(version, ["a", "b"]), source=1, callers=["shop", None])])
    (batch,) = store.read(Selection("m"))
    assert batch.source.tolist() == [1, 1]
    assert batch.callers == ("shop", None)


def test_a_regression_predicts_its_score(store: PredictionStore) -> None:
    version = store.register(model(classes=()))
    written = replace(rows(version, ["a"]), predictions=np.array([np.nan]))
    store.write([written])
    (batch,) = store.read(Selection("m"))
    assert batch.predictions.tolist() == written.scores.tolist()


def test_the_first_prediction_of_an_id_counts(store: PredictionStore) -> None:
    version = store.register(model())
    assert store.write([rows(version, ["a", "b"], seed=1), rows(version, ["b", "c"], at=NOW + 10_000, seed=2)]) == 3
    assert store.write([rows(version, ["c"], seed=3)]) == 0
    (batch,) = store.read(Selection("m"))
    assert batch.ids == ["a", "b", "c"]
    assert np.array_equal(batch.features[version][:2], rows(version, ["a", "b"], seed=1).features)
    assert np.array_equal(batch.features[version][2], rows(version, ["b", "c"], seed=2).features[1])


def test_models_may_use_the_same_ids(store: PredictionStore) -> None:
    first, second = store.register(model("m")), store.register(model("n", features=1))
    assert store.write([rows(first, ["a"]), rows(second, ["a"], features=1)]) == 2
    assert [batch.features[second].shape for batch in store.read(Selection("n"))] == [(1, 1)]
    assert store.model_names() == ["m", "n"]


def test_a_version_has_the_same_number_for_all(store: PredictionStore) -> None:
    first = store.register(model())
    assert PredictionStore(store.engine).register(model()) == first
    others = {store.register(model(version="2")), store.register(model("n")), store.register(model(features=4))}
    assert len(others | {first}) == 4


def test_writing_nothing_writes_nothing(store: PredictionStore) -> None:
    version = store.register(model())
    assert store.write([]) == 0
    assert store.write([rows(version, [])]) == 0
    assert list(store.read(Selection("m"))) == []


def test_threads_share_a_store(store: PredictionStore) -> None:
    written: list[int] = []

    def write(thread: int) -> None:
        version = store.register(model(version=str(thread % 2)))
        written.extend(store.write([rows(version, [f"{thread} {turn}"], at=NOW + turn)]) for turn in range(20))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(written) == 80
    assert sum(len(batch) for batch in store.read(Selection("m", batch_rows=7))) == 80


def _write(folder: Path, process: int) -> None:
    store = PredictionStore.open(folder)
    version = store.register(model())
    for turn in range(30):
        store.write([rows(version, [f"{process} {turn} {row}" for row in range(10)], at=NOW + turn)])
    store.close()


def test_processes_share_a_database(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(tmp_path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    store = PredictionStore.open(tmp_path)
    ids = [id_ for batch in store.read(Selection("m")) for id_ in batch.ids]
    assert len(ids) == len(set(ids)) == 900
    assert key_of(ids[0])
    store.close()
