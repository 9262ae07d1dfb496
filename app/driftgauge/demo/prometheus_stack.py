"""Prometheus and Alertmanager as processes of installed programs, without containers."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.errors import MonitoringError

SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "Prometheus": ("prometheus",),
    "Alertmanager": ("prometheus-alertmanager", "alertmanager"),
}
"""Names that each program may have; Debian's come first."""
TOOLS: Final[Mapping[str, Sequence[str]]] = {"promtool": ("promtool",), "amtool": ("amtool",)}
"""Tools that come with the servers and check their configuration."""

HOW_TO_GET: Final = (
    "Debian and Ubuntu: apt-get install prometheus prometheus-alertmanager; "
    "macOS: brew install prometheus alertmanager; elsewhere: https://prometheus.io/download/"
)


# ---------------------------------------------------------------- the programs


@dataclass(frozen=True)
class Programs:
    """Paths of the programs."""

    prometheus: str
    alertmanager: str


def missing(wanted: Mapping[str, Sequence[str]]) -> str | None:
    """Return which programs are not installed and how to get them; None if all are."""
    absent = [name for name, called in wanted.items() if not _found(called)]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {verb} not installed. {HOW_TO_GET}"


def programs() -> Programs:
    """Find the servers; raises MonitoringError if one is missing."""
    if sentence := missing(SERVERS):
        raise MonitoringError(sentence)
    return Programs(*(_found(SERVERS[name]) for name in ("Prometheus", "Alertmanager")))


def _found(names: Sequence[str]) -> str:
    return next((path for name in names if (path := shutil.which(name))), "")


# ---------------------------------------------------------------- a server as a process


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens, and the option that chooses its port."""

    port: int
    option: str = "--port"
    host: str = "127.0.0.1"

    @property
    def address(self) -> str:
        """The address at which this machine reaches it."""
        if self.host in ("0.0.0.0", "::", ""):  # noqa: S104  # compared, not bound
            return f"http://127.0.0.1:{self.port}"
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def require_free(endpoint: Endpoint) -> None:
    """Raise MonitoringError if the port is taken or the host is not on this machine."""
    try:
        family, _, _, _, where = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except socket.gaierror as error:
        raise MonitoringError(f"{endpoint.host} is not an address of this machine ({error.strerror})") from error
    except OSError as error:
        raise MonitoringError(
            f"port {endpoint.port} is taken ({error.strerror}): choose another with {endpoint.option}"
        ) from error


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], ready: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block runs, which starts when the address `ready` answers 200."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  # our own
        try:
            _wait_until_ready(name, ready, process, log)
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """Ask a process to end; kill it if it does not."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(
    name: str, ready: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MonitoringError(
                f"{name} stopped unexpectedly; its log is {log}:\n{log.read_text('utf-8', 'replace')[-2000:]}"
            )
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(ready).status_code == 200:
                return
        time.sleep(0.05)
    raise MonitoringError(f"{name} was not ready after {seconds:.0f} s; its log is {log}")


# ---------------------------------------------------------------- Prometheus and Alertmanager


@contextlib.contextmanager
def prometheus(program: str, config: Path, data: Path, endpoint: Endpoint, log: Path) -> Iterator[str]:
    """Run Prometheus on `config`/prometheus.yml while the block runs; gives its address."""
    require_free(endpoint)
    command = [
        program,
        f"--config.file={config / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={endpoint.host}:{endpoint.port}",
        f"--web.external-url={endpoint.address}",
        # What fires before it has found Alertmanager, seconds after its start, is lost until it is sent again.
        "--rules.alert.resend-delay=5s",
    ]
    with running("Prometheus", command, f"{endpoint.address}/-/ready", log):
        yield endpoint.address


@contextlib.contextmanager
def alertmanager(program: str, config: Path, data: Path, endpoint: Endpoint, log: Path) -> Iterator[str]:
    """Run Alertmanager on `config`/alertmanager.yml while the block runs; gives its address."""
    require_free(endpoint)
    command = [
        program,
        f"--config.file={config / 'alertmanager.yml'}",
        f"--storage.path={data}",
        f"--web.listen-address={endpoint.host}:{endpoint.port}",
        f"--web.external-url={endpoint.address}",
        "--cluster.listen-address=",
    ]
    with running("Alertmanager", command, f"{endpoint.address}/-/ready", log):
        yield endpoint.address


