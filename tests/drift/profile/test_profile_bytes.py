from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.profile import profile_bytes
from driftgauge.drift.profile.build import profile_of
from driftgauge.drift.profile.profile import Profile, merge_profiles
from driftgauge.drift.profile.profile_bytes import MOST_BYTES, MOST_TEXT
from driftgauge.errors import ProfileError
from hypothesis import given
from hypothesis import strategies as st

from tests.drift.profile.test_profile import BASELINE, BY_HOUR, rows_of


def some_profile() -> Profile:
    """Return a profile with times."""
    return profile_of(BASELINE, rows_of(200), np.linspace(0.1, 1e5, 200), partition="ä/part-1")


def written(change: Callable[[dict[str, Any]], object], *, rehash: bool = True) -> bytes:
    """Return the bytes of a profile whose content was changed, with a hash that fits."""
    content = json.loads(gzip.decompress(some_profile().to_bytes()))
    del content["hash"]
    change(content)
    if rehash:
        content["hash"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return gzip.compress(json.dumps(content).encode())


def profiles() -> list[Profile]:
    """Return profiles of each kind."""
    at = np.linspace(0.0, 86_000.0, 200)
    by_hour = profile_of(BY_HOUR, rows_of(200)[:, :1], at, partition="a")
    empty, untimed = profile_of(BASELINE, rows_of(0), partition="b"), profile_of(BASELINE, rows_of(9), partition="c")
    return [some_profile(), by_hour, empty, untimed, merge_profiles([some_profile(), untimed])]


@pytest.mark.parametrize("profile", profiles(), ids=["timed", "by_hour", "empty", "untimed", "mixed"])
def test_bytes_hold_all_of_a_profile(profile: Profile) -> None:
    found = Profile.from_bytes(profile.to_bytes())
    assert found == profile
    assert found.to_bytes() == profile.to_bytes()


def test_a_profile_whose_content_is_written_anew_is_read() -> None:
    assert Profile.from_bytes(written(lambda content: None)) == some_profile()


@pytest.mark.parametrize("length", [0, 1, 20, 300, -1])
def test_a_truncated_profile_is_refused(length: int) -> None:
    content = some_profile().to_bytes()
    with pytest.raises(ProfileError, match="the profile is truncated: copy it again, or make the profile again"):
        Profile.from_bytes(content[:length])


@pytest.mark.parametrize("content", [b"PAR1 something else", b"\x00" * 40, b"a,b\n1,2\n"])
def test_foreign_files_are_refused(content: bytes) -> None:
    with pytest.raises(ProfileError, match="this is no profile, or a damaged one"):
        Profile.from_bytes(content)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"[1]", "does not name the format"),
        (b'{"format": "other"}', "does not name the format"),
        (b"{", "not complete JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 1_000_001, "too many lists and objects"),
        (b"\xff\xfe", "not UTF-8"),
        (b"1" * 5_000, "not complete JSON"),
        (b'{"format": NaN}', "NaN is not a number of JSON"),
        (b'{"format": "driftgauge profile", "schema_version": 2}', "schema version 2, this Driftgauge reads 1"),
        (b'{"format": "driftgauge profile", "schema_version": true}', "schema version True"),
        (b'{"format": "driftgauge profile", "schema_version": 1}', "rows is missing"),
    ],
)
def test_foreign_texts_are_refused(text: bytes, why: str) -> None:
    with pytest.raises(ProfileError, match=why):
        Profile.from_bytes(gzip.compress(text))


def test_a_profile_of_endless_text_is_not_unpacked() -> None:
    with pytest.raises(ProfileError, match=r"text has more than 33,554,432 bytes"):
        Profile.from_bytes(gzip.compress(b" " * (MOST_TEXT + 1), 1))
    with pytest.raises(ProfileError, match=r"at most 16,777,216 are read"):
        Profile.from_bytes(b" " * (MOST_BYTES + 1))


def test_what_follows_a_profile_is_refused() -> None:
    content = some_profile().to_bytes()
    with pytest.raises(ProfileError, match="goes on behind its end"):
        Profile.from_bytes(content + content)


def test_edited_content_does_not_match_its_hash() -> None:
    with pytest.raises(ProfileError, match="does not match its hash: it was edited or damaged"):
        Profile.from_bytes(written(lambda content: content.update(hash="0"), rehash=False))


def _column(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["columns"][0].update(changes)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "rows is no whole number": lambda content: content.update(rows="many"),
    "rows is not between": lambda content: content.update(rows=-1),
    "columns is no list": lambda content: content.update(columns=[]),
    "two columns have the same name": _column(name="colour"),
    "the name of a column is no text": _column(name=5),
    "counts are no lists": _column(counts=3),
    "counts are not of 1 to 256 bins": _column(counts=[]),
    "of different lengths": _column(counts=[200]),
    "counts is no whole number": _column(counts=[1.5] * 13),
    "counts of a column are not of all rows": _column(counts=[1] * 13),
    "sum is not between": _column(sum=1 << 80),
    "squares is not between": _column(squares=-1),
    "lowest is no number": _column(lowest="low"),
    "lowest is no finite number": _column(lowest=float("1e400")),
    "start and end are not those": lambda content: content.update(start=None, end=None),
    "hours are not the rows of 24 hours": lambda content: content.update(hours=[0]),
    "partitions is no list": lambda content: content.update(partitions=[]),
    "partitions are not in order": lambda content: content.update(partitions=["b", "a"]),
    "partitions has half a surrogate": lambda content: content.update(partitions=["\ud800"]),
    "in_hour has the hour '24'": lambda content: content.update(in_hour={"24": [[1]]}),
    "in_hour is no object": lambda content: content.update(in_hour=[]),
    "rows by hour do not add up": lambda content: content.update(in_hour={"1": [[1], [1]]}),
    "baseline is no text": lambda content: content.update(baseline=None),
}


@pytest.mark.parametrize("why", CHANGES)
def test_impossible_content_is_refused(why: str) -> None:
    if why == "lowest is no finite number":
        content = gzip.decompress(some_profile().to_bytes()).replace(b'"lowest":', b'"lowest":1e400,"x":', 1)
        with pytest.raises(ProfileError, match=why):
            Profile.from_bytes(gzip.compress(content))
        return
    with pytest.raises(ProfileError, match=why):
        Profile.from_bytes(written(CHANGES[why]))


@given(st.integers(0, 10_000))
def test_damaged_bytes_are_refused_or_the_same_profile(seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(some_profile().to_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    try:
        found = Profile.from_bytes(bytes(content))
    except ProfileError:
        return
    assert found == some_profile()


@pytest.mark.parametrize("name", ["", "x" * 1_001, "\udcff"])
def test_what_could_not_be_read_is_not_written(name: str) -> None:
    with pytest.raises(ProfileError, match=r"the name of a partition .*: give another name"):
        some_profile().named(name).to_bytes()


def test_a_profile_that_is_too_long_to_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_bytes, "MOST_TEXT", 500)
    with pytest.raises(ProfileError, match=r"and at most 500 are read: leave columns out"):
        some_profile().to_bytes()
