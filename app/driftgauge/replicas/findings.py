"""What is stale, missing, inconsistent or drifted among the models of all servers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from driftgauge.replicas.overview import Key, ModelVersion, Overview, Replica, Server

Group = Literal["stale", "missing", "inconsistent", "verdict"]
Kind = Literal[
    "no_samples",
    "evaluation_stale",
    "clock_ahead",
    "server_down",
    "fewer_replicas",
    "model_unavailable",
    "two_baselines",
    "two_versions",
    "monitoring_problem",
    "drift",
    "performance",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ALERT_FROM: Final = 2
"""Severity from which alerts fire."""
AHEAD_SECONDS: Final = 60.0
"""How far the clock of a server may be ahead of that of Prometheus."""
MOST_NAMED: Final = 5
"""Most servers or models that a sentence names."""
STALE_SECONDS: Final = 300.0
"""Age from which samples are stale; Prometheus forgets a value after as long."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and where."""

    group: Group
    kind: Kind
    deployment: Key
    model_name: str | None
    """None for something about a server."""
    model_version: str | None
    servers: tuple[str, ...]
    sentence: str


def findings(found: Overview, stale_seconds: float = STALE_SECONDS, ignored: Sequence[Kind] = ()) -> list[Finding]:
    """Return what is wrong, in the order of `KINDS`."""
    ways: tuple[Callable[[Overview], Iterator[Finding]], ...] = (
        lambda own: _no_samples(own, stale_seconds),
        _stale_evaluations,
        _clocks_ahead,
        _down,
        _fewer_replicas,
        _unavailable,
        _two_baselines,
        _two_versions,
        _monitoring_problems,
        _drift,
        _performance,
    )
    every = [finding for way in ways for finding in way(found)]
    return sorted((own for own in every if own.kind not in ignored), key=lambda own: KINDS.index(own.kind))


def age(seconds: float) -> str:
    """Return an age in its largest unit: `42 s`, `12 min`, `3 h`, `2 d`."""
    for limit, size, unit in ((120.0, 1.0, "s"), (7_200.0, 60.0, "min"), (172_800.0, 3_600.0, "h")):
        if seconds < limit:
            return f"{max(0.0, seconds) / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def several(names: Sequence[str]) -> str:
    """Return names for a sentence: the first five, and the number of others."""
    more = len(names) - MOST_NAMED
    return f"{', '.join(names[:MOST_NAMED])} and {more:,} more" if more > 0 else ", ".join(names)


# ---------------------------------------------------------------- stale


def _no_samples(found: Overview, stale_seconds: float) -> Iterator[Finding]:
    """Yield servers whose samples have stopped, except servers that others have replaced."""
    for deployment, servers in _by_deployment(found.servers).items():
        before = {
            instance
            for key, instances in found.replicas_before.items()
            if key[:-1] == deployment
            for instance in instances
        }
        scraped = [own for own in servers if own.is_up is not None]
        for own in servers:
            is_old = own.last_sample is not None and found.at - own.last_sample > stale_seconds
            if is_old and (own.is_up is not None or len(scraped) < len(before)):
                said = age(found.at - (own.last_sample or 0.0))
                yield Finding(
                    "stale", "no_samples", deployment, None, None, (own.instance,),
                    f"{own.instance} has sent no samples for {said}: it is no longer scraped, or its Prometheus "
                    "sends nothing",
                )  # fmt: skip


def _stale_evaluations(found: Overview) -> Iterator[Finding]:
    for model in found.models:
        for own in model.replicas:
            last, limit = (own.gauge(f"model_evaluation_{what}_seconds") for what in ("timestamp", "age_threshold"))
            if last is not None and limit is not None and found.at - last > limit:
                said = "has not evaluated it yet" if last == 0 else f"evaluated it {age(found.at - last)} ago"
                hint = "" if last == 0 else ", or its clock is behind"
                sentence = f"{own.instance} {said}: its verdict is stale{hint}"
                yield _of_model("stale", "evaluation_stale", model, (own.instance,), sentence)


def _clocks_ahead(found: Overview) -> Iterator[Finding]:
    """Yield servers whose verdicts are from the future: they would not be stale for as long."""
    ahead: dict[Key, float] = {}
    for model in found.models:
        for own in model.replicas:
            last = own.gauge("model_evaluation_timestamp_seconds") or 0.0
            if last - found.at > AHEAD_SECONDS:
                ahead[own.server] = max(ahead.get(own.server, 0.0), last - found.at)
    for (*deployment, instance), seconds in sorted(ahead.items()):
        yield Finding(
            "stale", "clock_ahead", tuple(deployment), None, None, (instance,),
            f"the clock of {instance} is at least {age(seconds)} ahead of that of Prometheus: set it, because the age "
            "of its verdicts and rows cannot be judged",
        )  # fmt: skip


# ---------------------------------------------------------------- missing


def _down(found: Overview) -> Iterator[Finding]:
    names: dict[Key, set[str]] = defaultdict(set)
    for each in found.models:
        for instance in each.servers:
            names[(*each.deployment, instance)].add(each.name)
    for own in found.servers:
        if own.is_up is False:
            models = sorted(names[(*own.deployment, own.instance)])
            had = f", which had {several(models)}" if models else ""
            yield Finding(
                "missing", "server_down", own.deployment, None, None, (own.instance,),
                f"{own.instance}{had}, does not answer" if had else f"{own.instance} does not answer",
            )  # fmt: skip


