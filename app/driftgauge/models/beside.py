"""The files that belong to a baseline or a bundle: where they are kept, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from driftgauge.common.safe_files import read_bounded
from driftgauge.errors import BundleError

MOST_BYTES: Final = 64 << 20
"""Largest text file that is read."""
T = TypeVar("T")


def path_beside(baseline: Path, name: str) -> Path:
    """Return where a file of a baseline is: beside it, and by its name if that is not the usual one.

    >>> path_beside(Path("loans.json"), "sample.parquet").name
    'loans.sample.parquet'
    """
    return baseline.with_name(name if baseline.name == "baseline.json" else f"{baseline.stem}.{name}")


def read_text(path: Path, loads: Callable[[str], T], advice: str) -> T | None:
    """Read a text file of a bundle; None if it is absent, BundleError with its path and advice if it cannot be used."""
    try:
        return loads(read_bounded(path, MOST_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {path} ({error}): {advice}") from error
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
