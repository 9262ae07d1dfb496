"""A client that ignores its limits, beside one that keeps them, in front of a real process."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import answers, free_port, running, until
from tests.examples import Example

pytestmark = [pytest.mark.e2e, pytest.mark.long]

GREEDY, MODEST = "token-of-the-greedy-client", "token-of-the-modest-client"
THREADS = 12
REQUESTS = 20
"""Requests of the modest client, while the greedy one sends without pause."""


@dataclass(frozen=True)
class Server:
    """A process that serves two callers."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path
    example: Example

    def predict(self, client: httpx.Client, token: str, rows: int) -> httpx.Response:
        body = {"instances": self.example.rows(rows)}
        return client.post(f"{self.address}/predict", json=body, headers={"authorization": f"Bearer {token}"})

    def limited(self) -> dict[str, float]:
        families = text_string_to_metric_families(httpx.get(f"{self.address}/metrics", timeout=60.0).text)
        samples = [sample for family in families for sample in family.samples]
        return {s.labels["reason"]: s.value for s in samples if s.name == "http_requests_limited_total"}


@contextmanager
def serving(example: Example, folder: Path, workers: int, **limits: str) -> Iterator[Server]:
    port, log, tokens = free_port(), folder / "log", folder / "tokens"
    tokens.write_text(f"greedy predict token:{GREEDY}\nmodest predict token:{MODEST}\n", encoding="utf-8")
    arguments = (
        *("serve", "--bundle", str(example.folder), "--port", str(port)),
        *("--state-dir", str(folder / "state"), "--workers", str(workers)),
    )
    env = {f"DRIFTGAUGE_{name.upper()}": value for name, value in limits.items()}
    env |= {"DRIFTGAUGE_TOKENS_FILE": str(tokens), "DRIFTGAUGE_METRICS_ACCESS": "open"}
    with running(*arguments, log=log, env=env) as process:
        until(lambda: answers(f"http://127.0.0.1:{port}"), process, log)
        yield Server(f"http://127.0.0.1:{port}", process, log, example)


def attacked(server: Server, rows: int) -> tuple[Counter[int], list[httpx.Response]]:
    """Return the statuses that the greedy client got, and the answers of the modest one meanwhile."""
    ended, statuses = threading.Event(), Counter[int]()

    def attack() -> Counter[int]:
        own = Counter[int]()
        with httpx.Client(timeout=60.0) as client:
            while not ended.is_set():
                answer = server.predict(client, GREEDY, rows)
                assert (answer.status_code == 429) == ("retry-after" in answer.headers)
                own[answer.status_code] += 1
        return own

    with ThreadPoolExecutor(THREADS) as pool, httpx.Client(timeout=60.0) as modest:
        attacks = [pool.submit(attack) for _ in range(THREADS)]
        try:
            served = [server.predict(modest, MODEST, 1) for _ in range(REQUESTS)]
        finally:
            ended.set()
        for one in attacks:
            statuses.update(one.result())
    return statuses, served


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("reason", "limits", "rows"),
    [
        ("rate_limited", {"max_requests_per_second": "30"}, 1),
        ("too_many_concurrent_requests", {"max_concurrent_requests": "2"}, 100),
        ("queue_share_used", {"max_queue_share_ratio": "0.001"}, 100),
    ],
)
def test_a_client_that_breaks_its_limit_is_refused_while_another_is_served(
    reason: str, limits: dict[str, str], rows: int, workers: int, binary: Example, tmp_path: Path
) -> None:
    with serving(binary, tmp_path, workers, **limits) as server:
        began = time.monotonic()
        greedy, modest = attacked(server, rows)
        seconds = time.monotonic() - began
        assert {answer.status_code for answer in modest} == {200}
        assert set(greedy) == {200, 429}, "it is served too, within its limit"
        reasons = ("rate_limited", "too_many_concurrent_requests", "queue_share_used")
        counted = {name: greedy[429] if name == reason else 0.0 for name in reasons}
        until(lambda: server.limited() == counted, server.process, server.log)
        if reason == "rate_limited":
            assert greedy[200] <= 30 * (1 + seconds) + workers, "workers together admit no more than the rate"
        lines = [orjson.loads(line) for line in server.log.read_text().splitlines()]
        told = [line for line in lines if line["event"] == "caller_limited"]
        assert {(line["caller"], line["reason"]) for line in told} == {("greedy", reason)}
        assert GREEDY not in server.log.read_text(), "the log names callers, and no tokens"
