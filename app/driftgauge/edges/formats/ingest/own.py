"""Our own rows: an object for each prediction, much as the prediction log exports it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.edges.formats.fields import id_of
from driftgauge.edges.formats.ingest.decoder import Decoder
from driftgauge.edges.formats.ingest.gather import Gathered
from driftgauge.edges.formats.ingest.keys import Keys, key_of_id
from driftgauge.edges.formats.ingest.uniform import Fields, UniformRows, features_of, scores_of
from driftgauge.errors import Reason, Refused
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import MICROSECONDS

FEATURES: Final = "features"
SCORE: Final = "score"
LABEL: Final = "label"
ID: Final = "prediction_id"
TIMESTAMP: Final = "timestamp"
LOGGED: Final = "arrived_at"
"""A key that the prediction log writes."""
OBSERVED_AT: Final = "observed_at"
OUTCOMES: Final = "outcomes"
_SLOW: Final = frozenset({SCORE, LABEL, OUTCOMES, LOGGED, PREDICTION_CLASS})
"""Fields that make a record one of the log, or ground truth."""
_HINT: Final = 'send {"features": {"name": value, …}, "prediction": value}'


class OwnDecoder(Decoder):
    """Decodes `{"features": {…}, "prediction": …}`, with an id, a time, a class, a label and outcomes if known."""

    def add(self, content: Any, position: int, keys: Keys, batch: Gathered) -> None:
        """Add a record; one with an id and a label or outcomes alone is ground truth."""
        get = content.get
        given = get(ID)
        id_ = "" if given is None else id_of(ID, given)
        label, outcomes = get(LABEL), get(OUTCOMES)
        has_truth = label is not None or outcomes
        if FEATURES not in content and has_truth and id_ and not self.model.order.are_in(content):
            batch.labels += self._truth(content, id_)
            return
        features = self._features(content)
        if LOGGED in content:
            features = self.model.order.as_logged(features)
        score, named = self._output(content)
        stamp = get(TIMESTAMP)
        at = math.nan if stamp is None else self.model.times.seconds(TIMESTAMP, stamp)
        key = keys.known(position, id_, key_of_id) if id_ else keys.at(position)
        if has_truth:
            id_ = id_ or key.hex()  # joins the row with its label
            batch.labels += self._truth(content, id_)
        batch.rows.append((position, features, score, named, at, id_, key))

    def uniform(self, fields: Fields) -> UniformRows | None:
        """Return records with features, a prediction, perhaps a time and an id, and nothing else that is read."""
        if FEATURES not in fields or PREDICTION not in fields or not _SLOW.isdisjoint(fields):
            return None
        features = features_of(fields[FEATURES], self.model.order)
        scores = scores_of(fields[PREDICTION], self.model.outputs)
        if features is None or scores is None:
            return None
        count = len(scores)
        stamps = fields.get(TIMESTAMP)
        times = np.full(count, math.nan) if stamps is None else self.model.times.all(TIMESTAMP, stamps)
        ids = ["" if given is None else id_of(ID, given) for given in fields.get(ID, ())] or [""] * count
        return UniformRows(features, scores, [None] * count, times, ids)

    def key(self, content: Any, position: int, keys: Keys) -> bytes:
        """Return the key of a record, which its id makes if it has one."""
        given = content.get(ID)
        return keys.known(position, id_of(ID, given), key_of_id) if given is not None else keys.at(position)

    def _features(self, content: Mapping[str, Any]) -> list[Any]:
        order = self.model.order
        features = content.get(FEATURES)
        if type(features) is dict:
            return order.by_name(features)
        if type(features) is list:
            return order.in_order(features)
        if features is None and order.are_in(content):
            return order.by_name(content)
        what = "has no features" if features is None else "has features that are no object and no list"
        raise Refused(Reason.UNKNOWN_SHAPE, f"the record {what}: {_HINT}", {"field": FEATURES})

    def _output(self, content: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the score and the class."""
        outputs = self.model.outputs
        prediction, given = content.get(PREDICTION), content.get(PREDICTION_CLASS)
        if SCORE in content:  # as the log writes it: the prediction is the class
            return content[SCORE], prediction if given is None else given
        if given is not None:
            return prediction, given
        if prediction is None and PREDICTION not in content and outputs.are_needed:
            message = f"{PREDICTION} is absent: {_HINT}, with null for a missing value"
            raise Refused(Reason.MISSING_FEATURE, message, {"field": PREDICTION})
        found: tuple[Any, Any] = outputs.of(prediction)
        return found

    def _truth(self, content: Mapping[str, Any], id_: str) -> list[GivenLabel]:
        """Return the label and the outcomes of a record; names that the settings do not have are passed over."""
        observed = content.get(OBSERVED_AT)
        at = None if observed is None else round(self.model.times.seconds(OBSERVED_AT, observed) * MICROSECONDS)
        key, label, outcomes = key_of(id_), content.get(LABEL), content.get(OUTCOMES) or {}
        found = [] if label is None else [GivenLabel(key, self.model.labels.number(label), at)]
        if type(outcomes) is not dict:
            message = f'{OUTCOMES} is no object: send {{"name": value}}'
            raise Refused(Reason.INVALID_OUTCOME, message, {"field": OUTCOMES})
        reader = self.model.outcomes
        known = ((name, value) for name, value in outcomes.items() if name in reader.kinds and value is not None)
        return found + [GivenLabel(key, reader.number(name, value), at, name) for name, value in known]
