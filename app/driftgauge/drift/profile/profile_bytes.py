"""Profiles as bytes: JSON, compressed by gzip, with a hash over its content."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.profile.exact_sums import Sums, largest_sum
from driftgauge.drift.profile.profile import MOST_PARTITIONS, MOST_ROWS, SCHEMA_VERSION, Profile
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.errors import ProfileError

FORMAT: Final = "driftgauge profile"
MOST_BYTES: Final = 16 << 20
"""Largest profile that is read."""
MOST_TEXT: Final = 32 << 20
"""Largest text of a profile, which is not compressed: a few thousand columns by hour of the day."""
MOST_BRACKETS: Final = 1_000_000
"""Most lists and objects in it: in memory an empty one takes twenty times its text."""
LONGEST_NAME: Final = 1_000
_MOST_BINS: Final = 256
_GZIP: Final = 31
"""Window bits by which zlib reads gzip alone."""
_AGAIN: Final = "make the profile again"


def profile_bytes(profile: Profile) -> bytes:
    """Return a profile as bytes, the same for equal profiles; ProfileError if they could not be read again."""
    try:
        for name in profile.partitions:
            _name("the name of a partition", name)
    except ValueError as error:
        raise ProfileError(f"{error}: give another name") from error
    content = profile_content(profile)
    text = json.dumps({**content, "hash": _hash(content)}, separators=(",", ":"))
    if len(text) > MOST_TEXT:
        raise ProfileError(
            f"the profile's text has {len(text):,} bytes, and at most {MOST_TEXT:,} are read: leave columns out "
            "(--ignore COLUMN), or merge with fewer names of partitions (--name NAME)"
        )
    return gzip.compress(text.encode(), 9, mtime=0)


def profile_content(profile: Profile) -> dict[str, Any]:
    """Return a profile as JSON has it, without its hash."""
    columns = zip(
        profile.columns,
        profile.counts.tolist(),
        profile.sums.values,
        profile.sums.squares,
        _finite(profile.lowest),
        _finite(profile.highest),
        strict=True,
    )
    keys = ("name", "counts", "sum", "squares", "lowest", "highest")
    return {
        "format": FORMAT,
        "schema_version": profile.schema_version,
        "baseline": profile.baseline_hash,
        "partitions": list(profile.partitions),
        "rows": profile.rows,
        "start": profile.start if math.isfinite(profile.start) else None,
        "end": profile.end if math.isfinite(profile.end) else None,
        "hours": profile.hours.tolist(),
        "columns": [dict(zip(keys, own, strict=True)) for own in columns],
        "in_hour": {str(hour): counts.tolist() for hour, counts in profile.in_hour.items()},
    }


def _finite(numbers: FloatArray) -> list[float | None]:
    return [own if math.isfinite(own) else None for own in numbers.tolist()]


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_profile_bytes(content: bytes) -> Profile:
    """Read a profile; ProfileError says what is wrong with it and what to do."""
    found = _parsed(_text(content))
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ProfileError(f"this is no profile: it does not name the format {FORMAT!r}")
    version = found.get("schema_version")
    if version is not SCHEMA_VERSION and (isinstance(version, bool | float) or version != SCHEMA_VERSION):
        raise ProfileError(
            f"the profile has schema version {str(version)[:20]}, this Driftgauge reads {SCHEMA_VERSION}: {_AGAIN}"
        )
    stated = found.pop("hash", None)
    try:
        profile = _built(found)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise ProfileError(f"the profile is malformed ({what[:200]}): {_AGAIN}") from error
    if stated != _hash(found):
        raise ProfileError(f"the profile's content does not match its hash: it was edited or damaged; {_AGAIN}")
    return profile


def _text(content: bytes) -> str:
    """Return the text of a profile, which is never longer than the limit."""
    if len(content) > MOST_BYTES:
        raise ProfileError(f"the profile has {len(content):,} bytes, and at most {MOST_BYTES:,} are read: {_AGAIN}")
    reader = zlib.decompressobj(_GZIP)
    try:
        plain = reader.decompress(content, MOST_TEXT)
    except zlib.error as error:
        raise ProfileError(f"this is no profile, or a damaged one ({error}): {_AGAIN}") from error
    if reader.unconsumed_tail:
        raise ProfileError(f"the profile's text has more than {MOST_TEXT:,} bytes: {_AGAIN}")
    if not reader.eof or reader.unused_data:
        what = "goes on behind its end" if reader.eof else "is truncated"
        raise ProfileError(f"the profile {what}: copy it again, or {_AGAIN}")
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(f"this is no profile: its text is not UTF-8 ({error.reason})") from error


def _parsed(text: str) -> Any:
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise ProfileError(f"the profile has too many lists and objects: {_AGAIN}")
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ProfileError(f"the profile's lists and objects are nested too deeply: {_AGAIN}") from error
    except ValueError as error:
        raise ProfileError(f"the profile is not complete JSON ({error}): {_AGAIN}") from error


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _built(content: Mapping[str, Any]) -> Profile:
    """Return the profile of a content; KeyError, TypeError or ValueError if it cannot be one."""
    rows = _whole("rows", content["rows"], MOST_ROWS)
    columns = content["columns"]
    _require(isinstance(columns, list) and len(columns) > 0, "columns is no list of columns")
    names = [_name("the name of a column", own["name"]) for own in columns]
    _require(len(set(names)) == len(names), "two columns have the same name")
    counts = _counts([own["counts"] for own in columns], rows)
    in_hour = {_hour(hour): _counts(own, None) for hour, own in _mapping(content["in_hour"]).items()}
    _require(not in_hour or _adds_up(in_hour, counts), "the rows by hour do not add up to all rows")
    start, end = _number("start", content["start"], math.inf), _number("end", content["end"], -math.inf)
    hours = np.array([_whole("hours", own, rows) for own in content["hours"]], dtype=np.int64)
    _require(hours.shape == (HOURS,) and int(hours.sum()) <= rows, "hours are not the rows of 24 hours")
    _require((start <= end) == bool(hours.any()), "start and end are not those of rows with times")
    return Profile(
        baseline_hash=_name("baseline", content["baseline"]),
        columns=tuple(names),
        rows=rows,
        counts=counts,
        sums=_sums(columns, rows),
        lowest=np.array([_number("lowest", own["lowest"], math.inf) for own in columns]),
        highest=np.array([_number("highest", own["highest"], -math.inf) for own in columns]),
        partitions=_partitions(content["partitions"]),
        hours=hours,
        start=start,
        end=end,
        in_hour=dict(sorted(in_hour.items())),
    )


def _sums(columns: Sequence[Mapping[str, Any]], rows: int) -> Sums:
    most = largest_sum(rows)
    values = tuple(_whole("sum", own["sum"], most, -most) for own in columns)
    return Sums(values, tuple(_whole("squares", own["squares"], most) for own in columns))


def _counts(given: Any, rows: int | None) -> IntArray:
    """Return counts by column and bin, each column of which has all rows."""
    _require(isinstance(given, list) and all(isinstance(own, list) for own in given), "counts are no lists of numbers")
    _require(all(0 < len(own) <= _MOST_BINS for own in given), f"counts are not of 1 to {_MOST_BINS} bins")
    _require(len({len(own) for own in given}) == 1, "the counts of columns are of different lengths")
    found = np.array([[_whole("counts", cell, MOST_ROWS) for cell in own] for own in given], dtype=np.int64)
    totals = set(found.sum(axis=1).tolist())
    _require(totals == {rows} if rows is not None else len(totals) == 1, "the counts of a column are not of all rows")
    return found


def _adds_up(in_hour: Mapping[int, IntArray], counts: IntArray) -> bool:
    same = all(own.shape == counts.shape for own in in_hour.values())
    return same and np.array_equal(sum(in_hour.values()), counts)


def _partitions(given: Any) -> tuple[str, ...]:
    _require(isinstance(given, list) and 0 < len(given) <= MOST_PARTITIONS, "partitions is no list of names")
    names = [_name("partitions", own) for own in given]
    _require(sorted(set(names)) == names, "partitions are not in order, each once")
    return tuple(names)


def _name(what: str, given: Any) -> str:
    _require(
        isinstance(given, str) and 0 < len(given) <= LONGEST_NAME,
        f"{what} is no text of 1 to {LONGEST_NAME} characters",
    )
    text: str = given
    _require(not any("\ud800" <= sign <= "\udfff" for sign in text), f"{what} has half a surrogate pair")
    return text


def _mapping(given: Any) -> Mapping[str, Any]:
    _require(isinstance(given, dict), "in_hour is no object")
    found: Mapping[str, Any] = given
    return found


def _hour(given: str) -> int:
    known = [str(hour) for hour in range(HOURS)]
    _require(given in known, f"in_hour has the hour {given[:20]!r}")
    return known.index(given)


def _whole(what: str, given: Any, most: int, least: int = 0) -> int:
    _require(isinstance(given, int) and not isinstance(given, bool), f"{what} is no whole number")
    number: int = given
    _require(least <= number <= most, f"{what} is not between {least:,} and {most:,}")
    return number


def _number(what: str, given: Any, unknown: float) -> float:
    if given is None:
        return unknown
    _require(isinstance(given, int | float) and not isinstance(given, bool), f"{what} is no number")
    number = float(given)
    _require(math.isfinite(number), f"{what} is no finite number")
    return number


def _require(true: bool, sentence: str) -> None:
    if not true:
        raise ValueError(sentence)
