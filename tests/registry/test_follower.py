from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from driftgauge.errors import Reason, Refused
from driftgauge.registry.address import parse_address
from driftgauge.registry.fetching import folder_of
from driftgauge.registry.follower import RETRY, Followed, Follower
from driftgauge.registry.following import Following, FollowingFile
from driftgauge.releases.agent import HOUSEKEEPING_SECONDS
from driftgauge.releases.bundles import content_digest
from driftgauge.releases.release import Candidate, Cause, Kind, live_of
from driftgauge.releases.swaps import rollback_target

from tests.examples import Example
from tests.ledgers import Clock, Worker, settle
from tests.registry.registries import Registered
from tests.versions import versions_of

ADDRESS = parse_address("models:/m@champion")
POLL_SECONDS = 30.0


@dataclass
class Scene:
    """Two workers that serve version 1 of a model, and a registry whose alias one of them follows."""

    workers: list[Worker]
    registry: Registered
    follower: Follower
    clock: Clock
    state: Path

    def polled(self) -> Following:
        """Return what is known after the next poll, and after what it began."""
        self.clock.now += POLL_SECONDS
        self.follower.step(self.clock())
        settle(*self.workers)
        self.follower.step(self.clock())
        return self.known

    @property
    def known(self) -> Following:
        """What the file says."""
        return self.follower.file.read("m", str(ADDRESS))

    @property
    def live(self) -> set[str | None]:
        """The versions that answer."""
        return {worker.served.live for worker in self.workers}


@pytest.fixture
def scene(tmp_path: Path, binary: Example) -> Iterator[Scene]:
    clock, state, registry = Clock(), tmp_path / "state", Registered()
    for version, folder in zip("123", versions_of(binary.folder, tmp_path / "bundles", "123"), strict=True):
        registry.add(version, folder)
    registry.aliases["champion"] = "1"
    workers = [Worker(state, clock) for _ in range(2)]
    first = tmp_path / "bundles" / "1"
    workers[0].ledger.configure(Candidate("m", "1", first, content_digest(first)), clock(), 3)
    settle(*workers)
    own = workers[0]
    file = FollowingFile(state)
    followed = [Followed("m", [binary.bundle.info.name], ADDRESS)]
    follower = Follower(registry, file, own.ledger, own.agent, state, followed, POLL_SECONDS)
    yield Scene(workers, registry, follower, clock, state)
    file.close()
    for worker in workers:
        worker.ledger.close()


def test_a_live_version_that_the_alias_names_stays_without_a_download(scene: Scene) -> None:
    known = scene.polled()
    assert (known.version, known.polls, known.problem, scene.registry.downloads) == ("1", 1, None, 0)
    assert len(scene.workers[0].ledger.history("m")) == 1


def test_a_moved_alias_becomes_a_swap_of_all_workers_that_the_history_explains(scene: Scene) -> None:
    scene.polled()
    scene.registry.aliases["champion"] = "2"
    known = scene.polled()
    assert scene.live == {"2"}
    assert (known.version, known.problem, known.refused) == ("2", None, None)
    change = scene.workers[1].ledger.history("m")[-1]
    assert (change.kind, change.cause) == (
        Kind.LOAD,
        Cause("alias champion", "models:/m@champion names version 2"),
    )
    version = live_of(scene.workers[1].ledger.versions("m"))
    assert version is not None
    assert version.candidate.bundle == folder_of(scene.state, "m") / "2"
    assert content_digest(version.candidate.bundle) == version.candidate.digest


def test_the_registry_is_asked_once_in_each_interval(scene: Scene) -> None:
    scene.polled()
    scene.clock.now += POLL_SECONDS / 2
    scene.follower.step(scene.clock())
    assert scene.known.polls == 1


