"""Options of a command, derived from a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import typer

from driftgauge.common.comma_lists import comma_list
from driftgauge.common.option import Option, options_of

Result = TypeVar("Result")
METAVARS: Final = {bool: "", int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}
"""How a value is called in the help, by its type, where the option does not say."""
SEQUENCES: Final = (tuple, Sequence)
"""Types of options that take several values; each becomes a tuple."""


def derived_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command one option for each field of its parameters that are dataclasses.

    A field takes part if its type is annotated with an `Option`; the others keep their defaults:

        @dataclass(frozen=True)
        class Greeting:
            name: Annotated[str, Option("Who is greeted.", "NAME")]
            times: Annotated[int, Option("How often.", group="Style")] = 1
            words: Annotated[tuple[str, ...], Option("What is said.", "WORD,…")] = ("hello",)
            loud: Annotated[bool, Option("In capitals.")] = False

        @app.command()
        @derived_options
        def greet(greeting: Greeting, out: Annotated[Path, typer.Option(metavar="FILE")]) -> None: ...

    makes `greet --name NAME --times N --words WORD,… --loud --out FILE`. A field without a default is required. A
    tuple's option may be given several times, and its values hold several parts with commas between them
    (`commas=False`: as they are). A bool that is True by default gets the option that turns it off: `--no-NAME`.
    """
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    derived = {name: tuple(_fields(hint)) for name, hint in hints.items() if dataclasses.is_dataclass(hint)}

    @functools.wraps(command)
    def spread(**given: Any) -> Result:
        for name, fields in derived.items():
            values = {field.name: field.value(given.pop(field.name)) for field in fields}
            given[name] = hints[name](**values)
        return command(**given)

    parameters = [
        parameter
        for own in signature.parameters.values()
        for parameter in (
            [field.parameter for field in derived[own.name]]
            if own.name in derived
            else [own.replace(annotation=hints[own.name], kind=inspect.Parameter.KEYWORD_ONLY)]
        )
    ]
    spread.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # typer reads it, mypy does not know it
    return spread


def _fields(owner: Any) -> Iterator[_OptionField]:
    """Yield the fields of a dataclass that are options."""
    for field, kind, option in options_of(owner):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        yield _OptionField(field.name, option.flag_of(field), kind, default, option)


@dataclass(frozen=True)
class _OptionField:
    """One field of a dataclass, as an option of a command."""

    name: str
    flag: str
    kind: Any
    default: Any
    option: Option

    @property
    def is_switched_off(self) -> bool:
        """Whether the option turns off what is on by default."""
        return self.kind is bool and self.default is True

    @property
    def is_tuple(self) -> bool:
        """Whether the option takes several values."""
        return get_origin(self.kind) in SEQUENCES

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter of the function that typer reads."""
        info = typer.Option(
            self.flag,
            help=self.option.help,
            metavar=self._metavar,
            rich_help_panel=self.option.group,
            show_default=self._shown_default,
        )
        default = inspect.Parameter.empty if self.default is MISSING else self._typer_default
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[self._typer_kind, info]
        )

    def value(self, given: Any) -> Any:
        """Return the field's value for what the command line gave."""
        if self.is_switched_off:
            return not given
        if self.is_tuple:
            return tuple(
                self._parsed(part) for text in given for part in (comma_list(text) if self.option.commas else (text,))
            )
        return self.default if given == self._typer_default else self._parsed(given)

    @property
    def _metavar(self) -> str:
        if self.option.metavar is not None:
            return self.option.metavar
        if get_origin(self._scalar) is Literal:
            return "|".join(map(str, get_args(self._scalar)))
        return METAVARS.get(self._scalar, "TEXT")

    @property
    def _scalar(self) -> Any:
        """The type of one value: without `| None`, and of a tuple that of its parts."""
        if get_origin(self.kind) in (Union, types.UnionType, *SEQUENCES):
            return next(part for part in get_args(self.kind) if part not in (type(None), ...))
        return self.kind

    @property
    def _typer_kind(self) -> Any:
        if self.is_tuple:
            return list[str]
        return (str | None if self.default is None else str) if self.option.parse else self.kind

    @property
    def _typer_default(self) -> Any:
        """The default as typer takes it; a text where a parser makes a value of it."""
        if self.default is MISSING or self.default is None:
            return None
        if self.is_tuple:
            return [str(part) for part in self.default]
        if self.option.parse:
            return self.option.shown_default or str(self.default)
        return False if self.is_switched_off else self.default

    @property
    def _shown_default(self) -> bool | str:
        shown = self.option.shown_default
        if shown and shown != self._typer_default:
            return shown
        return self.kind is not bool and self.default not in (None, ())

    def _parsed(self, text: Any) -> Any:
        """Return a value in the field's type; without a parser typer has converted it."""
        parse = self.option.parse or (self._scalar if self.is_tuple else lambda value: value)
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=f"'{self.flag}'") from error
