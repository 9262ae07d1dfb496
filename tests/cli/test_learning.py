from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driftgauge.cli import main as cli
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.bundle import read_baseline
from driftgauge.models.predictor import Predictor
from driftgauge.predictions.description import described
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

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


def _logged(example: Example, folder: Path, *, name: str, days: float) -> None:
    """Log predictions of the held-out rows, the last of them some days ago."""
    store = PredictionStore.open(folder)
    baseline = example.bundle.baseline
    version = store.register(described(baseline, name, "1.2", "binary", classes=(0, 1)).model)
    answers = Predictor(example.bundle).predict(example.batch(example.rows()))
    count = len(answers.scores)
    times = ((time.time() - days * 86_400.0 - 60.0 * np.arange(count)[::-1]) * 1e6).astype(np.int64)
    store.write(
        [
            LoggedRows(
                version=version,
                keys=[key_of(str(row)) for row in range(count)],
                arrival=times,
                time=times,
                scores=answers.scores,
                predictions=(answers.scores > 0.5).astype(np.float64),
                latency=np.full(count, 300),
                features=answers.columns[:, :-1].copy(),
            )
        ]
    )
    store.close()


def test_a_baseline_of_a_bundles_log_fits_the_bundle(binary: Example, tmp_path: Path, learn: Learn) -> None:
    _logged(binary, tmp_path, name="binary", days=1.0)
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
    _logged(binary, tmp_path, name="scores", days=0.1)
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
    _logged(binary, tmp_path, name="binary", days=2.0)
    code, shown, errors = learn(binary.folder, "--state-dir", tmp_path, "--out", tmp_path / "o.json", *arguments)
    assert (code, shown) == (2, "")
    assert message in errors
    assert not (tmp_path / "o.json").exists()


def test_a_folder_without_a_log_is_refused_and_none_is_made(binary: Example, tmp_path: Path, learn: Learn) -> None:
    code, _, errors = learn(binary.folder, "--state-dir", tmp_path / "none")
    assert code == 2
    assert "there is no prediction log in" in errors
    assert not (tmp_path / "none").exists()
