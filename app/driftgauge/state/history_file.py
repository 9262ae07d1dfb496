"""The file of a history: shared by the workers of a model version, and replaced where it is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import allocate
from driftgauge.drift.verdict.history import History
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.files import (
    HEADER_BYTES,
    FileIdentity,
    MappedFile,
    StateKey,
    Truncated,
    Unsound,
    create,
    layout_hash,
)
from driftgauge.state.history import RESOLUTIONS, HistoryBuffer, HistoryShape

HISTORY_FILE: Final = "history.state"
UNKEPT: Final = "this worker keeps its history in memory"


class HistoryFile:
    """The history of a model version, as one worker sees it: in a file, or in memory where it has none."""

    def __init__(
        self,
        folder: Path,
        key: StateKey,
        shape: HistoryShape,
        service: int,
        is_shared: Callable[[], bool],
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """Use a file while `is_shared` says so; `service` is the `service_id` of the supervisor."""
        self._path = folder / HISTORY_FILE
        self._shape = shape
        self._service = service
        self._is_shared = is_shared
        layout = layout_hash(shape.layout.fields, RESOLUTIONS)
        self._identity = FileIdentity(**vars(key), kind="history", layout=layout)
        self._failpoint = failpoint
        self._memory = HistoryBuffer(shape, failpoint=failpoint)
        """The history of this worker alone, which ends with its process."""
        self._mapped: tuple[MappedFile, HistoryBuffer] | None = None

    @property
    def current(self) -> HistoryBuffer:
        """The history as the workers share it, or that of this worker where there is no usable file."""
        if self._is_shared():
            with suppress(OSError, ValueError):
                return self._opened()[1]
        return self._memory

    def keep(self, report: History, note: Callable[[str], None]) -> None:
        """Keep the verdicts of one report; a file that is lost is created. The caller holds the evaluation lock.

        Without a usable file they are kept in memory; `note` is called with what was found.
        """
        history = self._memory
        if self._is_shared():
            try:
                history = self._repaired(note)
            except OSError as error:
                note(f"{HISTORY_FILE}: {error.strerror or error}; {UNKEPT}")
        history.keep(report)

    def flush(self) -> None:
        """Write it to the disk."""
        if self._mapped is not None and not self._mapped[0].is_cut:
            self._mapped[0].content.flush()

    def _opened(self) -> tuple[MappedFile, HistoryBuffer]:
        """Return the file and the history in it; ValueError for another identity, OSError if it is unreadable."""
        mapped = self._mapped
        if mapped is None or mapped[0].damage():
            file = MappedFile(self._path, self._identity, self._shape.layout)
            mapped = self._mapped = file, HistoryBuffer(self._shape, file.body, self._failpoint)
        return mapped

    def _repaired(self, note: Callable[[str], None]) -> HistoryBuffer:
        """Return the history in the file, which is mended or created where that is necessary."""
        layout, before = self._shape.layout, self._mapped
        try:
            file, history = self._opened()
            file.restore_header(self._service)
            return history
        except Truncated as error:
            note(f"{HISTORY_FILE}: {error}")
            allocate(self._path, HEADER_BYTES + layout.size_bytes)
        except Unsound as error:
            note(f"{HISTORY_FILE}: {error}; it begins again")
            create(self._path, self._identity, layout, lambda body: None, self._service)
        except FileNotFoundError:  # what this worker still knows of a deleted file is written again

            def fill(body: memoryview) -> None:
                if before is not None and not before[0].is_cut:
                    body[:] = before[0].body

            create(self._path, self._identity, layout, fill, self._service)
        except ValueError:  # of another baseline
            create(self._path, self._identity, layout, lambda body: None, self._service)
        return self._opened()[1]
