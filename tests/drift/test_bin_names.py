from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from driftgauge.drift.bin_names import interval_names, number_name, value_names
from driftgauge.drift.bins import fit_numeric
from hypothesis import given
from hypothesis import strategies as st

from tests.columns import references

NUMBER = r"-?[0-9.]+(?:e[+-][0-9]+)?"
finite = st.floats(allow_nan=False, allow_infinity=False)
crowded = st.integers(-50, 50).map(lambda steps: 12.8 + steps * math.ulp(12.8)) | finite
ascending = st.lists(crowded, min_size=2, max_size=12, unique=True).map(sorted)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_numbers_name_reads_back_as_the_number(value: float) -> None:
    assert float(number_name(value)) == value
    assert not number_name(value).endswith(".0")


@given(ascending)
def test_names_of_values_read_back_in_their_order(values: list[float]) -> None:
    read = [float(name) for name in value_names(values)]
    assert all(low < high for low, high in pairwise(read))


@given(ascending)
def test_a_rounded_value_is_nearest_to_its_own(values: list[float]) -> None:
    for place, name in enumerate(value_names(values)):
        nearest = min(range(len(values)), key=lambda i: abs(values[i] / 2.0 - float(name) / 2.0))
        assert nearest == place


@given(references)
def test_names_of_intervals_are_unique_and_their_bounds_ascend(reference: np.ndarray) -> None:
    bins = fit_numeric(reference)
    if bins.rule != "interval":
        return
    names = interval_names(bins.edges)
    assert len(set(names)) == len(names) == len(bins.edges) - 1
    bounds = [tuple(map(float, re.findall(NUMBER, name))) for name in names]
    assert all(len(own) in (1, 2) and own[0] <= own[-1] for own in bounds)
    assert all(own[-1] == following[0] or len(following) == 1 for own, following in pairwise(bounds))
    assert [own[-1] for own in bounds] == sorted(own[-1] for own in bounds)


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ((12.749, 13.4881, 14.0), ["[12.7, 13.5]", "(13.5, 14]"]),
        ((-5e-324, 12.801, 12.8049, 12.9), ["[0, 12.8]", "(12.8, 12.805]", "(12.805, 12.9]"]),
        ((3.7, 1_234_567.0, 9e15), ["[3.7, 1230000]", "(1230000, 9000000000000000]"]),
        ((0.1 + 0.2, 0.7), ["[0.3, 0.7]"]),
        ((-1e-300, 1e-300, 2e-300), ["[-1e-300, 1e-300]", "(1e-300, 2e-300]"]),
        ((), []),
        ((1.0,), []),
    ],
)
def test_an_edge_has_the_digits_that_tell_it_from_its_neighbours(edges: tuple[float, ...], names: list[str]) -> None:
    assert interval_names(edges) == names


def test_a_value_with_a_bin_of_its_own_is_named_once_on_either_side() -> None:
    below = math.nextafter(5.0, -math.inf)
    assert interval_names((math.nextafter(0.0, -math.inf), below, 5.0, 9.0)) == ["[0, 5)", "5", "(5, 9]"]
    assert interval_names((below, 5.0, math.nextafter(5.0, math.inf), 9.0)) == [
        "5",
        "5.000000000000001",
        "(5.000000000000001, 9]",
    ]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((0.0, 1.0), ["0", "1"]),
        ((2012.0, 123_456.0), ["2012", "123456"]),
        ((float(np.float32(0.1)), float(np.float32(0.7))), ["0.1", "0.7"]),
        ((0.1, math.nextafter(0.1, 1.0)), ["0.1", "0.10000000000000002"]),
        ((), []),
    ],
)
def test_a_value_is_named_without_the_noise_of_its_type(values: tuple[float, ...], names: list[str]) -> None:
    assert value_names(values) == names
