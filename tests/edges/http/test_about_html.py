from __future__ import annotations

import pytest
from driftgauge.about import NOTHING, About
from driftgauge.edges.http.about_html import link, what_it_is, whom_to_ask

from tests.abouts import USUAL


def contact(text: str) -> str:
    return dict(whom_to_ask(About(contact=text)))["contact"]


def test_what_is_known_is_listed_in_order() -> None:
    assert [name for name, _ in whom_to_ask(USUAL)] == ["owner", "contact", "documentation"]
    assert [name for name, _ in what_it_is(USUAL)] == ["description", "training data", "code version"]
    assert list(whom_to_ask(NOTHING)) == list(what_it_is(NOTHING)) == []
    assert list(whom_to_ask(About(owner="", docs_url=""))) == []


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("fraud@example.org", "mailto:fraud@example.org"),
        ("fraud+alerts@localhost", "mailto:fraud%2Balerts@localhost"),
        ("a?bcc=b&c%d@example.org", "mailto:a%3Fbcc%3Db%26c%25d@example.org"),
        ("o'neill@example.org", "mailto:o%27neill@example.org"),
    ],
)
def test_an_e_mail_address_is_a_link(address: str, target: str) -> None:
    shown = address.replace("&", "&amp;").replace("'", "&#x27;")
    assert contact(address) == f'<a href="{target}">{shown}</a>'


@pytest.mark.parametrize("text", ["#fraud in the chat", "Ann <ann@example.org>", "a@b@c", "@example.org", "a@ö.org"])
def test_another_contact_is_text(text: str) -> None:
    assert contact(text) == text.replace("<", "&lt;").replace(">", "&gt;")


def test_a_link_is_escaped_and_gives_nothing_to_the_page_behind_it() -> None:
    assert link("https://example.org/?a='1'&b=2") == (
        '<a href="https://example.org/?a=&#x27;1&#x27;&amp;b=2" rel="noopener noreferrer">'
        "https://example.org/?a=&#x27;1&#x27;&amp;b=2</a>"
    )
