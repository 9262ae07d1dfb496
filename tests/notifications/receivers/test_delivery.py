from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driftgauge.common.webhook import is_signed
from driftgauge.notifications.receivers.delivery import deliver
from driftgauge.notifications.receivers.failure import NotDelivered
from driftgauge.notifications.trial import trial_message
from driftgauge.settings.notify import FileReceiver, SlackReceiver, TeamsReceiver, WebhookReceiver

from tests.receivers import Receiver, receiver_of

AT = 1_767_225_600.0
VARIABLE = "TOKEN"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_of() as found:
        yield found


def message(**more: Any) -> dict[str, Any]:
    return {**trial_message("team", "https://models.example.org", AT), **more}


def failed(own: Any, variables: dict[str, str] | None = None) -> NotDelivered:
    with pytest.raises(NotDelivered) as found:
        deliver(own, message(), AT, variables or {})
    return found.value


# ---------------------------------------------------------------- Slack and Teams


def test_slack_gets_an_attachment_whose_names_call_nobody(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "slack"
    file.write_text(f"{receiver.url}/services/T0/secret\n")
    body = message(text="<!channel> of delay & co", color="warning")
    deliver(SlackReceiver(name="team", kind="slack", url_file=file), body, AT)
    (request,) = receiver.requests
    assert request.path == "/services/T0/secret"
    (attachment,) = json.loads(request.body)["attachments"]
    assert attachment == {
        "color": "warning",
        "title": body["title"],
        "title_link": "https://models.example.org/",
        "text": "&lt;!channel&gt; of delay &amp; co",
        "fallback": body["title"],
    }


def test_teams_gets_a_card_whose_text_is_no_markdown(receiver: Receiver) -> None:
    body = message(text="first [line](https://evil.example.org)\n\n- second", color="danger")
    deliver(TeamsReceiver(name="team", kind="teams", url=receiver.url), body, AT)
    sent = json.loads(receiver.requests[0].body)
    (attachment,) = sent["attachments"]
    card = attachment["content"]
    assert (sent["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    texts = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert texts == [body["title"], "first [line](https://evil.example.org)", "- second"]
    assert card["body"][0]["inlines"][0]["color"] == "Attention"
    assert ("Open the page", "https://models.example.org/") in [(own["title"], own["url"]) for own in card["actions"]]


def test_long_texts_are_cut_to_what_slack_and_teams_take(receiver: Receiver) -> None:
    body = message(text="\n".join(["é" * 100] * 2_000))
    for own in (
        SlackReceiver(name="a", kind="slack", url=receiver.url),
        TeamsReceiver(name="b", kind="teams", url=receiver.url),
    ):
        deliver(own, body, AT)
    slack, teams = (request.body for request in receiver.requests)
    assert len(json.loads(slack)["attachments"][0]["text"]) <= 30_000
    assert "…" in teams.decode()
    assert len("".join(_texts(json.loads(teams))).encode()) <= 21_000


def _texts(sent: dict[str, Any]) -> list[str]:
    return [run["text"] for block in sent["attachments"][0]["content"]["body"] for run in block["inlines"]]


# ---------------------------------------------------------------- webhooks


def test_a_webhook_gets_signed_json_under_the_id_of_the_message(receiver: Receiver) -> None:
    own = WebhookReceiver(
        name="hook", kind="webhook", url=receiver.url, signature_variable="KEY", token_variable=VARIABLE
    )
    body = message()
    deliver(own, body, AT, {"KEY": "secret", "TOKEN": "abc"})
    (request,) = receiver.requests
    assert json.loads(request.body) == body
    assert request.headers["idempotency-key"] == body["id"]
    assert request.headers["authorization"] == "Bearer abc"
    assert is_signed(request.headers["x-driftgauge-signature"], b"secret", request.body, AT)


def test_a_refusal_says_whether_and_when_to_try_again(receiver: Receiver) -> None:
    own = WebhookReceiver(name="hook", kind="webhook", url=f"{receiver.url}/secret")
    receiver.answer(429, headers={"Retry-After": "60"})
    error = failed(own)
    assert (str(error), error.retryable, error.retry_after) == (f"{receiver.url} answered 429", True, 60.0)
    receiver.answer(404)
    assert not failed(own).retryable


def test_a_secret_that_cannot_be_read_is_named_by_its_place_alone(tmp_path: Path) -> None:
    missing = WebhookReceiver(name="hook", kind="webhook", url_file=tmp_path / "none")
    assert str(failed(missing)) == f"url_file: cannot read {tmp_path / 'none'}: No such file or directory"
    unset = WebhookReceiver(name="hook", kind="webhook", url="https://a.example.org", token_variable=VARIABLE)
    assert str(failed(unset)) == "token_variable: TOKEN is not set in the environment"
    file = tmp_path / "url"
    file.write_text("secret of two\nlines")
    lines = str(failed(missing.model_copy(update={"url_file": file})))
    assert lines == f"url_file: {file} holds more than one line, or control characters"
    file.write_text("ftp://secret")
    assert "secret" not in str(failed(missing.model_copy(update={"url_file": file}))).replace(str(tmp_path), "")


# ---------------------------------------------------------------- files


def test_a_file_gets_a_line_for_each_message_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    own = FileReceiver(name="log", kind="file", path=tmp_path / "sent")
    bodies = [message(), message()]
    for body in bodies:
        deliver(own, body, AT)
    assert [json.loads(line) for line in own.path.read_text().splitlines()] == bodies
    assert stat.S_IMODE(own.path.stat().st_mode) == 0o600


def test_a_full_file_is_kept_beside_the_new_one_in_place_of_an_older_one(tmp_path: Path) -> None:
    own = FileReceiver(name="log", kind="file", path=tmp_path / "sent", max_bytes=100_000)
    for number in range(10):
        deliver(own, message(text=f"{number}" * 40_000), AT)
    assert {path.name for path in tmp_path.iterdir()} == {"sent", "sent.1"}
    assert all(path.stat().st_size <= 100_000 for path in tmp_path.iterdir())
    assert json.loads(own.path.read_text().splitlines()[-1])["text"][0] == "9"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sent")
    error = failed(FileReceiver(name="log", kind="file", path=tmp_path / "sent"))
    assert str(error).startswith(str(tmp_path / "sent"))
