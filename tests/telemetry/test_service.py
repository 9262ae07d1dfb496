from __future__ import annotations

from pathlib import Path

from driftgauge.telemetry.exporters import LastMessage
from driftgauge.telemetry.options import TelemetryOptions
from driftgauge.telemetry.service import Failures, Telemetry
from driftgauge.telemetry.tally import Tally

ADDRESS = "https://collector.example:4318"
OPTIONS = TelemetryOptions(f"{ADDRESS}/token-of-ours", headers={"x-api-key": "sesame"})


class Told:
    """The telemetry of one worker that sends nothing itself."""

    def __init__(self, folder: Path | None = None, slot: int = 0) -> None:
        self.now = 5.0
        self.errors: list[Exception] = []
        self.messages, self.tally = LastMessage(), Tally(folder, slot, ["metrics", "traces"])
        self.failures = Failures(self.messages, ADDRESS, self.errors.append, self.tally, lambda: self.now)
        self.telemetry = Telemetry(self.tally, self.messages, None, None, OPTIONS, lambda: self.now, self.errors.append)


def test_a_failure_is_a_problem_until_the_signal_arrives() -> None:
    own = Told()
    own.messages.delivery("metrics").fail("it answered 503")
    own.failures.of("metrics")("metrics")
    assert own.telemetry.problems() == [f"telemetry: metrics do not reach {ADDRESS}: it answered 503"]
    assert [str(error) for error in own.errors] == [f"metrics do not reach {ADDRESS}: it answered 503"]
    own.failures.of("traces")(None)
    assert len(own.telemetry.problems()) == 1
    own.failures.of("metrics")(None)
    assert own.telemetry.problems() == []


def test_a_reason_that_names_the_collector_is_told_without_naming_it_twice() -> None:
    own = Told()
    own.messages.delivery("traces").fail(f"{ADDRESS} answered 503")
    own.failures.of("traces")("traces")
    assert own.telemetry.problems() == [f"telemetry: traces do not reach the collector: {ADDRESS} answered 503"]


def test_the_status_has_counts_and_the_last_success_and_no_secret() -> None:
    own = Told()
    own.tally.add("metrics", "sent", 3)
    own.failures.of("metrics")(None)
    own.tally.add("traces", "dropped", 2)
    own.failures.of("traces")("traces")
    said = own.telemetry.status()
    assert said["endpoint"] == ADDRESS
    assert said["signals"]["metrics"] == {
        "sent": 3,
        "failed": 0,
        "last_sent_at": "1970-01-01T00:00:05.000Z",
        "problem": None,
    }
    assert (said["signals"]["traces"]["dropped"], said["signals"]["traces"]["last_sent_at"]) == (2, None)
    assert said["signals"]["traces"]["problem"].startswith("traces do not reach")
    assert "token-of-ours" not in str(said)
    assert "sesame" not in str(said)


def test_a_worker_that_does_not_send_says_why_the_sender_fails(tmp_path: Path) -> None:
    sending, other = Told(tmp_path, 0), Told(tmp_path, 1)
    sending.messages.delivery("metrics").fail("it answered 503")
    sending.failures.of("metrics")("metrics")
    sending.tally.save()
    why = f"metrics do not reach {ADDRESS}: it answered 503"
    assert other.telemetry.problems() == [f"telemetry: {why}"]
    assert other.telemetry.status()["signals"]["metrics"]["problem"] == why
    sending.failures.of("metrics")(None)
    sending.tally.save()
    assert other.telemetry.problems() == []
    assert other.telemetry.status()["signals"]["metrics"]["problem"] is None
