from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from driftgauge.edges.formats.ingest.numpy_text import read_array
from driftgauge.errors import Reason, Refused
from hypothesis import given
from hypothesis import strategies as st

FLOATS = st.floats(width=32) | st.floats() | st.integers(-9, 9).map(float)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 40))


def plain(value: Any) -> Any:
    """Return nested lists with None for NaN."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@given(SHAPES.flatmap(lambda shape: st.lists(FLOATS, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])))
def test_a_printed_list_of_numbers_is_read_back(values: list[float]) -> None:
    printed = np.array2string(np.array(values), threshold=10_000, floatmode="unique")
    assert plain(read_array(printed)) == plain(values)


@given(SHAPES, st.randoms(use_true_random=False))
def test_a_printed_table_is_read_back_as_numpy_prints_it(shape: tuple[int, int], random: Any) -> None:
    table = np.array([[random.gauss(0, 10 ** random.randint(-4, 4)) for _ in range(shape[1])] for _ in range(shape[0])])
    printed = str(table)
    tokens = printed.replace("[", " ").replace("]", " ").split()
    assert np.array(read_array(printed)).tolist() == np.array(tokens, dtype=float).reshape(shape).tolist()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[[ 0  0  0 18]]", [[0, 0, 0, 18]]),
        ("[2 0]", [2, 0]),
        ("[0]", [0]),
        ("2", 2),
        ("2.", 2.0),
        ("[1. 2.e+10 3.]", [1.0, 2e10, 3.0]),
        ("[[4.9 3.  1.4 0.2]]", [[4.9, 3.0, 1.4, 0.2]]),
        ("[[5.1, 3.5], [1, 2]]", [[5.1, 3.5], [1, 2]]),
        ("[ True False]", [True, False]),
        ("['a' \"it's\" None nan]", ["a", "it's", None, None]),
        ("[['a b' 1.5]\n ['c,d' 2]]", [["a b", 1.5], ["c,d", 2.0]]),
        ('["a b" "c"]', ["a b", "c"]),
        ("[]", []),
    ],
)
def test_what_numpy_prints_is_read(text: str, found: Any) -> None:
    assert plain(read_array(text)) == found


@pytest.mark.parametrize(
    "text",
    ["", "[1 2", "1 2]", "[1 2] [3]", "[[[1]]]]", "[[[[1.0j]]]]", "[1_0]", "[one two]", "['a]", "[1 -- 2]", "[1.0j]"],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_array(text)
    assert caught.value.reason == Reason.UNKNOWN_SHAPE


def test_an_array_that_numpy_has_shortened_is_refused_with_advice() -> None:
    with pytest.raises(Refused, match="tolist"):
        read_array(str(np.zeros((2, 800))))
