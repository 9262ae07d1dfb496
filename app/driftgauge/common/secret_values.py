"""Secrets of receivers and actions: in a file or an environment variable, read for each use, and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from driftgauge.common.safe_files import UnsafeFile, read_bounded
from driftgauge.errors import DriftgaugeError

MOST_BYTES: Final = 65_536


class SecretUnusable(DriftgaugeError):
    """A secret that cannot be read; the message names its key and its file or variable alone."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable: Final = retryable
        """Whether it may be usable later: a file may be replaced at this moment."""


def secret(settings: object, key: str, variables: Mapping[str, str]) -> str | None:
    """Return the secret that `KEY_file` or `KEY_variable` names; None without. SecretUnusable if it cannot be read."""
    file, variable = getattr(settings, f"{key}_file"), getattr(settings, f"{key}_variable")
    if file is not None:
        return secret_in(file, f"{key}_file")
    if variable is None:
        return None
    if not (found := variables.get(variable, "").strip()):
        raise SecretUnusable(f"{key}_variable: {variable} is not set in the environment", retryable=False)
    return _one_line(found, f"{key}_variable: {variable}")


def secret_in(file: Path, key: str) -> str:
    """Return the content of a file without the spaces around it; SecretUnusable names the key and the file."""
    try:
        text = read_bounded(file, MOST_BYTES).decode("utf-8").strip()
    except UnsafeFile as error:
        raise SecretUnusable(f"{key}: {error}", retryable=False) from error
    except OSError as error:
        raise SecretUnusable(f"{key}: cannot read {file}: {error.strerror or error}", retryable=True) from error
    except UnicodeDecodeError as error:
        raise SecretUnusable(f"{key}: {file} is not text in UTF-8", retryable=False) from error
    if not text:
        raise SecretUnusable(f"{key}: {file} is empty", retryable=False)
    return _one_line(text, f"{key}: {file}")


def _one_line(text: str, place: str) -> str:
    if not text.isprintable():
        raise SecretUnusable(f"{place} holds more than one line, or control characters", retryable=False)
    return text
