"""Commands whose modules are imported when they are called: their libraries take seconds."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer

from driftgauge.cli.help import Command, CommandLine


class LazyCommand(Command):
    """Stands for a command of another module in the help; the call goes to the command itself."""

    def __init__(self, name: str, module: str, attribute: str, help: str) -> None:
        super().__init__(name, help=help, rich_markup_mode=None)
        self._module, self._attribute = module, attribute

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the arguments as the command itself does; its context names it, and so runs it."""
        return self.load().make_context(info_name, args, parent, **extra)

    def load(self) -> Any:
        """Import the command's module and return the command: a function, or a group of commands."""
        found = getattr(import_module(self._module), self._attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = CommandLine(help="")
        alone.command(self.name)(found)
        return typer.main.get_command(alone)
