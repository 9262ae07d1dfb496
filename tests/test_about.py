from __future__ import annotations

import dataclasses

import pytest
from driftgauge.about import MOST_CHARACTERS, NOTHING, About
from driftgauge.errors import AboutError

from tests.abouts import HOSTILE, USUAL

FIELDS = [field.name for field in dataclasses.fields(About)]


@pytest.mark.parametrize("about", [NOTHING, USUAL, HOSTILE], ids=["nothing", "usual", "hostile"])
def test_texts_of_one_line_are_kept_as_they_are(about: About) -> None:
    assert About(**about.stated) == about


def test_every_field_has_a_longest_text() -> None:
    assert list(MOST_CHARACTERS) == FIELDS
    assert USUAL.stated.keys() == HOSTILE.stated.keys() == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("x" * 10_000, "has 10,000 characters: give at most"),
        ("a\nb", "holds a control character (U+000A): give one line of plain text"),
        ("a\x00b", "holds a control character (U+0000)"),
        ("a\x9bb", "holds a control character (U+009B)"),
        ("a\u2028b", "holds a line break (U+2028)"),
        ("a\u202eb", "holds a mark of text direction (U+202E)"),
        ("a\ud800b", "holds half a surrogate pair (U+D800)"),
        ("  ", "is blank: give a text or leave it out"),
    ],
)
def test_a_text_that_cannot_be_shown_is_refused_with_its_name(name: str, text: str, advice: str) -> None:
    with pytest.raises(AboutError) as caught:
        About(**{name: text})
    assert str(caught.value).startswith(f"{name} {advice}")


@pytest.mark.parametrize("name", FIELDS)
def test_a_text_of_the_greatest_length_is_kept(name: str) -> None:
    start = "https://example.org/" if name == "docs_url" else ""
    text = start.ljust(MOST_CHARACTERS[name], "x")
    assert About(**{name: text}).stated == {name: text}
    with pytest.raises(AboutError, match=name):
        About(**{name: text + "x"})


def test_a_number_is_no_text() -> None:
    with pytest.raises(AboutError, match="owner is 3: give a text"):
        About(owner=3)  # type: ignore[arg-type]  # what a user may do


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org",
        "http://localhost:3000/a%20b?c=d#e",
        "HTTPS://EXAMPLE.ORG/",
        "https://[::1]:8000/",
        "https://wiki.example.org/größe",
    ],
)
def test_an_address_of_a_page_is_kept(address: str) -> None:
    assert About(docs_url=address).docs_url == address


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("javascript:alert(1)", "which is not http(s)"),
        ("wiki.example.org/model", "which is not http(s)"),
        ("ftp://example.org", "which is not http(s)"),
        ("file:///etc/passwd", "which is not http(s)"),
        ("data:text/html,x", "which is not http(s)"),
        ("//example.org", "which is not http(s)"),
        ("https://", "which is not http(s)"),
        ("https:///path", "which is not http(s)"),
        ("https://example.org:0/", "which is not http(s)"),
        ("https://example.org:port/", "which is no valid URL"),
        ("https://[::1/", "which is no valid URL"),
        ("https://example.org/a b", "which holds spaces, quotes or brackets"),
        ('https://example.org/"><script>', "which holds spaces, quotes or brackets"),
        ("https://example.org\\@example.com", "which holds spaces, quotes or brackets"),
        ("https://example.org/\u3000", "which holds spaces, quotes or brackets"),
        ("https://user:password@example.org", "which holds a user or a password"),
    ],
)
def test_another_address_is_refused(address: str, problem: str) -> None:
    with pytest.raises(AboutError) as caught:
        About(docs_url=address)
    assert problem in str(caught.value)
    assert "give an address such as https://" in str(caught.value)


def test_changes_leave_what_they_do_not_name_and_empty_texts_remove() -> None:
    changed = USUAL.updated(About(owner="Risk team", contact=""))
    assert changed == dataclasses.replace(USUAL, owner="Risk team", contact=None)
    assert USUAL.updated(NOTHING) == USUAL
    assert NOTHING.updated(USUAL) == USUAL
    assert USUAL.updated(About(**dict.fromkeys(FIELDS, ""))) == NOTHING


def test_whose_the_model_is_takes_what_is_known() -> None:
    assert USUAL.responsible == "Fraud team (fraud@example.org)"
    assert About(owner="Fraud team").responsible == "Fraud team"
    assert About(contact="fraud@example.org").responsible == "fraud@example.org"
    assert NOTHING.responsible == ""


def test_json_has_every_field_or_is_null() -> None:
    assert USUAL.as_json() == USUAL.stated
    assert About(owner="Fraud team", contact="").as_json() == {**dict.fromkeys(FIELDS), "owner": "Fraud team"}
    assert NOTHING.as_json() is None
