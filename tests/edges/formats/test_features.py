from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import category_name
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.predictor import Batch
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("size", "shape", "flag")


def info(*, accepts_missing: bool | Sequence[bool] = True) -> BundleInfo:
    size, shape, flag = [accepts_missing] * 3 if isinstance(accepts_missing, bool) else accepts_missing
    return BundleInfo(
        name="m",
        version="1",
        task="binary",
        features=(
            Feature(name="size", kind="numeric", accepts_missing=size),
            Feature(name="shape", kind="categorical", categories=("round", "flat"), accepts_missing=shape),
            Feature(name="flag", kind="numeric", boolean=True, accepts_missing=flag),
        ),
        classes=(0, 1),
        input="matrix",
        created="2026-01-01T00:00:00Z",
        libraries={},
    )


DECODER = FeatureDecoder(info())
STRICT = FeatureDecoder(info(accepts_missing=False))

# What orjson makes of numbers: integers within 64 bits, else floats.
json_numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
json_categories = st.text() | json_numbers
rows = st.lists(
    st.tuples(st.none() | json_numbers, st.none() | json_categories, st.none() | json_numbers).map(list), min_size=1
)


def refused(decoder: FeatureDecoder, given_rows: list[Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        decoder.decode(given_rows)
    return caught.value


@given(rows)
def test_cells_are_what_numpy_makes_of_them(values: list[list[Any]]) -> None:
    batch = DECODER.decode(values)
    expected = np.array([[row[0], row[2]] for row in values], dtype=np.float64)
    assert len(batch) == len(values)
    assert np.array_equal(batch.cells[:, [0, 2]], expected, equal_nan=True)
    assert list(batch.texts) == [1]
    assert list(batch.texts[1]) == [category_name(row[1]) for row in values]


@given(rows, st.randoms(use_true_random=False))
def test_rows_by_name_are_the_rows_in_order(values: list[list[Any]], random: Any) -> None:
    named = []
    for row in values:
        pairs = [
            (name, value) for name, value in zip(NAMES, row, strict=True) if value is not None or random.random() > 0.5
        ]
        random.shuffle(pairs)
        named.append(dict(pairs) or {"size": row[0]})  # a row without any feature is refused
    mixed = [random.choice(pair) for pair in zip(values, named, strict=True)]
    expected = DECODER.decode(values)
    for other in (DECODER.decode(named), DECODER.decode(mixed)):
        assert np.array_equal(other.cells[:, [0, 2]], expected.cells[:, [0, 2]], equal_nan=True)
        assert other.texts == expected.texts


@pytest.mark.parametrize(
    ("value", "name"),
    [("1", "1"), (1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), ("", ""), (-0.0, "0"), (None, None)],
)
def test_a_category_has_one_name_however_it_is_sent(value: Any, name: str | None) -> None:
    assert DECODER.decode([[1, value, 0]]).texts[1] == [name]


def test_a_boolean_is_a_number_for_a_numeric_feature() -> None:
    assert DECODER.decode([[True, "round", False]]).cells[0, [0, 2]].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("row", [5, "text", None, True, 1.5])
def test_a_row_that_is_neither_object_nor_list_is_refused(row: Any) -> None:
    error = refused(DECODER, [[1, "round", 0], row])
    assert error.reason is Reason.WRONG_TYPE
    assert error.detail == {"row": 1}


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_list_of_another_length_is_refused_with_the_features_names(count: int) -> None:
    error = refused(DECODER, [[1, "round", 0], [0] * count])
    assert error.reason is Reason.WRONG_FEATURE_COUNT
    assert error.detail == {"row": 1, "expected": 3, "given": count}
    assert "size, shape, flag" in error.message


def test_an_unknown_feature_is_named() -> None:
    error = refused(DECODER, [{"size": 1}, {"size": 1, "sise": 2}])
    assert error.reason is Reason.UNKNOWN_FEATURE
    assert error.detail == {"field": "sise", "row": 1}
    assert "sise" in error.message
    assert "size, shape, flag" in error.message


@pytest.mark.parametrize("value", ["3", [1], {}, "nan"])
@pytest.mark.parametrize(("place", "name"), [(0, "size"), (2, "flag")])
def test_a_number_that_is_no_number_is_refused(value: Any, place: int, name: str) -> None:
    row: list[Any] = [1, "round", 0]
    row[place] = value
    error = refused(DECODER, [[1, "round", 0], row])
    assert error.reason is Reason.WRONG_TYPE
    assert error.detail == {"field": name, "row": 1}


@pytest.mark.parametrize("value", [[1], {}, [None]])
def test_a_category_that_is_a_list_or_an_object_is_refused(value: Any) -> None:
    error = refused(DECODER, [[1, value, 0]])
    assert error.reason is Reason.WRONG_TYPE
    assert error.detail == {"field": "shape", "row": 0}


@pytest.mark.parametrize("decoder", [DECODER, STRICT])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("place", "name"), [(0, "size"), (1, "shape"), (2, "flag")])
def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(
    decoder: FeatureDecoder, value: float, place: int, name: str
) -> None:
    row: list[Any] = [1, "round", 0]
    row[place] = value
    error = refused(decoder, [[1, "round", 0], row])
    assert error.reason is Reason.NOT_FINITE
    assert error.detail == {"field": name, "row": 1}


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**4000])
def test_an_integer_beyond_every_float_is_not_finite(value: int) -> None:
    error = refused(DECODER, [[None, "round", 0], [value, "round", 0]])
    assert error.reason is Reason.NOT_FINITE
    assert error.detail == {"field": "size", "row": 1}
    assert len(error.message) < 200


