from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from driftgauge.edges.web.query import Query
from hypothesis import given
from hypothesis import strategies as st

PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["feature", "q", "page", "sort", "show", "model", "range", "theme", "other"]),
        st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["2", "psi", "critical", "7d", "dark"]),
    )
)


@given(PAIRS)
def test_the_address_of_a_query_reads_back_as_the_query(pairs: list[tuple[str, str]]) -> None:
    query = Query.parse(pairs)
    assert Query.parse(parse_qsl(query.address().removeprefix("./").removeprefix("?"), keep_blank_values=True)) == query


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "²", "99999999999999999999"])
def test_a_page_that_is_no_number_is_the_first(page: str) -> None:
    assert (
        Query.parse([("page", page), ("sort", "size"), ("show", "everything"), ("range", "9y"), ("theme", "x")])
        == Query()
    )


def test_the_overview_has_the_address_of_the_page() -> None:
    assert Query().address() == "./"
    assert Query(features=("a b", "c&d")).address() == "?feature=a+b&feature=c%26d"


def test_another_address_keeps_the_model_the_range_and_the_theme() -> None:
    query = Query.parse([("model", "m"), ("range", "7d"), ("theme", "dark"), ("q", "x"), ("page", "3")])
    assert query.elsewhere(features=("a",)).address() == "?model=m&feature=a&range=7d&theme=dark"
    assert query.past_seconds == 7 * 86_400.0
