"""Feedback of Seldon: the truth of a request, and a reward."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from driftgauge.edges.formats.ingest.row_ids import row_id
from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.errors import Reason, Refused
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import MICROSECONDS

FEEDBACK: Final = ".feedback"
"""The end of the type of such an event."""
TRUTH: Final = "truth"
REWARD: Final = "reward"
"""Field of the reward, and the name of the business outcome that it is."""


class SeldonFeedback:
    """Reads feedback as labels of the predictions of a request, and its reward as an outcome if there is one."""

    def __init__(self, labels: LabelValues, outcomes: OutcomeValues) -> None:
        self._labels: Final = labels
        self._outcomes: Final = outcomes

    def labels(self, content: Any, request_id: str, at: float) -> list[GivenLabel]:
        """Return what a feedback says of the predictions of its request; raises Refused.

        The id that the response or the request in it has comes before `request_id`, that of the event: a caller that
        did not repeat the id has been given another. The reward is that of each row that has a truth; without a truth
        the request has one row.
        """
        if type(content) is not dict:
            raise _refused("the feedback", "is no object")
        id_ = _puid(content.get("response")) or _puid(content.get("request")) or request_id
        if not id_:
            raise _refused("requestid", "is absent: the truth is joined with a prediction by it")
        observed = None if math.isnan(at) else round(at * MICROSECONDS)
        found = []
        truth = content.get(TRUTH)
        values = [] if truth is None else _rows_of(truth)
        for row, value in enumerate(values):
            found.append(GivenLabel(_key(id_, row, len(values)), self._labels.number(self._one(value)), observed))
        reward = content.get(REWARD)
        if reward is not None and REWARD in self._outcomes.kinds:
            rows, number = max(1, len(values)), self._outcomes.number(REWARD, reward)
            found += [GivenLabel(_key(id_, row, rows), number, observed, REWARD) for row in range(rows)]
        if not found:
            raise _refused(TRUTH, f"is absent, and no outcome has the name {REWARD}")
        return found

    def _one(self, value: Any) -> Any:
        """Return the label of a row, which may be a list of one value or have a 1 at the index of the class."""
        if type(value) is not list:
            return value
        if len(value) == 1:
            return value[0]
        classes = self._labels.classes
        if len(value) == len(classes) and value.count(1) == 1 and value.count(0) == len(value) - 1:
            return classes[value.index(1)]
        raise _refused(TRUTH, f"has {len(value)} values for a row: send the class")


def _puid(message: Any) -> str:
    """Return the id in the metadata of a message; an empty text without one."""
    meta = message.get("meta") if type(message) is dict else None
    found = meta.get("puid") if type(meta) is dict else None
    return found if type(found) is str else ""


def _rows_of(message: Any) -> Sequence[Any]:
    """Return the value of each row of a message: its data as array or tensor, or a text or JSON alone."""
    if type(message) is not dict:
        raise _refused(TRUTH, "is no object: send a message with data")
    if "strData" in message:
        return [message["strData"]]
    given = message.get("jsonData")
    data = message.get("data")
    if type(data) is dict:
        given = data.get("ndarray")
        if type(tensor := data.get("tensor")) is dict:
            given = _of_tensor(tensor)
    if given is None:
        raise _refused(TRUTH, "has no ndarray, no tensor, no strData and no jsonData")
    return given if type(given) is list else [given]


def _of_tensor(tensor: Mapping[str, Any]) -> list[Any]:
    shape, values = tensor.get("shape"), tensor.get("values")
    if type(values) is not list:
        raise _refused(TRUTH, "is a tensor without values")
    if type(shape) is not list or len(shape) < 2:
        return values
    width = shape[1]
    if type(width) is not int or width < 1 or len(values) % width:
        raise _refused(TRUTH, "is a tensor whose shape does not fit its values")
    return [values[at : at + width] for at in range(0, len(values), width)]


def _key(id_: str, row: int, rows: int) -> bytes:
    own = row_id(id_, row, rows)
    if not own:
        raise _refused("requestid", "is one that no prediction can have")
    return key_of(own)


def _refused(field: str, problem: str) -> Refused:
    return Refused(Reason.UNKNOWN_SHAPE, f"{field} {problem}", {"field": field})
