from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.errors import SettingsError
from driftgauge.settings.action_confirmation import CONFIRM_VALUES, ConfirmFields
from driftgauge.settings.action_kinds import KIND_VALUES, CommandFields, SwitchFields, UrlFields
from driftgauge.settings.actions import CommandAction, SwitchAction, UrlAction
from driftgauge.settings.options import Settings, load

URL = 'kind = "url"\nurl = "https://jobs.example.com"'
AIRFLOW = URL + '\npreset = "airflow"\ndag = "retrain"\ntoken_file = "/run/secrets/airflow"'
GITHUB = 'kind = "url"\npreset = "github"\nrepository = "example/churn"\ntoken_variable = "GITHUB_TOKEN"'
JENKINS = URL + '\npreset = "jenkins"\njob = "ml/retrain"\nuser = "ann"\ntoken_file = "/run/secrets/jenkins"'
SWITCH = 'kind = "switch"'
COMMAND = 'kind = "command"\ncommand = ["/usr/local/bin/retrain", "--model", "{model}"]'
FIRST = 'allow_commands = ["/usr/local/bin/retrain"]'


def from_file(folder: Path, text: str, first: str = FIRST) -> Settings:
    table = f'{first}\n[[actions]]\nname = "act"\nalerts = ["ModelFeatureDrift"]\n{text}\n'
    (folder / "settings.toml").write_text(table, "utf-8")
    return load({}, folder / "settings.toml")


def refusal(folder: Path, text: str, first: str = FIRST) -> str:
    with pytest.raises(SettingsError) as caught:
        from_file(folder, text, first)
    return str(caught.value)


@pytest.mark.parametrize("text", [URL, AIRFLOW, GITHUB, JENKINS])
def test_a_url_is_called_with_what_its_system_needs(tmp_path: Path, text: str) -> None:
    (action,) = from_file(tmp_path, text).actions
    assert isinstance(action, UrlAction)
    assert (action.method, action.timeout_seconds, action.is_idempotent) == ("POST", 10.0, False)
    assert action.confirm is None


def test_a_switch_goes_to_the_last_version_and_is_not_judged_unless_the_file_says_so(tmp_path: Path) -> None:
    (action,) = from_file(tmp_path, SWITCH).actions
    assert isinstance(action, SwitchAction)
    assert (action.to, action.judge_seconds) == ("last", 0.0)


