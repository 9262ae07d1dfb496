"""Sends the rows of a table to `POST /labels` in batches, and adds up the answers."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request

from driftgauge.common.comma_lists import comma_list
from driftgauge.common.redirects import open_directly
from driftgauge.errors import SettingsError, TableError
from driftgauge.tables.cells import number_of
from driftgauge.tables.stream import TableSource, require_columns

MOST_ERRORS: Final = 20
"""Refused rows that are printed."""
RETRIES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses before a batch is sent again that the server could not take."""
BUSY: Final = (429, 502, 503, 504)
"""Answers after which a batch is sent again."""
TIMEOUT_SECONDS: Final = 60.0
UNPROCESSABLE: Final = 422


@dataclass(frozen=True)
class Columns:
    """The columns of a table of labels."""

    id: str
    label: str | None
    observed_at: str | None
    outcomes: tuple[str, ...] = ()

    @classmethod
    def among(cls, present: Sequence[str], id: str, label: str, observed_at: str, outcomes: str) -> Columns:
        """Return the columns that a table has; TableError without ids, or with neither labels nor outcomes."""
        named = tuple(comma_list(outcomes))
        require_columns(present, [id, *named, *([] if named else [label])], "the table")
        has_times = observed_at in present
        return cls(id, label if label in present else None, observed_at if has_times else None, named)

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [self.id, *(name for name in (self.label, self.observed_at) if name), *self.outcomes]

    def rows(self, table: Any) -> list[dict[str, Any]]:
        """Return the rows of a part of the table, as the server takes them."""
        cells = {name: table[name].to_pylist() for name in self.names}
        return [self._row({name: values[row] for name, values in cells.items()}) for row in range(len(table))]

    def _row(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        key = cells[self.id]
        outcomes = {name: cells[name] for name in self.outcomes if _is_known(cells[name])}
        label = None if self.label is None else cells[self.label]
        at = None if self.observed_at is None else _time(cells[self.observed_at])
        return {
            "prediction_id": str(key) if isinstance(key, int) else key,
            **({"label": label} if _is_known(label) else {}),
            **({"outcomes": outcomes} if outcomes else {}),
            **({} if at is None else {"observed_at": at}),
        }


def _is_known(cell: Any) -> bool:
    """Say whether a cell has a value: not null, not NaN, not an empty text."""
    return cell is not None and cell != "" and cell == cell  # NaN differs from itself


def _time(cell: Any) -> Any:
    """Return a time as the server takes it: text, or seconds since 1970."""
    if not _is_known(cell):
        return None
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return found if isinstance(cell, str) and (found := number_of(cell)) is not None else cell


@dataclass
class ImportTally:
    """What the server answered so far."""

    rows: int = 0
    """Rows that were sent."""
    without: int = 0
    """Rows that were left out, because nothing is known of them."""
    bytes_read: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """A sentence for each of the first refused rows."""

    @property
    def refused(self) -> int:
        """Number of refused rows."""
        return self.labels["refused"]

    def lines(self) -> Iterator[str]:
        """Yield what is printed at the end."""
        yield f"{self.rows:,} rows sent" + (f", {self.without:,} without a label left out" if self.without else "")
        for name, counts in (("labels", self.labels), ("outcomes", self.outcomes)):
            if known := [f"{count:,} {fate.replace('_', ' ')}" for fate, count in counts.items() if count]:
                yield f"{name}: {', '.join(known)}"

    def add(self, answer: Mapping[str, Any], numbers: Sequence[int]) -> None:
        """Add the answer to a batch; `numbers` are those of its rows in the table, from 1."""
        self.labels.update(answer.get("labels", {}))
        self.outcomes.update(answer.get("outcomes", {}))
        for error in answer.get("errors", ()):
            if len(self.errors) < MOST_ERRORS:
                self.errors.append(f"row {numbers[error['row']]:,}: {error['message']}")


@dataclass(frozen=True)
class Server:
    """The server that labels are sent to."""

    url: str
    model: str | None = None
    token: str | None = None
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).netloc:
            raise SettingsError(f"--url {self.url}: give an address such as http://127.0.0.1:8000")

    def send(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Send a batch and return the answer; SettingsError if the server does not take it."""
        body = b"\n".join(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") for row in rows)
        for pause in (*RETRIES, None):
            try:
                return self._post(body)
            except HTTPError as error:
                answer = _json(error.read())
                if error.code == UNPROCESSABLE and "errors" in (detail := answer["error"]["detail"]):
                    return {"labels": {"refused": detail["refused"]}, "errors": detail["errors"]}
                said = answer["error"]["message"]
                if error.code not in BUSY or pause is None:
                    raise SettingsError(f"{self._address}: {error.code} {said}") from error
            except (OSError, HTTPException) as error:
                if pause is None:
                    raise SettingsError(f"{self._address}: {error}") from error
            self.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @property
    def _address(self) -> str:
        query = "" if self.model is None else f"?model={quote(self.model, safe='')}"
        return f"{self.url.rstrip('/')}/labels{query}"

    def _post(self, body: bytes) -> Mapping[str, Any]:
        headers = {"content-type": "application/x-ndjson"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        request = Request(self._address, body, headers, method="POST")  # noqa: S310  # http or https, as checked
        with open_directly(request, TIMEOUT_SECONDS) as answer:
            return _json(answer.read())


def _json(body: bytes) -> dict[str, Any]:
    """Return an answer of the server, or what stands for one of another program."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    is_ours = isinstance(found, dict) and ("labels" in found or isinstance(found.get("error"), dict))
    return found if is_ours else {"error": {"message": "the answer is not Driftgauge's: check --url", "detail": {}}}


def send(
    table: TableSource,
    columns: Columns,
    server: Server,
    batch_rows: int,
    on_batch: Callable[[ImportTally], None] = lambda tally: None,
) -> ImportTally:
    """Send all rows of a table; SettingsError if the server does not take them, TableError if it cannot be read."""
    tally = ImportTally()
    for part in table.parts(columns.names):
        known = [(part.first + row, own) for row, own in enumerate(columns.rows(part.table)) if _says_something(own)]
        tally.without += len(part.table) - len(known)
        for first in range(0, len(known), batch_rows):
            batch = known[first : first + batch_rows]
            tally.add(server.send([row for _, row in batch]), [number for number, _ in batch])
            tally.rows += len(batch)
            on_batch(tally)
        tally.bytes_read = part.bytes_read
        on_batch(tally)
    if not tally.rows and not tally.without:
        raise TableError(f"{table.label} has no rows")
    return tally


def _says_something(row: Mapping[str, Any]) -> bool:
    return "label" in row or "outcomes" in row
