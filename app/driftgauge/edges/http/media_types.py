"""Media types: which one a client prefers, by its `Accept` header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

HTML: Final = "text/html"


def prefers_html(request: Request, other: str) -> bool:
    """Say whether a client prefers HTML to the `other` media type, which everyone else gets.

    Browsers name `text/html`; curl, fetch and scripts accept anything, `*/*`.
    """
    return prefers(request, HTML, other)


def prefers(request: Request, wanted: str, other: str) -> bool:
    """Say whether a client prefers a media type to the `other`, which it gets if it states nothing.

    Of two equal weights the one that is named wins, and `other` if both are.
    """
    ranges = _weights(",".join(request.headers.getlist("accept")))
    weight, plain = _weight(ranges, wanted), _weight(ranges, other)
    return weight > plain or (weight == plain > 0.0 and wanted in ranges and other not in ranges)


def _weight(ranges: dict[str, float], media_type: str) -> float:
    """Return the weight of a media type: that of the most specific range that holds it, 0 without one."""
    kind = media_type.partition("/")[0]
    return next((ranges[name] for name in (media_type, f"{kind}/*", "*/*") if name in ranges), 0.0)


def _weights(accept: str) -> dict[str, float]:
    """Return the weight of each media range; parameters other than `q` are ignored."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name:
            weights[name] = max(weights.get(name, 0.0), _quality(parameters))
    return weights


def _quality(parameters: list[str]) -> float:
    """Return the weight among parameters, 1 without one; an invalid one counts as 0."""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
