"""`driftgauge diagnose` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from driftgauge.cli.main import app
from driftgauge.errors import DiagnosisError
from driftgauge.main import create_app
from typer.testing import CliRunner, Result

from tests.examples import Example, quiet
from tests.servers import serving

FEATURE = "mean radius"


@pytest.fixture
def url(binary: Example) -> Iterator[str]:
    """The address of a server to which rows were sent, one feature in another unit."""
    with serving(create_app(quiet(bundle=binary.folder))) as client:
        rows = [{**row, FEATURE: row[FEATURE] * 25.4} for row in binary.rows()]
        for first in range(0, len(rows), 50):
            client.post("/predict", json={"instances": rows[first : first + 50]}).raise_for_status()
        yield str(client.base_url)


@pytest.fixture
def idle(binary: Example) -> Iterator[str]:
    """The address of a server without rows."""
    with serving(create_app(quiet(bundle=binary.folder))) as client:
        yield str(client.base_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diagnose", *arguments], catch_exceptions=False)


def test_what_is_wrong_is_said_with_commands_and_gives_exit_code_1(url: str) -> None:
    found = run("--url", url, "--model", "binary")
    assert found.exit_code == 1
    assert "binary 1.2: something is wrong since" in found.output
    assert f" of {FEATURE}, since" in found.output
    assert f"curl -s '{url.rstrip('/')}/drift/status?model=binary&feature=mean%20radius'" in found.output
    steps = [line.split("  ")[0] for line in found.output.splitlines()]
    assert [own for own in steps if own in ("Data quality", "Drift", "Prediction", "Ground truth", "System")] == [
        *("Data quality", "Drift", "Prediction", "Ground truth", "System")
    ]


def test_the_answer_of_the_server_is_printed_as_json(url: str) -> None:
    found = run("--url", url, "--json")
    assert found.exit_code == 1
    answer = json.loads(found.output[found.output.index("{\n") :])
    assert answer["state"] == "wrong"
    assert answer["models"][0]["causes"][0]["columns"] == [FEATURE]


def test_nothing_that_is_known_to_be_wrong_gives_exit_code_0(idle: str) -> None:
    found = run("--url", idle)
    assert found.exit_code == 0
    assert "binary 1.2: not known yet" in found.output


def test_a_server_that_cannot_be_asked_is_named(idle: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosisError, match="no model 'other' is monitored; there is binary"):
        run("--url", idle, "--model", "other")
    with pytest.raises(DiagnosisError, match=r"no answer from http://127\.0\.0\.1:9 .*--url"):
        run("--url", "http://127.0.0.1:9")
    with pytest.raises(DiagnosisError, match="--token-file: cannot read"):
        run("--url", idle, "--token-file", str(tmp_path / "none"))
