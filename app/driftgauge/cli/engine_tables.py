"""Baselines of tables that databases count, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.status import Status

from driftgauge.about import About
from driftgauge.cli.reference_options import for_columns
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import opened, without_password
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.engine_baseline import EngineBaseline, EnginePlan, baseline_in_engine

Quantiles = Literal["exact", "approximate"]


def counted_baseline(
    table: str,
    engine: EngineOptions,
    options: BaselineOptions,
    kinds: Sequence[str] | None,
    about: About,
    quantiles: Quantiles,
    status: Status,
) -> EngineBaseline:
    """Build the baseline of a table in its database; `status` shows what was done last."""
    label = without_password(table)

    def show(what: str) -> None:
        status.update(f"counting {label}: {what} is done …")

    with opened(table, engine) as source:
        own = for_columns(options, source.column_names, kinds, about)
        return baseline_in_engine(source, own, EnginePlan(progress=show, exact=quantiles == "exact"))
