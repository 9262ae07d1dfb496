"""The benchmark of the state; no time is asserted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import typer

from benchmarks import state_serving
from benchmarks.contestants.catalogue import ROOT
from benchmarks.load import missing_wrk
from benchmarks.pairing import HEADS
from benchmarks.processes import PAGE_BYTES, running_seconds
from benchmarks.serving_models import LOGISTIC, fit
from benchmarks.serving_servers import Plan
from benchmarks.state import chosen
from benchmarks.state_library import baseline_file, catch_ups, evaluations, memories, package_of
from benchmarks.state_probe import Session, changed_bytes
from benchmarks.state_serving import Turn, beside_one_worker, scrape_pairs, scraped, served
from tests.e2e.programs import require

COLUMNS = 3
VERSIONS = (ROOT, ROOT)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return baseline_file(COLUMNS, tmp_path_factory.mktemp("baseline"))


@pytest.fixture
def session(baseline: Path, tmp_path: Path) -> Session:
    session = Session()
    session.load(str(baseline))
    session.open(str(tmp_path))
    return session


def test_parts_are_chosen_by_name() -> None:
    assert chosen("memory, catch-up") == ["memory", "catch-up"]
    with pytest.raises(typer.BadParameter, match="no part 'disk'"):
        chosen("memory,disk")


def test_pages_that_differ_are_counted_whole() -> None:
    before = np.random.default_rng(1).bytes(3 * PAGE_BYTES + 100)
    changed = bytearray(before)
    changed[0] ^= 1
    changed[1] ^= 1
    changed[-1] ^= 1
    assert changed_bytes(before, before) == 0
    assert changed_bytes(before, bytes(changed)) == 2 * PAGE_BYTES
    assert changed_bytes(b"", b"x") == PAGE_BYTES
    assert changed_bytes(b"", b"") == 0


def test_a_session_observes_the_rows_that_it_is_asked_for(session: Session) -> None:
    session.fill(1_000, 60.0)
    session.evaluate(200, busy=False)
    monitor = session._watch.monitor
    assert monitor.last.report.rows_observed == monitor.store.rows == 1_200
    session.catch_up(300, 100.0)
    assert monitor.bin_rows().sum(axis=1).tolist() == [1_500] * COLUMNS
    session.evaluate(100, busy=True)
    assert monitor.last.report.rows_observed >= 1_600


def test_a_catch_up_changes_the_files_of_the_state(session: Session) -> None:
    files, changed = session.files(), session.written(400, 100.0)
    assert changed.keys() == files.keys()
    assert 400 * COLUMNS * 8 <= sum(changed.values()) <= sum(files.values())


def test_scrapes_are_compared_within_a_turn() -> None:
    def turns(one: float, other: float) -> dict[tuple[int, int], Turn]:
        both = {(0, 1): one, (1, 1): 2 * one, (0, 4): other, (1, 4): 6 * other}
        return {name: Turn(cpu, cpu + 1.0, cpu + 2.0, True) for name, cpu in both.items()}

    found = [turns(1.0, 3.0), turns(10.0, 30.0)]
    cpu, whole, wall = scrape_pairs(found, 4)
    assert (cpu.before, cpu.after) == ([3.0, 30.0], [18.0, 180.0])
    assert (whole.before, wall.before) == ([4.0, 31.0], [5.0, 32.0])
    assert [beside_one_worker(found, place, 4).median for place in (0, 1)] == [3.0, 9.0]
    assert scrape_pairs(found, 2)[0].before == []


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not say it")
def test_the_running_time_of_a_process_follows_its_work() -> None:
    before = running_seconds([os.getpid()])
    for _ in range(10):
        sum(range(1_000_000))
    time.sleep(0.01)  # the kernel adds what a thread ran when it gives up its core
    assert running_seconds([os.getpid()]) > before > 0.0
    assert running_seconds([]) == 0.0


@pytest.mark.long
def test_each_version_is_measured_by_processes_of_its_own(baseline: Path, tmp_path: Path) -> None:
    assert package_of(ROOT).is_relative_to(ROOT / "app")
    parts = (
        catch_ups(VERSIONS, COLUMNS, 1, baseline, tmp_path),
        memories(VERSIONS, COLUMNS, 2, 1, baseline, tmp_path),
        evaluations(VERSIONS, COLUMNS, 1, baseline, tmp_path),
    )
    for pairs in (pairs for part in parts for pairs in part):
        assert len(pairs.row()) == len(HEADS)
        assert all(value > 0.0 for value in (*pairs.before, *pairs.after))
        assert pairs.after


@pytest.mark.long
@pytest.mark.e2e
def test_servers_are_loaded_and_scraped_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(missing_wrk(), in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    monkeypatch.setattr(state_serving, "FILL_ROWS", 400)
    monkeypatch.setattr(state_serving, "SETTLE_SECONDS", 0.0)
    plan = Plan(tmp_path, 1, 1.0, 1.0, 4, 4, 0, 1, 1, 0)
    fitted = fit(LOGISTIC, COLUMNS, tmp_path / "model", bodies=400)
    found = served(VERSIONS, 1, fitted, plan)
    assert len(found.cpu_us.before) + found.invalid == 1
    assert min(found.observed) >= 0.99
    (turns,) = scraped(VERSIONS, (1, 2), 1, fitted, plan)
    assert sorted(turns) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(turn.turn_ms > turn.cpu_ms > 0.0 for turn in turns.values())
