"""Messages in the formats of Slack and Microsoft Teams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MOST_SLACK_CHARACTERS: Final = 30_000
"""Longest text; Slack takes 40,000 characters."""
MOST_TEAMS_BYTES: Final = 20_000
"""Largest text; Teams takes messages of 28 KB."""
_COLORS: Final[Mapping[str, str]] = {"good": "Good", "warning": "Warning", "danger": "Attention"}
Json = dict[str, Any]


def as_bytes(body: Mapping[str, Any]) -> bytes:
    """Return a body as JSON in UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def slack_attachment(message: Mapping[str, Any]) -> Json:
    """Return the body for an incoming webhook of Slack: what Alertmanager posts there with our templates."""
    title = escaped(message["title"])
    return {
        "attachments": [
            {
                "color": message["color"],
                "title": title,
                "title_link": message["link"],
                "text": escaped(shortened(message["text"], MOST_SLACK_CHARACTERS)),
                "fallback": title,
            }
        ]
    }


def escaped(text: str) -> str:
    """Return text that Slack shows as it is: a name such as `<!channel>` calls nobody.

    >>> escaped("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def adaptive_card(message: Mapping[str, Any]) -> Json:
    """Return the body for a workflow of Teams: an Adaptive Card. Its runs of text are no Markdown."""
    text = shortened(message["text"], MOST_TEAMS_BYTES)
    while len(text.encode()) > MOST_TEAMS_BYTES:
        text = shortened(text, len(text) * 3 // 4)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _line(message["title"], weight="Bolder", size="Medium", color=_COLORS.get(message["color"], "Default")),
            *(_line(line) for line in text.splitlines() if line.strip()),
        ],
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in _links(message)],
        "msteams": {"width": "Full"},
    }
    content = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content, "contentUrl": None, "content": card}]}


def _line(text: str, **style: str) -> Json:
    return {"type": "RichTextBlock", "spacing": "None", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _links(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the links of the message's first alert."""
    annotations = message["alerts"][0]["annotations"] if message["alerts"] else {}
    titles = {"page_url": "Open the page", "diagnosis_url": "Diagnose", "runbook_url": "Runbook"}
    return [(title, annotations[name]) for name, title in titles.items() if annotations.get(name)]


def shortened(text: str, most: int) -> str:
    """Return a text of so many characters at most, cut at the end of a line if there is one."""
    if len(text) <= most:
        return text
    cut = text[: most - 2]
    return (cut[: cut.rfind("\n")] if "\n" in cut else cut) + "\n…"
