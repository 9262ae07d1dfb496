"""The language of assertions: `missing(age) <= 0.05`, `mean(x) between 3 and 5`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from driftgauge.common.quoting import shortened

Value = float | str
"""What a function returns, and what it is compared with."""
OPERATORS: Final = ("<", "<=", ">", ">=", "==", "!=")
CLOSE: Final = 1e-12
"""Relative difference up to which two numbers are equal."""
_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*'|`[^`]*`)
    |(?P<number>[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?(?![\w.]))
    |(?P<name>[^\W\d][\w.-]*)
    |(?P<operator><=|>=|==|!=|[<>≤≥=])
    |(?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_SPELLINGS: Final = {"≤": "<=", "≥": ">="}


class LanguageError(ValueError):
    """A text is no assertion; the message says where and what to write."""


@dataclass(frozen=True)
class Condition:
    """What the value of a function is compared with."""

    operator: str
    """One of `OPERATORS`, or `between`."""
    bounds: tuple[Value, ...]
    """One value; two for `between`, which includes both."""

    def __str__(self) -> str:
        return f"{self.operator} {' and '.join(map(spelled_value, self.bounds))}"

    def holds(self, value: Value) -> bool:
        """Return whether a value fulfils the condition; an unknown number fulfils none."""
        if isinstance(value, float) and math.isnan(value):
            return False
        if self.operator == "between":
            return _compare(value, ">=", self.bounds[0]) and _compare(value, "<=", self.bounds[1])
        return _compare(value, self.operator, self.bounds[0])


@dataclass(frozen=True)
class Expression:
    """An assertion as it is written: a function of columns, and a condition."""

    text: str
    function: str
    arguments: tuple[Value, ...]
    condition: Condition


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    value: Value

    def __str__(self) -> str:
        return self.text or "the end"


def parse(text: str) -> Expression:
    """Return an assertion; LanguageError if the text is none.

    >>> parse("missing(age) <= 5%")
    Expression(text='missing(age) <= 5%', function='missing', arguments=('age',), \
condition=Condition(operator='<=', bounds=(0.05,)))
    >>> parse("rows > many").condition.bounds
    ('many',)
    """
    return _Parser(text.strip()).expression()


class _Parser:
    """Reads the tokens of one assertion from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def expression(self) -> Expression:
        function = self._next("name", "the name of a function")
        arguments: Sequence[Value] = self._arguments() if self._peek().text == "(" else ()
        condition = self._condition(self._text[: self._end].strip())
        if self._peek().kind != "end":
            self._fail("the end", self._peek())
        return Expression(self._text, function.text, tuple(arguments), condition)

    @property
    def _end(self) -> int:
        """The position in the text after the tokens read so far."""
        position = 0
        for _ in range(self._at):
            found = _TOKEN.match(self._text, position)
            position = found.end() if found else position
        return position

    def _arguments(self) -> list[Value]:
        self._at += 1
        found: list[Value] = []
        while True:
            if self._peek().text == ")" and not found:
                break
            found.append(self._value("a column or a number").value)
            if self._peek().text != ",":
                break
            self._at += 1
        if self._peek().text != ")":
            self._fail('"," or ")"', self._peek(), hint=_QUOTES if self._peek().kind != "end" else "")
        self._at += 1
        return found

    def _condition(self, subject: str) -> Condition:
        token = self._peek()
        if token.text == "between":
            self._at += 1
            low = self._value("a number").value
            if self._peek().text != "and":
                self._fail('"and"', self._peek())
            self._at += 1
            return Condition("between", (low, self._value("a number").value))
        if token.text == "=":
            self._fail(f'"==" after {subject}', token)
        if token.kind != "operator":
            self._fail(f"one of {', '.join(OPERATORS)} or between … and … after {subject}", token)
        self._at += 1
        return Condition(_SPELLINGS.get(token.text, token.text), (self._value("a number or a word").value,))

    def _value(self, wanted: str) -> _Token:
        token = self._peek()
        if token.kind not in ("name", "quoted", "number"):
            self._fail(wanted, token)
        self._at += 1
        return token

    def _next(self, kind: str, wanted: str) -> _Token:
        token = self._peek()
        if token.kind != kind:
            self._fail(wanted, token)
        self._at += 1
        return token

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _fail(self, wanted: str, found: _Token, hint: str = "") -> NoReturn:
        raise LanguageError(f"expected {wanted}, found {found}{hint}")


_QUOTES: Final = "; put a column's name in quotes if it has spaces or signs"


def _tokens(text: str) -> list[_Token]:
    """Return the tokens of a text, the last of which is its end."""
    found: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].strip()
            closing = "; a quote is not closed" if rest[0] in "\"'`" else _QUOTES
            raise LanguageError(f"cannot read {shortened(rest)}{closing}")
        kind = str(match.lastgroup)
        token = match[kind]
        found.append(_Token(kind, token, _value_of(kind, token)))
        position = match.end()
    return [*found, _Token("end", "", "")]


def _value_of(kind: str, token: str) -> Value:
    if kind == "quoted":
        mark = token[0]
        return token[1:-1].replace(mark * 2, mark)
    if kind == "number":
        number = float(token.removesuffix("%").replace("_", ""))
        return number / 100.0 if token.endswith("%") else number
    return token


def _compare(value: Value, operator: str, bound: Value) -> bool:
    if isinstance(value, str) or isinstance(bound, str):
        return (str(value) == str(bound)) == (operator == "==")
    if math.isclose(value, bound, rel_tol=CLOSE, abs_tol=0.0):
        return operator in ("==", "<=", ">=")
    return {"<": value < bound, "<=": value < bound, ">": value > bound, ">=": value > bound}.get(
        operator, operator == "!="
    )


def spelled_value(value: Value) -> str:
    """Return a value as an assertion spells it.

    >>> spelled_value(1000.0), spelled_value(0.05), spelled_value("integer")
    ('1000', '0.05', 'integer')
    """
    if isinstance(value, str):
        return value
    if math.isfinite(value) and value == round(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"
