from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from driftgauge.alerting.alerts import alert_names
from driftgauge.alerting.runbooks import Runbooks, read_runbooks, runbooks
from driftgauge.errors import DROPS, Reason, Refused
from driftgauge.metrics.catalogue import catalogue
from driftgauge.settings.options import CONFIG_VARIABLE, Settings, variable
from markdown_it import MarkdownIt

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
PAGES = read_runbooks(Path(__file__).parents[2] / "monitoring" / "runbooks")
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


@each_page
def test_every_metric_of_a_page_exists(alert: str) -> None:
    named = set(re.findall(r"\b(?:model|http)_[a-z_]+\b", PAGES.page(alert)))
    words = {Reason.MODEL_FAILED.value}  # an event of the log
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


def test_the_checkouts_pages_are_served() -> None:
    assert runbooks() == PAGES


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert PAGES.names == tuple(sorted(alert_names()))


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
