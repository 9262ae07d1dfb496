from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.errors import BundleError
from driftgauge.models import importance_file
from driftgauge.models.importance_file import IMPORTANCES_FILE

KEPT = Importances("permutation", "brier", {"x": 0.75, "y": 0.25})


def test_what_is_written_is_read_again_in_the_order_of_the_features(tmp_path: Path) -> None:
    (tmp_path / IMPORTANCES_FILE).write_text(importance_file.dumps(KEPT))
    assert importance_file.read(tmp_path, ["x", "y"]) == KEPT
    assert list(importance_file.loads(importance_file.dumps(KEPT), ["y", "x"]).shares) == ["y", "x"]


def test_a_bundle_without_the_file_has_no_importances(tmp_path: Path) -> None:
    assert importance_file.read(tmp_path, ["x"]) is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"schema_version": 1', '"schema_version": 2', "schema_version"),
        ('"permutation"', '"gain"', "method"),
        ('"brier"', '"auc"', "metric"),
        ("0.25", "-0.25", "shares.y"),
        ("0.25", '"0.25"', "shares.y"),
        ("0.25", "NaN", "shares.y"),
        ("0.25", "0.5", "add up to 1.25"),
        ('"y"', '"z"', "other features"),
        ('"method"', '"methods"', "methods"),
    ],
)
def test_a_damaged_file_is_refused_with_advice(tmp_path: Path, old: str, new: str, what: str) -> None:
    text = importance_file.dumps(KEPT)
    assert old in text
    (tmp_path / IMPORTANCES_FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(BundleError, match=rf"{IMPORTANCES_FILE}.*{what}.*bundle create"):
        importance_file.read(tmp_path, ["x", "y"])


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / IMPORTANCES_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="cannot read"):
        importance_file.read(tmp_path, ["x"])
