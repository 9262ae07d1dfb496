"""Small JSON bodies of requests that change something."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from driftgauge.common.schema_errors import explain
from driftgauge.errors import Reason, Refused

Body = TypeVar("Body", bound=BaseModel)


async def read_body(request: Request, schema: type[Body], most_bytes: int, reason: Reason) -> Body:
    """Return the body of a request; Refused if it is too large, or for this reason if it has a wrong field."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > most_bytes:
            raise Refused(Reason.BODY_TOO_LARGE, f"the body has more than {most_bytes:,} bytes")
    try:
        return schema.model_validate_json(bytes(content))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"]) or "body"
        raise Refused(reason, explain(error, "the body"), {"field": field}) from error
