"""A real MLflow server beside real workers: bundles in its registry, an alias that is followed, and rollbacks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression

from tests.e2e.mlflow_server import MlflowServer, mlflow_server
from tests.e2e.processes import run
from tests.e2e.workers import Service, service
from tests.served import total

pytestmark = [pytest.mark.e2e, pytest.mark.long]
NAME = "coin"
FIRST, SECOND, THIRD = ("1", True), ("2", False), ("3", True)
"""Versions, and whether their score of the row that is asked is high."""


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as own:
        yield own


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three bundles of one model: the second says the opposite of the first."""
    folder, made = tmp_path_factory.mktemp("bundles"), []
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 2))
    for number in range(3):
        y = ((x[:, 0] > 0.2 * number) == (number != 1)).astype(np.int64)
        table = {"a": x[:, 0], "b": x[:, 1], "y": y}
        out = folder / str(number)
        create_bundle(LogisticRegression().fit(x, y), table, "y", name=NAME, version="draft", out=out)
        made.append(out)
    return made


def command(mlflow: MlflowServer, *arguments: str) -> str:
    """Run `driftgauge mlflow`, and return what it prints."""
    done = run("mlflow", *arguments, env={"MLFLOW_TRACKING_URI": mlflow.address})
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Scene:
    """A server of two workers that follows the alias of a registered model of its own."""

    mlflow: MlflowServer
    service: Service
    registered: str

    def alias(self, version: str) -> None:
        """Let the alias name a version."""
        self.mlflow.client.set_registered_model_alias(self.registered, "champion", version)

    def named(self) -> str:
        """Return the version that the alias names."""
        return str(self.mlflow.client.get_model_version_by_alias(self.registered, "champion").version)

    def versions(self) -> dict[str, Any]:
        """Return the versions, the history and the alias as the server says them."""
        found: dict[str, Any] = httpx.get(f"{self.service.address}/models/{NAME}/versions", timeout=30.0).json()
        return found

    def live(self) -> str:
        """Return the version that answers."""
        (found,) = [own["version"] for own in self.versions()["versions"] if own["role"] == "live"]
        return str(found)

    def predict(self) -> set[tuple[str, bool]]:
        """Return the versions that the two workers answer with, and whether each one's score of a row is high."""
        rows, found = {"instances": [{"a": 2.0, "b": 0.5}]}, dict[int, tuple[str, bool]]()
        deadline = time.monotonic() + 90.0
        while len(found) < 2:
            assert time.monotonic() < deadline, f"only slots {sorted(found)} answer\n{self.service.log.read_text()}"
            with httpx.Client(base_url=self.service.address, timeout=30.0) as client:  # a connection is one worker's
                slot = client.get("/health").json()["worker"]["slot"]
                answer = client.post("/predict", json=rows).json()
            found[slot] = answer["model_version"], answer["predictions"][0]["score"] > 0.5
        return set(found.values())

    def alias_problem(self) -> str:
        """Return what is wrong with following the alias; empty if nothing is."""
        return str(self.versions()["alias"]["problem"] or "")

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples."""
        return total(self.service.samples(), name, **labels)

    def roll_back(self) -> dict[str, Any]:
        """Roll back as `driftgauge models rollback` does."""
        done = run("models", "rollback", NAME, "--reason", "too slow", "--who", "ann", "--url", self.service.address)
        assert done.returncode == 0, done.stderr
        return self.versions()


def within(condition: Callable[[], bool], own: Service, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, own.log.read_text()
        time.sleep(0.2)


@contextlib.contextmanager
def scene(mlflow: MlflowServer, bundles: list[Path], tmp_path: Path, registered: str) -> Iterator[Scene]:
    """Register the bundles, and serve what the alias names, the first one."""
    for number, bundle in enumerate(bundles, start=1):
        alias = ("--alias", "champion") if number == 1 else ()
        said = command(mlflow, "log-bundle", str(bundle), "--name", registered, *alias)
        assert f"models:/{registered}/{number} has the bundle" in said
    first = tmp_path / "first"
    command(mlflow, "fetch-bundle", f"models:/{registered}@champion", "--out", str(first))
    given = {
        "follow_alias": "champion",
        "registered_model": registered,
        "registry_uri": mlflow.address,
        "alias_poll_seconds": 1,
    }
    with service(first, tmp_path / "state", 2, tmp_path / "log", **given) as own:
        own.clients(2)
        yield Scene(mlflow, own, registered)


def test_a_moved_alias_is_a_hot_swap_and_a_rollback_moves_it_back(
    mlflow: MlflowServer, bundles: list[Path], tmp_path: Path
) -> None:
    with scene(mlflow, bundles, tmp_path, "moved") as own:
        within(lambda: own.metric("model_alias_followed") == 1.0, own.service)
        assert own.predict() == {FIRST}
        own.alias("2")
        within(lambda: own.live() == "2", own.service)
        within(lambda: own.predict() == {SECOND}, own.service)  # each worker changes by itself
        change = own.versions()["history"][0]
        assert (change["who"], change["reason"]) == ("alias champion", "models:/moved@champion names version 2")

        found = own.roll_back()
        assert own.named() == "1"
        assert found["history"][0]["kind"] == "rollback"
        tags = mlflow.client.get_model_version("moved", "2").tags
        assert tags["driftgauge.rolled_back.reason"] == "too slow"
        assert (tags["driftgauge.rolled_back.by"], tags["driftgauge.rolled_back.to"]) == ("ann", "1")
        polls = own.metric("model_alias_polls_total")
        within(lambda: own.metric("model_alias_polls_total") >= polls + 2.0, own.service)
        assert own.predict() == {FIRST}
        assert own.alias_problem() == ""
        refused = httpx.post(
            f"{own.service.address}/models/{NAME}/versions", json={"bundle": "first", "reason": "r"}, timeout=30.0
        )
        assert refused.status_code == 409
        assert "follows models:/moved@champion" in refused.json()["error"]["message"]


def test_a_version_that_cannot_be_loaded_and_a_server_that_is_away_change_nothing(
    mlflow: MlflowServer, bundles: list[Path], tmp_path: Path
) -> None:
    with scene(mlflow, bundles, tmp_path, "damaged") as own:
        within(lambda: own.metric("model_alias_followed") == 1.0, own.service)
        (model,) = (mlflow.folder / "artifacts").rglob(f"*/{_run(own, '2')}/artifacts/driftgauge/bundle/model.skops")
        model.write_bytes(b"damaged")
        own.alias("2")
        within(lambda: own.alias_problem() != "", own.service)
        assert "has other files than were logged" in own.alias_problem()
        assert own.predict() == {FIRST}
        within(lambda: own.metric("model_alias_followed") == 0.0, own.service)
        within(lambda: own.metric("model_alias_failures_total", reason="version_not_loaded") == 1.0, own.service)
        own.alias("3")
        within(lambda: own.live() == "3", own.service)
        within(lambda: own.predict() == {THIRD}, own.service)

        mlflow.stop()
        try:
            failed = own.metric("model_alias_failures_total", reason="registry_unreachable")
            within(
                lambda: own.metric("model_alias_failures_total", reason="registry_unreachable") > failed, own.service
            )
            assert own.predict() == {THIRD}
            own.roll_back()
            assert own.predict() == {FIRST}
            assert own.versions()["alias"]["move_waits_for"] == "1"
        finally:
            mlflow.start()
        within(lambda: own.named() == "1", own.service)
        within(lambda: own.versions()["alias"]["move_waits_for"] is None, own.service)
        assert own.predict() == {FIRST}


def _run(own: Scene, version: str) -> str:
    return str(own.mlflow.client.get_model_version(own.registered, version).run_id)


def test_a_server_starts_from_the_registry_records_verdicts_and_starts_again_without_it(
    mlflow: MlflowServer, bundles: list[Path], tmp_path: Path
) -> None:
    address = "models:/start@champion"
    command(mlflow, "log-bundle", str(bundles[0]), "--name", "start", "--alias", "champion")
    given = {"follow_alias": "champion", "registry_uri": mlflow.address, "alias_poll_seconds": 1}
    state = tmp_path / "state"
    with service(Path(address), state, 2, tmp_path / "log", **given) as own:
        served = Scene(mlflow, own, "start")
        within(lambda: served.metric("model_alias_followed") == 1.0, own)
        assert served.predict() == {FIRST}
        run_of = mlflow.client.get_model_version("start", "1").run_id
        within(lambda: "driftgauge.verdict" in mlflow.client.get_run(run_of).data.tags, own)
        tags = mlflow.client.get_run(run_of).data.tags
        assert (tags["driftgauge.verdict"], tags["driftgauge.verdict_version"]) == ("insufficient_data", "1")
        assert "baseline.json" in [Path(own.path).name for own in _artifacts(mlflow, run_of)]
        command(mlflow, "log-bundle", str(bundles[1]), "--name", "start", "--alias", "champion")
        within(lambda: served.live() == "2", own)
    mlflow.stop()
    try:
        with service(Path(address), state, 2, tmp_path / "log", **given) as own:
            assert Scene(mlflow, own, "start").predict() == {SECOND}
    finally:
        mlflow.start()


def test_a_bundle_is_added_to_a_version_that_mlflow_registered_and_never_changes(
    mlflow: MlflowServer, bundles: list[Path], tmp_path: Path
) -> None:
    client = mlflow.client
    experiment = client.create_experiment("training")
    run_of = client.create_run(experiment).info.run_id
    client.create_registered_model("trained")
    client.create_model_version("trained", f"runs:/{run_of}/model", run_id=run_of)
    said = command(mlflow, "log-bundle", str(bundles[0]), "--model", "models:/trained/1", "--alias", "champion")
    assert "models:/trained/1 has the bundle, and is champion" in said
    paths = [Path(own.path).name for own in client.list_artifacts(run_of, "driftgauge/trained/1")]
    assert {"baseline.json", "bundle.json", "model.skops"} <= set(paths)
    command(mlflow, "log-bundle", str(bundles[0]), "--model", "models:/trained@champion")  # the same again
    env = {"MLFLOW_TRACKING_URI": mlflow.address}
    refused = run("mlflow", "log-bundle", str(bundles[1]), "--model", "models:/trained/1", env=env)
    assert refused.returncode != 0
    assert "has another bundle already" in " ".join(refused.stderr.split())
    command(mlflow, "fetch-bundle", "models:/trained/1", "--out", str(tmp_path / "out"))
    assert '"version": "1"' in (tmp_path / "out" / "bundle.json").read_text()


def _artifacts(mlflow: MlflowServer, run_of: str) -> list[Any]:
    return list(mlflow.client.list_artifacts(run_of, "driftgauge/bundle"))
