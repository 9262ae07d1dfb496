"""Whose a model is, and what it was made from: kept in its bundle and baseline, shown wherever the model is."""

from __future__ import annotations

import dataclasses
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from driftgauge.common.option import Option
from driftgauge.common.quoting import shortened
from driftgauge.errors import AboutError

GROUP: Final = "About the model"
"""Group of the options in the commands' help."""
MOST_CHARACTERS: Final = {
    "owner": 200,
    "contact": 200,
    "description": 1_000,
    "docs_url": 1_000,
    "training_data": 500,
    "code_version": 200,
}
"""Longest text of each field."""
_FORBIDDEN: Final = {
    "Cc": "a control character",
    "Cs": "half a surrogate pair",
    "Zl": "a line break",
    "Zp": "a line break",
}
"""Categories of Unicode that no text may hold."""
_REORDERING: Final = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that show the text around them in another order."""


@dataclass(frozen=True)
class About:
    """Whose a model is, and what it was made from; each field is optional.

    Each text has one line. Everyone who can reach the server can read it. Raises AboutError for a text that is too long
    or holds control characters, and for an address that is not http(s).

    >>> import driftgauge
    >>> driftgauge.About(owner="Fraud team", contact="fraud@example.org").responsible
    'Fraud team (fraud@example.org)'
    """

    owner: Annotated[str | None, Option("Person or team that the model belongs to.", "TEXT", GROUP)] = None
    contact: Annotated[str | None, Option("Where to reach them, such as an e-mail address.", "TEXT", GROUP)] = None
    description: Annotated[str | None, Option("What the model is for.", "TEXT", GROUP)] = None
    docs_url: Annotated[str | None, Option("Address of its documentation: http(s)://…", "URL", GROUP)] = None
    training_data: Annotated[str | None, Option("What it was trained on.", "TEXT", GROUP)] = None
    code_version: Annotated[
        str | None, Option("Version of the code that trained it, such as a commit.", "TEXT", GROUP)
    ] = None

    def __post_init__(self) -> None:
        """Raise AboutError for a text that cannot be shown."""
        for name, text in self.stated.items():
            _check_text(name, text)
        if self.docs_url:
            _check_address(self.docs_url)

    @property
    def stated(self) -> dict[str, str]:
        """The fields that hold a text, by name."""
        texts = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: text for name, text in texts if text}

    @property
    def responsible(self) -> str:
        """The owner with the contact, as far as they are known: `Fraud team (fraud@example.org)`."""
        if self.owner and self.contact:
            return f"{self.owner} ({self.contact})"
        return self.owner or self.contact or ""

    def updated(self, changes: About) -> About:
        """Return these texts with those of `changes` in their place; an empty text there removes one."""
        given = {name: text for name, text in vars(changes).items() if text is not None}
        return About(**{name: text or None for name, text in (vars(self) | given).items()})

    def as_json(self) -> dict[str, str | None] | None:
        """Return every field, None where there is no text; None if no field has one."""
        stated = self.stated
        return {field.name: stated.get(field.name) for field in dataclasses.fields(self)} if stated else None


NOTHING: Final = About()


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise AboutError(f"{name} is {shortened(repr(text))}: give a text")
    most = MOST_CHARACTERS[name]
    if len(text) > most:
        raise AboutError(f"{name} has {len(text):,} characters: give at most {most:,}")
    if not text.strip():
        raise AboutError(f"{name} is blank: give a text or leave it out")
    for sign in text:
        what = "a mark of text direction" if sign in _REORDERING else _FORBIDDEN.get(unicodedata.category(sign))
        if what is not None:
            raise AboutError(f"{name} holds {what} (U+{ord(sign):04X}): give one line of plain text")


def _check_address(address: str) -> None:
    problem = _problem_of(address)
    if problem:
        raise AboutError(
            f"docs_url is {shortened(address)!r}, {problem}: give an address such as https://wiki.example.org/model"
        )


def _problem_of(address: str) -> str:
    """Return what is wrong with the address of a page, or an empty text."""
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return "which is no valid URL"
    if parts.scheme not in ("http", "https") or not has_host:
        return "which is not http(s)"
    if any(sign.isspace() or sign in '<>"\\^`{|}' for sign in address):
        return "which holds spaces, quotes or brackets"
    return "which holds a user or a password" if "@" in parts.netloc else ""
