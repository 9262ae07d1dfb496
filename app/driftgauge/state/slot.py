"""A slot: whose state is whose, in a file or in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from mmap import mmap

from driftgauge.errors import Reason
from driftgauge.state.files import HEADER_BYTES, Lease
from driftgauge.state.reader import StateReader
from driftgauge.state.state import State


@dataclass(frozen=True)
class Slot:
    """The state of a worker, which runs or has ended."""

    number: int
    key: int
    """Tells the state from others that were in the slot before."""
    state: StateReader
    file: mmap | None
    boot: str = ""
    """This start of the machine."""

    @property
    def lives(self) -> bool:
        """Whether a worker is using it, as far as its process id tells."""
        return self.file is not None and Lease.read(self.file[:HEADER_BYTES]).lives(self.boot)


@dataclass(frozen=True)
class OwnSlot(Slot):
    """A state that this process writes."""

    state: State
    uncounted: int = 0
    """Rows that were appended and not counted when the worker before this one was killed."""

    @property
    def lives(self) -> bool:
        """Whether a worker is using it: this one."""
        return True

    @property
    def pid(self) -> int:
        """The id of the process."""
        return os.getpid()


@dataclass(frozen=True)
class Recovery:
    """What could not be used as it was when a worker started, and what became of it."""

    reason: Reason
    text: str


@dataclass(frozen=True)
class Owner:
    """Whose state it is."""

    model_name: str
    model_version: str
    baseline: str
    """The hash of the baseline."""
