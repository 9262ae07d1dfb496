"""Checks of tables that databases count, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console

from driftgauge.checks.engine_check import check_in_engine
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import Reference
from driftgauge.engines.options import IN_MEMORY, EngineOptions
from driftgauge.engines.source import opened, uses_engine, without_password
from driftgauge.errors import CheckError


def is_counted(tables: Sequence[str], engine: EngineOptions) -> bool:
    """Return whether databases count the tables of a check; CheckError if only some of them are.

    Files are read here unless an engine is named: a check of rows says more than one of counts.
    """
    asked = IN_MEMORY if engine.engine == "auto" else engine
    counted = [table for table in tables if uses_engine(table, asked)]
    if counted and len(counted) < len(tables):
        (other, *_) = [table for table in tables if table not in counted]
        raise CheckError(
            f"{without_password(counted[0])} is counted in its database, and {other} is not: check it apart"
        )
    return bool(counted)


def counted_comparison(
    tables: Sequence[str], engine: EngineOptions, reference: Reference, options: CheckOptions, errors: Console
) -> ProfileCheck:
    """Count tables in their databases and return their comparison with a baseline."""
    constraints = constraints_of(options, reference)
    with ExitStack() as stack:
        status = stack.enter_context(errors.status("counting …"))
        sources = [stack.enter_context(opened(table, engine)) for table in tables]

        def show(what: str) -> None:
            status.update(f"counting: {what} is done …")

        return check_in_engine(reference.baseline, sources, options, show, constraints)
