from __future__ import annotations

from driftgauge.state.notes import Notes


def test_each_text_is_noted_once_and_empty_ones_are_not() -> None:
    notes = Notes()
    notes.add("a", "", "b")
    notes.add("b", "c")
    notes.add()
    assert notes.texts == ["a", "b", "c"]


def test_the_oldest_texts_are_kept_once_there_are_many() -> None:
    notes = Notes()
    for number in range(1_000):
        notes.add(str(number), f"again {number}")
    assert len(notes.texts) == 50
    assert notes.texts[:3] == ["0", "again 0", "1"]
