"""Types of settings that are written as text: lists, names of hosts, origins and paths."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from driftgauge.common.comma_lists import comma_list

_HOST: Final = re.compile(r"\*|(\*\.)?[\w.-]+|\[?[0-9a-fA-F:.]+\]?")
_ORIGIN: Final = re.compile(r"\*|[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s?#@]+")
_PATH: Final = re.compile(r"(/[\w.~!$&'()+,;=@%-]+)*")


def _lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _split(value: object) -> object:
    return comma_list(value) if isinstance(value, str) else value


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(f"{name!r} is not a host name: give it without scheme, port and path, e.g. *.example.com")
    return tuple(name.strip("[]") for name in names)


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin: give scheme, host and port, e.g. https://app.example.com")
    return origins


def _proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for proxy in proxies:
        try:
            network = ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ValueError(f"{proxy!r} is not an address or a network: give e.g. 10.0.0.5 or 10.0.0.0/8") from error
        if network.prefixlen == 0:
            raise ValueError(f"{proxy!r} would believe everyone: name the proxies")
    return proxies


def _rooted(text: str) -> str:
    path = text.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ValueError(f"{text!r} is not a path: start it with a slash, e.g. /models/a")
    return path


LOWER_CASE: Final = BeforeValidator(_lower_case)
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
HostNames = Annotated[Names, AfterValidator(_hosts)]
Proxies = Annotated[Names, AfterValidator(_proxies)]
Origins = Annotated[Names, AfterValidator(_origins)]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]
RowCounts = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split)]
RootPath = Annotated[str, AfterValidator(_rooted)]
