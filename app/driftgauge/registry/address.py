"""Addresses of registered models: `models:/NAME@ALIAS` and `models:/NAME/VERSION`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from driftgauge.common.quoting import shortened
from driftgauge.errors import RegistryError

SCHEME: Final = "models:/"
_PATTERN: Final = re.compile(
    r"models:/+(?P<name>[^/@:\s][^/@:]{0,255})(@(?P<alias>[\w.-]{1,255})|/(?P<version>[0-9]{1,18}))"
)
_LONGEST: Final = 100


@dataclass(frozen=True)
class Address:
    """A version of a registered model, by its number or by an alias."""

    name: str
    version: str | None = None
    alias: str | None = None

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}@{self.alias}" if self.alias else f"{SCHEME}{self.name}/{self.version}"


def is_address(text: object) -> bool:
    """Say whether a text names a registered model rather than a folder."""
    return str(text).startswith(SCHEME)


def parse_address(text: str) -> Address:
    """Return the address that a text spells; RegistryError if it spells none."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise RegistryError(
            f"{shortened(text, _LONGEST)} is not the address of a registered model: give models:/NAME@ALIAS or "
            "models:/NAME/VERSION"
        )
    return Address(**found.groupdict())