def test_an_alias_that_goes_back_is_a_rollback(scene: Scene) -> None:
    for version in "231":
        scene.registry.aliases["champion"] = version
        scene.polled()
    ledger = scene.workers[0].ledger
    assert scene.live == {"1"}
    assert [change.kind for change in ledger.history("m")] == [Kind.CONFIGURED, Kind.LOAD, Kind.LOAD, Kind.ROLLBACK]


def test_a_registry_that_is_away_leaves_the_version_and_is_counted(scene: Scene) -> None:
    scene.polled()
    scene.registry.is_away = True
    before = scene.known.polled_at
    known = scene.polled()
    assert scene.live == {"1"}
    assert known.failures == {"registry_unreachable": 1}
    assert (known.version, known.polled_at) == ("1", before)
    assert known.problem is not None
    scene.registry.is_away = False
    scene.registry.aliases["champion"] = "2"
    assert scene.polled().problem is None
    assert scene.live == {"2"}


def test_an_alias_that_is_gone_leaves_the_version(scene: Scene) -> None:
    del scene.registry.aliases["champion"]
    known = scene.polled()
    assert scene.live == {"1"}
    assert known.failures == {"alias_not_found": 1}


def test_a_version_that_a_worker_cannot_load_is_tried_again_after_a_time_that_doubles(scene: Scene) -> None:
    scene.workers[1].served.broken.add("2")
    scene.registry.aliases["champion"] = "2"
    known = scene.polled()
    assert scene.live == {"1"}
    assert (known.refused, known.attempts) == ("2", 1)
    assert known.problem == "version 2 was not loaded: version 2 cannot be loaded here"
    assert scene.polled().attempts == 1
    assert scene.polled().attempts == 2
    assert scene.known.retry_at == pytest.approx(scene.clock() + 2 * RETRY.first_seconds)
    assert scene.registry.downloads == 1
    scene.workers[1].served.broken.clear()
    for _ in range(5):
        scene.polled()
    assert scene.live == {"2"}
    assert (scene.known.problem, scene.known.refused, scene.known.attempts) == (None, None, 0)


def test_another_version_is_loaded_at_once_after_one_that_cannot_be(scene: Scene) -> None:
    for worker in scene.workers:
        worker.served.broken.add("2")
    scene.registry.aliases["champion"] = "2"
    scene.polled()
    scene.registry.aliases["champion"] = "3"
    assert scene.polled().problem is None
    assert scene.live == {"3"}


def test_a_bundle_that_was_changed_in_the_registry_is_refused(scene: Scene) -> None:
    (scene.registry.bundles["run-2"] / "more.txt").write_text("more")
    scene.registry.aliases["champion"] = "2"
    known = scene.polled()
    assert scene.live == {"1"}
    assert known.failures == {"version_not_loaded": 1}
    assert "has other files than were logged" in (known.problem or "")
    assert list(folder_of(scene.state, "m").iterdir()) == []


def test_the_bundle_of_another_model_is_refused(scene: Scene) -> None:
    own = Follower(
        scene.registry,
        scene.follower.file,
        scene.workers[0].ledger,
        scene.workers[0].agent,
        scene.state,
        [Followed("m", ["other"], ADDRESS)],
        POLL_SECONDS,
    )
    scene.follower = own
    scene.registry.aliases["champion"] = "2"
    assert "holds the model" in (scene.polled().problem or "")
    assert scene.live == {"1"}


def test_a_version_without_a_bundle_is_named(scene: Scene) -> None:
    own = scene.registry.versions["2"]
    scene.registry.versions["2"] = type(own)(own.name, own.version, own.run)
    scene.registry.aliases["champion"] = "2"
    known = scene.polled()
    assert known.failures == {"version_without_bundle": 1}
    assert "driftgauge mlflow log-bundle FOLDER --model models:/m/2" in (known.problem or "")


def test_a_live_version_with_other_files_than_the_registered_one_is_a_problem(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "bundles" / "1" / "more.txt").write_text("more")
    scene.registry.add("1", tmp_path / "bundles" / "1")
    known = scene.polled()
    assert "has other files than the registered one" in (known.problem or "")
    assert known.refused == "1"


