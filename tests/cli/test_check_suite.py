"""`driftgauge check --assert …` and `--suite …`, as its entry point runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest
from driftgauge.cli import main as cli
from driftgauge.drift.reference.baseline import dumps

from tests.checks.test_check import csv_of, days, parquet_of, usual_frame
from tests.monitors import small_baseline

QUOTES = "; put a column's name in quotes if it has spaces or signs"


class Ran:
    """What a run of the command left."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Command = Callable[..., Ran]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run `driftgauge check` in a folder with a table, its baseline and no settings."""
    parquet_of(usual_frame(1_000), tmp_path / "usual")
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["driftgauge", "check", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Ran(left.value.code or 0, *capfd.readouterr())

    return run


def asserting(*texts: str) -> list[str]:
    return [part for text in texts for part in ("--assert", text)]


def test_assertions_need_no_baseline(check: Command) -> None:
    ran = check("usual.parquet", *asserting("rows >= 1000", "missing(age) <= 0.05", "columns == 4"))
    assert (ran.code, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["result", "assertion", "value"],
        ["ok", "rows", ">=", "1000", "1000"],
        ["ok", "missing(age)", "<=", "0.05", "0.02"],
        ["ok", "columns", "==", "4", "4"],
        [],
        ["all", "3", "assertions", "hold"],
    ]


def test_a_failed_assertion_is_exit_code_1(check: Command) -> None:
    ran = check("usual.parquet", *asserting("rows >= 2000", "mean(city) > 0", "mean(age) between 30 and 50"))
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[1].split()[0] == lines[2].split()[0] == "FAILED"
    assert "is not a number)" in lines[2]
    assert lines[-1] == "2 of 3 assertions failed"


def test_assertions_on_drift_compare_with_the_baseline(check: Command) -> None:
    csv_of(usual_frame(1_000, age=55.0), Path("moved"))
    texts = asserting("psi(age) < 0.2", "psi(flag) < 0.2", "drift_share <= 0.3")
    ran = check("moved.csv", "--baseline", "baseline.json", *texts)
    assert ran.code == 1
    assert [line.split()[0] for line in ran.out.splitlines()[1:4]] == ["FAILED", "ok", "ok"]
    assert "\n1 of 3 assertions failed\ndrift: drift_detected (critical). age: mean " in ran.out


def test_with_assertions_drift_alone_fails_nothing(check: Command) -> None:
    csv_of(usual_frame(1_000, age=55.0), Path("moved"))
    assert check("moved.csv", "--baseline", "baseline.json").code == 1
    ran = check("moved.csv", "--baseline", "baseline.json", *asserting("rows > 1"))
    assert ran.code == 0
    assert "drift: drift_detected" in ran.out
    assert check("moved.csv", "--baseline", "baseline.json", *asserting("drifted_columns == 0")).code == 1


def test_a_suite_s_file_has_names_and_warnings(check: Command) -> None:
    text = "assertions:\n- assert: rows >= 2000\n  name: enough rows\n  severity: warning\n- rows < 5000\n"
    Path("suite.yaml").write_text(text, "utf-8")
    ran = check("usual.parquet", "--suite", "suite.yaml", *asserting("columns > 0"))
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["result", "assertion", "value", "name"]
    assert ran.out.splitlines()[1].split()[0] == "warning"
    assert "enough rows" in ran.out
    assert ran.out.splitlines()[-1] == "1 of 3 assertions failed"


def test_every_problem_has_a_line_and_the_exit_code_is_2(check: Command) -> None:
    Path("suite.yaml").write_text("assertions:\n- rows >\n- row > 3\n", "utf-8")
    ran = check("usual.parquet", "--suite", "suite.yaml", *asserting("mean(a > 1"))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "driftgauge: suite.yaml:2: rows >: expected a number or a word, found the end",
        "driftgauge: suite.yaml:3: row > 3: there is no function row; did you mean rows?",
        f'driftgauge: mean(a > 1: expected "," or ")", found >{QUOTES}',
    ]
    Path("suite.yaml").write_text("assertions:\n- rows > 1\n- missing(agee) > 3\n- psi(citi) < 1\n", "utf-8")
    ran = check("usual.parquet", "--suite", "suite.yaml", "--baseline", "baseline.json")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "driftgauge: suite.yaml:3: missing(agee) > 3: usual.parquet has no column agee; did you mean age?",
        "driftgauge: suite.yaml:4: psi(citi) < 1: the comparison has no column citi; did you mean city?",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--assert", "psi(age) < 1"], "psi(age) < 1: psi compares with a baseline: name it (--baseline PATH)"),
        (["--assert", "recall > 0"], "recall > 0: recall needs the truth: name its column (--label)"),
        (["--suite", "none.yaml"], "cannot read the suite none.yaml: No such file or directory"),
        (["--assert", "rows > 1", "--html", "x.html"], "--html writes the comparison with a baseline"),
        (["--assert", "rows > 1", "--sagemaker-out", "x"], "--sagemaker-out writes the comparison with a baseline"),
        (["--assert", "rows > 1", "--github", "sometimes"], "--github"),
        (["--assert", "rows.yaml"], "rows.yaml: expected one of <"),
    ],
)
def test_bad_usage_is_exit_code_2(check: Command, arguments: list[str], message: str) -> None:
    ran = check("usual.parquet", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_json_has_the_outcomes_and_the_comparison(check: Command) -> None:
    ran = check("usual.parquet", "--json", "--baseline", "baseline.json", *asserting("rows > 1", "ks(age) < 0.0001"))
    found = orjson.loads(ran.out)
    assert (ran.code, found["passed"], found["check"]["status"]) == (1, False, "normal")
    assert [one["passed"] for one in found["assertions"]] == [True, False]


def test_junit_and_html_are_written(check: Command) -> None:
    ran = check(
        *("usual.parquet", "--baseline", "baseline.json", "--junit", "j.xml", "--html", "r.html"),
        *asserting("rows > 1", "rows > 5000"),
    )
    assert ran.code == 1
    root = ElementTree.parse("j.xml").getroot()  # noqa: S314  # our own file
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    assert "<html" in Path("r.html").read_text("utf-8")
    ran = check("usual.parquet", "--junit", "none/j.xml", *asserting("rows > 1"))
    assert (ran.code, ran.err) == (3, "driftgauge: cannot write none/j.xml: No such file or directory\n")


def test_annotations_are_printed_in_workflows_of_github(check: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = asserting("rows > 5000")
    line = "::error title=rows > 5000::rows > 5000: it is 1000\n"
    assert check("usual.parquet", *failing).err == ""
    assert check("usual.parquet", "--github", "always", *failing).err == line
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert check("usual.parquet", *failing).err == line
    assert check("usual.parquet", "--json", *failing).err == line
    assert check("usual.parquet", "--github", "never", *failing).err == ""


def test_of_several_windows_the_failed_outcomes_are_shown(check: Command) -> None:
    parquet_of(days([40.0, 40.0, 60.0]), Path("days"))
    arguments = ("days.parquet", "--time", "at", "--every", "1d", *asserting("rows > 1", "mean(age) < 50"))
    ran = check(*arguments)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0].split() == ["window", "result", "assertion", "value"]
    assert lines[1].split()[:4] == ["2023-11-16", "FAILED", "mean(age)", "<"]
    assert lines[-1] == "1 of 6 outcomes failed: 2 assertions in 3 windows"
    assert len(check(*arguments, "--all").out.splitlines()) == 6 + 3
    ran = check("usual.parquet", "usual.parquet", *asserting("rows == 1000"))
    assert (ran.code, ran.out) == (0, "the assertion holds in 2 windows\n")


def test_performance_is_of_the_named_columns(check: Command) -> None:
    Path("answers.csv").write_text("y,p\nyes,yes\nno,yes\nyes,no\n", "utf-8")
    arguments = ("answers.csv", "--label", "y", "--prediction", "p", *asserting("precision == 0.5"))
    assert check(*arguments, "--positive", "yes").code == 0
    ran = check(*arguments)
    assert ran.code == 1
    assert "the classes are no, yes: name the positive one (--positive CLASS)" in ran.out


def test_mistakes_of_a_suite_and_what_does_not_fit_the_table_are_listed_at_once(check: Command) -> None:
    Path("suite.yaml").write_text(
        "label: truht\nassertions:\n  - rowz >= 1\n  - missing(agee) < 1\n  - assert: rows >= 1\n    sverity: warning\n"
    )
    ran = check("usual.parquet", "--suite", "suite.yaml", *asserting("psi(age) < 1", "accuracyy > 0.5"))
    assert (ran.code, ran.out) == (2, "")
    places = (
        "suite.yaml:3: rowz",
        "suite.yaml:6: ",
        "accuracyy > 0.5: ",
        "truht;",
        "suite.yaml:4: missing(agee)",
        "psi(age)",
    )
    for line, place in zip(ran.err.splitlines(), places, strict=True):
        assert place in line


def test_a_suite_of_mistakes_alone_lists_them(check: Command) -> None:
    ran = check("usual.parquet", *asserting("rowz >= 1", "mising(age) < 1"))
    assert (ran.code, len(ran.err.splitlines())) == (2, 2)


def test_a_table_that_cannot_be_read_hides_no_mistake(check: Command) -> None:
    ran = check("absent.parquet", *asserting("rowz >= 1", "rows >= 1"))
    assert ran.code == 2
    mistake, table = ran.err.splitlines()
    assert ("rowz" in mistake, "absent.parquet" in table) == (True, True)
