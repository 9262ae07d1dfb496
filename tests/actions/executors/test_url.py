from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from driftgauge.actions.action import Action, ActionFailed, Alert, Outcome
from driftgauge.actions.executors.url import UrlExecutor
from driftgauge.actions.executors.values import Diagnose
from driftgauge.common.webhook import SIGNATURE_HEADER, is_signed

from tests.actions.decided import EXECUTION, HOSTILE, Sent, action_of, alert_of, decision_of
from tests.receivers import Receiver, receiver_of

NOW = 1_700_000_100.0
HIDDEN = "hunter2-hunter2"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_of() as found:
        yield found


def executor(variables: Mapping[str, str] | None = None, diagnose: Diagnose = lambda _: None) -> UrlExecutor:
    return UrlExecutor(lambda: NOW, variables or {}, diagnose)


def called(action: Action, alert: Alert | None = None, **given: Any) -> Outcome:
    return executor(**given).run(action, decision_of(action, alert), Sent())


def failure(action: Action, **given: Any) -> tuple[ActionFailed, int]:
    sent = Sent()
    with pytest.raises(ActionFailed) as caught:
        executor(**given).run(action, decision_of(action), sent)
    assert HIDDEN not in str(caught.value)
    return caught.value, sent.times


def file_of(folder: Path, text: str = f"{HIDDEN}\n") -> str:
    path = folder / "secret"
    path.write_text(text, "utf-8")
    return str(path)


def airflow(receiver: Receiver, **settings: Any) -> Action:
    return action_of("url", preset="airflow", url=f"{receiver.url}/", dag="retrain", **settings)


# ------------------------------------------------------------ webhook


def test_a_webhook_gets_all_placeholders_and_the_id_of_the_execution(receiver: Receiver) -> None:
    found = called(
        action_of("url", url=f"{receiver.url}/run?a=1"),
        alert_of({"feature_name": "age"}, description="age has drifted", diagnosis_url="https://dg.example.com/d"),
        diagnose=lambda _: {"cause": "unit_change", "feature": "age"},
    )
    (request,) = receiver.requests
    assert (request.method, request.path, request.headers["idempotency-key"]) == ("POST", "/run?a=1", EXECUTION)
    assert json.loads(request.body) == {
        "action": "act",
        "execution": EXECUTION,
        "alert": "ModelFeatureDrift",
        "severity": "critical",
        "model": "churn",
        "version": "2",
        "reason": "age has drifted",
        "labels": {
            "alertname": "ModelFeatureDrift",
            "severity": "critical",
            "model_name": "churn",
            "model_version": "2",
            "feature_name": "age",
        },
        "diagnosis_url": "https://dg.example.com/d",
        "diagnosis": {"cause": "unit_change", "feature": "age"},
    }
    assert found == Outcome(f"POST to the webhook: {receiver.url} answered 200")


def test_a_body_of_the_settings_is_filled_and_hostile_values_stay_texts(receiver: Receiver) -> None:
    body = {"text": "{alert}: {labels.feature_name}", "feature": "{labels.feature_name}", "n": [1, True, {"a": "{{}}"}]}
    called(action_of("url", url=receiver.url, body=body, method="PUT"), alert_of({"feature_name": HOSTILE}))
    (request,) = receiver.requests
    clean = 'a "; rm -rf / #$(reboot)`id`{model} '
    assert json.loads(request.body) == {
        "text": f"ModelFeatureDrift: {clean}",
        "feature": clean,
        "n": [1, True, {"a": "{}"}],
    }
    assert (request.method, request.body.count(b"\n")) == ("PUT", 0)


def test_a_signed_webhook_can_be_verified(receiver: Receiver, tmp_path: Path) -> None:
    called(action_of("url", url=receiver.url, signature_file=file_of(tmp_path)))
    (request,) = receiver.requests
    header = request.headers[SIGNATURE_HEADER]
    assert is_signed(header, HIDDEN.encode(), request.body, NOW)
    assert not is_signed(header, b"another", request.body, NOW)


