"""Where the files that belong to a baseline are kept."""

from __future__ import annotations

from pathlib import Path


def path_beside(baseline: Path, name: str) -> Path:
    """Return where a file of a baseline is: beside it, and by its name if that is not the usual one.

    >>> path_beside(Path("loans.json"), "sample.parquet").name
    'loans.sample.parquet'
    """
    return baseline.with_name(name if baseline.name == "baseline.json" else f"{baseline.stem}.{name}")
