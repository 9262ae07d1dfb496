from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints, Thresholds
from driftgauge.errors import ConstraintsError
from driftgauge.models.constraints_file import dumps, loads, read
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20)
CONSTRAINTS = Constraints(
    (
        ColumnConstraints("age", "integral", 1.0, minimum=17.0, maximum=90.0, margin=0.1, is_non_negative=True),
        ColumnConstraints("income", "fractional", 0.95, minimum=-0.5, maximum=1e300),
        ColumnConstraints("country", "string", 0.5, domain=("NO", "1", "true", "", "null", "a, b", "ü")),
        ColumnConstraints("note", "string", max_length=54),
        ColumnConstraints("yes", "boolean", domain=("true", "false")),
        ColumnConstraints("at", "time"),
    ),
    required=("age", "yes"),
    extra_columns=False,
    duplicates=0.25,
    thresholds=Thresholds(0.02, 0.2),
)


def test_what_is_written_is_read_again() -> None:
    assert loads(dumps(CONSTRAINTS)) == CONSTRAINTS
    assert loads(dumps(Constraints())) == Constraints()


@given(st.lists(NAMES, unique=True, max_size=4), st.lists(NAMES, max_size=4))
def test_any_name_and_category_is_read_as_it_was_written(names: list[str], domain: list[str]) -> None:
    columns = tuple(ColumnConstraints(name, "string", domain=tuple(domain)) for name in names)
    constraints = Constraints(columns, required=tuple(names))
    assert loads(dumps(constraints)) == constraints


def test_the_file_explains_itself_and_is_short() -> None:
    text = dumps(CONSTRAINTS)
    assert text.startswith("# What the rows of this model have to satisfy.")
    assert "  age:\n    type: integral\n    completeness: 1.0\n    minimum: 17\n    maximum: 90\n" in text
    assert "domain: ['NO', '1', 'true', '', 'null', 'a, b', ü]" in text


def test_categories_are_read_as_they_are_spelt() -> None:
    text = "columns:\n  c:\n    type: string\n    domain: [NO, 1.50, true, ~]\n"
    assert loads(text).columns[0].domain == ("NO", "1.50", "true", "~")


def test_what_is_left_out_is_not_checked() -> None:
    found = loads("columns:\n  c:\n    type: fractional\n")
    assert found == Constraints((ColumnConstraints("c", "fractional"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.yaml is empty"),
        ("[1, 2]", "line 1, column 1: the file: keys with values are needed"),
        ("columns: [", "line 1, column 11: "),
        ("colums: {}", "line 1, column 1: the file: 'colums' is not known: did you mean 'columns'"),
        ("version: 7", "line 1, column 10: version 7 is not known"),
        ("rows:\n  duplicates: 3", "line 2, column 15: duplicates: 3 is not a share"),
        ("rows:\n  extra_columns: maybe", "line 2, column 18: extra_columns: 'maybe' is neither true nor false"),
        ("rows:\n  required: age", "line 2, column 13: required: a list is needed"),
        ("thresholds:\n  warning: 0.5\n  critical: 0.1", "line 2, column 3: thresholds: warning 0.5 and critical 0.1"),
        ("columns:\n  age:\n    completeness: 1", "line 3, column 5: age: the type is missing"),
        ("columns:\n  age:\n    type: number", "line 3, column 11: age: type: 'number' is none of"),
        (
            "columns:\n  age:\n    type: integral\n    minimum: x",
            "line 4, column 14: age: minimum: 'x'",
        ),
        ("columns:\n  age:\n    type: integral\n    minimum: .inf", "line 4, column 14: age: minimum: '.inf' is not a"),
        ("columns:\n  age:\n    type: integral\n    max: 3", "line 4, column 5: age: 'max' is not known"),
        ("columns:\n  age:\n    type: integral\n    type: string", "line 4, column 5: age: 'type' is given twice"),
        ("columns:\n  age: {type: string, max_length: -3}", "line 2, column 35: age: max_length: '-3' is not a whole"),
        ("columns:\n  age: {type: integral, domain: [a]}", "line 2, column 8: age: domain: a column of numbers"),
        ("columns:\n  ? [a]\n  : {type: string}", "line 2, column 5: columns: a key is a name"),
        ("columns: " + "[" * 5_000, "nested too deeply"),
        ("a: \x00", "c.yaml is not YAML"),
    ],
)
def test_an_error_names_its_line_and_column(text: str, message: str) -> None:
    with pytest.raises(ConstraintsError) as raised:
        loads(text, "c.yaml")
    assert message in str(raised.value)


def test_all_errors_are_named_at_once() -> None:
    with pytest.raises(ConstraintsError, match=r"line 1, .*line 3, "):
        loads("version: 7\ncolumns:\n  age: 3\n")


def test_many_errors_are_cut() -> None:
    text = "columns:\n" + "".join(f"  c{i}: 3\n" for i in range(1_000))
    with pytest.raises(ConstraintsError) as raised:
        loads(text)
    assert len(str(raised.value)) < 4_000


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConstraintsError, match=r"cannot read .*absent\.yaml"):
        read(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"\xff")
    with pytest.raises(ConstraintsError, match=r"latin\.yaml is not UTF-8"):
        read(tmp_path / "latin.yaml")
    (tmp_path / "good.yaml").write_text(dumps(CONSTRAINTS), encoding="utf-8")
    assert read(tmp_path / "good.yaml") == CONSTRAINTS
