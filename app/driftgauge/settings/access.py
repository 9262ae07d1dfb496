"""Options of access: tokens, and who may reach a server without them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from driftgauge.common.addresses import is_loopback
from driftgauge.errors import SettingsError
from driftgauge.settings.values import LOWER_CASE, Proxies

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

    trusted_proxies: Proxies = Field(
        (),
        description="Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, "
        "e.g. `10.0.0.5,192.168.0.0/16`. Default: none are.",
    )
    ssl_certfile: Path | None = Field(
        None,
        description="Certificate of the server with the chain of its authority (PEM), for TLS. Read again on SIGHUP.",
    )
    ssl_keyfile: Path | None = Field(None, description="Key of the certificate (PEM), if it is in another file.")
    ssl_keyfile_password_file: Path | None = Field(
        None, description="File with the password of the key, if it is encrypted."
    )
    ssl_ca_certs: Path | None = Field(
        None,
        description="Authorities (PEM): one must have signed the certificate of each client. Default: none asked.",
    )

    @property
    def has_tls(self) -> bool:
        """Whether the server speaks TLS itself."""
        return self.ssl_certfile is not None

    def require_protection(self, host: str) -> None:
        """Raise SettingsError if other machines can reach the server, and nothing says that they may."""
        if self.tokens_file is None and not self.insecure and not is_loopback(host):
            raise SettingsError(REFUSAL.format(host=host))
