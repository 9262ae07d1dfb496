"""Whose a model is, as HTML; every text in it is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Final
from urllib.parse import quote

from driftgauge.about import About

_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""What a form of HTML takes for an e-mail address."""


def whom_to_ask(about: About) -> Iterator[tuple[str, str]]:
    """Yield owner, contact and documentation with their names, as far as they are known."""
    if about.owner:
        yield "owner", escape(about.owner)
    if about.contact:
        yield "contact", _contact(about.contact)
    if about.docs_url:
        yield "documentation", link(about.docs_url)


def what_it_is(about: About) -> Iterator[tuple[str, str]]:
    """Yield the other texts with their names, as far as they are known."""
    for name in ("description", "training_data", "code_version"):
        if name in about.stated:
            yield name.replace("_", " "), escape(about.stated[name])


def link(address: str) -> str:
    """Return a link that gives the page behind it neither this page's window nor its address."""
    return f'<a href="{escape(address)}" rel="noopener noreferrer">{escape(address)}</a>'


def _contact(text: str) -> str:
    if not _MAIL.fullmatch(text):
        return escape(text)
    return f'<a href="mailto:{escape(quote(text, safe="@"))}">{escape(text)}</a>'
