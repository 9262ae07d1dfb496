from __future__ import annotations

import base64
from pathlib import Path

import pytest
from driftgauge.access.caller import Caller, Scope
from driftgauge.access.tokens import LARGEST_BYTES, Tokens
from driftgauge.errors import SettingsError

ONE = "one-token-of-the-shop"
TWO = "two-token-of-the-shop"


def write(path: Path, *tokens: str, scopes: str = "predict") -> None:
    """Replace a file as an editor or Kubernetes does: by another."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"shop {scopes} token:{token}\n" for token in tokens), encoding="utf-8")
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "tokens"
    write(found, ONE)
    return found


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def basic(name: str, token: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{token}".encode())


def test_a_token_is_found_as_bearer_or_as_the_password_of_its_name(path: Path) -> None:
    tokens = Tokens(path)
    for header in (bearer(ONE), b"bearer  " + ONE.encode() + b" ", basic("shop", ONE)):
        found = tokens.find(header)
        assert found is not None
        assert found == Caller("shop", frozenset({Scope.PREDICT}))
    assert (len(tokens), tokens.names) == (1, frozenset({"shop"}))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        bearer(TWO),
        bearer(ONE + "x"),
        bearer(ONE[:-1]),
        bearer(ONE.upper()),
        ONE.encode(),
        b"Token " + ONE.encode(),
        b"Bearer \xff\xfe",
        basic("other", ONE),
        basic("shop", TWO),
        b"Basic shop:" + ONE.encode(),
        b"Basic \xff",
        b"Basic " + base64.b64encode(ONE.encode()),
    ],
)
def test_an_unknown_token_has_no_caller(path: Path, header: bytes) -> None:
    assert Tokens(path).find(header) is None


def test_a_changed_file_is_read_again_and_old_tokens_end(path: Path) -> None:
    tokens = Tokens(path)
    write(path, ONE, TWO)
    tokens.refresh()
    assert tokens.find(bearer(ONE))
    assert tokens.find(bearer(TWO))
    write(path, TWO)
    tokens.refresh()
    assert tokens.find(bearer(ONE)) is None
    assert tokens.find(bearer(TWO))


def test_a_mounted_secret_changes_by_its_link(tmp_path: Path) -> None:
    for name, token in (("first", ONE), ("second", TWO)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "tokens", token)
    link, new = tmp_path / "data", tmp_path / "new"
    link.symlink_to("first")
    tokens = Tokens(link / "tokens")
    new.symlink_to("second")
    new.replace(link)
    tokens.refresh()
    assert tokens.find(bearer(ONE)) is None
    assert tokens.find(bearer(TWO))


@pytest.mark.parametrize("broken", ["nothing", "words", "empty", "bytes", "large", "folder"])
def test_a_broken_file_leaves_the_last_tokens_in_force_and_says_so(path: Path, broken: str) -> None:
    told: list[str] = []
    tokens = Tokens(path, told.append)
    path.unlink()
    if broken == "folder":
        path.mkdir()
    elif broken != "nothing":
        content = {"words": b"shop predict", "empty": b"", "bytes": b"\xff\xff", "large": b"#" * (LARGEST_BYTES + 1)}
        path.write_bytes(content[broken])
    tokens.refresh()
    tokens.refresh()
    assert tokens.find(bearer(ONE))
    assert tokens.find(bearer(TWO)) is None
    assert len(told) == 1
    assert told[0].startswith(f"tokens_file {path} cannot be used: ")
    if broken == "folder":
        path.rmdir()
    write(path, TWO)
    tokens.refresh()
    assert tokens.find(bearer(TWO))
    assert tokens.find(bearer(ONE)) is None
    assert told[1:] == [""]


def test_a_server_does_not_start_with_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"tokens_file .*none cannot be used: No such file"):
        Tokens(tmp_path / "none")
    write(tmp_path / "tokens")
    with pytest.raises(SettingsError, match="it has no token"):
        Tokens(tmp_path / "tokens")
