from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from driftgauge.models.bundle import Feature, Timing
from driftgauge.models.creation.sample_rows import TIMED_ROWS, measure_timing, synthetic_rows
from driftgauge.models.predictor import Batch, Predictor

from tests.examples import Example

NUMBER = Feature(name="n", kind="numeric")
LETTER = Feature(name="c", kind="categorical", categories=("a", "b", "c", "d"))
TEXT = Feature(name="t", kind="text", values="text")


def of(*columns: Sequence[float] | Sequence[str | None]) -> Batch:
    cells = np.full((len(columns[0]), len(columns)), math.nan)
    texts: dict[int, list[str | None]] = {}
    for place, column in enumerate(columns):
        if any(isinstance(value, str) for value in column):
            texts[place] = [value if isinstance(value, str) else None for value in column]
        else:
            cells[:, place] = [math.nan if value is None else float(value) for value in column]
    return Batch(cells, texts)


def test_numbers_are_values_of_the_column_at_its_quartiles() -> None:
    values = [5.0, 1.0, 2.0, 9.0, 4.0, 3.0, math.nan, math.inf, 8.0]
    rows = synthetic_rows([NUMBER], of(values))
    finite = np.array([value for value in values if math.isfinite(value)])
    expected = [np.quantile(finite, level, method="inverted_cdf") for level in (0.5, 0.25, 0.75)]
    assert [row.cells[0, 0] for row in rows] == expected


def test_categories_are_the_most_frequent_that_the_model_knows() -> None:
    names: list[str | None] = ["b", "b", "b", "a", "a", "d", "new", "new", "new", "new", None]
    assert [row.texts[0][0] for row in synthetic_rows([LETTER], of(names))] == ["b", "a", "d"]


def test_rows_that_are_the_same_are_given_once() -> None:
    assert len(synthetic_rows([NUMBER, LETTER], of([1.0] * 4, ["a"] * 4))) == 1


def test_a_column_without_a_usual_value_is_missing() -> None:
    (row,) = synthetic_rows([NUMBER, LETTER], of([math.inf, math.nan], ["new", None]))
    assert math.isnan(row.cells[0, 0])
    assert row.texts[1] == [None]


def test_a_free_text_is_made_of_words_that_many_wrote() -> None:
    texts: list[str | None] = []
    texts += [f"the red car of {name}" for name in ("Ann", "Bob", "Cid", "Dan", "Eve")]
    texts += ["the blue car"] * 5 + ["Zoe lives at 7 Elm Road"]
    rows = synthetic_rows([TEXT], of(texts))
    written = {word for row in rows for word in str(row.texts[0][0]).split()}
    assert written == {"the", "car", "red", "of", "blue"}
    assert not any(row.texts[0][0] in texts for row in rows)


def test_timing_is_the_median_of_the_clock(binary: Example) -> None:
    ticks = iter(range(1000))
    found = measure_timing(Predictor(binary.bundle), binary.bundle.info.samples, lambda: float(next(ticks)))
    assert found == Timing(one_row_seconds=1.0, rows=TIMED_ROWS, rows_seconds=1.0)


@pytest.mark.parametrize("samples", [()])
def test_without_samples_nothing_is_timed(samples: tuple[()], binary: Example) -> None:
    assert measure_timing(Predictor(binary.bundle), samples) is None
