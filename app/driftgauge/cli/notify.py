"""`driftgauge notify`: send a test message to the receivers of alerts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from driftgauge.cli.help import CommandLine
from driftgauge.common.quoting import shortened
from driftgauge.errors import DriftgaugeError, SettingsError
from driftgauge.settings.notify import AnyReceiver
from driftgauge.settings.options import CONFIG_VARIABLE, Settings, load

notify_app = CommandLine("Send a test message to the receivers of alerts.")


@notify_app.callback()
def _notify() -> None:
    """Send a test message to the receivers of alerts."""


@notify_app.command("test")
def notify_test(
    name: Annotated[
        list[str] | None, typer.Option(help="Receiver to test; repeatable. Default: all.", metavar="NAME")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help=f"TOML file of settings (or {CONFIG_VARIABLE})."),
    ] = None,
) -> None:
    """Send a test message to the receivers that the settings name, and say which of them accepted it.

    It needs no running server. Exit code 2: at least one did not accept it.
    """
    from driftgauge.notifications.options import address_of
    from driftgauge.notifications.receivers.delivery import deliver
    from driftgauge.notifications.receivers.failure import NotDelivered
    from driftgauge.notifications.trial import trial_message

    settings = load(config=config)
    failed = []
    for receiver in _named(settings, name or []):
        at = time.time()
        try:
            deliver(receiver, trial_message(receiver.name, address_of(settings), at), at)
        except NotDelivered as error:
            failed.append(f"{receiver.name}: {error}")
        else:
            typer.echo(f"{receiver.name}: accepted")
    if failed:
        raise DriftgaugeError("; ".join(failed))


def _named(settings: Settings, names: list[str]) -> list[AnyReceiver]:
    """Return the receivers of some names, all without names. SettingsError for an unknown one."""
    known = {own.name: own for own in settings.notify}
    if not known:
        raise SettingsError("the settings name no receivers: add [[notify]] to their file, and give that as --config")
    for name in names:
        if name not in known:
            raise SettingsError(f"there is no receiver {shortened(name)}: give {', '.join(known)}")
    return [own for own in known.values() if not names or own.name in names]
