"""JSON Schema as `/openapi.json` uses it: a value is held against a schema, and an unknown keyword is an error."""

from __future__ import annotations

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
    "minItems", "maxItems", "minLength", "maxLength", "enum", "const",
}  # fmt: skip


def problems(value: Any, schema: Any, document: Mapping[str, Any], at: str = "$") -> list[str]:
    """Return what is wrong with a value, empty if it fits the schema of an OpenAPI document."""
    strange = set(schema) - ANNOTATIONS - CHECKS
    if strange:
        raise NotImplementedError(f"{strange} in {schema}")
    if "$ref" in schema:
        return problems(value, _found(schema["$ref"], document), document, at)
    found = [] if "type" not in schema or TYPES[schema["type"]](value) else [f"{at}: {value!r} is no {schema['type']}"]
    if "anyOf" in schema and all(problems(value, one, document, at) for one in schema["anyOf"]):
        found.append(f"{at}: {value!r} fits none of {schema['anyOf']}")
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{at}: {value!r} is not allowed")
    if isinstance(value, dict):
        found += _object(value, schema, document, at)
    elif isinstance(value, list):
        found += _length(value, schema, "Items", at)
        found += [p for i, v in enumerate(value) for p in problems(v, schema.get("items", {}), document, f"{at}[{i}]")]
    elif isinstance(value, str):
        found += _length(value, schema, "Length", at)
    return found


def _object(value: dict[str, Any], schema: Any, document: Mapping[str, Any], at: str) -> list[str]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
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
