"""Failed assertions as annotations of GitHub's workflows."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.checks.assertions.report import SuiteReport


def annotations_of(report: SuiteReport) -> Iterator[str]:
    """Yield a workflow command for each failed assertion, an error or a warning by its severity."""
    for outcome in report.failed:
        own = outcome.assertion
        command = "error" if outcome.fails else "warning"
        place = f"file={_property(own.file)},line={own.line}," if own.line else ""
        window = f"{outcome.window}: " if report.is_history else ""
        message = f"{window}{own.text}: {outcome.reason}" + (f"\n{own.description}" if own.description else "")
        yield f"::{command} {place}title={_property(own.title)}::{_data(message)}"


def _data(text: str) -> str:
    """Return a text as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return a text as a property of a workflow command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
