"""The models of all servers, put together from the answers of Prometheus."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from driftgauge.replicas.prometheus import Prometheus, Sample
from driftgauge.replicas.queries import MODEL, Asked, queries

Key = tuple[str, ...]
"""Values of labels, in the order of `Asked.server`, `Asked.replica` or `Asked.model`."""
Answers = Mapping[str, Sequence[Sample]]
"""Series by the name of their query."""


LARGE: Final = 10.0
"""From which value on a number is shown without decimals; more digits would suggest more precision."""


@dataclass(frozen=True)
class Server:
    """A server that is scraped now, or was lately."""

    deployment: Key
    instance: str
    is_up: bool | None
    """None if it is no longer scraped."""
    last_sample: float | None
    workers: int


@dataclass(frozen=True)
class Replica:
    """A version of a model in one server that answers."""

    deployment: Key
    instance: str
    name: str
    version: str
    baseline_hashes: tuple[str, ...]
    gauges: Mapping[str, float]
    rows: float | None
    rows_per_second: float | None
    last_row: float | None

    @property
    def server(self) -> Key:
        """The key of its server."""
        return (*self.deployment, self.instance)

    def gauge(self, name: str) -> float | None:
        """Return a gauge by its name, None if it is absent."""
        return self.gauges.get(name)

    @property
    def is_live(self) -> bool:
        """Whether it answers requests; servers that list no versions have one."""
        return self.gauges.get("model_live", 1.0) > 0


@dataclass(frozen=True)
class Column:
    """A column, with a number that says how much it changed."""

    name: str
    value: float

    @property
    def shown(self) -> str:
        """The number as people read it.

        >>> Column("age", 9.73).shown, Column("age", 196.2).shown, Column("age", 51_234.0).shown
        ('9.7', '196', '51,234')
        """
        return f"{self.value:.2g}" if self.value < LARGE else f"{self.value:,.0f}"


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model in a deployment, over all its servers."""

    deployment: Key
    name: str
    version: str
    replicas: tuple[Replica, ...]
    """In the servers that answer now."""
    servers: tuple[str, ...]
    """Servers that have it or had it lately, and are still scraped."""
    workers: int
    drifted: int
    worst: Column | None
    """The column with the largest change relative to its limit, in the verdict of one server."""
    across: Column | None
    """The column with the largest PSI over the rows of all servers in an hour; None if their baselines differ."""

    @property
    def is_live(self) -> bool:
        """Whether it answers requests on any server; unknown versions count as live."""
        return any(own.is_live for own in self.replicas) or not self.replicas

    @property
    def rows(self) -> float | None:
        """Rows that monitoring has counted since the states of the servers were created."""
        return _sum(own.rows for own in self.replicas)

    @property
    def rows_per_second(self) -> float | None:
        """Rows in a second, over five minutes."""
        return _sum(own.rows_per_second for own in self.replicas)

    @property
    def last_row(self) -> float | None:
        """When the last rows were counted; None if that was before `--since`."""
        return max((own.last_row for own in self.replicas if own.last_row is not None), default=None)

    @property
    def last_evaluation(self) -> float | None:
        """When the oldest verdict of a server was made."""
        found = [own.gauge("model_evaluation_timestamp_seconds") for own in self.replicas]
        return min((at for at in found if at is not None), default=None)

    @property
    def live_since(self) -> float | None:
        """When the last server began to answer with this version."""
        return self.worst_gauge("model_live_since_timestamp_seconds")

    @property
    def baseline_hashes(self) -> tuple[str, ...]:
        """The baselines that its servers compare with; there should be one."""
        return tuple(sorted({found for own in self.replicas for found in own.baseline_hashes}))

    def worst_gauge(self, name: str) -> float | None:
        """Return the largest value of a gauge over the servers, None where none has it."""
        return max((value for own in self.replicas if (value := own.gauge(name)) is not None), default=None)

    @property
    def drift(self) -> str | None:
        """The worst verdict of a server, in a word; None if no server answers."""
        is_judged = bool(self.worst_gauge("model_evaluated_features"))
        return _word(self.worst_gauge("model_drift_severity"), INSUFFICIENT if not is_judged else None)

    @property
    def performance(self) -> str | None:
        """The worst verdict on ground truth, in a word; None without one."""
        rows, required = self.worst_gauge("model_labelled_rows"), self.worst_gauge("model_labelled_rows_required")
        is_judged = rows is None or required is None or rows >= required
        return _word(self.worst_gauge("model_performance_severity"), TOO_FEW_LABELS if not is_judged else None)


@dataclass(frozen=True)
class Overview:
    """What is known of all servers at one time."""

    at: float
    asked: Asked
    models: tuple[ModelVersion, ...]
    servers: tuple[Server, ...]
    replicas_before: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    """Servers that had a model, of any version, before `Asked.since`: by deployment and name of the model."""
    warnings: tuple[str, ...] = ()
    """What the Prometheus said about its own answers, such as that a part of them is missing."""


WORDS: Final = ("normal", "info", "warning", "critical")
INSUFFICIENT: Final = "too few rows"
TOO_FEW_LABELS: Final = "too few labels"


def _word(severity: float | None, instead: str | None) -> str | None:
    """Return a severity in a word; `instead` says why a severity of 0 is no verdict."""
    if severity is None:
        return None
    return instead if instead and severity <= 0 else WORDS[int(min(max(severity, 0), len(WORDS) - 1))]


