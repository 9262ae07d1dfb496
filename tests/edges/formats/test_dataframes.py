from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.predict_json import PredictRequest, read_request
from driftgauge.errors import Reason, Refused
from hypothesis import given
from hypothesis import strategies as st

from tests.edges.formats.test_features import DECODER, STRICT

MAX_ROWS = 5


def read(split: Any, decoder: FeatureDecoder = DECODER, **more: Any) -> PredictRequest:
    return read_request(json.dumps({"dataframe_split": split, **more}).encode(), decoder, MAX_ROWS)


def refused(split: Any, decoder: FeatureDecoder = DECODER) -> Refused:
    with pytest.raises(Refused) as caught:
        read(split, decoder)
    return caught.value


@given(
    st.permutations(["size", "shape", "flag"]),
    st.lists(
        st.tuples(st.floats(-1e9, 1e9) | st.none(), st.sampled_from(["round", "flat", None]), st.booleans()),
        min_size=1,
        max_size=MAX_ROWS,
    ),
)
def test_a_table_of_pandas_is_read_as_its_rows_by_name(order: list[str], rows: list[tuple[Any, ...]]) -> None:
    table = pd.DataFrame(rows, columns=["size", "shape", "flag"], dtype=object)[order]
    records = [dict(zip(["size", "shape", "flag"], row, strict=True)) for row in rows]
    expected = DECODER.decode(records)
    ways: list[tuple[Any, Callable[[str], str]]] = [
        ("split", lambda text: f'{{"dataframe_split": {text}}}'),
        ("records", lambda text: f'{{"dataframe_records": {text}}}'),
        ("records", str),
    ]
    for orient, body in ways:
        sent = body(table.to_json(orient=orient, double_precision=15))
        batch = read_request(sent.encode(), DECODER, MAX_ROWS).batch
        assert np.allclose(batch.cells[:, [0, 2]], expected.cells[:, [0, 2]], rtol=1e-12, atol=1e-12, equal_nan=True)
        assert list(batch.texts[1]) == list(expected.texts[1])


def test_a_column_that_is_not_there_is_missing_where_the_model_takes_that() -> None:
    assert np.isnan(read({"columns": ["shape"], "data": [["flat"]]}).batch.cells[0, [0, 2]]).all()
    error = refused({"columns": ["shape", "size"], "data": [["flat", 1]]}, STRICT)
    assert error.reason is Reason.MISSING_FEATURE
    assert error.detail == {"field": "flag", "row": 0}


def test_ids_and_times_come_beside_it() -> None:
    sent = {"columns": ["size"], "data": [[1], [2]]}
    request = read(sent, prediction_ids=["a", "b"], timestamps=[1, 2])
    assert request.ids == ["a", "b"]
    assert request.event is not None
    assert request.event.tolist() == [1.0, 2.0]
    with pytest.raises(Refused, match="one entry for each of the 2 rows"):
        read(sent, prediction_ids=["a"])


@pytest.mark.parametrize(
    ("split", "reason", "detail"),
    [
        (None, Reason.WRONG_TYPE, {}),
        ([[1]], Reason.WRONG_TYPE, {}),
        ({}, Reason.WRONG_TYPE, {}),
        ({"columns": ["size"]}, Reason.WRONG_TYPE, {}),
        ({"columns": ["size"], "data": {"0": 1}}, Reason.WRONG_TYPE, {}),
        ({"columns": "size", "data": [[1]]}, Reason.WRONG_TYPE, {}),
        ({"columns": [1], "data": [[1]]}, Reason.WRONG_TYPE, {}),
        ({"data": [[1]]}, Reason.WRONG_TYPE, {}),
        ({"columns": ["size", "size"], "data": [[1, 2]]}, Reason.UNKNOWN_SHAPE, {}),
        ({"columns": ["size"], "data": [[1]], "dtype": "float"}, Reason.UNKNOWN_SHAPE, {}),
        ({"columns": ["size"], "data": [{"size": 1}]}, Reason.WRONG_TYPE, {"row": 0}),
        ({"columns": ["size"], "data": [[1], [1, 2]]}, Reason.WRONG_FEATURE_COUNT,
         {"row": 1, "expected": 1, "given": 2}),
        ({"columns": ["size"], "data": []}, Reason.EMPTY_BATCH, {}),
        ({"columns": ["size"], "data": [[1]] * (MAX_ROWS + 1)}, Reason.TOO_MANY_ROWS, {"limit": 5, "given": 6}),
    ],
)  # fmt: skip
def test_what_is_no_such_table_is_refused(split: Any, reason: Reason, detail: dict[str, Any]) -> None:
    error = refused(split)
    assert error.reason is reason
    assert error.detail == {"field": "dataframe_split", **detail}


def test_what_is_wrong_with_its_cells_names_the_feature_and_the_row() -> None:
    error = refused({"columns": ["sise"], "data": [[1], [2]]})
    assert (error.reason, error.detail["field"]) == (Reason.UNKNOWN_FEATURE, "sise")
    assert (error.violations, error.rows) == ({"extra_columns": 2}, 2)
    error = refused({"columns": ["shape", "size"], "data": [["flat", 1], ["flat", "1"]]})
    assert (error.reason, error.detail) == (Reason.WRONG_TYPE, {"field": "size", "row": 1})
    assert refused({"columns": [], "data": [[]]}).reason is Reason.MISSING_FEATURE
