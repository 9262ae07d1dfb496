from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftgauge.cli.log_files import ParquetFile
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import ClassLabel, LoggedFeature, LoggedModel, PredictionBatch
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import model, rows

KINDS = (
    LoggedFeature("score", "numeric"),
    LoggedFeature("colour", "categorical", ("red", '"missing"', "other", "unseen", "missing")),
    LoggedFeature("comment", "text"),
    LoggedFeature("owner", "hashed"),
)
VALUES = np.array([[0.5, 0, 3, 123_456_789_012], [np.nan, 4, np.nan, np.nan], [1.5, 1, 0, 7]])


GIVEN = np.array([[0.5, 0.25, 0.25], [np.nan] * 3, [0.0, 1.0, 0.0]])


def read(folder: Path, *own: LoggedModel) -> PredictionBatch:
    """Return the predictions of versions that have these features, three of each."""
    store = PredictionStore.open(folder)
    for place, version in enumerate(own):
        number = store.register(version)
        features = VALUES[:, : len(version.features)]
        store.write([replace(rows(number, [f"{place}.{row}" for row in range(3)]), features=features)])
    (batch,) = store.read(Selection("m"))
    store.close()
    return batch


def written(batch: PredictionBatch, *versions: LoggedModel) -> tuple[pa.Table, int]:
    out = io.BytesIO()
    file = ParquetFile(out, versions, (), with_labels=False)
    count = file.write(batch, None)
    file.close()
    return pq.read_table(io.BytesIO(out.getvalue())), count


def test_each_kind_of_feature_has_its_type_and_missing_values_are_null(tmp_path: Path) -> None:
    own = replace(model(), features=KINDS)
    table, _ = written(read(tmp_path, own), own)
    assert table["feature.score"].to_pylist() == [0.5, None, 1.5]
    assert table["colour"].to_pylist() == ["red", None, '"missing"']
    assert table["comment"].to_pylist() == [3, None, 0]
    assert table["owner"].to_pylist() == [123_456_789_012, None, 7]
    assert table["score"].type == pa.float64()


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("no", "yes"), pa.string()),
        ((0, 1), pa.int64()),
        ((False, True), pa.bool_()),
        ((0.5, 1.5), pa.float64()),
        ((0, "one"), pa.string()),
        ((), pa.float64()),
    ],
)
def test_answers_have_the_type_of_the_classes(
    tmp_path: Path, classes: tuple[ClassLabel, ...], expected: pa.DataType
) -> None:
    own = replace(model(), classes=classes)
    batch = read(tmp_path, own)
    table, _ = written(batch, own)
    assert table["prediction"].type == expected
    said = table["prediction"].to_pylist()
    if classes:
        assert said == [
            str(classes[int(value)]) if expected == pa.string() else classes[int(value)]
            for value in batch.predictions.tolist()
        ]
    else:
        assert said == batch.scores.tolist()


def test_a_feature_that_is_a_category_in_one_version_is_text(tmp_path: Path) -> None:
    old = replace(model(), features=(LoggedFeature("a", "numeric"),))
    new = replace(model(version="2"), features=(LoggedFeature("a", "categorical", ("0", "1", "2", "3", "missing")),))
    batch = read(tmp_path, old)
    table, _ = written(batch, old, new)
    assert table["a"].to_pylist() == ["0.5", None, "1.5"]


def test_predictions_of_a_version_that_came_later_are_left_out(tmp_path: Path) -> None:
    old, new = model(), model(version="2", features=2)
    table, count = written(read(tmp_path, old, new), old)
    assert count == 3
    assert set(table["model_version"].to_pylist()) == {"1"}


def test_probabilities_have_a_column_for_each_class_of_all_versions(tmp_path: Path) -> None:
    old = replace(model(features=2), classes=("a", "b", "c"))
    new = replace(model(version="2", features=1), classes=("c", "d", "a"))
    batch = replace(read(tmp_path, old, new), probabilities={1: GIVEN, 2: GIVEN[[1, 0, 2]]})
    table, _ = written(batch, old, new)
    own = {name: table[f"probability.{name}"].to_pylist() for name in "abcd"}
    rows = dict(zip(table["prediction_id"].to_pylist(), zip(*own.values(), strict=True), strict=True))
    assert rows["0.0"] == (0.5, 0.25, 0.25, None)
    assert rows["0.1"] == (None, None, None, None)
    assert rows["1.1"] == (0.25, None, 0.5, 0.25)
    assert table["probability.a"].type == pa.float32()


def test_two_classes_have_no_columns_of_probabilities(tmp_path: Path) -> None:
    table, _ = written(read(tmp_path, model()), model())
    assert not [name for name in table.column_names if name.startswith("probability")]
