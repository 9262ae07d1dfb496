from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from driftgauge.drift.bins import MISSING, UNSEEN, FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.edges.formats.rows.cells import CategoryCells
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.errors import Reason, Refused
from driftgauge.models.predictor import Predictor
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.examples import Example
from tests.monitors import small_baseline

READER = RowReader(small_baseline())
CITY = small_baseline().bins[2]


def numbers(columns: int = 3, *, score: bool = True) -> Baseline:
    generator = np.random.default_rng(3)
    table = {f"f{i}": generator.normal(size=500) for i in range(columns)}
    return build_baseline({**table, **({"prediction": generator.random(500)} if score else {})}, created="2026")


def same(left: FloatArray, right: FloatArray) -> bool:
    return left.shape == right.shape and np.array_equal(left, right, equal_nan=True)


@pytest.mark.parametrize("name", ["binary", "tolerant", "multiclass", "regression", "text", "category", "coded"])
def test_rows_are_read_as_the_server_reads_them(name: str, request: pytest.FixtureRequest) -> None:
    example: Example = request.getfixturevalue(name)
    rows = example.rows(40)
    answered = Predictor(example.bundle).predict(example.batch(rows))
    classes = {"prediction_class": list(answered.labels)} if example.bundle.info.task == "multiclass" else {}
    reader = RowReader(example.bundle.baseline)
    read = reader.read(rows, answered.scores, **classes)
    assert same(read, answered.columns)
    one = {"prediction_class": answered.labels[7]} if classes else {}
    quick = reader.row(rows[7], float(answered.scores[7]), **one)
    assert quick is None or same(quick, answered.columns[7])
    assert same(reader.read(rows[7], float(answered.scores[7]), **one), answered.columns[7:8])


SHAPES: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "list of dicts": lambda c: [dict(zip(c, row, strict=True)) for row in zip(*c.values(), strict=True)],
    "list of lists": lambda c: [list(row) for row in zip(*c.values(), strict=True)],
    "tuple of tuples": lambda c: tuple(zip(*c.values(), strict=True)),
    "pandas": pd.DataFrame,
    "pandas with other types": lambda c: pd.DataFrame(c).convert_dtypes().astype({"city": "category"}),
    "pandas in another order": lambda c: pd.DataFrame(c)[["city", "flag", "age"]],
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "pyarrow in one piece": lambda c: pa.RecordBatch.from_pydict(c),
    "list of series": lambda c: [row for _, row in pd.DataFrame(c, dtype=object).iterrows()],
    "object array": lambda c: pd.DataFrame(c).to_numpy(),
    "structured array": lambda c: pd.DataFrame(c).to_records(index=False),
}


class Tensor:
    """An array of a library that the monitor does not know, on a device where numpy may not reach it."""

    def __init__(self, values: list[Any], *, is_near: bool = True) -> None:
        self.values, self.is_near = values, is_near

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if not self.is_near:
            raise TypeError("move it to the CPU first")
        return np.array(self.values, dtype=dtype or float)


def masked(values: Any, mask: Any) -> Any:
    return np.ma.masked_array(np.asarray(values), np.asarray(mask, dtype=bool))


def test_an_integer_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(Refused, match="city: this int cannot be written as text"):
        READER.read({"age": 1, "flag": 0, "city": 10**5_000}, 0.5)


def test_a_tensor_out_of_reach_is_refused_by_its_type() -> None:
    with pytest.raises(Refused, match="prediction: expected a number or None, got Tensor"):
        READER.read({"age": 1, "flag": 0, "city": "a"}, Tensor([0.5], is_near=False))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Decimal("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (np.array(2.5), 2.5),
        (pa.scalar(3.5), 3.5),
        (np.float16(1.5), 1.5),
        (np.uint64(2**64 - 1), 2.0**64),
        (Decimal("NaN"), math.nan),
        (np.ma.masked, math.nan),
        (-0.0, -0.0),
        (5e-324, 5e-324),
    ],
)
def test_numbers_of_other_types_are_numbers_both_ways(value: Any, number: float) -> None:
    row = {"age": value, "flag": 1, "city": "north"}
    expected = np.array([[number, 1.0, CITY.category_code("north"), number]])
    quick = READER.row(row, value)
    assert quick is None or same(quick[np.newaxis], expected)
    assert same(READER.read(row, value), expected)
    assert same(RowReader(numbers()).read(np.zeros(3), value)[:, -1], expected[:, -1])


def test_masked_values_are_missing() -> None:
    mask = [[0, 1, 0], [0, 0, 0]]
    for kind in (float, int):
        read = RowReader(numbers()).read(masked(np.ones((2, 3), kind), mask), [0.5, 0.5])
        assert same(read, np.array([[1.0, math.nan, 1.0, 0.5], [1.0, 1.0, 1.0, 0.5]]))
    read = RowReader(numbers()).read(np.zeros((2, 3)), masked([0.5, 0.5], [1, 0]))
    assert same(read[:, -1], np.array([math.nan, 0.5]))


