"""Claims: which state counts the messages of a partition up to which offset, as the group's commits say it.

A process claims messages before it appends their rows: it commits the offset after them, and says in the metadata of
the commit which state they belong to. Kafka takes a commit only of a member of the group as it is now. So each message
belongs to one state, whatever ends when, and a state that comes back knows which of its messages are still to be
counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

_MARK: Final = "driftgauge1"
_MODEL: Final = "model="
MODEL_CHARACTERS: Final = 40
"""Most characters of a model's name that a commit holds."""
MOST_STATES: Final = 64
"""States that are remembered for a partition."""
MOST_BYTES: Final = 4_096
"""Most bytes of metadata that brokers take; a longer one would fail every commit."""


@dataclass(frozen=True)
class Claims:
    """How far each state has claimed a partition, the latest claim first."""

    ends: Mapping[str, int] = field(default_factory=dict)
    """The offset after the last message that belongs to a state, by the state's identity."""
    model: str = ""
    """Name of the model whose rows the latest messages are; empty if it is not known."""

    @classmethod
    def of(cls, committed: Any) -> Claims:
        """Return those of an offset that was committed, none where another program did or nothing is."""
        words = (committed.metadata or "").split() if committed.offset >= 0 else []
        if words[:1] != [_MARK]:
            return cls()
        model = unquote(words.pop(1)[len(_MODEL) :]) if words[1:] and words[1].startswith(_MODEL) else ""
        try:
            found = {owner: int(end) for owner, _, end in (entry.rpartition(":") for entry in words[1:])}
        except ValueError:
            return cls()
        return cls(found, model) if next(iter(found.values()), -1) == committed.offset else cls()

    @property
    def latest(self) -> str | None:
        """The state that made the latest claim; None without any."""
        return next(iter(self.ends), None)

    def after(self, owner: str, end: int, model: str = "") -> Claims:
        """Return the claims once a state of a model has claimed the messages before an offset.

        The oldest ones have to fit.
        """
        others = [own for own in self.ends.items() if own[0] != owner][: MOST_STATES - 1]
        room = MOST_BYTES - len(_MARK) - len(_word(model)) - len(_entry(owner, end))
        left = [room := room - len(_entry(*own)) for own in others]
        kept = [own for own, after in zip(others, left, strict=True) if after >= 0]
        return Claims(dict([(owner, end), *kept]), model)

    def metadata(self) -> str:
        """Return the text that a commit holds."""
        return "".join([_MARK, _word(self.model), *(_entry(owner, end).decode() for owner, end in self.ends.items())])


def _word(model: str) -> str:
    """Return the name of a model as a word of ASCII, cut if it is long."""
    return f" {_MODEL}{quote(model[:MODEL_CHARACTERS], safe='')}" if model else ""


def _entry(owner: str, end: int) -> bytes:
    return f" {owner}:{end}".encode()
