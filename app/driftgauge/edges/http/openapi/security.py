"""How the OpenAPI document describes tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the server's file of tokens."},
    "basic": {"type": "http", "scheme": "basic", "description": "The name of a token, and the token as the password."},
}
REQUIRED: Final[list[dict[str, list[str]]]] = [{name: []} for name in SCHEMES]
"""What an operation requires: one of the schemes."""


def with_schemes(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document that declares the schemes."""
    return {**document, "components": {**document.get("components", {}), "securitySchemes": SCHEMES}}
