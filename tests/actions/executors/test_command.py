from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from driftgauge.actions.action import Action, ActionFailed
from driftgauge.actions.executors.command import CommandExecutor
from driftgauge.actions.executors.processes import KEPT_BYTES

from tests.actions.decided import EXECUTION, HOSTILE, Sent, action_of, alert_of, decision_of

SHOW = """#!/usr/bin/python3
import json, os, sys
print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), os.getpgid(0) == os.getpid(), sys.stdin.read()]))
"""


def program(folder: Path, text: str, mode: int = 0o755) -> Path:
    path = folder / "program"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def command(path: Path, *arguments: str, **settings: Any) -> Action:
    return action_of("command", command=[str(path), *arguments], **settings)


def shown(path: Path, action: Action, **labels: str) -> Any:
    decision = decision_of(action, alert_of(labels, summary="age has drifted"))
    return json.loads(CommandExecutor([path]).run(action, decision, Sent()).notes["output"])


def failure(path: Path, action: Action, **labels: str) -> tuple[ActionFailed, int]:
    sent = Sent()
    with pytest.raises(ActionFailed) as caught:
        CommandExecutor([path]).run(action, decision_of(action, alert_of(labels)), sent)
    return caught.value, sent.times


def test_a_program_gets_its_arguments_and_little_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "hunter2")
    path = program(tmp_path, SHOW)
    action = command(path, "--model", "{model}", "{labels.feature_name}", environment={"WHY": "because of {reason}"})
    arguments, environment, folder, leads_group, read = shown(path, action, feature_name="age")
    assert arguments == ["--model", "churn", "age"]
    assert (folder, leads_group, read) == ("/", True, "")
    assert environment.pop("PATH").startswith("/usr/local/sbin:")
    assert json.loads(environment.pop("ACTION_LABELS"))["feature_name"] == "age"
    environment.pop("LC_CTYPE", None)  # the interpreter sets it
    assert environment == {
        "LANG": "C.UTF-8",
        "WHY": "because of age has drifted",
        "ACTION_NAME": "act",
        "ACTION_ALERT": "ModelFeatureDrift",
        "ACTION_SEVERITY": "critical",
        "ACTION_MODEL": "churn",
        "ACTION_VERSION": "2",
        "ACTION_REASON": "age has drifted",
        "ACTION_STARTS_AT": "2023-11-14T22:13:20Z",
        "ACTION_EXECUTION": EXECUTION,
    }


def test_a_hostile_value_is_one_argument_and_no_shell_reads_it(tmp_path: Path) -> None:
    path = program(tmp_path, SHOW)
    action = command(path, "{labels.feature_name}", environment={"FEATURE": "{labels.feature_name}"})
    arguments, environment, *_ = shown(path, action, feature_name=HOSTILE)
    assert arguments == ['a "; rm -rf / #$(reboot)`id`{model} ']
    assert environment["FEATURE"] == arguments[0]


def test_a_value_that_looks_like_an_option_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = program(tmp_path, SHOW)
    error, sent = failure(path, command(path, "{labels.feature_name}"), feature_name="--delete-all")
    assert "begins with -, so the program could take it for an option" in str(error)
    assert (error.retryable, sent) == (False, 0)
    assert shown(path, command(path, "--fixed"))[0] == ["--fixed"]


def test_a_program_that_the_server_does_not_allow_is_not_run(tmp_path: Path) -> None:
    path = program(tmp_path, f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    action, sent = command(path), Sent()
    for allowed in ([], [tmp_path], [tmp_path / "program2"]):
        with pytest.raises(ActionFailed, match="allow_commands does not name") as caught:
            CommandExecutor(allowed).run(action, decision_of(action), sent)
        assert not caught.value.retryable
        assert "refused: allow_commands" in CommandExecutor(allowed).preview(action, alert_of())
    assert (sent.times, (tmp_path / "ran").exists()) == (0, False)


@pytest.mark.parametrize(
    ("mode", "message"), [(0o644, "is not a program that this user may run"), (0o777, "every user may change")]
)
def test_a_file_that_others_may_change_or_nobody_may_run_is_refused(tmp_path: Path, mode: int, message: str) -> None:
    path = program(tmp_path, SHOW, mode)
    error, sent = failure(path, command(path))
    assert message in str(error)
    assert sent == 0


def test_a_program_that_is_absent_or_has_no_interpreter_is_named(tmp_path: Path) -> None:
    absent, sent = failure(tmp_path / "program", command(tmp_path / "program"))
    assert (str(absent), sent) == (f"{tmp_path}/program cannot be run: No such file or directory", 0)
    broken = program(tmp_path, "#!/no/such/interpreter\n")
    error, sent = failure(broken, command(broken))
    assert (str(error), error.retryable) == (f"{broken} cannot be run: No such file or directory", False)


def test_the_exit_code_and_the_end_of_the_output_are_said(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\necho first\necho 'no\tdisk' >&2\nexit 3\n")
    error, sent = failure(path, command(path))
    assert str(error) == f"{path} ended with exit code 3; output: first no disk"
    assert (error.retryable, sent) == (False, 1)


def test_exit_code_75_asks_to_try_again(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\nexit 75\n")
    assert failure(path, command(path))[0].retryable


def test_a_program_that_a_signal_ends_is_not_tried_again(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\nkill -9 $$\n")
    error, _ = failure(path, command(path))
    assert (str(error), error.retryable) == (f"{path} was ended by signal 9", False)


def test_long_output_is_bounded(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\necho begin\nhead -c 5000000 /dev/zero | tr '\\0' x\necho end\n")
    action = command(path)
    outcome = CommandExecutor([path]).run(action, decision_of(action), Sent())
    output = outcome.notes["output"]
    assert output.startswith("begin\nxxx")
    assert output.endswith("xxx" + "end\n")
    assert "bytes left out" in output
    assert len(output) < 2 * KEPT_BYTES + 100


def test_a_late_program_is_ended_with_what_it_started(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    path = program(tmp_path, f"#!/bin/sh\n(exec sleep 600 3>{fifo}) &\necho begun\nsleep 600\n")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        error, _ = failure(path, command(path, timeout_seconds=0.5))
        assert str(error) == f"{path} was ended after 0.5 s; output: begun"
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b""  # its end is closed: the child has ended too
    finally:
        os.close(reader)


def test_a_program_in_the_background_holds_nothing_up(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\nsleep 600 &\necho done\n")
    action = command(path)
    outcome = CommandExecutor([path]).run(action, decision_of(action), Sent())
    assert outcome.detail == f"{path} ended with exit code 0; output: done"


def test_a_program_never_runs_twice_for_one_execution(tmp_path: Path) -> None:
    path = program(tmp_path, SHOW)
    assert path.stat().st_mode & stat.S_IXUSR
    assert not CommandExecutor([path]).is_repeatable(command(path))
