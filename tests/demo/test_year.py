from __future__ import annotations

import io
import re
from typing import Any

import pandas as pd
from driftgauge.demo import year as demo
from driftgauge.demo.replay import Replay
from driftgauge.drift.verdict.rule import RANK
from rich.console import Console


def test_the_long_view_begins_after_the_held_out_month(flights: pd.DataFrame) -> None:
    sent = demo.year_flights(flights)
    assert set(sent["month"]) == set(range(5, 13))
    assert sent["time"].is_monotonic_increasing


def test_the_verdicts_of_every_month_are_shown_with_what_they_rest_on() -> None:
    window = {"psi_debiased": 0.3, "psi_threshold": {"warning": 0.2, "critical": 0.4}, "psi_expected_max": 0.15}
    timed = {"psi_debiased": 9.0, "psi_threshold": None, "psi_expected_max": None}
    temp = {"evidence_log10": 8.12, "tau": 633.4, "windows": {"1000": window, "1h": timed}}
    score = {"evidence_log10": None, "tau": None, "windows": {"1000": {**window, "psi_debiased": None}}}
    normal, unknown = ("normal", None), ("insufficient_data", None)
    verdicts: dict[int, dict[str, tuple[str, str | None]]] = {
        5: {"temp": ("warning", "warning"), "prediction": normal},
        6: {"temp": ("drift_detected", "critical"), "prediction": unknown},
        7: {"temp": ("drift_detected", "warning")},
    }
    table = demo.drift_table(verdicts, {"temp": temp, "prediction": score})
    cells = [list(column.cells) for column in table.columns]
    assert [column.header for column in table.columns] == [
        "column", "May", "Jun", "Jul", "evidence", "PSI", "limit", "τ"
    ]  # fmt: skip
    assert [list(row) for row in zip(*cells, strict=True)] == [
        ["temp", "w", "D", "d", "8.1", "0.30", "0.20", "633"],
        ["prediction", "·", "?", "", "", "", "0.20", ""],
    ]


def test_every_verdict_has_a_letter_and_the_legend_explains_it() -> None:
    assert set(demo.LETTERS) == {(str(status), severity) for status, severity in RANK}
    assert len(set(demo.LETTERS.values())) == len(demo.LETTERS)
    for (status, severity), letter in demo.LETTERS.items():
        (named,) = re.findall(rf"(?:^|  ){re.escape(letter)}  ({status}.*?)(?:  |$)", demo.LEGEND, flags=re.MULTILINE)
        assert severity in (None, status) or named.endswith(f"severity {severity}")


def _column(status: str, severity: str | None) -> dict[str, Any]:
    limits = {"warning": 3.0, "critical": 6.0}
    window = {"psi_debiased": 8.0, "psi_threshold": limits}
    return {"status": status, "severity": severity, "evidence_log10": 8.0, "tau": 600.0, "windows": {"1000": window}}


def test_the_last_verdicts_of_a_month_are_kept_and_the_season_is_called_one(flights: pd.DataFrame) -> None:
    sent = demo.year_flights(flights)
    monthly, seen = demo.MonthlyVerdicts(sent), Replay()
    may = int((sent["month"] == 5).sum())
    verdicts: list[tuple[int, tuple[str, str | None]]] = [
        (1_000, ("normal", None)), (may, ("normal", "info")), (may + 1, ("drift_detected", "critical"))
    ]  # fmt: skip
    for rows, verdict in verdicts:
        seen.rows, column = rows, _column(*verdict)
        seen.status = {
            "features": {"temp": column}, "prediction": column, "status": verdict[0], "severity": verdict[1],
            "reason": "temp: warm.", "evidence": {"threshold_log10": 7.2},
        }  # fmt: skip
        monthly.on_status(seen)
    assert monthly.verdicts == {
        month: dict.fromkeys(("temp", "prediction"), verdicts[month - 4][1]) for month in (5, 6)
    }
    printed = io.StringIO()
    demo.print_year(Console(file=printed, width=200), seen, monthly)
    words = " ".join(printed.getvalue().split())
    assert "Verdict: drift_detected, severity critical temp: warm." in words
    assert "learned from January to March." in words
    assert "this drift is the season, and no fault" in words
    assert "column May Jun evidence PSI limit τ temp i D 8.0 8.00 3.00 600" in words
