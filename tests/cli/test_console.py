from __future__ import annotations

from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from driftgauge.cli.console import NamesConsole, console, replace_unprintable
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b'caf? 1 -> 2 >= 1 - "x"... ? ?'),
        ("latin-1", b'caf\xe9 1 -> 2 >= 1 \xb7 "x"... ? ?'),
        ("utf-8", "café 1 → 2 ≥ 1 · “x”… 漢 ?".encode()),
    ],
)
def test_what_a_terminal_lacks_is_written_otherwise(encoding: str, shown: bytes) -> None:
    raw = BytesIO()
    stream = TextIOWrapper(raw, encoding=encoding)
    replace_unprintable(stream)
    stream.write("café 1 → 2 ≥ 1 · “x”… 漢 \udce9")
    stream.flush()
    assert raw.getvalue() == shown


def test_a_stream_of_another_kind_is_left_alone() -> None:
    stream = StringIO()
    replace_unprintable(stream, None)
    stream.write("→")
    assert stream.getvalue() == "→"


EVIL = "a\x1b[2J\x1b]0;title\x07b\x9b31mc\u202ed\x7f"
"""A name that would clear the screen, name the window, change the colour and turn the direction."""
SHOWN = "a[2J]0;titleb31mcd"


def _table(name: str) -> Table:
    table = Table(name, box=None)
    table.add_row(name)
    return table


@pytest.mark.parametrize("made", [str, Text, _table], ids=["text", "styled", "table"])
def test_a_name_commands_no_terminal(made: Callable[[str], RenderableType]) -> None:
    raw = StringIO()
    NamesConsole(file=raw, markup=False, emoji=False, highlight=False, force_terminal=False).print(made(EVIL))
    assert {line.strip() for line in raw.getvalue().splitlines()} == {SHOWN}


def test_what_is_styled_keeps_its_colour_alone() -> None:
    raw = StringIO()
    NamesConsole(file=raw, force_terminal=True, color_system="standard", no_color=False).print(Text(EVIL, "red"))
    assert raw.getvalue() == f"\x1b[31m{SHOWN}\x1b[0m\n"


def test_commands_print_with_such_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(f"note: {EVIL}")
    console(stderr=True).print(f"note: {EVIL}", soft_wrap=True)
    shown = capsys.readouterr()
    assert (shown.out.strip(), shown.err.strip()) == (f"note: {SHOWN}",) * 2
