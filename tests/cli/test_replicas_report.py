"""The table of all models, from what a real Prometheus answered."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from driftgauge.cli.replicas_report import MOST_LINES, print_overview
from driftgauge.replicas.findings import Finding, findings
from rich.console import Console

from tests.replicas.recordings import SECOND, recorded, with_labels


def printed(name: str, width: int, *warnings: str) -> list[str]:
    found, text = recorded(name).overview(None, *warnings), io.StringIO()
    print_overview(found, findings(found), Console(file=text, width=width))
    return text.getvalue().splitlines()


def test_each_model_is_a_line_and_each_finding_another() -> None:
    head, old, new, _, state, *lines = printed("killed", 160)
    assert head.split()[:4] == ["model", "version", "servers", "workers"]
    assert old.split()[:4] == ["coin", "7", "1/2", "1"]
    assert new.split()[:4] == ["coin", "8", "1/1", "1"]
    assert state == "2 of 3 servers answer; something is wrong:"
    assert lines[0] == f"missing {SECOND}, which had coin, does not answer"
    assert lines[1].startswith("inconsistent coin: 2 versions answer at once")


@pytest.mark.parametrize(("width", "is_whole"), [(160, True), (120, False)])
def test_a_narrow_terminal_gets_the_columns_that_the_verdict_needs(width: int, is_whole: bool) -> None:
    head = printed("drift", width)[0]
    assert ("PSI 1h" in head) == ("workers" in head) == is_whole
    assert "worst column" in head
    assert "…" not in "".join(printed("drift", width))


def test_warnings_of_prometheus_are_printed() -> None:
    lines = printed("fine", 160, "a store is away")
    assert "nothing is known to be wrong, but a part of the answer is missing" in lines[-2]
    assert lines[-1] == "warning of Prometheus: a store is away"
    assert printed("fine", 160)[-1] == "3 of 3 servers answer; nothing is wrong"


def test_deployments_are_named_where_there_are_several() -> None:
    moved = recorded("drift")
    for query in moved.answers:
        moved = moved.changed(query, lambda own: with_labels(own, job="other"), instance=SECOND)
    found, text = moved.overview(), io.StringIO()
    print_overview(found, findings(found), Console(file=text, width=160))
    head, first, second, *_, last = text.getvalue().splitlines()
    assert [line.split()[0] for line in (head, first, second)] == ["job", "driftgauge", "other"]
    assert last.startswith("verdict coin 7 (other): drift is critical")


def test_many_findings_of_a_kind_are_cut_and_each_is_one_line_of_a_file() -> None:
    found, text = recorded("fine").overview(), io.StringIO()
    many = [
        Finding("verdict", "drift", ("driftgauge",), f"m{own}", "1", (), "x " * 200) for own in range(MOST_LINES + 7)
    ]
    print_overview(found, [*many, *findings(recorded("killed").overview())], Console(file=text, width=80))
    lines = text.getvalue().splitlines()
    assert sum(line.startswith("verdict m") for line in lines) == MOST_LINES
    assert "7 more of the kind drift: --json lists all" in lines


def test_rows_from_before_the_first_sample_have_no_known_time() -> None:
    fine = recorded("fine")
    quiet = replace(fine, answers={**fine.answers, "rows_before": fine.answers["rows"], "last_row_before": []})
    known = replace(quiet, answers={**quiet.answers, "info_before": quiet.answers["info_lately"]})
    new = replace(quiet, answers={**quiet.answers, "info_before": []})
    shown = []
    for own in (known, new):
        print_overview(own.overview(), [], Console(file=(text := io.StringIO()), width=160))
        shown.append("> 1h ago" in text.getvalue())
    assert shown == [True, False]
