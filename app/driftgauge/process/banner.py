"""The end of a start: where the server can be reached."""

from __future__ import annotations

from typing import Final

import structlog

from driftgauge.process.logs import is_console, log_stream
from driftgauge.settings.options import Settings

PAGES: Final = {"page": "/", "ready": "/health/ready", "docs": "/docs", "drift": "/drift/status", "metrics": "/metrics"}
"""The addresses that are announced, by what they answer."""
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound here
"""Addresses that mean all of them, and one at which this machine answers then."""


def announce(settings: Settings, port: int) -> None:
    """Say that the server serves, and where: as lines for people, or as one log line."""
    address = address_of(settings.host, port, "https" if settings.has_tls else "http")
    addresses = {name: address + path for name, path in PAGES.items()}
    if not is_console(settings.log_format):
        structlog.get_logger().info("ready", address=address, **addresses)
    elif settings.log_level in {"debug", "info"}:
        stream = log_stream()
        stream.write(banner(address, addresses))
        stream.flush()


def address_of(host: str, port: int, scheme: str = "http") -> str:
    """Return the address of a server as a URL."""
    shown = ANY_ADDRESS.get(host, host)
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


def banner(address: str, addresses: dict[str, str]) -> str:
    """Return the lines that end a start on a terminal."""
    lines = (f"  {name:<8} {page}" for name, page in addresses.items())
    return "\n".join(["", f"Driftgauge serves at {address} (Ctrl-C stops it)", *lines, "", ""])
