from __future__ import annotations

import pytest
from driftgauge.edges.http.media_types import prefers_html
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

JSON = "application/json"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def asks(*accepts: str) -> Request:
    """A request with these `Accept` headers."""
    return Request({"type": "http", "headers": [(b"accept", accept.encode("latin-1")) for accept in accepts]})


@pytest.mark.parametrize(
    "accept",
    [
        CHROMIUM,
        FIREFOX,
        "text/html",
        "TEXT/HTML",
        "text/*",
        "text/html, */*",
        "application/json;q=0.5, text/html",
        "application/json;q=0.5, text/html;q=0.6",
        "text/html;level=1",
        "*/*;q=0.1, text/html;q=0.2",
        " text/html ; q=1.0 ",
    ],
)
def test_browsers_prefer_html(accept: str) -> None:
    assert prefers_html(asks(accept), JSON)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        JSON,
        "application/*",
        "application/json, text/html",
        "text/html, application/json",
        "text/html;q=0.8, application/json",
        "text/html;q=0.8, */*",
        "text/html;q=0, */*",
        "text/html;q=0",
        "text/html;q=high",
        "text/html;q=2",
        "text/html;q=nan",
        "text/plain",
        "application/xhtml+xml",
        "image/png",
        "text/htmlx",
        ";;,,=",
        "text/html/*",
    ],
)
def test_everybody_else_gets_the_other_type(accept: str) -> None:
    assert not prefers_html(asks(accept), JSON)


def test_without_the_header_the_other_type_is_right() -> None:
    assert not prefers_html(asks(), JSON)


def test_headers_that_are_sent_twice_are_one_list() -> None:
    assert prefers_html(asks("application/json;q=0.3", "text/html"), JSON)
    assert not prefers_html(asks("text/html;q=0.3", "application/json"), JSON)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_header_can_be_read(accept: str) -> None:
    assert prefers_html(asks(accept), JSON) in (True, False)
