"""The alerts of one server: the rules that Prometheus would evaluate, with their `for`, on the server's own samples."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import promql_parser as syntax

from driftgauge.alerting.alerts import alert_rules
from driftgauge.alerting.drift_details import PREFIX
from driftgauge.alerting.options import MonitoringOptions, milliseconds
from driftgauge.alerting.routing import alertmanager_config
from driftgauge.alerting.rules import recording_rules
from driftgauge.notifications.promql import NotSupported, evaluate, matches, parsed, ranges_of
from driftgauge.notifications.samples import Labels, Samples, Wanted, names_in
from driftgauge.notifications.templates import filled

NOT_FOR_PEOPLE: Final = "none"
"""The severity of alerts without notifications, such as the watchdog."""


@dataclass(frozen=True)
class Rule:
    """One alerting rule."""

    name: str
    expr: str
    hold_seconds: float
    keeps_seconds: float
    labels: Labels
    annotations: Mapping[str, str]

    @cached_property
    def key(self) -> str:
        """What tells it from other rules of its name."""
        return json.dumps([self.name, *sorted(self.labels.items())])


@dataclass(frozen=True)
class Rules:
    """What is evaluated: records first, in their order, then alerts."""

    alerts: Sequence[Rule]
    records: Sequence[Mapping[str, Any]]
    inhibitions: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, options: MonitoringOptions) -> Rules:
        """Return the rules of the shipped files that one server can evaluate, without records that no alert reads.

        Those that compare with the last week, and those with functions of PromQL beyond ours, are left to Prometheus.
        """
        records = [own for group in recording_rules(options)["groups"] for own in group["rules"]]
        reads = {own["record"]: _reads(own["expr"]) for own in records}
        known = {name for name in reads if _is_known(name, reads)}
        alerts = [_rule(own) for group in alert_rules(options)["groups"] for own in group["rules"]]
        alerts = [own for own in alerts if own.labels["severity"] != NOT_FOR_PEOPLE]
        judged = [own for own in alerts if _is_known(own.name, {**reads, own.name: _reads(own.expr)})]
        wanted = {name for own in judged for name in _all_read(_reads(own.expr) or (), reads)}
        used = [own for own in records if own["record"] in known and own["record"] in wanted]
        used += [own for own in records if own["record"].startswith(PREFIX)]
        return cls(judged, used, alertmanager_config(options)["inhibit_rules"])

    @cached_property
    def by_key(self) -> Mapping[str, Rule]:
        """The alerting rules by what tells them from others."""
        return {own.key: own for own in self.alerts}

    @property
    def wanted(self) -> Wanted:
        """The series that they read."""
        ranges: dict[str, float] = {}
        for expr in (*(own.expr for own in self.alerts), *(own["expr"] for own in self.records)):
            for name, seconds in ranges_of(expr).items():
                ranges[name] = max(seconds, ranges.get(name, 0.0))
        for own in self.alerts:
            for name in names_in(" ".join(own.annotations.values())):
                ranges.setdefault(name, 0.0)
        return Wanted(ranges)


Reads = Mapping[str, Collection[str] | None]
"""The names that the expression of each rule reads; None for one that cannot be evaluated here."""


def _reads(expr: str) -> Collection[str] | None:
    try:
        return ranges_of(expr)
    except NotSupported:
        return None


def _is_known(name: str, reads: Reads) -> bool:
    """Return whether a rule can be evaluated, and all rules that it reads."""
    if name not in reads:
        return True
    own = reads[name]
    return own is not None and all(_is_known(other, reads) for other in own)


def _all_read(names: Iterable[str], reads: Reads) -> Iterator[str]:
    """Yield names, and what their rules read."""
    for name in names:
        yield name
        yield from _all_read(reads.get(name) or (), reads)


def _rule(own: Mapping[str, Any]) -> Rule:
    return Rule(
        name=own["alert"],
        expr=own["expr"],
        hold_seconds=_seconds(own.get("for")),
        keeps_seconds=_seconds(own.get("keep_firing_for")),
        labels=own["labels"],
        annotations=own["annotations"],
    )


def _seconds(text: str | None) -> float:
    return milliseconds(text) / 1_000 if text else 0.0


# ---------------------------------------------------------------- alerts


@dataclass(frozen=True)
class Active:
    """An alert whose condition holds, or has held."""

    rule: str
    """The key of its rule."""
    labels: Labels
    """Those of the series, without those of the rule."""
    value: float
    active_at: float
    """When the condition began."""
    fired_at: float | None = None
    """When it had lasted for long enough; None while it has not."""
    ended_at: float | None = None
    """When the condition ended of an alert that goes on for a while."""

    @cached_property
    def fingerprint(self) -> str:
        """What tells it from other alerts."""
        return hashlib.sha256(json.dumps([self.rule, *sorted(self.labels.items())]).encode()).hexdigest()[:32]


@dataclass
class Judge:
    """Evaluates the rules one time after the other."""

    rules: Rules
    samples: Samples
    active: dict[str, Active] = field(default_factory=dict)
    """Alerts by their fingerprint; those of an earlier process to begin with."""
    patient_until: float = 0.0
    """Until then no firing alert ends: a process that has just begun has not seen enough."""
    failures: dict[str, Exception] = field(default_factory=dict)
    """The rules that could not be evaluated the last time, by record or key; their alerts stay as they were."""

    def evaluate(self, at: float) -> Iterator[None]:
        """Bring the alerts up to date; yields after each rule."""
        self.failures.clear()
        for record in self.rules.records:
            with self._apart(record["record"]):
                more = record.get("labels", {})
                found = evaluate(record["expr"], self.samples, at)
                self.samples.record(record["record"], [({**labels, **more}, value) for labels, value in found], at)
            yield
        holding: dict[str, Active] = {}
        for rule in self.rules.alerts:
            found = []
            with self._apart(rule.key):
                found = evaluate(rule.expr, self.samples, at)
            if rule.key in self.failures:
                holding |= {key: own for key, own in self.active.items() if own.rule == rule.key}
            for labels, value in found:
                own = Active(rule.key, labels, value, at)
                holding[own.fingerprint] = own
            yield
        self.active = dict(self._advanced(holding, at))

    @contextlib.contextmanager
    def _apart(self, name: str) -> Iterator[None]:
        """Let a rule that fails on strange values hold up no other one, as in Prometheus."""
        try:
            yield
        except (ArithmeticError, ValueError, LookupError, TypeError) as error:
            self.failures[name] = error

    def _advanced(self, found: Mapping[str, Active], at: float) -> Iterator[tuple[str, Active]]:
        rules = self.rules.by_key
        for fingerprint in [*self.active, *(new for new in found if new not in self.active)]:
            before, now = self.active.get(fingerprint), found.get(fingerprint)
            rule = rules.get((before or found[fingerprint]).rule)
            if rule is None:  # of another version of the rules
                continue
            if now is not None:
                kept = now if before is None else replace(before, value=now.value, ended_at=None)
                held = kept.fired_at is None and at - kept.active_at >= rule.hold_seconds
                yield fingerprint, replace(kept, fired_at=at) if held else kept
            elif before is not None and before.fired_at is not None:
                ended = before.ended_at or at
                if at - ended < rule.keeps_seconds or at < self.patient_until:
                    yield fingerprint, replace(before, ended_at=ended)

    def firing(self) -> list[Active]:
        """Return the alerts that fire, without those that others silence."""
        firing = [own for own in self.active.values() if own.fired_at is not None]
        return list(_not_inhibited(firing, self.rules))

    def annotations(self, alert: Active, at: float) -> dict[str, str]:
        """Return the texts of an alert, with its labels, its value and queries filled in; TemplateError."""
        rule = self.rules.by_key[alert.rule]

        def query(promql: str) -> list[Mapping[str, Any]]:
            return [{"Labels": labels, "Value": value} for labels, value in evaluate(promql, self.samples, at)]

        variables = {"labels": alert.labels, "value": alert.value}
        return {name: filled(text, variables, functions={"query": query}) for name, text in rule.annotations.items()}


def labels_of(alert: Active, rules: Rules) -> dict[str, str]:
    """Return all labels of an alert, as Alertmanager gets them."""
    rule = rules.by_key[alert.rule]
    return {"alertname": rule.name, **alert.labels, **rule.labels}


# ---------------------------------------------------------------- inhibitions


def _not_inhibited(alerts: Sequence[Active], rules: Rules) -> Iterator[Active]:
    """Yield the alerts that no other silences, by Alertmanager's own rules."""
    labels = [labels_of(own, rules) for own in alerts]
    inhibitions = [_Inhibition(own, labels) for own in rules.inhibitions]
    for alert, own in zip(alerts, labels, strict=True):
        if not any(inhibition.silences(own) for inhibition in inhibitions):
            yield alert


class _Inhibition:
    """A rule by which alerts silence others, and the alerts that do."""

    def __init__(self, rule: Mapping[str, Any], alerts: Iterable[Labels]) -> None:
        self._rule: Final = rule
        sources = [own for own in alerts if _matching(rule["source_matchers"], own)]
        self._sources: Final = {self._equal(own) for own in sources}
        self._pure_sources: Final = {self._equal(own) for own in sources if not self._is_target(own)}

    def silences(self, target: Labels) -> bool:
        """Return whether an alert is silenced; one that is a source too is not silenced by its like, or by itself."""
        if not self._is_target(target):
            return False
        is_both = _matching(self._rule["source_matchers"], target)
        return self._equal(target) in (self._pure_sources if is_both else self._sources)

    def _is_target(self, labels: Labels) -> bool:
        return _matching(self._rule["target_matchers"], labels)

    def _equal(self, labels: Labels) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in self._rule["equal"])


def _matching(matchers: Sequence[str], labels: Labels) -> bool:
    selector = parsed("alert{" + ", ".join(matchers) + "}")  # without a name, `!=` alone is refused
    assert isinstance(selector, syntax.VectorSelector)  # noqa: S101  # it is nothing else
    return matches(selector, labels)
