from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.demo import story as demo
from driftgauge.demo.replay import Replay
from driftgauge.demo.story_report import print_beginning, print_story
from rich.console import Console


@pytest.fixture(scope="session")
def rows(flights: pd.DataFrame) -> pd.DataFrame:
    return demo.story_flights(flights)


def column(severity: str | None = None, psi: float | None = 0.0) -> dict[str, Any]:
    status = "drift_detected" if severity in demo.ALERTING else "normal"
    return {"status": status, "severity": severity, "reason": "it moved.", "windows": {"1000": {"psi": psi}}}


# ---------------------------------------------------------------- the replay


def test_the_hour_is_in_utc_from_the_deploy_to_its_repair_and_nothing_else_changes(rows: pd.DataFrame) -> None:
    sent = demo.with_fault(rows)
    broken = (rows["time"] >= demo.FAULT) & (rows["time"] < demo.REPAIR)
    assert (sent["hour"][broken] == (rows["hour"][broken] + 4) % 24).all()
    assert (sent["hour"][~broken] == rows["hour"][~broken]).all()
    assert sent["hour"].dtype == rows["hour"].dtype
    pd.testing.assert_frame_equal(sent.drop(columns="hour"), rows.drop(columns="hour"))


def test_the_phases_follow_one_another_and_cover_the_replay(rows: pd.DataFrame) -> None:
    found = demo.phases(rows)
    assert [phase.name for phase in found] == ["before", "hour in UTC", "repaired"]
    assert [phase.days for phase in found] == [26, 3, 9]
    assert [phase.start for phase in found] == [0, *(phase.end for phase in found[:-1])]
    assert found[-1].end == len(rows)
    assert rows["time"].iloc[found[1].start] >= demo.FAULT > rows["time"].iloc[found[1].start - 1]
    assert rows["time"].iloc[found[2].start] >= demo.REPAIR > rows["time"].iloc[found[2].start - 1]


@pytest.mark.parametrize(
    ("sent", "reached"),
    [(1, [("before", 1)]), (3_000, [("before", 3)]), (25_319, [("before", 26), ("hour in UTC", 1)])],
)
def test_a_shorter_replay_has_fewer_phases(rows: pd.DataFrame, sent: int, reached: list[tuple[str, int]]) -> None:
    found = demo.phases(rows.head(sent))
    assert [(phase.name, phase.days) for phase in found] == reached
    assert found[-1].end == sent


# ---------------------------------------------------------------- what happens


def test_only_warning_and_critical_are_alerts_and_each_is_noted_once() -> None:
    watch = demo.AlertWatch()
    severities: list[Mapping[str, str | None]] = [
        {"hour": None, "dest": "info"},
        {"hour": "warning", "dest": "info"},
        {"hour": "critical", "dest": None},
        {"hour": None, "dest": "warning"},
    ]
    for looks, found in enumerate(severities, start=1):
        watch.look({name: column(severity) for name, severity in found.items()}, 100 * looks)
    assert watch.changes == [
        demo.Change("hour", 200, alerting=True),
        demo.Change("hour", 400, alerting=False),
        demo.Change("dest", 400, alerting=True),
    ]
    early, late = demo.Phase("before", 0, 200, 1), demo.Phase("after", 200, 400, 1)
    assert [watch.between(early, alerting) for alerting in (True, False)] == [["hour"], []]
    assert [watch.between(late, alerting) for alerting in (True, False)] == [["dest"], ["hour"]]


def test_the_fixed_rule_looks_once_in_a_thousand_flights() -> None:
    rule = demo.FixedRule()
    looks: list[tuple[int, float | None, float | None]] = [
        (990, 9.0, 9.0), (1_010, 0.2, 0.19), (1_990, 9.0, 9.0), (2_000, 0.3, 0.21), (3_020, 0.1, None), (4_000, 0.5, 0),
    ]  # fmt: skip
    for rows, temp, dest in looks:
        rule.look({"temp": column(psi=temp), "dest": column(psi=dest)}, rows)
    assert rule.windows == [
        (1_010, {"temp"}), (2_000, {"temp", "dest"}), (3_020, frozenset()), (4_000, {"temp"})
    ]  # fmt: skip
    early, late = demo.Phase("before", 0, 2_000, 1), demo.Phase("after", 2_000, 4_000, 1)
    # temp begins twice and dest once: an alert lasts while the column stays above the limit
    assert (rule.alerts(early), rule.alerts(late)) == (2, 1)
    assert (len(rule.within(early)), len(rule.within(late))) == (2, 2)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "No alert"), (1, "1 alert"), (2, "2 alerts"), (1_200, "1,200 alerts")]
)
def test_a_number_is_said_with_its_noun(number: int, said: str) -> None:
    assert demo.counted(number, "alert") == said


