"""What `driftgauge replicas` prints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftgauge.cli.console import widest_that_fits
from driftgauge.replicas.as_json import state_of
from driftgauge.replicas.findings import Finding, age
from driftgauge.replicas.overview import Column, Key, ModelVersion, Overview

HASH_CHARACTERS: Final = 8
MOST_LINES: Final = 50
"""Most findings of one kind that are printed."""
UNKNOWN: Final = "-"
NUMBERS: Final = ("servers", "workers", "rows/s", "rows", "drifted")
"""Columns that are aligned to the right."""
STYLES: Final = {"critical": "red", "warning": "yellow", "normal": "green"}
"""Style of a verdict."""
STATES: Final = {
    "wrong": ("red", "something is wrong:"),
    "cannot_tell": ("yellow", "nothing is known to be wrong, but a part of the answer is missing:"),
    "fine": ("green", "nothing is wrong"),
}


def print_overview(found: Overview, wrong: Sequence[Finding], out: Console) -> None:
    """Print the table of models, and below it what is wrong."""
    out.print(widest_that_fits([_table(found, is_whole=True), _table(found, is_whole=False)], out))
    up = sum(own.is_up is True for own in found.servers)
    scraped = sum(own.is_up is not None for own in found.servers)
    out.print()
    style, words = STATES[state_of(found, wrong)]
    out.print(Text.assemble(f"{up} of {scraped} servers answer; ", (words, style)))
    is_one = _is_one_deployment(found)
    for kind, some in groupby(wrong, key=lambda own: own.kind):
        every = list(some)
        for finding in every[:MOST_LINES]:
            out.print(_line(finding, is_one=is_one), soft_wrap=not out.is_terminal)
        if (more := len(every) - MOST_LINES) > 0:
            out.print(f"{more:,} more of the kind {kind}: --json lists all", style="yellow")
    for warning in found.warnings:
        out.print(Text.assemble(("warning", "yellow"), f" of Prometheus: {warning}"))


def _line(finding: Finding, *, is_one: bool) -> Text:
    name = " ".join(part for part in (finding.model_name, finding.model_version) if part)
    about = [name, *(() if is_one else (f"({', '.join(finding.deployment)})",))]
    subject = " ".join(part for part in about if part)
    colour = "red" if finding.group == "missing" else "yellow"
    return Text.assemble(
        (f"{finding.group}", colour), " ", (subject, "bold"), ": " if subject else "", finding.sentence
    )


def _table(found: Overview, *, is_whole: bool) -> Table:
    """Return the table of models; a narrow one leaves out what the verdict does not need."""
    table = Table(box=None, pad_edge=False)
    by = () if _is_one_deployment(found) else found.asked.by
    heads = [*by, "model", "version", "servers"]
    heads += [*(["workers"] if is_whole else []), "rows/s", *(["rows"] if is_whole else []), "last row", "evaluated"]
    heads += ["drift", "drifted", "worst column", *(["PSI 1h"] if is_whole else []), "performance", "baseline"]
    rows = [_cells(own, found, own.deployment if by else (), is_whole=is_whole) for own in found.models]
    for head, *cells in zip(heads, *rows, strict=True):
        width = max(cell_len(str(own)) for own in (head, *cells))
        table.add_column(head, justify="right" if head in NUMBERS else "left", min_width=width)
    for row in rows:
        table.add_row(*row)
    return table


def _cells(own: ModelVersion, found: Overview, deployment: Key, *, is_whole: bool) -> list[Text]:
    up, all_ = len(own.replicas), len(own.servers)
    version = own.version if own.is_live else f"{own.version} (not live)"
    plain = [*deployment, own.name, version]
    cells = [Text(part) for part in plain]
    cells.append(Text(f"{up}/{all_}", "" if up == all_ else "red"))
    if is_whole:
        cells.append(Text(str(own.workers or UNKNOWN)))
    cells.append(Text(_number(own.rows_per_second)))
    if is_whole:
        cells.append(Text(_count(own.rows)))
    no_rows = f"> {found.asked.since} ago" if own.rows and _was_known(own, found) else UNKNOWN
    cells.append(Text(no_rows if own.last_row is None else _ago(own.last_row, found.at)))
    cells.append(Text(UNKNOWN if own.last_evaluation is None else _ago(own.last_evaluation, found.at)))
    cells.append(_verdict(own.drift))
    cells.append(Text(str(own.drifted) if own.replicas else UNKNOWN))
    cells.append(Text(_column(own.worst, "×")))
    if is_whole:
        cells.append(Text(_column(own.across, "")))
    cells.append(_verdict(own.performance))
    hashes = ", ".join(each.removeprefix("sha256:")[:HASH_CHARACTERS] for each in own.baseline_hashes)
    cells.append(Text(hashes or UNKNOWN, "yellow" if len(own.baseline_hashes) > 1 else ""))
    return cells


def _was_known(own: ModelVersion, found: Overview) -> bool:
    """Return whether all servers were scraped before `--since`, so that rows since then are known."""
    before = found.replicas_before.get((*own.deployment, own.name), frozenset())
    return all(each.instance in before for each in own.replicas)


def _is_one_deployment(found: Overview) -> bool:
    return len({*(own.deployment for own in found.models), *(own.deployment for own in found.servers)}) < 2


def _verdict(word: str | None) -> Text:
    return Text(word or UNKNOWN, STYLES.get(word or "", ""))


def _column(own: Column | None, unit: str) -> str:
    return UNKNOWN if own is None else f"{own.name} {own.shown}{unit}"


def _ago(then: float, now: float) -> str:
    return f"{age(now - then)} ago" if now - then >= 1 else "now"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"
