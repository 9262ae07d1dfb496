"""Values that fit a JSON schema, and values that are one change away from it, for tests of those who read them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=3)
    | st.sampled_from([[], {}, [[]], [1, 2], {"a": 1}, "a" * 200, 1e300, -1])
)


def fitting(schema: Any) -> st.SearchStrategy[Any]:
    """Values that fit a schema of the kinds that the OpenAPI document of the server has."""
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return st.one_of([fitting(one) for one in schema["anyOf"]])
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type")]
    return st.one_of([_of_kind(kind, schema) for kind in kinds])


def _of_kind(kind: str | None, schema: Any) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind is None:
        return ANYTHING
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(low, high)
    if kind == "number":
        floats = st.floats(low, high, allow_nan=False, allow_infinity=False)
        whole = st.integers(
            max(-(2**60), int(low or 0) if low is not None else -(2**60)), min(2**60, int(high or 2**60))
        )
        return floats | whole
    if kind == "string":
        return _texts(schema)
    return _lists(schema) if kind == "array" else _objects(schema)


def _texts(schema: Any) -> st.SearchStrategy[str]:
    short, long = schema.get("minLength", 0), schema.get("maxLength", 60)
    if "pattern" not in schema:
        return st.text(st.characters(codec="utf-8"), min_size=short, max_size=long)
    texts = st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return texts.filter(lambda text: short <= len(text) <= long and "\\ud8" not in ascii(text))


def _lists(schema: Any) -> st.SearchStrategy[list[Any]]:
    first = [fitting(one) for one in schema.get("prefixItems", [])]
    if first:
        return st.tuples(*first).map(list)
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", 3), max(3, least))
    if schema.get("uniqueItems"):
        required = [one["contains"]["const"] for one in schema.get("allOf", [])]
        names = schema["items"]["enum"]
        some = st.sets(st.sampled_from(names), min_size=0 if required else 1)
        return some.flatmap(lambda chosen: st.permutations(sorted({*chosen, *required})))
    return st.lists(fitting(schema.get("items", {})), min_size=least, max_size=most)


def _objects(schema: Any) -> st.SearchStrategy[dict[str, Any]]:
    required = schema.get("required", [])
    known = {name: fitting(one) for name, one in schema.get("properties", {}).items()}
    made = st.fixed_dictionaries(
        {name: known[name] for name in required},
        optional={name: one for name, one in known.items() if name not in required},
    )
    return made.filter(lambda value: len(value) >= schema.get("minProperties", 0))


@st.composite
def changed(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Any:
    """A value in which one thing is another, more or less."""
    value = {"": copy.deepcopy(draw(values))}
    inside, key = draw(st.sampled_from(list(_places(value))))
    how = draw(st.sampled_from(["replace", "remove", "add", "repeat"]))
    if how == "replace" or key == "":
        inside[key] = draw(ANYTHING)
    elif how == "remove":
        del inside[key]
    elif isinstance(inside, dict):
        inside[draw(st.sampled_from(["other", "size", "data", "timestamps"]))] = draw(ANYTHING)
    else:
        inside.append(inside[key] if how == "repeat" else draw(ANYTHING))
    return value[""]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a value with each of its keys or places."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
