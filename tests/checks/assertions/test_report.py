from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from driftgauge.checks.assertions.annotations import annotations_of
from driftgauge.checks.assertions.report import SuiteReport
from driftgauge.checks.assertions.suite import suite
from driftgauge.checks.options import CheckOptions

from tests.checks.test_check import usual_frame
from tests.monitors import small_baseline

SUITE = """\
name: a <suite> & more
assertions:
- rows >= 2
- assert: missing(age) <= 10%
  name: "age: complete, or nearly"
  description: "100% would be\\nbetter."
- assert: mean(age) > 50
  severity: warning
"""


@pytest.fixture
def report(tmp_path: Path) -> SuiteReport:
    """A report of an assertion that holds, one that fails, and a warning."""
    (tmp_path / "suite.yaml").write_text(SUITE, "utf-8")
    return suite(tmp_path / "suite.yaml").run({"age": [31, 45, None]})


def test_json_has_every_assertion_with_its_value(report: SuiteReport) -> None:
    found = report.to_dict()
    assert (found["suite"], found["passed"], found["check"]) == ("a <suite> & more", False, None)
    first, second, third = found["assertions"]
    assert first == {
        "assertion": "rows >= 2",
        "name": None,
        "description": None,
        "severity": "critical",
        "window": "table",
        "passed": True,
        "value": 3.0,
        "reason": "it is 3",
        "file": second["file"],
        "line": 3,
    }
    assert (second["name"], second["passed"], second["value"]) == (
        "age: complete, or nearly",
        False,
        pytest.approx(1 / 3),
    )
    assert (third["severity"], third["passed"]) == ("warning", False)


def test_json_has_the_comparison_if_there_is_one() -> None:
    found = suite("psi(age) < 1", "ks(city) < 1").run(usual_frame(500), small_baseline()).to_dict()
    assert found["check"]["status"] == "normal"
    assert found["assertions"][1]["value"] is None


def test_a_warning_that_does_not_hold_fails_nothing(report: SuiteReport) -> None:
    assert [one.assertion.line for one in report.failed] == [4, 7]
    assert not report.passed
    assert suite("rows > 1").run({"a": [1, 2]}).passed


def test_junit_has_a_test_case_for_each_assertion(report: SuiteReport) -> None:
    root = ElementTree.fromstring(report.to_junit())  # noqa: S314  # our own text
    (own,) = root
    assert (own.get("name"), own.get("tests"), own.get("failures")) == ("a <suite> & more", "3", "1")
    first, second, third = own
    assert [len(case) for case in own] == [0, 1, 1]
    assert first.get("name") == "rows >= 2"
    assert second.get("name") == "age: complete, or nearly"
    assert second.get("line") == "4"
    assert second[0].tag == "failure"
    assert second[0].get("message") == "missing(age) <= 10%: it is 0.333333"
    assert second[0].text == "missing(age) <= 10%: it is 0.333333\n100% would be\nbetter."
    assert third[0].tag == "system-out"
    assert third[0].text == "warning: mean(age) > 50: it is 38"


def test_junit_has_a_suite_for_each_window_and_survives_any_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("at,a\n2026-01-01,\x1b[31m\n2026-01-02,2\n", "utf-8")
    options = CheckOptions(time="at", every="1d")
    text = suite("mean(a) > 1").run(tmp_path / "t.csv", None, options).to_junit()
    root = ElementTree.fromstring(text)  # noqa: S314  # our own text
    assert [own.get("name") for own in root] == ["driftgauge: 2026-01-01", "driftgauge: 2026-01-02"]
    assert [own.get("failures") for own in root] == ["1", "0"]


def test_annotations_point_at_the_lines_of_the_suite(report: SuiteReport) -> None:
    place = report.failed[0].assertion.file
    title, message = "age%3A complete%2C or nearly", "missing(age) <= 10%25: it is 0.333333%0A100%25 would be%0Abetter."
    assert list(annotations_of(report)) == [
        f"::error file={place},line=4,title={title}::{message}",
        f"::warning file={place},line=7,title=mean(age) > 50::mean(age) > 50: it is 38",
    ]
    without = suite("rows > 5").run({"a": [1]})
    assert list(annotations_of(without)) == ["::error title=rows > 5::rows > 5: it is 1"]
