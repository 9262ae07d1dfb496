"""Settings that are names of hosts, origins and paths: what each may be, in words."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_settings import NoDecode

_HOST: Final = re.compile(r"\*|(\*\.)?[\w.-]+|\[?[0-9a-fA-F:.]+\]?")
_ORIGIN: Final = re.compile(r"\*|[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s?#@]+")
_PATH: Final = re.compile(r"(/[\w.~!$&'()+,;=@%-]+)*")


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(f"{name!r} is no name: write it without scheme, port and path, e.g. *.example.com")
    return tuple(name.strip("[]") for name in names)


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is no origin: write scheme, name and port, e.g. https://app.example.com")
    return origins


def _rooted(text: str) -> str:
    path = text.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ValueError(f"{text!r} is no path: it begins with a slash, e.g. /models/a")
    return path


HostNames = Annotated[tuple[str, ...], NoDecode, AfterValidator(_hosts)]
Origins = Annotated[tuple[str, ...], NoDecode, AfterValidator(_origins)]
RootPath = Annotated[str, AfterValidator(_rooted)]
