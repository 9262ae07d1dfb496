from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from driftgauge.errors import SettingsError
from driftgauge.process.tls import Certificate, certificate_of
from driftgauge.settings.access import AccessSettings

HOST = "localhost"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def settings(authority: trustme.CA, tmp_path: Path) -> AccessSettings:
    return issued(authority, tmp_path)


def issued(authority: trustme.CA, folder: Path) -> AccessSettings:
    """Write a new certificate and its key over those of a folder."""
    own = authority.issue_cert(HOST)
    own.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    own.private_key_pem.write_to_path(str(folder / "key.pem"))
    return AccessSettings(ssl_certfile=folder / "cert.pem", ssl_keyfile=folder / "key.pem")


def serial(context: ssl.SSLContext, authority: trustme.CA, client: trustme.LeafCert | None = None) -> bytes:
    """Shake hands in memory; returns the certificate that the client saw."""
    theirs = ssl.create_default_context()
    authority.configure_trust(theirs)
    if client:
        client.configure_cert(theirs)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        theirs.wrap_bio(to_client, to_server, server_hostname=HOST),
        context.wrap_bio(to_server, to_client, server_side=True),
    )
    done: set[int] = set()
    for _ in range(10):
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                continue
    assert done == {0, 1}
    found = ends[0].getpeercert(binary_form=True)
    assert found
    return found


def test_without_a_certificate_there_is_no_tls() -> None:
    assert certificate_of(AccessSettings()) is None


@pytest.mark.parametrize("name", ["ssl_keyfile", "ssl_keyfile_password_file", "ssl_ca_certs"])
def test_what_belongs_to_a_certificate_needs_one(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} needs ssl_certfile"):
        certificate_of(AccessSettings.model_validate({name: Path("any")}))


def test_a_reload_takes_the_new_files_for_new_connections(
    settings: AccessSettings, authority: trustme.CA, tmp_path: Path
) -> None:
    certificate = Certificate(settings)
    first = serial(certificate.context, authority)
    issued(authority, tmp_path)
    assert serial(certificate.context, authority) == first
    certificate.reload()
    assert serial(certificate.context, authority) != first


def test_a_faulty_pair_leaves_the_old_one_in_use(
    settings: AccessSettings, authority: trustme.CA, tmp_path: Path
) -> None:
    certificate = Certificate(settings)
    first = serial(certificate.context, authority)
    authority.issue_cert(HOST).cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))  # with the old key
    with pytest.raises(SettingsError, match=r"ssl_certfile .*cert\.pem cannot be used: it is no certificate with"):
        certificate.reload()
    assert serial(certificate.context, authority) == first


def test_an_encrypted_key_has_its_password_in_a_file(settings: AccessSettings, authority: trustme.CA) -> None:
    assert settings.ssl_keyfile
    key = load_pem_private_key(settings.ssl_keyfile.read_bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"of a test"))
    settings.ssl_keyfile.write_bytes(encrypted)
    password = settings.ssl_keyfile.with_name("password")
    password.write_text("of a test\n")
    known = settings.model_copy(update={"ssl_keyfile_password_file": password})
    assert serial(Certificate(known).context, authority)
    with pytest.raises(SettingsError, match="or the password is wrong"):
        Certificate(settings)
    password.write_text("another")
    with pytest.raises(SettingsError, match="or the password is wrong"):
        Certificate(known)
    password.unlink()
    with pytest.raises(SettingsError, match=r"ssl_keyfile_password_file .*No such file"):
        Certificate(known)


def test_clients_may_need_a_certificate(settings: AccessSettings, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = Certificate(settings.model_copy(update={"ssl_ca_certs": tmp_path / "ca.pem"})).context
    assert serial(context, authority, authority.issue_cert("client@example.org"))
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        serial(context, authority)


@pytest.mark.parametrize("name", ["ssl_certfile", "ssl_keyfile", "ssl_ca_certs"])
def test_a_file_that_is_not_there_is_named(settings: AccessSettings, name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} .*none\.pem cannot be used: No such file"):
        Certificate(settings.model_copy(update={name: tmp_path / "none.pem"}))


def test_old_versions_and_ciphers_are_off(settings: AccessSettings) -> None:
    context = Certificate(settings).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert all("GCM" in name or "CHACHA20" in name for name in names)
