"""Processes that use two versions of the state, in turns: catch-up, memory, and evaluations."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.reference.build import build_baseline

from benchmarks.contestants.catalogue import ROOT, environment
from benchmarks.pairing import Pairs
from benchmarks.processes import EVERY_CORE, MIB, Memory, memory, on_core
from benchmarks.serving_models import feature_names
from benchmarks.state_serving import named_workers

CORE: Final = 0
REFERENCE_ROWS: Final = 10_000
FILL_ROWS: Final = 12_000
"""More than the largest window holds."""
FILL_SECONDS: Final = 3_600.0
MEMORY_ROWS: Final = 28_000
"""More than the files of a worker hold, so that all of their pages are in use."""
LOG_SECONDS: Final = 4.0
"""How long rows arrive until a log is half full."""
EVALUATION_SECONDS: Final = 5.0
"""How long rows arrive between two evaluations."""
EVALUATION_ROWS: Final = 500
BUSY_ROWS: Final = 500
"""Before a busy evaluation; more arrive during it."""
TURNS_OF_A_START: Final = 3
FREED_AT_ONCE: Final = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), "131072")
"""Makes glibc return freed arrays to the kernel, so that memory is what is in use."""
KIB: Final = 1024


@dataclass(frozen=True)
class Probe:
    """A process that uses the state of one version."""

    process: subprocess.Popen[str]

    def ask(self, command: str, **arguments: object) -> Any:
        """Return the answer to a command; see `state_probe`."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([command, arguments]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command}: the process ended with {self.process.wait()}")
        return json.loads(line)

    def memory(self) -> Memory:
        """Return the memory of the process."""
        return memory(self.process.pid)


@contextlib.contextmanager
def probing(root: Path, core: int = CORE, own: Mapping[str, str] | None = None) -> Iterator[Probe]:
    """Run a process that imports the `app` of a folder, on a core, with additional variables."""
    env = environment({"PYTHONPATH": os.pathsep.join((str(root / "app"), str(ROOT))), **(own or {})})
    command = on_core(core, [sys.executable, "-m", "benchmarks.state_probe"])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT, text=True
    ) as process:
        try:
            yield Probe(process)
        except BaseException:
            process.kill()
            raise


def package_of(root: Path) -> Path:
    """Return the package that Python imports for the `app` of a folder."""
    with probing(root) as probe:
        return Path(probe.ask("where")["file"])


def baseline_file(columns: int, folder: Path) -> Path:
    """Write a baseline of independent standard normal columns."""
    values = np.random.default_rng(columns).normal(size=(columns, REFERENCE_ROWS))
    baseline = build_baseline(dict(zip(feature_names(columns), values, strict=True)), created="2026-01-01T00:00:00Z")
    path = folder / f"baseline{columns}.json"
    path.write_text(dumps(baseline), encoding="utf-8")
    return path


@contextlib.contextmanager
def _opened(roots: Sequence[Path], baseline: Path, folder: Path) -> Iterator[list[tuple[Probe, Mapping[str, Any]]]]:
    """Open a state in each version, and fill its windows; with the answers to `open`."""
    with contextlib.ExitStack() as stack:
        found = []
        for root in roots:
            probe = stack.enter_context(probing(root))
            probe.ask("load", baseline=str(baseline))
            answer = probe.ask("open", folder=tempfile.mkdtemp(dir=folder))
            probe.ask("fill", rows=FILL_ROWS, seconds=FILL_SECONDS)
            probe.ask("evaluate", rows=0, busy=False)
            found.append((probe, answer))
        yield found


def _in_turns(probes: Sequence[Probe], turn: int, command: str, **arguments: object) -> list[Any]:
    """Ask both processes, in every other turn the last one first; return the answers in the order of the processes."""
    places = range(len(probes)) if turn % 2 == 0 else reversed(range(len(probes)))
    answers = {place: probes[place].ask(command, **arguments) for place in places}
    return [answers[place] for place in sorted(answers)]


# ---------------------------------------------------------------- catch-up


def _starts(turns: int) -> Iterator[int]:
    """Yield how many turns each start of the processes has: memory that was used before makes some of them slower."""
    for first in range(0, turns, TURNS_OF_A_START):
        yield min(TURNS_OF_A_START, turns - first)


