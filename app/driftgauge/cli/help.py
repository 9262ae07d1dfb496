"""How commands explain themselves: plain text, options in groups, no name cut, no Python type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from driftgauge.cli.console import printable

Called = TypeVar("Called", bound=Callable[..., Any])

OPTIONS: Final = "Options"
"""The group of the options that name none."""
_STATED: Final = re.compile(r"(?<=\[default: )\((.*)\)(?=[;\]])")
"""A default that is stated in words, which typer puts in brackets of its own."""
_RANGES: Final = (
    (re.compile(r"(?<=[\[ ])(\S+)<=x<=(\S+)(?=\])"), r"\1 to \2"),
    (re.compile(r"(?<=[\[ ])x>=(\S+)(?=\])"), r"at least \1"),
    (re.compile(r"(?<=[\[ ])x<=(\S+)(?=\])"), r"at most \1"),
)
"""Ranges of numbers as typer writes them, and in words."""
_TYPE: Final = re.compile(r"<(.+)>")
"""What typer shows for a value: its Python type, or its choices."""

EXAMPLES: Final = "\n\nExamples:\n"
"""How the last paragraph of a command's help begins: a command in each line."""
_WORD: Final = re.compile(r"""(?:[^\s"]|"[^"]*")+""")
"""A word of a command line, which may have double quotes around its spaces."""
_VALIDATOR: Final = "Value error, "
"""How the message begins where typer refuses a choice."""


class Command(TyperCommand):
    """A command whose help shows its options in groups."""

    def get_help(self, ctx: Any) -> str:
        """Return the help as standard output can show it."""
        return printable(super().get_help(ctx))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, and below it its examples, line by line."""
        whole, (self.help, mark, examples) = self.help, (self.help or "").partition(EXAMPLES)
        super().format_help_text(ctx, formatter)
        self.help = whole
        if mark:
            with formatter.section("Examples"):
                for line in examples.splitlines():
                    formatter.write(_continued(line.strip(), formatter.width))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; what does not fit is said without the words of typer's own validator."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(_VALIDATOR)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, without braces around what is required."""
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options of the command."""
        write_parameters(self.get_params(ctx), ctx, formatter)


class Group(TyperGroup):
    """Commands whose help shows their options in groups."""

    def get_help(self, ctx: Any) -> str:
        """Return the help as standard output can show it."""
        return printable(super().get_help(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options of the group, then its commands."""
        write_parameters(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the first sentence of every command, whole."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(command)) for name, command in commands])


class CommandLine(typer.Typer):
    """A group of commands that explain themselves in this way."""

    def __init__(
        self, help: str, name: str | None = None, cls: type[TyperGroup] = Group, add_completion: bool = False
    ) -> None:
        super().__init__(
            name=name,
            help=help,
            cls=cls,
            no_args_is_help=True,
            add_completion=add_completion,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = Command, **options: Any
    ) -> Callable[[Called], Called]:
        """Return what makes a function a command."""
        return super().command(name, cls=cls, **options)


def write_parameters(parameters: list[Any], ctx: Any, formatter: Any) -> None:
    """Write a section for each group of options, in the order of their first options."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        if record := parameter.get_help_record(ctx):
            panel = getattr(parameter, "rich_help_panel", None)
            is_argument = parameter.param_type_name == "argument"
            sections.setdefault(panel or ("Arguments" if is_argument else OPTIONS), []).append(
                _plain(record, parameter.name, is_argument)
            )
    for name, records in sections.items():
        with formatter.section(name):
            formatter.write_dl(records)


def _plain(record: tuple[str, str], name: str, is_argument: bool) -> tuple[str, str]:
    """Return an option and its help with a name for its value instead of a Python type."""
    shown, text = record
    if is_argument:
        shown = shown.partition(" ")[0].upper()
    else:
        shown = _TYPE.sub(lambda found: found[1] if "|" in found[1] else name.upper(), shown)
    for pattern, words in _RANGES:
        text = pattern.sub(words, text)
    return shown, _STATED.sub(r"\1", text)


def _continued(example: str, width: int) -> str:
    """Return a command line as a shell takes it: in several lines if it is wide."""
    lines: list[str] = []
    for word in _WORD.findall(example):
        if lines and len(lines[-1]) + len(word) + len("  \\") < width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}" if lines else f"  {word}")
    return " \\\n".join(lines) + "\n"


def _summary(command: Any) -> str:
    """Return the first sentence of a command's help."""
    text = command.short_help or command.help or ""
    return " ".join(text.partition("\n\n")[0].split())