def test_numbers_whose_sum_is_too_large_are_read_without_a_warning() -> None:
    rows = np.full((2, 3), 1e308)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(RowReader(numbers()).read(rows, [0.5, 0.5])[:, :3], rows)
        with pytest.raises(Refused, match="f0: inf is not a finite number"):
            RowReader(numbers()).read(np.array([[math.inf, -math.inf, 0.0]]), [0.5])
        with pytest.raises(Refused, match="prediction: inf is not a finite number"):
            RowReader(numbers()).read(np.zeros(3), 10**400)
        assert RowReader(numbers()).row(np.zeros(3), 10**400) is None


def test_a_class_is_never_taken_for_the_score() -> None:
    row = {"age": 1.0, "flag": 0, "city": "north"}
    assert READER.row(row, None, 0.5) is None
    with pytest.raises(Refused, match="prediction is missing"):
        READER.read(row, None, 0.5)


def test_columns_are_named_by_numbers_too() -> None:
    baseline = build_baseline({"0": np.arange(50.0), "1": np.arange(50.0)}, created="2026")
    read = RowReader(baseline).read(pd.DataFrame([[1.0, 2.0]]))
    assert read.tolist() == [[1.0, 2.0]]


def test_what_only_equals_a_category_is_no_category_of_the_short_way() -> None:
    reader = RowReader(build_baseline({"c": Categories(np.repeat([0, 1], 50), ("1", "true"))}, created="2026"))
    assert reader.read([{"c": 1}]).tolist() == [[0.0]]
    for value, code in ((np.True_, 1.0), (1.0, 0.0), (1, 0.0)):
        quick = reader.row({"c": value}, None)
        assert quick is None or quick.tolist() == [code]
        assert reader.read({"c": value}).tolist() == [[code]]
    assert reader.row({"c": Decimal(1)}, None) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_rows_are_the_same_in_every_shape(shape: str) -> None:
    columns: dict[str, list[Any]] = {
        "age": [41.5, None, 1e300, -3.0],
        "flag": [1, 0, 1, 1],
        "city": ["north", "nowhere", None, "hamlet"],
    }
    expected = np.array(
        [
            [41.5, 1.0, CITY.category_code("north"), 0.1],
            [math.nan, 0.0, CITY.special[UNSEEN], 0.2],
            [1e300, 1.0, math.nan, 0.3],
            [-3.0, 1.0, CITY.category_code("hamlet"), math.nan],
        ]
    )
    scores: list[float | None] = [0.1, 0.2, 0.3, None]
    for given_scores in (
        scores,
        tuple(scores),
        np.array(scores, dtype=float),
        np.array(scores, dtype=float).reshape(4, 1),
        masked([0.1, 0.2, 0.3, 9.0], [0, 0, 0, 1]),
        pd.Series(scores, index=[3, 2, 1, 0]),
        pd.DataFrame({"score": scores}),
        pa.array(scores),
        Tensor(scores),
    ):
        assert same(READER.read(SHAPES[shape](columns), given_scores), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, np.bool_])
def test_arrays_of_numbers_hold_the_features_or_all_columns(dtype: Any) -> None:
    reader = RowReader(numbers())
    rows = np.arange(12).reshape(4, 3).astype(dtype)
    scores = np.array([0.5, 0.25, 0.125, 1.0])
    expected = np.column_stack([rows.astype(np.float64), scores])
    assert same(reader.read(rows, scores), expected)
    assert same(reader.read(rows, scores.tolist()), expected)
    assert same(reader.read(rows[1], 0.25), expected[1:2])
    assert same(reader.read(expected), expected)
    assert same(reader.read(expected[2]), expected[2:3])
    assert reader.read(np.empty((0, 3)), []).shape == (0, 4)
    quick = reader.row(expected[2], None)
    assert quick is not None
    assert same(quick, expected[2])


def test_a_row_of_a_frame_is_a_row() -> None:
    frame = pd.DataFrame({"age": [41.0, 12.0], "flag": [1, 0], "city": ["north", "south"]})
    assert same(READER.read(frame.iloc[1], 0.5), np.array([[12.0, 0.0, CITY.category_code("south"), 0.5]]))


values = st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-(2**70), 2**70), st.booleans())
cities = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(CITY.categories), st.booleans(), st.integers(0, 3))


@settings(max_examples=examples(200))
@given(age=values, flag=values, city=cities, score=st.floats(0, 1))
def test_the_short_way_of_a_row_says_the_same_or_nothing(age: Any, flag: Any, city: Any, score: float) -> None:
    row = {"age": age, "flag": flag, "city": city}
    for _ in range(2):  # the second time it knows the category
        quick = READER.row(row, score)
        long = READER.read([row], [score])
        assert quick is None or same(quick, long[0])


