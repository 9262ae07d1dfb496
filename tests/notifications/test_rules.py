"""The rules on one server's samples: held against their own tests, which promtool runs too."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from driftgauge.alerting.alerts import alert_names
from driftgauge.alerting.options import MonitoringOptions, milliseconds
from driftgauge.notifications.rules import Active, Judge, Rule, Rules, labels_of
from driftgauge.notifications.samples import Samples, Wanted

TESTS = Path(__file__).parents[2] / "monitoring" / "prometheus" / "tests"
OPTIONS = MonitoringOptions()
JUDGED = {own.name for own in Rules.of(OPTIONS).alerts}
LEFT_TO_PROMETHEUS = {"ModelLatencyRegressed", "Watchdog"}
"""Alerts that need the latency of a week, and the one that shows that Prometheus runs."""
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def cases() -> Iterator[Any]:
    """Yield the tests of alerts in which a server's own metrics are all that counts."""
    for path in sorted(TESTS.glob("*.yml")):
        for number, test in enumerate(yaml.load(path.read_text("utf-8"), yaml.CBaseLoader)["tests"]):  # noqa: S506  # it makes texts alone
            checks = [own for own in test.get("alert_rule_test", []) if own["alertname"] in JUDGED]
            if checks:
                yield pytest.param(test, checks, id=f"{path.stem}-{number}")


def values_of(text: str) -> Iterator[float | str | None]:
    """Yield what promtool reads from values: a number, `stale`, or None for no sample."""
    for part in text.split():
        if part == "stale":
            yield "stale"
        elif found := re.fullmatch(r"_(?:x(\d+))?", part):
            yield from [None] * int(found[1] or 1)
        elif found := re.fullmatch(r"(-?[\d.e]+?)([+-][\d.e]+)?x(\d+)", part):
            first, step, count = float(found[1]), float(found[2] or 0), int(found[3])
            yield from (first + step * number for number in range(count + 1))
        else:
            yield float(part)


def evaluated(test: Mapping[str, Any]) -> Iterator[tuple[float, Judge]]:
    """Evaluate the rules at each step of a test."""
    rules = Rules.of(OPTIONS)
    judge = Judge(rules, Samples(rules.wanted, {}))
    series = [
        (own["series"].partition("{")[0], own["series"], list(values_of(str(own["values"]))))
        for own in test["input_series"]
    ]
    step = milliseconds(test["interval"]) / 1_000
    last = max(seconds(own["eval_time"]) for own in test["alert_rule_test"])
    for number in range(int(last / step) + 1):
        at = number * step
        for name, text, values in series:
            value = values[number] if number < len(values) else None
            labels = {key: found.replace('\\"', '"').replace("\\\\", "\\") for key, found in LABEL.findall(text)}
            if value == "stale":
                for own in judge.samples.named(name):
                    own.is_stale = own.is_stale or own.labels == labels
            elif value is not None:
                judge.samples.add(name, labels, float(value), at)
        for _ in judge.evaluate(at):
            pass
        yield at, judge


@pytest.mark.parametrize(("test", "checks"), [*cases()])
def test_alerts_fire_as_in_prometheus_with_the_same_texts(test: Mapping[str, Any], checks: list[Any]) -> None:
    due = {(seconds(own["eval_time"]), own["alertname"]): own.get("exp_alerts") or [] for own in checks}
    met = 0
    for at, judge in evaluated(test):
        for (time, name), expected in due.items():
            if time == at:
                met += 1
                wanted = [
                    ({"alertname": name, **own["exp_labels"]}, own.get("exp_annotations", {})) for own in expected
                ]
                assert alerts(judge, name, at) == sorted(wanted, key=order), (at, name)
    assert met == len(due)


def seconds(text: str) -> float:
    return milliseconds(text) / 1_000 if text.strip("0ms") else 0.0


def order(alert: tuple[Mapping[str, str], Mapping[str, str]]) -> list[tuple[str, str]]:
    return sorted(alert[0].items())


def alerts(judge: Judge, name: str, at: float) -> list[Any]:
    found = [own for own in judge.active.values() if own.fired_at is not None]
    named = [own for own in found if labels_of(own, judge.rules)["alertname"] == name]
    return sorted(((labels_of(own, judge.rules), judge.annotations(own, at)) for own in named), key=order)


def test_all_alerts_are_judged_but_those_that_need_prometheus() -> None:
    assert set(alert_names(OPTIONS)) - JUDGED == LEFT_TO_PROMETHEUS


# ---------------------------------------------------------------- silenced alerts

