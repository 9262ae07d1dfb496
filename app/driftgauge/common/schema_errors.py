"""Problems of a file's content in plain English instead of pydantic's words."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import ValidationError

from driftgauge.common.quoting import shortened

MOST_PROBLEMS: Final = 3
_EXPECTED: Final = {
    "string_type": "a text",
    "string_unicode": "a text of valid Unicode characters",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dataclass_type": "an object",
    "literal_error": "{expected}",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
}
LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""The pattern of one line of printable characters."""
_PATTERNS: Final = {LINE: "one line of printable characters"}
"""What is expected where a text does not match; other patterns are not explained."""


def explain(error: ValidationError, whole: str = "the file") -> str:
    """Return the first problems as one sentence: where, what is there, what was expected; `whole` is what was read."""
    found = list(dict.fromkeys(_problem(problem, whole) for problem in error.errors(include_url=False)))
    more = f"; and {len(found) - MOST_PROBLEMS} more" if len(found) > MOST_PROBLEMS else ""
    return "; ".join(found[:MOST_PROBLEMS]) + more


def _problem(problem: Any, whole: str) -> str:
    where = ".".join(display(str(part)) for part in problem["loc"] if not _is_alternative(part)) or whole
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"{where} is absent"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{where} is not a known key"
    if kind == "value_error":
        return f"{where}: {context['error']}"
    if kind.startswith("json_"):
        return f"{where} is not complete JSON"
    expected = _EXPECTED.get(kind) or _PATTERNS.get(context.get("pattern", ""))
    if expected is None:
        return f"{where} is {display(problem['input'])}, which is not allowed there"
    return f"{where} is {display(problem['input'])}, expected: {expected.format(**context)}"


def _is_alternative(part: object) -> bool:
    """Return whether a part of a location is pydantic's name of an alternative type."""
    return part in ("int", "float", "bool", "str", "[key]")


def display(value: object) -> str:
    """Return a value of the file, short enough for a message."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 64:
        return "a huge number"
    text = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be printed
    return shortened(text)
