"""Requests that follow no redirect."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from driftgauge.cli.asking import asked
from driftgauge.cli.label_import import Server
from driftgauge.common.redirects import open_directly
from driftgauge.errors import CheckError, SettingsError

from tests.redirects import redirecting


def test_a_redirect_is_an_error() -> None:
    with redirecting() as (url, paths), pytest.raises(HTTPError) as found:
        open_directly(Request(url), 30.0)  # noqa: S310  an address of this machine
    found.value.close()
    assert (found.value.code, paths) == (302, [])


def test_a_command_sends_its_token_to_no_other_address(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret", encoding="utf-8")
    with redirecting() as (url, paths):
        with pytest.raises(CheckError, match=r"answered 302 Found and leads to .*/there: give the address") as found:
            asked(url, "/health", file, CheckError)
        with pytest.raises(SettingsError, match="check --url"):
            Server(url, token=file.read_text("utf-8")).send([{"id": "a", "label": 1}])
    assert paths == []
    assert "sesame" not in str(found.value)
