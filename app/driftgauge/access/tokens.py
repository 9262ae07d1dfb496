"""The tokens of a server: read from their file, and read again when it changes."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from driftgauge.access.caller import Caller
from driftgauge.access.token_file import Callers, hashed, parse_tokens
from driftgauge.common.safe_files import read_bounded
from driftgauge.errors import SettingsError

LARGEST_BYTES: Final = 1_048_576
"""Size of a file above which it is refused."""
BEARER: Final = b"bearer "
BASIC: Final = b"basic "
ATTEMPTS: Final = 3
"""How often a file that changes while it is read is read again."""


class Tokens:
    """The callers in a file. A file that cannot be used leaves the last ones in force."""

    def __init__(self, path: Path, problem: Callable[[str], None] = lambda _: None) -> None:
        """Read the file, SettingsError if that fails; `problem` gets later faults, and an empty text at their end."""
        self.path: Final = path
        self._problem = problem
        self._told = ""
        self._seen = self._signature()
        self._callers: Callers = self._read()

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self._callers)

    @property
    def names(self) -> frozenset[str]:
        """The names of all tokens."""
        return frozenset(caller.name for caller in self._callers.values())

    def find(self, authorization: bytes) -> Caller | None:
        """Return the caller of an `Authorization` header, None for an unknown token.

        Its time says nothing about a token: the hash is looked up, and hashes that are near belong to tokens that are
        not.
        """
        if authorization[:7].lower() == BEARER:
            return self._caller(authorization[7:].strip())
        return self._named(authorization[6:].strip()) if authorization[:6].lower() == BASIC else None

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        try:
            signature = self._signature()
            if signature == self._seen and not self._told:
                return
            self._callers = self._read()
            self._seen = signature
        except SettingsError as error:
            self._tell(str(error))
        else:
            self._tell("")

    def _tell(self, problem: str) -> None:
        if problem != self._told:
            self._told = problem
            self._problem(problem)

    def _caller(self, token: bytes) -> Caller | None:
        return self._callers.get(hashed(token))

    def _named(self, encoded: bytes) -> Caller | None:
        """Return the caller of Basic credentials: the name of a token, and the token as the password."""
        try:
            name, _, token = base64.b64decode(encoded, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return None
        found = self._caller(token)
        return found if found is not None and hmac.compare_digest(found.name.encode(), name) else None

    def _signature(self) -> tuple[int, ...]:
        """Return what differs once the file is replaced or written; a mounted secret is replaced by a link."""
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _read(self) -> Callers:
        for _ in range(ATTEMPTS):
            before = self._signature()
            text = self._text()
            if self._signature() == before:
                break
        try:
            return parse_tokens(text)
        except SettingsError as error:
            raise self._unusable(str(error)) from error

    def _text(self) -> str:
        try:
            return read_bounded(self.path, LARGEST_BYTES).decode("utf-8")
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        except UnicodeDecodeError as error:
            raise self._unusable("it is not UTF-8") from error

    def _unusable(self, why: str) -> SettingsError:
        return SettingsError(f"tokens_file {self.path} cannot be used: {why}")