def test_numbers_and_booleans_name_categories_as_the_baseline_spells_them() -> None:
    codes = np.repeat([0, 1], 50)
    for names, given_values in (
        (("True", "False"), [True, False, np.bool_(True)]),
        (("1.0", "2.0"), [1, 2.0, np.int64(1)]),
        (("true", "false"), [True, False, np.bool_(True)]),
        (("1", "true"), [1, True, 1.0]),
    ):
        baseline = build_baseline({"c": Categories(codes, names)}, created="2026")
        reader, bins = RowReader(baseline), baseline.bins[0]
        expected = [bins.category_code(names[i]) for i in (0, 1, 0)]
        for _ in range(2):
            assert reader.read([{"c": value} for value in given_values]).ravel().tolist() == expected
            singles = [reader.row({"c": v}, None) for v in given_values]
            assert all(one is None or one[0] == code for one, code in zip(singles, expected, strict=True))


def test_missing_values_of_every_library_are_missing() -> None:
    for gap in (None, math.nan, np.nan, np.float32("nan"), pd.NA, pd.NaT):
        read = READER.read([{"age": gap, "flag": 1, "city": gap}], [gap])
        assert np.isnan(read[0]).tolist() == [True, False, True, True]
        assert CITY.names[-1] == MISSING


@pytest.mark.parametrize(
    ("rows", "reason", "field", "message"),
    [
        ({"age": 1, "flag": 0, "city": "a", "agee": 1}, Reason.UNKNOWN_FEATURE, "agee", "agee is not a column"),
        ({"age": 1, "flag": 0}, Reason.MISSING_FEATURE, "city", "city is absent: give it, with None"),
        ({}, Reason.MISSING_FEATURE, "age", "age is absent"),
        ([{"age": 1, "flag": 0, "city": "a"}, {"age": 1}], Reason.MISSING_FEATURE, "flag", "flag is absent"),
        ({"age": "41", "flag": 0, "city": "a"}, Reason.WRONG_TYPE, "age", "expected a number or None, got the text"),
        ({"age": [1], "flag": 0, "city": "a"}, Reason.WRONG_TYPE, "age", "got list"),
        ({"age": 1, "flag": 0, "city": ["a"]}, Reason.WRONG_TYPE, "city", "got list"),
        ({"age": math.inf, "flag": 0, "city": "a"}, Reason.NOT_FINITE, "age", "inf is not a finite number"),
        ({"age": 10**400, "flag": 0, "city": "a"}, Reason.NOT_FINITE, "age", "inf is not a finite number"),
        ({"age": 1, "flag": 0, "city": -math.inf}, Reason.NOT_FINITE, "city", "-inf is not a finite number"),
        ([1.0, 0.0], Reason.WRONG_FEATURE_COUNT, None, "row 0 has 2 values, the baseline has 3 columns"),
        (np.zeros((2, 7)), Reason.WRONG_FEATURE_COUNT, None, "row 0 has 7 values"),
        (np.zeros((2, 2, 2)), Reason.UNKNOWN_SHAPE, "rows", "the array has shape"),
        ("text", Reason.UNKNOWN_SHAPE, "rows", "the rows are the text 'text'"),
        (7, Reason.UNKNOWN_SHAPE, "rows", "the rows are int"),
        ([[1, 0, "a"], 3], Reason.WRONG_TYPE, None, "row 1 is int"),
        (pd.DataFrame({"age": [1.0], "flag": [0.0]}), Reason.MISSING_FEATURE, "city", "city is absent"),
        (pd.DataFrame({"age": [1.0], "x": [0.0]}), Reason.UNKNOWN_FEATURE, "x", "x is not a column"),
        (
            {"age": 1, "flag": 0, "city": "a", "prediction": 1},
            Reason.UNKNOWN_FEATURE,
            "prediction",
            "is no feature: give",
        ),
        ({"age": 1, "flag": 0, "city": "\ud800"}, Reason.WRONG_TYPE, "city", "this str cannot be written as text"),
        ({"age": np.complex128(1j), "flag": 0, "city": "a"}, Reason.WRONG_TYPE, "age", "got complex128"),
        ({"age": Decimal("sNaN"), "flag": 0, "city": "a"}, Reason.WRONG_TYPE, "age", "got Decimal"),
        (defaultdict(int, {"age": 1, "flag": 0}), Reason.MISSING_FEATURE, "city", "city is absent"),
        (pd.Series([1, 0, "a", "b"], ["age", "flag", "city", "city"]), Reason.UNKNOWN_SHAPE, "city", "named city"),
        (
            pd.DataFrame([[1, 0, "a", "b"]], columns=["age", "flag", "city", "city"]),
            Reason.UNKNOWN_SHAPE,
            "city",
            "several columns are named city",
        ),
        ({0: 1}.values(), Reason.UNKNOWN_SHAPE, "rows", "the rows are dict_values"),
        (np.zeros(2, dtype=[("age", "f8"), ("x", "f8")]), Reason.UNKNOWN_FEATURE, "x", "x is not a column"),
    ],
    ids=str,
)
def test_bad_rows_have_the_servers_reason(rows: Any, reason: Reason, field: str | None, message: str) -> None:
    with pytest.raises(Refused) as caught:
        READER.read(rows, 0.5 if not isinstance(rows, list) or not isinstance(rows[0], dict) else [0.5, 0.5])
    assert caught.value.reason is reason
    assert message in caught.value.message
    assert caught.value.detail.get("field") == field


