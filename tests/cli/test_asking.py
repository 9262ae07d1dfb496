"""Requests of commands to a running server."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.cli.asking import asked
from driftgauge.errors import CheckError
from driftgauge.main import create_app

from tests.examples import Example, quiet
from tests.servers import serving


def test_the_answer_of_a_server_is_returned_and_a_refusal_says_its_message(binary: Example) -> None:
    with serving(create_app(quiet(bundle=binary.folder))) as client:
        url = str(client.base_url)
        assert asked(f"{url}/", "/health/live", None, CheckError) == {"health": "ok"}
        with pytest.raises(CheckError, match="there is no window 'old'"):
            asked(url, "/drift/status?windows=old", None, CheckError)
        with pytest.raises(CheckError, match="no answer from"):
            asked(url, "/runbooks", None, CheckError)  # a page, not JSON


def test_an_address_and_a_token_file_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"--url: file:///etc/passwd is not an address"):
        asked("file:///etc/passwd", "/", None, CheckError)
    with pytest.raises(CheckError, match="--token-file: cannot read"):
        asked("http://127.0.0.1:9", "/", tmp_path / "none", CheckError)
