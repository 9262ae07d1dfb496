"""Outcomes of a suite in the XML of JUnit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from driftgauge.checks.assertions.report import Outcome, SuiteReport

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit_of(report: SuiteReport) -> str:
    """Return a suite for each window, with a test case for each assertion.

    A failed assertion of severity warning is a passed test with a text in its output: CI servers know no warnings.
    """
    root = Element("testsuites", _counts([*report.outcomes]) | {"name": _text(report.name)})
    for window in dict.fromkeys(one.window for one in report.outcomes):
        own = [one for one in report.outcomes if one.window == window]
        name = f"{report.name}: {window}" if report.is_history else report.name
        suite = SubElement(root, "testsuite", {"name": _text(name), **_counts(own)})
        for outcome in own:
            _add_case(suite, outcome, name)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, "unicode")}\n'


def _counts(outcomes: list[Outcome]) -> dict[str, str]:
    failures = sum(one.fails for one in outcomes)
    return {"tests": str(len(outcomes)), "failures": str(failures), "errors": "0", "skipped": "0"}


def _add_case(suite: Element, outcome: Outcome, owner: str) -> None:
    own = outcome.assertion
    place = {"file": _text(own.file), "line": str(own.line)} if own.line else {}
    case = SubElement(suite, "testcase", {"name": _text(own.title), "classname": _text(owner), **place})
    text = "\n".join(part for part in (f"{own.text}: {outcome.reason}", own.description) if part)
    if outcome.fails:
        message = {"message": _text(f"{own.text}: {outcome.reason}"), "type": "assertion"}
        SubElement(case, "failure", message).text = _text(text)
    elif not outcome.passed:
        SubElement(case, "system-out").text = _text(f"warning: {text}")


def _text(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
