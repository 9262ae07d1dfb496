from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from driftgauge.cli import main as cli
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.bundle import read_baseline

from tests.answers import log_answers
from tests.examples import Example

Learn = Callable[..., tuple[object, str, str]]


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Learn:
    def run(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["driftgauge", "baseline", "learn", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return (left.value.code or 0, *capfd.readouterr())

    return run


def test_a_baseline_of_a_bundles_log_fits_the_bundle(binary: Example, tmp_path: Path, learn: Learn) -> None:
    log_answers(binary, tmp_path, name="binary", days=1.0)
    out = tmp_path / "learned.json"
    code, shown, errors = learn(binary.folder, "--state-dir", tmp_path, "--since", "3d", "--out", out)
    assert code == 0, errors
    rows = len(binary.rows())
    assert f"{rows:,} predictions from 20" in errors
    assert "mean area" in shown
    learned = read_baseline(out)
    assert (learned.names, learned.rows) == (binary.bundle.baseline.names, rows)
    assert learned.time_column == "time of prediction"


def test_a_baseline_alone_takes_the_name_of_its_model(binary: Example, tmp_path: Path, learn: Learn) -> None:
    log_answers(binary, tmp_path, name="scores", days=0.1)
    known = tmp_path / "baseline.json"
    known.write_text(dumps(binary.bundle.baseline))
    out = tmp_path / "learned.json"
    code, _, errors = learn(known, "--model", "scores", "--state-dir", tmp_path, "--out", out)
    assert code == 0, errors
    assert json.loads(out.read_text())["rows"] == len(binary.rows())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "1h"), "models in the log: binary"),
        (("--model", "other"), "other, since 14d: the log has no predictions"),
        (("--since", "often"), "--since: 'often' is not a time"),
    ],
)
def test_without_such_predictions_the_error_says_so(
    binary: Example, tmp_path: Path, learn: Learn, arguments: tuple[str, ...], message: str
) -> None:
    log_answers(binary, tmp_path, name="binary", days=2.0)
    code, shown, errors = learn(binary.folder, "--state-dir", tmp_path, "--out", tmp_path / "o.json", *arguments)
    assert (code, shown) == (2, "")
    assert message in errors
    assert not (tmp_path / "o.json").exists()


def test_a_folder_without_a_log_is_refused_and_none_is_made(binary: Example, tmp_path: Path, learn: Learn) -> None:
    code, _, errors = learn(binary.folder, "--state-dir", tmp_path / "none")
    assert code == 2
    assert "there is no prediction log in" in errors
    assert not (tmp_path / "none").exists()
