from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from driftgauge.registry.address import parse_address
from driftgauge.registry.follower import Followed
from driftgauge.registry.following import Following, FollowingFile
from driftgauge.registry.recording import RECORD_SECONDS, Verdict, VerdictRecorder

from tests.registry.registries import Registered

ADDRESS = parse_address("models:/m@champion")
NORMAL = Verdict("1", "normal", "no drift", (), 1_000.0)
DRIFTED = Verdict("1", "drift_detected", "temp: moved", ("temp", "wind"), 1_100.0)


class Scene:
    """A recorder whose verdict a test sets."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registered()
        self.file = FollowingFile(folder)
        self.file.update("m", str(ADDRESS), lambda _: Following(version="1", run="run-1"))
        self.verdict: Verdict | None = NORMAL
        self.errors: list[Exception] = []
        self.recorder = VerdictRecorder(
            self.registry, self.file, [Followed("m", ["m"], ADDRESS)], lambda _: self.verdict, self.errors.append
        )

    def statuses(self) -> list[str]:
        return [tags["driftgauge.verdict"] for _, tags, _, _ in self.registry.runs]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    own = Scene(tmp_path)
    yield own
    own.file.close()


def test_a_verdict_is_written_when_it_changes(scene: Scene) -> None:
    scene.recorder.step(10_000.0)
    scene.recorder.step(20_000.0)
    scene.verdict = DRIFTED
    scene.recorder.step(30_000.0)
    assert scene.statuses() == ["normal", "drift_detected"]
    run, tags, metrics, at = scene.registry.runs[-1]
    assert (run, at) == ("run-1", 1_100.0)
    assert tags["driftgauge.drifted_features"] == "temp, wind"
    assert (tags["driftgauge.verdict_version"], tags["driftgauge.verdict_reason"]) == ("1", "temp: moved")
    assert metrics == {"driftgauge_verdict": 2.0, "driftgauge_features_drifted": 2.0}


def test_a_verdict_that_flaps_is_written_at_most_once_a_minute(scene: Scene) -> None:
    for second in range(0, 300, 5):
        scene.verdict = (NORMAL, DRIFTED)[second // 5 % 2]
        scene.recorder.step(10_000.0 + second)
    assert 1 < len(scene.registry.runs) <= 300 / RECORD_SECONDS


def test_a_verdict_of_a_version_that_the_alias_does_not_name_is_not_written(scene: Scene) -> None:
    scene.verdict = replace(NORMAL, version="2")
    scene.recorder.step(10_000.0)
    scene.verdict = None
    scene.recorder.step(20_000.0)
    assert scene.registry.runs == []


def test_a_registry_that_is_away_is_reported_and_asked_again_after_a_minute(scene: Scene) -> None:
    scene.registry.is_away = True
    scene.recorder.step(10_000.0)
    scene.recorder.step(10_030.0)
    assert len(scene.errors) == 1
    scene.registry.is_away = False
    scene.recorder.step(10_000.0 + RECORD_SECONDS)
    assert scene.statuses() == ["normal"]


def test_a_verdict_without_enough_data_has_no_metric(scene: Scene) -> None:
    scene.verdict = replace(NORMAL, status="insufficient_data")
    scene.recorder.step(10_000.0)
    assert scene.registry.runs[0][2] == {"driftgauge_features_drifted": 0.0}
