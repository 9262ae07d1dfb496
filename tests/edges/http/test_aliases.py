from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.http.aliases import Aliases
from driftgauge.errors import Reason, Refused
from driftgauge.registry.address import parse_address
from driftgauge.registry.follower import Followed, Follower
from driftgauge.registry.following import FollowingFile
from driftgauge.registry.thread import AliasThread
from driftgauge.releases.release import Cause

from tests.examples import Example
from tests.ledgers import Clock, Worker
from tests.registry.registries import Registered

ADDRESS = parse_address("models:/m@champion")


@dataclass
class Scene:
    """A model whose alias names version 2, with version 1 before it, and another model without an alias."""

    aliases: Aliases
    registry: Registered
    changes: int = 0

    def roll_back(self, model: str = "m", refusal: Refused | None = None) -> dict[str, Any]:
        """Roll back to version 1, by a change of versions that may be refused."""

        async def change() -> dict[str, Any]:
            self.changes += 1
            if refusal is not None:
                raise refusal
            return {"version": "1"}

        return asyncio.run(self.aliases.with_rollback(model, "1", Cause("ann", "too slow"), change))

    @property
    def shown(self) -> dict[str, Any]:
        """What the list of versions says of the alias."""
        found = self.aliases.as_json("m")
        assert found is not None
        return found


@pytest.fixture
def scene(tmp_path: Path, binary: Example) -> Iterator[Scene]:
    clock, registry = Clock(), Registered()
    for version in "12":
        registry.add(version, binary.folder)
    registry.aliases["champion"] = "2"
    worker, file = Worker(tmp_path, clock), FollowingFile(tmp_path)
    followed = Followed("m", ["m"], ADDRESS)
    follower = Follower(registry, file, worker.ledger, worker.agent, tmp_path, [followed], 30.0)
    thread = AliasThread(follower, None, clock, lambda error: pytest.fail(str(error)))
    yield Scene(Aliases({"m": followed}, follower, thread, 300.0, clock), registry)
    file.close()
    worker.ledger.close()


def test_a_rollback_moves_the_alias_and_says_so(scene: Scene) -> None:
    assert scene.roll_back() == {"version": "1", "alias_moved": True}
    assert scene.registry.aliases == {"champion": "1"}
    tags = scene.registry.versions["2"].tags
    assert tags["driftgauge.rolled_back"] == "1970-01-12T13:46:40Z"
    assert (tags["driftgauge.rolled_back.by"], tags["driftgauge.rolled_back.reason"]) == ("ann", "too slow")
    assert (scene.shown["version"], scene.shown["move_waits_for"]) == ("1", None)


def test_a_rollback_that_is_refused_leaves_the_alias(scene: Scene) -> None:
    with pytest.raises(Refused, match="it is gone"):
        scene.roll_back(refusal=Refused(Reason.VERSION_CONFLICT, "it is gone"))
    assert scene.registry.aliases == {"champion": "2"}
    assert scene.shown["move_waits_for"] is None


def test_a_rollback_needs_no_registry_and_the_alias_is_moved_later(scene: Scene) -> None:
    scene.registry.is_away = True
    assert scene.roll_back() == {"version": "1", "alias_moved": False}
    assert scene.shown["move_waits_for"] == "1"


def test_a_version_that_is_not_registered_is_not_rolled_back_to(scene: Scene) -> None:
    del scene.registry.versions["1"]
    with pytest.raises(Refused, match="has no version 1"):
        scene.roll_back()
    assert scene.changes == 0


def test_a_model_without_an_alias_is_rolled_back_alone(scene: Scene) -> None:
    assert scene.roll_back("other") == {"version": "1"}
    assert (scene.aliases.as_json("other"), scene.aliases.facts("other")) == (None, None)
    scene.aliases.refuse_load("other")
    assert scene.registry.aliases == {"champion": "2"}


def test_a_version_cannot_be_loaded_beside_the_alias(scene: Scene) -> None:
    with pytest.raises(Refused, match="m follows models:/m@champion: let the alias name another version"):
        scene.aliases.refuse_load("m")


def test_the_facts_of_an_alias_that_was_not_asked_for_yet_have_no_answer(scene: Scene) -> None:
    facts = scene.aliases.facts("m")
    assert facts is not None
    assert (facts.alias, facts.version, facts.polls, facts.answered_at) == ("champion", None, 0, None)
    assert set(facts.failures) == {0.0}
