"""Parts of arguments, bodies and answers, as programs name them: a dotted key, or a function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from driftgauge.common.quoting import named, shortened
from driftgauge.edges.formats.rows.cells import type_name
from driftgauge.errors import Reason, Refused, SettingsError

Key = str | Callable[[Any], Any]
"""A key like `answer.score`, or a function of the whole."""
Selector = Callable[[Any], Any]


def selector(option: str, key: Key | None) -> Selector:
    """Return what selects a part; None selects the whole. SettingsError for what is no key.

    A key names what is inside a mapping, or an attribute of an object; in a list, it names that part of every element,
    or with a number one element.

    >>> selector("prediction", "answers.score")({"answers": [{"score": 0.1}, {"score": 0.7}]})
    [0.1, 0.7]
    """
    if key is None:
        return plain
    if callable(key):
        return key
    if not isinstance(key, str) or not key:
        raise SettingsError(f"{option} is {key!r}: give a key like 'answer.score', or a function")
    return lambda whole: plain(_part(option, whole, key))


def plain(value: Any) -> Any:
    """Return a value as observations take it: objects with fields become mappings, inside lists too."""
    if hasattr(value, "model_dump"):  # pydantic
        return value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple) and value and not isinstance(value[0], Mapping | int | float | str):
        return [plain(item) for item in value]
    return value


def _part(option: str, whole: Any, key: str) -> Any:
    if isinstance(whole, Mapping) and key in whole:
        return whole[key]
    first, _, rest = key.partition(".")
    found = _step(option, whole, first)
    return _part(option, found, rest) if rest else found


def _step(option: str, whole: Any, name: str) -> Any:
    if isinstance(whole, Mapping):
        if name in whole:
            return whole[name]
        raise _refused(option, name, f"there is {named([str(key) for key in whole])}" if whole else "there is nothing")
    if isinstance(whole, list | tuple):
        if not name.isdigit():
            return [_step(option, item, name) for item in whole]
        if int(name) < len(whole):
            return whole[int(name)]
        raise _refused(option, name, f"the list has {len(whole)} elements")
    try:
        return getattr(whole, name)
    except AttributeError:
        raise _refused(option, name, f"it is {type_name(whole)}") from None


def _refused(option: str, name: str, known: str) -> Refused:
    return Refused(Reason.UNKNOWN_SHAPE, f"{option}: there is no {shortened(name)!r} in it; {known}", {"field": option})
