"""Columns and outputs named on the command line; a name may hold a comma or an equals sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast, get_args

from driftgauge.common.comma_lists import comma_list
from driftgauge.common.quoting import listed
from driftgauge.errors import TableError
from driftgauge.models.bundle import FeatureKind
from driftgauge.models.formats.spec import OutputRole

KINDS: Final[tuple[str, ...]] = get_args(FeatureKind)
MEANINGS: Final[tuple[str, ...]] = get_args(OutputRole)


def chosen(given: Sequence[str], known: Sequence[str], option: str) -> list[str]:
    """Return the columns that a repeatable option names; TableError for an unknown one.

    A value is the name of a column, or else several names with commas between them.
    """
    names: list[str] = []
    for value in given:
        names += [value] if value in known else comma_list(value)
    for name in names:
        _require_known(name, known, option)
    return list(dict.fromkeys(names))


def stated_kinds(given: Sequence[str], known: Sequence[str]) -> dict[str, FeatureKind]:
    """Return the kinds that values such as `zip=categorical` state, several with commas between them."""
    kinds: dict[str, FeatureKind] = {}
    for value in given:
        whole, _, _ = value.rpartition("=")
        for part in [value] if whole in known else comma_list(value):
            name, _, kind = part.rpartition("=")
            if not name or kind not in KINDS:
                ways = " or ".join(f"COLUMN={one}" for one in KINDS)
                raise TableError(f"--kinds {part}: write {ways}")
            _require_known(name, known, "--kinds")
            kinds[name] = cast("FeatureKind", kind)
    return kinds


def meanings(given: Sequence[str]) -> dict[str, str]:
    """Return the outputs of an ONNX model and what each means, from values such as `p=probabilities`."""
    found = {}
    for value in given:
        output, _, meaning = value.rpartition("=")
        if not output or meaning not in MEANINGS:
            raise TableError(f"--onnx-output {value}: write {' or '.join(f'OUTPUT={one}' for one in MEANINGS)}")
        found[output] = meaning
    return found


def _require_known(name: str, known: Sequence[str], option: str) -> None:
    if name not in known:
        raise TableError(f"{option}: there is no column {name}; the columns are {listed(known)}")
