"""The content of a baseline as JSON has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftgauge.drift.novelty.novelty import novelty_content
from driftgauge.drift.reference.columns import column_content

if TYPE_CHECKING:
    from driftgauge.drift.reference.baseline import Baseline


def baseline_content(baseline: Baseline) -> dict[str, Any]:
    """Return the baseline without its hash and `about`."""
    columns = baseline.columns[:-1] if baseline.has_outliers else baseline.columns  # `novelty` has the last one
    # Baselines of earlier versions have no novelty, and do not expect it in the hash.
    novelty = {} if baseline.novelty is None else {"novelty": novelty_content(baseline.novelty)}
    return {
        "schema_version": baseline.schema_version,
        "created": baseline.created,
        "rows": baseline.rows,
        "time_column": baseline.time_column,
        "zero_bin": baseline.zero_bin,
        "correlations": {key: list(value) for key, value in vars(baseline.correlations).items()},
        "columns": [column_content(column) for column in columns],
        **novelty,
    }
