from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from driftgauge.common.shared_text import SharedText
from driftgauge.drift.performance.outcomes import OutcomeLimits, OutcomeRule, OutcomeSums
from driftgauge.errors import PredictionLogError, Reason, Refused
from driftgauge.metrics.series import LABEL_LAG, LABEL_RESULTS, LABELS, OUTCOMES
from driftgauge.monitor import label_intake
from driftgauge.monitor.label_intake import MOST_PENDING, OUTCOME_SECONDS, LabelIntake
from driftgauge.monitor.problems import LOG_PROBLEM, Problems
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelFacts, LabelStore
from driftgauge.predictions.labels import FINAL, GivenLabel, LabelTally
from driftgauge.predictions.store import PredictionStore
from driftgauge.state.store import Store

from tests.monitors import small_monitor
from tests.predictions.logs import NOW, model, rows

START = NOW / 1e6 + 600.0
WAIT = 60.0


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Parts:
    """An intake, and what it works on."""

    def __init__(self, folder: Path) -> None:
        self.log = PredictionStore.open(folder)
        self.version = self.log.register(model())
        self.state: Store = small_monitor().store
        self.clock = Clock()
        self.problems = Problems(self.clock)
        self.store = LabelStore(self.log.engine, self.version)
        self.intake = LabelIntake(lambda: self.store, self.state, self.problems, self.clock, wait_seconds=WAIT)

    def predict(self, ids: Sequence[str]) -> None:
        self.log.write([rows(self.version, ids)])

    def counted(self, name: str = LABELS.name) -> dict[str, float]:
        numbers = self.state.counters.copy()[name][:, 0].tolist()
        return {result: number for result, number in zip(LABEL_RESULTS, numbers, strict=True) if number}

    @property
    def lags(self) -> tuple[float, float]:
        """Number and sum of the lags."""
        row = self.state.counters.copy()[LABEL_LAG.name][0]
        return float(row[:-1].sum()), float(row[-1])


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.intake.close()
    made.log.close()


def labels(ids: Sequence[str], outcome: str = "", value: float = 1.0) -> list[GivenLabel]:
    return [GivenLabel(key_of(id_), value, outcome=outcome) for id_ in ids]


def test_the_metric_names_every_fate_that_is_counted() -> None:
    assert tuple(map(str, FINAL)) == LABEL_RESULTS


def test_labels_are_counted_by_what_became_of_them(parts: Parts) -> None:
    parts.predict(["a", "b"])
    parts.intake.add_now([*labels(["a", "a", "z"]), *labels(["b"], "revenue", 12.5)], refused=3)
    assert parts.counted() == {"matched": 1, "repeated": 1, "refused": 3}
    assert parts.counted(OUTCOMES.name) == {"matched": 1}
    count, total = parts.lags
    assert (count, total) == (1.0, 600.0)
    assert parts.intake.facts == LabelFacts(waiting=1, last_received=START)


def test_a_label_that_waited_is_counted_when_it_is_matched(parts: Parts) -> None:
    parts.intake.add_now(labels(["a"]))
    assert parts.counted() == {}
    parts.predict(["a"])
    parts.intake.settle()
    assert parts.counted() == {"matched": 1}
    assert parts.intake.facts.waiting == 0


def test_a_label_that_waited_too_long_is_counted_as_an_orphan(parts: Parts) -> None:
    parts.intake.add_now(labels(["a", "b"]))
    parts.clock.now += WAIT + 1
    parts.intake.settle()
    assert parts.counted() == {"orphan": 2}


