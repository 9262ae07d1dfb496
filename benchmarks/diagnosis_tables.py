"""Made tables with units, hours and groups as real ones have them, and a model of each.

Rows are drawn by group, so that another mix of groups moves several columns and leaves the rows of each group alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import driftgauge
import numpy as np
import pandas as pd
from driftgauge.drift.bins import FloatArray
from driftgauge.models.bundle import Bundle
from driftgauge.models.creation.baseline import BaselineOptions
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

Mix = Mapping[str, float]
START: Final = 1_767_225_600.0
"""2026-01-01, when the references begin."""
ROW_SECONDS: Final = 20.0
ROWS: Final = 30_000
"""Rows to train on and to evaluate with."""
TARGET: Final = "late"
TIME: Final = "at"


@dataclass(frozen=True)
class Made:
    """A table of one kind, and where the faults go."""

    name: str
    groups: Mix
    """The usual share of each group."""
    draw: Callable[[np.random.Generator, Any], pd.DataFrame]
    """Returns rows, and the logit of their label, given the group of each."""
    classifier: Callable[[pd.DataFrame], Any]
    group: str
    category: str
    length: str
    """A column in a unit of its own."""
    scaled: str
    sensor: str
    hour: str
    pair: tuple[str, str]
    """Two columns that can be swapped."""
    source: tuple[str, str]
    """Two columns of one upstream source."""

    def rows(
        self,
        rng: np.random.Generator,
        n: int,
        mix: Mix | None = None,
        *,
        rhythm: bool = False,
        gaps: float = 0.0,
    ) -> pd.DataFrame:
        """Return rows with their label.

        `rhythm` makes their hours follow the time of day, `gaps` is the share of rows that lack the columns of one
        source.
        """
        shares = mix or self.groups
        frame = self.draw(rng, rng.choice(np.array(list(shares)), n, p=list(shares.values())))
        if rhythm:
            frame[self.hour] = np.floor(np.arange(n) * ROW_SECONDS / 3_600.0) % 24
        if gaps:
            frame.loc[rng.random(n) < gaps, list(self.source)] = np.nan
        frame[TARGET] = (rng.random(n) < 1.0 / (1.0 + np.exp(-frame.pop("logit")))).astype(int)
        return frame

    def rows_of_rate(self, rng: np.random.Generator, n: int, rate: float) -> pd.DataFrame:
        """Return rows of which a part of `rate` is positive, each class as it is."""
        pool = self.rows(rng, 8 * n)
        positive = rng.random(n) < rate
        places = np.empty(n, dtype=np.int64)
        for label in (0, 1):
            own = np.flatnonzero(pool[TARGET].to_numpy() == label)
            places[positive == label] = rng.choice(own, int((positive == label).sum()), replace=False)
        return pool.iloc[places].reset_index(drop=True)


def _shifts(groups: Any, by_group: Mapping[str, float]) -> FloatArray:
    return np.array([by_group[group] for group in groups], dtype=np.float64)


def _hours(rng: np.random.Generator, groups: Any, peaks: Mapping[str, float]) -> FloatArray:
    """Return hours of the day with a peak for each group and a second one in the evening."""
    evening = rng.random(len(groups)) < 0.25
    hours = np.where(evening, rng.normal(19.0, 1.5, len(groups)), rng.normal(_shifts(groups, peaks), 2.5))
    return np.floor(np.mod(hours, 24.0))


def _deliveries(rng: np.random.Generator, groups: Any) -> pd.DataFrame:
    n = len(groups)
    far = _shifts(groups, {"app": 0.0, "web": 0.35, "phone": 0.7, "shop": -0.3})
    distance = rng.gamma(3.0, 4.0, n) * np.exp(far)
    value = rng.lognormal(3.4 + 0.6 * far, 0.6)
    width, height = rng.normal(42.0, 9.0, n).clip(5.0), rng.normal(24.0, 6.0, n).clip(3.0)
    weight = rng.lognormal(0.9 + 0.02 * (width - 42.0), 0.5)
    temp = rng.normal(12.0, 8.0, n)
    wind = rng.gamma(4.0, 1.2, n)
    hour = _hours(rng, groups, {"app": 12.0, "web": 11.0, "phone": 10.0, "shop": 14.0})
    payment = rng.choice(["card", "invoice", "transfer", "cash", "voucher"], n, p=[0.45, 0.25, 0.15, 0.1, 0.05])
    logit = (
        -1.1 + 0.9 * (distance - 16.0) / 9.0 + 0.5 * (wind - 4.8) / 2.4 - 0.4 * (temp - 12.0) / 8.0
        + 0.35 * (weight - 2.8) / 1.6 + 0.5 * (height - 24.0) / 6.0 + 0.3 * (payment == "cash") + 0.4 * (hour >= 16)
    )  # fmt: skip
    return pd.DataFrame(
        {
            "distance_km": distance.round(2),
            "value_eur": value.round(2),
            "width_cm": width.round(1),
            "height_cm": height.round(1),
            "weight_kg": weight.round(2),
            "temp_c": temp.round(1),
            "wind_ms": wind.round(1),
            "hour": hour,
            "payment": payment,
            "channel": groups,
            "logit": logit,
        }
    )


def _flights(rng: np.random.Generator, groups: Any) -> pd.DataFrame:
    n = len(groups)
    far = _shifts(groups, {"UA": 1.2, "B6": 0.9, "EV": 0.45, "DL": 1.1, "MQ": 0.5})
    distance = rng.gamma(5.0, 220.0, n) * far
    seats = np.rint(rng.normal(95.0 + 75.0 * far, 18.0)).clip(30.0)
    load = rng.beta(8.0, 2.0, n)
    passengers = np.rint(rng.normal(60.0, 10.0, n) + 20.0 * far).clip(5.0)
    temp, humidity = rng.normal(55.0, 17.0, n), (100.0 * rng.beta(4.0, 2.5, n))
    wind, visibility = rng.gamma(3.5, 3.0, n), 10.0 * rng.beta(6.0, 0.6, n)
    hour = _hours(rng, groups, {"UA": 9.0, "B6": 8.0, "EV": 13.0, "DL": 10.0, "MQ": 12.0})
    origin = rng.choice(["EWR", "JFK", "LGA"], n, p=[0.36, 0.33, 0.31])
    rain = (humidity > 80.0) & (visibility < 8.5)
    logit = (
        -1.6 + 0.12 * (hour - 11.0) + 0.09 * (wind - 10.5) + 1.3 * rain - 0.25 * (visibility - 9.0)
        + 0.5 * (temp > 80.0) + 0.0006 * (distance - 950.0) + 0.012 * (passengers - 78.0) + 0.3 * (origin == "EWR")
    )  # fmt: skip
    return pd.DataFrame(
        {
            "distance_miles": distance.round(0),
            "seats": seats,
            "passengers": passengers,
            "load": load.round(3),
            "temp_f": temp.round(1),
            "humidity": humidity.round(1),
            "wind_kn": wind.round(1),
            "visibility": visibility.round(2),
            "dep_hour": hour,
            "origin": origin,
            "carrier": groups,
            "logit": logit,
        }
    )


def _linear(features: pd.DataFrame) -> Any:
    numbers = features.select_dtypes("number").columns.tolist()
    texts = [name for name in features if name not in numbers]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers), (OneHotEncoder(handle_unknown="ignore"), texts)
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1_000))


def _boosted(features: pd.DataFrame) -> Any:
    numbers = features.select_dtypes("number").columns.tolist()
    texts = [name for name in features if name not in numbers]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((codes, texts), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=80, random_state=0))


DELIVERIES: Final = Made(
    name="deliveries, logistic regression",
    groups={"app": 0.45, "web": 0.3, "phone": 0.15, "shop": 0.1},
    draw=_deliveries,
    classifier=_linear,
    group="channel",
    category="payment",
    length="distance_km",
    scaled="value_eur",
    sensor="temp_c",
    hour="hour",
    pair=("width_cm", "height_cm"),
    source=("temp_c", "wind_ms"),
)
FLIGHTS: Final = Made(
    name="flights, gradient boosting",
    groups={"UA": 0.25, "B6": 0.25, "EV": 0.2, "DL": 0.2, "MQ": 0.1},
    draw=_flights,
    classifier=_boosted,
    group="carrier",
    category="origin",
    length="distance_miles",
    scaled="humidity",
    sensor="wind_kn",
    hour="dep_hour",
    pair=("seats", "passengers"),
    source=("temp_f", "humidity"),
)
TABLES: Final = (DELIVERIES, FLIGHTS)


@dataclass(frozen=True)
class Trained:
    """A table, its bundle and its model."""

    made: Made
    bundle: Bundle
    model: Any
    positive_rate: float

    def scores(self, frame: pd.DataFrame) -> FloatArray:
        """Return the scores of rows."""
        return np.asarray(self.model.predict_proba(frame)[:, 1], dtype=np.float64)


def train(made: Made, folder: Path, seed: int, *, rhythm: bool = False, gaps: float = 0.0) -> Trained:
    """Train the model of a table on half of its rows, and make a bundle of it as `bundle create` does."""
    frame = made.rows(np.random.default_rng(seed), ROWS, rhythm=rhythm, gaps=gaps)
    frame[TIME] = pd.to_datetime(START + ROW_SECONDS * np.arange(ROWS), unit="s", utc=True)
    half = ROWS // 2
    known, held_out = frame[:half], frame[half:]
    features = known.drop(columns=[TARGET, TIME])
    model = made.classifier(features).fit(features, known[TARGET])
    bundle = driftgauge.create_bundle(
        model, known, TARGET, name="model", version="1", out=folder, evaluation=held_out,
        options=BaselineOptions(time=TIME),
    )  # fmt: skip
    return Trained(made, bundle, model, float(known[TARGET].mean()))
