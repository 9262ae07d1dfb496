"""Parameters of queries for `/openapi.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def query_parameters(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return optional parameters of a query, by name with their descriptions."""
    return [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in texts.items()
    ]
