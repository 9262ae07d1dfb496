"""The end of a start: where the server can be reached."""

from __future__ import annotations

from typing import Final

import structlog

from driftgauge.drift.verdict.wording import ago_in_words
from driftgauge.process.logs import is_console, log_stream
from driftgauge.settings.options import Settings

PAGES: Final = {"page": "/", "ready": "/health/ready", "docs": "/docs", "drift": "/drift/status", "metrics": "/metrics"}
"""The addresses that are announced, by what they answer."""
GIBIBYTE: Final = 1 << 30
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound here
"""Addresses that mean all of them, and one at which this machine answers then."""


def announce(settings: Settings, port: int) -> None:
    """Say that the server serves, and where: as lines for people, or as one log line."""
    address = address_of(settings.host, port, "https" if settings.has_tls else "http")
    addresses = {name: address + path for name, path in PAGES.items()}
    log = prediction_log(settings)
    if not is_console(settings.log_format):
        kept = {} if log is None else {"prediction_log": log}
        structlog.get_logger().info("ready", address=address, **addresses, **kept)
    elif settings.log_level in {"debug", "info"}:
        stream = log_stream()
        stream.write(banner(address, addresses if log is None else {**addresses, "log": log}))
        stream.flush()


def address_of(host: str, port: int, scheme: str = "http") -> str:
    """Return the address of a server as a URL."""
    shown = ANY_ADDRESS.get(host, host)
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


def prediction_log(settings: Settings) -> str | None:
    """Return where predictions are logged, and how many are kept; None if they are not."""
    if not settings.prediction_log:
        return None
    if settings.prediction_log_url is not None:
        place = "PostgreSQL"  # the URL may hold a password
    elif settings.state_folder is not None:
        place = str(settings.state_folder / "predictions")
    else:
        return None
    age = ago_in_words(settings.prediction_log_max_age_seconds)
    return f"predictions of {age}, at most {settings.prediction_log_max_bytes / GIBIBYTE:.3g} GiB, in {place}"


def banner(address: str, addresses: dict[str, str]) -> str:
    """Return the lines that end a start on a terminal."""
    lines = (f"  {name:<8} {page}" for name, page in addresses.items())
    return "\n".join(["", f"Driftgauge serves at {address} (Ctrl-C stops it)", *lines, "", ""])
