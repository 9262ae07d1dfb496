from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.metrics.facts import Exemplar
from driftgauge.telemetry.tally import EXEMPLAR_SECONDS, Tally

BOTH = ("metrics", "traces")
ROUTE = ("POST", "/predict")


def exemplar(at: float, trace: str = "a") -> Exemplar:
    return Exemplar(trace * 32, "b" * 16, 0.25, at)


def test_each_result_is_counted_from_zero(tmp_path: Path) -> None:
    assert Tally(tmp_path, 0, ["traces"]).facts(0.0, 0.05).items == {
        ("traces", "sent"): 0.0,
        ("traces", "failed"): 0.0,
        ("traces", "dropped"): 0.0,
    }


def test_any_worker_says_what_all_have_counted_and_the_next_of_a_slot_goes_on(tmp_path: Path) -> None:
    first, second = Tally(tmp_path, 0, BOTH), Tally(tmp_path, 1, BOTH)
    first.add("metrics", "sent", 5)
    second.add("traces", "dropped", 2)
    first.save()
    second.save()
    again = Tally(tmp_path, 0, BOTH)
    again.add("metrics", "sent", 1)
    for own, sent in ((first, 5.0), (second, 5.0), (again, 6.0)):
        items = own.facts(0.0, 0.05).items
        assert (items["metrics", "sent"], items["traces", "dropped"]) == (sent, 2.0)


def test_the_newest_request_of_each_bucket_is_shown_until_it_is_old(tmp_path: Path) -> None:
    first, second = Tally(tmp_path, 0, BOTH), Tally(tmp_path, 1, BOTH)
    first.note(ROUTE, 3, exemplar(10.0))
    first.note(ROUTE, 4, exemplar(1.0))
    second.note(ROUTE, 3, exemplar(20.0, "c"))
    first.save()
    second.save()
    for own in (first, second):
        assert own.facts(20.0, 0.05).exemplars[ROUTE] == {3: exemplar(20.0, "c"), 4: exemplar(1.0)}
        assert own.facts(EXEMPLAR_SECONDS + 10.0, 0.05).exemplars[ROUTE] == {3: exemplar(20.0, "c")}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"items": 3}',
        b'{"items": [], "exemplars": [[["a"], 1, 2]]}',
        b'{"items": [], "exemplars": [], "failed": {"metrics": "why"}}',
    ],
)
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "worker-1.json").write_bytes(content)
    own = Tally(tmp_path, 0, BOTH)
    own.add("metrics", "sent", 1)
    assert own.facts(0.0, 0.05).items["metrics", "sent"] == 1.0
    assert Tally(tmp_path, 1, BOTH).facts(0.0, 0.05).items["metrics", "sent"] == 1.0  # of the other one alone


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    own = Tally(None, 0, BOTH)
    own.add("metrics", "failed", 1)
    own.save()
    assert own.facts(0.0, 0.05).items["metrics", "failed"] == 1.0
    assert list(tmp_path.iterdir()) == []


def test_files_are_private_and_written_only_after_a_change(tmp_path: Path) -> None:
    own = Tally(tmp_path, 7, BOTH)
    own.save()
    assert list(tmp_path.iterdir()) == []
    own.add("traces", "sent", 1)
    own.save()
    (file,) = tmp_path.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("worker-7.json", 0o600)


def test_what_was_shown_is_kept_if_the_process_is_killed(tmp_path: Path) -> None:
    own = Tally(tmp_path, 0, ["metrics"])
    own.add("metrics", "sent", 5)
    own.delivered("metrics", 7.0)
    shown = own.facts(8.0, 0.05)
    again = Tally(tmp_path, 0, ["metrics"]).facts(8.0, 0.05)
    assert (again.items, again.sent_at) == (shown.items, {"metrics": 7.0})
    assert again.items["metrics", "sent"] == 5.0


def test_the_newest_time_of_all_workers_counts(tmp_path: Path) -> None:
    for slot, at in ((0, 9.0), (1, 7.0)):
        own = Tally(tmp_path, slot, ["traces"])
        own.delivered("traces", at)
        own.save()
    assert own.facts(10.0, 0.05).sent_at == {"traces": 9.0}


def test_the_newest_failure_of_all_workers_is_shown_until_a_later_success(tmp_path: Path) -> None:
    first, second, third = (Tally(tmp_path, slot, ["metrics"]) for slot in range(3))
    first.failed("metrics", 5.0, "it answered 503")
    second.failed("metrics", 6.0, "it is away")
    for own in (first, second):
        own.save()
    assert third.facts(7.0, 0.05).problems == {"metrics": "it is away"}
    first.delivered("metrics", 5.5)
    first.save()
    assert third.facts(7.0, 0.05).problems == {"metrics": "it is away"}
    third.delivered("metrics", 6.5)
    for own in (third, first):
        assert own.facts(7.0, 0.05).problems == {}


def test_failures_of_an_earlier_run_are_not_shown(tmp_path: Path) -> None:
    for slot in (0, 1):
        before = Tally(tmp_path, slot, ["traces"])
        before.failed("traces", 5.0, "it answered 503")
        before.save()
    after = Tally(tmp_path, 0, ["traces"], since=6.0)
    assert after.facts(7.0, 0.05).problems == {}
    after.failed("traces", 8.0, "it is away")
    assert after.facts(9.0, 0.05).problems == {"traces": "it is away"}


def test_files_of_a_version_without_failures_are_read(tmp_path: Path) -> None:
    (tmp_path / "worker-1.json").write_bytes(b'{"items": [["metrics", "sent", 3]], "exemplars": [], "sent_at": {}}')
    found = Tally(tmp_path, 0, ["metrics"]).facts(0.0, 0.05)
    assert (found.items["metrics", "sent"], found.problems) == (3.0, {})
