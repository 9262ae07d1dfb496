from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driftgauge.registry.address import parse_address
from driftgauge.registry.follower import Followed, Follower
from driftgauge.registry.following import FollowingFile
from driftgauge.registry.thread import AliasThread

from tests.examples import Example
from tests.ledgers import Clock, Worker
from tests.registry.registries import Registered

ADDRESS = parse_address("models:/m@champion")


class Follows:
    """A worker with a thread that follows an alias; a test makes its steps."""

    def __init__(self, registry: Registered, folder: Path, clock: Clock) -> None:
        self.worker = Worker(folder, clock)
        self.errors: list[Exception] = []
        follower = Follower(
            registry,
            FollowingFile(folder),
            self.worker.ledger,
            self.worker.agent,
            folder,
            [Followed("m", ["m"], ADDRESS)],
            30.0,
        )
        self.thread = AliasThread(follower, None, clock, self.errors.append)


@pytest.fixture
def two(tmp_path: Path, binary: Example) -> Iterator[tuple[Follows, Follows, Clock]]:
    registry, clock = Registered(), Clock()
    registry.add("1", binary.folder)
    registry.aliases["champion"] = "1"
    own = [Follows(registry, tmp_path / "state", clock) for _ in range(2)]
    yield own[0], own[1], clock
    for follows in own:
        follows.thread.stop()
        follows.worker.ledger.close()


def test_one_worker_asks_and_all_know_the_answer(two: tuple[Follows, Follows, Clock]) -> None:
    first, second, _ = two
    for own in (first, second):
        own.thread.step()
    assert [own.thread.known("m").polls for own in (first, second)] == [1, 1]
    assert second.thread.known("m").version == "1"


def test_another_worker_asks_when_the_one_that_did_has_ended(two: tuple[Follows, Follows, Clock]) -> None:
    first, second, clock = two
    first.thread.step()
    first.thread.stop()
    clock.now += 30.0
    second.thread.step()
    assert second.thread.known("m").polls == 2


def test_a_model_that_follows_none_is_unknown(two: tuple[Follows, Follows, Clock]) -> None:
    two[0].thread.step()
    assert two[0].thread.known("other").version is None