MODEL_LABELS = {"job": "driftgauge", "model_name": "delay", "model_version": "1"}
COLUMN = {**MODEL_LABELS, "feature_name": "temp"}


def fired(name: str, severity: str, labels: Mapping[str, str]) -> Active:
    rules = Rules.of(OPTIONS)
    (rule,) = [own for own in rules.alerts if own.name == name and own.labels["severity"] == severity]
    return Active(rule.key, labels, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("source", "target", "is_silent"),
    [
        (("ModelFeatureDrift", "critical", COLUMN), ("ModelFeatureDrift", "warning", COLUMN), True),
        (("ModelPredictionDrift", "critical", COLUMN), ("ModelMissingValues", "warning", COLUMN), False),
        (("ModelMissingValues", "warning", COLUMN), ("ModelFeatureDrift", "warning", COLUMN), True),
        (
            ("ModelMissingValues", "warning", COLUMN),
            ("ModelFeatureDrift", "warning", {**COLUMN, "feature_name": "a"}),
            False,
        ),
        (
            ("ModelMissingValues", "warning", COLUMN),
            ("ModelDataQuality", "warning", {**COLUMN, "constraint": "completeness"}),
            True,
        ),
        (
            ("ModelMissingValues", "warning", COLUMN),
            ("ModelDataQuality", "warning", {**COLUMN, "constraint": "range"}),
            False,
        ),
    ],
)
def test_a_cause_silences_its_consequence_as_in_alertmanager(
    source: tuple[str, str, Mapping[str, str]], target: tuple[str, str, Mapping[str, str]], *, is_silent: bool
) -> None:
    rules = Rules.of(OPTIONS)
    one, other = fired(*source), fired(*target)
    judge = Judge(rules, Samples(rules.wanted, {}), {own.fingerprint: own for own in (one, other)})
    assert (other in judge.firing()) is not is_silent
    assert one in judge.firing()


def test_an_alert_of_an_earlier_process_ends_only_when_the_new_one_has_seen_enough() -> None:
    rules = Rules.of(OPTIONS)
    alert = fired("ModelFeatureDrift", "warning", COLUMN)
    judge = Judge(rules, Samples(rules.wanted, {}), {alert.fingerprint: alert}, patient_until=100.0)
    for at, fires in ((50.0, True), (99.0, True), (100.0, False)):
        for _ in judge.evaluate(at):
            pass
        assert bool(judge.firing()) is fires


STRANGE = ("NaN", "+Inf", "-Inf", "1e308", "-1e308", "0", "5e-324")


@pytest.mark.parametrize("seed", range(3))
def test_strange_values_break_no_rule(seed: int) -> None:
    rules, choose = Rules.of(OPTIONS), random.Random(seed)
    judge = Judge(rules, Samples(rules.wanted, {}))
    labels = 'model_name="m",model_version="1",severity="critical"'
    for at in (0.0, 15.0, 15.0, 300.0):
        page = "".join(
            f'{name}{{{labels},feature_name="{feature}",reason="{feature}",le="{bound}"}} {choose.choice(STRANGE)}\n'
            for name in sorted(rules.wanted.ranges)
            for feature in "ab"
            for bound in ("0.1", "+Inf")
        )
        for _ in judge.samples.read([page], at):
            pass
        for _ in judge.evaluate(at):
            pass
        assert judge.failures == {}


def test_a_rule_that_fails_keeps_its_alerts_and_holds_up_no_other_one() -> None:
    failing = Rule("Slow", "histogram_quantile(0.5, buckets) > 0", 0.0, 0.0, {"severity": "warning"}, {})
    sound = Rule("Full", "disk > 0", 0.0, 0.0, {"severity": "warning"}, {})
    samples = Samples(Wanted({"buckets": 0.0, "disk": 0.0}), {})
    judge = Judge(Rules([failing, sound], [], []), samples)
    samples.add("disk", {}, 1.0, 0.0)
    samples.add("buckets", {"le": "1"}, 1.0, 0.0)
    samples.add("buckets", {"le": "+Inf"}, 1.0, 0.0)
    assert evaluated_at(judge, 0.0) == ["Slow", "Full"]
    samples.add("buckets", {"other": "label"}, 1.0, 15.0)
    assert evaluated_at(judge, 15.0) == ["Slow", "Full"]
    assert [type(error) for error in judge.failures.values()] == [KeyError]


def evaluated_at(judge: Judge, at: float) -> list[str]:
    """Evaluate the rules; returns the names of the alerts that fire."""
    for _ in judge.evaluate(at):
        pass
    return [labels_of(own, judge.rules)["alertname"] for own in judge.firing()]
