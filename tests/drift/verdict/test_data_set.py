from __future__ import annotations

import pytest
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.data_set import by_share, overall, share_of
from driftgauge.drift.verdict.rule import Severity, Status
from driftgauge.drift.verdict.wording import Effect, Finding

NORMAL, DRIFTED = Status.NORMAL, Status.DRIFT_DETECTED


def _verdict(name: str, status: Status = NORMAL, severity: Severity | None = None) -> ColumnVerdict:
    effect = Effect(0.4, 0.1, None, None)
    finding = Finding(status is DRIFTED, status is DRIFTED, effect, "", None, moved="mean 3 (reference: 2)")
    return ColumnVerdict(name, status, severity, f"{name}: {finding.in_words(status)}", 1.0, finding)


def _drifted(name: str, severity: Severity = "critical") -> ColumnVerdict:
    return _verdict(name, DRIFTED, severity)


UNWATCHED = ColumnVerdict("id", Status.INSUFFICIENT_DATA, None, "id: not monitored", None)
FOUR = (_drifted("a"), _drifted("b", "warning"), _verdict("c"), _verdict("d"))


def test_the_share_is_of_the_monitored_features() -> None:
    assert share_of(FOUR) == 0.5
    assert share_of((*FOUR, UNWATCHED, _drifted("prediction"))) == 0.5
    assert share_of([_verdict("a")]) == 0.0


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_with_enough_drifted_features_verdicts_are_as_without_the_setting(share: float) -> None:
    assert by_share(FOUR, share) == FOUR
    whole = overall(FOUR, share)
    assert (whole.status, whole.severity, whole.reason) == (DRIFTED, "critical", "")


def test_with_fewer_no_feature_raises_an_alert_and_the_model_is_normal() -> None:
    limited = by_share(FOUR, 0.6)
    assert [own.severity for own in limited] == ["info", "info", None, None]
    assert [own.status for own in limited] == [DRIFTED, DRIFTED, NORMAL, NORMAL]
    said = "Severity is limited: 50 % of the features have drifted, less than drift_share (0.6)."
    assert said in limited[0].reason
    whole = overall(limited, 0.6)
    assert (whole.status, whole.severity) == (NORMAL, "info")
    assert whole.reason.startswith("no drift of the model: 2 of 4 features drifted, less than drift_share (0.6). a: ")


def test_drift_of_the_scores_is_drift_of_the_model() -> None:
    verdicts = by_share((_drifted("prediction"), *FOUR), 0.6)
    assert verdicts[0].severity == "critical"
    assert overall(verdicts, 0.6).status is DRIFTED


def test_a_quiet_model_is_as_without_the_setting() -> None:
    quiet = (_verdict("a"), _verdict("b"))
    assert by_share(quiet, 0.5) == quiet
    assert overall(quiet, 0.5).reason == ""
    assert overall([UNWATCHED], 0.5).status is Status.INSUFFICIENT_DATA