def _fewer_replicas(found: Overview) -> Iterator[Finding]:
    """Yield models that fewer servers have than before; servers that are down still count."""
    now: dict[Key, set[str]] = defaultdict(set)
    for model in found.models:
        now[(*model.deployment, model.name)] |= {*model.servers}
    for key, before in sorted(found.replicas_before.items()):
        present = now[key]
        if len(present) < len(before):
            gone = tuple(sorted(before - present))
            have = "no server has it" if not present else f"{_servers(len(present))} it"
            yield Finding(
                "missing", "fewer_replicas", key[:-1], key[-1], None, gone,
                f"{have} now, {len(before)} had it {found.asked.since} ago; missing: {several(gone)}",
            )  # fmt: skip


def _servers(count: int) -> str:
    return "1 server has" if count == 1 else f"{count} servers have"


def _unavailable(found: Overview) -> Iterator[Finding]:
    yield from _where(
        found, "missing", "model_unavailable", lambda own: own.gauge("model_available") == 0, "could not load it"
    )


# ---------------------------------------------------------------- inconsistent


def _two_baselines(found: Overview) -> Iterator[Finding]:
    for model in found.models:
        hashes = model.baseline_hashes
        if len(hashes) > 1:
            where = "; ".join(f"{_short(own)} at {several(_having(model, own))}" for own in hashes)
            servers = tuple(own.instance for own in model.replicas)
            sentence = f"its servers compare with {len(hashes)} baselines: {where}"
            yield _of_model("inconsistent", "two_baselines", model, servers, sentence)


def _having(model: ModelVersion, baseline: str) -> list[str]:
    return [own.instance for own in model.replicas if baseline in own.baseline_hashes]


def _short(baseline: str) -> str:
    return baseline.removeprefix("sha256:")[:12]


def _two_versions(found: Overview) -> Iterator[Finding]:
    """Yield models whose servers answer with several versions at once; shadows do not answer."""
    live: dict[Key, dict[str, list[str]]] = defaultdict(dict)
    for model in found.models:
        answering = [own.instance for own in model.replicas if own.is_live]
        if answering:
            live[(*model.deployment, model.name)][model.version] = answering
    for key, versions in sorted(live.items()):
        if len(versions) > 1:
            where = "; ".join(f"{version} at {several(own)}" for version, own in sorted(versions.items()))
            servers = tuple(sorted({each for own in versions.values() for each in own}))
            yield Finding(
                "inconsistent", "two_versions", key[:-1], key[-1], None, servers,
                f"{len(versions)} versions answer at once, as during a rollout: {where}",
            )  # fmt: skip


# ---------------------------------------------------------------- verdicts


def _monitoring_problems(found: Overview) -> Iterator[Finding]:
    yield from _where(
        found,
        "verdict",
        "monitoring_problem",
        lambda own: own.gauge("model_monitoring_healthy") == 0,
        "has a problem with its monitoring: see monitoring.problems in its /drift/status",
        "have problems with their monitoring: see monitoring.problems in the /drift/status of each",
    )


def _drift(found: Overview) -> Iterator[Finding]:
    for model in found.models:
        servers = _alerting(model, "model_drift_severity")
        if servers and model.is_live:
            columns = f", {model.drifted} column{'s' if model.drifted > 1 else ''}" if model.drifted else ""
            worst = f"; {model.worst.name} has {model.worst.shown} times its limit" if model.worst else ""
            yield _of_model(
                "verdict", "drift", model, servers,
                f"drift is {model.drift} at {len(servers)} of {_replicas(model)}{columns}{worst}",
            )  # fmt: skip


def _performance(found: Overview) -> Iterator[Finding]:
    for model in found.models:
        servers = _alerting(model, "model_performance_severity")
        if servers and model.is_live:
            sentence = f"performance on ground truth is {model.performance} at {len(servers)} of {_replicas(model)}"
            yield _of_model("verdict", "performance", model, servers, sentence)


def _replicas(model: ModelVersion) -> str:
    count = len(model.replicas)
    return f"{count} server{'s' if count > 1 else ''}"


def _alerting(model: ModelVersion, gauge: str) -> tuple[str, ...]:
    return tuple(own.instance for own in model.replicas if (own.gauge(gauge) or 0.0) >= ALERT_FROM)


# ---------------------------------------------------------------- all of them


def _where(
    found: Overview, group: Group, kind: Kind, is_wrong: Callable[[Replica], bool], words: str, of_several: str = ""
) -> Iterator[Finding]:
    for model in found.models:
        servers = tuple(own.instance for own in model.replicas if is_wrong(own))
        if servers:
            said = (of_several or words) if len(servers) > 1 else words
            yield _of_model(group, kind, model, servers, f"{several(servers)} {said}")


def _of_model(group: Group, kind: Kind, model: ModelVersion, servers: tuple[str, ...], sentence: str) -> Finding:
    return Finding(group, kind, model.deployment, model.name, model.version, servers, sentence)


def _by_deployment(servers: Sequence[Server]) -> dict[Key, list[Server]]:
    found: dict[Key, list[Server]] = defaultdict(list)
    for own in servers:
        found[own.deployment].append(own)
    return found