@dataclass(frozen=True)
class Endpoints:
    """Where Prometheus and Alertmanager listen."""

    prometheus: Endpoint = Endpoint(9090, "--prometheus-port")
    alertmanager: Endpoint = Endpoint(9093, "--alertmanager-port")


@contextlib.contextmanager
def stack(found: Programs, endpoints: Endpoints, options: MonitoringOptions, logs: Path) -> Iterator[None]:
    """Run both while the block runs, which starts after the first scrape.

    Their configuration and data are deleted at the end.
    """
    with contextlib.ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="driftgauge-")))
        write(options, folder)
        for name, run, program, endpoint in (
            ("alertmanager", alertmanager, found.alertmanager, endpoints.alertmanager),
            ("prometheus", prometheus, found.prometheus, endpoints.prometheus),
        ):
            log = logs / f"demo-{name}.log"
            started.enter_context(run(program, folder / name, folder / f"{name}-data", endpoint, log))
        _wait_until_scraped(endpoints.prometheus.address, options.job)
        yield


def _wait_until_scraped(address: str, job: str, seconds: float = 60.0) -> None:
    """Wait until Prometheus has scraped the servers and knows its Alertmanager, some seconds after its start."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if total(address, f'up{{job="{job}"}}') and _ask(address, "alertmanagers")["activeAlertmanagers"]:
            return
        time.sleep(0.1)
    raise MonitoringError(f"Prometheus at {address} has not scraped the job {job} after {seconds:.0f} s")


# ---------------------------------------------------------------- questions to both


@dataclass(frozen=True, order=True)
class Alert:
    """An alert that people are notified of."""

    name: str
    severity: str
    feature: str
    """The column that it is about, if any."""
    summary: str = field(default="", compare=False)


def alerts(address: str) -> list[Alert]:
    """Return the alerts that the Alertmanager at this address notifies of, sorted.

    An alert that another one silences is left out, such as the warning beside a critical alert.
    """
    notified = {"active": "true", "unprocessed": "false", "silenced": "false", "inhibited": "false"}
    return sorted(_alert(alert) for alert in _json("Alertmanager", f"{address}/api/v2/alerts", notified))


def alerts_page(address: str) -> str:
    """Return the address of Prometheus' alerts page; Debian's has only the classic one."""
    new = f"{address}/alerts"
    return new if _exists(new) else f"{address}/classic/alerts"


def alertmanager_page(address: str) -> str:
    """Return the address at which Alertmanager lists its alerts; Debian's has no page, only JSON."""
    return f"{address}/#/alerts" if _exists(f"{address}/script.js") else f"{address}/api/v2/alerts"


def _exists(page: str) -> bool:
    """Return whether a page exists; a server that does not answer is given the benefit of the doubt."""
    try:
        return httpx.get(page).is_success
    except httpx.HTTPError:
        return True


def total(address: str, query: str) -> float:
    """Return the sum over all series of a query to the Prometheus at this address."""
    found = _ask(address, "query", query=f"sum({query})")["result"]
    return float(found[0]["value"][1]) if found else 0.0


def _alert(alert: Mapping[str, Any]) -> Alert:
    labels = alert["labels"]
    feature, summary = labels.get("feature_name", ""), alert["annotations"].get("summary", "")
    return Alert(labels["alertname"], labels.get("severity", ""), feature, summary)


def _ask(address: str, what: str, **parameters: str) -> Any:
    return _json("Prometheus", f"{address}/api/v1/{what}", parameters)["data"]


def _json(program: str, address: str, parameters: Mapping[str, str]) -> Any:
    try:
        return httpx.get(address, params=dict(parameters), timeout=30.0).raise_for_status().json()
    except httpx.HTTPError as error:
        raise MonitoringError(f"{program} at {address} does not answer: {error}") from error
