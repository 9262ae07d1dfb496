"""The profile of all rows of a consumer, kept with its state so that a kill neither loses nor repeats a row.

The rows are read from the log of the state, and what is kept says how many of them are in the profile. After a kill
the log still has the others.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import opened
from driftgauge.drift.profile.build import ProfileBuilder
from driftgauge.drift.profile.profile import Profile, merge_profiles
from driftgauge.drift.profile.profile_bytes import profile_bytes
from driftgauge.errors import ProfileError
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems

PROBLEM: Final = "profile_not_kept"
ROWS_AT_ONCE: Final = 2_048
"""Rows after which the profile is kept again; the smallest log has these and those of one step more."""
ENDING: Final = ".profile"
_HEAD: Final = struct.Struct("<QQ")
"""Key of the log, and its rows that are in the profile."""


class ProfileKeeper:
    """Counts the rows of one worker's log in a profile. One thread uses it."""

    def __init__(self, monitor: ColumnMonitor, out: Path, problems: Problems) -> None:
        """Write the profile to a file of the folder `out`, which names the state, its worker and the log."""
        self._monitor: Final = monitor
        self._sources: Final = monitor.store.sources
        self._problems: Final = problems
        # A log that begins anew, as after others have folded the one before, has a profile of its own.
        self._name: Final = f"kafka-{self._sources.owner}-{self._sources.number}-{self._sources.log_key:x}"
        self._file: Final = self._sources.file_beside(ENDING)
        self._out: Final = out
        self._has_times: Final = monitor.clock.name == "event" or monitor.baseline.is_by_hour
        self._rows, self._profile = self._kept()
        self._keep()  # so that rows after a kill are counted from here on

    def follow(self) -> None:
        """Count the rows that were appended, once they are many."""
        if self._sources.log_rows - self._rows >= ROWS_AT_ONCE:
            self._count()

    def finish(self) -> None:
        """Count all rows that were appended, and write the profile; a failure is a problem."""
        self._count()
        self._write(self._out / f"{self._name}{ENDING}", b"")

    def _count(self) -> None:
        rows = self._sources.log_rows
        values, at = self._sources.rows_since(self._rows)
        builder = ProfileBuilder(self._monitor.baseline, self._name)
        builder.add(values[:, : len(self._monitor.baseline.columns)], at if self._has_times else None)
        new = builder.profile()
        self._profile = merge_profiles([self._profile.named("before"), new.named("after")]).named(self._name)
        self._rows = rows
        self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            self._write(self._file, _HEAD.pack(self._sources.log_key, self._rows))

    def _write(self, path: Path, head: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f"{path.name}.new")
            with os.fdopen(opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(head + profile_bytes(self._profile))
            os.replace(new, path)
        except OSError as error:
            self._problems.record(PROBLEM, error)
        else:
            self._problems.resolve(PROBLEM)

    def _kept(self) -> tuple[int, Profile]:
        """Return the rows that an earlier process counted, and their profile; without one, count from here on."""
        try:
            content = b"" if self._file is None or not self._file.exists() else self._file.read_bytes()
            if content:
                key, rows = _HEAD.unpack(content[: _HEAD.size])
                profile = Profile.from_bytes(content[_HEAD.size :])
                if key == self._sources.log_key and profile.baseline_hash == self._monitor.baseline.hash:
                    return rows, profile
        except (OSError, struct.error, ProfileError) as error:
            self._problems.record(PROBLEM, error)
        return self._sources.log_rows, ProfileBuilder(self._monitor.baseline, self._name).profile()