def test_secrets_come_from_files_and_variables_and_are_sent_alone(receiver: Receiver, tmp_path: Path) -> None:
    action = action_of(
        "url",
        url_variable="HOOK",
        token_file=file_of(tmp_path),
        headers={"X-Team": "risk"},
        header_files={"X-Gitlab-Token": file_of(tmp_path)},
    )
    variables = {"HOOK": f"{receiver.url}/{HIDDEN}\n"}
    found = called(action, variables=variables)
    (request,) = receiver.requests
    assert request.path == f"/{HIDDEN}"
    assert request.headers["authorization"] == f"Bearer {HIDDEN}"
    assert (request.headers["x-team"], request.headers["x-gitlab-token"]) == ("risk", HIDDEN)
    preview = executor(variables).preview(action, alert_of())
    assert preview == f"POST to the webhook at {receiver.url}"
    assert HIDDEN not in repr((found, action, preview))


@pytest.mark.parametrize(
    ("text", "message", "retryable"),
    [
        (None, "cannot read", True),
        ("", "is empty", False),
        ("a\nb", "more than one line", False),
        ("x" * 70_000, "at most 65,536 are read", False),
    ],
)
def test_a_secret_that_cannot_be_read_fails_before_anything_is_sent(
    tmp_path: Path, text: str | None, message: str, *, retryable: bool
) -> None:
    file = str(tmp_path / "absent") if text is None else file_of(tmp_path, text)
    action = action_of("url", url="http://127.0.0.1:1", token_file=file)
    error, sent = failure(action)
    assert str(error).startswith("token_file: ")
    assert message in str(error)
    assert (error.retryable, sent) == (retryable, 0)
    assert message in executor().preview(action, alert_of())


def test_a_preview_names_a_key_of_the_signature_that_cannot_be_read(tmp_path: Path) -> None:
    action = action_of("url", url="http://127.0.0.1:1", signature_file=str(tmp_path / "absent"))
    assert "it would fail: signature_file: cannot read" in executor().preview(action, alert_of())


def test_a_variable_that_is_not_set_is_named() -> None:
    error, sent = failure(action_of("url", url="http://127.0.0.1:1", token_variable="TOKEN"))  # noqa: S106  a name
    assert str(error) == "token_variable: TOKEN is not set in the environment"
    assert (error.retryable, sent) == (False, 0)


def test_an_address_in_a_file_that_cannot_be_called_is_not_repeated(tmp_path: Path) -> None:
    error, sent = failure(action_of("url", url_file=file_of(tmp_path, f"https://ann:{HIDDEN}@example.com/")))
    assert "the URL holds a user or a password" in str(error)
    assert (error.retryable, sent) == (False, 0)


@pytest.mark.parametrize(
    ("status", "headers", "retryable", "wait"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, False, None),
        (400, {}, False, None),
        (401, {}, False, None),
        (409, {}, False, None),
        (408, {}, True, None),
        (429, {"Retry-After": "17"}, True, 17.0),
        (500, {}, True, None),
        (503, {"Retry-After": "5"}, True, 5.0),
    ],
)
def test_an_answer_says_whether_to_try_again(
    receiver: Receiver, status: int, headers: Mapping[str, str], wait: float | None, *, retryable: bool
) -> None:
    receiver.answer(status, HIDDEN.encode(), headers)
    error, sent = failure(action_of("url", url=f"{receiver.url}/x"))
    assert (error.retryable, error.retry_after_seconds, sent) == (retryable, wait, 1)
    assert len(receiver.requests) == 1


def test_a_receiver_that_is_away_may_be_there_later() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error, sent = failure(action_of("url", url=f"http://127.0.0.1:{port}"))
    assert f"http://127.0.0.1:{port} cannot be reached" in str(error)
    assert (error.retryable, sent) == (True, 1)


