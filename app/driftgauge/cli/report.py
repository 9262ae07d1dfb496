"""`driftgauge report …`: reports of other tools on logged predictions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from driftgauge.checks.evidently_report import EvidentlyReport, evidently, evidently_report
from driftgauge.checks.options import BYTES_AT_ONCE
from driftgauge.checks.reference import Reference, reference_of
from driftgauge.checks.reference_rows import ReferenceRows, kept_rows, reference_rows
from driftgauge.cli.captured_rows import CapturedRows, captured_rows
from driftgauge.cli.check_model import CheckedModel, checked_model
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.help import CommandLine
from driftgauge.cli.log_export import model_of
from driftgauge.cli.log_source import moment_of, open_log
from driftgauge.cli.reference_options import TrustedTypes, loading
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.option import Option
from driftgauge.common.replacing import replacing
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import CheckError
from driftgauge.predictions.reader import Selection

MOST_ROWS: Final = 20_000
report_app = CommandLine("Write reports of other tools on logged predictions.")


@report_app.callback()
def _report() -> None:
    """Write reports of other tools on logged predictions."""


@dataclass(frozen=True)
class ReportedRows:
    """Which predictions are reported, what they are compared with, and where the report goes."""

    since: Annotated[str, Option("Predictions from then on: 14d, or 2026-01-31T12:00:00Z.", "TIME")] = "24h"
    until: Annotated[str | None, Option("Predictions before then.", "TIME", shown_default="now")] = None
    reference: Annotated[
        Path | None,
        Option(
            "Table of the reference, such as the one that the baseline was built from.",
            "TABLE",
            shown_default="the rows that are kept beside the baseline",
        ),
    ] = None
    out: Annotated[Path, Option("File to write; one that ends in .json gets the numbers as JSON.", "FILE")] = Path(
        "report.html"
    )
    baseline: Annotated[
        Path | None,
        Option(
            "Bundle that is served, or the baseline.json of a model that is served elsewhere.",
            "PATH",
            shown_default="that of the settings",
        ),
    ] = None
    config: Annotated[Path | None, Option("Settings file of the server.", "FILE")] = None
    model: Annotated[str | None, Option("Which model, where there are several.", "NAME")] = None
    version: Annotated[str | None, Option("Only predictions of this version.", "VERSION")] = None
    state_dir: Annotated[
        Path | None, Option("Folder of the state, which holds the log.", "FOLDER", shown_default="BUNDLE.state")
    ] = None
    most_rows: Annotated[int, Option("Rows of each side; of more, a uniform sample is drawn.", "N")] = MOST_ROWS

    def __post_init__(self) -> None:
        if self.most_rows < 1:
            raise CheckError(f"--most-rows {self.most_rows}: give at least 1")


@report_app.command("evidently")
@derived_options
def report_evidently(options: ReportedRows, trusted_types: TrustedTypes = None) -> None:
    """Write Evidently's report of logged predictions against rows of the reference.

    Evidently needs pandas 2: install driftgauge[evidently] in an environment of its own, which reads the log of the
    running server. docs/evidently.md has an example.
    """
    evidently()  # or it would be missing after all rows are read
    errors = console(stderr=True)
    checked = _checked(options)
    trusted = comma_list(trusted_types or "") or (checked.settings.trusted_types if checked.settings else ())
    known = reference_of(checked.path, loading(trusted))
    with errors.status("reading the prediction log …"):
        captured = _captured(options, checked, known)
    with errors.status("reading the reference …"):
        past = _reference(options, replace(known, baseline=captured.baseline))
    with errors.status("writing the report …"):
        report = _report_on(captured, past)
        _write(report.json if options.out.suffix == ".json" else report.html, options.out)
    for line in _summary(options, captured, past, report):
        errors.print(line, soft_wrap=True)


def _checked(options: ReportedRows) -> CheckedModel:
    """Return the model that the options name; one that they name by its path alone needs no settings."""
    if options.baseline is not None and options.config is None:
        return checked_model(options.baseline, None, None)
    return checked_model(options.baseline, options.config, options.model)


def _captured(options: ReportedRows, checked: CheckedModel, known: Reference) -> CapturedRows:
    now = time.time()
    start, end = moment_of("--since", options.since, now), moment_of("--until", options.until, now)
    name = options.model or checked.name or (known.scorer.info.name if known.scorer else None)
    is_named_by_settings = options.config is not None or not checked.path.is_dir()
    store = open_log(None if is_named_by_settings else checked.path, options.state_dir, options.config)
    try:
        selection = Selection(model_of(store, name), options.version, start, now if end is None else end)
        return captured_rows(store, selection, known.baseline, options.most_rows)
    finally:
        store.close()


def _reference(options: ReportedRows, known: Reference) -> ReferenceRows:
    if options.reference is None:
        return kept_rows(known, BYTES_AT_ONCE)
    return reference_rows(options.reference, known, options.most_rows, BYTES_AT_ONCE)


def _report_on(captured: CapturedRows, past: ReferenceRows) -> EvidentlyReport:
    """Return the report on the columns that both have; the reference may lack scores."""
    names = captured.baseline.names
    shared = [names.index(name) for name in past.baseline.names]
    return evidently_report(past.baseline, captured.values[:, shared], past.values)


def _write(text: str, out: Path) -> None:
    try:
        with replacing(out) as new:
            new.write_text(text, "utf-8", "replace")
    except OSError as error:
        raise CheckError(f"cannot write {out}: {error.strerror or error}") from error


def _summary(
    options: ReportedRows, captured: CapturedRows, past: ReferenceRows, report: EvidentlyReport
) -> Iterator[str]:
    drawn = len(captured.values)
    sampled = f", a sample of {drawn:,}" if drawn < captured.rows else ""
    span = f"from {rfc3339(captured.first)} to {rfc3339(captured.last)}"
    yield f"wrote {options.out}: {captured.rows:,} predictions {span}{sampled}, against {len(past.values):,} rows"
    yield f"by Evidently's default methods, {report.drifted} of {report.columns} columns drift"
    yield from past.remarks
    if captured.left_out:
        yield f"left out {captured.left_out:,} predictions with another baseline or without their features"
    if captured.hidden:
        yield f"left out, because the log does not have it as it is: {', '.join(captured.hidden)}"
    if report.empty:
        yield f"left out, because it has no values: {', '.join(report.empty)}"