def test_a_command_is_one_that_the_server_allows(tmp_path: Path) -> None:
    (action,) = from_file(tmp_path, COMMAND).actions
    assert isinstance(action, CommandAction)
    assert action.command == ("/usr/local/bin/retrain", "--model", "{model}")
    for first in ("", 'allow_commands = ["/usr/local/bin"]', 'allow_commands = ["/usr/local/bin/retrain2"]'):
        assert "allow_commands does not name /usr/local/bin/retrain: add it there" in refusal(tmp_path, COMMAND, first)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "url"', "url is missing: give it, or url_file or url_variable"),
        (URL + '\nurl_file = "/x"', "give only one of url and url_file"),
        ('kind = "url"\nurl_variable = "A-B"', "url_variable is no name of a variable"),
        ('kind = "url"\nurl = "ftp://x"', "the URL cannot be used"),
        ('kind = "url"\nurl = "https://ann:hunter2@x"', "the URL holds a user or a password"),
        (URL + '\ntoken = "hunter2"', "unknown key token; did you mean token_file?"),
        (URL + "\nbody = {at = 2026-01-31}", "body: it has a date, a time, nan or inf, which JSON does not know"),
        (URL + "\nbody = {limit = [inf]}", "body: it has a date, a time, nan or inf, which JSON does not know"),
        (
            URL + '\nheaders = {Content-Length = "3"}',
            "the header Content-Length says how long the body is: leave it out",
        ),
        (URL + '\nheaders = {Authorization = "hunter2"}', "Authorization looks like a secret: give a file that holds"),
        (URL + '\nheaders = {"X-Team" = "a\\nhunter2"}', "the value of X-Team cannot be sent"),
        (URL + '\nheader_files = {"X Team" = "/x"}', "the header 'X Team' cannot be sent"),
        (URL + '\nbody = {a = "{modle}"}', "unknown placeholder {modle}; did you mean {model}?"),
        (URL + '\nbody = {a = "{"}', "write a brace that is none of a placeholder twice"),
        (URL + '\ndag = "x"', "dag cannot be used with preset webhook: leave it out"),
        (URL + '\npreset = "airflow"', "dag is missing: preset airflow needs it"),
        (AIRFLOW + '\nmethod = "PUT"', "method cannot be used with preset airflow"),
        (AIRFLOW + '\nuser = "ann"\npassword_file = "/x"', "give either token_file, or user and password_file"),
        (AIRFLOW + '\npassword_file = "/x"', "user is missing: a password needs it"),
        (AIRFLOW.replace('"retrain"', '"../x"'), "dag: '../x' cannot be used"),
        (GITHUB.replace("example/churn", "example/.."), "repository: 'example/..' cannot be used"),
        (
            GITHUB + "\nbody = {" + ", ".join(f"k{number} = 1" for number in range(11)) + "}",
            "GitHub takes at most 10 keys",
        ),
        (JENKINS.replace("ml/retrain", "ml//retrain"), "job: 'ml//retrain' cannot be used"),
        (JENKINS.replace('\nuser = "ann"', ""), "give both user and token_file"),
        (JENKINS.replace('"ann"', '"a:b"'), "user: give a name without colons"),
        (URL + "\ntimeout_seconds = 0", "timeout_seconds: 0 cannot be used: give a number of seconds"),
        (SWITCH + '\nto = "version"', 'to_version is missing with to = "version"'),
        (SWITCH + '\nto = "fallback"', 'bundle is missing with to = "fallback"'),
        (SWITCH + '\nbundle = "x"', 'bundle needs to = "fallback"'),
        (SWITCH + '\nto = "best"', "to: 'best' cannot be used: give last, version or fallback"),
        ('kind = "command"', "command is missing: give a list of texts"),
        ('kind = "command"\ncommand = ["retrain"]', "command: 'retrain' is not an absolute path"),
        ('kind = "command"\ncommand = ["/{model}"]', "command: '/{model}' is not an absolute path"),
        (
            COMMAND.replace('"{model}"', '"--model={model}"'),
            "command: '--model={model}' has something beside the placeholder",
        ),
        (COMMAND.replace('"{model}"', '"{shell}"'), "unknown placeholder {shell}"),
        (COMMAND + '\nenvironment = {"A-B" = "x"}', "environment: 'A-B' is no name of a variable"),
        (COMMAND + '\nenvironment = {A = "x\\u0000"}', "it has a NUL character"),
        (SWITCH + "\nconfirm = {}", "confirm: give performance, drift, prediction_drift or several of them"),
        (SWITCH + '\nconfirm = {performance = "bad"}', "confirm.performance: 'bad' cannot be used"),
        (SWITCH + '\nconfirm = {performence = "degraded"}', "unknown key confirm.performence"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_give(tmp_path: Path, text: str, message: str) -> None:
    found = refusal(tmp_path, text)
    assert found.startswith("actions: act: ")
    assert message in found
    assert "hunter2" not in found


def test_a_secret_is_never_in_the_settings_as_text(tmp_path: Path) -> None:
    (action,) = from_file(tmp_path, AIRFLOW + "\ndry_run = false").actions
    assert str(action.model_dump()["token_file"]) == "/run/secrets/airflow"
    secrets = {name for name in UrlAction.model_fields if name.startswith(("token", "password", "signature"))}
    assert {name.rpartition("_")[2] for name in secrets} == {"file", "variable"}


def test_every_key_that_is_not_text_says_what_it_accepts() -> None:
    said = {**KIND_VALUES, **CONFIRM_VALUES}
    for group in (UrlFields, SwitchFields, CommandFields, ConfirmFields):
        for name, field in group.model_fields.items():
            is_text = field.annotation in (str, str | None, Path | None)
            assert (name in said) != is_text or name == "url", name
