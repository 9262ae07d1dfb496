from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from driftgauge.common.layout import Buffer, Field, Layout
from driftgauge.state.double_buffer import Damaged, DoubleBuffer, double_buffer_fields, multipliers
from driftgauge.state.failpoints import no_failpoint
from hypothesis import given
from hypothesis import strategies as st

FIELDS: Final = Layout([Field("whole", "i8", (1,)), Field("many", "f8", (30, 100)), Field("few", "u4", (7,))])
LAYOUT: Final = Layout(double_buffer_fields("some", FIELDS))


class _Interrupted(Exception):
    pass


def _buffer(content: Buffer | None = None, failpoint: Callable[[str], None] = no_failpoint) -> DoubleBuffer:
    """Return a double buffer of a few arrays, by default in memory of its own."""
    arrays = LAYOUT.arrays(bytearray(LAYOUT.size_bytes) if content is None else content)
    return DoubleBuffer("some", FIELDS, arrays, failpoint)


def _filled(number: int) -> dict[str, Any]:
    """Return arrays that hold one number only."""
    return {field.name: np.full(field.shape, number, field.dtype) for field in FIELDS.fields}


def _interrupting(point: str, after: int) -> Callable[[str], None]:
    """Return a failpoint that lets a number of copies be written and stops the next one."""
    passed = 0

    def failpoint(reached: str) -> None:
        nonlocal passed
        passed += reached == point
        if reached == point and passed > after:
            raise _Interrupted

    return failpoint


def _number(buffer: DoubleBuffer) -> int:
    """Return the number that was written; all arrays must hold it."""
    _, arrays = buffer.read()
    number = int(arrays["whole"][0])
    for name, array in _filled(number).items():
        np.testing.assert_array_equal(arrays[name], array)
    return number


def _written(times: int) -> tuple[DoubleBuffer, dict[str, Any]]:
    """Return a buffer that was written to a number of times, and its arrays."""
    content = bytearray(LAYOUT.size_bytes)
    buffer = _buffer(content)
    for number in range(1, times + 1):
        buffer.write(_filled(number))
    return buffer, LAYOUT.arrays(content)


def _damage(arrays: dict[str, Any], sequence: int) -> None:
    arrays["some_copies"][sequence % 2, 5] ^= np.uint64(1)


@given(st.integers(1, 9))
def test_the_newest_copy_is_read(times: int) -> None:
    buffer, _ = _written(times)
    assert (buffer.sequence, buffer.read()[0], _number(buffer)) == (times, times, times)


def test_before_the_first_write_there_is_no_copy() -> None:
    with pytest.raises(Damaged, match="no copy of the some"):
        _buffer().read()


@pytest.mark.parametrize("point", ["some.copied", "some.checked"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_unfinished_copy_changes_nothing(point: str, times: int) -> None:
    content = bytearray(LAYOUT.size_bytes)
    buffer = _buffer(content, _interrupting(point, times))
    for number in range(1, times + 1):
        buffer.write(_filled(number))
    with pytest.raises(_Interrupted):
        buffer.write(_filled(77))
    after = _buffer(content)
    assert (after.sequence, _number(after)) == (times, times)
    after.write(_filled(times + 1))
    assert (after.sequence, _number(after)) == (times + 1, times + 1)


def test_an_unfinished_first_copy_is_no_copy() -> None:
    content = bytearray(LAYOUT.size_bytes)
    with pytest.raises(_Interrupted):
        _buffer(content, _interrupting("some.checked", 0)).write(_filled(1))
    with pytest.raises(Damaged):
        _buffer(content).read()


def test_arrays_of_another_shape_change_nothing() -> None:
    buffer, _ = _written(2)
    with pytest.raises(ValueError, match="broadcast"):
        buffer.write({**_filled(3), "few": np.zeros(8)})
    assert (buffer.sequence, _number(buffer)) == (2, 2)


def test_if_the_newest_copy_is_damaged_the_previous_one_is_read() -> None:
    buffer, arrays = _written(5)
    _damage(arrays, 5)
    assert (buffer.read()[0], _number(buffer)) == (4, 4)
    buffer.write(_filled(6))
    assert (buffer.read()[0], _number(buffer)) == (6, 6)


def test_if_both_copies_are_damaged_there_is_none() -> None:
    buffer, arrays = _written(5)
    _damage(arrays, 5)
    _damage(arrays, 4)
    with pytest.raises(Damaged):
        buffer.read()
    with pytest.raises(Damaged):
        buffer.read_words()


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 4))
def test_a_damaged_sequence_number_never_gives_another_copy(sequence: int, times: int) -> None:
    buffer, arrays = _written(times)
    arrays["some_sequence"][0] = sequence
    if sequence in (times, times + 1):
        assert _number(buffer) == times
    elif sequence == times - 1 and sequence > 0:
        assert _number(buffer) == sequence
    else:
        with pytest.raises(Damaged):
            buffer.read()


