from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.help import CommandLine
from driftgauge.common.option import Option, flag
from typer.testing import CliRunner


def half(text: str) -> float:
    return float(text.removesuffix("%")) / 100


@dataclass(frozen=True)
class Dough:
    flour: Annotated[str, Option("Which flour.", "KIND")]
    grams: Annotated[int, Option("How much.", group="Amounts")] = 500
    water: Annotated[float, Option("Share of water.", parse=half, group="Amounts", shown_default="70%")] = 0.7
    seeds: Annotated[tuple[str, ...], Option("What goes in.", "SEED,…")] = ("rye", "flax")
    folds: Annotated[Sequence[int], Option("Minutes of folds.", "N,…")] = ()
    names: Annotated[tuple[str, ...], Option("Who bakes.", commas=False)] = ()
    crust: Annotated[Literal["soft", "hard"], Option("What crust.")] = "hard"
    book: Annotated[Path | None, Option("Where the recipe is.", group="Books", shown_default="no book")] = None
    rest: Annotated[str, Option("How long it rests.", "TIME", flag="--for")] = "12h"
    salted: Annotated[bool, Option("Leave the salt out.")] = True
    quick: Annotated[bool, Option("Use yeast.")] = False
    oven: dict[str, int] = field(default_factory=lambda: {"celsius": 240})


app = CommandLine("Bake.")


@app.command()
@derived_options
def bake(
    loaves: Annotated[int, typer.Argument(metavar="LOAVES")],
    dough: Dough,
    dry: Annotated[bool, typer.Option("--dry", metavar="")] = False,
) -> None:
    """Bake bread."""
    typer.echo(repr((loaves, dough, dry)))


def baked(*arguments: str) -> str:
    return CliRunner().invoke(app, ["2", "--flour", "spelt", *arguments], catch_exceptions=False).output.strip()


def shown(width: int) -> str:
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": str(width), "TERMINAL_WIDTH": str(width)})
    return result.output


def test_defaults_are_the_dataclass_own() -> None:
    assert baked() == repr((2, Dough("spelt"), False))


def test_a_field_without_a_default_is_required() -> None:
    result = CliRunner().invoke(app, ["2"])
    assert result.exit_code == 2
    assert "Missing option '--flour'" in result.output


@pytest.mark.parametrize(
    ("given", "dough"),
    [
        ("--grams 750", Dough("spelt", grams=750)),
        ("--water 65%", Dough("spelt", water=0.65)),
        ("--seeds oat", Dough("spelt", seeds=("oat",))),
        ("--seeds oat,flax --seeds rye", Dough("spelt", seeds=("oat", "flax", "rye"))),
        ("--seeds ,", Dough("spelt", seeds=())),
        ("--folds 30,60 --folds 90", Dough("spelt", folds=(30, 60, 90))),
        ("--names Smith,Jones --names Lee", Dough("spelt", names=("Smith,Jones", "Lee"))),
        ("--crust soft", Dough("spelt", crust="soft")),
        ("--book a/b", Dough("spelt", book=Path("a/b"))),
        ("--for 8h", Dough("spelt", rest="8h")),
        ("--no-salted", Dough("spelt", salted=False)),
        ("--quick", Dough("spelt", quick=True)),
    ],
)
def test_an_option_sets_its_field(given: str, dough: Dough) -> None:
    assert baked(*given.split()) == repr((2, dough, False))


def test_other_parameters_of_the_command_stay() -> None:
    assert baked("--dry") == repr((2, Dough("spelt"), True))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--grams many", "Invalid value for '--grams'"),
        ("--water wet", "Invalid value for '--water': could not convert string to float: 'wet'"),
        ("--folds 30,soon", "Invalid value for '--folds': invalid literal for int() with base 10: 'soon'"),
        ("--crust none", "Invalid value for '--crust'"),
        ("--oven 3", "No such option"),
        ("--salted", "No such option"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_option(given: str, message: str) -> None:
    result = CliRunner().invoke(app, ["2", "--flour", "spelt", *given.split()], env={"COLUMNS": "120"})
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("width", [80, 120])
def test_help_has_groups_whole_names_and_no_python_types(width: int) -> None:
    text = shown(width)
    assert "\nAmounts:\n" in text
    assert not {"<", ">"} & set(text)
    rows = [line.split()[:2] for line in text.splitlines()]
    for row in (["--flour", "KIND"], ["--grams", "N"], ["--crust", "soft|hard"], ["--no-salted", "Leave"]):
        assert row in rows
    assert ["LOAVES", "[required]"] in rows


def test_help_shows_defaults_where_there_are_any() -> None:
    text = shown(160)
    assert re.findall(r"\[default: (.*)\]", text) == ["rye, flax", "hard", "12h", "500", "70%", "no book"]


def test_flag_is_how_an_option_is_written() -> None:
    assert [flag(Dough, name) for name in ("rest", "salted", "grams")] == ["--for", "--no-salted", "--grams"]
