"""Evidently's own report of rows against rows of the reference."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import CheckError

_INSTALL: Final = "pip install 'driftgauge[evidently]', in an environment of its own, because it needs pandas 2"


@dataclass(frozen=True)
class EvidentlyReport:
    """What Evidently writes."""

    html: str
    json: str
    drifted: int
    """Columns that drift by Evidently's default methods."""
    columns: int
    empty: tuple[str, ...]
    """Columns that were left out, because the rows or the reference have no value in them."""


def evidently() -> Any:
    """Return the library; CheckError says how to install it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of its dependencies
            importlib.import_module("evidently.presets")
            return importlib.import_module("evidently")
    except ModuleNotFoundError as error:
        if error.name == "evidently":
            raise CheckError(f"Evidently is not installed: {_INSTALL}") from error
        raise CheckError(f"Evidently cannot be used here ({error}): {_INSTALL}") from error
    except Exception as error:  # its modules fail in several ways on libraries that are too new for them
        raise CheckError(f"Evidently cannot be used here ({error}): {_INSTALL}") from error


def evidently_report(baseline: Baseline, rows: FloatArray, reference: FloatArray) -> EvidentlyReport:
    """Return Evidently's report on drift and on each column, by its default methods.

    `rows` and `reference` have the columns of the baseline, categories as codes. CheckError without a column that has
    values in both.
    """
    library = evidently()
    has_values = ~(np.isnan(rows).all(axis=0) | np.isnan(reference).all(axis=0))
    kept = np.flatnonzero(has_values).tolist()
    if not kept:
        raise CheckError("there is nothing to report: no column has values in the rows and in the reference")
    columns = [baseline.columns[index] for index in kept]
    definition = library.DataDefinition(
        numerical_columns=[_inert(column.name) for column in columns if column.kind == "numeric"],
        categorical_columns=[_inert(column.name) for column in columns if column.kind == "categorical"],
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of pandas and numpy about Evidently's code
        current, past = (
            library.Dataset.from_pandas(_table(columns, values[:, kept]).to_pandas(), data_definition=definition)
            for values in (rows, reference)
        )
        presets = library.presets
        found = library.Report([presets.DataDriftPreset(), presets.DataSummaryPreset()]).run(current, past)
        html, json = found.get_html_str(as_iframe=False), found.json()
        drifted = found.dict()["metrics"][0]["value"]["count"]
    return EvidentlyReport(
        html, json, int(drifted), len(kept), tuple(baseline.names[i] for i in np.flatnonzero(~has_values))
    )


def _table(columns: list[ColumnBaseline], values: FloatArray) -> pa.Table:
    """Return rows with the names of their categories; values of shape [rows, columns]."""
    cells = {_inert(column.name): _cells(column, values[:, index]) for index, column in enumerate(columns)}
    return pa.table(cells)


def _cells(column: ColumnBaseline, values: FloatArray) -> pa.Array:
    if column.kind == "numeric":
        return pa.array(values, pa.float64())
    names = pa.array([_inert(name) for name in column.bins.names], pa.string())
    missing = np.isnan(values)
    codes = pa.array(np.where(missing, 0.0, values).astype(np.int64), pa.int64(), mask=missing)
    return names.take(codes)


def _inert(name: str) -> str:
    """Return a name without `<`: Evidently's page would run what looks like HTML."""
    return name.replace("<", "‹")
