"""Checks what an assertion says before any row is read: its function, arguments and condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.checks.assertions.cells import DTYPES, class_name
from driftgauge.checks.assertions.functions import BY_NAME, Function, Parameter
from driftgauge.checks.assertions.language import Expression, LanguageError, Value, spelled_value
from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import listed, shortened


def bind(expression: Expression) -> tuple[Function, tuple[Value, ...]]:
    """Return the function of an expression and its arguments; LanguageError says what is wrong with them."""
    function = BY_NAME.get(expression.function)
    if function is None:
        like = nearest(expression.function, BY_NAME)
        advice = f"did you mean {like}?" if like else f"there is {listed(list(BY_NAME))}"
        raise LanguageError(f"there is no function {shortened(expression.function)}; {advice}")
    _check_condition(function, expression)
    return function, tuple(_arguments(function, expression.arguments))


def columns_of(function: Function, arguments: Sequence[Value]) -> list[str]:
    """Return the columns that the arguments name."""
    pairs = zip(_parameters(function, len(arguments)), arguments, strict=False)
    return [str(value) for parameter, value in pairs if parameter.kind == "column"]


def unknown_column(name: str, known: Sequence[str], owner: str) -> str:
    """Return the message about a column that does not exist."""
    like = nearest(name, known)
    advice = f"did you mean {like}?" if like else f"it has {listed(known) or 'none'}"
    return f"{owner} has no column {shortened(name)}; {advice}"


def _parameters(function: Function, given: int) -> list[Parameter]:
    """Return the parameter of each argument."""
    own = list(function.parameters)
    if own and own[-1].is_repeated:
        own += [own[-1]] * (given - len(own))
    return own


def _arguments(function: Function, given: Sequence[Value]) -> Iterator[Value]:
    parameters = _parameters(function, len(given))
    least = sum(one.least for one in function.parameters)
    if not least <= len(given) <= len(parameters):
        raise LanguageError(f"write {function.signature}")
    for parameter, value in zip(parameters, given, strict=False):
        yield _argument(function, parameter, value)
    if parameters[-1:] and parameters[-1].name == "high" and float(given[-2]) > float(given[-1]):
        raise LanguageError(f"{function.name}: low is above high")


def _argument(function: Function, parameter: Parameter, value: Value) -> Value:
    name = f"{function.name}: {parameter.name}"
    if parameter.kind == "value":
        return class_name(value) or ""
    if parameter.kind in ("number", "level"):
        if isinstance(value, str):
            raise LanguageError(f"{name} must be a number, not {shortened(value)}")
        if parameter.kind == "level" and not 0.0 <= value <= 1.0:
            raise LanguageError(f"{name} must be from 0 to 1, not {value:g}")
    elif not isinstance(value, str):
        raise LanguageError(f'{name}: put {value:g} in quotes if it is meant: "{value:g}"')
    if parameter.kind == "pattern":
        try:
            pc.match_substring_regex(pa.array([""]), str(value))
        except pa.ArrowInvalid as error:
            raise LanguageError(f"{name}: {str(error).partition(chr(10))[0]}") from error
    return value


def _check_condition(function: Function, expression: Expression) -> None:
    operator, bounds = expression.condition.operator, expression.condition.bounds
    if function.is_text:
        if operator not in ("==", "!="):
            raise LanguageError(f"{function.name} is compared by == or != only")
        word = str(bounds[0])
        if word not in DTYPES:
            like = nearest(word, DTYPES)
            raise LanguageError(
                f"{function.name}: there is no type {shortened(word)}; "
                + (f"did you mean {like}?" if like else f"there is {listed(DTYPES)}")
            )
        return
    words = [bound for bound in bounds if isinstance(bound, str)]
    if words:
        raise LanguageError(f"{function.name} is a number: compare it with one, not with {shortened(words[0])}")
    if operator == "between" and float(bounds[0]) > float(bounds[1]):
        low, high = map(spelled_value, bounds)
        raise LanguageError(f"between {low} and {high} holds for no number: give the lower one first")
