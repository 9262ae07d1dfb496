from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from driftgauge.common.private_files import FileLock
from driftgauge.telemetry.sender import MetricSender, Page
from driftgauge.telemetry.starts import FILE, Starts
from driftgauge.telemetry.tally import Tally
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

PAGE = "# HELP model_window_rows Rows.\n# TYPE model_window_rows gauge\nmodel_window_rows 3\nmodel_window_rows 4\n"


class Kept(MetricExporter):
    """Keeps what is sent, or refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[MetricsData] = []
        self.result = MetricExportResult.SUCCESS
        self.is_shut = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:
        self.data.append(metrics_data)
        return self.result

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        self.is_shut = True

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True


class Sending:
    """The sender of one worker."""

    def __init__(self, folder: Path | None, interval: float = 0.01) -> None:
        self.kept, self.tally = Kept(), Tally(None, 0, ["metrics"])
        self.text = PAGE
        self.failed: list[str | None] = []
        self.errors: list[Exception] = []
        self.is_page_damaged = False
        self.rejected = 0
        lock = None if folder is None else FileLock(folder / "lock")
        self.sender = MetricSender(
            self.kept,
            self.page,
            Resource({}),
            "1.0",
            Starts(1.0, folder),
            lock,
            interval,
            self.tally,
            self.failed.append,
            lambda: self.rejected,
            lambda: 5.0,
        )

    async def page(self) -> Page:
        if self.is_page_damaged:
            raise ValueError("no page")
        return [self.text[:20].encode(), self.text[20:].encode()], {}

    async def until(self, condition: Callable[[], bool]) -> None:
        running = asyncio.create_task(self.sender.run(self.errors.append))
        async with asyncio.timeout(60.0):
            while not condition():
                await asyncio.sleep(0.005)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    @property
    def items(self) -> dict[str, float]:
        return {result: count for (_, result), count in self.tally.facts(0.0, 0.05).items.items()}


def test_points_are_sent_at_intervals_and_counted() -> None:
    own = Sending(None)
    asyncio.run(own.until(lambda: len(own.kept.data) >= 3 and own.items["sent"] >= 6))
    assert own.items["failed"] == 0
    assert own.failed[:3] == [None, None, None]
    assert own.errors == []


def test_points_that_do_not_arrive_are_counted_and_the_next_ones_are_sent() -> None:
    own = Sending(None)
    own.kept.result = MetricExportResult.FAILURE
    asyncio.run(own.until(lambda: own.items["failed"] >= 4))
    own.kept.result = MetricExportResult.SUCCESS
    asyncio.run(own.until(lambda: own.items["sent"] >= 2))
    assert own.failed[0] == "metrics"
    assert own.failed[-1] is None


def test_points_that_the_collector_rejects_have_failed() -> None:
    own = Sending(None)
    own.rejected = 1
    asyncio.run(own.until(lambda: own.items["failed"] >= 3))
    assert own.items["sent"] == own.items["failed"]  # one of two each time
    assert set(own.failed) == {"metrics"}


def test_a_page_that_cannot_be_read_is_recorded_and_tried_again() -> None:
    own = Sending(None)
    own.is_page_damaged = True
    asyncio.run(own.until(lambda: len(own.errors) >= 2))
    own.is_page_damaged = False
    asyncio.run(own.until(lambda: len(own.kept.data) >= 1))
    assert {str(error) for error in own.errors} == {"no page"}


def test_one_of_several_workers_sends_until_it_leaves_its_place(tmp_path: Path) -> None:
    first, second = Sending(tmp_path), Sending(tmp_path)

    async def run() -> None:
        await first.until(lambda: bool(first.kept.data))
        waiting = asyncio.create_task(second.until(lambda: bool(second.kept.data)))
        await asyncio.sleep(0.1)
        assert second.kept.data == []
        sent = len(first.kept.data)
        await first.sender.close(60.0)
        assert len(first.kept.data) == sent + 1  # the last numbers
        assert first.kept.is_shut
        await waiting

    asyncio.run(run())
    assert second.items["sent"] >= 2


def test_a_worker_that_is_not_the_sender_sends_nothing_at_the_end(tmp_path: Path) -> None:
    first, second = Sending(tmp_path), Sending(tmp_path)

    async def run() -> None:
        await first.until(lambda: bool(first.kept.data))
        await second.sender.close(60.0)

    asyncio.run(run())
    assert second.kept.data == []
    assert second.kept.is_shut


def counter(value: int) -> str:
    return (
        f"# HELP model_predictions_total P.\n# TYPE model_predictions_total counter\nmodel_predictions_total {value}\n"
    )


def starts_of(own: Sending) -> list[int | None]:
    """Return the start of the only series in each transmission."""
    return [
        point.start_time_unix_nano
        for data in own.kept.data
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    ]


def test_the_next_sender_knows_what_the_one_before_has_sent_last(tmp_path: Path) -> None:
    first, second, third = (Sending(tmp_path) for _ in range(3))
    first.text, second.text, third.text = counter(5), counter(5), counter(2)

    async def run() -> None:
        for own in (first, second, third):
            await own.until(lambda own=own: bool(own.kept.data))  # type: ignore[misc]
            await own.sender.close(60.0)

    asyncio.run(run())
    assert set(starts_of(first) + starts_of(second)) == {1_000_000_000}
    assert set(starts_of(third)) == {5_000_000_000}  # the time of the last points


def test_points_are_sent_also_where_their_values_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    own = Sending(tmp_path)
    asyncio.run(own.until(lambda: len(own.kept.data) >= 2 and len(own.errors) >= 2))
    assert own.items["sent"] >= 2
    assert {type(error) for error in own.errors} == {IsADirectoryError}
