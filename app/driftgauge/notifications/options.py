"""The options of the rules that the settings ask for."""

from __future__ import annotations

import socket
from typing import Final

from driftgauge.alerting.options import MonitoringOptions, Preset, duration
from driftgauge.errors import MonitoringError, SettingsError
from driftgauge.settings.options import Settings

ANY_ADDRESS: Final = ("0.0.0.0", "::", "[::]")  # noqa: S104  # they are only compared


def options_of(settings: Settings) -> MonitoringOptions:
    """Return the options of the rules that the settings ask for. SettingsError names the setting."""
    hold, usual = duration(1_000 * settings.notify_hold_seconds), MonitoringOptions()
    presets: tuple[Preset, ...] = ("two-minutes",) if settings.preset == "two-minutes" else ()
    try:
        return MonitoringOptions(
            scrape_interval=duration(1_000 * settings.notify_interval_seconds),
            window=hold,
            hold=hold,
            presets=presets,
            base_url=address_of(settings),
            grafana_url=settings.grafana_url or usual.grafana_url,
        )
    except MonitoringError as error:
        raise SettingsError(f"notifications cannot be made: {error}") from error


def address_of(settings: Settings) -> str:
    """Return the address at which people reach the server."""
    if settings.external_url is not None:
        return settings.external_url.rstrip("/")
    host = socket.gethostname() if settings.host in ANY_ADDRESS else settings.host
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    scheme = "https" if settings.has_tls else "http"
    return f"{scheme}://{host}:{settings.port}{settings.root_path}"
