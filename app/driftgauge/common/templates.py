"""Texts and JSON values with named placeholders, such as `{model}`."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from driftgauge.common.nearest import nearest

LONGEST_TEXT: Final = 2_000
"""Most characters of a value in a text."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def placeholders(template: Any) -> Iterator[str]:
    """Yield the names of the placeholders in a text, list or table; ValueError for one that cannot be read.

    >>> list(placeholders({"dag": "retrain", "conf": ["{model}", "{labels.feature_name} of {{it}}"]}))
    ['model', 'labels.feature_name']
    """
    if isinstance(template, str):
        yield from (name for _, name in _parts(template) if name is not None)
    elif isinstance(template, Mapping):
        for key, value in template.items():
            if list(placeholders(str(key))):
                raise ValueError(f"{key}: a key has no placeholders; give them in values")
            yield from placeholders(value)
    elif isinstance(template, Sequence):
        for value in template:
            yield from placeholders(value)


def require_known(template: Any, known: Collection[str]) -> None:
    """Raise ValueError for a placeholder that is not known; a known `labels.` stands for any name after it."""
    for name in placeholders(template):
        table = f"{name.partition('.')[0]}."
        if name in known or (table in known and table != name and "." in name):
            continue
        like = nearest(name, known)
        listed = ", ".join(f"{{{own}NAME}}" if own.endswith(".") else f"{{{own}}}" for own in known)
        raise ValueError(
            f"unknown placeholder {{{name}}}; " + (f"did you mean {{{like}}}?" if like else f"there is {listed}")
        )


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with the values in it; a text that is one placeholder becomes the value itself.

    >>> filled({"model": "{model}", "rows": "{rows}", "why": "{model} has {rows} rows"}, {"model": "m", "rows": 3})
    {'model': 'm', 'rows': 3, 'why': 'm has 3 rows'}
    """
    if isinstance(template, str):
        parts = _parts(template)
        if len(parts) == 1 and parts[0][1] is not None and not parts[0][0]:
            return cleaned(_value(parts[0][1], values))
        return filled_text(template, values)
    if isinstance(template, Mapping):
        return {str(key).replace("{{", "{").replace("}}", "}"): filled(own, values) for key, own in template.items()}
    if isinstance(template, Sequence):
        return [filled(own, values) for own in template]
    return template


def filled_text(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with the values in it: one line without control characters, tables as JSON, None as nothing."""
    return "".join(literal + ("" if name is None else _as_text(_value(name, values))) for literal, name in _parts(text))


def cleaned(value: Any) -> Any:
    """Return a value whose texts are one line of printable characters, cut to their most characters."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(" ", value)[:LONGEST_TEXT]
    if isinstance(value, Mapping):
        return {cleaned(str(key)): cleaned(own) for key, own in value.items()}
    if isinstance(value, Sequence):
        return [cleaned(own) for own in value]
    return value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    clean = cleaned(value)
    return clean if isinstance(clean, str) else json.dumps(clean, ensure_ascii=False)[:LONGEST_TEXT]


def _value(name: str, values: Mapping[str, Any]) -> Any:
    table, _, key = name.partition(".")
    found = values.get(table)
    if not key:
        return found
    return found.get(key) if isinstance(found, Mapping) else None


def _parts(text: str) -> list[tuple[str, str | None]]:
    """Return the text before each placeholder and its name; the name is None at the end of the text."""
    try:
        found = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{text!r}: write a brace that is none of a placeholder twice, e.g. {{{{") from error
    for _, name, spec, conversion in found:
        if name is not None and (spec or conversion or not _NAME.fullmatch(name)):
            raise ValueError(f"{text!r}: {{{name}}} is no placeholder; write a brace of the text twice, e.g. {{{{")
    return [(literal, name) for literal, name, _, _ in found]
