"""The body of `POST /labels` and its answer: one row or many, as JSON or as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from driftgauge.common.quoting import named, shortened
from driftgauge.edges.formats.fields import id_of, read_json, time_of, unmarked
from driftgauge.edges.formats.label_values import LABEL, LabelValues, OutcomeValues
from driftgauge.edges.formats.large.structure import survey
from driftgauge.errors import Reason, Refused

ID: Final = "prediction_id"
OUTCOMES: Final = "outcomes"
OBSERVED_AT: Final = "observed_at"
ROWS: Final = "labels"
SURVEYED_BYTES: Final = 65_536
"""Larger bodies are parsed in pieces, so that other threads get their turn."""
MOST_ERRORS: Final = 100
"""Refused rows that an answer lists with their reason; all of them are counted."""
LINES_TYPES: Final = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines")
"""Content types of JSON lines."""
_KNOWN: Final = frozenset({ID, LABEL, OUTCOMES, OBSERVED_AT})
_HINT: Final = (
    'send {"prediction_id": id, "label": value}, a list of such rows, or one such row in each line; '
    'observed_at and outcomes ({"name": value}) may be added'
)


@dataclass(frozen=True)
class TruthRow:
    """What became known of one prediction."""

    prediction_id: str
    label: float | None = None
    """The index of the true class, or the true number; None if only outcomes are known."""
    outcomes: tuple[tuple[str, float], ...] = ()
    """Names and values."""
    observed_at: float | None = None
    """When it became known, seconds since 1970; None for when it arrived."""


@dataclass(frozen=True)
class RowError:
    """A row that was refused."""

    row: int
    """Its position in the request, from 0."""
    error: Refused
    prediction_id: str | None = None


@dataclass
class TruthBatch:
    """The rows of a request that can be read, and why the others cannot."""

    rows: list[TruthRow] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    """The first of the refused rows."""
    refused: int = 0
    """Number of refused rows."""

    def refuse(self, row: int, error: Refused, prediction_id: str | None = None) -> None:
        """Count a refused row, and keep its error if there is room."""
        self.refused += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(RowError(row, error, prediction_id))


@dataclass(frozen=True)
class TruthDecoder:
    """Reads rows of ground truth for one model."""

    labels: LabelValues
    outcomes: OutcomeValues

    def batch(self, body: bytes, max_rows: int, *, lines: bool = False) -> TruthBatch:
        """Decode a body; Refused if it is not a list of rows. A row that cannot be read does not fail the others."""
        return self.rows(_rows(body, max_rows, lines=lines))

    def rows(self, given: Iterable[Any]) -> TruthBatch:
        """Decode rows; a row that is a `Refused` was not readable before."""
        batch = TruthBatch()
        for position, content in enumerate(given):
            try:
                batch.rows.append(self.row(content))
            except Refused as error:
                batch.refuse(position, error, _id_in(content))
        return batch

    def row(self, content: Any) -> TruthRow:
        """Decode one row; raises Refused."""
        if isinstance(content, Refused):
            raise content
        if not isinstance(content, dict):
            raise Refused(Reason.UNKNOWN_SHAPE, f"the row is not an object: {_HINT}")
        if strangers := [name for name in content if name not in _KNOWN]:
            unknown = f"{named(strangers)} {'is not a known key' if len(strangers) == 1 else 'are not known keys'}"
            raise Refused(Reason.UNKNOWN_SHAPE, f"{unknown}: {_HINT}", {"field": shortened(strangers[0])})
        label, outcomes = content.get(LABEL), self._outcomes(content.get(OUTCOMES))
        if label is None and not outcomes:
            raise Refused(Reason.INVALID_LABEL, f"the row has no label and no outcomes: {_HINT}", {"field": LABEL})
        at = content.get(OBSERVED_AT)
        return TruthRow(
            prediction_id=id_of(ID, content.get(ID)),
            label=None if label is None else self.labels.number(label),
            outcomes=outcomes,
            observed_at=None if at is None else time_of(OBSERVED_AT, at),
        )

    def _outcomes(self, given: Any) -> tuple[tuple[str, float], ...]:
        if given is None:
            return ()
        if not isinstance(given, dict):
            message = f'{OUTCOMES} is not an object: send {{"name": value}}'
            raise Refused(Reason.INVALID_OUTCOME, message, {"field": OUTCOMES})
        known = ((name, value) for name, value in given.items() if value is not None)
        return tuple((name, self.outcomes.number(name, value)) for name, value in known)


def _rows(body: bytes, max_rows: int, *, lines: bool) -> Sequence[Any]:
    """Return the undecoded rows of a body; Refused if there are none or too many."""
    body = unmarked(body)
    rows = _of_lines(body, max_rows) if lines or _is_lines(body) else _of_json(body)
    if not rows:
        raise Refused(Reason.EMPTY_BATCH, f"the body has no rows: {_HINT}")
    if len(rows) > max_rows:
        raise _too_many(len(rows), max_rows)
    return rows


def _of_json(body: bytes) -> list[Any]:
    content = read_json(body, survey(body) if len(body) > SURVEYED_BYTES else None)
    if isinstance(content, dict):
        content = content[ROWS] if content.keys() == {ROWS} else [content]
    if not isinstance(content, list):
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body is neither a row nor a list of rows: {_HINT}")
    return content


def _is_lines(body: bytes) -> bool:
    """Say whether the first line of several is a whole object."""
    first, _, rest = body.strip().partition(b"\n")
    if not first.startswith(b"{") or not rest:
        return False
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return True


def _of_lines(body: bytes, max_rows: int) -> list[Any]:
    """Return the rows of JSON lines; a line that is not JSON becomes the error of its row."""
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    if len(lines) > max_rows:
        raise _too_many(len(lines), max_rows)
    rows: list[Any] = []
    for line in lines:
        try:
            rows.append(read_json(line))
        except Refused as error:
            rows.append(error)
    return rows


def _too_many(given: int, max_rows: int) -> Refused:
    return Refused(
        Reason.TOO_MANY_ROWS,
        f"the body has {given} rows, the limit is {max_rows}: send several requests",
        {"limit": max_rows, "given": given},
    )


def _id_in(content: Any) -> str | None:
    """Return the id of a refused row, if it has a valid one."""
    found = content.get(ID) if isinstance(content, dict) else None
    try:
        return None if found is None else id_of(ID, found)
    except Refused:
        return None


def errors_json(errors: Sequence[RowError]) -> list[dict[str, object]]:
    """Return refused rows as an answer lists them."""
    return [
        {
            "row": found.row,
            ID: found.prediction_id,
            "code": found.error.reason,
            "message": found.error.message,
        }
        for found in errors
    ]
