from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driftgauge.alerting.alerts import alert_names, alert_rules
from driftgauge.alerting.alerts.server import LIMITED_HOLD
from driftgauge.alerting.efficiency import PAST_P95, past_latency_rules
from driftgauge.alerting.options import PRESETS, MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.alerting.rules import recording_rules
from driftgauge.alerting.runbook_values import default_settings
from driftgauge.alerting.runbooks import Runbooks, read_runbooks, runbooks, sources
from driftgauge.drift.evidence.detector import CLEARED
from driftgauge.edges.http.connection.connections import DEFAULT_CONNECTIONS, RESERVED_FILES, SLOW_SECONDS
from driftgauge.errors import DROPS, Reason, Refused
from driftgauge.metrics.catalogue import catalogue
from driftgauge.metrics.series import LATENCY_BUCKETS
from driftgauge.monitor.capture import batch_size
from driftgauge.settings.options import CONFIG_VARIABLE, Settings, load, variable
from markdown_it import MarkdownIt

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
PAGES = runbooks()
each_page = pytest.mark.parametrize("alert", PAGES.names)


def headings(text: str) -> list[tuple[str, str]]:
    """A page's headings and their level; what only looks like one, in a block of code, is none."""
    tokens = MarkdownIt().parse(text)
    return [
        (token.tag, tokens[place + 1].content) for place, token in enumerate(tokens) if token.type == "heading_open"
    ]


def sample_names() -> set[str]:
    endings: dict[str, tuple[str, ...]] = {"histogram": ("", "_bucket", "_sum", "_count")}
    return {name + ending for name, kind, *_ in catalogue() for ending in endings.get(kind, ("",))}


def label_names() -> set[str]:
    return {label for _, _, labels, _ in catalogue() for label in labels.split(", ")}


@each_page
def test_a_page_has_its_alerts_name_and_the_four_sections(alert: str) -> None:
    text = PAGES.page(alert)
    assert headings(text) == [("h1", alert), *(("h2", section) for section in SECTIONS)]
    parts = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
    assert all(part.strip() for part in parts)


@each_page
def test_a_page_is_short(alert: str) -> None:
    assert 25 <= len(PAGES.page(alert).splitlines()) <= 50


RECORDED = [rule["record"] for group in recording_rules(MonitoringOptions())["groups"] for rule in group["rules"]]


@each_page
def test_every_metric_of_a_page_exists(alert: str) -> None:
    page = PAGES.page(alert)
    for record in RECORDED:
        page = page.replace(record, "")
    named = set(re.findall(r"\b(?:model|http)_[a-z_]+\b", page))
    words = {Reason.MODEL_FAILED.value, Reason.MODEL_UNUSABLE.value}  # events of the log
    assert named - words - label_names() <= sample_names()


@each_page
def test_every_setting_of_a_page_exists(alert: str) -> None:
    named = set(re.findall(r"\bDRIFTGAUGE_[A-Z_]+\b", PAGES.page(alert)))
    assert named <= {CONFIG_VARIABLE, *map(variable, Settings.model_fields)}


@each_page
def test_links_lead_to_other_pages(alert: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGES.page(alert)):
        assert target.endswith(".md")
        assert PAGES.page(target)


def test_the_page_on_lost_rows_says_what_each_reason_means_and_what_to_do() -> None:
    meaning, mitigation = (
        re.split(rf"^## {part}$", PAGES.page("ModelObservationsDropped"), flags=re.MULTILINE)[1].split("\n## ")[0]
        for part in ("Meaning", "Mitigation")
    )
    for reason in DROPS:
        assert f"`{reason}`" in meaning
        assert f"`{reason}`" in mitigation


# ---------------------------------------------------------------- addresses and names


@each_page
def test_a_page_names_the_addresses_and_the_model_that_are_given(alert: str) -> None:
    options = MonitoringOptions(
        base_url="https://model.example.org/a",
        model="delay of flights",
        job="flights",
        prometheus="prom:9191",
        alertmanager="am:9393",
    )
    text = runbooks(options).page(alert)
    assert not re.search(r"localhost|127\.0\.0\.1|driftgauge\"|:9090|:9093|\{\{", text)
    for address in re.findall(r"https?://[^\s']+", text):
        assert address.startswith("https://model.example.org/a/"), address
    for query in re.findall(r"/drift/status([^\s']*)'", text):
        assert query.startswith("?model=delay%20of%20flights")
    for labels in re.findall(r"\{(feature_name=[^}]*)\}", text):
        assert 'model_name="delay of flights"' in labels


def test_the_rendered_files_hold_the_pages_of_the_options(tmp_path: Path) -> None:
    options = MonitoringOptions(base_url="https://model.example.org", model="delay")
    write(options, tmp_path)
    assert read_runbooks(tmp_path / "runbooks") == runbooks(options)
    assert (
        "https://model.example.org/drift/status?model=delay" in (tmp_path / "runbooks/ModelFeatureDrift.md").read_text()
    )


def test_a_feature_stands_in_every_command_as_its_language_quotes_it() -> None:
    page = runbooks(feature='it\'s "x" & y').page("ModelMissingValues")
    assert "feature=it%27s%20%22x%22%20%26%20y&windows=all'" in page
    assert r'{feature_name="it\'s \"x\" & y"}'.replace(r"\'", "'") in page
    assert r"""select(.name == "it'\''s \"x\" & y")""" in page
    assert "NAME" not in page.replace("DRIFTGAUGE_", "")


# ---------------------------------------------------------------- numbers

