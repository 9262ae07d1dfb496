"""What no answer may be, whatever was asked: a fault of the server, or a look inside it."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Sequence
from typing import Final

SERVER_FAULT: Final = 500
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Z]")
_INSIDE: Final = re.compile(rb'Traceback \(most|File "[^"]*\.py"|site-packages|driftgauge/[a-z_/]+\.py')


def statuses(answers: bytes) -> list[int]:
    """Return the statuses of the answers in these bytes."""
    return [int(code) for code in _STATUS.findall(answers)]


def faults(answers: bytes) -> list[str]:
    """Return what is wrong with answers; empty if a hostile client may see them."""
    found = [f"status {code}" for code in statuses(answers) if code >= SERVER_FAULT]
    if inside := _INSIDE.search(answers):
        found.append(f"the answer shows {inside.group()!r}")
    if answers and not answers.startswith(b"HTTP/1.1 "):
        found.append(f"not HTTP: {answers[:80]!r}")
    return found


def exchange(port: int, requests: Sequence[bytes], seconds: float = 20.0) -> bytes:
    """Send requests on one connection, say that there are no more, and return all that the server answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as one:
        with contextlib.suppress(ConnectionError):  # a refused client may be cut off while it sends
            one.sendall(b"".join(requests))
            one.shutdown(socket.SHUT_WR)
        pieces = []
        with contextlib.suppress(ConnectionError):
            while piece := one.recv(65_536):
                pieces.append(piece)
    return b"".join(pieces)