def test_a_large_integer_is_the_nearest_float() -> None:
    values = [2**53 + 1, 2**64 - 1, 10**30, -(10**300)]
    cells = DECODER.decode([[value, None, 0] for value in values]).cells[:, 0]
    assert cells.tolist() == [float(value) for value in values]


@pytest.mark.parametrize(
    "row", [[None, "round", 0], {"shape": "round", "flag": 0}, {"size": None, "shape": "", "flag": 1}]
)
def test_a_missing_value_is_refused_where_the_model_takes_none(row: Any) -> None:
    error = refused(STRICT, [[1, "round", 0], row])
    assert error.reason is Reason.MISSING_FEATURE
    assert error.detail == {"field": "size", "row": 1}


def test_a_missing_category_is_refused_where_the_model_takes_none() -> None:
    assert refused(STRICT, [{"size": 1, "flag": 0}]).detail == {"field": "shape", "row": 0}


def test_a_row_without_any_feature_is_refused_even_where_the_model_takes_missing_values() -> None:
    for decoder in (DECODER, STRICT):
        error = refused(decoder, [{"size": 1, "shape": "flat", "flag": 0}, {}])
        assert error.reason is Reason.MISSING_FEATURE
        assert error.detail == {"field": "size", "row": 1}
        assert "row 1 has no feature" in error.message
    with pytest.raises(Refused, match="no feature"):
        DECODER.decode_columns({}, 1)


def test_a_row_that_says_that_all_is_missing_is_accepted_where_the_model_takes_that() -> None:
    batch = DECODER.decode([{"size": None}])
    assert np.isnan(batch.cells[0, [0, 2]]).all()
    assert batch.texts[1] == [None]


def test_of_many_features_three_are_named_and_how_many_more_there_are() -> None:
    decoder = FeatureDecoder(numeric(1_000))
    for row in ([1, 2], {"y": 1}):
        error = refused(decoder, [row])
        assert "x0, x1, x2 and 997 more (GET /metadata lists them)" in error.message
        assert len(error.message) < 200


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_missing_value_is_refused_only_for_a_feature_that_takes_none(place: int) -> None:
    decoder = FeatureDecoder(info(accepts_missing=[i != place for i in range(3)]))
    row: list[Any] = [1, "round", 0]
    for other in {0, 1, 2} - {place}:
        decoder.decode([[None if i == other else value for i, value in enumerate(row)]])
    error = refused(decoder, [row, [None, None, None]])
    assert error.reason is Reason.MISSING_FEATURE
    assert error.detail == {"field": NAMES[place], "row": 1}


