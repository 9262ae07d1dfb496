from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from driftgauge.common.option import Option, flag, options_of


@dataclass(frozen=True)
class Journey:
    to_place: Annotated[str, Option("Where to.", "PLACE")]
    by: Annotated[str, Option("Means of transport.", flag="--with")] = "train"
    luggage: Annotated[bool, Option("Leave the luggage at home.")] = True
    in_a_hurry: Annotated[bool, Option("Take the express.")] = False
    notes: str = ""


def test_fields_that_are_annotated_are_options() -> None:
    assert [(field.name, kind, option.metavar) for field, kind, option in options_of(Journey)] == [
        ("to_place", str, "PLACE"),
        ("by", str, None),
        ("luggage", bool, None),
        ("in_a_hurry", bool, None),
    ]


def test_a_flag_is_the_fields_name_or_its_own_and_turns_off_what_is_on() -> None:
    flags = {name: flag(Journey, name) for name in ("to_place", "by", "luggage", "in_a_hurry")}
    assert flags == {"to_place": "--to-place", "by": "--with", "luggage": "--no-luggage", "in_a_hurry": "--in-a-hurry"}
