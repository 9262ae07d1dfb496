"""What every format reads alike: the JSON of a body, ids and times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from app.edges.formats.pieces import TOO_DEEP, NotJson, parsed
from app.edges.formats.structure import Structure, survey
from app.errors import Reason, Refused

ID_LENGTH: Final = 128
READ_AGAIN_BYTES: Final = 65_536
"""Up to which size a body that is not quite JSON is read again, slowly, to say what is wrong where."""


def read_json(body: bytes, structure: Structure | None = None) -> Any:
    """Return the JSON value of a body, of a large one a piece at a time by its structure; raises Refused.

    NaN and infinite numbers, which JSON does not have but some writers send, are read as numbers in
    a body that is not too large for it, so that the field that holds one can be named.
    """
    try:
        return orjson.loads(body) if structure is None else parsed(body, structure)
    except (orjson.JSONDecodeError, NotJson) as error:
        problem = TOO_DEEP if (structure or survey(body[:READ_AGAIN_BYTES])).is_too_deep else str(error)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_UTF8, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    if len(body) > READ_AGAIN_BYTES:
        if "NaN" in text or "Infinity" in text:
            raise Refused(
                Reason.NOT_FINITE, f"NaN and Infinity are not JSON ({problem}): send null for a missing value"
            )
        raise Refused(Reason.NOT_JSON, f"the body is not JSON: {problem}")
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair cannot be written back
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.NOT_JSON, f"the body is not JSON: {problem}") from error
    return content


def id_of(field: str, value: Any, row: int = 0) -> str:
    """Return a value that is usable as an id; raises Refused."""
    if isinstance(value, str) and 0 < len(value) <= ID_LENGTH and value.isprintable():
        return value
    raise Refused(
        Reason.INVALID_PREDICTION_ID,
        f"{field}: an id is a text of 1 to {ID_LENGTH} printable characters",
        {"field": field, "row": row},
    )


def time_of(field: str, value: Any, row: int = 0) -> float:
    """Return a time in seconds since 1970, of RFC 3339 text (UTC where it names no offset) or of such seconds.

    Raises Refused for anything else, and for what is not a time of the years 1 to 9999.
    """
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            # Through UTC, so that what comes out can be written as a time again.
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise Refused(
        Reason.INVALID_TIMESTAMP,
        f"{field}: {str(value)[:40]!r} is not a time; send RFC 3339 text such as 2026-01-31T12:00:00Z, "
        "or seconds since 1970",
        {"field": field, "row": row},
    )
