from __future__ import annotations

import pytest
from driftgauge.common.comma_lists import comma_list


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("temp", ["temp"]),
        ("temp,dewp", ["temp", "dewp"]),
        (" temp ,\tdewp\n", ["temp", "dewp"]),
        ("wind speed,temp", ["wind speed", "temp"]),
        (",temp,,dewp,", ["temp", "dewp"]),
        ("", []),
        (" , ", []),
    ],
)
def test_parts_are_those_between_commas(text: str, parts: list[str]) -> None:
    assert comma_list(text) == parts
