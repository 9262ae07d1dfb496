"""How the command line shows a field of a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints


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

    def flag_of(self, field: dataclasses.Field[Any]) -> str:
        """Return the option as it is written; a field that is True gets `--no-…`."""
        return self.flag or f"--{'no-' * (field.default is True)}{field.name.replace('_', '-')}"


def options_of(owner: Any) -> Iterator[tuple[dataclasses.Field[Any], Any, Option]]:
    """Yield the fields of a dataclass that are options, with type and annotation."""
    hints = get_type_hints(owner, include_extras=True)
    for field in dataclasses.fields(owner):
        if get_origin(hints[field.name]) is Annotated:
            kind, *notes = get_args(hints[field.name])
            yield from ((field, kind, note) for note in notes if isinstance(note, Option))


def flag(owner: Any, name: str) -> str:
    """Return how the option of a dataclass's field is written on the command line."""
    return next(option.flag_of(field) for field, _, option in options_of(owner) if field.name == name)
