from __future__ import annotations

import pytest
from driftgauge.common.quoting import NAMED, NAMED_BYTES, bounded_name, listed, named, shortened
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["Size, cm", "", "x"], '"Size, cm", one without a name, x'),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        ([f"x{i}" for i in range(1_000)], "x0, x1, x2 and 997 more"),
        (["x" * 41], "x" * 39 + "…"),
        (["💧" * 40, "💧" * 10, "a"], f"{'💧' * 40} and 2 more"),
    ],
)
def test_three_names_are_listed_and_the_others_counted(names: list[str], text: str) -> None:
    assert named(names) == named(iter(names)) == text


@given(st.lists(st.text(), max_size=10))
def test_names_take_two_hundred_bytes_at_most(names: list[str]) -> None:
    text = named(names)
    listed, separator, more = text.rpartition(" and ")
    if not (separator and more.endswith(" more")):
        listed = text
    assert len(listed.encode("utf-8", "replace")) <= NAMED_BYTES
    assert len(names) <= NAMED or text.endswith(" more")
    assert all(shortened(name) in text for name in names[:1])


@given(st.text(max_size=300) | st.integers(100, 10_000).map(lambda count: "💧x" * count))
def test_the_name_of_a_feature_is_whole_unless_it_is_too_long(name: str) -> None:
    text, size = bounded_name(name), len(name.encode("utf-8", "replace"))
    assert len(text.encode("utf-8", "replace")) <= NAMED_BYTES
    assert text == name if size <= NAMED_BYTES else name.startswith(text.removesuffix("…"))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""),
        (3, "c0, c1, c2"),
        (20, ", ".join(f"c{place}" for place in range(20))),
        (21, ", ".join(f"c{place}" for place in range(20)) + " and 1 more"),
        (2_000, ", ".join(f"c{place}" for place in range(20)) + " and 1,980 more"),
    ],
)
def test_of_many_columns_the_first_are_listed(count: int, text: str) -> None:
    assert listed([f"c{place}" for place in range(count)]) == text
