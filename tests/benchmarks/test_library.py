"""The benchmark of the library; no time is asserted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pytest

from benchmarks.library import Cost, Found, cost, costs, costs_table
from benchmarks.library_rivals import rival_ways
from benchmarks.library_rows import CATEGORICAL, COLUMNS, Rows, Way, Work
from benchmarks.library_ways import library_ways, server_ways

NUMBERS = Rows.of(1)
MIXED = Rows.of(1, CATEGORICAL)
SECONDS = 0.001


def in_files(ways: Sequence[Way]) -> list[Way]:
    """Return the ways that keep their state in files; those in memory differ in nothing else."""
    return [way for way in ways if way.how.endswith("files")]


@contextlib.contextmanager
def failing(_: Rows) -> Iterator[Work]:
    """Open what cannot observe."""
    yield partial(int, "no number")


@pytest.mark.parametrize("way", in_files([*library_ways(categorical=False), *server_ways()]), ids=lambda way: way.how)
def test_numbers_are_observed_in_every_shape(way: Way) -> None:
    found = cost(way, NUMBERS, SECONDS)
    assert min(found.thread, found.process, found.elapsed) > 0.0


@pytest.mark.parametrize("way", in_files(library_ways(categorical=True)), ids=lambda way: way.how)
def test_categories_are_observed_in_every_shape(way: Way) -> None:
    assert cost(way, MIXED, SECONDS).thread > 0.0


def test_others_observe_the_same_rows() -> None:
    found, failed = rival_ways()
    by_name = {way.who: way for way in found}
    for name in ("prometheus_client", "textbook monitor", "FastAPI, an empty route"):
        assert cost(by_name[name], NUMBERS, SECONDS).thread > 0.0
    assert all(reason for reason in failed.values())


def test_all_shapes_hold_the_same_rows() -> None:
    assert len(NUMBERS.names) == COLUMNS
    assert list(NUMBERS.dicts[3].values()) == NUMBERS.current[3].tolist()
    assert NUMBERS.prepared[3].tolist() == [*NUMBERS.current[3].tolist(), NUMBERS.single_scores[3]]
    assert [column.name for column in MIXED.baseline.columns if column.kind == "categorical"] == MIXED.names[-10:]


def test_what_fails_is_named_and_the_others_are_measured() -> None:
    way = server_ways()[0]
    broken = replace(way, how="broken", open=failing)
    found = costs([broken, way], NUMBERS, 2, SECONDS, "rows")
    assert [len(own.rounds) for own in found] == [0, 2]
    text = costs_table("Rows", found)
    assert "| broken | not measured: ValueError: invalid literal" in text


def test_the_table_has_the_median_and_the_slowest_round() -> None:
    rounds = [Cost(3.0, 4.0, 5.0), Cost(6.0, 7.0, 8.0), Cost(4.5, 5.0, 6.0)]
    text = costs_table("Rows", [Found("somebody", "dict", rounds)])
    assert "| somebody | dict | 4.50 | 150.0 | 5.00 | 6.00 | 6.00 |" in text
