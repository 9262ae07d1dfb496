"""`driftgauge models` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driftgauge.cli.main import app
from driftgauge.cli.models import _say
from driftgauge.errors import ReleaseError
from driftgauge.main import create_app
from typer.testing import CliRunner, Result

from tests.examples import Example, quiet
from tests.servers import serving
from tests.versions import versions_of


@pytest.fixture
def url(binary: Example, tmp_path: Path) -> Iterator[str]:
    """The address of a server of version 1, beside which version 2 lies."""
    first, *_ = versions_of(binary.folder, tmp_path / "bundles", "123")
    with serving(create_app(quiet(bundle=first, state_dir=tmp_path / "state"))) as client:
        yield str(client.base_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)


def printed(result: Result) -> Any:
    """Return the JSON that a command printed; the server in the same process may have logged a line before."""
    return json.loads(result.output[result.output.index("{\n") :])


def test_a_version_is_loaded_listed_and_taken_back(url: str) -> None:
    assert run("load", "binary", "2", "--reason", "[bold]better", "--who", "ann", "--url", url).output.endswith(
        "version 2 is live for binary\n"
    )
    listed = run("list", "binary", "--url", url).output
    assert " [bold]better" in listed
    assert "retired" in listed
    back = run("rollback", "binary", "--reason", "worse", "--url", url)
    assert back.output.endswith("version 1 is live for binary\n")
    history = printed(run("list", "binary", "--json", "--url", url))["history"]
    assert [(change["kind"], change["to_version"]) for change in history][:2] == [("rollback", "1"), ("load", "2")]
    assert history[1]["who"] == "ann"


def test_names_of_a_server_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _say({"kind": "load", "to_version": "2\x1b[2J", "model_name": "a\x9bb\u202ec", "all_workers": True})
    assert capsys.readouterr().out == "version 2[2J is live for abc\n"


def test_a_shadow_is_loaded_and_ended(url: str) -> None:
    shadow = run("load", "binary", "3", "--shadow", "--reason", "r", "--url", url)
    assert shadow.output.endswith("version 3 is the shadow of binary\n")
    ended = run("unload", "binary", "3", "--reason", "r", "--url", url)
    assert ended.output.endswith("version 3 is no longer the shadow of binary\n")


def test_what_the_server_refuses_is_said(url: str) -> None:
    with pytest.raises(ReleaseError, match="it lies in none of the folders"):
        run("load", "binary", "/etc", "--reason", "r", "--url", url)
    with pytest.raises(ReleaseError, match="no earlier version to go back to"):
        run("rollback", "binary", "--reason", "r", "--url", url)


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(ReleaseError, match=r"no answer from http://127\.0\.0\.1:9 \(Connection refused\).*--url"):
        run("list", "binary", "--url", "http://127.0.0.1:9")
    with pytest.raises(ReleaseError, match="is not an address"):
        run("list", "binary", "--url", "file:///etc/passwd")


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"--token-file: cannot read .*: No such file or directory$"):
        run("list", "binary", "--token-file", str(tmp_path / "none"))