def test_a_rollback_moves_the_alias_and_says_why_on_the_version_that_it_leaves(scene: Scene) -> None:
    scene.registry.aliases["champion"] = "2"
    scene.polled()
    _roll_back(scene)
    assert scene.registry.aliases["champion"] == "1"
    tags = scene.registry.versions["2"].tags
    assert tags["driftgauge.rolled_back.reason"] == "too slow"
    assert (tags["driftgauge.rolled_back.by"], tags["driftgauge.rolled_back.to"]) == ("ann", "1")
    assert tags["driftgauge.rolled_back"].startswith("1970-01-12T")
    assert scene.polled().problem is None
    assert scene.live == {"1"}


def test_a_rollback_without_the_registry_moves_the_alias_once_it_answers(scene: Scene) -> None:
    scene.registry.aliases["champion"] = "2"
    scene.polled()
    scene.registry.is_away = True
    _roll_back(scene)
    assert scene.registry.aliases["champion"] == "2"
    scene.polled()
    assert scene.live == {"1"}
    scene.registry.is_away = False
    known = scene.polled()
    assert scene.registry.aliases["champion"] == "1"
    assert (known.held, known.version, known.problem) == (None, "1", None)
    assert scene.live == {"1"}


def test_an_alias_that_moved_during_an_outage_wins_over_the_rollback(scene: Scene) -> None:
    scene.registry.aliases["champion"] = "2"
    scene.polled()
    scene.registry.is_away = True
    _roll_back(scene)
    scene.registry.is_away = False
    scene.registry.aliases["champion"] = "3"
    scene.polled()
    scene.polled()
    assert scene.registry.aliases["champion"] == "3"
    assert scene.live == {"3"}


def test_an_alias_is_not_followed_while_a_rollback_begins(scene: Scene) -> None:
    scene.registry.aliases["champion"] = "2"
    scene.polled()
    held = scene.follower.moves(scene.follower.followed[0]).begin("1", Cause("ann", "too slow"), scene.clock())
    assert scene.polled().held == held
    scene.clock.now += 60.0
    assert scene.polled().held is None  # it never began
    assert scene.live == {"2"}


def test_a_rollback_to_a_version_that_is_not_registered_is_refused_before_anything_changes(scene: Scene) -> None:
    with pytest.raises(Refused, match="has no version 7") as refused:
        scene.follower.moves(scene.follower.followed[0]).begin("7", Cause("ann", "r"), scene.clock())
    assert refused.value.reason is Reason.VERSION_CONFLICT
    assert scene.known.held is None


def test_bundles_of_removed_versions_are_deleted(scene: Scene) -> None:
    for version in "23":
        scene.registry.aliases["champion"] = version
        scene.polled()
    folder = folder_of(scene.state, "m")
    assert sorted(own.name for own in folder.iterdir()) == ["2", "3", "@champion"]
    scene.clock.now += 7_200.0
    for _ in range(3):  # it is removed, then its state is deleted
        scene.clock.now += HOUSEKEEPING_SECONDS
        settle(*scene.workers)
    scene.registry.aliases["champion"] = "1"
    scene.polled()
    assert sorted(own.name for own in folder.iterdir()) == ["1", "3", "@champion"]
    assert (folder / "@champion").read_text() == "1"


def _roll_back(scene: Scene) -> None:
    """Roll back as the server does when it is asked."""
    own, cause = scene.workers[1], Cause("ann", "too slow")
    moves = scene.follower.moves(scene.follower.followed[0])
    target = rollback_target(own.ledger, "m")
    held = moves.begin(target.version, cause, scene.clock())
    own.agent.request(target, Kind.ROLLBACK, cause)
    settle(*scene.workers)
    assert scene.live == {target.version}
    moves.complete(held)
