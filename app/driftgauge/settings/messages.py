"""Error messages for settings: the name, the value, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import shortened
from driftgauge.settings.features import LONGEST_VALUE
from driftgauge.settings.features import sentence as feature_sentence
from driftgauge.settings.models import ModelTable
from driftgauge.settings.models import sentence as model_sentence
from driftgauge.settings.outcomes import OutcomeSettings, outcome_sentence

_LINK: Final = re.compile(r"(.*_)?(SERVICE_(HOST|PORT)(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")
_BOUNDS: Final[Mapping[str, str]] = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_PLURALS: Final[Mapping[object, str]] = {int: "whole numbers", float: "numbers", str: "names", Path: "paths"}


def service_links(environment: Mapping[str, str], prefix: str) -> list[str]:
    """Return the variables that Kubernetes sets for a Service of that name.

    For one named `driftgauge` these are e.g. DRIFTGAUGE_SERVICE_HOST and DRIFTGAUGE_PORT=tcp://10.0.0.7:8000.
    """
    own = {name: name[len(prefix) :] for name in environment if name.startswith(prefix)}
    return sorted(
        name
        for name, rest in own.items()
        if _LINK.fullmatch(rest) or (rest.endswith("PORT") and _ADDRESS.match(environment[name]))
    )


def sentences(
    problems: Sequence[Mapping[str, Any]], fields: Mapping[str, FieldInfo], variables: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each setting that pydantic refused; `variables` names the environment variable of each."""
    found: dict[str, str] = {}
    for problem in problems:
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if name == "features" and len(problem["loc"]) > 1:
            found.setdefault(str(problem["loc"][:4]), feature_sentence(problem))
        elif name == "models" and len(problem["loc"]) > 1:
            found.setdefault(str(problem["loc"]), model_sentence(problem))
        elif name == "outcomes" and len(problem["loc"]) > 1:
            found.setdefault(str(problem["loc"][:3]), outcome_sentence(problem))
        else:
            found.setdefault(name or str(problem["msg"]), _sentence(name, problem, fields, variables))
    return list(found.values())


def _sentence(
    name: str, problem: Mapping[str, Any], fields: Mapping[str, FieldInfo], variables: Mapping[str, str]
) -> str:
    if problem["type"] == "extra_forbidden":
        like = nearest(name, fields)
        return f"unknown setting {name}" + (f"; did you mean {like}?" if like else "")
    label = f"{name} ({variables[name]})" if name in variables else name
    if problem["type"] == "value_error":  # raised by our own validators
        why = str(problem["ctx"]["error"])
        return f"{label}: {why}" if label else why
    return f"{label}: {shortened(repr(problem['input']), LONGEST_VALUE)} cannot be used: give {allowed(fields[name])}"


def allowed(field: FieldInfo) -> str:
    """Return the values that a setting accepts, in words."""
    kind = _kind(field.annotation)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _either([str(part) for part in parts])
    if origin is tuple and get_origin(parts[0]) is Literal:
        return f"{_either(get_args(parts[0]))}, or several, separated by commas"
    if origin is tuple:
        return f"{_PLURALS[parts[0]]}, separated by commas"
    if origin is dict and parts[1] is str:
        return "name=value, separated by commas"
    if origin is dict and parts[1] is ModelTable:
        return "a table for each model, e.g. [models.churn]"
    if origin is dict and parts[1] is OutcomeSettings:
        return "a table for each outcome, e.g. [outcomes.revenue]"
    if origin is dict and get_origin(parts[1]) is not tuple:
        return 'a table for each column, e.g. [features."temp"]'
    if origin is dict:
        return "COLUMN=WARNING:CRITICAL, separated by commas, e.g. temp=0.3:0.5,dewp=0.2:0.4"
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _bounds(field.metadata)
    if kind is Path:
        return "a path"
    return "text that is not empty" if any(hasattr(mark, "min_length") for mark in field.metadata) else "text"


def _kind(annotation: object) -> Any:
    """Return a type without `Annotated` and `None`."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0])
    if origin in (Union, UnionType):
        return _kind(next(part for part in parts if part is not NoneType))
    return annotation


def _bounds(marks: Collection[object]) -> str:
    """Return the bounds in a field's metadata, in words."""
    words = [
        f"{word} {getattr(mark, name):,}" for mark in marks for name, word in _BOUNDS.items() if hasattr(mark, name)
    ]
    return f", {' and '.join(words)}" if words else ""


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
