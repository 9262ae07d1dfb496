"""A driver of GPUs that answers NVML's calls with recorded bytes, in the layout that NVIDIA documents.

It takes the place of `libnvidia-ml.so.1` below the real bindings, which decode its answers.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SUCCESS: Final = 0
NOT_SUPPORTED: Final = 3
INSUFFICIENT_SIZE: Final = 7
GPU_IS_LOST: Final = 15
NOT_AVAILABLE: Final = 2**64 - 1
"""What the driver says of memory that it does not know."""


def utilization(gpu: int, memory: int) -> bytes:
    """Return nvmlUtilization_t: two unsigned ints, in percent."""
    return struct.pack("=II", gpu, memory)


def memory(total: int, free: int, used: int) -> bytes:
    """Return nvmlMemory_t: three unsigned long longs, in bytes."""
    return struct.pack("=QQQ", total, free, used)


def process(pid: int, used: int) -> bytes:
    """Return nvmlProcessInfo_t: pid, padding, memory in bytes, and the two instances, which no MIG leaves unset."""
    return struct.pack("=I4xQII", pid, used, 0xFFFFFFFF, 0xFFFFFFFF)


@dataclass
class Driver:
    """A driver with some GPUs; `answers` are by call and GPU, an error code or the bytes that it writes."""

    gpus: int
    answers: Mapping[tuple[str, int], bytes | int] = field(default_factory=dict)
    processes: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    init: int = SUCCESS

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Return a call of the driver by its name in C."""
        if not name.startswith("nvmlDeviceGet"):
            raise AttributeError(name)
        return lambda device, *out: self._answer(name, _number_of(device), out)

    def nvmlInitWithFlags(self, flags: int) -> int:  # noqa: N802  # its name in C
        """Begin."""
        return self.init

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        """Say how many GPUs there are."""
        _write(count, struct.pack("=I", self.gpus))
        return SUCCESS

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, device: Any) -> int:  # noqa: N802
        """Give a handle: here it is the number of the GPU."""
        found = self.answers.get(("nvmlDeviceGetHandleByIndex_v2", index.value), SUCCESS)
        _write(device, struct.pack("=Q", index.value))
        return found if isinstance(found, int) else SUCCESS

    def nvmlDeviceGetComputeRunningProcesses_v3(self, device: Any, count: Any, listed: Any) -> int:  # noqa: N802
        """List processes into a buffer, or say how large it has to be."""
        found = self.processes.get(_number_of(device), ())
        _write(count, struct.pack("=I", len(found)))
        if listed is None:
            return INSUFFICIENT_SIZE if found else SUCCESS
        ctypes.memmove(listed, b"".join(found), sum(map(len, found)))
        return SUCCESS

    def _answer(self, name: str, gpu: int, out: tuple[Any, ...]) -> int:
        found = self.answers.get((name, gpu), NOT_SUPPORTED)
        if isinstance(found, int):
            return found
        place = out[1] if name == "nvmlDeviceGetTemperature" else out[0]  # it is asked for a sensor first
        _write(place, found)
        return SUCCESS


def _number_of(device: Any) -> int:
    """Return the number of a GPU, which is the address that its handle points at."""
    return ctypes.cast(device, ctypes.c_void_p).value or 0


def _pointed(argument: Any) -> Any:
    """Return what `byref` points at, or the argument itself."""
    return getattr(argument, "_obj", argument)


def _write(argument: Any, content: bytes) -> None:
    target = _pointed(argument)
    assert len(content) <= ctypes.sizeof(target)
    ctypes.memmove(ctypes.addressof(target), content, len(content))