# ---------------------------------------------------------------- what is told


class Telling:
    """A replay of statuses that a test gives."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.said: list[str] = []
        self.log = demo.StoryLog(rows, self.said.append)
        self.rows, self.seen = rows, Replay()

    def status(self, sent: int, severity: str | None) -> None:
        """Send flights until so many are sent, and read the status."""
        while self.seen.rows < sent:
            self.seen.rows = min(sent, self.seen.rows + 50)
            self.seen.at = self.rows["time"].iloc[self.seen.rows - 1]
            self.log.on_batch(self.seen)
        self.seen.status = {"features": {"hour": column(severity, psi=0.3)}, "prediction": column()}
        self.log.on_status(self.seen)


def test_the_story_tells_the_fault_its_alert_and_its_repair(rows: pd.DataFrame) -> None:
    telling = Telling(rows)
    _, broken, repaired = demo.phases(rows)
    for sent, severity in (
        (broken.start, None), (broken.start + 300, "critical"), (repaired.start, "critical"),
        (repaired.start + 4_000, None), (len(rows), None),
    ):  # fmt: skip
        telling.status(sent, severity)
    deploy, alert, repair, resolved = telling.said
    assert deploy.startswith("27 Aug 15:00  No alert in 26 days. Now a deploy ")
    assert alert == "27 Aug 19:35  300 flights later: drift_detected, severity critical. it moved."
    assert repair.startswith("30 Aug 15:00  ")
    assert resolved == " 4 Sep 10:15  4,000 flights later: hour is normal again."


def test_an_alert_before_the_fault_is_not_kept_quiet(rows: pd.DataFrame) -> None:
    telling = Telling(rows)
    telling.status(10_000, "warning")
    telling.status(25_400, "warning")
    early, deploy = telling.said
    assert early.endswith("  drift_detected, severity warning. it moved.")
    assert "  1 alert in 26 days. Now a deploy " in deploy


def _printed(telling: Telling) -> str:
    """Return the report with scores that the right hour would make perfect."""
    late = telling.rows["late"].iloc[: telling.seen.rows]
    right = np.asarray(late == "late", dtype=np.float64)
    telling.seen.scores = np.linspace(0, 1, telling.seen.rows).tolist()
    out = io.StringIO()
    print_story(Console(file=out, width=160), telling.log, telling.seen, late, right)
    return out.getvalue()


def test_the_table_has_a_line_for_each_phase(rows: pd.DataFrame) -> None:
    telling = Telling(rows)
    _, broken, repaired = demo.phases(rows)
    for sent, severity in ((broken.start + 300, "critical"), (repaired.start + 900, None), (len(rows), None)):
        telling.status(sent, severity)
    out = _printed(telling)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "phase flights AUC Driftgauge PSI ≥ 0.2 on 1,000 flights" in lines
    before, during, after = (next(line for line in lines if line.startswith(f"{phase}, ")) for phase in (
        "before", "hour in UTC", "repaired"
    ))  # fmt: skip
    assert before.startswith("before, 26 days 25,318 0.")
    assert before.endswith(" no alert no alert")
    assert during.endswith(" alert: hour 1 alert")
    assert after.endswith(" resolved: hour no alert")
    assert "With the right hour, the flights of the fault have 1.00." in out


def test_a_replay_that_ends_before_the_fault_says_so(rows: pd.DataFrame) -> None:
    part = rows.head(3_000)
    telling = Telling(part)
    for sent in (1_000, 2_000, 3_000):
        telling.status(sent, None)
    out = _printed(telling)
    assert telling.said == []
    assert "before, 3 days" in out
    assert "The replay ended before the deploy of 27 August: leave out --rows to see it." in out
    assert "exceeded in 3 of 3 windows, by 1.0 columns on average" in out
    assert "right hour" not in out


def test_the_beginning_says_model_and_replay() -> None:
    out = io.StringIO()
    print_beginning(Console(file=out, width=200), "April to June", "July", 0.7496, 36_410)
    words = " ".join(out.getvalue().split())
    assert "It learned from April to June 2013. Its AUC in July, held out, is 0.75." in words
    assert "36,410 flights from 1 August on" in words
