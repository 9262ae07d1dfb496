"""The families that `render` writes, as objects of prometheus_client, for registries of other programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from prometheus_client import Metric
from prometheus_client.samples import Sample

from driftgauge.metrics.catalogue import catalogue
from driftgauge.metrics.facts import MonitorFacts, ServerFacts
from driftgauge.metrics.render import EVERYTHING, Exposed, render_chunks
from driftgauge.metrics.server_series import PROCESS, server_series

_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_HELP: Final = "# HELP "
PLAIN_TEXT: Final = "text/plain;version=0.0.4"
_OF_PROCESS: Final = frozenset({"python_info", *(spec.name for spec in PROCESS)})
"""Families that registries have of their own."""


def families(monitors: Sequence[MonitorFacts], server: ServerFacts, exposed: Exposed = EVERYTHING) -> Iterator[Metric]:
    """Yield the families of `/metrics` without those of the process and the interpreter.

    They are read from the written text, so that both are the same. That is simpler than prometheus_client's parser,
    and takes a sixth of the time, because families share their labels.
    """
    pieces, _ = render_chunks(PLAIN_TEXT, monitors, server, exposed)
    yield from read_families(b"".join(pieces).decode(), _OF_PROCESS)


def read_families(page: str, left_out: Collection[str] = ()) -> Iterator[Metric]:
    """Yield the families of a page that `render` wrote as Prometheus text, without some names."""
    read = _Labels()
    for text in page.split(f"\n{_HELP}"):
        lines = text.removeprefix(_HELP).split("\n")
        if lines[0].partition(" ")[0] not in left_out:
            yield _family(lines, read)


def described() -> Iterator[Metric]:
    """Yield the same families without samples."""
    left_out = _OF_PROCESS | {spec.name for spec in server_series(())}
    for name, kind, _, text in catalogue():
        if name not in left_out:
            yield Metric(name.removesuffix("_total") if kind == "counter" else name, text, kind)


class _Labels:
    """Reads labels; most of them stand in many lines."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def of(self, text: str) -> dict[str, str]:
        """Return the labels that are written in braces."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = {name: _unescaped(value) for name, value in _LABEL.findall(text)}
        return found.copy()


def _family(lines: Sequence[str], read: _Labels) -> Metric:
    name, _, text = lines[0].partition(" ")
    kind = lines[1].rpartition(" ")[2]
    family = Metric(name.removesuffix("_total") if kind == "counter" else name, _unescaped(text), kind)
    family.samples = [_sample(line, read.of) for line in lines[2:] if line]
    return family


def _sample(line: str, labels: Callable[[str], dict[str, str]]) -> Sample:
    start, _, number = line.rpartition(" ")
    name, _, rest = start.partition("{")
    return Sample(name, labels(rest[:-1]) if rest else {}, float(number))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text)
