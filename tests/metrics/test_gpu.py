from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvml
import pytest
from driftgauge.metrics.facts import ServerFacts
from driftgauge.metrics.gpu import Gpus, gpus_of_server, parent_of
from driftgauge.metrics.render import render

from tests.e2e.programs import require_gpu
from tests.expositions import FORMATS, TEXT
from tests.metrics.nvml_driver import GPU_IS_LOST, NOT_AVAILABLE, Driver, memory, process, utilization

MIB = 1 << 20
A100 = {
    ("nvmlDeviceGetName", 0): b"NVIDIA A100-SXM4-40GB\0",
    ("nvmlDeviceGetUUID", 0): b"GPU-7c1b1f2e-8e8b-5c4d-9a2d-0d9f6d1f3a77\0",
    ("nvmlDeviceGetUtilizationRates", 0): utilization(37, 12),
    ("nvmlDeviceGetMemoryInfo", 0): memory(40_536 * MIB, 30_536 * MIB, 10_000 * MIB),
    ("nvmlDeviceGetTemperature", 0): struct.pack("=I", 54),
    ("nvmlDeviceGetPowerUsage", 0): struct.pack("=I", 143_250),
}
"""What a driver says of one GPU."""

Install = Callable[[Driver], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a driver below the real bindings."""

    def put(driver: Driver) -> None:
        monkeypatch.setattr(pynvml, "nvmlLib", driver)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})

    return put


def text_of(gpus: Gpus, accept: str = TEXT) -> str:
    return render(accept, [], ServerFacts((), {}, 0.001, gpus=gpus.read()))[0].decode()


def test_a_reading_has_what_the_driver_says_in_base_units(install: Install) -> None:
    install(Driver(1, A100, {0: (process(4_242, 512 * MIB), process(4_243, 256 * MIB), process(9, 9_000 * MIB))}))
    (gpu,) = Gpus({4_242, 4_243}.__contains__).read()
    assert (gpu.index, gpu.name, gpu.uuid) == (0, "NVIDIA A100-SXM4-40GB", "GPU-7c1b1f2e-8e8b-5c4d-9a2d-0d9f6d1f3a77")
    assert (gpu.used_ratio, gpu.temperature_celsius, gpu.power_watts) == (0.37, 54.0, 143.25)
    assert (gpu.memory_used_bytes, gpu.memory_bytes) == (10_000.0 * MIB, 40_536.0 * MIB)
    assert gpu.own_memory_bytes == 768.0 * MIB


@pytest.mark.parametrize("accept", FORMATS)
def test_each_gpu_has_its_series_and_lacks_those_of_which_the_driver_says_nothing(
    accept: str, install: Install
) -> None:
    install(Driver(2, {**A100, ("nvmlDeviceGetTemperature", 1): struct.pack("=I", 31)}))
    lines = [line for line in text_of(Gpus(lambda _: True), accept).splitlines() if line.startswith("gpu_")]
    assert set(lines) == {
        'gpu_info{gpu="0",gpu_name="NVIDIA A100-SXM4-40GB",uuid="GPU-7c1b1f2e-8e8b-5c4d-9a2d-0d9f6d1f3a77"} 1.0',
        'gpu_info{gpu="1",gpu_name="",uuid=""} 1.0',
        'gpu_utilization_ratio{gpu="0"} 0.37',
        'gpu_memory_used_bytes{gpu="0"} 1.048576e+10',
        'gpu_memory_bytes{gpu="0"} 4.2505076736e+10',
        'gpu_temperature_celsius{gpu="0"} 54.0',
        'gpu_temperature_celsius{gpu="1"} 31.0',
        'gpu_power_watts{gpu="0"} 143.25',
    }


def test_own_memory_is_unknown_where_no_process_of_the_server_is_listed_or_memory_is_not_said(
    install: Install,
) -> None:
    install(Driver(1, A100, {0: (process(9, 64 * MIB), process(4_242, NOT_AVAILABLE))}))
    (gpu,) = Gpus({4_242}.__contains__).read()
    assert math.isnan(gpu.own_memory_bytes)


def test_a_gpu_that_is_lost_is_left_out_and_comes_back(install: Install) -> None:
    install(Driver(2, {**A100, ("nvmlDeviceGetHandleByIndex_v2", 1): GPU_IS_LOST}))
    gpus = Gpus(lambda _: True)
    assert [gpu.index for gpu in gpus.read()] == [0]
    install(Driver(2, A100))
    assert [gpu.index for gpu in gpus.read()] == [0, 1]


def test_a_driver_that_cannot_be_initialised_is_asked_once(install: Install) -> None:
    install(Driver(1, A100, init=pynvml.NVML_ERROR_DRIVER_NOT_LOADED))
    gpus = Gpus(lambda _: True)
    assert gpus.read() == ()
    install(Driver(1, A100))
    assert gpus.read() == ()


def test_a_machine_without_a_driver_has_no_gpu_series() -> None:
    with pytest.raises(pynvml.NVMLError_LibraryNotFound):
        _init_without_driver()
    gpus = gpus_of_server(has_siblings=False)
    assert gpus is not None
    assert "gpu_" not in text_of(gpus)


def _init_without_driver() -> None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        raise
    pytest.skip("this machine has a driver of NVIDIA: its GPUs are read by the test below")


def test_an_environment_without_the_library_reads_no_gpu() -> None:
    code = (
        "import sys; sys.modules['pynvml'] = None\n"
        "from driftgauge.metrics.gpu import Gpus\n"
        "assert Gpus(lambda pid: True).read() == ()\n"
        "del sys.modules['pynvml']; sys.path[:] = [own for own in sys.path if 'site-packages' not in own]\n"
        "from driftgauge.metrics.gpu import gpus_of_server\n"
        "assert gpus_of_server(has_siblings=False) is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_importing_it_loads_no_library() -> None:
    code = (
        "import sys, driftgauge.metrics.gpu as gpu\n"
        "gpu.gpus_of_server(has_siblings=True)\n"
        "assert 'pynvml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_parent_of_a_process_is_found_whatever_its_name_holds(tmp_path: Path) -> None:
    assert parent_of(os.getpid()) == os.getppid()
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) S 1 (b) R 42 7 7 0 -1\n")
    assert parent_of(7, tmp_path) == 42
    assert parent_of(8, tmp_path) is None


def test_a_real_gpu_is_read() -> None:
    require_gpu()
    own: Any = gpus_of_server(has_siblings=False)
    for gpu in own.read():
        assert gpu.uuid.startswith("GPU-")
        assert 0.0 <= gpu.memory_used_bytes <= gpu.memory_bytes
