"""The tables of the prediction log: one place for all of them, in SQLite and in PostgreSQL.

A prediction is a narrow row, which ground truth is joined to by (model, id). The features of rows that were written
together are one blob in `chunks`; the row says which chunk, and its position there. Times are microseconds since 1970.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData()

_KEY: Final = BigInteger().with_variant(Integer, "sqlite")
"""A key that the database counts up."""

schema_version: Final = Table("schema_version", metadata, Column("version", Integer, nullable=False))
"""One row: the number of migrations that the database has had."""

models: Final = Table(
    "models",
    metadata,
    Column("model", _KEY, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

versions: Final = Table(
    "versions",
    metadata,
    Column("version", _KEY, primary_key=True),
    Column("model", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("description", Text, nullable=False),
    UniqueConstraint("model", "name", "digest"),
)
"""What predictions were made with. `description` is JSON: see `rows.LoggedModel`; `digest` is its hash."""

chunks: Final = Table(
    "chunks",
    metadata,
    Column("chunk", _KEY, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("first_time", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("arrived", BigInteger, nullable=True),
)
"""Features of rows that were written together, packed in bundle order. Deleted once the day is in a Parquet file.

`arrived` is the latest arrival of its rows; null for a chunk older than schema version 4.
"""

predictions: Final = Table(
    "predictions",
    metadata,
    Column("seq", _KEY, primary_key=True),
    Column("model", SmallInteger, nullable=False),
    Column("id", LargeBinary, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("arrival", BigInteger, nullable=True),
    Column("score", Double, nullable=True),
    Column("prediction", Double, nullable=True),
    Column("latency", Integer, nullable=False),
    Column("source", SmallInteger, nullable=False),
    Column("caller", Text, nullable=True),
    Column("chunk", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Index("predictions_by_id", "model", "id", unique=True),
    Index("predictions_by_time", "model", "time", "seq"),
)
"""One row for each prediction.

`id` is `ids.key_of`. `time` is the event's, or the arrival where the request had none; `arrival` is null where it is
the same. `prediction` is the index of the class, or null for a regression, whose `score` it is. `latency` is in
microseconds. `source` is the position in `rows.SOURCES`.
"""

PREDICTION_TABLES: Final = (models, versions, chunks, predictions)
"""The tables of schema version 1."""

labels: Final = Table(
    "labels",
    metadata,
    Column("model", SmallInteger, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("id", LargeBinary, primary_key=True),
    Column("value", Double, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=True),
    Column("seq", BigInteger, nullable=True),
    Index("labels_by_time", "model", "time", "seq"),
    sqlite_with_rowid=False,
)
"""Ground truth, one row for each prediction and outcome; `outcome` is empty for the label itself.

`value` is the index of the true class among those of `version`, or a number. `time` and `seq` are those of the
prediction, or null while it is not logged yet.
"""

label_arrivals: Final = Table(
    "label_arrivals",
    metadata,
    Column("model", SmallInteger, primary_key=True),
    Column("received", BigInteger, nullable=False),
)
"""When the newest label of each model arrived."""

LABEL_TABLES: Final = (labels, label_arrivals)
"""The tables that schema version 2 adds."""

truth_cohorts: Final = Table(
    "truth_cohorts",
    metadata,
    Column("model", SmallInteger, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Counts of the predictions of one span of time and their labels; `start` is in microseconds since 1970.

`content` is what `cohort_bytes` writes. It outlives the predictions.
"""

truth_states: Final = Table(
    "truth_states",
    metadata,
    Column("model", SmallInteger, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
)
"""One row for each model version: who may evaluate it until when, and as JSON what evaluations leave to one another."""

labels_by_arrival: Final = Index("labels_by_arrival", labels.c.model, labels.c.received)
"""Finds cohorts whose labels have changed."""

TRUTH_TABLES: Final = (truth_cohorts, truth_states)
"""The tables that schema version 3 adds, with an index of labels."""

day_files: Final = Table(
    "day_files",
    metadata,
    Column("part", _KEY, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("day", Text, nullable=False),
    Column("first_chunk", BigInteger, nullable=False),
    Column("last_chunk", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("file", Text, nullable=True),
    Column("content", LargeBinary, nullable=True),
)
"""Parquet files of chunks that arrived on one day, or a part of it, with one version.

Beside SQLite, `file` is the name of a file in the folder `days`. In PostgreSQL, `content` is the file itself, because
replicas share the database but no disk.
"""

DAY_TABLES: Final = (day_files,)
"""The tables that schema version 4 adds, with a column of chunks."""

class_probabilities: Final = Table(
    "class_probabilities",
    metadata,
    Column("chunk", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)
"""The probability of each class for the rows of a chunk, float32 [rows, classes]; of models of several classes alone.

They stay when the features of the chunk are moved into a file, and go with its predictions.
"""

CLASS_TABLES: Final = (class_probabilities,)
"""The tables that schema version 5 adds."""
