"""Queries that several routes share, and their large answers."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import QueryParams
from starlette.responses import Response

from driftgauge.common.comma_lists import comma_list
from driftgauge.common.moments import moment
from driftgauge.common.quoting import named, shortened
from driftgauge.edges.http.encodings import gzipped, negotiated
from driftgauge.edges.http.errors import json_response
from driftgauge.errors import Reason, Refused


def columns_in(query: QueryParams, columns: Sequence[str]) -> frozenset[str]:
    """Return the columns that a query names; Refused for one that is not among `columns`."""
    features = names_in(query.getlist("feature"), columns)
    for name in features - set(columns):
        message = f"there is no column {shortened(name)!r}; there is {named(columns)}"
        raise Refused(Reason.UNKNOWN_FEATURE, message, {"field": "feature"})
    return features


def names_in(texts: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """Return the listed names; a name with a comma needs its own parameter."""
    return frozenset(name for text in texts for name in ([text] if text in known else comma_list(text)))


def since_of(query: QueryParams, now: float, field: str = "since") -> float | None:
    """Return the time that a query names, seconds since 1970: a moment, or how long ago; None without one.

    `now` is the time of the last report. Refused for anything else.
    """
    text = query.get(field)
    if text is None:
        return None
    try:
        return moment(text, now)
    except ValueError as error:
        message = (
            f"{field}: {shortened(text)!r} is not a time: send how long ago, such as 24h or 7d, "
            "or a moment such as 2026-01-31T12:00:00Z"
        )
        raise Refused(Reason.INVALID_TIMESTAMP, message, {"field": field}) from error


def large_json(body: object, *, small: bool) -> Response:
    """Return a JSON answer, compressed where that is `small`."""
    content = bytes(json_response(body).body)
    return Response(
        gzipped(content) if small else content, media_type="application/json", headers=negotiated(is_gzip=small)
    )
