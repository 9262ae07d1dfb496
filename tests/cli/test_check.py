from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import driftgauge
import numpy as np
import orjson
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import CheckReport, WindowVerdict
from driftgauge.checks.report_json import as_bytes
from driftgauge.cli import main as cli
from driftgauge.cli.check_report import show
from driftgauge.cli.console import WIDTH
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import create_baseline
from rich.console import Console

from tests.checks.test_check import csv_of, days, frame_of, parquet_of, usual_frame
from tests.e2e.processes import COMMAND
from tests.examples import Example
from tests.html_pages import Tree
from tests.monitors import START, small_baseline


class Result:
    """What a run of the command left."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def refuses(self, *parts: str) -> bool:
        """Whether it failed as an expected error does: code 2, and one line that has all of these."""
        assert self.code == 2, self.err
        assert self.out == ""
        (line,) = self.err.strip().splitlines()
        assert line.startswith("driftgauge: ")
        return all(part in line for part in parts)


Command = Callable[..., Result]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run `driftgauge check` with the small baseline, as its entry point does."""
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()), encoding="utf-8")

    def run(*arguments: object, baseline: Path | None = tmp_path / "baseline.json") -> Result:
        named = [] if baseline is None else ["--baseline", str(baseline)]
        monkeypatch.setattr(sys, "argv", ["driftgauge", "check", *map(str, arguments), *named])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Result(left.value.code or 0, *capfd.readouterr())

    return run


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    """A table that looks like the reference."""
    return parquet_of(usual_frame(1_000), tmp_path / "usual")


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A table of people ten years older."""
    return csv_of(usual_frame(1_000, age=50.0), tmp_path / "moved")


# ---------------------------------------------------------------- exit codes


def test_nothing_moved_is_0(check: Command, usual: Path) -> None:
    result = check(usual)
    assert (result.code, result.err) == (0, "")
    assert "verdict  normal" in result.out


def test_too_few_rows_are_0(check: Command, tmp_path: Path) -> None:
    result = check(csv_of(usual_frame(150), tmp_path / "few"))
    assert result.code == 0
    assert "insufficient_data" in result.out
    assert "not enough data: 150 of 200 rows" in result.out
    assert "not enough data for 4 columns: age, flag, city, prediction" in result.out
    assert {words[1] for words in lines(check(tmp_path / "few.csv", "--stats").out) if words[:1] == ["city"]} == {
        "insufficient_data"
    }


def test_what_is_significant_but_not_known_to_be_large_is_0(check: Command, moved: Path, tmp_path: Path) -> None:
    result = check(csv_of(usual_frame(300, age=90.0), tmp_path / "few"))
    assert (result.code, result.err) == (0, "")
    assert "verdict  warning" in result.out
    assert "Significant; size not known yet (300 of 500 rows)." in " ".join(result.out.split())
    small = check(moved, "--psi-threshold-warning", 5, "--psi-threshold-critical", 5)
    assert (small.code, small.err) == (0, "")
    assert "verdict  normal (info)" in small.out
    assert "Significant; small (PSI " in " ".join(small.out.split())


def test_what_is_large_but_may_be_chance_is_0(check: Command, tmp_path: Path) -> None:
    table = csv_of(usual_frame(1_000, age=45.0), tmp_path / "moved")
    assert check(table).code == 1
    result = check(table, "--tolerance", 1)
    assert (result.code, result.err) == (0, "")
    assert "verdict  normal" in result.out
    assert "large but not significant (PSI " in " ".join(result.out.split())


def test_the_budget_for_false_alarms_is_the_one_given(check: Command, moved: Path) -> None:
    found = report_of(check(moved, "--false-alarm-rows", "1e9", "--tolerance", 0.3, "--json").out)
    assert found["evidence"] == {
        "threshold_log10": pytest.approx(np.log10(4e9)),
        "false_alarm_rows": 1e9,
        "columns": 4,
        "tolerance": 0.3,
    }
    usual = report_of(check(moved, "--json").out)["evidence"]
    assert isinstance(usual, dict)
    assert (usual["false_alarm_rows"], usual["tolerance"]) == (1e6, 0.02)
    for option, value in (("--false-alarm-rows", 999), ("--tolerance", -0.1), ("--tolerance", 1.1)):
        wrong = check(moved, option, value)
        assert wrong.code == 2
        assert option in wrong.err


# ---------------------------------------------------------------- the settings of a server


@pytest.fixture
def config(check: Command, tmp_path: Path) -> Path:
    """A settings file of three models with one baseline, of which two have settings of their own."""
    file = tmp_path / "driftgauge.toml"
    tables = """
        [models.usual]
        baseline = "{baseline}"
        [models.lenient]
        baseline = "{baseline}"
        psi_threshold_warning = 8
        psi_threshold_critical = 9
        evidence_tolerance_ratio = 0.3
        [models.blind]
        baseline = "{baseline}"
        [models.blind.features.age]
        monitor = false
        [models.silent]
        baseline = "{baseline}"
        [models.silent.features.age]
        alert = false
        tolerance = 0.1
    """
    file.write_text(tables.format(baseline=tmp_path / "baseline.json"), encoding="utf-8")
    return file


def test_the_settings_of_a_model_give_its_baseline_thresholds_and_columns(
    check: Command, config: Path, moved: Path
) -> None:
    def found(name: str, *options: object) -> tuple[Result, dict[str, Any]]:
        result = check(moved, "--config", config, "--model", name, "--json", *options, baseline=None)
        return result, report_of(result.out)

    assert found("usual")[0].code == 1
    result, lenient = found("lenient")
    assert (result.code, lenient["severity"]) == (0, "info")
    assert lenient["evidence"]["tolerance"] == 0.3
    assert found("lenient", "--psi-threshold-warning", 0.1)[0].code == 1, "the command line wins"
    result, blind = found("blind")
    assert result.code == 0
    assert "age" not in blind["features"]
    result, silent = found("silent")
    assert (result.code, silent["severity"]) == (1, "info")


def test_of_several_models_in_the_settings_one_is_named(
    check: Command, config: Path, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = check(moved, "--config", config, baseline=None)
    assert several.refuses("several models", "--model NAME", "usual, lenient, blind, silent")
    unknown = check(moved, "--config", config, "--model", "lenent", baseline=None)
    assert unknown.refuses("no model lenent", "did you mean lenient?")
    assert check(moved, "--config", config).refuses("--model NAME", "usual, lenient")
    assert check(moved, baseline=None).refuses("no model to compare with", "--baseline", "--config FILE")
    monkeypatch.setenv("DRIFTGAUGE_CONFIG", str(config))
    assert check(moved, "--model", "lenient", baseline=None).code == 0
    assert check(moved, "--model", "lenient").code == 0, "with a baseline of its own"
    assert check(moved).code == 1, "a baseline alone takes no settings"


def test_settings_without_a_model_hold_for_the_baseline(check: Command, moved: Path, tmp_path: Path) -> None:
    file = tmp_path / "thresholds.toml"
    file.write_text("psi_threshold_warning = 8\npsi_threshold_critical = 9\n", encoding="utf-8")
    assert check(moved, "--config", file).code == 0
    file.write_text("[features.agee]\nalert = false\n", encoding="utf-8")
    assert check(moved, "--config", file).refuses("features", "agee", "did you mean age?")


def test_the_only_bundle_of_the_settings_needs_no_name(check: Command, binary: Example, tmp_path: Path) -> None:
    table = parquet_of(binary.held_out, tmp_path / "held")
    file = tmp_path / "served.toml"
    file.write_text(f'bundle = "{binary.folder}"\n', encoding="utf-8")
    result = check(table, "--config", file, baseline=None)
    assert (result.code, "predicted by the bundle's model" in result.err) == (0, True)
    assert check(table, "--config", file, "--model", "binary", baseline=None).code == 0


def test_drift_is_1_in_whichever_period(check: Command, usual: Path, moved: Path, tmp_path: Path) -> None:
    assert check(moved).code == 1
    assert check(usual, moved, usual).code == 1
    assert check(usual, usual).code == 0
    history = csv_of(days([40.0, 50.0, 40.0]), tmp_path / "history")
    assert check(history, "--time", "at", "--every", "1d").code == 1


def test_thresholds_decide(check: Command, moved: Path) -> None:
    assert check(moved, "--psi-threshold-warning", 5, "--psi-threshold-critical", 5).code == 0
    assert "(warning)" in check(moved, "--psi-threshold-critical", 5).out


def test_bad_input_is_2_and_one_line(check: Command, usual: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.csv"
    assert check(absent).refuses("absent.csv")
    assert check(usual, tmp_path / "t.xlsx").refuses("t.xlsx", ".csv, .parquet, .jsonl")
    assert check(usual, baseline=absent).refuses("absent.csv")
    assert check(usual, baseline=usual).refuses("usual.parquet")
    assert check(usual, "--every", "1d").refuses("--time")
    assert check(usual, "--time", "at", "--every", "day").refuses("--every", "'day'", "1h")
    assert check(usual, "--time", "at", "--every", "1d").refuses("no column at")
    assert check(usual, "--ignore", "old").refuses("no column old")
    assert check(usual, "--psi-threshold-warning", 0).refuses("--psi-threshold-warning")
    assert check(usual, "--psi-threshold-warning", 0.3).refuses("--psi-threshold-critical")
    bad = csv_of(usual_frame(20).assign(age="old"), tmp_path / "bad")
    assert check(usual, bad).refuses("bad.csv", "age", "'old'")
    bad.write_bytes(b"age,flag,city,prediction\n1,0,north\n")
    assert check(bad).refuses("bad.csv")


def test_no_table_is_a_mistake(check: Command) -> None:
    assert check().code == 2


# ---------------------------------------------------------------- what is compared


def test_absent_scores_are_mentioned_and_ignored_ones_are_not(check: Command, tmp_path: Path) -> None:
    table = csv_of(usual_frame(600).drop(columns="prediction"), tmp_path / "t")
    result = check(table, "--json")
    assert (result.code, result.err) == (0, "not compared, because the table lacks it: prediction\n")
    assert "prediction" not in orjson.loads(result.out)
    assert check(table, "--ignore", "prediction").err == ""


def test_columns_are_left_out_on_purpose(check: Command, moved: Path) -> None:
    result = check(moved, "--ignore", "age, flag", "--json")
    assert result.code == 0
    assert list(orjson.loads(result.out)["features"]) == ["city"]


def test_a_bundle_s_folder_stands_for_its_baseline(check: Command, usual: Path, tmp_path: Path) -> None:
    assert check(usual, baseline=tmp_path).code == 0


# ---------------------------------------------------------------- for machines


def report_of(text: str) -> dict[str, Any]:
    found = orjson.loads(text)
    assert isinstance(found, dict)
    return found


def judged(*tables: Path, **options: object) -> CheckReport:
    return Check(small_baseline(), tables, CheckOptions(**options)).report(START)  # type: ignore[arg-type]


def test_the_json_of_a_table_is_the_report(check: Command, moved: Path) -> None:
    result = report_of(check(moved, "--json").out)
    expected = report_of(as_bytes(judged(moved)).decode())
    assert datetime.fromisoformat(str(result["evaluated_at"])).timestamp() > START
    changing = {"evaluated_at", "features", "reason"}  # they hold the time of the run
    assert {k: v for k, v in result.items() if k not in changing} == {
        k: v for k, v in expected.items() if k not in changing
    }
    assert (result["window"], result["tables"]) == ("table", [str(moved)])
    assert result["drifting_since"] == {"age": "table"}
    assert result["drifted_features"] == ["age"]


def test_the_json_is_what_the_call_from_python_gives(check: Command, tmp_path: Path) -> None:
    frame = days([40.0, 50.0, 50.0])
    table = parquet_of(frame, tmp_path / "t")
    for arguments, options in (
        (("--time", "at"), CheckOptions(time="at")),
        (("--time", "at", "--every", "1d"), CheckOptions(time="at", every="1d")),
        (("--time", "at", "--ignore", "age"), CheckOptions(time="at", ignore=("age",))),
    ):
        printed = report_of(check(table, *arguments, "--json").out)
        assert driftgauge.check(tmp_path / "baseline.json", table, options).to_dict() == printed
        in_memory = driftgauge.check(small_baseline(), frame, options).to_dict()
        for one in [printed, *printed.get("periods", [])]:
            one.update({"tables": []} if "tables" in one else {})
        assert in_memory == printed


def test_the_page_of_a_table_is_one_file_that_says_what_moved(check: Command, moved: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert check(moved, "--html", out).code == 1
    text = out.read_text(encoding="utf-8")
    tree = Tree(text)
    (verdict,) = judged(moved).windows
    assert verdict.report.reason in tree.words
    assert moved.name in tree.words
    assert "Windows of this check" not in tree.words
    assert "<script" not in text
    assert all(target.startswith("#") for target in tree.targets())


def test_the_page_of_a_history_shows_the_worst_window_and_lists_all(
    check: Command, usual: Path, moved: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    assert check(usual, moved, "--html", out).code == 1
    words = Tree(out.read_text(encoding="utf-8")).words
    listed = words[words.index("Windows of this check") :]
    assert listed.index(usual.stem) < listed.index(moved.stem) < listed.index("shown here")


def test_a_page_that_cannot_be_written_is_3(check: Command, usual: Path, tmp_path: Path) -> None:
    result = check(usual, "--html", tmp_path / "nowhere" / "report.html")
    assert result.code == 3
    assert "cannot write" in result.err
    assert "nowhere/report.html: No such file" in " ".join(result.err.split())


def test_the_json_of_a_history_is_a_list_of_reports(check: Command, tmp_path: Path) -> None:
    table = parquet_of(days([40.0, 50.0, 50.0]), tmp_path / "history")
    result = check(table, "--time", "at", "--every", "1d", "--json")
    expected = as_bytes(judged(table, time="at", every="1d"))
    assert result.out.encode() == expected + b"\n"
    periods = orjson.loads(result.out)["periods"]
    assert [period["window"] for period in periods] == ["2023-11-14", "2023-11-15", "2023-11-16"]
    assert [period["drifting_since"] for period in periods] == [{}, {"age": "2023-11-15"}, {"age": "2023-11-15"}]


def test_a_change_of_unknown_size_says_since_when_as_its_reason_does(check: Command, tmp_path: Path) -> None:
    table = parquet_of(days([50.0, 50.0], rows=300), tmp_path / "history")
    for options in ((), ("--stats",)):
        words = check(table, "--time", "at", "--every", "1d", *options).out
        (line,) = [line for line in words.splitlines() if line.split()[:2] == ["age", "warning"]]
        assert line.rstrip().endswith("2023-11-14")
        assert "Since 2023-11-14" in " ".join(words.split())


def test_one_period_is_a_history_too(check: Command, tmp_path: Path) -> None:
    table = parquet_of(days([40.0]), tmp_path / "t")
    assert list(report_of(check(table, "--time", "at", "--every", "1d", "--json").out)) == ["periods"]
    assert "window" in report_of(check(table, "--time", "at", "--json").out)


def test_what_is_not_known_is_null_and_the_hash_is_the_file_s(check: Command, usual: Path, tmp_path: Path) -> None:
    found = orjson.loads(check(usual, "--ignore", "age", "--json").out)
    assert found["features"]["city"]["ks_statistic"] is None
    assert found["baseline"]["hash"] == read_baseline(tmp_path / "baseline.json").hash


# ---------------------------------------------------------------- for people


def lines(text: str) -> Iterator[list[str]]:
    return (line.split() for line in text.splitlines())


def test_what_moved_is_printed_worst_first_and_the_rest_summarised(check: Command, tmp_path: Path) -> None:
    frame = usual_frame(1_000, age=50.0)
    frame["city"] = np.where(np.arange(1_000) < 200, "north", frame["city"])
    table = csv_of(frame, tmp_path / "moved")
    result = check(table)
    report = judged(table).worst.report
    rows = result.out.splitlines()
    head = next(i for i, line in enumerate(rows) if line.startswith("column"))
    assert rows[head].split() == ["column", "verdict", "what", "moved"]
    changed = [report.verdicts[i] for i in report.worst_first if report.verdicts[i].severity]
    assert [verdict.name for verdict in changed] == ["age", "city"]
    for verdict, line in zip(changed, rows[head + 1 :], strict=False):
        assert verdict.finding is not None
        assert verdict.severity is not None
        assert verdict.finding.moved
        assert line.rstrip().split(maxsplit=2) == [verdict.name, verdict.severity, verdict.finding.moved]
    assert rows[head + 3 : head + 5] == ["", "no significant change in 2 columns: flag, prediction"]
    assert "correlation" not in result.out
    assert "PSI" not in "".join(rows[head:])
    assert rows[-1] == "--stats prints the statistics of each column, --json everything."


def test_without_a_change_there_is_no_table(check: Command, usual: Path) -> None:
    result = check(usual)
    assert "what moved" not in result.out
    assert "no significant change in 4 columns: " in result.out


def test_a_large_change_that_may_be_chance_has_its_own_line(check: Command, tmp_path: Path) -> None:
    table = csv_of(usual_frame(1_000, age=45.0), tmp_path / "moved")
    result = check(table, "--tolerance", 1)
    assert any(line.startswith("age: large but not significant (PSI ") for line in result.out.splitlines())
    assert "no significant change in 3 columns: " in result.out


def test_many_quiet_columns_are_one_line(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(40)]
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.normal(size=(rows, 40)), columns=names) for rows in (5_000, 1_000)]
    baseline = create_baseline(parquet_of(frames[0], tmp_path / "reference"))
    found = Check(baseline, [parquet_of(frames[1], tmp_path / "t")]).report(START)
    console = Console(width=80, markup=False, file=StringIO(), record=True)
    show(found, console)
    text = console.export_text()
    assert re.search(r"no significant change in 40 columns: (c\d+, ){7}c\d+ and 32 more", " ".join(text.split()))
    assert len(text.splitlines()) < 16


@pytest.mark.parametrize("width", [120, 80, 45])
def test_no_name_or_clause_is_cut_in_a_narrow_terminal(width: int, moved: Path) -> None:
    console = Console(width=width, markup=False, file=StringIO(), record=True)
    found = judged(moved)
    for is_history in (False, True):
        show(replace(found, is_history=is_history), console)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    finding = found.worst.report.verdicts[0].finding
    assert finding is not None
    assert finding.moved in " ".join(text.split()) or width == 45


def test_a_history_says_what_moved_in_each_window(check: Command, usual: Path, moved: Path, tmp_path: Path) -> None:
    worse = csv_of(usual_frame(1_000, age=80.0), tmp_path / "worse")
    result = check(usual, moved, worse, moved)
    rows = [line.rstrip().split(maxsplit=3) for line in result.out.splitlines()]
    found = judged(usual, moved, worse, moved).windows
    findings = [verdict.report.verdicts[0].finding for verdict in found]
    assert rows[0] == ["window", "rows", "verdict", "what moved"]
    assert rows[1] == ["usual", "1,000", "normal", "-"]
    for row, name, finding in zip(rows[2:5], ("moved", "worse", "moved-2"), findings[1:], strict=True):
        assert finding is not None
        assert row == [name, "1,000", "critical", f"age: {finding.moved}"]
    assert result.out.count("verdict  drift_detected (critical)") == 1
    (age,) = [line.split() for line in result.out.splitlines() if line.startswith("age ")]
    assert (age[1], age[-1]) == ("critical", "moved")
    assert check(usual, usual).out.count("usual-2") == 2
    assert check(usual, moved, worse, "--all").out.count("what moved") == 3


def test_the_statistics_of_columns_are_printed_worst_first(check: Command, moved: Path) -> None:
    result = check(moved, "--stats")
    found = judged(moved).worst
    main = found.report.main
    rows = list(lines(result.out))
    head = next(i for i, words in enumerate(rows) if words[:1] == ["column"])
    numbers = ["PSI", "limit", "p-value", "KS", "W", "JS", "shift", "missing", "unseen"]
    assert rows[head] == ["column", "status", "severity", "evidence", *numbers]
    assert rows[head + 1] == [
        "age",
        "drift_detected",
        "critical",
        f"{found.report.evidence.log10[0]:.1f}",
        f"{main.psi.debiased[0]:.3f}",
        "0.100",
        f"{main.significance.p_value[0]:.2g}",
        f"{main.sample.ks_statistic[0]:.3f}",
        f"{main.sample.wasserstein_ratio[0]:.3f}",
        f"{main.js_distance[0]:.3f}",
        f"{main.sample.mean_shift[0]:+.2f}",
        "2.0%",
        f"{main.shares.out_of_range[0]:.1%}",
    ]
    (city,) = [words for words in rows[head:] if words[:1] == ["city"]]
    assert [city[place] for place in (7, 8, 10)] == ["-", "-", "-"]
    assert "correlation, largest change of 3 pairs" in result.out


def test_everything_fits_where_the_output_is_no_terminal(
    check: Command, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    result = check(moved, moved, "--stats")
    table = [line for line in result.out.splitlines() if not line.startswith("correlation")]
    assert max(map(len, table)) <= WIDTH
    assert "…" not in result.out


@pytest.mark.parametrize("width", [120, 78, 60, 45])
def test_no_name_status_or_number_is_cut_in_a_narrow_terminal(width: int, moved: Path) -> None:
    console = Console(width=width, markup=False, file=StringIO(), record=True)
    show(judged(moved), console, statistics=True)
    text = console.export_text()
    (head,) = [words for words in lines(text) if words[:1] == ["column"]]
    (age,) = [words for words in lines(text) if words[:2] == ["age", "drift_detected"]]
    assert "…" not in text
    assert head[:3] == ["column", "status", "severity"]
    assert len(age) == len(head)
    assert ("p-value" in head, "missing" in head, "PSI" in head) == (width >= 120, width >= 78, width >= 60)
    assert ("A wider terminal shows more statistics, --json all of them." in " ".join(text.split())) == (width < 120)


def test_the_legend_names_the_evidence_that_is_significant(check: Command, moved: Path) -> None:
    found = judged(moved).worst
    expected = (
        f"evidence: log10; significant at {found.report.evidence.threshold_log10:.1f} and above. PSI: noise-corrected; "
    )
    assert expected in check(moved, "--stats").out


def test_a_history_of_statistics_has_a_line_for_each_window_and_the_columns_of_the_worst(
    check: Command, usual: Path, moved: Path, tmp_path: Path
) -> None:
    worse = csv_of(usual_frame(1_000, age=80.0), tmp_path / "worse")
    result = check(usual, moved, worse, moved, "--stats")
    rows = list(lines(result.out))
    assert [words[:5] for words in rows[1:5]] == [
        ["usual", "1,000", "normal", "-", rows[1][4]],
        ["moved", "1,000", "drift_detected", "critical", "age"],
        ["worse", "1,000", "drift_detected", "critical", "age"],
        ["moved-2", "1,000", "drift_detected", "critical", "age"],
    ]
    assert [words[-1] for words in rows[1:5]] == ["-", "age", "age", "age"]
    assert ["window", "worse"] in rows
    assert result.out.count("verdict") == 1
    (age,) = [words for words in rows if words[:2] == ["age", "drift_detected"]]
    assert age[-1] == "moved"
    assert check(usual, usual, "--stats").out.count("usual-2") == 2
    assert check(usual, moved, worse, "--stats", "--all").out.count("verdict") == 3


def test_a_sample_is_said_in_words(tmp_path: Path) -> None:
    table = csv_of(usual_frame(1_000).assign(at=START + np.arange(1_000)), tmp_path / "t")
    console = Console(width=WIDTH, record=True, markup=False, file=StringIO())
    show(judged(table, time="at", held_rows=700), console)
    text = " ".join(console.export_text().split())
    assert "1,000; KS, W, shift and correlation are of a random sample of 700, the rest of all rows" in text
    assert "times 2023-11-14T22:13:20Z to 2023-11-14T22:29:59Z" in text


def test_awkward_names_are_printed_as_they_are(check: Command, tmp_path: Path) -> None:
    table = csv_of(frame_of(np.full((600, 4), 1.0)), tmp_path / "[bold]t")
    assert "[bold]t.csv" in check(table).out


@pytest.mark.long
@pytest.mark.e2e
def test_the_installed_command_exits_with_the_verdict(check: Command, usual: Path, moved: Path, tmp_path: Path) -> None:
    for table, code in ((usual, 0), (moved, 1), (tmp_path / "absent.csv", 2)):
        given = ["check", str(table), "--baseline", str(tmp_path / "baseline.json"), "--json"]
        done = subprocess.run([*COMMAND, *given], capture_output=True, timeout=60)
        assert done.returncode == code
        assert (orjson.loads(done.stdout)["window"] == "table") if code < 2 else done.stdout == b""
        assert (done.stderr == b"") == (code < 2)  # no progress bar where nobody watches


@pytest.mark.parametrize("as_json", [True, False])
def test_a_report_that_cannot_be_written_is_neither_drift_nor_bad_input(
    as_json: bool, usual: Path, tmp_path: Path
) -> None:
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()), encoding="utf-8")
    given = ["check", str(usual), "--baseline", str(tmp_path / "baseline.json"), *(["--json"] if as_json else [])]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, *given], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 3
    assert b"cannot write the report" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_interruption_is_not_drift(check: Command, usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Iterator[WindowVerdict]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Check, "windows", interrupted)
    assert check(usual).code == 130


def test_a_failure_of_the_program_is_not_drift(check: Command, usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> Iterator[WindowVerdict]:
        raise ZeroDivisionError("a mistake of ours")
        yield

    monkeypatch.setattr(Check, "windows", failing)
    found = check(usual)
    assert found.code == 3
    assert "a mistake of ours" in found.err


def test_a_name_of_a_column_that_is_not_utf_8_is_bad_input(check: Command, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes("âge,flag\n1,0\n".encode("latin-1"))
    assert check(table).refuses(str(table))


# ---------------------------------------------------------------- with a bundle's model


def test_a_bundle_s_model_gives_the_scores_that_a_table_lacks(check: Command, binary: Example, tmp_path: Path) -> None:
    table = csv_of(binary.evaluation, tmp_path / "t")
    result = check(table, baseline=binary.folder)
    assert result.err == "predicted by the bundle's model, because the table lacks it: prediction\n"
    made = binary.bundle.info.performance
    assert made is not None
    measured = f"accuracy {made.metrics['accuracy']:.4g}"
    words = " ".join(result.out.split())
    assert f"performance {measured}" in words
    assert f"on {len(binary.evaluation)} rows with a known target when made {measured}" in words
    assert "held-out rows" in words
    told = orjson.loads(check(table, "--json", baseline=binary.folder).out)
    assert told["performance"]["metrics"] == pytest.approx(made.metrics)
    assert "prediction" in told


def test_without_the_model_the_scores_are_left_out(check: Command, binary: Example, tmp_path: Path) -> None:
    table = csv_of(binary.evaluation, tmp_path / "t")
    result = check(table, "--no-predict", "--json", baseline=binary.folder)
    assert result.err == "not compared, because the table lacks it: prediction\n"
    told = orjson.loads(result.out)
    assert "prediction" not in told
    assert told["performance"] is None


def test_a_model_that_cannot_be_loaded_is_left_out_and_named(check: Command, binary: Example, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(binary.folder, folder)
    (folder / "model.skops").write_bytes(b"PK")
    table = csv_of(binary.evaluation, tmp_path / "t")
    result = check(table, "--json", baseline=folder)
    assert result.code == check(table, "--no-predict", baseline=binary.folder).code
    assert "not compared, because the table lacks it: prediction" in result.err
    assert "the bundle's model is not used: " in result.err
    assert "model.skops" in result.err
    (folder / "bundle.json").write_text("{}")
    assert check(table, baseline=folder).refuses("bundle.json")


def test_rows_without_a_score_are_told(check: Command, binary: Example, tmp_path: Path) -> None:
    frame = binary.evaluation.copy()
    frame.loc[[1, 2], "mean area"] = np.nan
    assert "2 rows that the model cannot answer" in check(csv_of(frame, tmp_path / "t"), baseline=binary.folder).out


# ---------------------------------------------------------------- whatever the terminal


def said_in(encoding: str, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[object, str, str]:
    """Run the command with standard streams of an encoding; its exit code, and what it wrote to each."""
    streams = [TextIOWrapper(BytesIO(), encoding=encoding) for _ in range(2)]
    with monkeypatch.context() as patched:
        patched.setattr(sys, "argv", ["driftgauge", *map(str, arguments)])
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            patched.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as left:
            cli.main()
    out, err = (_written(stream).decode(encoding) for stream in streams)
    return left.value.code or 0, out, err


def _written(stream: TextIOWrapper) -> bytes:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, BytesIO)
    return raw.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_exit_code_is_the_verdict_s_where_a_terminal_lacks_characters(
    encoding: str, check: Command, usual: Path, moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = csv_of(usual_frame(1_000, age=50.0), tmp_path / "größe→")
    for table, code in ((usual, 0), (moved, 1), (named, 1), (tmp_path / "größe.csv", 2)):
        given = ["check", str(table), "--baseline", str(tmp_path / "baseline.json")]
        found, out, err = said_in(encoding, monkeypatch, *given)
        assert found == code, err
        assert "Traceback" not in out + err
        assert (out if code < 2 else err).strip()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_characters_is_told_the_verdict_by_the_installed_command(
    encoding: str, check: Command, tmp_path: Path
) -> None:
    named = csv_of(usual_frame(1_000, age=50.0), tmp_path / "größe→")
    given = ["check", str(named), "--baseline", str(tmp_path / "baseline.json")]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([*COMMAND, *given], capture_output=True, timeout=60, env=env)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.decode(encoding).strip()


@pytest.mark.parametrize("command", [["--help"], ["check", "--help"], ["demo", "--help"], ["state", "--help"]])
def test_help_is_printed_where_a_terminal_lacks_characters(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = said_in("ascii", monkeypatch, *command)
    assert (code, err) == (0, "")
    assert "Usage" in out


def test_a_path_that_is_not_utf_8_is_told_as_far_as_it_can_be(check: Command, usual: Path, tmp_path: Path) -> None:
    table = tmp_path / os.fsdecode(b"caf\xe9.parquet")
    shutil.copy(usual, table)
    result = check(table, "--json")
    assert result.code == 0
    assert orjson.loads(result.out)["tables"][0].endswith("caf\ufffd.parquet")
    assert check(table).code == 0


# ---------------------------------------------------------------- names of columns


def test_a_name_with_a_comma_can_be_left_out(check: Command, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"Size, cm": generator.normal(size=600), "x": generator.normal(size=600), "y": 1.0})
    (tmp_path / "own.json").write_text(dumps(create_baseline(frame)), encoding="utf-8")
    table = csv_of(frame, tmp_path / "t")
    for ignored in (["--ignore", "Size, cm", "--ignore", "y"], ["--ignore", "Size, cm", "--ignore", " y, "]):
        found = orjson.loads(check(table, *ignored, "--json", baseline=tmp_path / "own.json").out)
        assert list(found["features"]) == ["x"]
    unknown = check(table, "--ignore", "Size, mm", baseline=tmp_path / "own.json")
    assert unknown.refuses('--ignore: there is no column Size; the columns are "Size, cm", x, y')


def test_violated_constraints_are_printed_and_fail_the_check(check: Command, tmp_path: Path) -> None:
    reference = usual_frame(10_000, 3)[["age"]]
    (tmp_path / "baseline.json").write_text(dumps(create_baseline(reference)))
    frame = usual_frame(4_000, 4)[["age"]]
    frame.loc[5:29, "age"] = 300.0
    table = csv_of(frame, tmp_path / "table")
    assert check(table).code == 0
    own_rules = "thresholds: {warning: 0.001}\ncolumns: {age: {type: fractional, maximum: 200}}\n"
    (tmp_path / "constraints.yaml").write_text(own_rules)
    found = check(table)
    assert found.code == 1
    assert re.search(r"constraints +1 of 1 constraints violated", found.out)
    assert "25 of the 4,000 rows are above 200. Examples: 300 (row 6)" in found.out
    assert check(table, "--no-constraints").code == 0
    page, own = tmp_path / "report.html", tmp_path / "own.yaml"
    (tmp_path / "constraints.yaml").rename(own)
    assert check(table, "--constraints", own, "--html", page).code == 1
    assert "Data quality" in page.read_text("utf-8")
