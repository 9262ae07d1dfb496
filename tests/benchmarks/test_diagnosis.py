from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.diagnosis import NEEDED, QUIET, results, run, run_quiet
from benchmarks.diagnosis_faults import FAULTS, SIZES, Fault
from benchmarks.diagnosis_tables import DELIVERIES, TABLES, Made, Trained, train

SEED = 26
SHORT = ("unit_change", "label_shift", "concept_drift", "traffic_mix")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(DELIVERIES, tmp_path_factory.mktemp("diagnosis") / "bundle", SEED)


@pytest.mark.parametrize("fault", [own for own in FAULTS if own.kind in SHORT], ids=lambda own: own.kind)
def test_the_first_cause_of_a_fault_of_middle_size_is_right(trained: Trained, fault: Fault) -> None:
    found = run(trained, fault, "middle", SEED)
    assert found.is_right, found.said


@pytest.mark.long
@pytest.mark.parametrize("made", TABLES, ids=lambda own: own.group)
def test_the_first_cause_is_right_for_ten_of_twelve_faults_in_each_size(made: Made, tmp_path: Path) -> None:
    found = list(results(train(made, tmp_path / "bundle", SEED), SEED))
    for size in SIZES:
        right = {own.fault.kind for own in found if own.size == size and own.is_right}
        assert len(right) >= NEEDED, f"{size}: wrong are {[own.said for own in found if not own.is_right]}"


@pytest.mark.long
@pytest.mark.parametrize("kind", QUIET)
@pytest.mark.parametrize("made", TABLES, ids=lambda own: own.group)
def test_nothing_is_wrong_with_quiet_streams(made: Made, kind: str, tmp_path: Path) -> None:
    found = run_quiet(train(made, tmp_path / "bundle", SEED, **QUIET[kind]), kind, SEED)
    assert found.at_the_end == "nothing_wrong"
    assert len(found.wrong) <= 1, found.wrong  # the intervals of performance have a level of 99.9 % for each look
    assert found.looks >= 38
