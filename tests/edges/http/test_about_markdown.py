from __future__ import annotations

from html import unescape

import pytest
from driftgauge.about import NOTHING, About
from driftgauge.edges.http.about_markdown import below_heading, literal, whom_to_ask
from driftgauge.edges.http.runbooks import MARKDOWN
from hypothesis import given
from hypothesis import strategies as st

from tests.abouts import HOSTILE, USUAL


def test_owner_contact_and_documentation_are_one_line() -> None:
    assert whom_to_ask("churn 1", USUAL) == (
        "Owner of churn 1: Fraud team, fraud@example.org, <https://wiki.example.org/fraud?page=1&part=2>"
    )
    assert whom_to_ask("churn 1", About(contact="a_b")) == r"Owner of churn 1: a\_b"
    assert whom_to_ask("churn 1", About(description="of no help")) == whom_to_ask("churn 1", NOTHING) == ""


def test_an_empty_line_leaves_the_page_as_it_is() -> None:
    assert below_heading("# A\n\nText\n", "") == "# A\n\nText\n"
    assert below_heading("# A\n\nText\n", "Owner") == "# A\n\nOwner\n\nText\n"


@pytest.mark.parametrize("text", [text for text in HOSTILE.stated.values() if len(text) < 200])
def test_markup_in_a_text_is_shown_as_it_is(text: str) -> None:
    assert_literal(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), min_size=1))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert_literal(text)


def assert_literal(text: str) -> None:
    html = MARKDOWN.renderInline(f"Owner: {literal(text)}.")
    assert "<" not in html
    assert unescape(html) == f"Owner: {text}."
