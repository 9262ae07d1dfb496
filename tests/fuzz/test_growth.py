"""Many hostile requests to a real process: it must not grow, and no series may appear."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.edges.http.request_metrics import http_series
from driftgauge.edges.http.routes import measured
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import answers, free_port, running, until
from tests.effort import examples
from tests.examples import Example
from tests.fuzz import bodies, wire
from tests.fuzz.judging import exchange, faults
from tests.fuzz.test_bytes import paths_of

pytestmark = pytest.mark.e2e

CONVERSATIONS = 100
"""Conversations with every example; `make fuzz` has 5,000, which are 50,000 connections with variants."""
VARIANTS = 10
"""Connections on which a conversation is sent, with a byte of each request changed."""
VERDICTS = ("model_feature_drift_since", "model_feature_moved_ratio", "model_feature_moved_reference_ratio")
"""Beginnings of the series that a verdict has, one for each column."""
WARM = 1_100
"""Honest rows before: the windows are full, and everything that is made on first use is made."""
GROWTH_MIB = 24
"""Memory that allocators and caches may still take after that."""

Sample = tuple[str, frozenset[tuple[str, str]]]
"""The name and the labels of a series."""


@dataclass
class Target:
    """A server process that is attacked."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    asked: int = field(default=0)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def series(self) -> set[Sample]:
        families = text_string_to_metric_families(httpx.get(f"{self.address}/metrics", timeout=60.0).text)
        return {(sample.name, frozenset(sample.labels.items())) for family in families for sample in family.samples}

    def resident_mib(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) / 1024


@pytest.fixture
def target(tolerant: Example, tmp_path: Path) -> Iterator[Target]:
    port, log = free_port(), tmp_path / "log"
    arguments = ("serve", "--bundle", str(tolerant.folder), "--port", str(port), "--state-dir", str(tmp_path / "state"))
    limits = {"DRIFTGAUGE_HEAD_TIMEOUT_SECONDS": "1", "DRIFTGAUGE_BODY_TIMEOUT_SECONDS": "1"}
    with running(*arguments, log=log, env=limits) as process:
        target = Target(process, port, log)
        until(lambda: answers(target.address), process, log)
        yield target


def unknown(series: set[Sample], features: Sequence[str]) -> set[Sample]:
    """Return the series whose labels were not known when the server started.

    Answers and verdicts have series from when they first occur: hostile rows may drift.
    """
    handled = {child[:2] for child in http_series(measured())[0].children}
    columns = {*features, PREDICTION}

    def is_known(name: str, labels: Mapping[str, str]) -> bool:
        if name.startswith("http_request"):
            return (labels["method"], labels["handler"]) in handled
        return name.startswith(VERDICTS) and labels["feature_name"] in columns

    return {(name, labels) for name, labels in series if not is_known(name, dict(labels))}


def test_nothing_grows_and_no_series_appears_under_hostile_requests(target: Target, tolerant: Example) -> None:
    honest = {"data": [list(row.values()) for row in tolerant.rows(100)]}
    for _ in range(WARM // len(honest["data"])):
        assert httpx.post(f"{target.address}/predict", json=honest, timeout=60.0).status_code == 200
    conversation = wire.conversations(paths_of(tolerant), bodies.hostile(tolerant))

    def attack(count: int) -> None:
        @settings(max_examples=count, phases=[Phase.generate, Phase.shrink], database=None)
        @given(conversation, st.integers(0, 2**32))
        def converse(requests: list[bytes], seed: int) -> None:
            chance = random.Random(seed)
            for variant in range(VARIANTS):
                sent = [wire.varied(chance, request) for request in requests] if variant else requests
                target.asked += len(sent)
                assert faults(exchange(target.port, sent)) == []

        converse()

    attack(examples(CONVERSATIONS // 5))
    begun = httpx.post(f"{target.address}/ingest/tolerant", json=[{}], timeout=60.0)
    assert begun.status_code == httpx.codes.OK
    assert any(name.startswith("model_ingest_") for name, _ in target.series())
    series, memory = target.series(), target.resident_mib()
    attack(examples(CONVERSATIONS))
    assert httpx.post(f"{target.address}/predict", json=honest, timeout=60.0).status_code == 200, "others are served"
    new = target.series() - series
    assert unknown(new, tolerant.names) == set()
    assert len([name for name, _ in new if name.startswith(VERDICTS)]) <= len(VERDICTS) * (len(tolerant.names) + 1)
    assert target.resident_mib() - memory < GROWTH_MIB
    assert target.asked > 2 * VARIANTS * examples(CONVERSATIONS)
    assert "Traceback" not in target.log.read_text(errors="replace")
