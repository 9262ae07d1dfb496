"""GPUs as NVIDIA's driver reports them through NVML, and their gauges; absent without a GPU or `nvidia-ml-py`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

from driftgauge.metrics.series import Declared

T = TypeVar("T")
LIBRARY: Final = "pynvml"
"""The module of `nvidia-ml-py`."""
GPU: Final = "gpu"
"""The label with the number that the driver gives a GPU."""


@dataclass(frozen=True)
class GpuReading:
    """What the driver says of one GPU; NaN where it does not say."""

    index: int
    name: str = ""
    uuid: str = ""
    used_ratio: float = math.nan
    """Share of the last sampling period in which it computed."""
    memory_used_bytes: float = math.nan
    memory_bytes: float = math.nan
    own_memory_bytes: float = math.nan
    """Memory of this server's processes; NaN where the driver lists none of them."""
    temperature_celsius: float = math.nan
    power_watts: float = math.nan


def _gauge(
    name: str, text: str, value: Callable[[GpuReading], float]
) -> tuple[Declared, Callable[[GpuReading], float]]:
    return Declared(name, "gauge", text, (GPU,)), value


GPU_INFO: Final = Declared("gpu_info", "gauge", "A GPU of the server's machine; always 1.", (GPU, "gpu_name", "uuid"))
GPU_GAUGES: Final = (
    _gauge(
        "gpu_utilization_ratio",
        "Share of the driver's last sampling period in which the GPU computed, for any program.",
        lambda gpu: gpu.used_ratio,
    ),
    _gauge("gpu_memory_used_bytes", "Memory of the GPU that all programs use.", lambda gpu: gpu.memory_used_bytes),
    _gauge("gpu_memory_bytes", "Memory of the GPU.", lambda gpu: gpu.memory_bytes),
    _gauge(
        "gpu_server_memory_bytes",
        "Memory of the GPU that the server's processes use; absent where the driver lists none of them, as in most "
        "containers.",
        lambda gpu: gpu.own_memory_bytes,
    ),
    _gauge("gpu_temperature_celsius", "Temperature of the GPU.", lambda gpu: gpu.temperature_celsius),
    _gauge("gpu_power_watts", "Power that the GPU draws.", lambda gpu: gpu.power_watts),
)
"""Each gauge of a GPU, and its value."""


class Gpus:
    """Reads the GPUs of the machine; a machine without any is found out once."""

    def __init__(self, is_own: Callable[[int], bool]) -> None:
        """Take what says whether a process belongs to the server."""
        self._is_own = is_own
        self._library: Any = None
        self._is_absent = False

    def read(self) -> tuple[GpuReading, ...]:
        """Return a reading of each GPU; none without a driver. It may take long, but raises nothing."""
        nvml = self._started()
        count = 0 if nvml is None else int(_asked(nvml.nvmlDeviceGetCount) or 0)
        readings = (self._reading(nvml, index) for index in range(count))
        return tuple(own for own in readings if own is not None)

    def _started(self) -> Any:
        """Return NVML's module, initialised at the first call; None without a driver."""
        if self._library is None and not self._is_absent:
            try:
                library = import_module(LIBRARY)
                library.nvmlInit()
            except Exception:  # no library, no driver, or one of another version
                self._is_absent = True
            else:
                self._library = library
        return self._library

    def _reading(self, nvml: Any, index: int) -> GpuReading | None:
        try:
            gpu = nvml.nvmlDeviceGetHandleByIndex(index)
        except Exception:  # the GPU has fallen off the bus, or this user may not see it
            return None
        memory: Any = _asked(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu))
        return GpuReading(
            index=index,
            name=_asked(lambda: str(nvml.nvmlDeviceGetName(gpu))) or "",
            uuid=_asked(lambda: str(nvml.nvmlDeviceGetUUID(gpu))) or "",
            used_ratio=_number(lambda: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100),
            memory_used_bytes=_number(lambda: memory.used),
            memory_bytes=_number(lambda: memory.total),
            own_memory_bytes=_number(lambda: self._own_memory(nvml, gpu)),
            temperature_celsius=_number(lambda: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)),
            power_watts=_number(lambda: nvml.nvmlDeviceGetPowerUsage(gpu) / 1_000),
        )

    def _own_memory(self, nvml: Any, gpu: Any) -> float:
        """Return the memory of the server's processes; NaN if none is listed with its memory."""
        listed = [own for own in nvml.nvmlDeviceGetComputeRunningProcesses(gpu) if own.usedGpuMemory is not None]
        own = [process.usedGpuMemory for process in listed if self._is_own(process.pid)]
        return float(sum(own)) if own else math.nan


def _asked(ask: Callable[[], T]) -> T | None:
    """Return an answer of the driver; None for what a GPU does not support or no longer says."""
    with suppress(Exception):
        return ask()
    return None


def _number(ask: Callable[[], float]) -> float:
    found = _asked(ask)
    return math.nan if found is None else float(found)


def gpus_of_server(*, has_siblings: bool) -> Gpus | None:
    """Return what reads the GPUs for this worker; None if `nvidia-ml-py` is not installed.

    `has_siblings` says that other workers of the server are children of the same process.
    """
    if find_spec(LIBRARY) is None:
        return None
    own, supervisor = os.getpid(), os.getppid() if has_siblings else None
    return Gpus(lambda pid: pid == own or (supervisor is not None and parent_of(pid) == supervisor))


def parent_of(pid: int, folder: Path = Path("/proc")) -> int | None:
    """Return the parent of a process; None if it is not known, as outside Linux."""
    with suppress(OSError, ValueError, IndexError):
        # The name of the program, in parentheses, may hold anything.
        after_name = (folder / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        return int(after_name.split()[1])
    return None
