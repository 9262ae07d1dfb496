"""Other drift monitors with their own defaults: each says of one window of rows how far it lies from a reference."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any, Final

import pandas as pd

TELEMETRY_OFF: Final = {"DO_NOT_TRACK": "1", "ITERATIVE_DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
"""Evidently asks for the first two, where its service runs; NannyML for the third, at every fit and calculation."""


@dataclass(frozen=True)
class Peer:
    """A drift monitor, and how it evaluates (reference, current) with what it does by default."""

    name: str
    version: str
    evaluate: Callable[[pd.DataFrame, pd.DataFrame], object]


def peers() -> tuple[list[Peer], dict[str, str]]:
    """Return the monitors that can be imported, and by name why the others can not."""
    os.environ.update(TELEMETRY_OFF)
    found: list[Peer] = []
    failed: dict[str, str] = {}
    for name, make in (("evidently", _evidently), ("nannyml", _nannyml)):
        try:
            with quiet():
                found.append(make(name))
        except Exception as error:  # an import runs the whole package: anything can go wrong in it
            failed[name] = _reason(error)
    return found, failed


def _evidently(name: str) -> Peer:
    """Return Evidently's default drift preset; everything is timed, it has no step to be done in advance."""
    report = import_module(name).Report
    preset = import_module(f"{name}.presets").DataDriftPreset

    def evaluate(reference: pd.DataFrame, current: pd.DataFrame) -> object:
        with quiet():
            return report([preset()]).run(current, reference).dict()

    return Peer(name, version(name), evaluate)


def _nannyml(name: str) -> Peer:
    """Return NannyML's default univariate drift; what is timed after the first call is `calculate` alone."""
    fitted = _Fitted(import_module(name))
    return Peer(name, version(name), fitted)


class _Fitted:
    """A calculator that is fitted again only for another reference."""

    def __init__(self, nannyml: ModuleType) -> None:
        self._nannyml = nannyml
        self._one_chunk = import_module(f"{nannyml.__name__}.chunk").CountBasedChunker(chunk_number=1)
        self._fitted: tuple[pd.DataFrame, Any] | None = None

    def __call__(self, reference: pd.DataFrame, current: pd.DataFrame) -> object:
        """Return the result for the current window as one chunk."""
        with quiet():
            if self._fitted is None or self._fitted[0] is not reference:
                self._fitted = reference, self._fit(reference)
            return self._fitted[1].calculate(current)

    def _fit(self, reference: pd.DataFrame) -> Any:
        """Return a calculator with thresholds from ten chunks of the reference, as by default.

        Were the reference one chunk too, its thresholds would be its distances to itself: 0, or NaN by rounding.
        """
        calculator = self._nannyml.UnivariateDriftCalculator(column_names=list(reference.columns)).fit(reference)
        distances = calculator.result.to_df().xs("value", axis="columns", level=2)
        if distances.isna().to_numpy().any():  # what fails in there is logged, not raised
            raise ValueError("nannyml has no distance for some column of the reference")
        calculator.chunker = self._one_chunk
        return calculator


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings and log records while the block runs."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _reason(error: Exception) -> str:
    """Return the exception on one line, without the path of this machine that an ImportError ends with."""
    path = getattr(error, "path", None)
    return " ".join(f"{type(error).__name__}: {error}".replace(f" ({path})", "").split())