@pytest.mark.parametrize("sequence", [-(2**63), -5, -1, 2**63 - 1])
def test_a_write_repairs_an_implausible_sequence_number(sequence: int) -> None:
    buffer, arrays = _written(3)
    arrays["some_sequence"][0] = sequence
    buffer.write(_filled(8))
    assert _number(buffer) == 8


@given(st.integers(0, 10_000), st.integers(0, 63))
def test_a_single_bit_is_noticed(place: int, bit: int) -> None:
    buffer, arrays = _written(2)
    words = arrays["some_copies"][0]
    words[place % len(words)] ^= np.uint64(1 << bit)
    assert _number(buffer) == 1


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_two_words_that_change_places_are_noticed(one: int, other: int) -> None:
    content = bytearray(LAYOUT.size_bytes)
    buffer, arrays = _buffer(content), LAYOUT.arrays(content)
    words = np.arange(arrays["some_copies"].shape[1], dtype=np.uint64)
    buffer.write_words(words[::-1].copy())
    buffer.write_words(words)
    pair = [one % len(words), other % len(words)]
    arrays["some_copies"][0, pair] = arrays["some_copies"][0, pair[::-1]]
    assert buffer.read_words()[0] == (2 if pair[0] == pair[1] else 1)


def test_arrays_that_were_read_stay_as_they_were_and_are_read_only() -> None:
    buffer, _ = _written(1)
    _, arrays = buffer.read()
    for number in (2, 3):
        buffer.write(_filled(number))
    for name, array in _filled(1).items():
        np.testing.assert_array_equal(arrays[name], array)
        with pytest.raises(ValueError, match="read-only"):
            arrays[name][:] = 0


def test_words_come_back_as_they_were_written() -> None:
    (source, _), (target, _) = _written(3), _written(1)
    target.write_words(source.read_words()[1])
    assert _number(target) == 3


def test_a_read_only_buffer_cannot_be_written() -> None:
    content = bytearray(LAYOUT.size_bytes)
    _buffer(content).write(_filled(1))
    reader = _buffer(memoryview(content).toreadonly())
    with pytest.raises(ValueError, match="read-only"):
        reader.write(_filled(2))
    assert _number(reader) == 1


def test_failpoints_are_passed_in_order() -> None:
    passed: list[str] = []
    _buffer(failpoint=passed.append).write(_filled(1))
    assert passed == ["some.copied", "some.checked", "some.published"]


def test_multipliers_are_odd_and_the_same_each_time() -> None:
    assert (multipliers(100) % np.uint64(2) == 1).all()
    np.testing.assert_array_equal(multipliers(100), multipliers(100))


# ---------------------------------------------------------------- a writer in another process


def write_until_killed(path: str) -> None:
    """Write one number after another into a file."""
    buffer = _buffer(np.memmap(path, dtype=np.uint8, mode="r+").data)
    os.write(1, b"writing\n")
    for number in range(buffer.sequence + 1, 10**9):
        buffer.write(_filled(number))


def test_a_reader_beside_a_writer_gets_complete_copies_only_and_none_older_than_before(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    path.write_bytes(bytes(LAYOUT.size_bytes))
    _buffer(np.memmap(path, dtype=np.uint8, mode="r+").data).write(_filled(1))
    reader = _buffer(np.memmap(path, dtype=np.uint8, mode="r").data)
    code = f"from {__name__} import write_until_killed; write_until_killed({str(path)!r})"
    before, seen = 0, set()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            for _ in range(4_000):
                number = _number(reader)
                assert number >= before
                before = number
                seen.add(number)
        finally:
            writer.kill()
    assert len(seen) > 20
    assert _number(reader) >= before, "a killed writer leaves a complete copy"
