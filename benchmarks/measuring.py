"""What the scripts share: CPU time, and tables in Markdown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def cpu_seconds(work: Callable[[], object], repeats: int, *, before: Callable[[], object] = lambda: None) -> float:
    """Return the median CPU time of a call, after one that is not counted; nor is what is done before each."""
    before()
    work()
    taken = []
    for _ in range(repeats):
        before()
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def number(value: float | None, digits: int) -> str:
    """Return a number as it stands in a table; a dash if there is none."""
    return "–" if value is None or value != value else f"{value:,.{digits}f}"
