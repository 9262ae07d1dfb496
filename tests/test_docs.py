"""The pages of docs/: links lead somewhere, and maps are complete."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from driftgauge.access.caller import Scope
from driftgauge.edges.http.routes import ROUTES
from driftgauge.errors import DENIALS, DROPS, RECOVERIES, Reason
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
STATE = (DOCS / "state.md").read_text(encoding="utf-8")
IDEAS = {"Log", "Counters", "Checkpoint", "Catch-up", "Slot", "Snapshot"}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    titles = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (DOCS / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("picture", sorted(DOCS.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_shown_says_its_title_and_has_dark_colours(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    title = ElementTree.fromstring(text).find(  # noqa: S314  # our own
        "{http://www.w3.org/2000/svg}title"
    )
    assert title is not None
    assert title.text
    assert "prefers-color-scheme: dark" in text
    assert any(f"]({picture.name})" in page.read_text(encoding="utf-8") for page in PAGES)


def test_the_page_on_state_explains_each_idea_and_the_picture_shows_it() -> None:
    explained = set(re.findall(r"^\*\*([\w-]+)\.\*\* ", STATE.partition("## How it works")[2], flags=re.MULTILINE))
    assert explained == IDEAS
    picture = ElementTree.parse(DOCS / "state.svg").getroot()  # noqa: S314  # our own
    words = " ".join(text for element in picture.iter() if (text := element.text)).lower()
    assert all(idea.lower() in words for idea in IDEAS)


@pytest.mark.parametrize("reason", sorted({*DROPS, *RECOVERIES} - {Reason.MONITORING_FAILED}))
def test_the_page_on_state_names_each_reason_of_a_loss(reason: Reason) -> None:
    assert f"`{reason}`" in STATE


def test_the_map_of_state_names_every_module() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| `state/` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+\.py)`", table))
    modules = {path.name for path in (ROOT / "app" / "driftgauge" / "state").glob("*.py")} - {"__init__.py"}
    assert named == modules


def test_the_page_on_access_has_every_route_in_the_row_of_its_scope() -> None:
    page = (DOCS / "access.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, flags=re.MULTILINE))
    assert {*rows} >= {*Scope}
    probes = page.partition("The probes need no token")[2].partition("\n\n")[0]
    for route in ROUTES:
        text = probes if route.scope is None else rows[route.scope]
        path = re.sub(r"(?<=/v2/models/\{model_name\})/versions/\{model_version\}|/\{alert\}|\{asset\}", "", route.path)
        assert f"`{path}`" in text or f"`{route.method} {path}`" in text, path


def test_the_page_on_access_names_every_reason_of_a_denial() -> None:
    page = (DOCS / "access.md").read_text(encoding="utf-8")
    assert all(f" `{reason}` |" in page for reason in DENIALS)
