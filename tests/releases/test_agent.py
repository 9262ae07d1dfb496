from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from driftgauge.errors import Refused
from driftgauge.releases.figures import Counts
from driftgauge.releases.release import Kind, Role, SwapState
from driftgauge.releases.swaps import rollback_target

from tests.ledgers import CAUSE, Clock, Worker, candidate, settle


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workers(tmp_path: Path, clock: Clock) -> Iterator[list[Worker]]:
    own = [Worker(tmp_path / "state", clock) for _ in range(3)]
    own[0].ledger.configure(candidate("1"), clock(), 3)
    settle(*own)
    yield own
    for worker in own:
        worker.ledger.close()


def _live(workers: list[Worker]) -> set[str | None]:
    return {worker.served.live for worker in workers}


def _state(worker: Worker, number: int) -> tuple[SwapState, str]:
    swap = worker.ledger.swap(number)
    assert swap is not None
    return swap.state, swap.detail


def test_all_workers_serve_a_version_once_all_are_ready(workers: list[Worker]) -> None:
    number = workers[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    settle(*workers[:2])
    assert _live(workers) == {"1"}  # the third has not voted
    settle(*workers)
    assert _live(workers) == {"2"}
    assert _state(workers[0], number) == (SwapState.DONE, "")
    assert all(worker.served.ready == ["2"] for worker in workers)
    assert all(worker.agent.is_everywhere("m") for worker in workers)


def test_one_worker_that_cannot_load_it_stops_the_swap(workers: list[Worker]) -> None:
    workers[2].served.broken.add("2")
    number = workers[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    settle(*workers)
    assert _live(workers) == {"1"}
    assert _state(workers[1], number) == (SwapState.FAILED, "version 2 cannot be loaded here")
    assert [worker.served.discarded for worker in workers] == [["2"], ["2"], []]
    assert len(workers[0].ledger.history("m")) == 1


def test_a_worker_that_is_killed_meanwhile_is_not_waited_for(workers: list[Worker]) -> None:
    workers[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    settle(*workers[1:])
    assert _live(workers[1:]) == {"1"}
    workers[0].kill()  # the one that was asked
    settle(*workers[1:])
    assert _live(workers[1:]) == {"2"}
    assert len(workers[1].ledger.workers()) == 2


def test_a_worker_that_starts_meanwhile_is_waited_for(workers: list[Worker], tmp_path: Path, clock: Clock) -> None:
    workers[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    new = Worker(tmp_path / "state", clock)
    settle(*workers)
    assert _live(workers) == {"1"}
    settle(new, *workers)
    assert _live([new, *workers]) == {"2"}
    new.ledger.close()


def test_a_worker_that_never_votes_lets_it_fail(workers: list[Worker], clock: Clock) -> None:
    number = workers[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    settle(*workers[:2])
    clock.now += 61.0
    settle(*workers[:2])
    state, detail = _state(workers[0], number)
    assert state is SwapState.FAILED
    assert "not ready in time: process" in detail
    assert _live(workers) == {"1"}


def test_two_swaps_of_a_model_do_not_run_at_once(workers: list[Worker]) -> None:
    workers[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    with pytest.raises(Refused, match="version 2 of m is being loaded"):
        workers[1].agent.request(candidate("3"), Kind.LOAD, CAUSE)


def test_the_live_version_is_not_loaded_again(workers: list[Worker]) -> None:
    with pytest.raises(Refused, match="version 1 of m is the live version already"):
        workers[0].agent.request(candidate("1"), Kind.LOAD, CAUSE)


def test_a_known_version_keeps_its_files(workers: list[Worker]) -> None:
    with pytest.raises(Refused, match="known with other files"):
        workers[0].agent.request(candidate("1", "other"), Kind.SHADOW, CAUSE)


def _load(workers: list[Worker], version: str, kind: Kind = Kind.LOAD) -> None:
    workers[0].agent.request(candidate(version), kind, CAUSE)
    settle(*workers)


def _roll_back(workers: list[Worker]) -> None:
    workers[0].agent.request(rollback_target(workers[0].ledger, "m"), Kind.ROLLBACK, CAUSE)
    settle(*workers)


def test_rollbacks_go_back_one_version_at_a_time(workers: list[Worker]) -> None:
    _load(workers, "2")
    _load(workers, "3")
    _roll_back(workers)
    assert _live(workers) == {"2"}
    _roll_back(workers)
    assert _live(workers) == {"1"}
    with pytest.raises(Refused, match="m has no earlier version to go back to"):
        rollback_target(workers[0].ledger, "m")
    assert [change.kind for change in workers[0].ledger.history("m")][-2:] == [Kind.ROLLBACK] * 2


def test_a_rollback_may_name_its_version(workers: list[Worker]) -> None:
    _load(workers, "2")
    _load(workers, "3")
    assert rollback_target(workers[0].ledger, "m", "1") == candidate("1")
    with pytest.raises(Refused, match="no version '9'"):
        rollback_target(workers[0].ledger, "m", "9")


def test_a_shadow_is_beside_the_live_version_and_may_become_it(workers: list[Worker]) -> None:
    _load(workers, "2", Kind.SHADOW)
    assert workers[1].served.roles == {"1": Role.LIVE, "2": Role.SHADOW}
    _load(workers, "2")
    assert workers[1].served.roles == {"1": Role.RETIRED, "2": Role.LIVE}


def test_a_shadow_is_unloaded_and_nothing_else(workers: list[Worker]) -> None:
    _load(workers, "2", Kind.SHADOW)
    _load(workers, "2", Kind.UNLOAD)
    assert workers[1].served.roles == {"1": Role.LIVE, "2": Role.RETIRED}
    with pytest.raises(Refused, match="version 1 of m is no shadow"):
        workers[0].agent.request(candidate("1"), Kind.UNLOAD, CAUSE)


def test_at_most_three_versions_have_series(workers: list[Worker]) -> None:
    for version in "234":
        _load(workers, version)
    assert workers[1].served.roles == {"1": Role.REMOVED, "2": Role.RETIRED, "3": Role.RETIRED, "4": Role.LIVE}


def test_further_shadows_leave_the_version_to_roll_back_to(workers: list[Worker]) -> None:
    _load(workers, "2")
    for version in "34":
        _load(workers, version, Kind.SHADOW)
    assert workers[1].served.roles == {
        "1": Role.RETIRED,
        "2": Role.LIVE,
        "3": Role.REMOVED,
        "4": Role.SHADOW,
    }
    _roll_back(workers)
    assert workers[1].served.live == "1"


def test_retired_versions_go_with_their_state_after_a_time(workers: list[Worker], clock: Clock) -> None:
    _load(workers, "2")
    clock.now += 3599.0
    settle(*workers)
    assert workers[1].served.roles == {"1": Role.RETIRED, "2": Role.LIVE}
    clock.now += 10.0
    settle(*workers)
    assert workers[1].served.roles["1"] is Role.REMOVED
    workers[0].served.in_use = workers[1].served.in_use = workers[2].served.in_use = True
    clock.now += 10.0
    settle(*workers)
    assert len(workers[0].ledger.versions("m")) == 2  # another process uses its state
    workers[0].served.in_use = workers[1].served.in_use = workers[2].served.in_use = False
    clock.now += 10.0
    settle(*workers)
    assert [own.name for own in workers[0].ledger.versions("m")] == ["2"]
    assert [own for worker in workers for own in worker.served.deleted] == ["1"]
    with pytest.raises(Refused, match="no earlier version"):
        rollback_target(workers[0].ledger, "m")


def test_the_history_keeps_the_figures_of_the_release_that_ended(workers: list[Worker]) -> None:
    for worker in workers:
        worker.served.counted = {"1": Counts((100.0, 100.0, 0.0, 0.0), 300.0, 100.0), "2": Counts((5.0,) * 4, 1.0, 0.0)}
    _load(workers, "2")
    change = workers[0].ledger.history("m")[-1]
    assert change.begun == Counts((5.0,) * 4, 1.0, 0.0)
    assert change.before is not None
    assert (change.before.requests, change.before.error_ratio) == (200, 0.25)
    assert change.before.p50_seconds == pytest.approx(0.001)
    assert change.before.p99_seconds == pytest.approx(0.001 + 0.009 * 0.98)


def test_the_thread_of_an_agent_serves_what_another_worker_was_asked_for(tmp_path: Path, clock: Clock) -> None:
    own = [Worker(tmp_path / "state", clock) for _ in range(2)]
    own[0].ledger.configure(candidate("1"), clock(), 3)
    for worker in own:
        worker.agent.start()
    number = own[0].agent.request(candidate("2"), Kind.LOAD, CAUSE)
    while _state(own[1], number)[0] is SwapState.PREPARING or not own[1].agent.is_everywhere("m"):
        time.sleep(0.01)
    for worker in own:
        worker.agent.stop()
    assert _live(own) == {"2"}
    assert [error for worker in own for error in worker.errors] == []
    assert list((tmp_path / "state" / "@releases").glob("*.lock")) == []
