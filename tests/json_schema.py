"""JSON Schema as `/openapi.json` uses it: a value is held against a schema, and an unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
ANNOTATIONS = {"title", "description", "default", "examples", "format"}
CHECKS = {
    "$ref", "type", "anyOf", "properties", "required", "additionalProperties", "items",
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "enum", "const", "minimum", "maximum",
    "pattern", "prefixItems", "contains", "uniqueItems", "allOf", "not",
}  # fmt: skip


def problems(value: Any, schema: Any, document: Mapping[str, Any], at: str = "$") -> list[str]:
    """Return what is wrong with a value, empty if it fits the schema of an OpenAPI document."""
    strange = set(schema) - ANNOTATIONS - CHECKS
    if strange:
        raise NotImplementedError(f"{strange} in {schema}")
    if "$ref" in schema:
        return problems(value, _found(schema["$ref"], document), document, at)
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    found = [] if not kinds or any(TYPES[kind](value) for kind in kinds) else [f"{at}: {value!r} is no {kinds}"]
    found += [problem for one in schema.get("allOf", ()) for problem in problems(value, one, document, at)]
    if "not" in schema and not problems(value, schema["not"], document, at):
        found.append(f"{at}: {value!r} is {schema['not']}")
    if "anyOf" in schema and all(problems(value, one, document, at) for one in schema["anyOf"]):
        found.append(f"{at}: {value!r} fits none of {schema['anyOf']}")
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{at}: {value!r} is not allowed")
    if TYPES["number"](value) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: {value!r} is too small or too large")
    if isinstance(value, dict):
        found += _object(value, schema, document, at)
    elif isinstance(value, list):
        found += _length(value, schema, "Items", at)
        first = schema.get("prefixItems", [])
        inner = [*first, *[schema.get("items", {})] * (len(value) - len(first))]
        found += [p for i, v in enumerate(value[: len(inner)]) for p in problems(v, inner[i], document, f"{at}[{i}]")]
        if "contains" in schema and all(problems(one, schema["contains"], document, at) for one in value):
            found.append(f"{at}: nothing is {schema['contains']}")
        if schema.get("uniqueItems") and any(one in value[:i] for i, one in enumerate(value)):
            found.append(f"{at}: something is there twice")
    elif isinstance(value, str):
        found += _length(value, schema, "Length", at)
        if not re.search(schema.get("pattern", ""), value):
            found.append(f"{at}: {value!r} is not {schema['pattern']}")
    return found


def _object(value: dict[str, Any], schema: Any, document: Mapping[str, Any], at: str) -> list[str]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    found += [f"{at} is empty"] * (len(value) < schema.get("minProperties", 0))
    for name, inner in value.items():
        if name in known:
            found += problems(inner, known[name], document, f"{at}.{name}")
        elif rest is False:
            found.append(f"{at}: {name} is not known")
        elif rest is not True:
            found += problems(inner, rest, document, f"{at}.{name}")
    return found


def _length(value: Any, schema: Any, of: str, at: str) -> list[str]:
    low, high = schema.get(f"min{of}", 0), schema.get(f"max{of}", len(value))
    return [] if low <= len(value) <= high else [f"{at}: {len(value)} is not between {low} and {high}"]


def _found(reference: str, document: Mapping[str, Any]) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found