def test_a_certificate_of_an_own_authority_is_accepted(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with receiver_of(context) as receiver:
        assert called(action_of("url", url=receiver.url, ca_file=tmp_path / "ca.pem")).detail.endswith("answered 200")
        error, _ = failure(action_of("url", url=receiver.url))
        assert "cannot be verified" in str(error)
        assert len(receiver.requests) == 1


def test_a_diagnosis_that_fails_leaves_the_action_as_it_is(receiver: Receiver) -> None:
    def fails(_: Alert) -> None:
        raise OSError("no disk")

    called(action_of("url", url=receiver.url), diagnose=fails)
    assert json.loads(receiver.requests[0].body)["diagnosis"] is None


# ------------------------------------------------------------ presets


def test_airflow_runs_a_dag_whose_run_has_the_id_of_the_execution(receiver: Receiver, tmp_path: Path) -> None:
    found = called(airflow(receiver, token_file=file_of(tmp_path), body={"model": "{model}"}))
    (request,) = receiver.requests
    assert request.path == "/api/v2/dags/retrain/dagRuns"
    assert request.headers["authorization"] == f"Bearer {HIDDEN}"
    assert json.loads(request.body) == {
        "dag_run_id": f"driftgauge__{EXECUTION}",
        "logical_date": None,
        "conf": {"model": "churn"},
    }
    assert found.detail == f"run the DAG retrain: {receiver.url} answered 200"


def test_a_run_that_airflow_has_already_is_done(receiver: Receiver) -> None:
    receiver.answer(409, b"{}")
    found = called(airflow(receiver))
    assert found.detail == f"run the DAG retrain: {receiver.url} has done it before (409)"
    assert executor().is_repeatable(airflow(receiver))
    assert not executor().is_repeatable(action_of("url", url=receiver.url))
    assert executor().is_repeatable(action_of("url", url=receiver.url, is_idempotent=True))


def test_airflow_gives_a_token_for_a_user_and_a_password(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer_at("/auth/token", 201, b'{"access_token": "jwt"}')
    called(airflow(receiver, user="ann", password_file=file_of(tmp_path)))
    login, run = receiver.requests
    assert json.loads(login.body) == {"username": "ann", "password": HIDDEN}
    assert (run.path, run.headers["authorization"]) == ("/api/v2/dags/retrain/dagRuns", "Bearer jwt")


@pytest.mark.parametrize(
    ("status", "body", "message", "retryable"),
    [
        (401, b"{}", "no token: http://127.0.0.1:", False),
        (503, b"{}", "no token: http://127.0.0.1:", True),
        (201, b"<html>", "Airflow gave no token for the user", False),
        (201, b'{"access_token": "a\\nb"}', "Airflow gave no token for the user", False),
    ],
)
def test_a_login_that_fails_sends_nothing_else(
    receiver: Receiver, tmp_path: Path, status: int, body: bytes, message: str, *, retryable: bool
) -> None:
    receiver.answer_at("/auth/token", status, body)
    error, sent = failure(airflow(receiver, user="ann", password_file=file_of(tmp_path)))
    assert message in str(error)
    assert (error.retryable, sent, len(receiver.requests)) == (retryable, 0, 1)


def test_github_gets_a_repository_dispatch(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer(204)
    action = action_of(
        "url", preset="github", url=receiver.url, repository="a/b", token_file=file_of(tmp_path), event_type="drift"
    )
    called(action)
    (request,) = receiver.requests
    assert request.path == "/repos/a/b/dispatches"
    assert request.headers["authorization"] == f"Bearer {HIDDEN}"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2022-11-28"
    body = json.loads(request.body)
    assert body["event_type"] == "drift"
    assert (body["client_payload"]["model"], len(body["client_payload"])) == ("churn", 10)
    preview = executor().preview(action_of("url", preset="github", repository="a/b"), alert_of())
    assert preview == "send the event driftgauge to a/b at https://api.github.com"


def test_jenkins_builds_a_job_with_parameters(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer(201)
    body = {"MODEL": "{model}", "LABELS": "{labels}", "CAUSE": "{diagnosis}", "FEATURE": "{labels.feature_name}"}
    action = action_of(
        "url",
        preset="jenkins",
        url=receiver.url,
        job="ml/retrain",
        user="ann",
        token_file=file_of(tmp_path),
        body=body,
    )
    called(action, alert_of({"feature_name": "a&MODEL=other"}))
    (request,) = receiver.requests
    assert request.path == "/job/ml/job/retrain/buildWithParameters"
    credentials = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert credentials == f"ann:{HIDDEN}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(request.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert (form["MODEL"], form["FEATURE"], form["CAUSE"]) == (["churn"], ["a&MODEL=other"], [""])
    assert json.loads(form["LABELS"][0])["model_name"] == "churn"
