"""HTML pages without scripts or other files: their frame and their headers."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

SAFE_HEADERS: Final = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
"""Headers of every page: a browser guesses no type, and tells other sites no address of ours."""


def document(title: str, style: str, body: str) -> str:
    """Return a page; `style` and `body` are used as they are, the title is escaped."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} – Driftgauge</title><link rel="icon" href="data:,"><style>{style}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def page_headers(style: str) -> dict[str, str]:
    """Return headers with which a browser applies this style, and loads or runs nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return {"content-security-policy": f"{policy}; frame-ancestors 'none'", **SAFE_HEADERS}
