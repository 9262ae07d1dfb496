from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.checks.assertions.suite import SuiteError
from driftgauge.checks.assertions.suite_file import read_suite

WHOLE = """\
name: nightly delivery
description: What every delivery must be.
label: churned
prediction: answer
score: risk
positive: "yes"
assertions:
  - rows >= 1000
  - assert: missing(age) <= 0.05
    name: age is nearly complete
    severity: warning
    description: Older exports lack it.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "suite.yaml"


def problems_of(path: Path, text: str) -> list[str]:
    """Return what is wrong with a file, without its folder."""
    path.write_text(text, "utf-8")
    with pytest.raises(SuiteError) as refused:
        read_suite(path)
    return [one.replace(f"{path.parent}/", "") for one in refused.value.problems]


def test_a_file_holds_assertions_with_names_severities_and_descriptions(path: Path) -> None:
    path.write_text(WHOLE, "utf-8")
    found = read_suite(path)
    assert found.name == "nightly delivery"
    assert (found.truth.label, found.truth.prediction, found.truth.score, found.truth.positive) == (
        *("churned", "answer", "risk", "yes"),
    )
    first, second = found.assertions
    assert (first.text, first.title, first.severity, first.line) == ("rows >= 1000", "rows >= 1000", "critical", 8)
    assert (second.title, second.severity, second.line) == ("age is nearly complete", "warning", 9)
    assert second.description == "Older exports lack it."
    assert second.place == f"{path}:9: missing(age) <= 0.05"


def test_a_file_without_a_name_has_that_of_the_file(path: Path) -> None:
    path.write_text("assertions: [rows > 1]", "utf-8")
    assert read_suite(path).name == "suite"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "suite.yaml:1: write a mapping with a list of assertions: `assertions:`"),
        ("- rows > 1", "suite.yaml:1: write a mapping with a list of assertions: `assertions:`"),
        ("name: x", "suite.yaml:1: assertions: write a list with at least one assertion, each after a dash"),
        ("assertions: []", "suite.yaml:1: assertions: write a list with at least one assertion, each after a dash"),
        ("\nassertions:\n  rows > 1", "suite.yaml:3: assertions: write a list with at least one assertion"),
        ("assertions:\n- [rows]", "suite.yaml:2: write an assertion as a text, or as a mapping with `assert:`"),
        ("assertions:\n- name: x", "suite.yaml:2: an assertion needs `assert:`"),
        ("assertions:\n- assert:", "suite.yaml:2: assert: write a text"),
        ("assertions:\n- rows > 1\n- row > 1", "suite.yaml:3: row > 1: there is no function row; did you mean rows?"),
        ("assertion:\n- rows > 1\n", "suite.yaml:1: there is no key assertion; did you mean assertions?"),
        ("name: a\nname: b\nassertions: [rows > 1]", "suite.yaml:2: name is given twice"),
        ("[a]: 1\nassertions: [rows > 1]", "suite.yaml:1: there is no key of this kind; there is name, description"),
        ("name: [a]\nassertions: [rows > 1]", "suite.yaml:1: name: write a text"),
        (
            "assertions:\n- assert: rows > 1\n  severity: error",
            "suite.yaml:3: severity: write critical or warning, not error",
        ),
        ("assertions:\n- assert: rows > 1\n  serverity: warning", "suite.yaml:3: there is no key serverity; did you"),
        ("a: [1\nb: 2", "suite.yaml:2: this is not valid YAML: expected ',' or ']'"),
        ("a: \x07", "suite.yaml:1: this is not valid YAML: it has a character that YAML does not allow"),
        ("a: !!python/object:os.system x", "suite.yaml:1: there is no key a"),
    ],
)
def test_a_problem_names_file_and_line(path: Path, text: str, problem: str) -> None:
    assert problems_of(path, text)[0].startswith(problem)


def test_all_problems_of_a_file_are_said_at_once(path: Path) -> None:
    found = problems_of(path, "nme: x\nassertions:\n- rows >\n- rows > 1\n- assert: mean(a) = 3\n- []\n")
    assert [one.split(": ")[0] for one in found] == [f"suite.yaml:{line}" for line in (1, 3, 5, 6)]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"cannot read the suite .*none\.yaml: No such file"):
        read_suite(tmp_path / "none.yaml")
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SuiteError, match=r"cannot read the suite .*a\.yaml: it is not UTF-8"):
        read_suite(tmp_path / "a.yaml")