MARKER = re.compile(r"^\d+\. ", re.MULTILINE)
STATUS = re.compile(r"\b(?:200|4\d\d|50[03])\b")
STATED: dict[str, set[str]] = {
    # What the page states beside the settings: each is compared with its constant below.
    "DriftgaugeConnectionsRefused": {"10,000", "64", "5", "3", "1,000"},
    "DriftgaugeCallerLimited": {"5", "15"},
    "DriftgaugeNotificationsFailing": {"15", "20"},
    "DriftgaugeTelemetryFailing": {"15"},
    "DriftgaugeErrorBudgetBurn": {"1"},
    "DriftgaugeLatencyHigh": {"95", "5", "10", "100", "1", "0.5", "2.5"},
    "DriftgaugeDown": {"0"},
    "ModelLatencyRegressed": {"95", "5", "7", "0.5", "50"},
    "ModelFeatureDrift": {"1", "1,000", "1.8"},
    "ModelInsufficientData": {"10"},
    "ModelMissingValues": {"1"},
    "ModelObservationsDropped": {"5"},
    "ModelPredictionsNotLogged": {"5"},
    "ModelShadowRowsDropped": {"5"},
    "ModelUnseenCategories": {"1"},
}
ROWS_LOST = ("ModelObservationsDropped", "ModelPredictionsNotLogged", "ModelShadowRowsDropped")


def written_numbers(alert: str) -> set[str]:
    """Return the numbers in the words of a page's source; those of commands, codes of answers and lists apart."""
    text = re.sub(r"```.*?```", "", sources().page(alert), flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "", MARKER.sub("", text))
    return set(re.findall(r"\d[\d,.]*\d|\d", STATUS.sub("", text)))


@each_page
def test_every_number_of_a_page_is_generated_or_listed(alert: str) -> None:
    assert written_numbers(alert) == STATED.get(alert, set())


def test_the_numbers_that_pages_state_are_those_of_the_program() -> None:
    connections = PAGES.page("DriftgaugeConnectionsRefused")
    assert f"by default {DEFAULT_CONNECTIONS:,}, or the limit of open files minus {RESERVED_FILES}" in connections
    assert f"took more than {SLOW_SECONDS:.0f} seconds to arrive" in connections
    assert f"for {LIMITED_HOLD[:-1]} minutes" in PAGES.page("DriftgaugeCallerLimited")
    limited = ("DriftgaugeConnectionsRefused", "DriftgaugeCallerLimited")
    for name in (*limited, "DriftgaugeLatencyHigh", *ROWS_LOST):
        ranges = {found for rule in rules_of(name) for found in re.findall(r"\[(\w+)\]", rule["expr"])}
        assert ranges == {"5m"}, f"the page of {name} says 5 minutes"
        assert re.search(r"\b5\sminutes", PAGES.page(name))
    latency = PAGES.page("DriftgaugeLatencyHigh")
    assert all("histogram_quantile(0.95," in rule["expr"] for rule in rules_of("DriftgaugeLatencyHigh"))
    assert PAST_P95.endswith("7d_median")
    assert "[7d] offset 1h" in dict(past_latency_rules())[PAST_P95]
    assert re.search(r"above its median of the last 7 days", PAGES.page("ModelLatencyRegressed"))
    assert [batch_size(rows) for rows in (9, 10, 99, 100)] == ["small", "medium", "medium", "large"]
    assert re.search(r"small\s< 10, medium < 100, large", latency)
    assert f"clears when it falls {-math.log10(CLEARED):.0f} below" in PAGES.page("ModelFeatureDrift")
    first = LATENCY_BUCKETS.index(0.5)
    assert "({:g} to {:g} to {:g} s)".format(*LATENCY_BUCKETS[first : first + 3]) in latency


def rules_of(alert: str) -> list[dict[str, Any]]:
    groups = alert_rules(MonitoringOptions())["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["alert"] == alert]


def test_the_pages_follow_the_options_of_the_rules() -> None:
    slow = runbooks(MonitoringOptions(hold="10m"))
    assert "For 2h, no sliding window" in slow.page("ModelInsufficientData")
    assert "for 1m," in slow.page("DriftgaugeDown")
    assert "for 35s," in runbooks(MonitoringOptions(hold="30s")).page("DriftgaugeDown")
    budget = runbooks(settings={**default_settings(), "error_budget_ratio": 0.01}).page("DriftgaugeErrorBudgetBurn")
    assert "(0.01: 99 %" in budget
    assert "| 14.4 | 14.4 % | 1h and 5m | critical |" in budget


@pytest.mark.parametrize("setting", ["evaluation_stale_seconds", "max_event_ahead_seconds", "evaluation_rest_factor"])
def test_the_pages_can_be_read_where_a_setting_has_no_limit(setting: str) -> None:
    endless = runbooks(settings={**default_settings(), setting: load({setting: "inf"}).model_dump()[setting]})
    assert endless.names == PAGES.names


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert PAGES.names == tuple(sorted(alert_names(MonitoringOptions(presets=PRESETS))))


def test_the_contents_name_every_page() -> None:
    pages = Runbooks({"B": "# B\n", "A": "# A\n"})
    assert pages.contents() == "# Runbooks\n\n- [A](runbooks/A)\n- [B](runbooks/B)\n"


@pytest.mark.parametrize(
    "name", ["Nothing", "", ".md", "a.md.md", "../pyproject.toml", "../runbooks/A", "A/", "A\0", "a"]
)
def test_an_unknown_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(Refused) as refused:
        Runbooks({"A": "# A\n", "B": "# B\n"}).page(name)
    assert refused.value.reason is Reason.NOT_FOUND
    assert refused.value.message.endswith("there is A, B")


def test_an_installation_without_pages_says_so(tmp_path: Path) -> None:
    find: Callable[[str], str] = read_runbooks(tmp_path / "nowhere").page
    with pytest.raises(Refused, match="this installation lacks them"):
        find("ModelFeatureDrift")
