"""Parquet files of features: the chunks of one model version, one after another, compressed with zstd.

A file has the columns `_chunk` and `_position`, by which a row of `predictions` finds its features, and one column for
each feature, in bundle order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.errors import PredictionLogDayDamaged, PredictionLogError
from driftgauge.predictions.packing import narrowed

CHUNK: Final = "_chunk"
POSITION: Final = "_position"
GROUP_ROWS: Final = 10_000
"""Rows that are decompressed together: what one prediction that is asked for costs."""


def write_day_file(sink: BinaryIO, names: Sequence[str], numbers: Sequence[int], values: Sequence[FloatArray]) -> int:
    """Write chunks with ascending numbers, each of shape [rows, features]; return how many rows they have."""
    import pyarrow as pa  # here, because a server that does not compact should not pay for it
    from pyarrow import parquet

    lengths = [len(one) for one in values]
    together = np.concatenate(values)
    columns: list[Any] = [
        np.repeat(np.array(numbers, dtype=np.int64), lengths),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        *(narrowed(together[:, index]) for index in range(len(names))),
    ]
    table = pa.Table.from_arrays([pa.array(column) for column in columns], names=[CHUNK, POSITION, *names])
    parquet.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS)
    return len(together)


class DayFile:
    """An open Parquet file of chunks."""

    def __init__(self, source: Path | bytes) -> None:
        """Open a file, or its content; FileNotFoundError, or PredictionLogDayDamaged for a damaged one.

        PredictionLogError if the machine cannot read it now.
        """
        import pyarrow as pa
        from pyarrow import parquet

        self._name: Final = str(source) if isinstance(source, Path) else "in the database"
        self._errors: Final = (
            *(pa.ArrowException, OSError, MemoryError),
            *(ValueError, TypeError, AttributeError, IndexError),
        )
        try:
            self._file = parquet.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)
            groups = self._file.metadata
            of_chunk = [groups.row_group(group).column(0).statistics for group in range(groups.num_row_groups)]
            self._ranges: Final = [(int(own.min), int(own.max)) for own in of_chunk]
        except FileNotFoundError:
            raise
        except self._errors as error:
            raise self._explained(error) from error
        self._held: tuple[int, Any] | None = None
        self.decoded = 0
        """Rows that were decompressed."""

    def close(self) -> None:
        """Close the file."""
        self._held = None
        self._file.close()

    def rows(self, wanted: Mapping[int, IntArray]) -> dict[int, FloatArray]:
        """Return the features at positions of those chunks that the file has, by the number of the chunk.

        PredictionLogDayDamaged for a damaged file, PredictionLogError if the machine cannot read it now. One row group
        is held at a time.
        """
        try:
            return self._rows(wanted)
        except self._errors as error:
            raise self._explained(error) from error

    def _rows(self, wanted: Mapping[int, IntArray]) -> dict[int, FloatArray]:
        found: dict[int, FloatArray] = {}
        for group, (low, high) in enumerate(self._ranges):
            for number in sorted(number for number in wanted if low <= number <= high):
                table = self._group(group)
                first, end = np.searchsorted(table.column(0).to_numpy(), (number, number + 1)).tolist()
                if first == end:
                    continue
                if number not in found:
                    found[number] = np.full((len(wanted[number]), table.num_columns - 2), np.nan)
                # A chunk may go on in the next row group: positions say which of its rows are in this one.
                places = first + wanted[number] - int(table.column(1)[first].as_py())
                inside = (places >= first) & (places < end)
                for index in range(table.num_columns - 2):
                    found[number][inside, index] = table.column(index + 2).to_numpy()[places[inside]]
        return found

    def _group(self, group: int) -> Any:
        """Return a row group; the last one is kept, because the next page often goes on in it."""
        if self._held is None or self._held[0] != group:
            self._held = None
            table = self._file.read_row_group(group, use_threads=False).combine_chunks()
            self._held = (group, table)
            self.decoded += table.num_rows
        return self._held[1]

    def _explained(self, error: Exception) -> PredictionLogError:
        """Return what an error means: a failure of the machine may pass, and says nothing of the file."""
        if isinstance(error, MemoryError):
            return PredictionLogError(f"the prediction log: {self._name}: the memory does not suffice to read it")
        if isinstance(error, OSError) and error.errno is not None:
            return PredictionLogError(f"the prediction log: {self._name}: {error.strerror or error}")
        return PredictionLogDayDamaged(
            f"the prediction log: the Parquet file {self._name} is damaged ({error}). Its predictions are "
            "read without their features"
        )
