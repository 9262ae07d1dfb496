"""The progress bar of commands that read tables."""

from __future__ import annotations

import io

import pytest
from driftgauge.cli.reading import reading
from rich.console import Console


def test_a_terminal_sees_how_far_the_reading_is_and_nothing_of_it_at_the_end() -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80, legacy_windows=False)
    with reading(terminal, 1_000) as progress:
        for read in (0, 250, 1_000):
            progress(read)
        during = shown.getvalue()
    assert "reading" in during
    assert "100%" in shown.getvalue()
    assert shown.getvalue().endswith("\x1b[2K")  # the line is erased


def test_a_file_gets_no_bar() -> None:
    shown = io.StringIO()
    with reading(Console(file=shown), 1_000) as progress:
        progress(500)
    assert shown.getvalue() == ""


@pytest.mark.parametrize("size", [0, 1])
def test_a_table_whose_size_is_not_known_or_was_wrong_stops_nothing(size: int) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    with reading(terminal, size) as progress:
        progress(10)


def test_the_bar_ends_with_an_error_of_the_reading() -> None:
    shown = io.StringIO()
    with pytest.raises(ValueError, match="broken"), reading(Console(file=shown, force_terminal=True, width=80), 9):
        raise ValueError("broken")
    assert "\x1b[?25h" in shown.getvalue()  # the cursor is shown again
