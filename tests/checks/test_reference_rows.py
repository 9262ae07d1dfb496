from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from driftgauge.checks.reference import reference_of
from driftgauge.checks.reference_rows import reference_rows
from driftgauge.errors import TableError

from tests.examples import Example

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