@pytest.mark.parametrize(
    ("prediction", "reason", "message"),
    [
        (None, Reason.MISSING_FEATURE, "prediction is missing, but the baseline has such a column"),
        (0.5, Reason.WRONG_FEATURE_COUNT, "prediction has one value for 2 rows"),
        ([0.5], Reason.WRONG_FEATURE_COUNT, "prediction has 1 values for 2 rows"),
        (np.zeros((2, 2)), Reason.UNKNOWN_SHAPE, "prediction has shape (2, 2): give one value for each row"),
        (np.zeros(2, complex), Reason.WRONG_TYPE, "prediction: expected a number or None, got complex"),
        ([[0.5], [0.5, 0.5]], Reason.WRONG_TYPE, "prediction: expected a number or None, got list"),
        ({0: 0.5}.values(), Reason.WRONG_FEATURE_COUNT, "prediction has one value for 2 rows"),
        (["0.5", "0.5"], Reason.WRONG_TYPE, "prediction: expected a number or None, got the text '0.5'"),
        ([0.5, math.inf], Reason.NOT_FINITE, "prediction: inf is not a finite number"),
    ],
)
def test_bad_predictions_have_the_servers_reason(prediction: Any, reason: Reason, message: str) -> None:
    for reader, rows in (
        (READER, [{"age": 1, "flag": 0, "city": "a"}] * 2),
        (RowReader(numbers()), np.zeros((2, 3))),
    ):
        with pytest.raises(Refused) as caught:
            reader.read(rows, prediction)
        assert caught.value.reason is reason
        assert message in caught.value.message


def test_an_infinite_number_in_an_array_is_named_with_its_row() -> None:
    rows = np.zeros((5, 3))
    rows[3, 1] = math.inf
    with pytest.raises(Refused, match="f1: inf is not a finite number") as caught:
        RowReader(numbers()).read(rows, np.zeros(5))
    assert caught.value.detail == {"field": "f1", "row": 3}


def test_numbers_too_large_to_square_are_numbers() -> None:
    row = {"f0": 1e200, "f1": -1e300, "f2": 0.0}
    quick = RowReader(numbers()).row(row, 0.5)
    assert quick is not None
    assert quick.tolist() == [1e200, -1e300, 0.0, 0.5]


def test_without_a_column_for_it_a_prediction_is_not_needed() -> None:
    reader = RowReader(numbers(2, score=False))
    assert reader.read({"f0": 1, "f1": 2}).tolist() == [[1.0, 2.0]]
    assert reader.read({"f0": 1, "f1": 2}, 0.7).tolist() == [[1.0, 2.0]]
    assert reader.read(np.array([[1.0, 2.0]]), [0.7]).tolist() == [[1.0, 2.0]]
    for row in ({"f0": 1, "f1": 2}, np.array([1.0, 2.0])):
        quick = reader.row(row, 0.7)
        assert quick is not None
        assert quick.tolist() == [1.0, 2.0]


def test_the_memory_for_categories_is_bounded() -> None:
    reader = RowReader(small_baseline())
    for first in range(0, 30_000, 1_000):
        cities = [f"town {i}" for i in range(first, first + 1_000)]
        reader.read({"age": 1, "flag": 0, "city": cities[0]}, 0.5)
        reader.read([{"age": 1, "flag": 0, "city": city} for city in cities], [0.5] * 1_000)
    assert max(len(codes) for codes in reader._codes if codes is not None) <= 10_000


def test_long_texts_are_not_remembered() -> None:
    cells = CategoryCells(small_baseline().columns[2])
    before = len(cells.codes)
    cells.of(["x" * 10_000, "new"])
    assert len(cells.codes) == before + 1


def test_a_frame_that_is_not_computed_is_refused() -> None:
    with pytest.raises(Refused, match="the rows are LazyFrame: give a dict by name"):
        READER.read(pl.LazyFrame({"age": [1]}), 0.5)
