"""Requests of commands to a running server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from driftgauge.common.redirects import open_directly, why_not
from driftgauge.errors import DriftgaugeError

DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"
TOKEN_VARIABLE: Final = "DRIFTGAUGE_TOKEN_FILE"  # noqa: S105  the name of a variable
Address = Annotated[str, typer.Option("--url", help="Address of the server.", metavar="URL")]


def asked(
    url: str,
    path: str,
    token_file: Path | None,
    failure: type[DriftgaugeError],
    *,
    body: Mapping[str, Any] | None = None,
    method: str | None = None,
    wait_seconds: float = 60.0,
) -> dict[str, Any]:
    """Return the server's answer to a request; `failure` says why there is none."""
    if not url.startswith(("http://", "https://")):
        raise failure(f"--url: {url} is not an address: give e.g. {DEFAULT_ADDRESS}")
    request = urllib.request.Request(  # noqa: S310  its scheme is checked above
        url.rstrip("/") + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/json", **_authorization(token_file, failure)},
    )
    try:
        with open_directly(request, wait_seconds) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        raise failure(_refusal(error)) from error
    except (OSError, ValueError) as error:
        raise failure(f"no answer from {url} ({why_not(error)}): is the server running there? (--url)") from error
    return found


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        message: str = json.load(error)["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        to = error.headers.get("Location", "").partition("?")[0].rpartition("@")[2]
        leads = f" and leads to {to}: give the address that answers itself (--url)" if to else ""
        return f"the server answered {error.code} {error.reason}{leads}"
    return message


def _authorization(token_file: Path | None, failure: type[DriftgaugeError]) -> Mapping[str, str]:
    if token_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {token_file.read_text('utf-8').strip()}"}
    except (OSError, ValueError) as error:
        raise failure(f"--token-file: cannot read {token_file}: {getattr(error, 'strerror', None) or error}") from error
