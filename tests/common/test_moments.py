from __future__ import annotations

import pytest
from driftgauge.common.moments import moment

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOW - 90),
        ("2m", NOW - 120),
        ("24h", NOW - 86_400),
        ("400d", NOW - 400 * 86_400),
        ("2026-01-31", 1_769_817_600.0),
        ("2026-01-31T12:00:00.25+01:00", 1_769_857_200.25),
        ("2016-12-31T23:59:60Z", 1_483_228_800.0),
        ("1700000000.5", NOW + 0.5),
        ("-1", -1.0),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago(text: str, expected: float) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "often", "0d", "1w", "2026-02-30", "1e9", "9" * 400, "٣d", "24h ", "2026-01-31\n"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        moment(text, NOW)
