from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from driftgauge.errors import SettingsError
from driftgauge.settings.options import load
from driftgauge.settings.outcomes import MOST_OUTCOMES, OutcomeSettings

Toml = Callable[[str], Path]
FILE = """
[outcomes.click]
kind = "event"
absent = 0
below = [0.02, 0.01]

[outcomes.revenue]
kind = "number"
window = "36h"
above = [100, 200.5]
"""


def test_a_file_has_a_table_for_each_outcome(toml: Toml) -> None:
    assert load(config=toml(FILE)).outcomes == {
        "click": OutcomeSettings(kind="event", absent=0.0, below=(0.02, 0.01)),
        "revenue": OutcomeSettings(kind="number", window="36h", above=(100.0, 200.5)),
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "outcomes.click.kind: give number or event"),
        ('kind = "rate"', "outcomes.click.kind: 'rate' cannot be used: give number or event"),
        ('kind = "event"\ncolour = 1', "outcomes.click.colour: unknown key; an outcome takes kind, window"),
        ('kind = "event"\nwindow = "soon"', "outcomes.click.window: "),
        ('kind = "event"\nwindow = 7', "outcomes.click.window: 7 cannot be used: give a time such as 7d"),
        ('kind = "event"\nabsent = nan', "outcomes.click.absent: nan cannot be used: give a number"),
        ('kind = "event"\nbelow = [0.1, 0.2]', "outcomes.click.below: give [warning, critical], the second not above"),
        ('kind = "event"\nabove = [0.2, 0.1]', "outcomes.click.above: give [warning, critical], the second not below"),
        ('kind = "event"\nabove = 1', "outcomes.click.above: 1 cannot be used: give [warning, critical]: two numbers"),
    ],
)
def test_a_wrong_table_is_refused_with_what_to_give(table: str, words: str, toml: Toml) -> None:
    with pytest.raises(SettingsError) as caught:
        load(config=toml(f"[outcomes.click]\n{table}"))
    assert words in str(caught.value)


def test_outcomes_that_are_no_tables_or_too_many_are_refused(toml: Toml) -> None:
    with pytest.raises(SettingsError, match=r"^outcomes\.click: 5 cannot be used: give a table"):
        load(config=toml("[outcomes]\nclick = 5"))
    with pytest.raises(SettingsError, match="'Click' is no name: give small letters"):
        load({"outcomes": '{"Click": {"kind": "event"}}'})
    many = {f"o{number}": {"kind": "event"} for number in range(MOST_OUTCOMES + 1)}
    with pytest.raises(SettingsError, match="21 outcomes are too many: give at most 20"):
        load({"outcomes": json.dumps(many)})
