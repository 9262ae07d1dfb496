"""Record what a real Prometheus answers about real servers, for the tests of what is said about them.

`python -m tests.replicas.record` writes recorded.json. It starts each server and Prometheus itself, for half a minute.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, programs
from driftgauge.replicas.overview import answers_at
from driftgauge.replicas.prometheus import Prometheus
from driftgauge.replicas.queries import Asked

from tests.e2e.monitored import Prometheus as Scraped
from tests.e2e.monitored import Server, await_answer, make_bundle, rows, seen, server
from tests.e2e.processes import free_port

RECORDED = Path(__file__).with_name("recorded.json")


def main() -> None:
    """Record servers of which nothing is wrong, then rows of one that drift, then another version, then one killed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle, next_one = (make_bundle(folder / version, version) for version in ("7", "8"))
        ports = [free_port() for _ in range(4)]
        with contextlib.ExitStack() as started:
            own = [started.enter_context(server(bundle, port, folder / f"{port}.log")) for port in ports[:3]]
            await_answer(*own)
            address = started.enter_context(_prometheus(folder, ports))
            _send(address, own, shift=0.0)
            said = {"fine": _answers(address)}
            _send(address, own[1:2], shift=1.0)
            seen(lambda: Scraped(address).value("model_drift_severity >= 2"))
            said["drift"] = _answers(address)
            own[2].kill()
            started.enter_context(server(next_one, ports[2], folder / "next.log"))
            seen(lambda: Scraped(address).value('model_info{model_version="8"}'))
            said["two_versions"] = _answers(address)
            own[1].kill()
            seen(lambda: Scraped(address).ask(f'up{{instance="{own[1].target}"}} == 0'))
            said["killed"] = _answers(address)
    text = json.dumps(said)
    for number, port in enumerate(ports):
        text = text.replace(f":{port}", f":{8_001 + number}")
    RECORDED.write_text(json.dumps(json.loads(text), indent=0) + "\n")


@contextlib.contextmanager
def _prometheus(folder: Path, ports: list[int]) -> Iterator[str]:
    options = MonitoringOptions(
        scrape_interval="500ms",
        window="2s",
        targets=tuple(f"127.0.0.1:{port}" for port in ports[:3]),
        prometheus=f"127.0.0.1:{ports[3]}",
    )
    write(options, folder)
    own = folder / "prometheus", folder / "data", Endpoint(ports[3]), folder / "prometheus.log"
    with stack.prometheus(programs().prometheus, *own) as address:
        yield address


def _send(address: str, servers: list[Server], shift: float) -> None:
    before = Scraped(address).value("model_observations_total")
    for number, own in enumerate(servers):
        own.send(rows(number, 2_000, shift=shift))
    seen(lambda: Scraped(address).value("model_observations_total") >= before + 2_000 * len(servers))
    time.sleep(10)  # until it is evaluated, and recorded


def _answers(address: str) -> dict[str, Any]:
    prometheus = Prometheus(address)
    at = prometheus.now()
    found, _ = answers_at(prometheus, Asked(), at)
    return {"at": at, **{name: [[dict(own.labels), own.value] for own in series] for name, series in found.items()}}


if __name__ == "__main__":
    main()
