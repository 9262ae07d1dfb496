"""Fills the templates of Prometheus and Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from driftgauge.notifications.template_functions import FUNCTIONS, text_of
from driftgauge.notifications.template_syntax import Node, Operand, Pipeline, Template, TemplateError, read_template

_LAYOUT: Final[Mapping[str, str]] = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
"""Parts of Go's layout of a time."""
MOST_TEXT: Final = 100_000
"""Longest text that a template may become."""


@dataclass(frozen=True)
class Moment:
    """A time, as templates write it."""

    at: float

    def field(self, name: str) -> Any:
        """Return itself for `UTC`, and the function that writes it for `Format`."""
        if name == "UTC":
            return self
        if name == "Format":
            return self.format
        raise TemplateError(f"a time has no {name}")

    def format(self, layout: str) -> str:
        """Return the time in Go's layout.

        >>> Moment(1_767_225_600.0).format("2006-01-02 15:04 UTC")
        '2026-01-01 00:00 UTC'
        """
        moment = datetime.fromtimestamp(self.at, UTC)
        return re.sub("|".join(_LAYOUT), lambda found: moment.strftime(_LAYOUT[found[0]]), layout)


def filled(
    text: str,
    variables: Mapping[str, Any],
    *,
    dot: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """Return a template with its variables, its dot, and functions of its own in it; TemplateError if that fails."""
    return _fill(read_template(text), variables, dot, functions)


def named(template: Template, name: str, dot: Any) -> str:
    """Return a template that another one defines."""
    if name not in template.defined:
        raise TemplateError(f"there is no template {name}")
    return _fill(Template(template.defined[name], template.defined), {}, dot, None)


def _fill(
    template: Template, variables: Mapping[str, Any], dot: Any, functions: Mapping[str, Callable[..., Any]] | None
) -> str:
    filling = _Filling(template.defined, {**FUNCTIONS, **(functions or {})}, [dict(variables)])
    try:
        filling.write(template.nodes, dot)
    except (TypeError, LookupError, ArithmeticError, ValueError) as error:
        raise TemplateError(str(error)) from error
    return "".join(filling.said)


class _Filling:
    """What a template has become so far, and its variables."""

    def __init__(
        self,
        defined: Mapping[str, tuple[Node, ...]],
        functions: Mapping[str, Callable[..., Any]],
        scopes: list[dict[str, Any]],
    ) -> None:
        self.said: list[str] = []
        self._length = 0
        self._defined = defined
        self._functions = functions
        self._scopes = scopes

    def write(self, nodes: tuple[Node, ...], dot: Any) -> None:
        """Write nodes in a scope of their own."""
        self._scopes.append({})
        for node in nodes:
            self._node(node, dot)
        self._scopes.pop()

    def _node(self, node: Node, dot: Any) -> None:
        if node.kind == "text":
            return self._say(node.text)
        value = None if node.pipeline is None else self._value(node.pipeline, dot)
        if node.kind == "call":
            self._call(node.text, value)
        elif node.kind == "print":
            if node.pipeline and node.pipeline.variable is None:
                self._say(text_of(value))
        elif not value:
            self.write(node.other, dot)
        elif node.kind == "range":
            for one in value:
                self.write(node.body, one)
        else:
            self.write(node.body, value if node.kind == "with" else dot)
        return None

    def _say(self, text: str) -> None:
        self._length += len(text)
        if self._length > MOST_TEXT:
            raise TemplateError(f"the text has more than {MOST_TEXT:,} characters")
        self.said.append(text)

    def _call(self, name: str, dot: Any) -> None:
        before, self._scopes = self._scopes, [{}]
        self.write(self._defined[name], dot)
        self._scopes = before

    def _value(self, pipeline: Pipeline, dot: Any) -> Any:
        value: Any = None
        for number, command in enumerate(pipeline.commands):
            more = () if number == 0 else (value,)
            value = self._command(command, more, dot)
        if pipeline.variable is not None:
            self._assign(pipeline.variable, value, is_new=pipeline.is_declared)
        return value

    def _command(self, command: tuple[Operand, ...], more: tuple[Any, ...], dot: Any) -> Any:
        first, *others = command
        arguments = [*(self._operand(other, dot) for other in others), *more]
        if first.kind == "word":
            return self._functions[str(first.value)](*arguments)
        value = self._operand(first, dot)
        return value(*arguments) if callable(value) else value

    def _operand(self, operand: Operand, dot: Any) -> Any:
        if operand.kind == "constant":
            return operand.value
        if operand.kind == "word":
            return self._functions[str(operand.value)]()
        if operand.kind == "dot":
            value = dot
        elif operand.kind == "variable":
            value = self._scope_of(str(operand.value))[str(operand.value)]
        else:
            assert isinstance(operand.value, Pipeline)  # noqa: S101  # the only other kind
            value = self._value(operand.value, dot)
        for name in operand.fields:
            # A label that is missing is an empty one.
            value = value.get(name, "") if isinstance(value, Mapping) else value.field(name)
        return value

    def _assign(self, name: str, value: Any, *, is_new: bool) -> None:
        scope = self._scopes[-1] if is_new else self._scope_of(name)
        scope[name] = value

    def _scope_of(self, name: str) -> dict[str, Any]:
        """Return the innermost scope that has a variable."""
        for scope in self._scopes[::-1]:
            if name in scope:
                return scope
        raise TemplateError(f"there is no ${name}")