def look(prometheus: Prometheus, asked: Asked) -> Overview:
    """Ask a Prometheus about all servers, at one time of its own clock."""
    at = prometheus.now()
    answers, warnings = answers_at(prometheus, asked, at)
    return overview(answers, at, asked, warnings)


def answers_at(prometheus: Prometheus, asked: Asked, at: float) -> tuple[Answers, Mapping[str, None]]:
    """Return the answers to all queries, and the warnings that came with them."""
    answers: dict[str, list[Sample]] = {}
    warnings: list[str] = []
    for name, query in queries(asked).items():
        found, said = prometheus.ask(query, at)
        answers.setdefault(name.partition(" ")[0], []).extend(found)
        warnings += said
    return answers, dict.fromkeys(warnings)


def overview(answers: Answers, at: float, asked: Asked, warnings: Mapping[str, object] | None = None) -> Overview:
    """Return the overview that the answers to all queries give together."""
    servers = _servers(answers, asked)
    return Overview(
        at,
        asked,
        _models(answers, at, asked, servers),
        tuple(servers[key] for key in sorted(servers)),
        _before(answers, asked),
        tuple(warnings or ()),
    )


def _servers(answers: Answers, asked: Asked) -> dict[Key, Server]:
    up = _by_key(answers["up"], asked.server)
    seen = {**_by_key(answers["last_sample_before"], asked.server), **_by_key(answers["last_sample"], asked.server)}
    workers = _by_key(answers["workers"], asked.server)
    return {
        key: Server(
            deployment=key[:-1],
            instance=key[-1],
            is_up=up[key] > 0 if key in up else None,
            last_sample=seen.get(key),
            workers=_whole(workers.get(key, 0.0)),
        )
        for key in {*up, *seen}
    }


def _models(answers: Answers, at: float, asked: Asked, servers: Mapping[Key, Server]) -> tuple[ModelVersion, ...]:
    replicas: dict[Key, list[Replica]] = defaultdict(list)
    for own in _replicas(answers, at, asked):
        replicas[(*own.deployment, own.name, own.version)].append(own)
    down = _models_of_servers_that_are_down(answers, asked, servers)
    drifted = _by_key(answers["drifted"], asked.model)
    worst, across = _columns(answers["worst"], asked), _columns(answers["across"], asked)
    return tuple(
        ModelVersion(
            deployment=key[:-2],
            name=key[-2],
            version=key[-1],
            replicas=tuple(replicas[key]),
            servers=tuple(sorted({own.instance for own in replicas[key]} | down[key])),
            workers=sum(servers[where].workers for own in replicas[key] if (where := own.server) in servers),
            drifted=max(_whole(drifted.get(key, 0.0)), _most_drifted(replicas[key])),
            worst=worst.get(key),
            across=across.get(key) if _have_one_baseline(replicas[key]) else None,
        )
        for key in sorted({*replicas, *down})
    )


def _have_one_baseline(replicas: Sequence[Replica]) -> bool:
    """Return whether the bins of some servers are the same ones, so that their rows can be added up."""
    return len({found for own in replicas for found in own.baseline_hashes}) <= 1


def _models_of_servers_that_are_down(
    answers: Answers, asked: Asked, servers: Mapping[Key, Server]
) -> dict[Key, set[str]]:
    """Return the servers that do not answer, by the models that they had lately."""
    found: dict[Key, set[str]] = defaultdict(set)
    for series in answers["info_lately"]:
        where = servers.get(series.key(asked.server))
        if where is not None and where.is_up is False:
            found[series.key(asked.model)].add(where.instance)
    return found


def _replicas(answers: Answers, at: float, asked: Asked) -> list[Replica]:
    hashes: dict[Key, set[str]] = defaultdict(set)
    for series in answers["info"]:
        hashes[series.key(asked.replica)].add(series.labels.get("baseline_hash", ""))
    gauges: dict[Key, dict[str, float]] = defaultdict(dict)
    for series in answers["gauges"]:
        gauges[series.key(asked.replica)][series.labels.get("__name__", "")] = series.value
    rows, before, rate, last = (
        _by_key(answers[name], asked.replica) for name in ("rows", "rows_before", "rate", "last_row_before")
    )
    last |= {key: at for key, count in rows.items() if count != before.get(key, 0.0)}
    return [
        Replica(
            deployment=key[: len(asked.by)],
            instance=key[len(asked.by)],
            name=key[-2],
            version=key[-1],
            baseline_hashes=tuple(sorted(hashes[key])),
            gauges=gauges[key],
            rows=rows.get(key),
            rows_per_second=rate.get(key),
            last_row=last.get(key),
        )
        for key in sorted({*hashes, *(own for own in gauges if "model_available" in gauges[own])})
    ]


def _before(answers: Answers, asked: Asked) -> dict[Key, frozenset[str]]:
    found: dict[Key, set[str]] = defaultdict(set)
    for series in answers["info_before"]:
        found[series.key((*asked.by, MODEL[0]))].add(series.key(("instance",))[0])
    return {key: frozenset(instances) for key, instances in found.items()}


def _columns(answer: Sequence[Sample], asked: Asked) -> dict[Key, Column]:
    return {own.key(asked.model): Column(own.labels.get("feature_name", ""), own.value) for own in answer}


def _by_key(answer: Sequence[Sample], names: Key) -> dict[Key, float]:
    return {own.key(names): own.value for own in answer}


def _most_drifted(replicas: Sequence[Replica]) -> int:
    return _whole(max((own.gauges.get("model_drifted_features", 0.0) for own in replicas), default=0.0))


def _whole(count: float) -> int:
    return int(count) if math.isfinite(count) else 0


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
