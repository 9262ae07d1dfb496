from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.metrics.series import BATCH_ROWS, INPUT_SIZE, PREDICTIONS, RETRIED
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import SHARES, Batcher, BatchLimits
from driftgauge.serving.latency_probe import INLINE_SECONDS, LatencyModel
from driftgauge.serving.request import Answer, QueuedRequest, concatenate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.examples import Example
from tests.monitors import START, monitor_of
from tests.snapshots import snapshot_of

FAST = LatencyModel(0.0, 0.0)
SLOW = LatencyModel(1.0, 0.0)
POISON = 1e7
"""A first number on which the model raises."""


class Noting:
    """An estimator that notes what it is given and in which thread, and raises on poison; `gate` holds it up."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.rows: list[int] = []
        self.threads: set[str] = set()
        self.held_from = 0
        """The number of the call that closes the gate."""
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def predict_proba(self, x: FloatArray) -> Any:
        self.rows.append(len(x))
        self.threads.add(threading.current_thread().name)
        if len(self.rows) == self.held_from:
            self.gate.clear()
        self.entered.set()
        assert self.gate.wait(30.0)
        if (x[:, 0] >= POISON).any():
            raise ArithmeticError("poison")
        return self._estimator.predict_proba(x)


@dataclass(frozen=True)
class Bench:
    """A batcher with its parts."""

    batcher: Batcher
    model: Noting
    monitor: ColumnMonitor
    predictor: Predictor
    problems: Problems

    def counted(self, name: str) -> FloatArray:
        counted: FloatArray = self.monitor.store.counters.copy()[name][0]
        return counted

    @property
    def observed(self) -> FloatArray:
        held: FloatArray = snapshot_of(self.monitor, START).rows.values
        return held


Benches = Callable[..., Bench]


@pytest.fixture
def bench(binary: Example) -> Iterator[Benches]:
    with ThreadPoolExecutor(1, thread_name_prefix="model") as executor:

        def make(latency: LatencyModel = FAST, limits: BatchLimits | None = None, *, by_event: bool = False) -> Bench:
            model = Noting(binary.bundle.model)
            predictor = Predictor(replace(binary.bundle, model=model))
            monitor, problems = monitor_of(binary), Problems(lambda: START)
            batcher = Batcher(predictor, Capture(monitor, problems), latency, executor, limits, by_event=by_event)
            return Bench(batcher, model, monitor, predictor, problems)

        yield make


def ask(batcher: Batcher, batch: Batch, arrival: float = START, event: FloatArray | None = None) -> Any:
    ids = time_ordered_ids(arrival, len(batch))
    return batcher.submit(QueuedRequest(batch, arrival, event, time.perf_counter(), ids))


def random_batch(rows: int, seed: int = 0) -> Batch:
    return Batch(np.random.default_rng(seed).normal(10.0, 3.0, (rows, 6)), {})


def poisoned(rows: int, *places: int) -> Batch:
    batch = random_batch(rows)
    batch.cells[list(places), 0] = POISON
    return batch


async def gathered(futures: Sequence[Any]) -> list[Any]:
    return await asyncio.gather(*futures, return_exceptions=True)


def run_all(bench: Bench, batches: Sequence[Batch]) -> list[Any]:
    """Ask for all batches at once, and wait for what comes of each."""

    async def go() -> list[Any]:
        return await gathered([ask(bench.batcher, batch) for batch in batches])

    return asyncio.run(go())


def assert_same(answer: Answer, batch: Batch, predictor: Predictor) -> None:
    expected = predictor.predict(batch)
    assert list(answer.labels) == list(expected.labels)
    assert list(answer.scores) == pytest.approx(expected.scores.tolist(), rel=1e-12)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


# ---------------------------------------------------------------- answers


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    batch_rows=st.integers(1, 64),
    latency=st.sampled_from([FAST, SLOW, LatencyModel(INLINE_SECONDS / 2, INLINE_SECONDS / 20)]),
)
def test_every_request_has_its_own_answer_however_it_was_cut(
    bench: Benches, sizes: list[int], batch_rows: int, latency: LatencyModel
) -> None:
    running = bench(latency, BatchLimits(batch_rows=batch_rows))
    batches = [random_batch(rows, seed) for seed, rows in enumerate(sizes)]
    answers = run_all(running, batches)
    assert max(running.model.rows) <= batch_rows
    assert sum(running.model.rows) == sum(sizes)
    for answer, batch in zip(answers, batches, strict=True):
        assert_same(answer, batch, running.predictor)
        assert answer.latency_seconds > 0
    assert (running.batcher.queued_requests, running.batcher.queued_rows) == (0, 0)
    # All rows were watched, each request's together and in its order.
    watched = {row.tobytes(): place for place, row in enumerate(running.observed[:, :6])}
    for batch in batches:
        places = [watched[row.tobytes()] for row in batch.cells]
        assert places == list(range(places[0], places[0] + len(places)))
    assert running.counted(PREDICTIONS.name)[0] == len(running.observed) == sum(sizes)
    assert running.counted(INPUT_SIZE.name)[:-1].sum() == len(sizes)


def test_texts_are_joined_by_their_feature() -> None:
    parts = [Batch(np.full((2, 2), 1.0), {1: ["a", None]}), Batch(np.full((1, 2), 2.0), {1: ["b"]})]
    together = concatenate(parts)
    assert together.cells.tolist() == [[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]
    assert together.texts == {1: ["a", None, "b"]}


def test_a_request_of_texts_is_cut_with_its_texts(coded: Example) -> None:
    predictor = Predictor(coded.bundle)
    monitor = monitor_of(coded)
    capture = Capture(monitor, Problems(lambda: START))
    batch = coded.batch(coded.rows(30))
    with ThreadPoolExecutor(1) as executor:
        batcher = Batcher(predictor, capture, FAST, executor, BatchLimits(batch_rows=8))

        async def go() -> Answer:
            answer: Answer = await ask(batcher, batch)
            return answer

        assert_same(asyncio.run(go()), batch, predictor)
    assert np.array_equal(snapshot_of(monitor, START).rows.values, predictor.predict(batch).columns, equal_nan=True)


# ---------------------------------------------------------------- what is put together


def test_an_idle_model_takes_a_request_at_once_and_alone(bench: Benches) -> None:
    running = bench()

    async def go() -> None:
        for seed in range(3):
            answer = ask(running.batcher, random_batch(1, seed))
            await asyncio.sleep(0)  # the loop comes round once
            await asyncio.sleep(0)
            assert answer.done()

    asyncio.run(go())
    assert running.model.rows == [1, 1, 1]


def test_what_comes_while_the_model_is_busy_is_the_next_batch(bench: Benches) -> None:
    running = bench(SLOW)

    async def go() -> None:
        running.model.gate.clear()
        first = ask(running.batcher, random_batch(1))
        await until(running.model.entered.is_set)
        others = [ask(running.batcher, random_batch(rows)) for rows in (1, 5, 1)]
        assert running.batcher.queued_requests == 3
        assert running.batcher.queued_rows == 7
        running.model.gate.set()
        await gathered([first, *others])

    asyncio.run(go())
    assert running.model.rows == [1, 7]
    assert running.counted(BATCH_ROWS.name)[-1] == 8


def test_a_request_of_many_rows_does_not_hold_up_one_of_few(bench: Benches) -> None:
    rows = 64
    running = bench(FAST, BatchLimits(batch_rows=rows))
    order: list[str] = []

    async def go() -> None:
        answers = [("many", ask(running.batcher, random_batch(10 * rows)))]
        answers += [("few", ask(running.batcher, random_batch(1, seed))) for seed in range(20)]
        answers += [("some", ask(running.batcher, random_batch(2 * rows // SHARES)))]
        for name, answer in answers:
            answer.add_done_callback(lambda _, name=name: order.append(name))
        await gathered([answer for _, answer in answers])

    asyncio.run(go())
    assert order == ["few"] * 20 + ["some", "many"]
    # The first batch was full: all 20 of one row, and the others' shares.
    assert running.model.rows[0] == rows
    assert len(running.model.rows) == -(-(10 * rows + 20 + 2 * rows // SHARES) // rows)


def test_two_requests_of_many_rows_go_on_side_by_side(bench: Benches) -> None:
    running = bench(FAST, BatchLimits(batch_rows=16))

    async def go() -> None:
        first, second = (ask(running.batcher, random_batch(64, seed)) for seed in range(2))
        await second
        assert first.done()  # in the batch before, or in the same

    asyncio.run(go())
    assert running.model.rows == [16] * 8


# ---------------------------------------------------------------- where the model runs


@pytest.mark.parametrize(
    ("latency", "rows", "inline"),
    [
        (FAST, 1_000, True),
        (SLOW, 1, False),
        (LatencyModel(0.0, INLINE_SECONDS / 100), 100, True),
        (LatencyModel(0.0, INLINE_SECONDS / 100), 101, False),
        (LatencyModel(INLINE_SECONDS / 2, INLINE_SECONDS / 100), 51, False),
    ],
)
def test_a_batch_that_takes_long_goes_to_the_models_thread(
    bench: Benches, latency: LatencyModel, rows: int, inline: bool
) -> None:
    running = bench(latency)
    run_all(running, [random_batch(rows)])
    assert running.model.threads == {threading.current_thread().name if inline else "model_0"}


def test_the_last_rows_of_a_request_of_many_go_to_the_thread_because_all_of_it_is_watched_then(bench: Benches) -> None:
    running = bench(LatencyModel(0.0, INLINE_SECONDS / 100), BatchLimits(batch_rows=64))
    run_all(running, [random_batch(128 + 22)])
    assert running.model.rows == [64, 64, 22]
    assert running.model.threads == {threading.current_thread().name, "model_0"}
    run_all(running, [random_batch(22)])
    assert running.model.rows[-1] == 22


def test_by_the_clock_of_events_all_goes_to_the_thread(bench: Benches) -> None:
    running = bench(FAST, by_event=True)
    run_all(running, [random_batch(1), random_batch(2)])
    assert running.model.threads == {"model_0"}


def test_the_loop_goes_on_while_a_slow_model_predicts(bench: Benches) -> None:
    running = bench(SLOW)

    async def go() -> None:
        running.model.gate.clear()
        answer = ask(running.batcher, random_batch(1))
        await until(running.model.entered.is_set)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not answer.done()
        running.model.gate.set()
        await answer

    asyncio.run(go())


# ---------------------------------------------------------------- clients that go away


def test_a_client_that_goes_away_while_it_waits_costs_no_prediction(bench: Benches) -> None:
    running = bench(SLOW)

    async def go() -> None:
        running.model.gate.clear()
        first = ask(running.batcher, random_batch(1))
        await until(running.model.entered.is_set)
        gone, stays = ask(running.batcher, random_batch(5)), ask(running.batcher, random_batch(2))
        gone.cancel()
        running.model.gate.set()
        await gathered([first, stays])

    asyncio.run(go())
    assert running.model.rows == [1, 2]
    assert (running.batcher.queued_requests, running.batcher.queued_rows) == (0, 0)
    assert len(running.observed) == 3


@pytest.mark.parametrize("latency", [FAST, SLOW])
def test_when_all_clients_went_away_the_next_is_answered_all_the_same(bench: Benches, latency: LatencyModel) -> None:
    running = bench(latency)

    async def go() -> None:
        for _ in range(3):
            ask(running.batcher, random_batch(4)).cancel()
        await asyncio.sleep(0.01)
        await asyncio.wait_for(ask(running.batcher, random_batch(1)), 30.0)

    asyncio.run(go())
    assert running.model.rows == [1]


def test_a_client_that_goes_away_does_not_hurt_its_batch(bench: Benches) -> None:
    running = bench(SLOW)

    async def go() -> list[Any]:
        running.model.gate.clear()
        gone, stays = ask(running.batcher, random_batch(5)), ask(running.batcher, random_batch(2, 1))
        await until(running.model.entered.is_set)
        gone.cancel()
        running.model.gate.set()
        return await gathered([gone, stays])

    gone, stays = asyncio.run(go())
    assert isinstance(gone, asyncio.CancelledError)
    assert_same(stays, random_batch(2, 1), running.predictor)


# ---------------------------------------------------------------- rows on which the model raises


@pytest.mark.parametrize("latency", [FAST, SLOW])
@pytest.mark.parametrize("bad", [{3}, {0}, {15}, {2, 3, 9}, set(range(16))])
def test_a_row_on_which_the_model_raises_fails_nobody_else(
    bench: Benches, latency: LatencyModel, bad: set[int]
) -> None:
    running = bench(latency)
    batches = [poisoned(1, 0) if place in bad else random_batch(1, place) for place in range(16)]
    answers = run_all(running, batches)
    for place, (answer, batch) in enumerate(zip(answers, batches, strict=True)):
        if place in bad:
            assert isinstance(answer, ModelFailed)
        else:
            assert_same(answer, batch, running.predictor)
    assert len(running.observed) == 16 - len(bad)
    assert running.counted(RETRIED.name)[0] > 0


def test_one_bad_row_among_many_is_found_in_few_predictions(bench: Benches) -> None:
    running = bench()
    answers = run_all(running, [*(random_batch(1) for _ in range(255)), poisoned(1, 0)])
    assert sum(isinstance(answer, ModelFailed) for answer in answers) == 1
    assert len(running.model.rows) == 1 + 2 * 8
    assert running.counted(RETRIED.name)[0] == 8


def test_a_request_alone_that_fails_is_not_tried_again(bench: Benches) -> None:
    running = bench()
    (answer,) = run_all(running, [poisoned(3, 1)])
    assert isinstance(answer, ModelFailed)
    assert running.model.rows == [3]
    assert running.counted(RETRIED.name)[0] == 0


@pytest.mark.parametrize("place", [0, 7, 8, 39])
def test_of_a_request_that_fails_nothing_is_answered_or_watched(bench: Benches, place: int) -> None:
    running = bench(FAST, BatchLimits(batch_rows=32))
    others = [random_batch(10, seed) for seed in range(3)]
    answers = run_all(running, [poisoned(40, place), *others])
    assert isinstance(answers[0], ModelFailed)
    for answer, batch in zip(answers[1:], others, strict=True):
        assert_same(answer, batch, running.predictor)
    assert len(running.observed) == 30
    assert (running.batcher.queued_requests, running.batcher.queued_rows) == (0, 0)


def test_a_number_that_is_too_large_is_named_by_its_row_in_the_request(binary: Example) -> None:
    class Narrow:
        """Like most models of scikit-learn it works in single precision."""

        def predict_proba(self, x: FloatArray) -> Any:
            if (np.abs(x) > np.finfo(np.float32).max).any():
                raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
            return binary.bundle.model.predict_proba(x)

    predictor = Predictor(replace(binary.bundle, model=Narrow()))
    capture = Capture(monitor_of(binary), Problems(lambda: START))
    batch = random_batch(40)
    batch.cells[29, 2] = 1e300
    with ThreadPoolExecutor(1) as executor:
        batcher = Batcher(predictor, capture, FAST, executor, BatchLimits(batch_rows=32))

        async def go() -> list[Any]:
            return await gathered([ask(batcher, random_batch(5)), ask(batcher, batch)])

        fine, refused = asyncio.run(go())
    assert isinstance(fine, Answer)
    assert isinstance(refused, Refused)
    assert refused.detail == {"field": binary.names[2], "row": 29}


@pytest.mark.parametrize("latency", [FAST, SLOW])
def test_an_error_that_nobody_thought_of_reaches_its_request_and_the_next_is_answered(
    bench: Benches, latency: LatencyModel
) -> None:
    running = bench(latency)
    odd = Batch(np.zeros((1, 5)), {})  # a column is lacking: nothing that is admitted looks like this

    async def go() -> list[Any]:
        first = await gathered([ask(running.batcher, odd), ask(running.batcher, random_batch(2))])
        return [*first, *await gathered([ask(running.batcher, odd)]), await ask(running.batcher, random_batch(1))]

    broken, fine, alone, after = asyncio.run(go())
    assert isinstance(broken, Exception)
    assert isinstance(alone, Exception)
    assert_same(fine, random_batch(2), running.predictor)
    assert_same(after, random_batch(1), running.predictor)


def test_a_monitor_that_fails_costs_no_answer(bench: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    running = bench()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("ring torn")

    monkeypatch.setattr(running.monitor, "observe", broken)
    (answer,) = run_all(running, [random_batch(3)])
    assert_same(answer, random_batch(3), running.predictor)
    assert running.problems.current() == ["observation_failed: RuntimeError: ring torn"]


def test_the_good_half_of_a_failed_batch_is_answered_before_the_bad_row_is_found(bench: Benches) -> None:
    running = bench()

    async def go() -> list[str]:
        order: list[str] = []
        asked = [ask(running.batcher, random_batch(1, seed)) for seed in range(15)] + [
            ask(running.batcher, poisoned(1, 0))
        ]
        for place, answer in enumerate(asked):
            answer.add_done_callback(lambda _, place=place: order.append("first" if place < 8 else "later"))
        asked.append(late := ask(running.batcher, random_batch(1, 99)))
        late.add_done_callback(lambda _: order.append("late"))
        await gathered(asked)
        return order

    order = asyncio.run(go())
    assert order[:8] == ["first"] * 8


def test_fresh_requests_come_between_those_that_are_tried_again(bench: Benches) -> None:
    running = bench(SLOW)

    async def go() -> None:
        running.model.gate.clear()
        asked = [ask(running.batcher, poisoned(1, 0)) for _ in range(8)]
        await until(running.model.entered.is_set)
        fresh = ask(running.batcher, random_batch(1))
        running.model.gate.set()
        await fresh
        await gathered(asked)

    asyncio.run(go())
    assert running.model.rows == [8, 4, 1, 4, *[2] * 4, *[1] * 8]
    assert (running.batcher.queued_requests, running.batcher.queued_rows) == (0, 0)


def test_a_large_request_alone_is_neither_cut_nor_tried_again(bench: Benches) -> None:
    running = bench()
    good, bad = run_all(running, [random_batch(2_000)]), run_all(running, [poisoned(2_000, 1_500)])
    assert running.model.rows == [2_000, 2_000]
    assert isinstance(bad[0], ModelFailed)
    assert_same(good[0], random_batch(2_000), running.predictor)


def test_requests_that_are_tried_again_count_as_waiting(bench: Benches) -> None:
    running = bench(SLOW, BatchLimits(queued_requests=4))

    async def go() -> None:
        running.model.held_from = 2
        asked = [ask(running.batcher, poisoned(1, 0)) for _ in range(4)]
        await until(lambda: len(running.model.rows) == 2)
        assert (running.batcher.queued_requests, running.batcher.queued_rows) == (2, 2)
        more = [ask(running.batcher, random_batch(1)) for _ in range(2)]
        with pytest.raises(Refused):
            running.batcher.admit()
        running.model.gate.set()
        await gathered([*asked, *more])

    asyncio.run(go())


# ---------------------------------------------------------------- what nobody thought of


class Panic(BaseException):
    """What a library of another language raises."""


@pytest.mark.parametrize("latency", [FAST, SLOW])
def test_a_model_that_panics_fails_its_own_request_only(bench: Benches, latency: LatencyModel, binary: Example) -> None:
    running = bench(latency)
    estimator = running.model._estimator

    class Panicking:
        def predict_proba(self, x: FloatArray) -> Any:
            if (x[:, 1] > POISON / 2).any():
                raise Panic("unwrap on None")
            return estimator.predict_proba(x)

    running.model._estimator = Panicking()
    bad = random_batch(1)
    bad.cells[0, 1] = POISON

    async def go() -> list[Any]:
        first = await gathered([ask(running.batcher, bad), ask(running.batcher, random_batch(2))])
        return [*first, *await gathered([ask(running.batcher, bad)]), await ask(running.batcher, random_batch(1))]

    broken, fine, alone, after = asyncio.run(go())
    for error in (broken, alone):
        assert isinstance(error, ModelFailed)
        assert 'Panic: "unwrap on None"' in str(error)
    assert_same(fine, random_batch(2), running.predictor)
    assert_same(after, random_batch(1), running.predictor)


def test_without_a_thread_every_request_fails_and_none_hangs(binary: Example) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    capture = Capture(monitor_of(binary), Problems(lambda: START))
    batcher = Batcher(Predictor(binary.bundle), capture, SLOW, executor)

    async def go() -> list[Any]:
        first = await gathered([ask(batcher, random_batch(1)) for _ in range(3)])
        return [*first, *await gathered([ask(batcher, random_batch(1))])]

    assert all(isinstance(error, RuntimeError) for error in asyncio.run(go()))


def test_a_loop_that_closed_with_requests_in_it_does_not_hold_up_the_next(bench: Benches) -> None:
    running = bench(SLOW)

    async def leave() -> None:
        running.model.gate.clear()
        for seed in range(3):
            ask(running.batcher, random_batch(1, seed))
        await until(running.model.entered.is_set)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    running.model.gate.set()
    (answer,) = run_all(running, [random_batch(2)])
    assert_same(answer, random_batch(2), running.predictor)
    assert (running.batcher.queued_requests, running.batcher.queued_rows) == (0, 0)


def test_a_log_that_cannot_be_written_costs_no_answer(bench: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    running = bench()

    def broken(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(running.monitor, "observe", broken)
    monkeypatch.setattr(running.problems, "record", broken)
    (answer,) = run_all(running, [random_batch(3)])
    assert_same(answer, random_batch(3), running.predictor)


# ---------------------------------------------------------------- what is watched


def test_each_row_is_watched_with_its_requests_times(bench: Benches) -> None:
    running = bench()

    async def go() -> None:
        await gathered(
            [
                ask(running.batcher, random_batch(2), START + 1, np.array([START - 60, np.nan])),
                ask(running.batcher, random_batch(1), START + 2),
                ask(running.batcher, random_batch(1), START + 3, np.array([START - 30])),
            ]
        )

    asyncio.run(go())
    assert running.model.rows == [4]
    assert snapshot_of(running.monitor, START).rows.at.tolist() == [START + 1, START + 1, START + 2, START + 3]


# ---------------------------------------------------------------- too many at once


@pytest.mark.parametrize(
    ("limits", "waiting", "rows"),
    [
        (BatchLimits(queued_requests=3), [1, 1, 1], 1),
        (BatchLimits(queued_rows=10), [4, 4], 3),
        (BatchLimits(queued_rows=10), [10], 1),
    ],
)
def test_over_the_limit_a_request_is_refused_until_others_were_answered(
    bench: Benches, limits: BatchLimits, waiting: list[int], rows: int
) -> None:
    running = bench(SLOW, limits)

    async def go() -> None:
        running.model.gate.clear()
        first = ask(running.batcher, random_batch(1))
        await until(running.model.entered.is_set)
        queued = [ask(running.batcher, random_batch(size)) for size in waiting]
        for refuse in (lambda: running.batcher.admit(rows), lambda: ask(running.batcher, random_batch(rows))):
            with pytest.raises(Refused, match=f"{len(waiting)} requests with {sum(waiting)} rows wait") as caught:
                refuse()
            assert caught.value.reason is Reason.OVERLOADED
            assert caught.value.detail == {"queued_requests": len(waiting), "queued_rows": sum(waiting)}
        running.model.gate.set()
        await gathered([first, *queued])
        running.batcher.admit(rows)
        await ask(running.batcher, random_batch(rows))

    asyncio.run(go())
    assert sum(running.model.rows) == 1 + sum(waiting) + rows


def test_up_to_the_limit_requests_are_taken(bench: Benches) -> None:
    running = bench(SLOW, BatchLimits(queued_requests=3, queued_rows=10))

    async def go() -> list[Any]:
        return await gathered([ask(running.batcher, random_batch(rows)) for rows in (4, 4, 2)])

    assert all(isinstance(answer, Answer) for answer in asyncio.run(go()))


def test_a_request_larger_than_the_limit_is_taken_when_nobody_waits(bench: Benches) -> None:
    running = bench(FAST, BatchLimits(queued_rows=10))
    (answer,) = run_all(running, [random_batch(500)])
    assert_same(answer, random_batch(500), running.predictor)