@dataclass
class _CatchUps:
    """Catch-ups with a number of rows."""

    wall: Pairs
    cpu: Pairs
    written: Pairs
    derived: Pairs
    """The part of `written` in the checkpoint, which version 0.1.0 has not."""

    @classmethod
    def named(cls, name: str) -> _CatchUps:
        return cls(
            Pairs(f"{name}: wall, ms", 2),
            Pairs(f"{name}: CPU, ms", 2),
            Pairs(f"{name}: changed pages of all files, KiB", 0),
            Pairs(f"{name}: of these in the checkpoint, KiB", 0),
        )

    def measure(self, probes: Sequence[Probe], turns: int, rows: int, seconds: float) -> None:
        """Measure catch-ups with rows that arrived within some seconds."""
        arriving = {"rows": rows, "per_second": rows / seconds}
        _in_turns(probes, 0, "catch_up", **arriving)  # not counted
        for turn in range(turns):
            before, after = _in_turns(probes, turn, "catch_up", **arriving)
            self.wall.add(1e3 * before["wall"], 1e3 * after["wall"])
            self.cpu.add(1e3 * before["cpu"], 1e3 * after["cpu"])
        before, after = _in_turns(probes, 0, "written", **arriving)
        self.written.add(sum(before.values()) / KIB, sum(after.values()) / KIB)
        for values, own in ((self.derived.before, before), (self.derived.after, after)):
            values += [changed / KIB for file, changed in own.items() if file == "checkpoint.state"]

    def pairs(self) -> list[Pairs]:
        """Return what was measured."""
        return [self.wall, self.cpu, self.written, *([self.derived] if self.derived.after else [])]


def catch_ups(roots: Sequence[Path], columns: int, turns: int, baseline: Path, folder: Path) -> list[Pairs]:
    """Measure catch-ups with a half-full log, and with the rows of an evaluation interval."""
    found: dict[tuple[int, float], _CatchUps] = {}
    for count in _starts(turns):
        with _opened(roots, baseline, folder) as opened:
            half_full = max(answer["half_full"] for _, answer in opened)
            for rows, seconds in ((half_full, LOG_SECONDS), (EVALUATION_ROWS, EVALUATION_SECONDS)):
                name = f"{columns:,} columns, {rows:,} rows in {seconds:g} s"
                own = found.setdefault((rows, seconds), _CatchUps.named(name))
                own.measure([probe for probe, _ in opened], count, rows, seconds)
    return [pairs for own in found.values() for pairs in own.pairs()]


# ---------------------------------------------------------------- memory


def memories(
    roots: Sequence[Path], columns: int, workers: int, turns: int, baseline: Path, folder: Path
) -> list[Pairs]:
    """Measure the files and the memory of processes that share a state, per process, after hours of traffic."""
    name = f"{columns:,} columns, {named_workers(workers)}"
    files = Pairs(f"{name}: files, MiB each", 1)
    rss, pss = Pairs(f"{name}: RSS, MiB each", 1), Pairs(f"{name}: PSS, MiB each", 1)
    for turn in range(turns):
        order = roots if turn % 2 == 0 else roots[::-1]
        found = [_grown(root, workers, baseline, folder) for root in order]
        before, after = found if turn % 2 == 0 else found[::-1]
        for pairs, own, other in zip((files, rss, pss), before, after, strict=True):
            pairs.add(own, other)
    return [files, rss, pss]


def _grown(root: Path, workers: int, baseline: Path, folder: Path) -> tuple[float, float, float]:
    """Return the files, and the growth of RSS and PSS, in MiB per process."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(probing(root, EVERY_CORE, FREED_AT_ONCE)) for _ in range(workers)]
        for probe in probes:
            probe.ask("load", baseline=str(baseline))
        before = [probe.memory() for probe in probes]
        state = tempfile.mkdtemp(dir=folder)
        for probe in probes:
            probe.ask("open", folder=state)
        for probe in probes:
            probe.ask("fill", rows=MEMORY_ROWS, seconds=FILL_SECONDS)
        for probe in probes:
            probe.ask("evaluate", rows=0, busy=False)
        after = [probe.memory() for probe in probes]
        files = sum(probes[0].ask("files").values()) / MIB
    rss = sum(own.rss for own in after) - sum(own.rss for own in before)
    pss = sum(own.pss or 0.0 for own in after) - sum(own.pss or 0.0 for own in before)
    return files / workers, rss / workers, pss / workers


# ---------------------------------------------------------------- evaluations


def evaluations(roots: Sequence[Path], columns: int, turns: int, baseline: Path, folder: Path) -> list[Pairs]:
    """Measure evaluations in turns, without new rows and with."""
    quiet = Pairs(f"{columns:,} columns, quiet: CPU of an evaluation, ms", 1)
    busy = Pairs(f"{columns:,} columns, busy: CPU of an evaluation, ms", 1)
    whole = Pairs(f"{columns:,} columns, busy: CPU with its rows, ms", 1)
    for count in _starts(turns):
        with _opened(roots, baseline, folder) as opened:
            probes = [probe for probe, _ in opened]
            for before, after in _evaluations(probes, count, 0, busy=False):
                quiet.add(1e3 * before["evaluation"], 1e3 * after["evaluation"])
            for before, after in _evaluations(probes, count, BUSY_ROWS, busy=True):
                busy.add(1e3 * before["evaluation"], 1e3 * after["evaluation"])
                whole.add(1e3 * before["turn"], 1e3 * after["turn"])
    return [quiet, busy, whole]


def _evaluations(probes: Sequence[Probe], turns: int, rows: int, *, busy: bool) -> list[list[Any]]:
    """Return the answers of both processes in each turn but the first."""
    return [_in_turns(probes, turn, "evaluate", rows=rows, busy=busy) for turn in range(turns + 1)][1:]
