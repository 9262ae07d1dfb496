"""The rows of the reference that are kept beside a baseline: `sample.parquet`.

It is a table like any other, with a row for each kept row. Its pages have checksums, and it names the baseline that it
belongs to.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.common.safe_files import read_bounded
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.report import MOST_ROWS
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import BundleError
from driftgauge.models.beside import path_beside

SAMPLE_FILE: Final = "sample.parquet"
"""Bundles and baselines without kept rows have none."""
MOST_BYTES: Final = 256 << 20
"""Largest file that is read."""
_BASELINE: Final = b"driftgauge.baseline"
_AGAIN: Final = "build the bundle or the baseline again with --keep-rows, or remove the file"


def dumps(sample: RowSample, baseline: Baseline) -> bytes:
    """Return the content of the file, which belongs to a baseline."""
    from pyarrow import parquet

    table = pa.table({name: _written(data) for name, data in sample.columns.items()})
    sink = io.BytesIO()
    parquet.write_table(
        table.replace_schema_metadata({_BASELINE: baseline.hash}), sink, compression="zstd", write_page_checksum=True
    )
    return sink.getvalue()


def of_baseline(path: Path, baseline: Baseline) -> RowSample | None:
    """Read the rows beside a baseline's file; None if none are kept. BundleError for a file that cannot be used."""
    file = path_beside(path, SAMPLE_FILE)
    try:
        content = read_bounded(file, MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror or error}") from error
    try:
        return loads(content, baseline)
    except BundleError as error:
        raise BundleError(f"{file}: {error}: {_AGAIN}") from error


def loads(content: bytes, baseline: Baseline) -> RowSample:
    """Read the content of the file; BundleError if it is damaged, or of another baseline."""
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            if (file.schema_arrow.metadata or {}).get(_BASELINE) != baseline.hash.encode():
                raise BundleError("these rows were kept of another reference than the baseline's")
            if file.metadata.num_rows > MOST_ROWS:
                raise BundleError(f"{file.metadata.num_rows:,} rows; at most {MOST_ROWS:,} are kept")
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise BundleError(f"it is damaged, or no parquet file ({error})") from error
    return RowSample(table.num_rows, {name: _read(table, name, baseline) for name in table.column_names})


def _written(data: object) -> pa.Array:
    if isinstance(data, Categories):
        return pa.DictionaryArray.from_arrays(
            pa.array(data.codes.astype(np.int32), mask=data.codes < 0), pa.array(data.names, pa.string())
        )
    return pa.array(data, pa.float64(), from_pandas=False)


def _read(table: pa.Table, name: str, baseline: Baseline) -> FloatArray | Categories:
    """Return a column; BundleError if it is not as the baseline has it."""
    kinds = {column.name: column.kind for column in baseline.columns}
    cells, of = table[name].combine_chunks(), table.schema.field(name).type
    if kinds.get(name) == "categorical" and pa.types.is_dictionary(of) and pa.types.is_string(of.value_type):
        codes = cells.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return Categories(codes, tuple(cells.dictionary.to_pylist()))
    if kinds.get(name) == "numeric" and pa.types.is_float64(of):
        return np.array(cells.to_numpy(zero_copy_only=False), dtype=np.float64)
    raise BundleError(f"the column {name} is not as the baseline has it")
