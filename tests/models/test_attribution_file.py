from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.drift.attribution.attributions import Attributions
from driftgauge.errors import BundleError
from driftgauge.models import attribution_file
from driftgauge.models.attribution_file import ATTRIBUTIONS_FILE

KEPT = Attributions("tree_shap", 2_000, ("x", "y"), (0.75, 0.25), (0.5, 0.125), (0.0625, 0.0625))


def test_what_is_written_is_read_again_in_the_order_of_the_features(tmp_path: Path) -> None:
    (tmp_path / ATTRIBUTIONS_FILE).write_text(attribution_file.dumps(KEPT))
    assert attribution_file.read(tmp_path, ["x", "y"]) == KEPT
    assert attribution_file.loads(attribution_file.dumps(KEPT), ["y", "x"]).means == (0.25, 0.75)


def test_a_bundle_without_the_file_has_no_attributions(tmp_path: Path) -> None:
    assert attribution_file.read(tmp_path, ["x"]) is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"schema_version": 1', '"schema_version": 2', "schema_version"),
        ('"tree_shap"', '"guess"', "method"),
        ("2000", "0", "rows"),
        ('"mean": 0.25', '"mean": -0.25', "mean"),
        ('"spread": 0.5', '"spread": NaN', "spread"),
        ('"y"', '"z"', "other features"),
        ('"rows"', '"row"', "row"),
    ],
)
def test_a_damaged_file_is_refused_with_advice(tmp_path: Path, old: str, new: str, what: str) -> None:
    text = attribution_file.dumps(KEPT)
    assert old in text
    (tmp_path / ATTRIBUTIONS_FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(BundleError, match=rf"{ATTRIBUTIONS_FILE}.*{what}.*bundle create"):
        attribution_file.read(tmp_path, ["x", "y"])
