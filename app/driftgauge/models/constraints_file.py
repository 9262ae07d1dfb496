"""The file of constraints, `constraints.yaml`: written to be edited, and read with the place of each error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import listed
from driftgauge.common.safe_files import read_bounded
from driftgauge.common.yaml_reader import YamlReader
from driftgauge.drift.quality.constraints import COLUMN_TYPES, NUMBERS, ColumnConstraints, Constraints, Thresholds
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import BundleError, ConstraintsError
from driftgauge.models.beside import path_beside

CONSTRAINTS_FILE: Final = "constraints.yaml"
VERSION: Final = 1
MOST_BYTES: Final = 16 << 20

_HEAD: Final = """\
# What the rows of this model have to satisfy. Edit it freely; a server reads it when it starts or reloads.
#
# rows: `required` are the columns that each row must have, and `extra_columns` says whether there may be others.
#   `duplicates` is the largest share of rows that are equal to an earlier one; 1 does not check it.
# thresholds: the share of rows, beyond what a constraint allows, at which violations have severity warning or critical.
# columns: for each column its type (fractional, integral, string, boolean or time), and any of
#   completeness: least share of rows with a value      domain: allowed categories
#   minimum, maximum: the range                         margin: how far outside is allowed, relative to the range
#   non_negative: true                                  max_length: most characters of a text
# To switch a check off, remove its line or its column.
"""


def dumps(constraints: Constraints) -> str:
    """Return constraints as the text of a file."""
    content = {
        "version": VERSION,
        "rows": {
            "required": list(constraints.required),
            "extra_columns": constraints.extra_columns,
            "duplicates": constraints.duplicates,
        },
        "thresholds": {"warning": constraints.thresholds.warning, "critical": constraints.thresholds.critical},
        "columns": {column.name: _content(column) for column in constraints.columns},
    }
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return _HEAD + text


def loads(text: str, source: str = CONSTRAINTS_FILE) -> Constraints:
    """Read constraints; ConstraintsError names each line and column that is wrong."""
    reader = _Reader(source)
    root = reader.root(text)
    constraints = Constraints() if root is None else reader.constraints(root)
    if reader.errors:
        raise ConstraintsError("; ".join(reader.errors[:_MOST_ERRORS]))
    return constraints


def read(path: Path) -> Constraints:
    """Read a file of constraints."""
    try:
        text = read_bounded(path, MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConstraintsError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise ConstraintsError(f"cannot read {path}: {error.strerror or error}") from error
    return loads(text, str(path))


def of_baseline(path: Path, baseline: Baseline) -> Constraints | None:
    """Read the constraints beside a baseline's file; None if there are none. BundleError for a wrong file."""
    file = path_beside(path, CONSTRAINTS_FILE)
    if not file.exists():
        return None
    try:
        constraints = read(file)
        refuse_unknown(constraints, baseline, str(file))
    except ConstraintsError as error:
        raise BundleError(str(error)) from error
    return constraints


def refuse_unknown(constraints: Constraints, baseline: Baseline, source: str) -> None:
    """Raise ConstraintsError for constraints on a column that the baseline lacks, or holds as another kind."""
    kinds = {column.name: column.kind for column in baseline.columns}
    for column in constraints.columns:
        if column.name not in kinds:
            like = nearest(column.name, baseline.names)
            advice = f"did you mean {like}?" if like else f"it has {listed(baseline.names)}"
            raise ConstraintsError(f"{source}: there is no column {column.name}; {advice}")
        is_number = column.type in NUMBERS or column.minimum is not None or column.maximum is not None
        if is_number and kinds[column.name] == "categorical":
            raise ConstraintsError(
                f"{source}: {column.name}: the baseline holds categories of it, not numbers: make its type string, "
                "or build the baseline again with other kinds"
            )


_MOST_ERRORS: Final = 20
"""Errors that are named at once."""


