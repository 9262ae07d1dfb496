"""Finds the prediction log of a model, and learns a baseline from it."""

from __future__ import annotations

import time
from pathlib import Path

from driftgauge.cli.log_source import open_log
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import BaselineError
from driftgauge.models.bundle import BASELINE_FILE, belonging_to, read_baseline, read_info
from driftgauge.predictions.learned_baseline import LearnedBaseline, LearningOptions, learn_baseline
from driftgauge.predictions.reader import Selection

DEFAULT_NAME = "model"
"""Name of a model in the library, unless the program states one."""


def learn(
    source: Path, since: str, model: str | None, state_dir: Path | None, options: LearningOptions
) -> LearnedBaseline:
    """Learn a baseline from the newest predictions of the model of a bundle or baseline.

    BaselineError if there is no such prediction, PredictionLogError if there is no log, SettingsError for a setting.
    """
    try:
        seconds = TimeSpan.named(since).seconds
    except ValueError as error:
        raise BaselineError(f"--since: {error}") from error
    name, known = _known(source, model)
    now = time.time()
    store = open_log(source if source.is_dir() else None, state_dir)
    try:
        batches = store.read(Selection(name, since=now - seconds, sorts_on_disk=True))
        return learn_baseline(known, batches, rfc3339(now), options)
    except BaselineError as error:
        there = ", ".join(store.model_names()) or "none"
        raise BaselineError(f"{name}, since {since}: {error} (models in the log: {there})") from error
    finally:
        store.close()


def _known(source: Path, model: str | None) -> tuple[str, Baseline]:
    """Return the name of the model, and the baseline that it is monitored with."""
    if not source.is_dir():
        return model or DEFAULT_NAME, read_baseline(source)
    info = read_info(source)
    return model or info.name, belonging_to(info, read_baseline(source / BASELINE_FILE))
