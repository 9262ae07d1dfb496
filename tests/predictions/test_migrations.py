from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.database import open_sqlite, reading, writing
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.migrations import MIGRATIONS, migrate
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.schema import metadata, schema_version
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import Connection, Engine, inspect, select

from tests.predictions.logs import NOW, model, rows


def _version(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(schema_version.c.version)).scalar_one())


def test_a_new_log_has_the_newest_schema(store: PredictionStore) -> None:
    assert _version(store.engine) == len(MIGRATIONS)


def test_migrations_make_the_tables_that_the_schema_describes(store: PredictionStore) -> None:
    found = inspect(store.engine)
    assert set(found.get_table_names()) == set(metadata.tables)
    for table in metadata.sorted_tables:
        assert [column["name"] for column in found.get_columns(table.name)] == [column.name for column in table.columns]
        assert {index["name"] for index in found.get_indexes(table.name)} >= {index.name for index in table.indexes}


def test_opening_a_log_again_changes_nothing(store: PredictionStore) -> None:
    version = store.register(model())
    store.write([rows(version, ["a", "b"])])
    again = PredictionStore(store.engine)
    assert [batch.ids for batch in again.read(Selection("m"))] == [["a", "b"]]


@pytest.mark.parametrize("known", range(1, len(MIGRATIONS) + 1))
def test_a_log_of_every_earlier_schema_keeps_its_rows(known: int, tmp_path: Path) -> None:
    engine = open_sqlite(sqlite_file(tmp_path))
    migrate(engine, MIGRATIONS[:known])
    assert _version(engine) == known
    engine.dispose()
    opened = PredictionStore.open(tmp_path)
    opened.write([rows(opened.register(model()), ["a"])])
    assert _version(opened.engine) == len(MIGRATIONS)
    assert [batch.ids for batch in opened.read(Selection("m"))] == [["a"]]
    opened.close()


def test_chunks_of_a_log_before_files_of_days_get_a_time_of_arrival_and_are_compacted(store: PredictionStore) -> None:
    version = store.register(model())
    for number in range(3):
        store.write([rows(version, [f"r{number}"], seed=number)])
    with writing(store.engine) as connection:  # as version 3 left it
        connection.exec_driver_sql("ALTER TABLE chunks DROP COLUMN arrived")
        connection.exec_driver_sql("DROP TABLE day_files")
        connection.exec_driver_sql("DROP TABLE class_probabilities")
        connection.execute(schema_version.update().values(version=3))
    again = PredictionStore(store.engine)
    assert compact(again.engine, NOW / 1e6 + 2 * 86_400)
    assert _version(again.engine) == len(MIGRATIONS)
    (batch,) = again.read(Selection("m"))
    assert batch.ids == ["r0", "r1", "r2"]
    assert batch.features[version].tolist() == [rows(1, ["x"], seed=seed).features[0].tolist() for seed in range(3)]


def test_a_log_of_a_newer_driftgauge_is_refused(store: PredictionStore) -> None:
    with writing(store.engine) as connection:
        connection.execute(schema_version.update().values(version=99))
    with pytest.raises(PredictionLogError, match=f"has schema version 99, and this Driftgauge knows {len(MIGRATIONS)}"):
        PredictionStore(store.engine)


def test_a_step_that_fails_leaves_the_log_as_it_was(store: PredictionStore) -> None:
    def fails(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (x INTEGER)")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        migrate(store.engine, [*MIGRATIONS, fails])
    assert _version(store.engine) == len(MIGRATIONS)
    assert not inspect(store.engine).has_table("half")
