from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driftgauge.predictions.store import PredictionStore

from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PredictionStore]:
    """An empty log, in each of the databases."""
    if request.param == "sqlite":
        opened = PredictionStore.open(tmp_path)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        opened = PredictionStore.open(None, server.new_database())
    yield opened
    opened.close()
