"""What is remembered of rows as they are sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from driftgauge.drift.quality.checker import QualityOptions
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.requests import FaultyRow
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.sent_rows import EXAMPLES, SPAN_SECONDS, STEP_SECONDS, SentRowsLog

from tests.monitors import small_monitor


class Kept:
    """A monitor with its log of sent rows, at a time that is set."""

    def __init__(self, *, redacted: Collection[str] = (), has_examples: bool = True) -> None:
        self.now = 1_000.0
        self.monitor = small_monitor()
        self.capture = Capture(self.monitor, Problems(lambda: self.now))
        options = QualityOptions(redacted=frozenset(redacted), has_examples=has_examples)
        self.log = SentRowsLog(Constraints(()), options, ("age", "income"), lambda: self.now, self.counted)
        self.monitor.sent = self.log

    @property
    def counted(self) -> Any:
        return self.monitor.store.counters.copy()

    def refuse(self, field: str | None, message: str = "it is a text", reason: Reason = Reason.WRONG_TYPE) -> None:
        self.capture.refused(Refused(reason, message, {} if field is None else {"field": field}))

    def violations(self) -> int:
        return {own.constraint: own.violations for own in self.log.report(self.counted).verdicts}["type"]

    def examples(self) -> tuple[FaultyRow, ...]:
        return next(own.examples for own in self.log.report(self.counted).verdicts if own.constraint == "type")


def test_violations_are_forgotten_after_fifteen_minutes() -> None:
    kept = Kept()
    kept.refuse("age")
    assert (kept.violations(), len(kept.examples())) == (1, 1)
    kept.now += SPAN_SECONDS / 2
    kept.refuse("age")
    assert kept.violations() == 2
    kept.now += SPAN_SECONDS / 2
    assert kept.violations() == 2
    kept.now += SPAN_SECONDS / 2
    assert kept.violations() == 0
    assert kept.examples() == ()


def test_the_counts_that_are_kept_are_bounded() -> None:
    kept = Kept()
    for _ in range(3_000):
        kept.now += 1.0
        kept.log.report(kept.counted)
    assert len(kept.log._counts) <= SPAN_SECONDS / STEP_SECONDS + 2
    assert kept.log.report(kept.counted).seconds <= SPAN_SECONDS + STEP_SECONDS


def test_the_last_examples_are_kept_newest_first() -> None:
    kept = Kept()
    for place in range(EXAMPLES + 2):
        kept.refuse("age", f"number {place}")
    kept.refuse("body", reason=Reason.NOT_JSON)
    assert [own.message for own in kept.examples()] == ["number 4", "number 3", "number 2"]


@pytest.mark.parametrize(
    ("field", "message"), [("age", "it is a text"), ("income", None), (None, None), ("dataframe_split", None)]
)
def test_a_message_that_may_have_a_redacted_value_is_not_shown(field: str | None, message: str | None) -> None:
    kept = Kept(redacted=["income"])
    kept.refuse(field)
    assert [(own.field, own.message) for own in kept.examples()] == [(field, message)]


def test_without_examples_none_are_kept() -> None:
    kept = Kept(has_examples=False)
    kept.refuse("age")
    assert (kept.violations(), kept.examples()) == (1, ())
