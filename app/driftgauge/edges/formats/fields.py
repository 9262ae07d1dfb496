"""Fields that all formats share: JSON bodies, ids and times."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final

import orjson

from driftgauge.common.moments import seconds_of
from driftgauge.edges.formats.large.pieces import TOO_DEEP, NotJson, parsed
from driftgauge.edges.formats.large.structure import Structure, survey
from driftgauge.errors import Reason, Refused

ID_LENGTH: Final = 128
ID_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufeff]+$"
"""Allowed ids: no control characters, no line breaks, nothing that reverses or hides text."""
_IS_ID: Final = re.compile(ID_PATTERN.replace("$", r"\Z"))
READ_AGAIN_BYTES: Final = 65_536
"""Largest invalid body that is parsed again by a slower parser, to find the field at fault."""


def unmarked(body: bytes) -> bytes:
    """Return a body without the byte order mark that some Windows programs write before UTF-8."""
    return body[3:] if body[:3] == codecs.BOM_UTF8 else body


def read_json(body: bytes, structure: Structure | None = None) -> Any:
    """Return the JSON value of a body, parsed in pieces if its structure is given; raises Refused.

    NaN and infinite numbers are not JSON, but some clients send them. In bodies up to `READ_AGAIN_BYTES` they are
    accepted here, so that the decoder can name the field. A byte order mark is ignored.
    """
    body = unmarked(body)
    try:
        return orjson.loads(body) if structure is None else parsed(body, structure)
    except (orjson.JSONDecodeError, NotJson) as error:
        if not body or body.isspace():
            raise Refused(Reason.NOT_JSON, "the body is empty: send JSON (GET /docs has examples)") from error
        problem = TOO_DEEP if (structure or survey(body[:READ_AGAIN_BYTES])).is_too_deep else str(error)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_UTF8, f"the body is not UTF-8: {_utf8_problem(body, error)}") from error
    if b"\0" in body[:4]:
        raise Refused(Reason.NOT_UTF8, f"the body is not UTF-8: {_WIDE}")
    if len(body) > READ_AGAIN_BYTES:
        if "NaN" in text or "Infinity" in text:
            raise Refused(
                Reason.NOT_FINITE, f"NaN and Infinity are not JSON ({problem}): send null for a missing value"
            )
        raise Refused(Reason.NOT_JSON, f"the body is not JSON: {problem}")
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.NOT_JSON, f"the body is not JSON: {problem}") from error
    return content


_WIDE: Final = "it looks like UTF-16 or UTF-32; send UTF-8"


def _utf8_problem(body: bytes, error: UnicodeDecodeError) -> str:
    """Describe why a body is not UTF-8."""
    if body.startswith(b"\x1f\x8b"):
        return "it looks like gzip: send Content-Encoding: gzip with it"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        return _WIDE
    return f"{error.reason} at byte {error.start}"


def id_of(field: str, value: Any, row: int = 0) -> str:
    """Return a valid id; raises Refused."""
    if isinstance(value, str) and 0 < len(value) <= ID_LENGTH and _IS_ID.match(value):
        return value
    raise Refused(
        Reason.INVALID_PREDICTION_ID,
        f"{field}: give a text of 1 to {ID_LENGTH} printable characters",
        {"field": field, "row": row},
    )


def time_of(field: str, value: Any, row: int = 0) -> float:
    """Return a time in seconds since 1970, from RFC 3339 text (UTC without an offset) or from seconds.

    Raises Refused for anything else, and for times outside the years 1 to 9999.
    """
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return seconds_of(value)
    except (ValueError, OverflowError, OSError):
        pass
    raise Refused(
        Reason.INVALID_TIMESTAMP,
        f"{field}: {str(value)[:40]!r} is not a time: send RFC 3339 text such as 2026-01-31T12:00:00Z, "
        "or seconds since 1970",
        {"field": field, "row": row},
    )
