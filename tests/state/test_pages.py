from __future__ import annotations

import numpy as np
import pytest
from driftgauge.common.layout import Field, Layout, WordArray
from driftgauge.drift.windows.buckets import NEVER
from driftgauge.state.failpoints import no_failpoint
from driftgauge.state.pages import Page, Pages, PageTable, page_field

LAYOUT = Layout([Field("counts", "u4", (3,)), Field("mean", "f8", ())])
PAGES = 4


def _words() -> WordArray:
    field = page_field("pages", PAGES, LAYOUT)
    return np.zeros(field.shape, field.dtype)


def _page(number: int, first: int) -> Page:
    return number, {"counts": [first, first + 1, first + 2], "mean": first / 4}


def test_pages_are_read_as_they_were_written() -> None:
    pages = Pages(LAYOUT, _words(), no_failpoint)
    table = pages.written(PageTable.start(PAGES), {1: _page(7, 10), 3: _page(9, 20)})
    assert table.numbers.tolist() == [NEVER, 7, NEVER, 9]
    words, whole = pages.words(table, np.array([3, 1]))
    assert whole.all()
    for own, first in zip(words, (20, 10), strict=True):
        arrays = LAYOUT.arrays(np.ascontiguousarray(own))
        assert (arrays["counts"].tolist(), float(arrays["mean"])) == ([first, first + 1, first + 2], first / 4)


def test_until_a_table_is_kept_the_one_before_finds_its_pages() -> None:
    pages = Pages(LAYOUT, _words(), no_failpoint)
    before = pages.written(PageTable.start(PAGES), {1: _page(7, 10)})
    after = pages.written(before, {1: _page(8, 30)})
    for table, first in ((before, 10), (after, 30)):
        words, whole = pages.words(table, np.array([1]))
        assert whole.tolist() == [True]
        assert LAYOUT.arrays(np.ascontiguousarray(words[0]))["counts"][0] == first
    assert before.numbers.tolist() == [NEVER, 7, NEVER, NEVER]


@pytest.mark.parametrize("word", range(LAYOUT.words))
def test_a_damaged_page_is_left_out_alone(word: int) -> None:
    buffer = _words()
    pages = Pages(LAYOUT, buffer, no_failpoint)
    table = pages.written(PageTable.start(PAGES), {0: _page(1, 10), 1: _page(2, 20)})
    buffer[table.copy[0], 0, word] ^= np.uint64(1)
    words, whole = pages.words(table, np.array([0, 1]))
    assert whole.tolist() == [False, True]
    assert LAYOUT.arrays(np.ascontiguousarray(words[0]))["counts"].tolist() == [20, 21, 22]


def test_a_table_without_some_pages_keeps_the_others() -> None:
    table = Pages(LAYOUT, _words(), no_failpoint).written(PageTable.start(PAGES), {0: _page(1, 0), 2: _page(2, 0)})
    assert table.without(np.array([0])).numbers.tolist() == [NEVER, NEVER, 2, NEVER]
    assert table.without(slice(None)).numbers.tolist() == [NEVER] * PAGES
    assert table.numbers.tolist() == [1, NEVER, 2, NEVER]
