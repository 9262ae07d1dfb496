"""Damage to the files of a state while a server uses it, and the answers of the server."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

HEADER_BYTES = 4_096
FILES = ("0.log", "checkpoint.state")
Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    os.truncate(path, 5_000)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def noise(path: Path) -> None:
    """Random bytes behind the header, in place."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES)
        file.write(np.random.default_rng(1).bytes(size - HEADER_BYTES))


def zeros(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(size))


def delete(path: Path) -> None:
    path.unlink()


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_instead(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def no_rights(path: Path) -> None:
    path.chmod(0)


IN_PLACE: Mapping[str, Damage] = {"noise": noise, "zeros": zeros}
CUT: Mapping[str, Damage] = {"cut off": cut, "emptied": empty}
REPLACED: Mapping[str, Damage] = {
    "deleted": delete,
    "a folder": folder_instead,
    "a pipe": pipe_instead,
    "a link": link_instead,
    "without rights": no_rights,
}
OF_FILES: Mapping[str, Damage] = {**IN_PLACE, **CUT, **REPLACED}


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(40_000_000_000)


BESIDE: Mapping[str, Damage] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "40 GB": _huge,
    "a file of text": lambda path: path.write_text("of something else"),
}
"""Things in the place of another worker's log."""


def _folder_to_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


OF_FOLDER: Mapping[str, Damage] = {
    "deleted": shutil.rmtree,
    "a file": _folder_to_file,
    "without rights": lambda folder: folder.chmod(0),
}


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock, as a stopped process does."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@dataclass
class Seen:
    """The answers of a server in some seconds."""

    codes: dict[str, set[str]] = field(default_factory=dict)
    """By path."""
    worst: dict[str, float] = field(default_factory=dict)
    """Seconds of the slowest answer."""
    fallen: set[str] = field(default_factory=set)
    """Counters that went back."""
    counted: dict[str, float] = field(default_factory=dict)
    unhealthy: bool = False
    """Whether the status reported unhealthy monitoring at any time."""
    problems: set[str] = field(default_factory=set)

    def ask(self, client: httpx.Client, method: str, path: str, **request: object) -> httpx.Response | None:
        began = time.perf_counter()
        answer = None
        try:
            answer = client.request(method, path, **request)  # type: ignore[arg-type]  # of httpx
            code = str(answer.status_code)
        except httpx.TransportError as error:
            code = type(error).__name__
        self.codes.setdefault(path, set()).add(code)
        self.worst[path] = max(self.worst.get(path, 0.0), time.perf_counter() - began)
        return answer if code == "200" else None

    def look(self, client: httpx.Client, row: Mapping[str, object], at_least: int = 5, seconds: float = 0.0) -> Seen:
        """Predict and read the metrics and the status, a number of times and for some seconds."""
        deadline, rounds = time.monotonic() + seconds, 0
        while rounds < at_least or time.monotonic() < deadline:
            rounds += 1
            self.ask(client, "POST", "/predict", json={"instances": [row] * 50})
            if (answer := self.ask(client, "GET", "/metrics")) is not None:
                self._count(answer.text)
            if (answer := self.ask(client, "GET", "/drift/status")) is not None:
                monitoring = answer.json()["monitoring"]
                self.unhealthy |= not monitoring["healthy"]
                self.problems |= set(monitoring["problems"])
            self.ask(client, "GET", "/health")
        return self

    def _count(self, text: str) -> None:
        for family in text_string_to_metric_families(text):
            if family.type not in ("counter", "histogram"):
                continue
            for sample in family.samples:
                name = f"{sample.name}{sorted(sample.labels.items())}"
                if name.startswith("process_") or sample.name.endswith("_created"):
                    continue
                if sample.value < self.counted.get(name, 0.0):
                    self.fallen.add(name)
                self.counted[name] = max(sample.value, self.counted.get(name, 0.0))