def test_a_batch_is_stored_in_a_thread_and_settled_by_interval(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_intake, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(label_intake, "REST_FACTOR", 0.0)

    async def live() -> LabelTally:
        tally = await parts.intake.add(labels(["a"]))
        parts.predict(["a"])
        running = asyncio.create_task(parts.intake.run())
        while not parts.counted():
            await asyncio.sleep(0.01)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return tally

    assert dict(asyncio.run(live()).fates) == {"waiting": 1, "refused": 0}
    assert parts.counted() == {"matched": 1}


def test_a_failing_database_is_a_problem_until_it_works_again(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_intake, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(label_intake, "REST_FACTOR", 0.0)
    parts.intake.add_now(labels(["a"]))
    settle = parts.store.settle

    def fails(now: float, wait_seconds: float) -> LabelTally:
        raise PredictionLogError("the disk is full")

    async def live() -> None:
        monkeypatch.setattr(parts.store, "settle", fails)
        running = asyncio.create_task(parts.intake.run())
        while not parts.problems.current():
            await asyncio.sleep(0.01)
        assert parts.problems.current() == [f"{LOG_PROBLEM}: PredictionLogError: the disk is full"]
        monkeypatch.setattr(parts.store, "settle", settle)
        while parts.problems.current():
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(live())


def test_too_many_batches_at_once_are_refused(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    add = parts.store.add

    def slow(given: Sequence[GivenLabel], now: float) -> LabelTally:
        gate.wait()
        return add(given, now)

    monkeypatch.setattr(parts.store, "add", slow)

    async def live() -> None:
        waiting = [asyncio.create_task(parts.intake.add(labels([str(number)]))) for number in range(MOST_PENDING)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="try again") as caught:
            await parts.intake.add(labels(["one more"]))
        assert caught.value.reason is Reason.OVERLOADED
        gate.set()
        await asyncio.gather(*waiting)
        await parts.intake.add(labels(["one more"]))

    asyncio.run(live())
    assert parts.intake.facts.waiting == MOST_PENDING + 1


def test_labels_of_deleted_predictions_are_forgotten(parts: Parts) -> None:
    parts.predict(["a", "b"])
    parts.intake.add_now(labels(["a", "b"]))
    with parts.log.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM predictions WHERE seq = 1")
    parts.intake.settle()
    assert len(parts.store.read(0.0, START)) == 1


def test_outcomes_of_mature_predictions_are_judged(parts: Parts) -> None:
    rule = OutcomeRule("event", 3_600.0, absent=0.0, limits=OutcomeLimits(below=(0.9, 0.5)))
    intake = LabelIntake(
        lambda: parts.store, parts.state, parts.problems, parts.clock, wait_seconds=WAIT, outcomes={"click": rule}
    )
    parts.predict([str(number) for number in range(100)])
    intake.add_now(labels([str(number) for number in range(70)], "click"))
    intake.settle()
    report = intake.outcomes["click"]
    intake.close()
    assert (report.estimate.value, report.rows, report.coverage, report.status) == (0.7, 100, 0.7, "warning")


def test_what_one_worker_finds_another_worker_says_at_once(parts: Parts, tmp_path: Path) -> None:
    rule = OutcomeRule("event", 3_600.0, limits=OutcomeLimits(below=(0.9, 0.8)))
    workers = [
        LabelIntake(
            lambda: parts.store,
            parts.state,
            parts.problems,
            parts.clock,
            wait_seconds=WAIT,
            outcomes={"click": rule},
            shared=SharedText(tmp_path, "labels"),
        )
        for _ in range(2)
    ]
    one, other = workers
    assert (other.facts, other.outcomes) == (LabelFacts(waiting=0, last_received=None), {})
    one.add_now(labels(["a"]))
    assert one.facts == other.facts == LabelFacts(waiting=1, last_received=START)
    ids = [str(row) for row in range(40)]
    parts.predict(["a", *ids])
    one.add_now(labels(ids[:30], "click", 1.0) + labels(ids[30:], "click", 0.0))
    other.settle()
    assert one.facts == other.facts == LabelFacts(waiting=0, last_received=START)
    assert (one.outcomes["click"].rows, one.outcomes["click"].estimate.value) == (40, 0.75)
    assert one.outcomes == other.outcomes
    one.add_now(labels(["0"], "click", 0.0))
    parts.clock.now += OUTCOME_SECONDS - 1.0
    one.settle()  # the sums of the other are new enough
    assert other.outcomes["click"].estimate.value == 0.75
    parts.clock.now += 1.0
    one.settle()
    assert other.outcomes["click"].estimate.value == one.outcomes["click"].estimate.value == 29 / 40
    for own in workers:
        own.close()


class SlowSums(LabelStore):
    """Labels whose outcomes take as long to sum up as a test says."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.log.engine, parts.version)
        self.began, self.go = threading.Event(), threading.Event()

    def outcome_sums(self, outcome: str, begin: float, end: float) -> dict[str, list[OutcomeSums]]:
        self.began.set()
        assert self.go.wait(20.0)
        return super().outcome_sums(outcome, begin, end)


def _same(store: LabelStore) -> LabelStore:
    return store


def test_no_batch_and_no_worker_waits_while_one_sums_up_outcomes(parts: Parts, tmp_path: Path) -> None:
    slow, quick = SlowSums(parts), SlowSums(parts)
    rule = OutcomeRule("event", 3_600.0, absent=0.0)
    one, other = (
        LabelIntake(
            partial(_same, own),
            parts.state,
            parts.problems,
            parts.clock,
            wait_seconds=WAIT,
            outcomes={"click": rule},
            shared=SharedText(tmp_path, "labels"),
        )
        for own in (slow, quick)
    )
    parts.predict(["a"])
    settling = threading.Thread(target=one.settle)
    settling.start()
    assert slow.began.wait(20.0)
    other.add_now(labels(["a", "b"]))
    other.settle()
    assert other.facts == one.facts == LabelFacts(waiting=1, last_received=START)
    assert (settling.is_alive(), quick.began.is_set()) == (True, False)
    slow.go.set()
    settling.join(20.0)
    assert other.outcomes["click"].rows == one.outcomes["click"].rows == 1
    assert other.facts == LabelFacts(waiting=1, last_received=START)
    for own in (one, other):
        own.close()


def test_a_sum_that_failed_is_tried_again_at_the_next_look(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = OutcomeRule("event", 3_600.0, absent=0.0)
    intake = LabelIntake(
        lambda: parts.store, parts.state, parts.problems, parts.clock, wait_seconds=WAIT, outcomes={"click": rule}
    )
    parts.predict(["a"])
    with monkeypatch.context() as failing:
        failing.setattr(parts.store, "outcome_sums", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            intake.settle()
    intake.settle()
    assert intake.outcomes["click"].rows == 1
    intake.close()