@pytest.mark.parametrize("row", [{"x" * 8_000_000: 1}, ["x" * 8_000_000, "round", 0]], ids=["name", "value"])
def test_a_long_text_of_a_request_is_repeated_in_part(row: Any) -> None:
    error = refused(DECODER, [row])
    assert "x" * 39 + "…" in error.message
    assert len(error.message) + len(str(error.detail)) < 300


# ---------------------------------------------------------------- columns and matrices


def numeric(count: int, *, accepts_missing: bool = True) -> BundleInfo:
    features = tuple(Feature(name=f"x{i}", kind="numeric", accepts_missing=accepts_missing) for i in range(count))
    return info().model_copy(update={"features": features})


def same(a: Batch, b: Batch, places: Sequence[int]) -> bool:
    return a.texts == b.texts and np.array_equal(a.cells[:, places], b.cells[:, places], equal_nan=True)


@given(rows, st.data())
def test_columns_are_the_rows_turned(values: list[list[Any]], data: st.DataObject) -> None:
    columns = dict(zip(NAMES, map(list, zip(*values, strict=True)), strict=True))
    present = data.draw(st.permutations([name for name in NAMES if any(value is not None for value in columns[name])]))
    present = present or ["size"]
    batch = DECODER.decode_columns({name: columns[name] for name in present}, len(values))
    assert same(batch, DECODER.decode(values), [0, 2])
    assert same(DECODER.decode_matrix([value for row in values for value in row], len(values)), batch, [0, 2])


@given(
    st.integers(1, 4).flatmap(
        lambda count: st.lists(
            st.lists(json_numbers | st.none(), min_size=count, max_size=count)
            | st.lists(json_numbers, min_size=count, max_size=count),
            min_size=1,
        )
    )
)
def test_numbers_alone_come_out_the_same_in_every_layout(values: list[list[Any]]) -> None:
    decoder = FeatureDecoder(numeric(len(values[0])))
    expected = decoder.decode(values)
    columns = {f"x{i}": list(column) for i, column in enumerate(zip(*values, strict=True))}
    everywhere = range(len(values[0]))
    for batch in (
        decoder.decode_columns(columns, len(values)),
        decoder.decode_matrix([value for row in values for value in row], len(values)),
    ):
        assert same(batch, expected, everywhere)
        assert batch.cells.flags["C_CONTIGUOUS"]


def test_finite_numbers_whose_sum_is_not_are_numbers() -> None:
    values = [1.7e308, 1.7e308, -1.7e308, -1.7e308]
    assert FeatureDecoder(numeric(2)).decode_matrix(values, 2).cells.ravel().tolist() == values
    columns = {"x0": values, "x1": values}
    assert FeatureDecoder(numeric(2)).decode_columns(columns, 4).cells.T.tolist() == [values, values]


BAD_ROWS: list[list[list[Any]]] = [
    [[1, 2], [3, "4"]],
    [[1, 2], [[3], 4]],
    [[1, 2], [3, math.nan]],
    [[1, math.inf], [3, 4]],
    [[1, 2], [10**400, 4]],
    [[1, 2], [None, 4]],
    [[1, "2"], [None, {}]],
]


@pytest.mark.parametrize("values", BAD_ROWS, ids=str)
def test_what_is_refused_in_rows_is_refused_alike_in_columns_and_in_a_matrix(values: list[list[Any]]) -> None:
    decoder = FeatureDecoder(numeric(2, accepts_missing=False))
    expected = refused(decoder, values)
    columns = {"x0": [row[0] for row in values], "x1": [row[1] for row in values]}
    calls: list[Callable[[], Batch]] = [
        lambda: decoder.decode_columns(columns, 2),
        lambda: decoder.decode_matrix([value for row in values for value in row], 2),
    ]
    for call in calls:
        with pytest.raises(Refused) as caught:
            call()
        assert (caught.value.reason, caught.value.message, caught.value.detail) == (
            expected.reason,
            expected.message,
            expected.detail,
        )


