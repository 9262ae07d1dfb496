"""Content types of tensors, as MLServer's codecs define them.

https://mlserver.readthedocs.io/en/latest/user-guide/content-type.html
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any, Final, Literal

from driftgauge.common.quoting import shortened
from driftgauge.errors import Reason, Refused

ContentType = Literal["base64", "str", "np", "pd"]
OF_TENSORS: Final[tuple[ContentType, ...]] = ("base64", "np", "str")
OF_TEXTS: Final[tuple[ContentType, ...]] = ("base64", "str")
"""Content types that are allowed for BYTES only."""
OF_REQUESTS: Final[tuple[ContentType, ...]] = (*OF_TENSORS, "pd")
"""A request can also be a DataFrame, with one tensor for each column."""


def content_type_of(parameters: Any, known: Sequence[ContentType], where: str) -> ContentType | None:
    """Return the content type in parameters, None without one; Refused if it is not supported."""
    given = parameters.get("content_type") if isinstance(parameters, dict) else None
    if given is None:
        return None
    for content_type in known:
        if given == content_type:
            return content_type
    raise _refused(
        where, f"its content_type {shortened(str(given))!r} is not supported: leave it out, or send {', '.join(known)}"
    )


def read_as(content_type: ContentType | None, datatype: str, values: Sequence[Any], name: str) -> Sequence[Any]:
    """Return a tensor's values, decoded by its content type; raises Refused.

    Only `base64` changes values. `np` and `pd` name the client's Python type, and `str` is what JSON says anyway.
    """
    if content_type in OF_TEXTS and datatype != "BYTES":
        raise _refused(name, f"content_type {content_type} goes with datatype BYTES, not {datatype}")
    if content_type != "base64":
        return values
    return [value if value is None else _decoded(value, index, name) for index, value in enumerate(values)]


def _decoded(value: str, index: int, name: str) -> str:
    """Decode base64 text; the padding `=` is optional."""
    try:
        padded = value + "=" * (-len(value) % 4)
        return binascii.a2b_base64(padded.encode("ascii"), strict_mode=True).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(name, f"value {index} is base64 of bytes that are not UTF-8 text", value=index) from error
    except ValueError as error:
        message = f"value {index} is not valid base64, as its content_type claims: {shortened(value)!r}"
        raise _refused(name, message, value=index) from error


def _refused(where: str, message: str, **detail: object) -> Refused:
    field = shortened(where)
    return Refused(Reason.WRONG_TYPE, f"{field}: {message}", {"field": field, **detail})
