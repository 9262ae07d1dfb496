"""Exports predictions of the log in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, Literal

from driftgauge.cli.log_files import JsonLinesFile, LogFile, ParquetFile
from driftgauge.common.quoting import listed
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.joined_labels import joined_labels
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

STANDARD_OUTPUT: Final = Path("-")
Format = Literal["parquet", "jsonl"]


@dataclass(frozen=True)
class Exported:
    """What an export has written."""

    rows: int = 0
    left_out: int = 0
    """Predictions of versions that came while it ran, which a Parquet file has no columns for."""
    damaged: int = 0
    """Predictions with a stored value that cannot be read, which is null in the file."""
    damage: str | None = None
    """The first file that was found damaged."""
    first: int | None = None
    """Time of the first prediction, microseconds since 1970."""
    last: int | None = None


def export(
    store: PredictionStore,
    selection: Selection,
    out: Path,
    kind: Format,
    *,
    with_labels: bool,
    on_batch: Callable[[Exported], None] = lambda done: None,
) -> Exported:
    """Write the selected predictions to a file, or to standard output for `-`; PredictionLogError if there are none.

    The file appears when it is whole. Rows that a server writes meanwhile do no harm.
    """
    batches = store.read(replace(selection, with_probabilities=True, sorts_on_disk=True))
    first = next(batches, None)
    if first is None:
        raise PredictionLogError(f"the log has no such predictions of {selection.model}")
    done = Exported(first=int(first.time[0]))
    with _opened(out) as stream:
        file = _file(store, selection, stream, kind, with_labels=with_labels)
        for batch in chain((first,), batches):
            truths = joined_labels(store.engine, batch) if with_labels else None
            written = file.write(batch, truths)
            done = replace(
                done,
                rows=done.rows + written,
                left_out=done.left_out + len(batch) - written,
                damaged=done.damaged + int(batch.damaged.sum()),
                damage=done.damage or batch.damage,
                last=int(batch.time[-1]),
            )
            on_batch(done)
        file.close()
    return done


def model_of(store: PredictionStore, name: str | None) -> str:
    """Return the name of a model in the log; PredictionLogError for an unknown one, or none where there are several."""
    names = store.model_names()
    if name in names:
        return name
    if name is None and len(names) == 1:
        return names[0]
    if not names:
        raise PredictionLogError("the log has no predictions")
    if name is None:
        raise PredictionLogError(f"the log has several models, so name one with --model: {listed(names)}")
    raise PredictionLogError(f"--model: the log has no model {name}; there is {listed(names)}")


def _file(
    store: PredictionStore, selection: Selection, stream: BinaryIO, kind: Format, *, with_labels: bool
) -> LogFile:
    if kind == "jsonl":
        return JsonLinesFile(stream)
    versions = [own for own in store.versions_of(selection.model) if selection.version in (None, own.version)]
    return ParquetFile(stream, versions, store.outcomes_of(selection.model), with_labels=with_labels)


@contextmanager
def _opened(out: Path) -> Iterator[BinaryIO]:
    """Open standard output, or a file beside `out` that takes its place at the end; it is deleted after an error."""
    if out == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(out)
    except OSError as error:
        raise PredictionLogError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
