"""Where a partition begins, and what is lost before that."""

from __future__ import annotations

from dataclasses import dataclass

from driftgauge.state.source_positions import Position


@dataclass(frozen=True)
class Place:
    """What is known of a partition before it is read."""

    low: int
    """Offset of the oldest message that Kafka still has."""
    high: int
    """Offset of the next message."""
    known: Position | None
    """How far the state has read it; None if it has not."""
    committed: int
    """What the group has committed, negative without a commit."""
    is_ours: bool = False
    """Whether the state has made the latest claim."""
    is_claimed: bool = False
    """Whether any state has claimed messages."""
    from_beginning: bool = False
    is_added: bool = False
    """Whether the partition was added after the state first saw the topic."""

    def has(self, offset: int) -> bool:
        """Return whether reading can go on at an offset."""
        return 0 <= self.low <= offset <= self.high


@dataclass(frozen=True)
class Beginning:
    """Where reading begins."""

    position: Position
    lost: int = 0
    """Messages before it that Kafka has deleted and nobody has counted."""
    is_new_topic: bool = False
    """Whether the partition is shorter than what was read of it: its topic was deleted and created again."""


def beginning_of(place: Place) -> Beginning:
    """Return where a partition begins.

    It goes on after the rows that are in the state, if the state has made the latest claim; or after what the group
    has committed if that is further: then a process with another state has read on.
    """
    read = place.committed if place.is_claimed or not place.from_beginning else -1
    known = place.known
    if known is not None and place.has(known.offset):
        return Beginning(known if place.is_ours or not place.has(read) else max(known, Position(read)))
    if place.has(read):
        return Beginning(Position(read))
    reached = max(-1 if known is None else known.offset, read)
    if reached > place.high:
        return Beginning(Position(place.low), is_new_topic=True)
    if reached >= 0:
        return Beginning(Position(place.low), lost=place.low - reached)
    is_new = place.committed < 0 and not place.from_beginning and not place.is_added
    return Beginning(Position(place.high if is_new else place.low))
