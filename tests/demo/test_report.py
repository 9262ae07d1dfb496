from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from driftgauge.demo import report as demo
from driftgauge.demo.flights import CLASSES
from driftgauge.demo.prometheus_stack import Alert
from driftgauge.demo.replay import Replay
from driftgauge.drift.verdict.rule import RANK
from sklearn.metrics import roc_auc_score


def test_auc_by_month_is_that_of_the_arrived_flights(flights: pd.DataFrame) -> None:
    part = flights[flights["month"].isin([5, 6])]
    scores = np.random.default_rng(0).random(len(part))
    by_month = demo.auc_by_month(part, scores.tolist())
    may = (part["month"] == 5) & part["late"].notna()
    assert set(by_month) == {5, 6}
    assert by_month[5][0] == may.sum()
    assert by_month[5][1] == pytest.approx(roc_auc_score(part["late"][may] == CLASSES[1], scores[may.to_numpy()]))


def test_the_verdicts_of_every_month_are_shown_with_what_they_rest_on() -> None:
    window = {"psi_debiased": 0.3, "psi_threshold": {"warning": 0.2, "critical": 0.4}, "psi_expected_max": 0.15}
    timed = {"psi_debiased": 9.0, "psi_threshold": None, "psi_expected_max": None}
    temp = {"evidence_log10": 8.12, "tau": 633.4, "windows": {"1000": window, "1h": timed}}
    score = {"evidence_log10": None, "tau": None, "windows": {"1000": {**window, "psi_debiased": None}}}
    status = {"features": {"temp": temp}, "prediction": score}
    normal, unknown = ("normal", None), ("insufficient_data", None)
    verdicts: dict[int, dict[str, tuple[str, str | None]]] = {
        5: {"temp": ("warning", "warning"), "prediction": normal},
        6: {"temp": ("drift_detected", "critical"), "prediction": unknown},
        7: {"temp": ("drift_detected", "warning")},
    }
    table = demo.drift_table(Replay(verdicts=verdicts, status=status))
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


# ---------------------------------------------------------------- the alerts


def test_the_log_of_alerts_says_what_changed() -> None:
    hot = [Alert("ModelFeatureDrift", "critical", name) for name in ("temp", "dewp")]
    warm = Alert("ModelFeatureDrift", "warning", "temp")
    watchdog = Alert("Watchdog", "info", "")
    answers = iter([[watchdog], [watchdog, warm], [watchdog, *hot], [watchdog, *hot], [watchdog, hot[0]]])
    said: list[str] = []
    log = demo.AlertLog(lambda: next(answers), said.append)
    for day in range(1, 6):
        log.look(f"2013-05-0{day}")
    assert said == [
        "2013-05-01  firing: Watchdog (info)",
        "2013-05-02  firing: ModelFeatureDrift (warning) temp",
        "2013-05-03  firing: ModelFeatureDrift (critical) dewp",
        "2013-05-03  now: ModelFeatureDrift (critical) temp",
        "2013-05-05  resolved: ModelFeatureDrift (critical) dewp",
    ]
