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
from driftgauge.errors import Reason
from driftgauge.metrics.series import (
    ABOVE,
    AGREED,
    BELOW,
    DIFFERED,
    OBSERVATIONS,
    PREDICTIONS,
    SHADOW,
    SHADOW_DIFFERENCE,
    SHADOW_DROPPED,
    SHADOW_ROWS,
)
from driftgauge.models.bundle import Bundle
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import Batcher
from driftgauge.serving.latency_probe import LatencyModel
from driftgauge.serving.request import QueuedRequest
from driftgauge.serving.shadow import PROBLEM, FeatureMap, Shadow

from tests.examples import Example
from tests.monitors import START, monitor_of


class Gated:
    """An estimator that waits at a gate, and raises where its first number is large."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.gate = threading.Event()
        self.gate.set()

    def predict_proba(self, x: FloatArray) -> Any:
        assert self.gate.wait(30.0)
        if (x[:, 0] >= 1e7).any():
            raise ArithmeticError("poison")
        return self._estimator.predict_proba(x)


@dataclass(frozen=True)
class Pair:
    """A live batcher whose rows a shadow sees."""

    batcher: Batcher
    live: ColumnMonitor
    shadow: ColumnMonitor
    mirror: Shadow
    model: Gated
    problems: Problems
    executor: ThreadPoolExecutor

    def answer(self, *batches: Batch) -> list[Any]:
        """Answer requests one after the other, and wait for the shadow unless its gate is closed."""

        async def go() -> list[Any]:
            asked = [QueuedRequest(batch, START, None, time.perf_counter(), ["id"] * len(batch)) for batch in batches]
            return [await self.batcher.submit(request) for request in asked]

        found = asyncio.run(go())
        if self.model.gate.is_set():
            self.settle()
        return found

    def settle(self) -> None:
        """Wait until the shadow's thread has nothing to do."""
        self.executor.submit(int).result(30.0)

    def counted(self, name: str, label: str) -> float:
        counters = self.shadow.store.counters
        children = next(spec for spec in counters.series if spec.name == name).children
        return float(counters.copy()[name][children.index((label,)), 0])


Pairs = Callable[..., Pair]


@pytest.fixture
def pair(binary: Example) -> Iterator[Pairs]:
    with ThreadPoolExecutor(1) as executor:

        def make(shadow: Bundle | None = None, example: Example = binary, queue_rows: int = 1000) -> Pair:
            own = shadow or example.bundle
            model, problems = Gated(own.model), Problems(lambda: START)
            live, monitor = monitor_of(example), monitor_of(replace(example, bundle=own))
            latency = LatencyModel(0.0, 0.0)
            batcher = Batcher(Predictor(example.bundle), Capture(live, problems), latency, executor)
            is_gated = own.info.task != "regression"
            predictor = Predictor(replace(own, model=model) if is_gated else own)
            mirror = Shadow(
                predictor, example.bundle.info, monitor, problems, executor, queue_rows=queue_rows, batch_rows=64
            )
            batcher.mirror = mirror
            return Pair(batcher, live, monitor, mirror, model, problems, executor)

        yield make


def _batches(example: Example, sizes: Sequence[int]) -> list[Batch]:
    return [example.batch(example.rows(size, first)) for first, size in enumerate(sizes)]


def test_the_same_model_agrees_with_itself(pair: Pairs, binary: Example) -> None:
    own = pair()
    own.answer(*_batches(binary, [1, 5, 70]))
    assert own.counted(SHADOW_ROWS.name, AGREED) == 76
    assert own.counted(SHADOW_ROWS.name, DIFFERED) == 0
    assert own.counted(SHADOW_DIFFERENCE.name, ABOVE) + own.counted(SHADOW_DIFFERENCE.name, BELOW) < 1e-9
    assert own.counted(OBSERVATIONS.name, SHADOW) == 76
    assert own.shadow.store.rows == own.live.store.rows == 76
    assert own.shadow.store.counters.copy()[PREDICTIONS.name][0, 0] == 0.0


def test_another_model_differs_by_rows_and_scores(pair: Pairs, binary: Example, tolerant: Example) -> None:
    class Opposite:
        def __init__(self, estimator: Any) -> None:
            self._estimator = estimator

        def predict_proba(self, x: FloatArray) -> Any:
            return self._estimator.predict_proba(x)[:, ::-1]

    own = pair(replace(binary.bundle, model=Opposite(binary.bundle.model)))
    (answer,) = own.answer(*_batches(binary, [40]))
    live = np.array(answer.scores)
    assert own.counted(SHADOW_ROWS.name, DIFFERED) == 40
    assert own.counted(SHADOW_DIFFERENCE.name, ABOVE) == pytest.approx(np.maximum(1.0 - 2.0 * live, 0.0).sum())
    assert own.counted(SHADOW_DIFFERENCE.name, BELOW) == pytest.approx(np.maximum(2.0 * live - 1.0, 0.0).sum())


