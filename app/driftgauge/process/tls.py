"""The certificate of a server with TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from driftgauge.common.safe_files import read_bounded
from driftgauge.errors import SettingsError
from driftgauge.settings.access import AccessSettings

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Ciphers of TLS 1.2 with forward secrecy and authenticated encryption; those of TLS 1.3 are all allowed."""
_LARGEST_PASSWORD: Final = 4_096


class Certificate:
    """The certificate and key that settings name; they can be read again while the server runs."""

    def __init__(self, settings: AccessSettings) -> None:
        """Read the files; SettingsError if they cannot be used."""
        self._settings: Final = settings
        self.context: Final = _context(settings)
        """What new connections use."""

    def reload(self) -> None:
        """Use the files' present content for new connections; SettingsError if it cannot be used."""
        _context(self._settings)  # a faulty pair must not leave half of itself in the context in use
        _load(self.context, self._settings)


def certificate_of(settings: AccessSettings) -> Certificate | None:
    """Return the certificate that settings name, None without TLS; SettingsError if it cannot be used."""
    if settings.has_tls:
        return Certificate(settings)
    for name in ("ssl_keyfile", "ssl_keyfile_password_file", "ssl_ca_certs"):
        if getattr(settings, name) is not None:
            raise SettingsError(f"{name} needs ssl_certfile, the certificate of the server")
    return None


def _context(settings: AccessSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    _load(context, settings)
    if settings.ssl_ca_certs:
        try:
            context.load_verify_locations(settings.ssl_ca_certs)
        except OSError as error:  # which an SSLError is too
            raise _unusable("ssl_ca_certs", settings.ssl_ca_certs, error) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, settings: AccessSettings) -> None:
    certificate = settings.ssl_certfile
    assert certificate is not None  # noqa: S101  # `certificate_of` has looked
    password = _password(settings.ssl_keyfile_password_file)
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, settings.ssl_keyfile, lambda: password)
    except OSError as error:
        name = "ssl_keyfile" if settings.ssl_keyfile and not _is_readable(settings.ssl_keyfile) else "ssl_certfile"
        path = settings.ssl_keyfile if name == "ssl_keyfile" and settings.ssl_keyfile else certificate
        raise _unusable(name, path, error) from error


def _password(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return read_bounded(path, _LARGEST_PASSWORD).decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable("ssl_keyfile_password_file", path, error) from error


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def _unusable(setting: str, path: Path, error: Exception) -> SettingsError:
    if isinstance(error, ssl.SSLError):
        why = f"it is no certificate with its key, or the password is wrong ({error.reason or error})"
    else:
        why = getattr(error, "strerror", None) or str(error)
    return SettingsError(f"{setting} {path} cannot be used: {why}")
