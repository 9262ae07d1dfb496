"""Checks and profiles of tables that databases count, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console

from driftgauge.checks.engine_check import check_in_engine
from driftgauge.checks.engine_profiling import profiles_in_engine
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.profiling import NamedProfile
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import Reference
from driftgauge.checks.window_reader import unique
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.options import IN_MEMORY, EngineOptions
from driftgauge.engines.source import opened, table_name, uses_engine, without_password
from driftgauge.errors import CheckError


def is_counted(tables: Sequence[str], engine: EngineOptions) -> bool:
    """Return whether databases count the tables of a command; CheckError if they count only some of them.

    Files are read here unless an engine is named: a check of rows says more than one of counts.
    """
    asked = IN_MEMORY if engine.engine == "auto" else engine
    counted = [table for table in tables if uses_engine(table, asked)]
    if counted and len(counted) < len(tables):
        (other, *_) = [table for table in tables if table not in counted]
        raise CheckError(
            f"{without_password(counted[0])} is counted in its database, and {other} is not: run the command for each"
        )
    return bool(counted)


def counted_comparison(
    tables: Sequence[str], engine: EngineOptions, reference: Reference, options: CheckOptions, errors: Console
) -> ProfileCheck:
    """Count tables in their databases and return their comparison with a baseline."""
    constraints = constraints_of(options, reference)
    with _counting(tables, engine, errors) as (sources, show):
        return check_in_engine(reference.baseline, sources, options, show, constraints)


def counted_profiles(
    tables: Sequence[str],
    engine: EngineOptions,
    baseline: Baseline,
    options: CheckOptions,
    partition: str | None,
    errors: Console,
) -> list[NamedProfile]:
    """Count tables in their databases and return their profiles; `partition` names the rows of the only table."""
    names = unique([table_name(table) for table in tables])
    with _counting(tables, engine, errors) as (sources, show):
        return profiles_in_engine(baseline, list(zip(names, sources, strict=True)), options, partition, show)


@contextmanager
def _counting(
    tables: Sequence[str], engine: EngineOptions, errors: Console
) -> Iterator[tuple[list[EngineTable], Callable[[str], None]]]:
    """Open tables, and show on the terminal what has been counted."""
    with ExitStack() as stack:
        status = stack.enter_context(errors.status("counting …"))
        yield (
            [stack.enter_context(opened(table, engine)) for table in tables],
            lambda what: status.update(f"counting: {what} is done …"),
        )
