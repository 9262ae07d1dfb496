"""Decides which alerts go to each receiver, and when, as Alertmanager's routes do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from driftgauge.notifications.messages import GROUP, SEVERITIES
from driftgauge.notifications.samples import Labels

HOUR: Final = 3_600.0


@dataclass(frozen=True)
class Route:
    """The alerts that a receiver wants, and how often."""

    name: str
    severity: str = "warning"
    models: Collection[str] = ()
    send_resolved: bool = True
    repeat_seconds: float = 14_400.0
    most_an_hour: int = 20

    def wants(self, labels: Labels) -> bool:
        """Return whether the receiver gets an alert with some labels."""
        level = labels.get("severity", "")
        is_severe = level in SEVERITIES and SEVERITIES.index(level) >= SEVERITIES.index(self.severity)
        return is_severe and (not self.models or labels.get("model_name") in self.models)


@dataclass(frozen=True)
class Pace:
    """How messages are spread over time."""

    wait_seconds: float = 30.0
    """Time that a first message waits for other alerts of its group."""
    group_seconds: float = 300.0
    """Least time between messages about changes in a group."""


@dataclass(frozen=True)
class Firing:
    """An alert that fires."""

    fingerprint: str
    labels: Labels
    fired_at: float

    @property
    def group(self) -> str:
        """The group of its messages: its model, version and severity."""
        return group_of(self.labels)


@dataclass(frozen=True)
class Known:
    """An alert that a receiver was notified of."""

    fingerprint: str
    labels: Labels
    fired_at: float
    told_at: float
    """Time of the last message with it; 0 if the last message with it was given up, so that it is in the next one."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Its texts at that time."""


@dataclass(frozen=True)
class Past:
    """What a receiver was notified of so far."""

    known: Sequence[Known] = ()
    last_at: Mapping[str, float] = field(default_factory=dict)
    """When the last message of each group was made."""
    waiting: Collection[str] = ()
    """Groups with a message that has not arrived yet: they get no further one."""
    in_last_hour: int = 0
    """Messages of the last hour."""


@dataclass(frozen=True)
class Plan:
    """One message: all firing alerts of its group, and the resolved ones."""

    group: str
    firing: Sequence[Firing]
    over: Sequence[Known]


@dataclass(frozen=True)
class Plans:
    """The messages that a receiver gets now."""

    messages: Sequence[Plan] = ()
    left_out: Sequence[tuple[str, str]] = ()
    """Fingerprint and status of each change that must wait, because there were too many messages."""
    forgotten: Sequence[str] = ()
    """Fingerprints of resolved alerts that the receiver is not notified of."""


def group_of(labels: Labels) -> str:
    """Return the group of an alert's labels.

    >>> group_of({"model_name": "delay", "model_version": "1", "severity": "warning"})
    'delay/1/warning'
    """
    return "/".join(labels.get(name, "") for name in (*GROUP, "severity"))


def plan(route: Route, shown: Sequence[Firing], still: Collection[str], past: Past, pace: Pace, at: float) -> Plans:
    """Return the messages that are due.

    `shown` are the alerts that fire without the silenced ones, `still` the fingerprints of all that fire: one that is
    silenced is not over.
    """
    groups: dict[str, list[Firing]] = defaultdict(list)
    for alert in shown:
        if route.wants(alert.labels):
            groups[alert.group].append(alert)
    known: dict[str, list[Known]] = defaultdict(list)
    for told in past.known:
        known[group_of(told.labels)].append(told)
    messages: list[Plan] = []
    left_out: list[tuple[str, str]] = []
    forgotten: list[str] = []
    for group in dict.fromkeys([*groups, *known]):
        firing, before = groups[group], known[group]
        over = [own for own in before if own.fingerprint not in still]
        if not route.send_resolved:
            forgotten += [own.fingerprint for own in over]
            over = []
        already = {own.fingerprint for own in before if own.told_at}
        new = [own for own in firing if own.fingerprint not in already]
        if group in past.waiting or not _is_due(route, pace, new, over, firing, before, past.last_at.get(group), at):
            continue
        if past.in_last_hour + len(messages) < route.most_an_hour:
            messages.append(Plan(group, sorted(firing, key=lambda own: own.fired_at), over))
        else:
            left_out += [(own.fingerprint, "firing") for own in new]
            left_out += [(own.fingerprint, "resolved") for own in over]
    return Plans(messages, left_out, forgotten)


def _is_due(
    route: Route,
    pace: Pace,
    new: Sequence[Firing],
    over: Sequence[Known],
    firing: Sequence[Firing],
    before: Sequence[Known],
    last_at: float | None,
    at: float,
) -> bool:
    """Return whether a group has changes that have waited for long enough, or is to be repeated."""
    if new or over:
        first = min((own.fired_at for own in new), default=at) + pace.wait_seconds
        if last_at is None:
            return at >= first
        paced = last_at + pace.group_seconds
        return at >= (paced if before else max(first, paced))
    return bool(firing) and max(own.told_at for own in before) + route.repeat_seconds <= at
