from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.metrics.process import process_numbers
from driftgauge.metrics.server_series import CPU, PROCESS
from prometheus_client import ProcessCollector

from tests.expositions import FORMATS, TEXT, WORKERS, Exposition
from tests.monitors import (
    START,
)


@pytest.mark.parametrize("accept", FORMATS)
def test_each_worker_that_runs_tells_of_its_process(accept: str) -> None:
    exposition = Exposition(accept, [])
    told = {spec.name: exposition.children(spec.name, "slot") for spec in PROCESS}
    assert told == {
        "process_cpu_seconds_total": {("0",): 12.5, ("1",): 3.25, ("retired",): 0.5},
        "process_virtual_memory_bytes": {("0",): 4e9},
        "process_resident_memory_bytes": {("0",): 2e8},
        "process_start_time_seconds": {("0",): START},
        "process_open_fds": {("0",): 31.0},
        "process_max_fds": {("0",): 1024.0},
    }


def test_cpu_time_stays_when_its_worker_ends() -> None:
    before, after = (
        Exposition(TEXT, [], workers=[replace(WORKERS[0], is_running=lives)]).children(PROCESS[CPU].name, "slot")
        for lives in (True, False)
    )
    assert before == after == {("0",): 12.5}


@pytest.mark.parametrize("accept", FORMATS)
def test_what_nobody_knows_of_a_process_is_left_out(accept: str) -> None:
    known = WORKERS[0].process.copy()
    known[1:3] = np.nan
    exposition = Exposition(accept, [], workers=[replace(WORKERS[0], process=known)])
    unknown = {"process_virtual_memory_bytes", "process_resident_memory_bytes"}
    everything = {spec.name.removesuffix("_total") for spec in PROCESS}
    assert {name for name in exposition.families if name.startswith("process_")} == everything - unknown


def test_this_process_is_known_in_the_order_that_is_told() -> None:
    numbers = dict(zip((spec.name for spec in PROCESS), process_numbers().tolist(), strict=True))
    own = {
        sample.name: sample.value for family in ProcessCollector(registry=None).collect() for sample in family.samples
    }
    assert numbers.keys() == own.keys()
    assert numbers["process_start_time_seconds"] == own["process_start_time_seconds"]
    assert numbers["process_max_fds"] == own["process_max_fds"]
    assert 0 < numbers["process_cpu_seconds_total"] <= own["process_cpu_seconds_total"]
    assert numbers["process_resident_memory_bytes"] < numbers["process_virtual_memory_bytes"]
