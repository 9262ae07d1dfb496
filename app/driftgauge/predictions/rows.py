"""Logged predictions: rows as they are written, and batches as they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Final, Literal

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.predictions.ids import id_of_key

MICROSECONDS: Final = 1_000_000
SOURCES: Final = ("predict", "library", "ingest")
"""Where predictions come from; a new source is added at the end."""
UNREADABLE: Final = "unreadable"
"""The task of a model version whose description cannot be read."""
FeatureKind = Literal["numeric", "categorical", "text", "hashed"]
ClassLabel = str | int | float | bool


@dataclass(frozen=True)
class LoggedFeature:
    """A feature whose values are logged."""

    name: str
    kind: FeatureKind
    """`categorical` values are bin codes, `text` values lengths, `hashed` ones whole numbers without meaning."""
    categories: tuple[str, ...] = ()
    """Names of the bins by code, for a categorical feature."""


@dataclass(frozen=True)
class LoggedModel:
    """What a prediction was made with."""

    name: str
    version: str
    task: str
    classes: tuple[ClassLabel, ...]
    """Classes by their index; empty for a regression or where they are not known."""
    features: tuple[LoggedFeature, ...]
    """In bundle order."""
    baseline_hash: str
    is_readable: bool = field(default=True, compare=False)
    """Whether its description could be read; else it has no classes and features."""

    @property
    def description(self) -> str:
        """The parts that the table `versions` keeps as JSON."""
        content = asdict(self)
        del content["name"], content["version"], content["is_readable"]
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @property
    def digest(self) -> str:
        """A hash of the description."""
        return blake2b(self.description.encode(), digest_size=16).hexdigest()

    @classmethod
    def read(cls, name: str, version: str, description: str) -> LoggedModel:
        """Return a model from what the tables keep; one of no classes and features if that cannot be read."""
        try:
            content = json.loads(description)
            features = tuple(
                LoggedFeature(own["name"], own["kind"], tuple(own["categories"])) for own in content["features"]
            )
            task, classes, digest = content["task"], tuple(content["classes"]), content["baseline_hash"]
        except (ValueError, TypeError, KeyError):  # damaged, or of a newer version
            return cls(name, version, UNREADABLE, (), (), "", is_readable=False)
        return cls(name, version, task, classes, features, digest)


@dataclass(frozen=True)
class LoggedRows:
    """Rows of one model version, to be written."""

    version: int
    """The number that `PredictionStore.register` returned."""
    keys: Sequence[bytes]
    """`ids.key_of` each id."""
    arrival: IntArray
    """Microseconds since 1970, shape [n]."""
    time: IntArray
    """Event times, or the arrival of rows without one, shape [n]."""
    scores: FloatArray
    """Shape [n]."""
    predictions: FloatArray
    """Index of the class, NaN where there is none, shape [n]."""
    latency: IntArray
    """Microseconds, shape [n]."""
    features: FloatArray
    """Shape [n, features]."""
    source: int = 0
    """Position in SOURCES."""
    callers: Sequence[str | None] | None = None
    """Who sent each row, if known."""
    probabilities: FloatArray | None = None
    """The probability of each class of a model of several, NaN where unknown, shape [n, classes]."""

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Cursor:
    """A place in the order of reading: rows after it come next."""

    time: int
    seq: int


@dataclass(frozen=True)
class PredictionBatch:
    """Predictions of one model that were read, in the order of their time."""

    models: Mapping[int, LoggedModel]
    """The versions of these rows by number."""
    seq: IntArray
    """Number of each row in the log, shape [n]."""
    version: IntArray
    """Shape [n]."""
    keys: Sequence[bytes]
    time: IntArray
    """Microseconds since 1970, of the event or the arrival."""
    arrival: IntArray
    scores: FloatArray
    predictions: FloatArray
    """Index of the class; for a regression the score."""
    latency: IntArray
    """Microseconds."""
    source: IntArray
    """Position in SOURCES."""
    callers: Sequence[str | None]
    features: Mapping[int, FloatArray]
    """By version: features of its rows in their order, shape [rows, features]; empty if they were not asked for.

    Rows whose features are lost are NaN.
    """
    probabilities: Mapping[int, FloatArray] = field(default_factory=dict)
    """By version with several classes: the probability of each class, NaN where unknown, shape [rows, classes].

    Empty if they were not asked for.
    """
    damaged: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Rows with a stored value that cannot be read, which is unknown here, shape [n]."""
    damage: str | None = None
    """The first thing that was found damaged while these rows were read, if a file is."""

    def __post_init__(self) -> None:
        if len(self.damaged) != len(self.seq):
            object.__setattr__(self, "damaged", np.zeros(len(self.seq), dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def ids(self) -> list[str]:
        """The ids of the predictions."""
        return [id_of_key(key) for key in self.keys]

    @property
    def cursor(self) -> Cursor:
        """The place after the last row."""
        return Cursor(int(self.time[-1]), int(self.seq[-1]))

    def rows_of(self, version: int) -> IntArray:
        """Return the positions of a version's rows, which `features` holds in the same order."""
        return np.flatnonzero(self.version == version)
