"""The versions that a rollback goes back through, and those that are removed first."""

from __future__ import annotations

import pytest
from driftgauge.releases.release import Change, Kind, Role, Version, live_stack, surplus

from tests.ledgers import CAUSE, candidate


def history(*steps: tuple[Kind, str]) -> list[Change]:
    return [
        Change(number, "m", float(number), kind, CAUSE, None, version, None, None)
        for number, (kind, version) in enumerate(steps)
    ]


FIRST = (Kind.CONFIGURED, "1")


@pytest.mark.parametrize(
    ("steps", "stack"),
    [
        ([], []),
        ([FIRST, (Kind.LOAD, "2"), (Kind.LOAD, "3")], ["1", "2", "3"]),
        ([FIRST, (Kind.LOAD, "2"), (Kind.LOAD, "3"), (Kind.ROLLBACK, "2")], ["1", "2"]),
        ([FIRST, (Kind.LOAD, "2"), (Kind.LOAD, "3"), (Kind.ROLLBACK, "1")], ["1"]),
        ([FIRST, (Kind.LOAD, "2"), (Kind.ROLLBACK, "1"), (Kind.LOAD, "3")], ["1", "3"]),
        ([FIRST, (Kind.SHADOW, "2"), (Kind.UNLOAD, "2")], ["1"]),
        ([FIRST, (Kind.CONFIGURED, "1")], ["1"]),
    ],
)
def test_a_rollback_goes_back_through_what_answered_and_was_not_taken_back(
    steps: list[tuple[Kind, str]], stack: list[str]
) -> None:
    assert live_stack(history(*steps)) == stack


def versions(**roles: Role) -> list[Version]:
    """Versions `v1`, `v2`, … in the order in which they took their roles."""
    return [Version(candidate(name[1:]), role, float(at)) for at, (name, role) in enumerate(roles.items())]


def test_the_version_that_retired_first_is_removed_first() -> None:
    known = versions(v1=Role.RETIRED, v2=Role.RETIRED, v3=Role.RETIRED, v4=Role.LIVE)
    steps = history(FIRST, (Kind.LOAD, "2"), (Kind.LOAD, "3"), (Kind.LOAD, "4"))
    assert [own.name for own in surplus(known, steps, 3)] == ["1"]
    assert [own.name for own in surplus(known, steps, 2)] == ["1", "2"]
    assert surplus(known, steps, 4) == []


def test_the_version_that_a_rollback_brings_back_goes_last() -> None:
    known = versions(v1=Role.RETIRED, v2=Role.RETIRED, v3=Role.LIVE)
    steps = history(FIRST, (Kind.SHADOW, "2"), (Kind.LOAD, "3"))  # the shadow never answered
    assert [own.name for own in surplus(known, steps, 2)] == ["2"]


def test_live_versions_shadows_and_removed_ones_are_never_surplus() -> None:
    known = versions(v1=Role.REMOVED, v2=Role.SHADOW, v3=Role.LIVE)
    assert surplus(known, history(FIRST, (Kind.LOAD, "3")), 1) == []
