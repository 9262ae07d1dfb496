"""What a prediction request executes in versions of Driftgauge: calls of functions, and instructions of bytecode.

Each version answers the same requests of one row in a process of its own, without a network and without a collector.
The counts are those of the thread of the event loop; they do not depend on how busy the machine is. Prints a table for
benchmarks/README.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from benchmarks.contestants.catalogue import ROOT, environment
from benchmarks.measuring import number, table
from benchmarks.serving_models import LOGISTIC, fit
from benchmarks.telemetry import FEATURES

THIS: Final = "this version, off"
HEADS: Final = ("version", "calls a request", "instructions a request")
MOST_DIFFERENT: Final = 10
"""Functions that are named because a version calls them more or less often than this one."""


def versions(named: Sequence[str]) -> dict[str, Path]:
    """Return folders of checkouts by the names of versions, this one last; BadParameter for one without a name.

    >>> list(versions(["before=/srv/before"]))
    ['before', 'this version, off']
    """
    found: dict[str, Path] = {}
    for own in named:
        name, equals, folder = own.partition("=")
        if not (name and equals and folder):
            raise typer.BadParameter(f"{own!r} is no version: give NAME=FOLDER, the folder of a checkout")
        found[name] = Path(folder).resolve()
    return {**found, THIS: ROOT}


@contextlib.contextmanager
def answering(root: Path, bundle: Path, body: Path, state: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that answers requests by the code of a checkout."""
    paths = os.pathsep.join([str(root / "app"), str(ROOT)])
    own = {"DRIFTGAUGE_BUNDLE": str(bundle), "DRIFTGAUGE_STATE_DIR": str(state), "PYTHONPATH": paths}
    command = [sys.executable, "-m", "benchmarks.telemetry_requests", str(body)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment(own), cwd=ROOT) as process:
        file = Path(_line(process)["file"])
        if not file.is_relative_to(root):
            process.kill()
            raise RuntimeError(f"{root} is no checkout of Driftgauge: {file} was imported")
        yield process
        process.communicate()


def counted(process: subprocess.Popen[str], requests: int) -> Mapping[str, Any]:
    """Return what a request executes, in the median."""
    if process.stdin is None:
        raise RuntimeError("the process takes no commands")
    process.stdin.write(json.dumps(["count", requests]) + "\n")
    process.stdin.flush()
    found: Mapping[str, Any] = _line(process)
    return found


def _line(process: subprocess.Popen[str]) -> Any:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("the process ended before it answered; its messages are above")
    return json.loads(line)


def different(own: Mapping[str, int], other: Mapping[str, int], requests: int) -> list[str]:
    """Return the functions that `own` calls more or less often than `other`, with the calls of a request.

    >>> different({"a": 20, "b": 10}, {"b": 10, "c": 10}, 10)
    ['a +2', 'c -1']
    """
    found = {name: (own.get(name, 0) - other.get(name, 0)) / requests for name in {*own, *other}}
    largest = sorted(found, key=lambda name: (-abs(found[name]), name))
    return [f"{name} {found[name]:+.3g}" for name in largest if abs(found[name]) >= 0.5][:MOST_DIFFERENT]


def main(
    version: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER of another checkout; repeat it.")] = None,
    requests: Annotated[int, typer.Option(help="Requests whose median is taken.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the model and of the row.")] = 1,
) -> None:
    """Print what a request executes."""
    rows, calls = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fitted = fit(LOGISTIC, FEATURES, folder / "model", seed=seed, bodies=1)
        body = fitted.write_bodies(folder / "body", lambda row: {"instances": [row]})
        for nth, (own, root) in enumerate(versions(version or []).items()):
            with answering(root, fitted.bundle, body, folder / f"state-{nth}") as process:
                found = counted(process, requests)
            rows.append([own, number(found["calls"], 0), number(found["instructions"], 0)])
            calls[own] = found["of"]
    print(f"Python {platform.python_version()}; {requests} requests, seed {seed}\n")
    print(table("Telemetry: what a request executes", HEADS, rows))
    for own, found in calls.items():
        if names := different(calls[THIS], found, requests):
            print(f"{THIS}, beside {own}: {', '.join(names)}")


if __name__ == "__main__":
    typer.run(main)
