"""The statistics of a table that is read part by part, whatever its cells hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.number_profile import NumberProfile
from driftgauge.checks.sagemaker.statistics import Dataset, Statistics
from driftgauge.checks.sagemaker.text_profile import TextProfile
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.tables.stream import TableSource


@dataclass(frozen=True)
class TableProfile:
    """What is known of the columns of tables."""

    rows: int
    columns: Mapping[str, NumberProfile | TextProfile]
    """The columns of the baseline that every table has, by name."""
    missing: tuple[str, ...]
    """Columns of the baseline that a table lacks, but for scores."""
    extra: tuple[str, ...]
    """Columns that the baseline lacks, and that no option names."""

    def statistics(self) -> Statistics:
        """Return the content of `statistics.json`."""
        features = tuple(column.statistics() for column in self.columns.values())
        return Statistics(dataset=Dataset(item_count=self.rows), features=features)


def profile_of(
    baseline: Baseline,
    constraints: Constraints,
    streams: Sequence[TableSource],
    left_out: Collection[str],
    named: Collection[str],
    progress: Callable[[], object],
) -> TableProfile:
    """Read tables and return what is known of their columns; TableError if one cannot be read.

    `left_out` are columns of the baseline that do not count, `named` other columns that are expected, such as that of
    times. `progress` is called after each part.
    """
    wanted = [column for column in baseline.columns if column.name not in left_out]
    common = [column for column in wanted if all(column.name in stream.column_names for stream in streams)]
    expected = {*baseline.names, *left_out, *named, *RESERVED}
    domains = {feature.name: feature.domains for feature in constraints.features}
    profiles: dict[str, NumberProfile | TextProfile] = {
        column.name: NumberProfile(column.name)
        if column.kind == "numeric" and not column.of_text
        else TextProfile(column, domains.get(column.name))
        for column in common
    }
    rows = sum(_add(profiles, stream, progress) for stream in streams)
    missing = (column.name for column in wanted if column.name not in profiles and column.name not in RESERVED)
    extra = dict.fromkeys(name for stream in streams for name in stream.column_names if name not in expected)
    return TableProfile(rows, profiles, tuple(missing), tuple(extra))


def _add(
    profiles: Mapping[str, NumberProfile | TextProfile], stream: TableSource, progress: Callable[[], object]
) -> int:
    """Add a table to the profiles of its columns; returns its rows."""
    rows = 0
    for part in stream.parts(list(profiles) or stream.column_names[:1]):
        rows += part.table.num_rows
        for name, profile in profiles.items():
            cells = part.table[name]
            if isinstance(profile, NumberProfile):
                profile.add(cells)
            else:
                profile.add(cells, is_written=name in part.written)
        progress()
    return rows
