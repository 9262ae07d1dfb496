"""Finds the prediction log of a service, and the times that options name."""

from __future__ import annotations

from pathlib import Path

from driftgauge.common.moments import moment
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.store import PredictionStore
from driftgauge.settings.options import load


def open_log(bundle: Path | None, state_dir: Path | None, config: Path | None = None) -> PredictionStore:
    """Open the log that the settings name, or the one of a bundle's or a given state folder.

    PredictionLogError if there is none; none is created. SettingsError for a setting.
    """
    settings = load({"bundle": bundle, "state_dir": state_dir}, config)
    if settings.prediction_log_url is not None:
        return PredictionStore.open(None, settings.prediction_log_url)
    folder = settings.state_folder
    if folder is None:
        raise PredictionLogError(
            "no prediction log is known: name the bundle (--bundle), the folder of the state (--state-dir), or the "
            "database (DRIFTGAUGE_PREDICTION_LOG_URL)"
        )
    if not sqlite_file(folder).exists():
        raise PredictionLogError(
            f"there is no prediction log in {folder}: name the folder of the state (--state-dir) of a server with "
            "prediction_log = true"
        )
    return PredictionStore.open(folder)


def moment_of(option: str, text: str | None, now: float) -> float | None:
    """Return the time that an option's text names, seconds since 1970; PredictionLogError if it names none."""
    try:
        return None if text is None else moment(text, now)
    except ValueError as error:
        raise PredictionLogError(f"{option}: {error}") from error
