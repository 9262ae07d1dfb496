"""The samples that rules look at: the newest of each series, and as many older ones as their ranges need.

Names that no rule reads are left out. A series that a page of metrics no longer has is stale, as in Prometheus.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

Labels = Mapping[str, str]
Point = tuple[float, float]
"""Time in seconds since 1970, and value."""

LOOKBACK_SECONDS: Final = 300.0
"""Age up to which the newest sample of a series is its value now."""
TIERS: Final = ((1_800.0, 0.0), (7_200.0, 60.0), (21_600.0, 180.0), (259_200.0, 1_000.0))
"""Age in seconds up to which samples are kept, at least how far apart: old ones matter to long ranges alone."""
MOST_LINES: Final = 500_000
"""Different series after which the index of their texts begins again."""
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Series:
    """The samples of one series, oldest first."""

    __slots__ = ("_range", "_tiers", "is_stale", "labels", "page")

    def __init__(self, labels: Labels, range_seconds: float) -> None:
        """Take its labels, and the longest range that a rule looks at."""
        self.labels = labels
        self.is_stale = False
        self.page = 0
        """The last page that had it."""
        self._range = range_seconds
        self._tiers: list[deque[Point]] = [deque()]

    def add(self, at: float, value: float) -> None:
        """Append a sample, and drop those that no range reaches."""
        self.is_stale = False
        self._tiers[0].append((at, value))
        for number, (age, _) in enumerate(TIERS):
            if number == len(self._tiers):
                break
            points, reach = self._tiers[number], at - min(age, self._range)
            while points and points[0][0] < reach and points[0][0] != at:
                self._keep(number + 1, points.popleft())

    def _keep(self, number: int, point: Point) -> None:
        """Move a sample to the next tier, if a range reaches so far and it is not too close to the one before."""
        if number == len(TIERS) or self._range <= TIERS[number - 1][0]:
            return
        if number == len(self._tiers):
            self._tiers.append(deque())
        points = self._tiers[number]
        if not points or point[0] - points[-1][0] >= TIERS[number][1]:
            points.append(point)

    @property
    def has_samples(self) -> bool:
        """Whether there is any."""
        return bool(self._tiers[0])

    @property
    def last(self) -> Point:
        """The newest sample."""
        return self._tiers[0][-1]

    def within(self, start: float, end: float) -> list[Point]:
        """Return the samples of a range, both ends included."""
        return [point for points in reversed(self._tiers) for point in points if start <= point[0] <= end]


@dataclass(frozen=True)
class Wanted:
    """The names that rules read, and the longest range of each that they look at."""

    ranges: Mapping[str, float]
    """Seconds by name; 0 for the newest sample alone."""


class Samples:
    """The series of a server's metrics, by name."""

    def __init__(self, wanted: Wanted, labels: Labels) -> None:
        """Take what rules read, and labels that each series gets, such as `job`."""
        self._ranges = wanted.ranges
        self._own = labels
        self._by_name: dict[str, dict[tuple[tuple[str, str], ...], Series]] = {}
        self._by_text: dict[str, Series | None] = {}
        self._page = 0

    def read(self, pages: Iterable[str], at: float) -> Iterator[None]:
        """Add the samples of a page of metrics in Prometheus' text format; yields between its pieces."""
        self._page += 1
        if len(self._by_text) > MOST_LINES:
            self._by_text.clear()
        for text in pages:
            for line in text.splitlines():
                if line and line[0] != "#":
                    self._read_line(line, at)
            yield
        yield from self._age(at)

    def _read_line(self, line: str, at: float) -> None:
        end = line.rfind("}") + 1 or line.find(" ")
        series = line[:end]
        found = self._by_text.get(series, ...)
        if found is ...:
            name = series.partition("{")[0]
            labels = {key: _unescaped(value) for key, value in _LABEL.findall(series[len(name) :])}
            found = self._by_text[series] = (
                self._series(name, {**self._own, **labels}) if name in self._ranges else None
            )
        if found is not None:
            found.add(at, float(line[end:].split()[0]))
            found.page = self._page

    def add(self, name: str, labels: Labels, value: float, at: float) -> None:
        """Add one sample."""
        series = self._series(name, labels)
        series.add(at, value)
        series.page = self._page

    def record(self, name: str, found: Iterable[tuple[Labels, float]], at: float) -> None:
        """Add what a recording rule found; its other series have no value now."""
        for series in self._by_name.get(name, {}).values():
            series.is_stale = True
        for labels, value in found:
            self.add(name, labels, value, at)

    def _series(self, name: str, labels: Labels) -> Series:
        key = tuple(sorted(labels.items()))
        known = self._by_name.setdefault(name, {})
        if key not in known:
            known[key] = Series(labels, self._ranges.get(name, 0.0))
        return known[key]

    def _age(self, at: float) -> Iterator[None]:
        """Mark series that the page has not as stale, and forget those that no range reaches any more."""
        is_any_forgotten = False
        for name, known in self._by_name.items():
            reach = max(self._ranges.get(name, 0.0), LOOKBACK_SECONDS)
            for series in known.values():
                series.is_stale = series.is_stale or series.page != self._page
            forgotten = [key for key, series in known.items() if series.is_stale and series.last[0] < at - reach]
            for key in forgotten:
                del known[key]
            is_any_forgotten = is_any_forgotten or bool(forgotten)
            yield
        if is_any_forgotten:
            self._by_text.clear()  # the next page fills it again

    def named(self, name: str) -> Iterable[Series]:
        """Return the series of a name that have samples."""
        return (series for series in self._by_name.get(name, {}).values() if series.has_samples)

    def names(self) -> Iterable[str]:
        """Return the names that have series."""
        return self._by_name


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], value) if "\\" in value else value


def names_in(text: str) -> set[str]:
    """Return the names before a `{` in a text, which are those of the series that its queries read.

    >>> sorted(names_in("printf `max(last_over_time(model_psi{job=%q}[5m])) / up{}`"))
    ['model_psi', 'up']
    """
    return {found.group(1) for found in re.finditer(rf"({_NAME.pattern})\{{", text)}
