from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.releases.figures import Counts, Figures
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.release import Candidate, Kind, Role, Version, live_of

from tests.ledgers import CAUSE, candidate


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "state")


def _roles(ledger: Ledger) -> dict[str, Role]:
    return {own.name: own.role for own in ledger.versions("m")}


def _promote(ledger: Ledger, version: str, kind: Kind = Kind.LOAD, now: float = 10.0) -> None:
    with ledger.transaction():
        ledger.promote(candidate(version), kind, CAUSE, now)


def test_the_configured_bundle_is_live_at_first(ledger: Ledger) -> None:
    assert ledger.configure(candidate("1"), 5.0, 3) == Version(candidate("1"), Role.LIVE, 5.0)
    (change,) = ledger.history("m")
    assert (change.kind, change.from_version, change.to_version) == (Kind.CONFIGURED, None, "1")


def test_a_loaded_version_stays_live_while_the_settings_name_the_same_bundle(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    _promote(ledger, "2")
    assert ledger.configure(candidate("1"), 20.0, 3).name == "2"
    assert _roles(ledger) == {"2": Role.LIVE, "1": Role.RETIRED}


def test_a_change_of_the_settings_wins(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    _promote(ledger, "2")
    assert ledger.configure(candidate("3"), 20.0, 3).name == "3"
    assert [(change.kind, change.to_version) for change in ledger.history("m")] == [
        (Kind.CONFIGURED, "1"),
        (Kind.LOAD, "2"),
        (Kind.CONFIGURED, "3"),
    ]


def test_a_bundle_of_the_settings_makes_room_as_a_loaded_one_does(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    for number, version in enumerate("23"):
        _promote(ledger, version, now=10.0 + number)
    ledger.configure(candidate("4"), 20.0, 3)
    assert _roles(ledger) == {"4": Role.LIVE, "3": Role.RETIRED, "2": Role.RETIRED, "1": Role.REMOVED}


def test_versions_beyond_a_lowered_limit_are_removed_at_the_start(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 5)
    for number, version in enumerate("2345"):
        _promote(ledger, version, now=10.0 + number)
    before = ledger.serial("m")
    ledger.configure(candidate("1"), 20.0, 3)
    removed = {name for name, role in _roles(ledger).items() if role is Role.REMOVED}
    assert removed == {"1", "2"}
    assert ledger.serial("m") > before


def test_settings_that_name_the_live_bundle_change_nothing(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    _promote(ledger, "2")
    assert ledger.configure(candidate("2"), 20.0, 3) == Version(candidate("2"), Role.LIVE, 10.0)
    assert len(ledger.history("m")) == 2
    assert ledger.configure(candidate("1"), 30.0, 3).name == "1"


def test_a_bundle_that_has_moved_is_found_in_its_new_folder(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    moved = Candidate("m", "1", Path("/elsewhere"), candidate("1").digest)
    assert ledger.configure(moved, 20.0, 3) == Version(moved, Role.LIVE, 5.0)


def test_one_version_is_the_shadow_at_a_time(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    _promote(ledger, "2", Kind.SHADOW)
    _promote(ledger, "3", Kind.SHADOW)
    assert _roles(ledger) == {"1": Role.LIVE, "2": Role.RETIRED, "3": Role.SHADOW}
    assert ledger.history("m")[-1].from_version == "1"


def test_everything_is_there_again_after_the_process(ledger: Ledger, tmp_path: Path) -> None:
    ledger.configure(candidate("1"), 5.0, 3)
    with ledger.transaction():
        begun, before = Counts((1.0, 2.0), 3.0, 0.0), Figures(9, 0.1, None, 0.5)
        ledger.promote(candidate("2"), Kind.LOAD, CAUSE, 6.5, begun, before)
    known = ledger.versions("m"), ledger.history("m"), ledger.serial("m")
    assert known[1][-1].begun == begun
    assert known[1][-1].before == before
    again = Ledger.open(tmp_path / "state")  # as after a kill: the first is not closed
    assert (again.versions("m"), again.history("m"), again.serial("m")) == known


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    ledger.configure(candidate("1"), 5.0, 3)

    def promote_and_fail() -> None:
        with ledger.transaction():
            ledger.promote(candidate("2"), Kind.LOAD, CAUSE, 10.0)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        promote_and_fail()
    live = live_of(ledger.versions("m"))
    assert live is not None
    assert live.name == "1"
    assert len(ledger.history("m")) == 1


def test_the_history_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftgauge.releases.ledger.MOST_CHANGES", 3)
    for version in "123456":
        _promote(ledger, version)
    assert [change.to_version for change in ledger.history("m")] == ["4", "5", "6"]


def test_in_memory_each_process_has_its_own() -> None:
    first, second = Ledger.in_memory(), Ledger.in_memory()
    first.configure(candidate("1"), 5.0, 3)
    assert second.models() == []
    assert first.models() == ["m"]
