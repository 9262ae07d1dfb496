from __future__ import annotations

import math

import pytest
from driftgauge.checks.assertions.language import Condition, LanguageError, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "function", "arguments", "operator", "bounds"),
    [
        ("rows >= 1000", "rows", (), ">=", (1000.0,)),
        ("rows()>=1_000", "rows", (), ">=", (1000.0,)),
        ("missing(age) <= 0.05", "missing", ("age",), "<=", (0.05,)),
        ("missing(age) ≤ 5%", "missing", ("age",), "<=", (0.05,)),
        ("mean(x) between -3 and 5e2", "mean", ("x",), "between", (-3.0, 500.0)),
        ("quantile(drop-off.x, .95) < 10", "quantile", ("drop-off.x", 0.95), "<", (10.0,)),
        ("dtype(âge) == integer", "dtype", ("âge",), "==", ("integer",)),
        ('missing("Size, cm (in)") == 0', "missing", ("Size, cm (in)",), "==", (0.0,)),
        ('missing("a ""b""") == 0', "missing", ('a "b"',), "==", (0.0,)),
        ("missing('it''s') == 0", "missing", ("it's",), "==", (0.0,)),
        ("missing(`a \"b'`) != 0", "missing", ("a \"b'",), "!=", (0.0,)),
        ('in_list(size, S, "M", 3) == 1', "in_list", ("size", "S", "M", 3.0), "==", (1.0,)),
    ],
)
def test_an_assertion_is_a_function_and_a_condition(
    text: str, function: str, arguments: tuple[object, ...], operator: str, bounds: tuple[object, ...]
) -> None:
    found = parse(text)
    assert (found.text, found.function, found.arguments) == (text, function, arguments)
    assert found.condition == Condition(operator, bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the name of a function, found the end"),
        ("3 < 4", "expected the name of a function, found 3"),
        ("rows", "expected one of <, <=, >, >=, ==, != or between … and … after rows, found the end"),
        ("rows = 3", 'expected "==" after rows, found ='),
        ("rows >=", "expected a number or a word, found the end"),
        ("rows > 3 4", "expected the end, found 4"),
        ("mean(x", 'expected "," or ")", found the end'),
        ("mean(a b) < 1", 'expected "," or ")", found b; put a column\'s name in quotes if it has spaces or signs'),
        ("mean(1st) < 1", "cannot read 1st) < 1; put a column's name in quotes if it has spaces or signs"),
        ("mean('x) < 1", "cannot read 'x) < 1; a quote is not closed"),
        ("mean(x,) < 1", "expected a column or a number, found )"),
        ("mean(x) between 3", 'expected "and", found the end'),
        ("__import__('os').system('ls')", "cannot read .system('ls'); put a column's name in quotes"),
    ],
)
def test_a_text_that_is_none_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(LanguageError) as refused:
        parse(text)
    assert message in str(refused.value)


@given(st.text())
def test_any_text_is_an_assertion_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except LanguageError:
        return
    assert found.text == text.strip()


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (Condition("<", (3.0,)), 3.0, False),
        (Condition("<=", (3.0,)), 3.0, True),
        (Condition("<=", (0.3,)), 0.1 + 0.2, True),
        (Condition(">", (0.3,)), 0.1 + 0.2, False),
        (Condition(">=", (3.0,)), 2.9, False),
        (Condition("==", (1e9,)), 1e9 + 1.0, False),
        (Condition("==", (0.0,)), 0.0, True),
        (Condition("!=", (0.0,)), 1.0, True),
        (Condition("!=", (0.0,)), math.nan, False),
        (Condition("==", (math.nan,)), math.nan, False),
        (Condition("between", (3.0, 5.0)), 3.0, True),
        (Condition("between", (3.0, 5.0)), 5.0, True),
        (Condition("between", (3.0, 5.0)), 5.1, False),
        (Condition("==", ("integer",)), "integer", True),
        (Condition("!=", ("integer",)), "integer", False),
        (Condition("==", ("integer",)), "text", False),
    ],
)
def test_a_condition_holds_for_values_and_never_for_an_unknown_one(
    condition: Condition, value: float | str, holds: bool
) -> None:
    assert condition.holds(value) is holds
