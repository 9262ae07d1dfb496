"""The demo's models, each trained once in a session, whichever of its workers needs it first."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from driftgauge.demo.flights import SPRING, WINTER, Recipe, load_flights
from driftgauge.demo.run import prepare
from rich.console import Console


@dataclass(frozen=True)
class TrainedDemo:
    """A cache folder in which the demo finds its model."""

    home: Path
    bundle: Path
    printed: str
    """What the demo printed while it prepared the model."""

    @property
    def env(self) -> Mapping[str, str]:
        return {"XDG_CACHE_HOME": str(self.home), "COLUMNS": "200"}


def _shared_by_workers(factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this session that all its worker processes see."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def _trained(factory: pytest.TempPathFactory, recipe: Recipe) -> TrainedDemo:
    home = _shared_by_workers(factory) / "demo-cache"
    home.mkdir(exist_ok=True)
    printed = io.StringIO()
    with (home / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setenv("XDG_CACHE_HOME", str(home))
        _, bundle = prepare(Console(file=printed, width=200), recipe)
    return TrainedDemo(home, bundle, printed.getvalue())


@pytest.fixture(scope="session")
def trained_demo(tmp_path_factory: pytest.TempPathFactory) -> TrainedDemo:
    """Give the model of the story, trained by the demo itself."""
    return _trained(tmp_path_factory, SPRING)


@pytest.fixture(scope="session")
def trained_year(tmp_path_factory: pytest.TempPathFactory) -> TrainedDemo:
    """Give the model of the long view, trained by the demo itself."""
    return _trained(tmp_path_factory, WINTER)


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    """Give all flights of 2013."""
    return load_flights()
