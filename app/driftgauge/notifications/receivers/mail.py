"""Mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import structlog

from driftgauge.notifications.receivers.failure import NotDelivered
from driftgauge.settings.notify import MailReceiver


def send(receiver: MailReceiver, password: str | None, body: Mapping[str, Any], at: float) -> None:
    """Send a message to all recipients; NotDelivered says why none of them was accepted, without any secret."""
    place = f"{receiver.smtp_host}:{receiver.smtp_port}"
    try:
        with _connected(receiver) as server:
            if receiver.user is not None:
                server.login(receiver.user, password or "")
            refused = server.send_message(mail_of(receiver, body, at))
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(f"{place} refuses the user or the password", retryable=False) from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotDelivered(f"{place} refuses all recipients ({codes[0]})", retryable=min(codes) < 500) from error
    except smtplib.SMTPNotSupportedError as error:
        raise NotDelivered(f"{place} does not offer what is needed: {error}", retryable=False) from error
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"{place} answered {error.smtp_code}", retryable=error.smtp_code < 500) from error
    except ssl.SSLCertVerificationError as error:
        why = f"the certificate of {place} cannot be verified ({error.verify_message})"
        raise NotDelivered(f"{why}: give the authority that signed it as ca_file", retryable=False) from error
    except FileNotFoundError as error:
        raise NotDelivered(f"there is no ca_file {receiver.ca_file}", retryable=False) from error
    except ssl.SSLError as error:
        raise NotDelivered(f"{place} speaks no TLS that can be used ({error.reason})", retryable=False) from error
    except TimeoutError as error:
        raise NotDelivered(f"{place} did not answer within {receiver.timeout_seconds:g} s", retryable=True) from error
    except (OSError, smtplib.SMTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise NotDelivered(f"{place} cannot be reached: {why}", retryable=True) from error
    if refused:  # the others have it, and must not get it again
        structlog.get_logger().warning("recipients_refused", receiver=receiver.name, count=len(refused))


def _connected(receiver: MailReceiver) -> smtplib.SMTP:
    address, seconds = (receiver.smtp_host, receiver.smtp_port), receiver.timeout_seconds
    if receiver.smtp_tls == "none":
        return smtplib.SMTP(*address, timeout=seconds)
    context = ssl.create_default_context(cafile=receiver.ca_file)
    if receiver.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*address, timeout=seconds, context=context)
    server = smtplib.SMTP(*address, timeout=seconds)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def mail_of(receiver: MailReceiver, body: Mapping[str, Any], at: float) -> EmailMessage:
    """Return a message as mail; its `Message-ID` is the same in every attempt."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(body["title"].split())
    mail["From"] = receiver.sender
    mail["To"] = ", ".join(receiver.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
    mail["Message-ID"] = f"<{body['id']}@driftgauge>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{body['text']}\n")
    return mail
