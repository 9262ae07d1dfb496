from __future__ import annotations

from dataclasses import dataclass

import pytest
from driftgauge.common.versions import Versions


@dataclass(frozen=True)
class Thing:
    model_name: str
    model_version: str = "1"


def versions_of(*things: Thing) -> Versions[Thing]:
    versions: Versions[Thing] = Versions()
    for thing in things:
        versions.add(thing)
    return versions


def test_things_are_found_by_name_and_version() -> None:
    churn, fraud = Thing("churn"), Thing("fraud")
    versions = versions_of(churn, fraud)
    assert versions.live("churn") is versions.find("churn", "1") is churn
    assert versions.live("fraud") is fraud
    assert versions.live("other") is versions.live("") is versions.find("churn", "2") is None
    assert (len(versions), list(versions), versions.names) == (2, [churn, fraud], ["churn", "fraud"])


def test_the_first_version_is_live_until_another_one_is() -> None:
    old, new = Thing("churn", "1"), Thing("churn", "2")
    versions = versions_of(old, new)
    assert versions.live("churn") is old
    assert (versions.is_live(old), versions.is_live(new)) == (True, False)
    versions.make_live("churn", "2")
    assert versions.live("churn") is new
    assert (versions.of("churn"), versions.all_live) == ([old, new], [new])
    with pytest.raises(KeyError):
        versions.make_live("churn", "3")


def test_a_name_and_version_is_there_once() -> None:
    first = Thing("churn")
    versions = versions_of(first)
    with pytest.raises(ValueError, match="churn 1 is already there"):
        versions.add(Thing("churn"))
    assert list(versions) == [first]


def test_a_live_version_is_removed_last() -> None:
    old, new = Thing("churn", "1"), Thing("churn", "2")
    versions = versions_of(old, new)
    with pytest.raises(ValueError, match="churn 1 is live: make another version live first"):
        versions.remove("churn", "1")
    assert versions.remove("churn", "2") is new
    assert versions.remove("churn", "1") is old
    assert (len(versions), versions.names, versions.live("churn")) == (0, [], None)
