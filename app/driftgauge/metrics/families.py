"""The families that `render` writes, as objects of prometheus_client, for registries of other programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
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
_TEXT: Final = "text/plain;version=0.0.4"
_OF_PROCESS: Final = frozenset({"python_info", *(spec.name for spec in PROCESS)})
"""Families that registries have of their own."""


def families(monitors: Sequence[MonitorFacts], server: ServerFacts, exposed: Exposed = EVERYTHING) -> Iterator[Metric]:
    """Yield the families of `/metrics` without those of the process and the interpreter.

    They are read from the written text, so that both are the same. That is simpler than prometheus_client's parser,
    and takes a sixth of the time, because families share their labels.
    """
    pieces, _ = render_chunks(_TEXT, monitors, server, exposed)
    read = _Labels()
    for text in b"".join(pieces).decode().split(f"\n{_HELP}"):
        family = _family(text.removeprefix(_HELP).split("\n"), read)
        if family is not None:
            yield family


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


def _family(lines: Sequence[str], read: _Labels) -> Metric | None:
    name, _, text = lines[0].partition(" ")
    if name in _OF_PROCESS:
        return None
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