def test_values_of_a_regression_agree_within_a_tenth_of_their_spread(pair: Pairs, regression: Example) -> None:
    class Shifted:
        def __init__(self, estimator: Any, by: float) -> None:
            self._estimator, self._by = estimator, by

        def predict(self, x: FloatArray) -> Any:
            return self._estimator.predict(x) + self._by

    baseline = regression.bundle.baseline
    spread = float(baseline.numbers("std")[baseline.names.index("prediction")])
    for shift, agreed in ((0.09 * spread, 20), (-0.11 * spread, 0)):
        own = pair(replace(regression.bundle, model=Shifted(regression.bundle.model, shift)), regression)
        own.answer(*_batches(regression, [20]))
        assert own.counted(SHADOW_ROWS.name, AGREED) == agreed
        assert own.counted(SHADOW_DIFFERENCE.name, ABOVE if shift > 0 else BELOW) == pytest.approx(20 * abs(shift))


def test_rows_beyond_the_queue_are_dropped_and_answers_do_not_wait(pair: Pairs, binary: Example) -> None:
    own = pair(queue_rows=10)
    own.model.gate.clear()
    (first,) = own.answer(*_batches(binary, [5]))
    time_limit = time.monotonic() + 30.0
    while own.mirror._queue.rows:  # until the thread waits at the gate
        assert time.monotonic() < time_limit
        time.sleep(0.001)
    assert len(first.scores) == 5
    answers = own.answer(*_batches(binary, [6, 4, 1]))
    assert [len(answer.scores) for answer in answers] == [6, 4, 1]
    assert own.counted(SHADOW_DROPPED.name, Reason.SHADOW_QUEUE_FULL) == 1
    own.model.gate.set()
    own.settle()
    assert own.counted(SHADOW_ROWS.name, AGREED) == 15


def test_only_the_request_on_which_it_fails_is_lost(pair: Pairs, binary: Example) -> None:
    own = pair()
    own.model.gate.clear()
    batches = _batches(binary, [3, 2, 4])
    batches[1].cells[0, 0] = 1e8
    answers = own.answer(*batches)
    assert [len(answer.scores) for answer in answers] == [3, 2, 4]
    own.model.gate.set()
    own.settle()
    assert own.counted(SHADOW_DROPPED.name, Reason.SHADOW_FAILED) == 2
    assert own.counted(SHADOW_ROWS.name, AGREED) + own.counted(SHADOW_ROWS.name, DIFFERED) == 7
    assert any(PROBLEM in text and "poison" in text for text in own.problems.current())


def test_features_are_found_by_their_names(pair: Pairs, binary: Example) -> None:
    info = binary.bundle.info
    reordered = info.model_copy(update={"features": info.features[::-1]})
    rows = FeatureMap(info, reordered).rows(_batches(binary, [3])[0])
    np.testing.assert_array_equal(rows.cells, _batches(binary, [3])[0].cells[:, ::-1])
    fewer = info.model_copy(update={"features": info.features[:2]})
    assert FeatureMap(fewer, info).missing == [feature.name for feature in info.features[2:]]
    assert FeatureMap(info, fewer).missing == []


def test_texts_keep_their_features(text: Example) -> None:
    info = text.bundle.info
    batch = text.batch(text.rows(2))
    reordered = info.model_copy(update={"features": info.features[::-1]})
    rows = FeatureMap(info, reordered).rows(batch)
    last = len(info.features) - 1
    assert rows.texts == {last - index: texts for index, texts in batch.texts.items()}


def test_rows_without_a_feature_of_the_shadow_are_dropped(pair: Pairs, binary: Example) -> None:
    own = pair()
    fewer = binary.bundle.info.model_copy(update={"features": binary.bundle.info.features[:2]})
    own.mirror._map = FeatureMap(fewer, binary.bundle.info)
    own.answer(*_batches(binary, [3]))
    assert own.counted(SHADOW_DROPPED.name, Reason.SHADOW_FEATURES) == 3


def test_a_closed_shadow_takes_no_rows(pair: Pairs, binary: Example) -> None:
    own = pair()
    own.mirror.close()
    own.answer(*_batches(binary, [3]))
    assert own.shadow.store.rows == 0
    assert own.problems.current() == []


def test_a_failure_of_the_shadow_fails_no_answer(pair: Pairs, binary: Example) -> None:
    own = pair()
    own.shadow.store.leave()
    (answer,) = own.answer(*_batches(binary, [3]))
    assert len(answer.scores) == 3
    assert any(PROBLEM in text for text in own.problems.current())
