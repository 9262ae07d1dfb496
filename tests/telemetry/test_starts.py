from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.telemetry import starts as module
from driftgauge.telemetry.starts import FILE, Key, Starts, nanoseconds
from hypothesis import given
from hypothesis import strategies as st

SINCE = 1_000.0
PREDICTIONS: Key = ("model_predictions_total", (("model_name", "coin"),))
OTHER: Key = ("model_predictions_total", (("model_name", "dice"),))


def sent(own: Starts, at: float, value: float, key: Key = PREDICTIONS) -> float:
    """Return since when a series counts in a transmission of its own."""
    found = own.of(key, value)
    own.sent(at)
    own.save()
    return found / 1e9


def after(folder: Path | None) -> Starts:
    """The next process that sends."""
    found = Starts(SINCE, folder)
    found.load()
    return found


def test_a_count_goes_on_in_the_next_process_and_one_that_fell_begins_where_it_was_last_sent(tmp_path: Path) -> None:
    first = after(tmp_path)
    assert [sent(first, SINCE + at, value) for at, value in ((10.0, 5.0), (20.0, 7.0))] == [SINCE, SINCE]
    second = after(tmp_path)
    assert sent(second, SINCE + 30.0, 7.0) == SINCE
    third = after(tmp_path)
    assert sent(third, SINCE + 40.0, 2.0) == SINCE + 30.0
    assert sent(after(tmp_path), SINCE + 50.0, 3.0) == SINCE + 30.0
    assert sent(after(tmp_path), SINCE + 60.0, 1.0, OTHER) == SINCE  # a new series


def test_without_a_folder_the_next_process_knows_nothing() -> None:
    assert sent(after(None), SINCE + 10.0, 5.0) == SINCE
    assert sent(after(None), SINCE + 20.0, 2.0) == SINCE


@pytest.mark.parametrize("damage", ["short", "flipped", "empty", "folder", "other"])
def test_a_damaged_file_holds_nothing_and_is_replaced(damage: str, tmp_path: Path) -> None:
    sent(after(tmp_path), SINCE + 10.0, 5.0)
    path = tmp_path / FILE
    content = path.read_bytes()
    changed = {
        "short": content[:-3],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "other": b"0" * len(content),
    }
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(changed[damage])
    own = after(tmp_path)
    assert own.of(PREDICTIONS, 2.0) == nanoseconds(SINCE)
    if damage == "folder":
        own.sent(SINCE + 20.0)
        with pytest.raises(OSError, match="directory"):
            own.save()
        assert [each.name for each in tmp_path.iterdir()] == [FILE]
    else:
        own.sent(SINCE + 20.0)
        own.save()
        assert sent(after(tmp_path), SINCE + 30.0, 1.0) == SINCE + 20.0


def test_series_that_are_no_longer_sent_are_forgotten_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPARE_SERIES", 10)
    own = Starts(SINCE, tmp_path)
    for number in range(100):
        sent(own, SINCE + number, 5.0, ("a", (("b", str(number)),)))
    assert sent(own, SINCE + 100.0, 1.0, ("a", (("b", "95"),))) == SINCE + 99.0
    assert sent(own, SINCE + 101.0, 1.0, ("a", (("b", "5"),))) == SINCE  # forgotten
    assert (tmp_path / FILE).stat().st_size < 500


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), min_size=1, max_size=20))
def test_no_sum_falls_while_its_start_stays(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("starts")
    own, before = after(folder), (0.0, SINCE, SINCE)
    for number, (value, is_other) in enumerate(steps, 1):
        own = after(folder) if is_other else own
        start = sent(own, SINCE + number, value)
        last, last_start, last_at = before
        assert (start == last_start and value >= last) or start == last_at
        before = value, start, SINCE + number
