from __future__ import annotations

import pytest
from driftgauge.predictions.pages import cursor_of, cursor_text, read_page
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import Cursor
from driftgauge.predictions.store import PredictionStore
from hypothesis import given
from hypothesis import strategies as st

from tests.predictions.logs import model, rows

INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(INTEGERS, INTEGERS)
def test_a_cursor_survives_its_text(time: int, seq: int) -> None:
    assert cursor_of(cursor_text(Cursor(time, seq))) == Cursor(time, seq)


@pytest.mark.parametrize("text", ["", "A", "é", "back", "AAYKJBgzQAAAAAAAAAAABw==", "AAYKJBgzQAAAAAAAAAAABx", "A" * 44])
def test_another_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="is no cursor"):
        cursor_of(text)


@pytest.mark.parametrize("size", [1, 3, 10, 11])
def test_pages_hold_every_prediction_once(store: PredictionStore, size: int) -> None:
    version = store.register(model())
    for row in range(5):
        store.write([rows(version, [f"a{row}", f"b{row}"])])  # the same two times
    found: list[str] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        page = read_page(store, Selection("m", after=after), size, with_labels=False)
        assert len(page.predictions) <= size
        found += [row["prediction_id"] for row in page.predictions]
        after, pages = page.after, pages + 1
    assert found == [f"a{row}" for row in range(5)] + [f"b{row}" for row in range(5)]
    assert pages == -(-10 // size)


def test_an_empty_log_has_an_empty_page(store: PredictionStore) -> None:
    assert read_page(store, Selection("m"), 5, with_labels=True).predictions == ()
