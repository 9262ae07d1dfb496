from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
import typer
from driftgauge.cli import main as cli
from driftgauge.cli.help import EXAMPLES as EXAMPLES_MARK
from driftgauge.cli.help import CommandLine

NARROW = 60
"""Columns of a terminal in which the help is still whole."""


def commands(of: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its path, the groups too."""
    command = of or typer.main.get_command(cli.app)
    command = command.load() if hasattr(command, "load") else command
    yield path, command
    for name, own in getattr(command, "commands", {}).items():
        yield from commands(own, (*path, name))


ALL = dict(commands())


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def said(*path: str) -> str:
        monkeypatch.setenv("COLUMNS", str(NARROW))
        monkeypatch.setattr(sys, "argv", ["driftgauge", *path, "--help"])
        with pytest.raises(SystemExit):
            cli.main()
        return capsys.readouterr().out

    return said


def test_there_are_these_commands() -> None:
    assert {path for path in ALL if len(path) == 1} == {(str(command.name),) for command in cli.COMMANDS}
    assert {("bundle", "create"), ("state", "reset"), ("monitoring", "render")} <= set(ALL)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_name_of_an_option_is_cut_and_no_python_type_is_shown(path: tuple[str, ...], help_of: Any) -> None:
    text = help_of(*path)
    names = [name for parameter in ALL[path].params for name in parameter.opts if name.startswith("--")]
    shown = re.findall(r"^  (?:-[a-z], )?(--[a-z-]+)(?= |$)", text, flags=re.MULTILINE)
    assert sorted(shown) == sorted([*names, "--help"])
    assert not re.search(r"<\w+", text)
    assert max(map(len, text.splitlines())) <= NARROW


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_usage_names_an_argument_as_the_list_of_arguments_does(path: tuple[str, ...], help_of: Any) -> None:
    text = help_of(*path)
    _, _, listed = text.partition("\nArguments:\n")
    names = re.findall(r"^  (\S+)", listed.partition("\n\n")[0], flags=re.MULTILINE)
    assert len(names) == sum(parameter.param_type_name == "argument" for parameter in ALL[path].params)
    usage = text.partition("\n\n")[0].replace("...", "").split()
    assert usage[len(usage) - len(names) :] == names


EXAMPLES = {path: command.help.partition(EXAMPLES_MARK)[2] for path, command in ALL.items() if command.help}


@pytest.mark.parametrize("path", [path for path, examples in EXAMPLES.items() if examples], ids=" ".join)
def test_examples_are_of_the_command_and_its_options_and_are_shown_as_a_shell_takes_them(
    path: tuple[str, ...], help_of: Any
) -> None:
    given = [shlex.split(line) for line in EXAMPLES[path].splitlines()]
    names = {name for parameter in ALL[path].params for name in parameter.opts}
    for words in given:
        assert (words[0], *words[1 : 1 + len(path)]) == ("driftgauge", *path)
        assert {word for word in words if word.startswith("--")} <= names
        ALL[path].make_parser(ALL[path].context_class(ALL[path])).parse_args(words[1 + len(path) :])
    shown = help_of(*path).partition("\nExamples:\n")[2].partition("\n\n")[0]
    assert [shlex.split(line) for line in shown.replace("\\\n", "").splitlines()] == given


def test_commands_on_tables_profiles_and_servers_have_examples() -> None:
    for path in ("check", "replicas", "consume", "baseline build", "baseline merge", "profile build", "profile merge"):
        assert EXAMPLES[tuple(path.split())], path


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_a_command_says_the_same_of_itself_before_it_is_imported(command: Any) -> None:
    first, _, _ = command.load().help.partition("\n\n")
    assert " ".join(first.split()) == command.help


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min": 1}, "[default: 2; at least 1]"),
        ({"max": 9}, "[default: 2; at most 9]"),
        ({"min": 1, "max": 9}, "[default: 2; 1 to 9]"),
        ({}, "[default: 2]"),
    ],
)
def test_a_range_is_in_words(limits: dict[str, int], words: str) -> None:
    lines = CommandLine("Words.", "words")

    @lines.command()
    def say(times: int = typer.Option(2, **limits)) -> None:  # type: ignore[arg-type]
        """Say it."""

    command = typer.main.get_command(lines)
    with command.make_context("say", []) as context:
        assert f"  --times TIMES  {words}\n" in command.get_help(context)


def test_options_stand_in_their_groups() -> None:
    lines = CommandLine("Words.", "words")

    @lines.command()
    def say(
        what: Annotated[str, typer.Argument(help="What is said.", metavar="WORD")],
        loud: Annotated[bool, typer.Option("--loud", help="In capitals.")] = False,
        times: Annotated[int, typer.Option(help="How often.", rich_help_panel="Style", show_default="once")] = 1,
        tone: Annotated[Literal["high", "low"], typer.Option(help="Pitch.", rich_help_panel="Style")] = "low",
    ) -> None:
        """Say it."""

    command = typer.main.get_command(lines)
    with command.make_context("say", ["x"]) as context:
        lines_of_help = command.get_help(context).splitlines()
    assert [line for line in lines_of_help if line] == [
        "Usage: say [OPTIONS] WORD",
        "  Say it.",
        "Arguments:",
        "  WORD  What is said.  [required]",
        "Options:",
        "  --loud      In capitals.",
        "  -h, --help  Show this message and exit.",
        "Style:",
        "  --times TIMES    How often.  [default: once]",
        "  --tone high|low  Pitch.  [default: low]",
    ]


def test_a_wrong_choice_is_refused_by_its_name_and_with_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["driftgauge", "baseline", "build", "rows.csv", "--zero-bin", "none"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "Invalid value for '--zero-bin': 'none' is not one of 'jeffreys', 'clip'." in capsys.readouterr().err
