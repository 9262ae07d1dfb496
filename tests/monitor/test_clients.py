from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from driftgauge.monitor.clients import MOST_BUCKETS, MOST_CLIENTS, OTHERS, SHOWN, WIDTH_SECONDS, ClientRows, most_rows
from driftgauge.monitor.problems import Problems
from driftgauge.state.clients_file import ClientsFile
from hypothesis import given
from hypothesis import strategies as st

START = 1_800_000_000.0


def clients(rows: int = 100, file: ClientsFile | None = None) -> ClientRows:
    return ClientRows(rows, file, Problems(time.time))


def test_without_rows_there_are_no_shares() -> None:
    assert clients().shares() == {}


def test_shares_are_of_the_rows_that_the_window_holds_the_largest_first() -> None:
    own = clients(rows=100)
    own.count("old", 500, START)
    own.count("b", 30, START + 60)
    own.count("a", 90, START + 61)
    assert own.shares() == {"a": 0.75, "b": 0.25}
    assert list(own.shares()) == ["a", "b"]


def test_rows_that_left_the_window_are_forgotten_and_those_in_it_are_kept() -> None:
    own = clients(rows=100)
    own.count("old", 60, START)
    own.count("a", 60, START + 60)
    assert own.shares() == {"a": 0.5, "old": 0.5}  # without `old` there would be too few
    own.count("a", 40, START + 120)
    own.count("a", 1, START + 180)
    assert own.shares() == {"a": 1.0}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50), st.floats(0.0, 1e6)), min_size=1, max_size=600),
    st.integers(1, 400),
)
def test_shares_sum_to_one_and_cover_the_window(sent: list[tuple[str, int, float]], window: int) -> None:
    own, at, total = clients(window), START, 0
    for client, rows, pause in sent:
        at += pause
        own.count(client, rows, at)
        total += rows
    assert sum(own.shares().values()) == pytest.approx(1.0)
    held = sum(sum(bucket.values()) for bucket in own._counts.buckets.values())
    assert min(window, total) <= held <= total
    assert len(own._counts.buckets) <= MOST_BUCKETS
    assert own._total == held


def test_slow_traffic_gets_wider_buckets_and_keeps_its_rows() -> None:
    own = clients(rows=1_000_000)
    for number in range(5 * MOST_BUCKETS):
        own.count("ab"[number % 2], 1, START + number * WIDTH_SECONDS)
    assert len(own._counts.buckets) <= MOST_BUCKETS
    assert own.shares() == {"a": 0.5, "b": 0.5}


def test_many_clients_are_bounded() -> None:
    own = clients()
    for number in range(1_000):
        own.count(f"client-{number}", 1, START)
    assert len(own.shares()) == MOST_CLIENTS + 1
    assert own.shares()[OTHERS] == (1_000 - MOST_CLIENTS) / 1_000


def test_workers_see_the_rows_of_one_another_and_of_the_process_before(tmp_path: Path) -> None:
    first, second = (clients(1_000, ClientsFile(tmp_path, slot)) for slot in (0, 1))
    first.count("a", 30, START)
    second.count("b", 10, START + 5)
    first.write()
    second.write()
    assert first.shares() == second.shares() == {"a": 0.75, "b": 0.25}
    again = clients(1_000, ClientsFile(tmp_path, 0))
    assert again.shares() == {"a": 0.75, "b": 0.25}
    again.count("b", 20, START + 60)
    assert again.shares() == {"a": 0.5, "b": 0.5}
    assert {path.name for path in tmp_path.iterdir()} == {"clients-0.json", "clients-1.json"}


def test_workers_with_buckets_of_several_widths_are_summed(tmp_path: Path) -> None:
    slow, quick = (clients(10_000, ClientsFile(tmp_path, slot)) for slot in (0, 1))
    for number in range(2 * MOST_BUCKETS):
        slow.count("a", 1, START + number * WIDTH_SECONDS)
    quick.count("b", 2 * MOST_BUCKETS, START)
    slow.write()
    assert quick.shares() == {"a": 0.5, "b": 0.5}


DAMAGED = (
    *(b"", b"{", b"[]", b"null", b'{"width_seconds": 10}', b'{"width_seconds": 7, "buckets": {}}'),
    *(b'{"width_seconds": 30, "buckets": {}}', b'{"width_seconds": 10, "buckets": {"a": {}}}'),
    *(b'{"width_seconds": 10, "buckets": {"1": {"a": null}}}', b"\xff", b"[" * 100_000),
)


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_of_another_worker_is_left_out(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "clients-7.json").write_bytes(content)
    (tmp_path / "clients-0.json").write_bytes(content)
    own = clients(100, ClientsFile(tmp_path, 0))
    own.count("a", 1, START)
    assert own.shares() == {"a": 1.0}
    own.write()
    assert json.loads((tmp_path / "clients-0.json").read_text())["buckets"] == {str(int(START) // 10): {"a": 1}}


def test_a_file_that_cannot_be_written_is_a_problem_and_tried_again(tmp_path: Path) -> None:
    problems = Problems(lambda: START)
    own = ClientRows(100, ClientsFile(tmp_path / "later", 0), problems)
    own.count("a", 1, START)
    own.write()
    assert problems.current()[0].startswith("clients_not_written: FileNotFoundError")
    (tmp_path / "later").mkdir()
    own.write()
    assert clients(100, ClientsFile(tmp_path / "later", 1)).shares() == {"a": 1.0}


def test_metrics_name_the_first_clients() -> None:
    shares = {f"client {place}": 1.0 / (2.0 + place) for place in range(SHOWN + 3)}
    assert list(most_rows(shares).items()) == list(shares.items())[:SHOWN]
    assert most_rows({}) == {}
