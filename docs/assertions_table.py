"""The tables of docs/assertions.md: every function of assertions, and what it replaces of Evidently."""

from __future__ import annotations

from driftgauge.checks.assertions.functions import FUNCTIONS

BEGIN = "<!-- Written by docs/generate.py: {} -->"
END = "<!-- end -->"


def assertions_page(page: str) -> str:
    """Return the page with its tables as the code declares them."""
    return _filled(_filled(page, "functions", functions_table()), "evidently", evidently_table())


def functions_table() -> str:
    """Return the table of all functions."""
    rows = [f"| {one.group.lower()} | `{one.signature}` | {one.help} |" for one in FUNCTIONS]
    return "\n".join(["| of | function | value |", "|---|---|---|", *rows])


def evidently_table() -> str:
    """Return the table of Evidently's metrics and the functions with the same meaning."""
    rows = [
        f"| `{metric.removesuffix(' (share)')}`{' (share)' * metric.endswith(' (share)')} | `{one.signature}` |"
        for one in FUNCTIONS
        for metric in filter(None, one.evidently.split(", "))
    ]
    return "\n".join(["| Evidently | assertion on |", "|---|---|", *rows])


def _filled(page: str, block: str, text: str) -> str:
    begin = BEGIN.format(block)
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"docs/assertions.md has no block {block}")
    return f"{before}{begin}\n{text}\n{END}{after}"
