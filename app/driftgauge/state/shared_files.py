"""Files that all workers of a model write, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from typing import Final, TypeVar

from driftgauge.errors import Reason
from driftgauge.state.files import HEADER_BYTES, Identity, create, open_mapped
from driftgauge.state.layout import Layout
from driftgauge.state.memory import Memory, RetiredTotals
from driftgauge.state.slot import Recovery
from driftgauge.state.versions import Damaged

MEMORY_FILE: Final = "evaluation.state"
RETIRED_FILE: Final = "retired.state"
Kept = TypeVar("Kept", Memory, RetiredTotals)


class SharedFiles:
    """The files of a folder that all workers write, as one worker maps them."""

    def __init__(self, folder: Path, recoveries: list[Recovery]) -> None:
        """Map files of a folder; what could not be used as it was is added to `recoveries`."""
        self._folder = folder
        self._recoveries = recoveries
        self.mapped: Final[dict[str, mmap]] = {}
        """The open files, by name."""

    def opened(self, name: str, identity: Identity, layout: Layout, see: Callable[[memoryview], Kept]) -> Kept:
        """Return what is in a file that all workers write, in turns; made anew where it cannot be used."""
        path = self._folder / name
        try:
            file, _ = open_mapped(path, identity, layout, writable=True)
            kept = see(memoryview(file)[HEADER_BYTES:])
            kept.read()
        except FileNotFoundError:
            pass
        except Damaged as error:  # in its place, for others use it too
            self._recoveries.append(Recovery(Reason.STATE_DAMAGED, f"{name}: {error}; begun anew"))
            self.mapped[name] = file
            kept.begin()
            return kept
        except ValueError as error:
            self._recoveries.append(Recovery(Reason.STATE_FOREIGN, f"{name}: {error}; begun anew"))
        else:
            self.mapped[name] = file
            return kept
        made: list[Kept] = []

        def fill(buffer: memoryview) -> None:
            made.append(see(buffer))
            made[0].begin()

        file, _ = create(path, identity, layout, fill)
        self.mapped[name] = file
        return made[0]