class _Dumper(yaml.SafeDumper):
    """Writes lists of texts on one line, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=True)


def _content(column: ColumnConstraints) -> dict[str, Any]:
    bounds = {"minimum": column.minimum, "maximum": column.maximum}
    whole = column.type == "integral"
    return {
        "type": column.type,
        **({"completeness": column.completeness} if column.completeness else {}),
        **{key: _number(value, whole=whole) for key, value in bounds.items() if value is not None},
        **({"margin": column.margin} if column.margin else {}),
        **({"non_negative": True} if column.is_non_negative else {}),
        **({} if column.domain is None else {"domain": list(column.domain)}),
        **({} if column.max_length is None else {"max_length": column.max_length}),
    }


def _number(value: float, *, whole: bool) -> float | int:
    return int(value) if whole and value.is_integer() and abs(value) < 2**53 else value


class _Reader(YamlReader):
    """Reads constraints."""

    def constraints(self, root: yaml.Node) -> Constraints:
        top = self.mapping(root, "the file", ("version", "rows", "thresholds", "columns"))
        if "version" in top and (version := self.whole(top["version"], "version")) not in (None, VERSION):
            self.wrong(top["version"], f"version {version} is not known; this version of Driftgauge reads {VERSION}")
        rows = self._part(top, "rows", ("required", "extra_columns", "duplicates"))
        limits = self._part(top, "thresholds", ("warning", "critical"))
        shares = {key: self.share(node, key) for key, node in limits.items()}
        thresholds = self.made(lambda: Thresholds(**shares), top.get("thresholds", root), ConstraintsError)
        columns = self._columns(top["columns"]) if "columns" in top else ()
        made = self.made(
            lambda: Constraints(
                columns,
                required=tuple(self.texts(rows["required"], "required")) if "required" in rows else (),
                extra_columns=self.flag(rows["extra_columns"], "extra_columns") if "extra_columns" in rows else True,
                duplicates=self.share(rows["duplicates"], "duplicates") if "duplicates" in rows else 1.0,
                thresholds=thresholds or Thresholds(),
            ),
            root,
            ConstraintsError,
        )
        return made or Constraints()

    def _columns(self, node: yaml.Node) -> tuple[ColumnConstraints, ...]:
        found = (self._column(name, part) for name, part in self.mapping(node, "columns", None).items())
        return tuple(column for column in found if column is not None)

    def _column(self, name: str, node: yaml.Node) -> ColumnConstraints | None:
        before = len(self.errors)
        parts = self.mapping(node, name, _KEYS)
        readers = self._readers()
        given = {_FIELDS.get(key, key): readers[key](part, f"{name}: {key}") for key, part in parts.items()}
        if "type" not in given and len(self.errors) == before:
            self.wrong(node, f"{name}: the type is missing; give one of {', '.join(COLUMN_TYPES)}")
        if len(self.errors) > before:
            return None
        return self.made(lambda: ColumnConstraints(name=name, **given), node, ConstraintsError)

    def _readers(self) -> Mapping[str, Callable[[yaml.Node, str], Any]]:
        return {
            "type": self._type,
            "completeness": self.share,
            "minimum": self.real,
            "maximum": self.real,
            "margin": self.real,
            "non_negative": self.flag,
            "domain": lambda part, what: tuple(self.texts(part, what)),
            "max_length": self.whole,
        }

    def _part(self, top: Mapping[str, yaml.Node], key: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        return self.mapping(top[key], key, known) if key in top else {}

    def _type(self, node: yaml.Node, what: str) -> str:
        text = self.text(node, what)
        if text is not None and text not in COLUMN_TYPES:
            self.wrong(node, f"{what}: {text!r} is none of {', '.join(COLUMN_TYPES)}")
        return text or COLUMN_TYPES[0]


_KEYS: Final = ("type", "completeness", "minimum", "maximum", "margin", "non_negative", "domain", "max_length")
_FIELDS: Final = {"non_negative": "is_non_negative"}
