"""Finds the prediction log of a service."""

from __future__ import annotations

from pathlib import Path

from driftgauge.errors import PredictionLogError
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.store import PredictionStore
from driftgauge.settings.options import load


def open_log(bundle: Path | None, state_dir: Path | None) -> PredictionStore:
    """Open the log that the settings name, or the one of a bundle's or a given state folder.

    PredictionLogError if there is none; none is created. SettingsError for a setting.
    """
    settings = load({"bundle": bundle, "state_dir": state_dir})
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
