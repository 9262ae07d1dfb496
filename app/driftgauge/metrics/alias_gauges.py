"""Numbers of the alias of a registered model that a server follows; absent without one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from driftgauge.errors import ALIAS_FAILURES
from driftgauge.metrics.facts import AliasFacts, MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import Kind

ALIAS: Final = "alias"
ALIAS_VERSION: Final = "alias_version"


@dataclass(frozen=True)
class AliasGauge(MonitorGauge):
    """A gauge of an alias; absent without one."""

    of_monitoring: bool = False

    def applies_to(self, facts: MonitorFacts) -> bool:
        """Say whether a monitor has it."""
        return facts.release.alias is not None


@dataclass(frozen=True)
class AliasCounter(AliasGauge):
    """A counter of an alias."""

    type: ClassVar[Kind] = "counter"


def alias_axes(alias: AliasFacts | None) -> Mapping[str, Iterable[str]]:
    """Return the values of the labels of an alias."""
    return {
        ALIAS: [alias.alias] if alias else (),
        ALIAS_VERSION: [alias.version or ""] if alias else (),
        "reason": ALIAS_FAILURES,
    }


def _of(value: Callable[[AliasFacts], Numbers]) -> Callable[[MonitorFacts], Numbers]:
    return lambda facts: math.nan if facts.release.alias is None else value(facts.release.alias)


def _is_followed(facts: MonitorFacts) -> Numbers:
    """Return 1 if the live version is the one that the alias names; NaN before the registry has answered."""
    alias = facts.release.alias
    if alias is None or alias.version is None:
        return math.nan
    return float(alias.version == facts.model_version != alias.refused)


ALIAS_GAUGES: Final[tuple[AliasGauge, ...]] = (
    AliasGauge(
        "model_alias_info",
        "The alias of a registered model that is followed, and the version that it named last; always 1.",
        (ALIAS, ALIAS_VERSION),
        _of(lambda _: np.ones((1, 1))),
    ),
    AliasGauge(
        "model_alias_followed",
        "1 if the live version is the one that the alias names, else 0. Absent before the registry has answered.",
        (),
        _is_followed,
    ),
    AliasCounter(
        "model_alias_polls_total",
        "Questions to the registry which version the alias names.",
        (),
        _of(lambda own: own.polls),
    ),
    AliasCounter(
        "model_alias_failures_total",
        "Failures to follow the alias, by reason.",
        ("reason",),
        _of(lambda own: np.array(own.failures)),
    ),
    AliasGauge(
        "model_alias_answer_timestamp_seconds",
        "Time of the last answer of the registry, or of the first question until it has answered.",
        (),
        _of(lambda own: math.nan if own.answered_at is None else own.answered_at),
    ),
    AliasGauge(
        "model_alias_answer_age_threshold_seconds",
        "Time without an answer of the registry after which an alert is raised.",
        (),
        _of(lambda own: own.stale_seconds),
    ),
)
