from __future__ import annotations

import pytest
from driftgauge.cli.column_options import chosen, meanings, stated_kinds
from driftgauge.errors import TableError

KNOWN = ["a", "b", "Size, cm", "x=y", "p,q=numeric", ""]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([], []),
        (["a"], ["a"]),
        (["a, b,"], ["a", "b"]),
        (["Size, cm", "a"], ["Size, cm", "a"]),
        (["a", "a,b"], ["a", "b"]),
        ([""], [""]),
        ([" a "], ["a"]),
    ],
)
def test_a_value_is_a_column_or_several_with_commas(given: list[str], names: list[str]) -> None:
    assert chosen(given, KNOWN, "--ignore") == names


@pytest.mark.parametrize(("given", "name"), [("c", "c"), ("a,c", "c"), ("Size, mm", "Size"), ("a b", "a b")])
def test_an_unknown_column_is_an_error_that_names_the_known_ones(given: str, name: str) -> None:
    with pytest.raises(
        TableError, match=rf'--ignore: there is no column {name}; the columns are a, b, "Size, cm", x=y'
    ):
        chosen([given], KNOWN, "--ignore")
    with pytest.raises(TableError, match=r"c19 and 980 more$"):
        chosen(["x"], [f"c{place}" for place in range(1_000)], "--ignore")


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (["a=numeric"], {"a": "numeric"}),
        (["a=numeric, b=categorical"], {"a": "numeric", "b": "categorical"}),
        (["Size, cm=categorical", "a=numeric"], {"Size, cm": "categorical", "a": "numeric"}),
        (["x=y=categorical"], {"x=y": "categorical"}),
        (["p,q=numeric=categorical"], {"p,q=numeric": "categorical"}),
    ],
)
def test_kinds_are_stated_of_names_with_commas_and_equals_signs(given: list[str], kinds: dict[str, str]) -> None:
    assert stated_kinds(given, KNOWN) == kinds


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("a", "--kinds a: write COLUMN=numeric or COLUMN=categorical"),
        ("a=number", "--kinds a=number: write COLUMN=numeric"),
        ("c=numeric", "--kinds: there is no column c; the columns are a, b"),
        ("Size, mm=numeric", "--kinds Size: write COLUMN=numeric"),
    ],
)
def test_a_kind_that_cannot_be_is_an_error(given: str, problem: str) -> None:
    with pytest.raises(TableError, match=problem):
        stated_kinds([given], KNOWN)


def test_the_outputs_of_an_onnx_model_have_meanings() -> None:
    assert meanings(["p=probabilities", "a=b=label"]) == {"p": "probabilities", "a=b": "label"}
    for wrong in ("p", "p=score", "=value"):
        with pytest.raises(TableError, match=f"--onnx-output {wrong}: write OUTPUT=label or OUTPUT=probabilities or"):
            meanings([wrong])
