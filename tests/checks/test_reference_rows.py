from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.reference import Reference, reference_of
from driftgauge.checks.reference_rows import kept_rows, reference_rows
from driftgauge.errors import CheckError, TableError
from driftgauge.models.creation.baseline import BaselineOptions, baseline_and_beside
from driftgauge.models.creation.create import create_bundle

from tests.examples import TARGET, Example

BYTES = 1 << 20
MOST = 10_000


def test_the_model_predicts_scores_that_the_table_lacks(text: Example) -> None:
    found = reference_rows(text.evaluation, reference_of(text.folder), MOST, BYTES)
    assert found.baseline.names == text.bundle.baseline.names
    assert found.remarks == ("predicted by the bundle's model, because the reference lacks it: prediction",)
    np.testing.assert_allclose(found.values[:, -1], text.estimator.predict_proba(text.held_out)[:, 1])
    np.testing.assert_allclose(found.values[:, 0], text.evaluation["radius"])


def test_without_a_model_scores_are_left_out(text: Example) -> None:
    found = reference_rows(text.evaluation, reference_of(text.bundle.baseline), MOST, BYTES)
    assert found.baseline.names == ("radius", "shape", "smooth")
    assert found.values.shape == (len(text.evaluation), 3)
    assert found.remarks == ("left out, because the reference lacks it: prediction",)


def test_scores_of_the_table_are_used_as_they_are(text: Example) -> None:
    scored = text.evaluation.assign(prediction=0.25)
    found = reference_rows(scored, reference_of(text.folder), MOST, BYTES)
    assert (set(found.values[:, -1].tolist()), found.remarks) == ({0.25}, ())


def test_a_model_that_cannot_be_loaded_is_a_remark(text: Example, tmp_path: Path) -> None:
    shutil.copytree(text.folder, tmp_path / "text")
    next((tmp_path / "text").glob("*.skops")).write_bytes(b"damaged")
    found = reference_rows(text.evaluation, reference_of(tmp_path / "text"), MOST, BYTES)
    assert found.baseline.names == ("radius", "shape", "smooth")
    assert found.remarks[0] == "left out, because the reference lacks it: prediction"
    assert found.remarks[1].startswith("the bundle's model is not used: ")


def test_a_table_without_a_feature_is_refused(text: Example) -> None:
    with pytest.raises(TableError, match="shape"):
        reference_rows(text.evaluation.drop(columns="shape"), reference_of(text.bundle.baseline), MOST, BYTES)


KEPT = 100


def keeping(example: Example, out: Path, without: Sequence[str] = ()) -> Reference:
    """Make the bundle of an example again, with rows of its reference."""
    options = BaselineOptions(keep_rows=KEPT, keep_without=tuple(without))
    create_bundle(example.estimator, example.reference, TARGET, name="kept", version="1", out=out, options=options)
    return reference_of(out)


def test_kept_rows_have_the_scores_of_the_model(text: Example, tmp_path: Path) -> None:
    found = kept_rows(keeping(text, tmp_path / "kept"), BYTES)
    assert (found.baseline.names, found.values.shape) == (("radius", "shape", "smooth", "prediction"), (KEPT, 4))
    shapes = found.baseline.columns[1].bins.categories
    rows = pd.DataFrame(
        {
            "radius": found.values[:, 0],
            "shape": [shapes[code] for code in found.values[:, 1].astype(np.int64).tolist()],
            "smooth": found.values[:, 2] == 1.0,
        }
    )
    np.testing.assert_allclose(found.values[:, -1], text.estimator.predict_proba(rows)[:, 1])


def test_columns_that_are_not_kept_are_left_out_with_the_scores(text: Example, tmp_path: Path) -> None:
    found = kept_rows(keeping(text, tmp_path / "kept", without=["shape"]), BYTES)
    assert found.baseline.names == ("radius", "smooth")
    assert found.remarks == (
        "left out, because the kept rows do not have it: shape",
        "left out, because the reference lacks it: prediction",
    )


def test_free_texts_are_kept_by_their_length() -> None:
    table = pd.DataFrame({"size": np.arange(500.0), "note": ["a" * (row % 90) + str(row) for row in range(500)]})
    built = baseline_and_beside(table, BaselineOptions(keep_rows=KEPT, kinds={"note": "text"}))
    found = kept_rows(Reference(built.baseline, kept=lambda: built.sample), BYTES)
    assert found.baseline.names == ("size", "note")
    notes = dict(zip(table["size"], table["note"].str.len(), strict=True))
    assert [notes[size] for size in found.values[:, 0].tolist()] == found.values[:, 1].tolist()


def test_without_kept_rows_a_table_is_asked_for(text: Example) -> None:
    with pytest.raises(CheckError, match=r"name a table of it \(--reference TABLE\), or build the baseline again"):
        kept_rows(reference_of(text.folder), BYTES)
