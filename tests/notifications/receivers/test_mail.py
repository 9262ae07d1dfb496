from __future__ import annotations

import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from driftgauge.notifications.receivers.delivery import deliver
from driftgauge.notifications.receivers.failure import NotDelivered
from driftgauge.notifications.trial import trial_message
from driftgauge.settings.notify import MailReceiver

from tests.e2e.processes import free_port

AT = 1_767_225_600.0


class Inbox:
    """Keeps mail; refuses recipients at `refused.example.org`."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.endswith("@refused.example.org"):
            return "550 there is nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's names
        self.envelopes.append(envelope)
        return "250 OK"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = (data.login, data.password) == (b"driftgauge", b"right")
    return AuthResult(success=is_right, handled=False)  # so that the server answers itself


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[tuple[Inbox, int]]:
    """A mail server that asks for STARTTLS, and then for a password."""
    inbox, port = Inbox(), free_port()
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        tls_context=tls(authority),
        require_starttls=True,
        authenticator=authenticate,
        auth_required=True,
    )
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


def receiver(port: int, ca_file: Path, **more: Any) -> MailReceiver:
    own: dict[str, Any] = {"name": "mail", "kind": "mail", "to": ["team@example.org"], "smtp_host": "127.0.0.1"}
    login = {"user": "driftgauge", "password_variable": "PASSWORD"}
    return MailReceiver.model_validate({**own, **login, "smtp_port": port, "ca_file": ca_file, **more})


def failed(own: MailReceiver, word: str = "right") -> NotDelivered:
    with pytest.raises(NotDelivered) as found:
        deliver(own, trial_message("mail", "https://models.example.org", AT), AT, {"PASSWORD": word})
    return found.value


def test_mail_is_sent_over_tls_after_a_login(server: tuple[Inbox, int], ca_file: Path) -> None:
    inbox, port = server
    body = {**trial_message("mail", "https://models.example.org", AT), "title": "two\r\nlines: é"}
    deliver(receiver(port, ca_file, to=["a@example.org", "b@example.org"]), body, AT, {"PASSWORD": "right"})
    (envelope,) = inbox.envelopes
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    assert (mail["Subject"], mail["Message-ID"]) == ("two lines: é", f"<{body['id']}@driftgauge>")
    assert mail.get_content().replace("\r\n", "\n").strip() == body["text"]


def test_a_wrong_password_is_not_tried_again_and_not_shown(server: tuple[Inbox, int], ca_file: Path) -> None:
    error = failed(receiver(server[1], ca_file), "a wrong secret")
    assert (str(error), error.retryable) == (f"127.0.0.1:{server[1]} refuses the user or the password", False)


def test_a_certificate_of_another_authority_is_refused(server: tuple[Inbox, int], ca_file: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    error = failed(receiver(server[1], ca_file))
    assert "cannot be verified" in str(error)
    assert not error.retryable


def test_recipients_that_are_refused_are_an_error(server: tuple[Inbox, int], ca_file: Path) -> None:
    error = failed(receiver(server[1], ca_file, to=["x@refused.example.org"]))
    assert (str(error), error.retryable) == (f"127.0.0.1:{server[1]} refuses all recipients (550)", False)
    assert server[0].envelopes == []


def test_one_refused_recipient_does_not_send_the_mail_to_the_others_again(
    server: tuple[Inbox, int], ca_file: Path
) -> None:
    own = receiver(server[1], ca_file, to=["a@example.org", "x@refused.example.org"])
    deliver(own, trial_message("mail", "https://models.example.org", AT), AT, {"PASSWORD": "right"})
    assert [envelope.rcpt_tos for envelope in server[0].envelopes] == [["a@example.org"]]


def test_a_mail_server_that_is_not_there_can_be_tried_again(ca_file: Path) -> None:
    error = failed(receiver(1, ca_file))
    assert (str(error), error.retryable) == ("127.0.0.1:1 cannot be reached: Connection refused", True)


def test_a_mail_server_without_tls_gets_no_password(ca_file: Path) -> None:
    inbox, port = Inbox(), free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        error = failed(receiver(port, ca_file))
        assert "does not offer what is needed" in str(error)
        plain = receiver(port, ca_file, smtp_tls="none", user=None, password_variable=None)
        deliver(plain, trial_message("mail", "https://models.example.org", AT), AT, {})
    finally:
        controller.stop()
    assert len(inbox.envelopes) == 1
