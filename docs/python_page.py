"""The page of the public names of `driftgauge`: their signatures, fields and documentation, as the code has them."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import driftgauge
from driftgauge.common.option import options_of

WIDTH: Final = 110
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Monitor a model that your program serves": ("Monitor", "instrument"),
    "Compare a table with a baseline": ("check", "CheckOptions", "CheckReport"),
    "Count the rows of parts of a table": ("profile", "merge_profiles", "read_profile", "write_profile", "Profile"),
    "Assert what must hold of a table": ("suite", "Suite", "SuiteReport"),
    "Make baselines and bundles": (
        *("create_baseline", "BaselineOptions", "create_bundle", "load_bundle", "Bundle", "About"),
    ),
    "Errors": ("DriftgaugeError", "Refused", "Reason"),
}
"""The public names by what they are for, in the order of the page; `__version__` is in its introduction."""
INTRODUCTION: Final = (
    "`import driftgauge` loads each of these names when it is first used. `driftgauge.__version__` is the version. All "
    "other names are private and may change with any version. [Your own service](your-own-service.md), "
    "[bundles](bundles.md) and [check](check.md#from-python) have the examples."
)


def python_page(note: str) -> str:
    """Return the page; `note` says that it is generated."""
    sections = [line for title, names in GROUPS.items() for line in ("", f"## {title}", *_entries(names))]
    return "\n".join(["# Python", note, "", INTRODUCTION, *sections, ""])


def _entries(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        found = getattr(driftgauge, name)
        yield from ("", f"### {name}")
        if not inspect.isclass(found):
            yield from _code(name, found)
        yield from (text_of(found), *_members(name, found))


def _members(name: str, found: Any) -> Iterator[str]:
    """Yield what belongs to a class: its fields or values, then its methods."""
    if not inspect.isclass(found):
        return
    if issubclass(found, enum.Enum):
        documented = _documented(found)
        yield from _table("value", [(member.value, documented[member.name]) for member in found])
        return
    options = {}
    if dataclasses.is_dataclass(found):
        options = {field.name: option.help for field, _, option in options_of(found)}
        known = _documented(found) | options
        yield from _table("field", [(field.name, known.get(field.name, "")) for field in dataclasses.fields(found)])
    if options:
        return  # what else these have is for the command line
    own = {key: value for key, value in vars(found).items() if not key.startswith("_")}
    properties = [(key, _first(value.fget)) for key, value in own.items() if isinstance(value, property)]
    yield from _table("property", properties)
    for key in (key for key, value in own.items() if inspect.isroutine(value)):
        method = getattr(found, key)
        yield from ("", *_code(f"{name}.{key}", method), text_of(method))


def _table(head: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield from ("", f"| {head} | |", "|---|---|")
        yield from (f"| `{name}` | {text} |" for name, text in rows)


# ---------------------------------------------------------------- what the code says


def text_of(found: Any) -> str:
    """Return the documentation of a name in Markdown, without its examples."""
    paragraphs = (inspect.getdoc(found) or "").split("\n\n")
    return "\n\n".join(part for part in paragraphs if not re.match(r">>>|    ", part))


def _first(found: Any) -> str:
    return " ".join((inspect.getdoc(found) or "").split("\n\n")[0].split())


def _documented(owner: type) -> dict[str, str]:
    """Return the texts that stand below the attributes of a class."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  # for the type checker
    found = {}
    for before, after in zip(definition.body, definition.body[1:], strict=False):
        target = before.targets[0] if isinstance(before, ast.Assign) else getattr(before, "target", None)
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = " ".join(inspect.cleandoc(str(after.value.value)).split())
    return found


def _code(name: str, called: Callable[..., Any]) -> list[str]:
    return ["```python", signature_of(name, called), "```"]


def signature_of(name: str, called: Callable[..., Any]) -> str:
    """Return a signature as it is written, on several lines if it is long."""
    signature = inspect.signature(called)
    own = [p for p in signature.parameters.values() if p.name != "self"]
    parts = [_parameter(parameter) for parameter in own]
    positional = [i for i, p in enumerate(own) if p.kind is p.POSITIONAL_ONLY]
    if positional:
        parts.insert(positional[-1] + 1, "/")
    keywords = [i for i, p in enumerate(own) if p.kind is p.KEYWORD_ONLY]
    if keywords:
        parts.insert(keywords[0] + bool(positional), "*")
    answer = f") -> {signature.return_annotation}"
    line = f"{name}({', '.join(parts)}{answer}"
    return line if len(line) <= WIDTH else "\n".join([f"{name}(", *(f"    {part}," for part in parts), answer])


def _parameter(parameter: inspect.Parameter) -> str:
    stars = "**" if parameter.kind is parameter.VAR_KEYWORD else "*" * (parameter.kind is parameter.VAR_POSITIONAL)
    default = parameter.default
    if default is parameter.empty:
        return f"{stars}{parameter.name}: {parameter.annotation}"
    shown = "…" if callable(default) else repr(default)
    return f"{parameter.name}: {parameter.annotation} = {shown}"
