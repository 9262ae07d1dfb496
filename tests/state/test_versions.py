from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driftgauge.state.versions import Damaged, Versions, multipliers
from hypothesis import given
from hypothesis import strategies as st

from tests.writers import VERSIONS, all_of, crew, some_versions


class _Interrupted(Exception):
    pass


def _interrupting(point: str, after: int) -> Callable[[str], None]:
    """Return what lets so many copies be written and stops the next one at a point."""
    passed = 0

    def reach(reached: str) -> None:
        nonlocal passed
        passed += reached == point
        if reached == point and passed > after:
            raise _Interrupted

    return reach


def _number(versions: Versions) -> int:
    """Return the number that was written; all of the arrays must be of it."""
    _, arrays = versions.read()
    number = int(arrays["whole"][0])
    for name, array in all_of(number).items():
        np.testing.assert_array_equal(arrays[name], array)
    return number


def _written(times: int, buffer: bytearray | None = None) -> Versions:
    versions = some_versions(buffer or bytearray(VERSIONS.size_bytes))
    for number in range(1, times + 1):
        versions.write(all_of(number))
    return versions


def _damage(versions: Versions, sequence: int) -> None:
    versions._copies[sequence % 2, 5] ^= np.uint64(1)


@given(st.integers(1, 9))
def test_the_newest_copy_is_read(times: int) -> None:
    versions = _written(times)
    assert (versions.sequence, _number(versions)) == (times, times)


def test_before_anything_is_written_there_is_nothing() -> None:
    with pytest.raises(Damaged, match="no copy of the some"):
        _written(0).read()


@pytest.mark.parametrize("point", ["some.copied", "some.checked"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_copy_that_was_never_finished_is_as_if_it_had_not_been_begun(point: str, times: int) -> None:
    buffer = bytearray(VERSIONS.size_bytes)
    versions = some_versions(buffer, _interrupting(point, times))
    for number in range(1, times + 1):
        versions.write(all_of(number))
    with pytest.raises(_Interrupted):
        versions.write(all_of(77))
    after = some_versions(buffer)
    assert (after.sequence, _number(after)) == (times, times)
    after.write(all_of(times + 1))
    assert (after.sequence, _number(after)) == (times + 1, times + 1)


def test_the_first_copy_that_was_never_finished_is_nothing() -> None:
    buffer = bytearray(VERSIONS.size_bytes)
    with pytest.raises(_Interrupted):
        some_versions(buffer, _interrupting("some.checked", 0)).write(all_of(1))
    with pytest.raises(Damaged):
        some_versions(buffer).read()


def test_where_the_newest_copy_is_damaged_the_one_before_is_read() -> None:
    versions = _written(5)
    _damage(versions, 5)
    assert (versions.read()[0], _number(versions)) == (4, 4)
    versions.write(all_of(6))
    assert (versions.read()[0], _number(versions)) == (6, 6)


def test_where_both_copies_are_damaged_there_is_none() -> None:
    versions = _written(5)
    _damage(versions, 5)
    _damage(versions, 4)
    with pytest.raises(Damaged):
        versions.read()
    with pytest.raises(Damaged):
        versions.read_words()


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 4))
def test_a_number_of_writes_that_is_damaged_never_gives_another_copy(sequence: int, times: int) -> None:
    versions = _written(times)
    versions._sequence[0] = sequence
    if sequence in (times, times + 1):
        assert _number(versions) == times
    elif sequence == times - 1 or sequence == times - 2:
        pass  # the copy before, if there is one, or nothing
    else:
        with pytest.raises(Damaged):
            versions.read()


@pytest.mark.parametrize("sequence", [-(2**63), -5, -1, 2**63 - 1])
def test_what_is_written_over_a_damaged_number_of_writes_is_read(sequence: int) -> None:
    versions = _written(3)
    versions._sequence[0] = sequence
    versions.write(all_of(8))
    assert _number(versions) == 8


@given(st.integers(0, 10_000), st.integers(0, 63))
def test_a_single_bit_is_noticed(place: int, bit: int) -> None:
    versions = _written(2)
    words = versions._copies[0]
    words[place % len(words)] ^= np.uint64(1 << bit)
    assert _number(versions) == 1


def test_a_copy_that_was_read_stays_as_it_was() -> None:
    versions = _written(1)
    _, arrays = versions.read()
    for number in (2, 3):
        versions.write(all_of(number))
    for name, array in all_of(1).items():
        np.testing.assert_array_equal(arrays[name], array)


def test_words_come_back_as_they_were_written() -> None:
    source, target = _written(3), _written(1)
    target.write_words(source.read_words()[1])
    assert _number(target) == 3


def test_the_points_are_told_in_order() -> None:
    told: list[str] = []
    some_versions(bytearray(VERSIONS.size_bytes), told.append).write(all_of(1))
    assert told == ["some.copied", "some.checked"]


def test_multipliers_are_odd_and_the_same_each_time() -> None:
    assert (multipliers(100) % np.uint64(2) == 1).all()
    np.testing.assert_array_equal(multipliers(100), multipliers(100))


def test_a_reader_beside_a_writer_gets_whole_copies_alone_and_none_older_than_before(tmp_path: Path) -> None:
    path = tmp_path / "versions"
    path.write_bytes(bytes(VERSIONS.size_bytes))
    with path.open("r+b") as file:
        buffer = np.memmap(file, dtype=np.uint8, mode="r+")
    some_versions(buffer.data).write(all_of(1))
    before, seen = 0, set()
    versions = some_versions(np.memmap(path, dtype=np.uint8, mode="r").data)
    with crew() as workers:
        workers.ask("versions", path, 10**9, until="writing")
        for _ in range(4_000):
            number = _number(versions)
            assert number >= before
            before = number
            seen.add(number)
    assert len(seen) > 20
    assert _number(versions) >= before, "a writer that was killed leaves a whole copy"
