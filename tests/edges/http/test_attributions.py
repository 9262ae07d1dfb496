"""Attributions in the status, in the metrics and on the page of a real server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.errors import SettingsError
from driftgauge.main import create_app
from driftgauge.models.bundle import Bundle, load_bundle
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LinearRegression

from tests.examples import quiet
from tests.served import Served, served

NAMES = ["a", "b", "c"]
SETTINGS: dict[str, Any] = {"windows": (500,), "attribution_seconds": 1}


@dataclass(frozen=True)
class Explained:
    bundle: Bundle


def values(count: int, seed: int, scale: float = 1.0) -> FloatArray:
    """Return rows of three columns, the first of which is scaled."""
    return np.random.default_rng(seed).normal(size=(count, 3)) * [scale, 1.0, 1.0]


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Explained:
    table = pd.DataFrame(values(2_000, 0), columns=NAMES)
    table["target"] = 4.0 * table["a"] + 2.0 * table["b"] + table["c"]
    folder = tmp_path_factory.mktemp("explained") / "bundle"
    model = LinearRegression().fit(table[NAMES].to_numpy(), table["target"])
    create_bundle(model, table, "target", name="explained", version="1", out=folder, features=NAMES)
    return Explained(load_bundle(folder))


def predict(server: Served, rows: FloatArray) -> None:
    assert server.predict({"data": rows.tolist()}).status_code == 200


def until(server: Served, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what the status says of attributions, once it is as wanted."""
    deadline = time.monotonic() + 60.0
    while True:
        status = server.status()
        found: dict[str, Any] = status["attributions"]
        if wanted(found):
            DriftStatus.model_validate(status)
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_other_features_that_decide_are_in_the_status_the_metrics_and_on_the_page(
    explained: Explained, tmp_path: Path
) -> None:
    with served(explained, state_dir=tmp_path, **SETTINGS) as running:
        predict(running, values(500, 1))
        quiet_one = until(running, lambda found: found["ndcg"] is not None)
        assert quiet_one["ndcg"] == pytest.approx(1.0)
        assert quiet_one["drifted"] is False
        assert quiet_one["last"]["method"] == "linear"
        predict(running, values(500, 2, scale=0.01))
        # A comparison may come when only a part of the rows is counted.
        found = until(running, lambda found: found["drifted"] and found["last"]["features"]["a"]["share"] < 0.1)
        shares = found["last"]["features"]
        assert shares["a"]["reference_share"] == pytest.approx(4 / 7, abs=0.03)
        assert all(own["significant"] for own in shares.values())
        assert running.metric("model_attribution_ndcg") == pytest.approx(found["ndcg"], abs=0.02)
        assert running.metric("model_attribution_ndcg_threshold") == 0.9
        assert running.metric("model_feature_attribution_ratio", feature_name="a") < 0.1
        page = running.client.get("/", headers={"accept": "text/html"}).text
        assert "Other features decide" in page
        assert running.status()["monitoring"]["healthy"]


def test_by_default_nothing_is_compared_or_shown(explained: Explained) -> None:
    with served(explained, windows=(500,)) as running:
        predict(running, values(500, 1))
        assert "attributions" not in running.status()
        assert not [name for name, _ in running.metrics() if "attribution" in name]
        assert 'id="attributions"' not in running.client.get("/", headers={"accept": "text/html"}).text


def test_a_bundle_without_attributions_says_what_to_do(explained: Explained) -> None:
    bare = replace(explained.bundle, attributions=None)
    with pytest.raises(SettingsError, match="attribution_seconds=300: the bundle of explained holds no attributions"):
        create_app(quiet(attribution_seconds=300), bundle=bare)
    create_app(quiet(attribution_seconds=300, monitoring_enabled=False), bundle=bare)
