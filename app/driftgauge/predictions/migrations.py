"""Schema versions of the prediction log: each step is applied once, in order, in one transaction.

A released step is never changed. New tables and columns come with a new step at the end, which must work on a database
that has rows; `schema` describes the tables after the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select

from driftgauge.errors import PredictionLogError
from driftgauge.predictions.database import writing
from driftgauge.predictions.schema import (
    CLASS_TABLES,
    DAY_TABLES,
    LABEL_TABLES,
    PREDICTION_TABLES,
    TRUTH_TABLES,
    chunks,
    labels_by_arrival,
    metadata,
    schema_version,
)

_ADVISORY_LOCK: Final = 0x64726966
"""Keeps other processes out while one migrates a PostgreSQL database."""
Step = Callable[[Connection], None]


def _create_predictions(connection: Connection) -> None:
    metadata.create_all(connection, tables=PREDICTION_TABLES, checkfirst=False)


def _create_labels(connection: Connection) -> None:
    metadata.create_all(connection, tables=LABEL_TABLES, checkfirst=False)


def _create_truth(connection: Connection) -> None:
    metadata.create_all(connection, tables=TRUTH_TABLES, checkfirst=False)
    labels_by_arrival.create(connection, checkfirst=True)  # which a new database has already


def _create_day_files(connection: Connection) -> None:
    metadata.create_all(connection, tables=DAY_TABLES, checkfirst=False)
    known = {column["name"] for column in inspect(connection).get_columns(chunks.name)}
    if chunks.c.arrived.name not in known:  # which a new database has already
        connection.exec_driver_sql("ALTER TABLE chunks ADD COLUMN arrived BIGINT")


def _create_class_probabilities(connection: Connection) -> None:
    metadata.create_all(connection, tables=CLASS_TABLES, checkfirst=False)


MIGRATIONS: Final[Sequence[Step]] = (
    _create_predictions,
    _create_labels,
    _create_truth,
    _create_day_files,
    _create_class_probabilities,
)
"""The step from each schema version to the next; a new database takes all of them."""


def migrate(engine: Engine, steps: Sequence[Step] = MIGRATIONS) -> None:
    """Bring a database to the newest schema; PredictionLogError if a newer Driftgauge wrote it."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        if not inspect(connection).has_table(schema_version.name):
            schema_version.create(connection)
            connection.execute(schema_version.insert().values(version=0))
        version = connection.execute(select(schema_version.c.version)).scalar_one()
        if version > len(steps):
            raise PredictionLogError(
                f"the prediction log has schema version {version}, and this Driftgauge knows {len(steps)}: "
                "a newer one wrote it. Update Driftgauge, or give another database"
            )
        for step in steps[version:]:
            step(connection)
        if version < len(steps):
            connection.execute(schema_version.update().values(version=len(steps)))
