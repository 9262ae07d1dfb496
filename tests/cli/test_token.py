from __future__ import annotations

import re
from pathlib import Path

import pytest
from driftgauge.access.caller import Caller, Scope
from driftgauge.access.token_file import hashed, parse_tokens
from driftgauge.cli.main import app
from driftgauge.errors import SettingsError
from typer.testing import CliRunner, Result


def create(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", "create", *arguments], catch_exceptions=False)


def test_it_prints_a_token_and_its_line() -> None:
    token, line = create("shop", "--scopes", "predict,timestamps").stdout.splitlines()
    assert re.fullmatch(r"dg_[A-Za-z0-9_-]{43}", token)
    assert parse_tokens(line) == {
        hashed(token.encode()): Caller("shop", frozenset({Scope.PREDICT, Scope.TIMESTAMPS})),
    }


def test_with_a_file_it_prints_the_token_alone_and_adds_the_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    tokens = [create("shop", "--file", str(file)).stdout.strip() for _ in range(2)]
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    file.write_text(file.read_text().rstrip("\n") + "\n# the next one")
    tokens.append(create("prom", "--scopes", "read", "--file", str(file)).stdout.strip())
    callers = parse_tokens(file.read_text())
    assert [callers[hashed(token.encode())].name for token in tokens] == ["shop", "shop", "prom"]
    assert not [token for token in tokens if token in file.read_text()]
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_a_broken_file_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("broken")
    with pytest.raises(SettingsError, match="tokens cannot be used: line 1"):
        create("shop", "--file", str(file))
    assert file.read_text() == "broken"
    with pytest.raises(SettingsError, match=r"cannot write .*No such file"):
        create("shop", "--file", str(tmp_path / "none" / "tokens"))


def test_wrong_names_and_scopes_are_refused() -> None:
    with pytest.raises(SettingsError, match="the name of a token must be"):
        create("a b")
    with pytest.raises(SettingsError, match="did you mean read"):
        create("shop", "--scopes", "reed")
