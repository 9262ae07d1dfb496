from __future__ import annotations

import pytest
from driftgauge.drift.verdict.numbers import apart, percent, short, two_decimals
from hypothesis import assume, given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00"),
        (0.004, "0.004"),
        (0.005, "0.01"),
        (0.1, "0.10"),
        (9.994, "9.99"),
        (10.84, "10.8"),
        (123456.0, "123456"),
    ],
)
def test_a_psi_has_two_decimals(value: float, words: str) -> None:
    assert two_decimals(value) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.375, "38 %"),
        (0.1, "10 %"),
        (0.0999, "10 %"),
        (0.0996, "10 %"),
        (0.0994, "9.9 %"),
        (0.025, "2.5 %"),
        (0.01, "1 %"),
        (0.0012, "0.12 %"),
        (0.00001, "0.001 %"),
        (0.0000012, "0.00012 %"),
    ],
)
def test_a_share_as_a_percentage(share: float, words: str) -> None:
    assert percent(share) == words


@given(st.floats(0.0, 1.0))
def test_a_percentage_is_within_five_percent_of_the_share(share: float) -> None:
    assert float(percent(share).removesuffix(" %")) / 100 == pytest.approx(share, rel=0.05, abs=1e-300)


@given(st.floats(1e-9, 1e2))
def test_a_short_number_is_within_half_a_percent(value: float) -> None:
    assert float(short(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "1"),
        (17.03, "17"),
        (999.4, "999"),
        (999.6, "1,000"),
        (1_000.0, "1,000"),
        (11_585.2, "11,585"),
        (1e-9, "1e-09"),
    ],
)
def test_a_short_number_has_no_exponent_where_people_read_it(value: float, said: str) -> None:
    assert short(value) == said


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ((67.234, 48.012), ("67", "48")),
        ((2.2, 2.0), ("2.20", "2.00")),
        ((51_234.5, 48_000.0), ("51,234", "48,000")),
        ((-0.1, 0.05), ("-0.10", "0.05")),
        ((1e15, 2e15), ("1e+15", "2e+15")),
        ((1e-9, 3e-9), ("1e-09", "3e-09")),
        ((5.0, 5.0), ("5", "5")),
    ],
)
def test_two_numbers_have_the_digits_of_their_difference(pair: tuple[float, float], words: tuple[str, str]) -> None:
    assert apart(*pair) == words


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_the_difference_of_two_numbers_can_be_read(first: float, second: float) -> None:
    assume(abs(first - second) > 1e-5)
    said = [float(text.replace(",", "")) for text in apart(first, second)]
    assert said[0] - said[1] == pytest.approx(first - second, rel=0.11)
