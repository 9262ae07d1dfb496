"""The preview of dashboards asks what Grafana would ask."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from tests.alerting.queries import load

PREVIEW: Final = Path(__file__).parents[2] / "monitoring" / "grafana" / "preview"
BOARDS: Final = load()
CHOSEN: Final = {
    "job": "driftgauge",
    "model_name": "delay",
    "model_version": "1",
    "instance": ".*",
    "feature_name": "hour",
    "window": ".*",
    "__rate_interval": "1m",
    "__range": "30m",
}


@pytest.fixture(scope="module")
def look() -> Iterator[ModuleType]:
    """Give look.py, which is a script beside the dashboards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PREVIEW)
        import look

        yield look
        del sys.modules["look"]


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_of_a_query_has_a_value(look: ModuleType, uid: str) -> None:
    shown = list(look.expanded(BOARDS[uid], CHOSEN, ["1000", "1h"]))
    queries = [target["expr"] for panel in shown for target in panel.get("targets", [])]
    assert queries
    assert [query for query in queries if re.search(r"\$[a-z_{]", query)] == []


def test_a_panel_repeats_for_each_window_and_pushes_the_others_down(look: ModuleType) -> None:
    shown = list(look.expanded(BOARDS["driftgauge-feature-drift"], CHOSEN, ["1000", "10000", "1h"]))
    of_windows = [panel for panel in shown if panel["title"].startswith("PSI, window")]
    assert [panel["title"].rpartition(" ")[2] for panel in of_windows] == ["1000", "10000", "1h"]
    assert all(f'window="{panel["title"].rpartition(" ")[2]}"' in str(panel["targets"]) for panel in of_windows)
    places = [panel["gridPos"] for panel in shown]
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
