"""Options of access: tokens, and who may reach a server without them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from driftgauge.common.addresses import is_loopback
from driftgauge.errors import SettingsError
from driftgauge.settings.values import LOWER_CASE

REFUSAL: Final = (
    "host {host} can be reached by other machines, and requests need no token: set tokens_file "
    "(--tokens-file; `driftgauge token create` writes one), or insecure=true (--insecure) if only trusted clients "
    "can reach it"
)


class AccessSettings(BaseModel):
    """Who may send requests."""

    tokens_file: Path | None = Field(
        None,
        description="File of tokens, without which requests are refused. It is read again when it changes. Required "
        "if the server listens on an address that other machines can reach, unless `insecure` is set.",
    )
    insecure: bool = Field(
        False, description="Listen on an address that other machines can reach without tokens: anyone may do anything."
    )
    metrics_access: Annotated[Literal["token", "open"], LOWER_CASE] = Field(
        "token",
        description="Whether `/metrics` needs a token with the scope `read` where tokens are on, as Bearer or Basic "
        "credentials (`token`), or none (`open`).",
    )

    def require_protection(self, host: str) -> None:
        """Raise SettingsError if other machines can reach the server, and nothing says that they may."""
        if self.tokens_file is None and not self.insecure and not is_loopback(host):
            raise SettingsError(REFUSAL.format(host=host))
