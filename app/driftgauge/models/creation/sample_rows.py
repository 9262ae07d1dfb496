"""The samples of a bundle: typical synthetic rows, or rows of the table."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.errors import ModelFailed, Refused
from driftgauge.models.bundle import Feature, Label, Sample, Timing
from driftgauge.models.predictor import Batch, Predictor, batch_of
from driftgauge.models.timing import median_seconds

LEVELS: Final = (0.5, 0.25, 0.75)
"""The quantile of each synthetic row's numbers; its categories are the most frequent, the next and the third."""
TIMED_ROWS: Final = 64
"""Rows in the batch that is timed."""
_WORDS: Final = 5
_FEWEST_ROWS_WITH_WORD: Final = 5
"""Fewest rows that hold a word before a synthetic text repeats it; a rarer word may identify a person."""


def synthetic_rows(features: Sequence[Feature], batch: Batch) -> list[Batch]:
    """Return up to three typical rows, composed column by column so that they repeat no row."""
    levels = range(len(LEVELS))
    cells = np.full((len(LEVELS), len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    for index, feature in enumerate(features):
        if index in batch.texts:
            typical = _typical_texts(feature, batch.texts[index])
            texts[index] = [typical[min(level, len(typical) - 1)] if typical else None for level in levels]
        else:
            cells[:, index] = _typical_numbers(batch.cells[:, index])
    rows = [(cells[level].tobytes(), *(texts[index][level] for index in texts)) for level in levels]
    different = [level for level in levels if rows.index(rows[level]) == level]
    return [
        Batch(cells[level : level + 1], {index: [names[level]] for index, names in texts.items()})
        for level in different
    ]


def _typical_numbers(values: FloatArray) -> FloatArray:
    """Return typical values of the column, which stay whole where its values are; NaN if it has none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.full(len(LEVELS), math.nan)
    quantiles: FloatArray = np.quantile(finite, LEVELS, method="inverted_cdf")
    return quantiles


def _typical_texts(feature: Feature, texts: Sequence[str | None]) -> list[str]:
    known = Counter(text for text in texts if text is not None)
    if not feature.categories:
        return _typical_words(known)
    ranked = sorted((text for text in known if text in feature.categories), key=lambda text: (-known[text], text))
    return ranked[: len(LEVELS)]


def _typical_words(texts: Counter[str]) -> list[str]:
    """Return texts of the most common words, so that no one's text is repeated."""
    rows: Counter[str] = Counter()
    for text, count in texts.items():
        for word in set(text.split()):
            rows[word] += count
    common = sorted((word for word in rows if rows[word] >= _FEWEST_ROWS_WITH_WORD), key=lambda w: (-rows[w], w))
    starts = [common[first : first + _WORDS] for first in range(len(LEVELS))]
    return [" ".join(words) for words in starts if words]


def synthetic_samples(predictor: Predictor, batch: Batch) -> tuple[Sample, ...]:
    """Return synthetic samples, without those that the model does not answer."""
    features = predictor.info.features
    samples: list[Sample] = []
    for row in synthetic_rows(features, batch):
        absent = [
            row.texts[i][0] is None if i in row.texts else np.isnan(row.cells[0, i]) for i in range(len(features))
        ]
        if any(gone and not feature.accepts_missing for gone, feature in zip(absent, features, strict=True)):
            continue
        with suppress(ModelFailed, Refused):
            answer = predictor.predict(row)
            samples += _as_samples(features, row, [0], answer.labels, answer.scores)
    return tuple(samples)


def shared_samples(
    features: Sequence[Feature], batch: Batch, lacking: BoolArray, labels: Sequence[Label], scores: FloatArray
) -> tuple[Sample, ...]:
    """Return rows of the table as samples, complete ones if there are any.

    They are spread over the table, and valid as a request. `lacking` are the values that the model is given as
    missing, shape [n, features].
    """
    strict = [not feature.accepts_missing for feature in features]
    usable = ~(np.isinf(batch.cells) | (lacking & strict)).any(axis=1)
    complete = usable & ~lacking.any(axis=1)
    order = np.flatnonzero(complete if complete.any() else usable)
    spread = order[np.linspace(0, max(1, len(order)) - 1, min(len(LEVELS), len(order))).astype(np.int64)]
    return _as_samples(features, batch, list(dict.fromkeys(spread.tolist())), labels, scores)


def _as_samples(
    features: Sequence[Feature], batch: Batch, rows: Sequence[int], labels: Sequence[Label], scores: FloatArray
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            features={
                f.name: batch.texts[i][row] if i in batch.texts else _none_if_nan(batch.cells[row, i])
                for i, f in enumerate(features)
            },
            prediction=labels[row],
            score=float(scores[row]),
            shown=True,
        )
        for row in rows
    )


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def measure_timing(
    predictor: Predictor, samples: Sequence[Sample], clock: Callable[[], float] = time.perf_counter
) -> Timing | None:
    """Measure one row and a batch, with one thread as in a server; None without samples.

    `clock` gives seconds.
    """
    if not samples:
        return None
    with threadpool_limits(1):
        return _measured(predictor, samples, clock)


def _measured(predictor: Predictor, samples: Sequence[Sample], clock: Callable[[], float]) -> Timing:
    features = predictor.info.features
    rows = [samples[index % len(samples)].features for index in range(TIMED_ROWS)]
    one = median_seconds(predictor, batch_of(features, rows[:1]), clock)
    try:
        many = median_seconds(predictor, batch_of(features, rows), clock)
    except ModelFailed:  # it takes rows one by one only
        return Timing(one_row_seconds=one, rows=TIMED_ROWS, rows_seconds=None)
    return Timing(one_row_seconds=one, rows=TIMED_ROWS, rows_seconds=many)