def test_a_column_that_is_absent_is_missing_in_every_row() -> None:
    batch = FeatureDecoder(numeric(2)).decode_columns({"x0": [1.0, 2.0]}, 2)
    assert np.array_equal(batch.cells, [[1.0, math.nan], [2.0, math.nan]], equal_nan=True)
    with pytest.raises(Refused) as caught:
        FeatureDecoder(numeric(2, accepts_missing=False)).decode_columns({"x0": [1.0, 2.0]}, 2)
    assert caught.value.reason is Reason.MISSING_FEATURE
    assert caught.value.detail == {"field": "x1", "row": 0}


def test_an_absent_category_is_missing_in_every_row() -> None:
    assert DECODER.decode_columns({"size": [1, 2], "flag": [0, 1]}, 2).texts == {1: [None, None]}


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(Refused) as caught:
        DECODER.decode_columns({"size": [1], "sise": [2]}, 1)
    assert caught.value.reason is Reason.UNKNOWN_FEATURE
    assert caught.value.detail == {"field": "sise"}
    assert "size, shape, flag" in caught.value.message


# ---------------------------------------------------------------- constraints on rows as they are sent


def test_the_rows_of_a_refused_request_are_counted_by_the_constraint_that_they_violate() -> None:
    good = {"size": 1.0, "shape": "flat", "flag": True}
    sent = [good, {**good, "size": "wide"}, {**good, "colour": 1}, [1.0], {"size": math.nan, "colour": 1}, "row", good]
    assert refused(DECODER, sent).violations == {"type": 3, "extra_columns": 2, "required": 1}
    assert refused(STRICT, [good, {"size": None, "shape": "flat"}]).violations == {"required": 1}
    assert refused(DECODER, [{**good, "size": "wide"}]).violations == {"type": 1}
    assert refused(DECODER, [{**good, "size": 10**400}, good]).violations == {"type": 1}
    assert refused(DECODER, sent).rows == len(sent)


def test_the_rows_of_refused_columns_are_counted_by_the_constraint_that_they_violate() -> None:
    sizes, flags = [1.0, "wide", None, math.inf], [True, None, True, True]
    columns: dict[str, list[Any]] = {"size": sizes, "shape": ["flat"] * 4, "flag": flags}
    with pytest.raises(Refused) as of_columns:
        DECODER.decode_columns(columns, 4)
    assert (of_columns.value.violations, of_columns.value.rows) == ({"type": 2}, 4)
    with pytest.raises(Refused) as of_strict_columns:
        STRICT.decode_columns({"size": [1.0, 2.0]}, 2)
    assert (of_strict_columns.value.violations, of_strict_columns.value.rows) == ({"required": 2}, 2)
    with pytest.raises(Refused) as of_unknown_columns:
        DECODER.decode_columns({"size": [1.0, 2.0], "colour": [1, 2]}, 2)
    assert (of_unknown_columns.value.violations, of_unknown_columns.value.rows) == ({"extra_columns": 2}, 2)
    with pytest.raises(Refused) as of_matrix:
        DECODER.decode_matrix([1.0, "flat", True, "wide", "flat", True, "wide", None, 1], 3)
    assert (of_matrix.value.violations, of_matrix.value.rows) == ({"type": 2}, 3)


def test_accepted_rows_that_lack_a_required_column_are_counted() -> None:
    decoder = FeatureDecoder(info(), ("size", "shape", "not a feature"))
    whole = {"size": 1.0, "shape": None, "flag": True}
    sent = [whole, {"size": 1.0, "flag": True}, {"shape": "flat"}, {"size": 1.0, "shape": "flat"}, [1.0, "flat", True]]
    batch = decoder.decode(sent)
    assert (batch.lacking, batch.lacks) == (2, "shape")
    assert decoder.decode([whole]).lacking == 0
    assert DECODER.decode(sent).lacking == 0
