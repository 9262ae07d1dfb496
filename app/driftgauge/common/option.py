"""How the command line shows a field of a dataclass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """What an option's field needs beside its name, type and default.

    `window: Annotated[str, Option("How far back an alert looks.", "TIME", "Rules")] = "5m"` becomes
    `--window TIME` in the group Rules of the command's help.
    """

    help: str
    metavar: str | None = None
    """The value's name in the help; by default one that fits the type."""
    group: str | None = None
    """Heading of the help that the option stands under."""
    flag: str | None = None
    """How the option is written where the field's name does not fit: `--for`."""
    shown_default: str | None = None
    """What the help shows as default where the field's own says nothing."""
    commas: bool = True
    """Whether a value of a tuple may hold several parts with commas between them."""
    parse: Callable[[str], object] | None = None
    """Turns a value's text, or each part of a tuple, into the field's type; ValueError if it cannot."""
