"""Whose a model is, as a line of Markdown; no text in it is markup."""

from __future__ import annotations

import re
from typing import Final

from driftgauge.about import About

_MARKUP: Final = re.compile(r"[\\`*_\[\]<>&#|~!]")


def whom_to_ask(model: str, about: About) -> str:
    """Return owner, contact and documentation of a model in one line, empty if none is stated."""
    texts = [literal(text) for text in (about.owner, about.contact) if text]
    texts += [f"<{about.docs_url}>"] if about.docs_url else []
    return f"Owner of {literal(model)}: {', '.join(texts)}" if texts else ""


def literal(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\g<0>", text)


def below_heading(page: str, line: str) -> str:
    """Return a page with a line below its heading; the page itself for an empty line."""
    heading, _, rest = page.partition("\n")
    return f"{heading}\n\n{line}\n{rest}" if line else page
