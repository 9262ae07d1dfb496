from __future__ import annotations

import re

import pytest
from driftgauge.access.caller import Caller, Scope
from driftgauge.access.token_file import (
    MAX_TOKENS,
    PREFIX,
    hashed,
    new_token,
    parse_tokens,
    token_line,
    token_name,
    token_scopes,
)
from driftgauge.errors import SettingsError

HASH = "ab" * 32
SECRET = "s3cret-s3cret-s3cret"  # noqa: S105  of no server


def test_a_line_names_a_caller_its_scopes_and_the_hash_of_its_token() -> None:
    callers = parse_tokens(f"# who\n\n  shop predict,timestamps sha256:{HASH}\nprom read token:{SECRET}\n")
    assert callers == {
        bytes.fromhex(HASH): Caller("shop", frozenset({Scope.PREDICT, Scope.TIMESTAMPS})),
        hashed(SECRET.encode()): Caller("prom", frozenset({Scope.READ})),
    }


def test_a_name_may_have_several_tokens() -> None:
    callers = parse_tokens(f"shop predict sha256:{HASH}\nshop predict token:{SECRET}")
    assert [caller.name for caller in callers.values()] == ["shop", "shop"]


def test_a_new_token_is_found_by_its_line_which_does_not_hold_it() -> None:
    token = new_token()
    line = token_line("shop", [Scope.PREDICT, Scope.READ], token)
    assert re.fullmatch(r"dg_[A-Za-z0-9_-]{43}", token)
    assert token not in line
    assert PREFIX not in line
    assert parse_tokens(line)[hashed(token.encode())] == Caller("shop", frozenset({Scope.PREDICT, Scope.READ}))
    assert new_token() != token


WRONG: dict[str, str] = {
    "": "it has no token",
    "# only a comment": "it has no token",
    f"shop predict {SECRET} more": "line 1: it has 4 words: write NAME SCOPES sha256:HASH",
    f"{SECRET}": "line 1: it has 1 words",
    f"{SECRET}! read sha256:{HASH}": "line 1: the name of a token must be up to 64",
    f"shop {SECRET} sha256:{HASH}": "line 1: there is an unknown scope; give some of predict, ingest",
    f"shop predct sha256:{HASH}": "line 1: there is an unknown scope; did you mean predict?",
    f"shop , sha256:{HASH}": "line 1: there are no scopes",
    f"\nshop read {SECRET}": "line 2: its third word must be",
    f"shop read sha256:{HASH[:-2]}": "line 1: its third word must be",
    "shop read token:short": "line 1: its third word must be",
    f"shop read token:{SECRET}\u00e9": "line 1: its third word must be",
    f"a read token:{SECRET}\nb read token:{SECRET}": "line 2: this token is on an earlier line too",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_line_is_named_and_never_repeated(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_tokens(text)
    assert str(raised.value).startswith(WRONG[text])
    assert SECRET not in str(raised.value)


def test_a_file_has_a_greatest_number_of_tokens() -> None:
    lines = [f"shop read sha256:{number:064x}" for number in range(MAX_TOKENS)]
    assert len(parse_tokens("\n".join(lines))) == MAX_TOKENS
    with pytest.raises(SettingsError, match="it has 1,001 tokens: give at most 1,000"):
        parse_tokens("\n".join([*lines, f"shop read sha256:{MAX_TOKENS:064x}"]))


def test_names_are_safe_as_labels() -> None:
    assert token_name("shop-1.eu_a") == "shop-1.eu_a"
    for name in ("", "a b", "x" * 65, 'a"b', "a\n"):
        with pytest.raises(SettingsError):
            token_name(name)


def test_scopes_are_separated_by_commas() -> None:
    assert token_scopes("read, predict") == (Scope.READ, Scope.PREDICT)
