"""The file of tokens: a name, scopes and a hash on each line."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from driftgauge.access.caller import Caller, Scope
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.nearest import nearest
from driftgauge.errors import SettingsError

Callers = Mapping[bytes, Caller]
"""The caller of each token, by the SHA-256 of the token."""

PREFIX: Final = "dg_"
"""Start of the tokens that we create, by which scanners of source code can find a leaked one."""
RANDOM_BYTES: Final = 32
SHORTEST: Final = 16
"""Fewest characters of a token that the file holds as it is."""
MAX_TOKENS: Final = 1_000
LINE: Final = "NAME SCOPES sha256:HASH"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")


def new_token() -> str:
    """Return a random token."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def hashed(token: bytes) -> bytes:
    """Return the SHA-256 of a token."""
    return hashlib.sha256(token).digest()


def token_line(name: str, scopes: Sequence[Scope], token: str) -> str:
    """Return the line of a token in the file, without the token itself."""
    return f"{name} {','.join(scopes)} sha256:{hashed(token.encode()).hex()}"


def parse_tokens(text: str) -> Callers:
    """Return the callers that a file names; SettingsError for the first line that is wrong.

    Empty lines and those that begin with `#` are comments. Messages never repeat a word of the file: any of them may
    be a token in the wrong place.
    """
    callers: dict[bytes, Caller] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            digest, caller = _parsed(line.split(), f"line {number}")
            if digest in callers:
                raise SettingsError(f"line {number}: this token is on an earlier line too: leave one of them out")
            callers[digest] = caller
    if not callers:
        raise SettingsError("it has no token: write a line with `driftgauge token create`")
    if len(callers) > MAX_TOKENS:
        raise SettingsError(f"it has {len(callers):,} tokens: give at most {MAX_TOKENS:,}")
    return callers


def _parsed(words: Sequence[str], where: str) -> tuple[bytes, Caller]:
    if len(words) != 3:
        raise SettingsError(f"{where}: it has {len(words)} words: write {LINE}")
    try:
        return _digest(words[2]), Caller(token_name(words[0]), frozenset(token_scopes(words[1])))
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error


def token_name(text: str) -> str:
    """Return the name of a token; SettingsError if it cannot be one."""
    if not _NAME.fullmatch(text):
        raise SettingsError("the name of a token must be up to 64 letters, digits, dots, hyphens and underscores")
    return text


def token_scopes(text: str) -> tuple[Scope, ...]:
    """Return scopes that are separated by commas; SettingsError for an unknown one."""
    names = comma_list(text)
    if not names:
        raise SettingsError(f"there are no scopes: give some of {', '.join(Scope)}")
    for name in names:
        if name not in set(Scope):
            like = nearest(name, [*Scope])
            advice = f"did you mean {like}?" if like else f"give some of {', '.join(Scope)}"
            raise SettingsError(f"there is an unknown scope; {advice}")
    return tuple(map(Scope, names))


def _digest(text: str) -> bytes:
    """Return the SHA-256 that the third word of a line states."""
    kind, _, value = text.partition(":")
    if kind == "sha256" and _HASH.fullmatch(value):
        return bytes.fromhex(value)
    if kind == "token" and len(value) >= SHORTEST and _TOKEN.fullmatch(value):
        return hashed(value.encode())
    raise SettingsError(
        "its third word must be `sha256:` and 64 hexadecimal digits, or `token:` and the token itself: at least "
        f"{SHORTEST} letters, digits and - . _ ~ + /"
    )
