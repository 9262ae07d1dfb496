"""Secrets of an action: read from a file or an environment variable for each execution, and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from driftgauge.actions.action import ActionFailed

MOST_BYTES: Final = 65_536


def secret(settings: BaseModel, key: str, variables: Mapping[str, str]) -> str | None:
    """Return the secret that `KEY_file` or `KEY_variable` names; None without. ActionFailed if it cannot be read."""
    file, variable = getattr(settings, f"{key}_file"), getattr(settings, f"{key}_variable")
    if file is not None:
        return read_secret(file, f"{key}_file")
    if variable is None:
        return None
    if not (found := variables.get(variable, "").strip()):
        raise ActionFailed(f"{key}_variable: {variable} is not set in the environment of the server", retryable=False)
    return _one_line(found, f"{key}_variable")


def read_secret(file: Path, key: str) -> str:
    """Return the content of a file without the spaces around it; ActionFailed names the key and the file."""
    try:
        with file.open("rb") as source:
            content = source.read(MOST_BYTES + 1)
        text = content.decode("utf-8").strip()
    except OSError as error:  # it may be replaced at this moment
        raise ActionFailed(f"{key}: cannot read {file}: {error.strerror}", retryable=True) from error
    except UnicodeDecodeError as error:
        raise ActionFailed(f"{key}: {file} is not text in UTF-8", retryable=False) from error
    if not text or len(content) > MOST_BYTES:
        raise ActionFailed(f"{key}: {file} is {'too large' if text else 'empty'}", retryable=False)
    return _one_line(text, key)


def _one_line(text: str, key: str) -> str:
    if not text.isprintable():
        raise ActionFailed(f"{key}: the secret has more than one line or control characters", retryable=False)
    return text
