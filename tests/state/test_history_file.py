"""The file of a history: damage, losses, kills, and what is kept all the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driftgauge.state.files import HEADER_BYTES, StateKey
from driftgauge.state.history import HistoryBuffer, HistoryShape
from driftgauge.state.history_file import HISTORY_FILE, UNKEPT, HistoryFile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.histories import NAMES, NOON, assert_same_history, kept_in_memory, minutely

SHAPE = HistoryShape(len(NAMES))
REPORTS = minutely(60)
KEY = StateKey("churn", "1", "0" * 64)


def history_in(folder: Path, key: StateKey = KEY) -> HistoryFile:
    return HistoryFile(folder, key, SHAPE, 1, lambda: True)


def silent(text: str) -> None:
    raise AssertionError(text)


def expected() -> HistoryBuffer:
    return kept_in_memory(REPORTS)


def test_two_workers_write_one_history_and_see_the_same(tmp_path: Path) -> None:
    workers = [history_in(tmp_path), history_in(tmp_path)]
    for minute, report in enumerate(REPORTS):
        workers[minute % 2].keep(report, silent)
    for worker in [*workers, history_in(tmp_path)]:
        assert_same_history(worker.current, expected())
    assert (tmp_path / HISTORY_FILE).stat().st_size == HEADER_BYTES + SHAPE.layout.size_bytes


def test_before_its_first_report_there_is_no_file_and_no_history(tmp_path: Path) -> None:
    assert len(history_in(tmp_path).current.read(NAMES)) == 0
    assert [*tmp_path.iterdir()] == []


def test_without_files_a_history_is_in_memory(tmp_path: Path) -> None:
    own = HistoryFile(tmp_path, KEY, SHAPE, 1, lambda: False)
    for report in REPORTS:
        own.keep(report, silent)
    assert_same_history(own.current, expected())
    own.flush()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("key", [StateKey("churn", "2", "0" * 64), StateKey("churn", "1", "1" * 64)])
def test_another_version_or_baseline_begins_its_own(key: StateKey, tmp_path: Path) -> None:
    history_in(tmp_path).keep(REPORTS[0], silent)
    own = history_in(tmp_path, key=key)
    assert len(own.current.read(NAMES)) == 0
    own.keep(REPORTS[5], silent)
    assert len(own.current.read(NAMES)) == 1


# ---------------------------------------------------------------- losses while it is used


def _replaced(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


@pytest.mark.parametrize("loss", [Path.unlink, _replaced], ids=["deleted", "replaced"])
def test_a_file_that_is_deleted_or_replaced_while_it_is_used_loses_nothing(
    loss: Callable[[Path], None], tmp_path: Path
) -> None:
    own, other = history_in(tmp_path), history_in(tmp_path)
    for minute, report in enumerate(REPORTS):
        if minute == 30:
            loss(tmp_path / HISTORY_FILE)
        own.keep(report, silent)
        other.current.read(NAMES)
    for worker in (own, other, history_in(tmp_path)):
        assert_same_history(worker.current, expected())


@pytest.mark.parametrize("size", [0, 1_000, HEADER_BYTES + 5_000])
def test_a_file_that_is_truncated_gets_its_size_again_and_goes_on(size: int, tmp_path: Path) -> None:
    own, notes = history_in(tmp_path), list[str]()
    for report in REPORTS[:30]:
        own.keep(report, silent)
    os.truncate(tmp_path / HISTORY_FILE, size)
    assert len(own.current.read(NAMES)) <= 30
    for report in REPORTS[30:]:
        own.keep(report, notes.append)
    assert len(notes) == 1
    assert notes[0].startswith(HISTORY_FILE)
    assert own.current.read(NAMES).at[-30:].tolist() == [NOON + 60.0 * minute for minute in range(30, 60)]
    assert (tmp_path / HISTORY_FILE).stat().st_size == HEADER_BYTES + SHAPE.layout.size_bytes


def test_a_folder_in_its_place_keeps_the_history_in_memory_until_it_is_gone(tmp_path: Path) -> None:
    own, notes = history_in(tmp_path), list[str]()
    (tmp_path / HISTORY_FILE).mkdir()
    for report in REPORTS[:3]:
        own.keep(report, notes.append)
    assert len(own.current.read(NAMES)) == 3
    assert len({*notes}) == 1
    assert UNKEPT in notes[0]
    (tmp_path / HISTORY_FILE).rmdir()
    own.keep(REPORTS[3], silent)
    assert own.current.read(NAMES).at.tolist() == [REPORTS[3].at[0]]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"of something else")
    (tmp_path / HISTORY_FILE).symlink_to(tmp_path / "elsewhere")
    own, notes = history_in(tmp_path), list[str]()
    own.keep(REPORTS[0], notes.append)
    assert len(own.current.read(NAMES)) == 1
    assert "link" in notes[0]
    assert (tmp_path / "elsewhere").read_bytes() == b"of something else"


# ---------------------------------------------------------------- damage

damages = st.tuples(
    st.floats(0.0, 1.0, exclude_max=True),
    st.one_of(st.just(1), st.sampled_from([8, 64, 4_096]), st.integers(1, 200_000)),
    st.sampled_from(["flip", "zeros", "noise"]),
)


def _damage(path: Path, share: float, length: int, kind: str) -> None:
    size = path.stat().st_size
    first = int(share * size)
    with path.open("r+b") as file:
        file.seek(first)
        old = file.read(min(length, size - first))
        file.seek(first)
        new = {"flip": bytes([old[0] ^ 1]) + old[1:], "zeros": bytes(len(old))}
        file.write(new.get(kind, np.random.default_rng(first).bytes(len(old))))


@settings(deadline=None, max_examples=examples(150))
@given(st.lists(damages, min_size=1, max_size=4), st.booleans())
def test_whatever_bytes_change_what_is_found_was_written_and_new_reports_are_kept(
    damage: list[tuple[float, int, str]], is_running: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, notes = Path(folder), list[str]()
        own = history_in(path)
        for report in REPORTS[:40]:
            own.keep(report, silent)
        for each in damage:
            _damage(path / HISTORY_FILE, *each)
        own = own if is_running else history_in(path)
        for report in REPORTS[40:]:
            own.current.read(NAMES)
            own.keep(report, notes.append)
        assert not (is_running and notes)
        found, known = history_in(path).current.read(NAMES), {float(one.at[0]): one for one in REPORTS}
        minutes = found[found.seconds == 60.0]
        assert [NOON + 60.0 * minute for minute in range(40, 60)] == minutes.at[-20:].tolist()
        for place, at in enumerate(minutes.at.tolist()):
            np.testing.assert_array_equal(minutes.statistics[place], known[at].statistics[0])
            np.testing.assert_array_equal(minutes.ranks[place], known[at].ranks[0])
        changes = history_in(path).current.changes()
        assert {*changes.at.tolist()} <= {*known}
        assert {*changes.column.tolist()} <= {*range(len(NAMES) + 1)}
        assert changes.dropped >= 0
