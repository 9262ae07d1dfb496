"""Arrays of named tables in the settings file, such as `[[actions]]`: how they are read, and what is wrong with one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import shortened
from driftgauge.settings.features import LONGEST_VALUE

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Names of environment variables."""


class NamedTable(BaseModel):
    """A table with a name and a kind; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Its name: small letters, digits, dashes and underscores.")
    kind: str

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(
                f"{shortened(repr(value))} is no name: give small letters, digits, dashes and underscores, at most 64"
            )
        return value


T = TypeVar("T", bound=NamedTable)


def read_tables(
    value: object, kinds: Mapping[str, type[T]], example: str, allowed: Mapping[str, str]
) -> tuple[T | NamedTable, ...]:
    """Return the tables of an array, each of the model that its `kind` names; they may be one JSON text.

    `allowed` says in words what each key accepts, others accept text. ValueError names the table and the key, and says
    what to give.
    """
    found: dict[str, T | NamedTable] = {}
    for place, table in enumerate(_decoded(value, example), 1):
        own = table if isinstance(table, NamedTable) else _read(table, place, kinds, example, allowed)
        if own.name in found:
            raise ValueError(f"two have the name {shortened(own.name)}: give each its own name")
        found[own.name] = own
    return tuple(found.values())


def _decoded(value: object, example: str) -> Sequence[object]:
    """Return the tables, which the environment gives as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else []
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{shortened(repr(value), LONGEST_VALUE)} is not JSON: give e.g. {example}") from error
    if not isinstance(value, list | tuple):
        raise ValueError(f"{shortened(repr(value), LONGEST_VALUE)} is no list of tables: give e.g. {example}")
    return value


def _read(table: object, place: int, kinds: Mapping[str, type[T]], example: str, allowed: Mapping[str, str]) -> T:
    name = table.get("name") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(name, str):
        raise ValueError(f"number {place} needs a name: give a table, e.g. {example}")
    label, kind = shortened(name), table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        given = "is missing" if kind is None else f"{shortened(repr(kind), LONGEST_VALUE)} cannot be used"
        raise ValueError(f"{label}: kind {given}: give {', '.join(kinds)}")
    try:
        return kinds[kind].model_validate(table)
    except ValidationError as error:
        keys, found = kinds[kind].model_fields, dict[object, str]()
        for problem in error.errors():
            found.setdefault(problem["loc"][:1], _sentence(problem, keys, allowed))
        raise ValueError("; ".join(f"{label}: {text}" for text in found.values())) from error


def _sentence(problem: Mapping[str, Any], keys: Mapping[str, object], allowed: Mapping[str, str]) -> str:
    """Return what is wrong with one key of a table, from what pydantic refused."""
    key = str(problem["loc"][0]) if problem["loc"] else ""
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        like = nearest(key, keys)
        return f"unknown key {shortened(path)}" + (f"; did you mean {like}?" if like else f"; give {', '.join(keys)}")
    wanted = allowed.get(key, "text")
    if problem["type"] == "missing":
        return f"{path} is missing: give {wanted}"
    if problem["type"] == "value_error":
        why = str(problem["ctx"]["error"])
        return f"{path}: {why}" if path else why
    return f"{path}: {shortened(repr(problem['input']), LONGEST_VALUE)} cannot be used: give {wanted}"


def require_one(fields: BaseModel, *keys: str, needed: bool = False) -> None:
    """Raise ValueError if more than one of some keys is set, or none is although one is needed."""
    given = [key for key in keys if getattr(fields, key) is not None]
    if len(given) > 1:
        raise ValueError(f"give only one of {' and '.join(given)}")
    if needed and not given:
        raise ValueError(f"{keys[0]} is missing: give it, or {' or '.join(keys[1:])}")
    if given and given[0].endswith("_variable") and not VARIABLE.fullmatch(getattr(fields, given[0])):
        raise ValueError(f"{given[0]} is no name of a variable: give letters, digits and _")
