from __future__ import annotations

import pytest
from driftgauge.access.caller import ANYONE, NOBODY, Caller, Scope


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_includes_no_other(scope: Scope) -> None:
    caller = Caller("one", frozenset({scope}))
    assert [own for own in Scope if caller.may(own)] == [scope]


@pytest.mark.parametrize("scope", Scope)
def test_without_tokens_anyone_may_do_everything_and_without_a_token_nothing(scope: Scope) -> None:
    assert (ANYONE.may(scope), NOBODY.may(scope)) == (True, False)


def test_a_scope_is_written_as_it_is_read() -> None:
    assert [Scope(str(own)) for own in Scope] == list(Scope)
    with pytest.raises(ValueError, match="predictions"):
        Scope("predictions")
