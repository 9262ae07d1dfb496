from __future__ import annotations

from driftgauge.drift.diagnosis.diagnosis import RANKING, diagnose
from driftgauge.drift.diagnosis.importances import Importances

from tests.drift.diagnosis.made import facts_of, made_baseline, table


def test_nothing_is_wrong_with_rows_like_the_reference() -> None:
    found = diagnose(facts_of(made_baseline(), table(4_000, 2)))
    assert (found.state, found.causes, found.since) == ("nothing_wrong", (), None)
    assert [step.status for step in found.steps] == ["unknown", "fine", "fine", "unknown", "fine"]
    assert RANKING not in found.notes
    assert found.summary == "Nothing is wrong; not known: data quality, ground truth."


def test_it_cannot_tell_from_no_rows() -> None:
    assert diagnose(facts_of(made_baseline())).state == "cannot_tell"


def test_causes_are_ranked_by_importance_times_drift() -> None:
    rows = table(2_000, 3)
    rows["temp"] = rows["temp"] + 6.0
    rows["weight"] = rows["weight"] + 30.0
    for first, shares in (("temp", (0.1, 0.8, 0.05, 0.02, 0.03)), ("weight", (0.1, 0.02, 0.05, 0.8, 0.03))):
        names = ("distance", "temp", "hour", "weight", "city")
        known = Importances("gain", "", dict(zip(names, shares, strict=True)))
        found = diagnose(facts_of(made_baseline(), table(2_000, 2), rows, importances=known))
        assert found.state == "wrong"
        assert found.notes[0] == RANKING
        assert found.first is not None
        assert (found.first.kind, found.first.columns) == ("column_drift", (first,))
