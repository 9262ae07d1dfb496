"""Many hostile requests to a real process: it must not grow, and no series may appear."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from driftgauge.models.bundle import Bundle
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import answers, free_port, running, until
from tests.effort import examples
from tests.examples import Example
from tests.fuzz import bodies, wire
from tests.fuzz.judging import exchange, faults, statuses
from tests.fuzz.test_bytes import paths_of

pytestmark = pytest.mark.e2e

CONVERSATIONS = 5
"""Conversations on each connection example: they go on at the same time."""
GROWTH_MIB = 24
"""Memory that caches, allocators and the log of rows may still take after the first requests."""


def resident_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
