"""Puts actions on alerts together: the history that all workers share, and what runs them in this one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from driftgauge.actions.action import Action, Confirmer, Executor
from driftgauge.actions.executors.command import CommandExecutor
from driftgauge.actions.executors.confirmation import StatusConfirmer
from driftgauge.actions.executors.switch import SwitchExecutor
from driftgauge.actions.executors.url import UrlExecutor
from driftgauge.actions.history import FOLDER, History, UnusableDatabase
from driftgauge.actions.runner import Runner, Tools
from driftgauge.common.private_files import FileLock
from driftgauge.edges.http.action_service import ActionService
from driftgauge.edges.http.action_status import AlertedModels
from driftgauge.edges.http.action_versions import ReleaseVersions
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.releases import Releases
from driftgauge.errors import ActionsError, SettingsError
from driftgauge.settings.options import Settings

PROBLEM = "actions"
UNUSABLE = "actions_history"
LOCK = "runner.lock"


def compose_actions(
    settings: Settings, context: ServerContext, releases: Releases | None, clock: Callable[[], float]
) -> ActionService | None:
    """Assemble the actions of a server; None without any in the settings.

    SettingsError without a state folder: a restart would forget what was done. Where the history cannot be used, the
    server serves without actions, because its predictions do not depend on them.
    """
    folder = history_folder(settings)
    if folder is None:
        return None
    actions = [Action(own) for own in settings.actions]
    problems = context.monitoring.service.problems
    try:
        history = History.open(folder, settings.actions_history_rows)
    except ActionsError as error:
        problems.record_lasting(UNUSABLE, f"{error}. No action runs until the server is started again")
        history = History(UnusableDatabase(str(error)), settings.actions_history_rows)

    def report(error: Exception) -> None:
        problems.record(PROBLEM, error)

    def make(loop: asyncio.AbstractEventLoop) -> tuple[Runner, Mapping[str, Executor]]:
        executors = executors_of(settings, context, releases, loop, clock)
        tools = Tools(executors, confirmer_of(context, loop), clock, report)
        return Runner(history, actions, FileLock(folder / FOLDER / LOCK), tools), executors

    names = context.monitoring.models.names
    service = ActionService(actions, history, clock, make, names[0] if len(names) == 1 else None, report)
    context.monitoring.actions = service.facts
    return service


def history_folder(settings: Settings) -> Path | None:
    """Return the folder of the history; None without actions. SettingsError if it would not outlive the server."""
    if not settings.actions:
        return None
    if settings.state_folder is None:
        raise SettingsError("actions need a state folder, in which their history is kept: set state_dir")
    return settings.state_folder


def executors_of(
    settings: Settings,
    context: ServerContext,
    releases: Releases | None,
    loop: asyncio.AbstractEventLoop,
    clock: Callable[[], float],
) -> Mapping[str, Executor]:
    """Return what runs actions, by their kind; a server without releases cannot switch versions."""
    models = AlertedModels(context.monitoring, loop)
    found: dict[str, Executor] = {
        "url": UrlExecutor(clock, os.environ, models.first_cause),
        "command": CommandExecutor(settings.allow_commands),
    }
    if releases is not None:
        found["switch"] = SwitchExecutor(ReleaseVersions(releases, loop), clock)
    return found


def confirmer_of(context: ServerContext, loop: asyncio.AbstractEventLoop) -> Confirmer:
    """Return what looks at the second condition of an action."""
    return StatusConfirmer(AlertedModels(context.monitoring, loop).status)
