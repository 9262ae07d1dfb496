"""Actions of kind `command`: a program of the machine, which the settings allow."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from driftgauge.actions.action import Action, ActionFailed, Alert, Decision, Outcome, Sending
from driftgauge.actions.executors.processes import Finished, run_program
from driftgauge.actions.executors.values import values_of
from driftgauge.common.templates import cleaned, filled_text, placeholders
from driftgauge.settings.actions import CommandAction

TRY_AGAIN: Final = 75
"""The exit code after which a command is tried again: EX_TEMPFAIL of sysexits.h."""
SHOWN_OUTPUT: Final = 1_000
"""Characters at the end of the output that the history keeps in words."""
OUTPUT: Final = "; output: "
"""What the program wrote comes behind it in the detail of a decision."""
VARIABLES: Final = ("alert", "severity", "model", "version", "reason", "labels", "starts_at", "execution")
"""Placeholders that every command has as a variable, such as `ACTION_MODEL`."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandExecutor:
    """Runs commands; see `actions.action.Executor`."""

    def __init__(self, allowed: Collection[Path]) -> None:
        """`allowed` are the programs that may be run."""
        self._allowed: Final = frozenset(map(str, allowed))

    def is_repeatable(self, action: Action) -> bool:
        """Return False: what a program did is not known."""
        return False

    def preview(self, action: Action, alert: Alert) -> str:
        """Return the command with its placeholders as they are, and why it would be refused."""
        command = _settings(action).command
        why = self._refusal(command[0])
        return f"run {' '.join(command)}" + (f"; refused: {why}" if why else "")

    def run(self, action: Action, decision: Decision, sending: Sending) -> Outcome:
        """Run the program and wait for it; ActionFailed unless it ends with 0."""
        own = _settings(action)
        if why := self._refusal(own.command[0]):
            raise ActionFailed(why, retryable=False)
        values = values_of(decision)
        arguments = [_argument(text, values) for text in own.command]
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", "ACTION_NAME": action.name}
        environment |= {f"ACTION_{name.upper()}": filled_text(f"{{{name}}}", values) for name in VARIABLES}
        environment |= {name: filled_text(text, values) for name, text in own.environment.items()}
        sending()
        try:
            finished = run_program(arguments, environment, own.timeout_seconds)
        except OSError as error:
            raise ActionFailed(f"{own.command[0]} cannot be run: {error.strerror}", retryable=False) from error
        return _outcome(own, finished)

    def watch(self, action: Action, decision: Decision) -> Outcome:
        """Return what is known: a command is not looked at again."""
        return Outcome(decision.detail, decision.notes)

    def _refusal(self, program: str) -> str | None:
        """Return why a program is not run."""
        if program not in self._allowed:
            return f"allow_commands does not name {program}"
        try:
            found = os.stat(program)
        except OSError as error:
            return f"{program} cannot be run: {error.strerror}"
        if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
            return f"{program} is not a program that this user may run"
        if found.st_mode & stat.S_IWOTH:
            return f"every user may change {program}: take the right away (chmod o-w)"
        return None


def _settings(action: Action) -> CommandAction:
    assert isinstance(action.settings, CommandAction)  # noqa: S101  the runner chooses the executor by kind
    return action.settings


def _argument(text: str, values: dict[str, object]) -> str:
    """Return one argument; a value from outside must not be one that a program takes for an option."""
    filled = filled_text(text, values)
    if filled.startswith("-") and list(placeholders(text)):
        raise ActionFailed(
            f"the value of {text} begins with -, so the program could take it for an option: give it in environment",
            retryable=False,
        )
    return filled


def _outcome(own: CommandAction, finished: Finished) -> Outcome:
    program: Sequence[str] = own.command[:1]
    shown = cleaned(finished.output.strip()[-SHOWN_OUTPUT:])
    said = f"{OUTPUT}{shown}" if shown else ""
    if finished.is_late:
        raise ActionFailed(f"{program[0]} was ended after {own.timeout_seconds:g} s{said}", retryable=False)
    if finished.exit_code < 0:
        raise ActionFailed(f"{program[0]} was ended by signal {-finished.exit_code}{said}", retryable=False)
    if finished.exit_code:
        raise ActionFailed(
            f"{program[0]} ended with exit code {finished.exit_code}{said}", retryable=finished.exit_code == TRY_AGAIN
        )
    return Outcome(f"{program[0]} ended with exit code 0{said}", {"output": finished.output})
