from __future__ import annotations

from io import BytesIO, StringIO, TextIOWrapper

import pytest
from driftgauge.cli.console import replace_unprintable


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
