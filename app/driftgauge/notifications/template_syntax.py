"""Reads the templates of Prometheus and Alertmanager: as much of Go's text/template as ours use."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

MOST_KEPT: Final = 1_024
"""Templates that are kept as they were read."""
_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*")
    | `(?P<raw>[^`]*)`
    | (?P<number>-?\d+(?:\.\d+)?)
    | \$(?P<variable>\w*)(?P<path>(?:\.\w+)*)
    | (?P<field>(?:\.\w+)+|\.)
    | (?P<sign>:=|=|\||\(|\))
    | (?P<word>\w+)
    )""",
    re.VERBOSE,
)
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)


class TemplateError(ValueError):
    """A template that cannot be read or filled."""


@dataclass(frozen=True)
class Operand:
    """One value in a command."""

    kind: str
    """`constant`, `dot`, `variable`, `word` or `pipeline`."""
    value: object = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """Commands, each of which gets the result of the one before as its last argument."""

    commands: tuple[tuple[Operand, ...], ...]
    variable: str | None = None
    is_declared: bool = False


@dataclass(frozen=True)
class Node:
    """A part of a template: `text`, `print`, `call`, `if`, `with` or `range`."""

    kind: str
    text: str = ""
    pipeline: Pipeline | None = None
    body: tuple[Node, ...] = ()
    other: tuple[Node, ...] = ()
    """What follows `else`."""


@dataclass
class Template:
    """A template and those that it defines, by name."""

    nodes: tuple[Node, ...] = ()
    defined: dict[str, tuple[Node, ...]] = field(default_factory=dict)


@lru_cache(MOST_KEPT)
def read_template(text: str) -> Template:
    """Return the tree of a template; TemplateError if it cannot be read."""
    reader = _Reader(_pieces(text))
    nodes, end = reader.nodes()
    if end:
        raise TemplateError(f"there is an {end} too many")
    return Template(nodes, reader.defined)


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Split a template into text and actions, without the spaces that `{{-` and `-}}` take away."""
    found: list[tuple[bool, str]] = []
    trims = False
    rest = text
    while rest:
        before, opened, after = rest.partition("{{")
        before = before.lstrip() if trims else before
        if not opened:
            found.append((False, before))
            break
        action, closed, rest = after.partition("}}")
        if not closed:
            raise TemplateError("an action does not end")
        if re.match(r"-\s", action):
            before, action = before.rstrip(), action[1:]
        trims = re.search(r"\s-$", action) is not None
        action = _COMMENT.sub("", action[:-1] if trims else action).strip()
        found.append((False, before))
        if action:
            found.append((True, action))
    return [piece for piece in found if piece[1]]


class _Reader:
    """Reads pieces one after the other."""

    def __init__(self, pieces: list[tuple[bool, str]]) -> None:
        self._pieces = pieces[::-1]
        self.defined: dict[str, tuple[Node, ...]] = {}

    def nodes(self) -> tuple[tuple[Node, ...], str]:
        """Return the nodes up to `end` or `else`, and that action; an empty one at the end of the template."""
        found: list[Node] = []
        while self._pieces:
            is_action, text = self._pieces.pop()
            word, _, rest = text.partition(" ")
            if not is_action:
                found.append(Node("text", text))
            elif word in ("end", "else"):
                return tuple(found), text
            elif word == "define":
                self.defined[json.loads(rest)] = self.nodes()[0]
            elif word in ("if", "with", "range"):
                found.append(self._block(word, rest))
            elif word == "template":
                name, _, argument = rest.partition(" ")
                found.append(Node("call", json.loads(name), read_pipeline(argument) if argument else None))
            else:
                found.append(Node("print", pipeline=read_pipeline(text)))
        return tuple(found), ""

    def _block(self, word: str, condition: str) -> Node:
        body, end = self.nodes()
        other: tuple[Node, ...] = ()
        if end.startswith("else "):
            next_word, _, next_condition = end.removeprefix("else ").strip().partition(" ")
            other = (self._block(next_word, next_condition),)
        elif end == "else":
            other, end = self.nodes()
        if not end:
            raise TemplateError(f"{word} {condition} has no end")
        return Node(word, pipeline=read_pipeline(condition), body=body, other=other)


def read_pipeline(text: str) -> Pipeline:
    """Return the pipeline of an action."""
    tokens: list[Mapping[str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise TemplateError(f"{text[at:]!r} cannot be read")
        tokens.append({name: value for name, value in found.groupdict().items() if value is not None})
        at = found.end()
    return _pipeline(tokens[::-1])


def _pipeline(tokens: list[Mapping[str, str]]) -> Pipeline:
    """Take the tokens of a pipeline from the end of a list, and its closing bracket."""
    variable, is_declared = None, False
    if len(tokens) > 1 and tokens[-2].get("sign") in (":=", "="):
        variable, is_declared = tokens[-1]["variable"], tokens[-2]["sign"] == ":="
        del tokens[-2:]
    commands: list[tuple[Operand, ...]] = []
    command: list[Operand] = []
    while tokens:
        token = tokens.pop()
        if token.get("sign") == ")":
            break
        if token.get("sign") == "|":
            commands.append(tuple(command))
            command = []
        else:
            command.append(_operand(token, tokens))
    return Pipeline((*commands, tuple(command)), variable, is_declared)


def _operand(token: Mapping[str, str], tokens: list[Mapping[str, str]]) -> Operand:
    match token:
        case {"string": text}:
            return Operand("constant", json.loads(text))
        case {"raw": text}:
            return Operand("constant", text)
        case {"number": text}:
            return Operand("constant", float(text) if "." in text else int(text))
        case {"variable": name, "path": path}:
            return Operand("variable", name, tuple(path.split(".")[1:]))
        case {"field": path}:
            return Operand("dot", fields=tuple(part for part in path.split(".") if part))
        case {"word": name}:
            return Operand("word", name)
        case {"sign": "("}:
            inner = _pipeline(tokens)
            # `(index .Alerts 0).Labels`: a field right after the bracket is one of its value.
            fields = tokens.pop()["field"] if tokens and len(tokens[-1].get("field", "")) > 1 else ""
            return Operand("pipeline", inner, tuple(part for part in fields.split(".") if part))
    raise TemplateError(f"{dict(token)} is not expected here")
