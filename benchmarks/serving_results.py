"""What the benchmark of serving finds, and how rounds become one number; kept as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from benchmarks.load import Load
from benchmarks.open_loop import Outcome
from benchmarks.processes import Memory


@dataclass(frozen=True)
class Run:
    """One contestant in one round."""

    throughput: Load
    """With many connections."""
    latency: Load
    """With few."""
    cpu_us: float
    """CPU time of the server's whole process tree a request, with many connections."""
    memory: Memory
    """After both."""
    scrapes: int
    failed_scrapes: int

    @property
    def core_share(self) -> float:
        """Return how much of its core the server had: clearly below 1, something else ran there, or it waited."""
        return self.cpu_us * self.throughput.requests / (1e6 * self.throughput.seconds)

    @property
    def valid(self) -> bool:
        """Return whether every request was answered as it should be."""
        answered = self.throughput.requests and self.latency.requests
        return bool(answered) and not (self.throughput.failed or self.latency.failed or self.failed_scrapes)


Round = Mapping[str, Run]
"""By contestant; without those that did not start."""
Measure = Callable[[Run], float]


class Checked(Protocol):
    """What was found in one round of what has many."""

    @property
    def valid(self) -> bool:
        """Return whether it counts."""


R = TypeVar("R", bound=Checked)


@dataclass(frozen=True)
class Phase:
    """Driftgauge under two loads, one after the other."""

    closed: Load
    open: Outcome
    scrapes: int


@dataclass(frozen=True)
class ScrapePair:
    """The same server without scrapes and with them, one right after the other."""

    without: Phase
    scraped: Phase


@dataclass(frozen=True)
class Offered:
    """A slow model that was offered some multiple of what it can carry."""

    times: float
    outcome: Outcome
    before: Memory
    after: Memory


@dataclass(frozen=True)
class Overload:
    """What happens when more is asked than can be answered."""

    queue: int
    carried_per_second: float
    """Answers a second of the slow model with few connections in a closed loop."""
    offered: Sequence[Offered]
    connections: Mapping[str, Sequence[Load]]
    """A fast model, by the number of connections, for each round."""


def servers_name(servers: Sequence[int]) -> str:
    """Return the name of servers with this many workers each."""
    return " + ".join(map(str, servers))


def load_name(servers: Sequence[int], each: int) -> str:
    """Return the name of a load with this many connections per worker."""
    return f"{servers_name(servers)}, {each} each"


@dataclass(frozen=True)
class WorkersLoad:
    """Servers of one worker or more that were loaded at once."""

    servers: Sequence[int]
    """The workers of each."""
    each: int
    """Connections for each worker."""
    requests: int
    failed: int
    seconds: float
    cpu_seconds: float
    """Of all processes of all servers."""
    worker_cpu_seconds: Sequence[float]
    """Of each worker."""

    @property
    def valid(self) -> bool:
        """Return whether every request was answered as it should be."""
        return bool(self.requests) and not self.failed

    @property
    def per_second(self) -> float:
        """Return the answers a second."""
        return (self.requests - self.failed) / self.seconds

    @property
    def cpu_us(self) -> float:
        """Return the CPU time of a request, the supervisor's included."""
        return 1e6 * self.cpu_seconds / max(1, self.requests)

    @property
    def cores(self) -> float:
        """Return how many cores the servers had on average."""
        return self.cpu_seconds / self.seconds

    @property
    def busiest(self) -> float:
        """Return the share that the busiest worker has of the CPU time of all workers."""
        return max(self.worker_cpu_seconds) / (sum(self.worker_cpu_seconds) or float("nan"))


@dataclass(frozen=True)
class Scraped:
    """Scrapes of one server, one after another over one connection."""

    wall_ms: float
    """Median of how long one took."""
    cpu_ms: float
    """Mean CPU time of one, of all processes, less what they took in as many turns without scrapes."""
    idle_cpu_ms: float
    """What was taken off."""
    scrapes: int
    evaluated: int
    """Scrapes that showed a new evaluation."""
    bytes: int
    """Of the largest."""


@dataclass(frozen=True)
class WorkersScraped:
    """What scrapes of one server take."""

    quiet: Scraped
    """No rows came since the last evaluation."""
    busy: Scraped
    """Rows came to every worker just before each, so that each evaluates."""

    @property
    def valid(self) -> bool:
        """Return whether nearly all busy scrapes and hardly a quiet one did evaluate."""
        return self.quiet.evaluated <= 0.1 * self.quiet.scrapes and self.busy.evaluated >= 0.9 * self.busy.scrapes


@dataclass(frozen=True)
class Workers:
    """What several workers cost, for each round."""

    load: list[dict[str, WorkersLoad]] = field(default_factory=list)
    """By `load_name`."""
    scraped: list[dict[str, WorkersScraped]] = field(default_factory=list)
    """By the number of workers."""
    missing: dict[str, str] = field(default_factory=dict)
    """What failed, with the last reason."""


@dataclass
class Found:
    """All parts, each empty until it is run."""

    setting: dict[str, str] = field(default_factory=dict)
    """Versions."""
    plans: dict[str, dict[str, str]] = field(default_factory=dict)
    """How each part was run."""
    contest: dict[str, list[dict[str, Run]]] = field(default_factory=dict)
    """By model, the rounds."""
    missing: dict[str, str] = field(default_factory=dict)
    """Contestants that could not be started, with the reason."""
    scrape: dict[str, list[ScrapePair]] = field(default_factory=dict)
    """By the number of features."""
    overload: Overload | None = None
    workers: Workers | None = None

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_bytes(TypeAdapter(Found).dump_json(self, indent=1) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Found:
        """Read what `save` wrote."""
        return TypeAdapter(Found).validate_json(path.read_bytes())


def typical(rounds: Sequence[Mapping[str, R]], name: str, measure: Callable[[R], float]) -> float | None:
    """Return the median over the valid runs of a contestant, None if there is none."""
    found = [measure(own[name]) for own in rounds if name in own and own[name].valid]
    return median(found) if found else None


def typical_ratio(
    rounds: Sequence[Mapping[str, R]], name: str, base: str, measure: Callable[[R], float]
) -> float | None:
    """Return the median of the ratios to another contestant of the same round."""
    pairs = [(own[name], own[base]) for own in rounds if name in own and base in own]
    found = [measure(run) / measure(other) for run, other in pairs if run.valid and other.valid]
    return median(found) if found else None


def typical_difference(
    rounds: Sequence[Mapping[str, R]], name: str, base: str, measure: Callable[[R], float]
) -> float | None:
    """Return the median of the differences from another contestant of the same round."""
    pairs = [(own[name], own[base]) for own in rounds if name in own and base in own]
    found = [measure(run) - measure(other) for run, other in pairs if run.valid and other.valid]
    return median(found) if found else None


def contestants(rounds: Sequence[Mapping[str, object]]) -> list[str]:
    """Return all that took part, in the order in which they did."""
    return list(dict.fromkeys(name for own in rounds for name in own))
