"""The prediction log as its users see it: models are registered, rows written, and predictions found by id or time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine, Table, and_, insert, select

from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.class_probabilities import write_probabilities
from driftgauge.predictions.database import close_engine, open_postgres, open_sqlite, reading, writing
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.joined_labels import outcome_names
from driftgauge.predictions.labels import LABEL
from driftgauge.predictions.migrations import migrate
from driftgauge.predictions.packing import pack
from driftgauge.predictions.reader import Selection, read
from driftgauge.predictions.rows import LoggedModel, LoggedRows, PredictionBatch
from driftgauge.predictions.schema import chunks, models, predictions, versions

_COLUMNS: Final = (
    *("model", "id", "version", "time", "arrival", "score", "prediction", "latency", "source", "caller"),
    *("chunk", "position"),
)


class PredictionStore:
    """A prediction log in a database; may be used from several threads, but not across a fork."""

    def __init__(self, engine: Engine) -> None:
        """Use a database, and bring its tables to the newest schema; PredictionLogError if that fails."""
        migrate(engine)
        _read_newest(engine)
        self.engine: Final = engine
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        self._insert = (
            f"INSERT INTO {predictions.name} ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own
            f"VALUES ({', '.join([mark] * len(_COLUMNS))}) ON CONFLICT (model, id) DO NOTHING"
        )
        self._registering = threading.Lock()
        self._versions: dict[LoggedModel, int] = {}
        self._models: dict[int, int] = {}
        """The number of the model of each version that was registered."""

    @classmethod
    def open(cls, state_folder: Path | None, url: str | None = None, *, durable: bool = False) -> PredictionStore:
        """Open the log of a state folder, or the one of a PostgreSQL URL; PredictionLogError if it cannot be used.

        With `durable`, rows survive a loss of power once they are written. ValueError without folder and URL.
        """
        if url is not None:
            engine = open_postgres(url)
        elif state_folder is not None:
            engine = open_sqlite(sqlite_file(state_folder), durable=durable)
        else:
            raise ValueError("the prediction log needs a folder or a URL")
        try:
            return cls(engine)
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        """Close the connections; one that a thread still uses is closed when the thread gives it back."""
        close_engine(self.engine)

    @contextmanager
    def alone(self, number: int) -> Iterator[bool]:
        """Hold a lock of a PostgreSQL database while the block runs; gives false if another process holds it."""
        with reading(self.engine) as connection:
            yield bool(connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock(%s)", (number,)).scalar())

    # ------------------------------------------------------------ writing

    def register(self, model: LoggedModel) -> int:
        """Return the number of a model version, which is the same for all processes."""
        with self._registering:
            if model not in self._versions:
                with writing(self.engine) as connection:
                    number = _number(connection, models, name=model.name)
                    keys = {"model": number, "name": model.version, "digest": model.digest}
                    version = _number(connection, versions, keys, description=model.description)
                self._versions[model] = version
                self._models[version] = number
            return self._versions[model]

    def write(self, rows: Sequence[LoggedRows]) -> int:
        """Write rows of registered versions in one transaction; return how many had an id that was new.

        A row whose id the model already has is left out: the first prediction of an id counts.
        """
        written = 0
        with writing(self.engine) as connection:
            by_version = sorted((part for part in rows if len(part)), key=lambda part: part.version)
            for version, parts in groupby(by_version, key=lambda part: part.version):
                written += self._write_chunk(connection, version, list(parts))
        return written

    def _write_chunk(self, connection: Connection, version: int, parts: Sequence[LoggedRows]) -> int:
        features = parts[0].features if len(parts) == 1 else np.concatenate([part.features for part in parts])
        chunk = connection.execute(
            insert(chunks)
            .values(
                version=version,
                rows=len(features),
                first_time=min(int(part.time.min()) for part in parts),
                last_time=max(int(part.time.max()) for part in parts),
                features=pack(features),
                arrived=max(int(part.arrival.max()) for part in parts),
            )
            .returning(chunks.c.chunk)
        ).scalar_one()
        write_probabilities(connection, chunk, parts)
        tuples: list[tuple[Any, ...]] = []
        for part in parts:
            tuples += _tuples(part, self._models[version], chunk, len(tuples))
        return connection.exec_driver_sql(self._insert, tuples).rowcount

    # ------------------------------------------------------------ reading

    def read(self, selection: Selection) -> Iterator[PredictionBatch]:
        """Yield the selected predictions of a model in batches, in the order of their time.

        Each batch is read in a transaction of its own, so a long reading holds nothing up.
        """
        return read(self.engine, selection)

    def versions_of(self, model: str) -> Sequence[LoggedModel]:
        """Return the versions of a model that the log has rows of, or had; a version that changed has several."""
        query = select(versions).join(models, models.c.model == versions.c.model).where(models.c.name == model)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(versions.c.version)).all()
        return [LoggedModel.read(model, row.name, row.description) for row in rows]

    def outcomes_of(self, model: str) -> list[str]:
        """Return the names of the business outcomes that predictions of a model have."""
        with reading(self.engine) as connection:
            number = connection.execute(select(models.c.model).where(models.c.name == model)).scalar()
            names = [] if number is None else outcome_names(connection, number)
        return [name for name in names if name != LABEL]

    def model_names(self) -> list[str]:
        """Return the names of the models that the log has rows of, or had."""
        with reading(self.engine) as connection:
            return list(connection.execute(select(models.c.name).order_by(models.c.name)).scalars())


def _read_newest(engine: Engine) -> None:
    """Read the newest rows, which finds most damage without a look at the whole file; PredictionLogDamaged then."""
    with reading(engine) as connection:
        for table, key in ((predictions, predictions.c.seq), (chunks, chunks.c.chunk)):
            connection.execute(select(table).order_by(key.desc()).limit(1)).all()


def _number(connection: Connection, table: Table, keys: dict[str, Any] | None = None, **values: Any) -> int:
    """Return the number of a row, which is added if it is missing; `keys` identify it, or else `values` do."""
    keys = keys or values
    number = next(iter(table.primary_key.columns))
    found = select(number).where(and_(*(table.c[name] == value for name, value in keys.items())))
    if (known := connection.execute(found).scalar()) is not None:
        return int(known)
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_once

        connection.execute(insert_once(table).values(**{**values, **keys}).on_conflict_do_nothing())
    else:  # a transaction that writes is alone in SQLite
        connection.execute(insert(table).values(**{**values, **keys}))
    return int(connection.execute(found).scalar_one())


def _tuples(part: LoggedRows, model: int, chunk: int, first: int) -> Iterator[tuple[Any, ...]]:
    """Return rows as the table `predictions` keeps them; their features begin at `first` in the chunk."""
    times, arrivals = part.time.tolist(), part.arrival.tolist()
    late = repeat(None) if times == arrivals else [a if a != t else None for a, t in zip(arrivals, times, strict=True)]
    return zip(
        repeat(model),
        part.keys,
        repeat(part.version),
        times,
        late,
        _nullable(part.scores),
        _nullable(part.predictions),
        part.latency.tolist(),
        repeat(part.source),
        part.callers or repeat(None),
        repeat(chunk),
        range(first, first + len(part)),
    )


def _nullable(values: FloatArray) -> list[float | None]:
    """Return numbers, and None in place of NaN."""
    missing = np.isnan(values)
    if not missing.any():
        return list(values.tolist())
    return [None if gone else value for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]
