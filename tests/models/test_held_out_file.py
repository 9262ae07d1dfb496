from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.performance.error_model import fit_error_model
from driftgauge.drift.performance.errors import error_table, value_errors
from driftgauge.drift.performance.estimated import fit_calibration
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.reference.build import build_baseline
from driftgauge.errors import BundleError
from driftgauge.models import held_out_file
from driftgauge.models.held_out_file import HELD_OUT_FILE


def _kept(task: str = "regression") -> HeldOut:
    rng = np.random.default_rng(0)
    scores = rng.random(500)
    truth = scores + scores * rng.normal(size=500)
    errors = value_errors(truth, scores)
    baseline = build_baseline(error_table(errors), created="2026-01-01T00:00:00Z")
    if task == "binary":
        hit = rng.random(500) < scores
        return HeldOut(baseline, calibration=fit_calibration(scores, hit, scores > 0.5, binary=True))
    codes = rng.integers(0, 3, 500).astype(np.float64)
    gaps = np.where(rng.random(500) < 0.2, np.nan, scores)
    return HeldOut(baseline, error_model=fit_error_model(np.stack([codes, gaps]), errors[:, 0] + codes, {0: 3}))


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_what_is_written_is_read_again(task: str) -> None:
    kept = _kept(task)
    assert held_out_file.loads(held_out_file.dumps(kept)) == kept


def test_it_holds_no_number_that_json_lacks() -> None:
    def refuse(name: str) -> float:
        raise AssertionError(name)

    text = held_out_file.dumps(_kept())
    json.loads(text, parse_constant=refuse)
    assert "null" in text  # a tree that asks whether a value is known


def test_a_bundle_without_the_file_keeps_nothing(tmp_path: Path) -> None:
    assert held_out_file.read(tmp_path) is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"schema_version": 1', '"schema_version": 2', "malformed"),
        ('"intercept": ', '"intercept": "a", "more": ', "malformed"),
        ('"zero_bin": "jeffreys"', '"zero_bin": "clip"', "does not match its hash"),
        ('"calibration": null', '"calibration": {"edges": [], "rows": [1]}', "malformed"),
        ('"columns": [1', '"columns": [-1', "malformed"),
    ],
)
def test_a_damaged_file_is_refused_with_advice(tmp_path: Path, old: str, new: str, what: str) -> None:
    text = held_out_file.dumps(_kept())
    assert old in text
    (tmp_path / HELD_OUT_FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(BundleError, match=rf"{HELD_OUT_FILE}.*{what}.*--evaluation"):
        held_out_file.read(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / HELD_OUT_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="cannot read"):
        held_out_file.read(tmp_path)


def test_a_baseline_of_something_else_is_no_reference_of_errors() -> None:
    other = build_baseline({"x": np.arange(300.0)}, created="2026-01-01T00:00:00Z")
    with pytest.raises(BundleError, match="errors of the columns x"):
        held_out_file.loads(held_out_file.dumps(HeldOut(other)))
