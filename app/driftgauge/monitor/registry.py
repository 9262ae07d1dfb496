"""The monitors of a server, by model name and version."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.monitor.monitor import ColumnMonitor


class Registry:
    """Monitors, in the order in which they were added."""

    def __init__(self) -> None:
        self._monitors: dict[tuple[str, str], ColumnMonitor] = {}

    def add(self, monitor: ColumnMonitor) -> None:
        """Add a monitor; ValueError if its model and version already has one."""
        key = (monitor.model_name, monitor.model_version)
        if key in self._monitors:
            raise ValueError(f"{monitor.model_name} {monitor.model_version} is already monitored")
        self._monitors[key] = monitor

    def __iter__(self) -> Iterator[ColumnMonitor]:
        return iter(self._monitors.values())

    def __len__(self) -> int:
        return len(self._monitors)

    def find(self, model_name: str | None = None) -> ColumnMonitor | None:
        """Return the latest monitor of a model, or of any; None without one."""
        found = [m for m in self if model_name in (None, m.model_name)]
        return found[-1] if found else None
