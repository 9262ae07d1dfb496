from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from driftgauge.common.secret_values import SecretUnusable, secret

HIDDEN = "s3cr3t"


@dataclass(frozen=True)
class Settings:
    token_file: Path | None = None
    token_variable: str | None = None


VARIABLE = Settings(token_variable="TOKEN")  # noqa: S106  a name


def found(settings: Settings, **variables: str) -> str | None:
    return secret(settings, "token", variables)


def refused(settings: Settings, **variables: str) -> SecretUnusable:
    with pytest.raises(SecretUnusable) as error:
        found(settings, **variables)
    assert HIDDEN not in str(error.value)
    return error.value


def test_a_secret_is_the_text_of_a_file_or_a_variable_without_the_spaces_around_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f" {HIDDEN}\n")
    assert found(Settings(token_file=file)) == HIDDEN
    assert found(VARIABLE, TOKEN=f"{HIDDEN}\n") == HIDDEN
    assert found(Settings()) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n", "is empty"),
        (HIDDEN.encode() + b"\nb", "holds more than one line"),
        (HIDDEN.encode() + b"\x07b", "or control characters"),
        (HIDDEN.encode() + b"\xff", "is not text in UTF-8"),
        (HIDDEN.encode() * 20_000, "has 120,000 bytes; at most 65,536 are read"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_with_its_key(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    error = refused(Settings(token_file=file))
    assert str(error).startswith(f"token_file: {file}")
    assert message in str(error)
    assert not error.retryable


def test_a_file_that_is_not_there_may_come(tmp_path: Path) -> None:
    error = refused(Settings(token_file=tmp_path / "token"))
    assert str(error) == f"token_file: cannot read {tmp_path / 'token'}: No such file or directory"
    assert error.retryable


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    assert "is a named pipe" in str(refused(Settings(token_file=tmp_path / "token")))


def test_a_variable_that_holds_no_secret_is_named() -> None:
    empty = "token_variable: TOKEN is not set in the environment"
    assert str(refused(VARIABLE)) == empty
    assert "TOKEN holds more than one line" in str(refused(VARIABLE, TOKEN=f"{HIDDEN}\nb"))
