"""Offline verdicts on tables of any size, computed by the code of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from driftgauge.checks.evaluator import Evaluator
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.quality import TableChecker
from driftgauge.checks.reference import Kept, no_rows
from driftgauge.checks.report import CheckReport, WindowVerdict
from driftgauge.checks.rows import RowReader, Rows
from driftgauge.checks.scoring import Scorer
from driftgauge.checks.whole_rows import WholeRows, features_of
from driftgauge.checks.window_builder import EvidenceAccumulator
from driftgauge.checks.window_reader import WindowReader, WindowRows
from driftgauge.common.quoting import listed
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import NO_CORRELATIONS, CorrelationTable
from driftgauge.drift.statistics.correlation import Correlations
from driftgauge.drift.verdict.sizes import unusable
from driftgauge.errors import BundleError, CheckError
from driftgauge.tables.memory import open_table
from driftgauge.tables.stream import TableSource


class Check:
    """A comparison of tables with a baseline, prepared but not yet read."""

    def __init__(
        self,
        baseline: Baseline,
        tables: Sequence[Any],
        options: CheckOptions | None = None,
        scorer: Scorer | None = None,
        kept: Kept = no_rows,
        constraints: Constraints | None = None,
    ) -> None:
        """Open the tables; TableError for an unreadable one, CheckError if nothing can be compared.

        A table is a path, a DataFrame, an Arrow table or a dict of columns. The scorer's model is loaded if every table
        has all features, and one lacks scores or has the target. `kept` reads the rows that are kept of the reference.
        """
        self.options: Final = options or CheckOptions()
        self.options.require_times()
        if baseline.is_by_hour and self.options.time is None:
            raise CheckError("the baseline compares by hour of the day: name the column of times (--time COLUMN)")
        self.streams: Final[Sequence[TableSource]] = [open_table(table, self.options.bytes_at_once) for table in tables]
        self._whole: Final = baseline
        self._kept = kept
        require_fitting(self.options, baseline)
        absent = self._absent_scores(baseline)
        self.model_problem = ""
        """Why the bundle's model could not be used, although it was needed."""
        self._held_out: Final = None if scorer is None else scorer.info.performance
        self._scorer: Final = self._with_model(scorer, absent)
        self.predicted: Final = absent if self._scorer else ()
        """Score columns that some table lacks, predicted by the model."""
        self.not_compared: Final = () if self._scorer else absent
        """Score columns that some table lacks, left out."""
        excluded = {*self.options.left_out, *self.not_compared}
        self.baseline: Final = restrict(baseline, [name for name in baseline.names if name not in excluded])
        """The columns that are compared."""
        if not self.baseline.columns:
            raise CheckError("no column is left to compare: all of the baseline's are ignored or absent")
        self._reader: Final = RowReader(self.baseline, self.options.time, self._scorer)
        for stream in self.streams:
            stream.require(self._reader.needed(stream))
        self._quality: Final = self._checker(constraints)

    def _checker(self, constraints: Constraints | None) -> TableChecker | None:
        """Return what checks the rows against constraints; None without any."""
        if constraints is None:
            return None
        scorer = self._scorer
        named = [] if scorer is None else [*scorer.features, scorer.info.target]
        others = [name for name in (*named, self.options.time) if name]
        return TableChecker(constraints, self._whole, self.baseline, self.options, others)

    def _with_model(self, scorer: Scorer | None, absent: Sequence[str]) -> Scorer | None:
        """Return the scorer with its model loaded; None if it is not needed or cannot be used."""
        if scorer is None or not all(
            name in stream.column_names for stream in self.streams for name in scorer.features
        ):
            return None
        if not absent and not any(scorer.info.target in stream.column_names for stream in self.streams):
            return None
        try:
            scorer.load_model()
        except BundleError as error:
            self.model_problem = str(error)
            return None
        return scorer

    @property
    def bytes(self) -> int:
        """Size of all tables' files."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def is_history(self) -> bool:
        """Whether there may be several windows, one after the other."""
        return self.options.every is not None or len(self.streams) > 1

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the reader of the report should know about its columns."""
        lines = (
            ("predicted by the bundle's model, because the table lacks it", ", ".join(self.predicted)),
            ("not compared, because the table lacks it", ", ".join(self.not_compared)),
            ("the bundle's model is not used", self.model_problem),
        )
        return tuple(f"{what}: {which}" for what, which in lines if which)

    def report(self, now: float, progress: Callable[[int], object] | None = None) -> CheckReport:
        """Read the tables and return the verdict on each window, with the arguments of `windows`."""
        verdicts = tuple(self.windows(now, progress))
        return CheckReport(verdicts, self._whole, self.is_history, self._held_out, self.remarks)

    def windows(self, now: float, progress: Callable[[int], object] | None = None) -> Iterator[WindowVerdict]:
        """Read the tables and yield the verdict on each window, in order.

        `now`, in seconds since 1970, is the time of a window without times. `progress` is called with the bytes
        read so far. Raises TableError.
        """
        evidence = EvidenceAccumulator(self.baseline.binner, self.options.policy.detector(self.baseline))
        reader = WindowReader(self._reader, self.streams, self.options, self._scorer, self.is_history, self._quality)
        evaluator = _Evaluator(self.baseline, self.options, evidence, self._whole_rows(), self._quality)
        for rows in reader.windows(evidence, progress or (lambda _: None)):
            verdict = evaluator.verdict(rows, now)
            del rows  # frees its rows before the next window is read
            yield verdict

    def rows(self, progress: Callable[[int], object] | None = None) -> Iterator[tuple[TableSource, Rows]]:
        """Read the tables and yield their rows part by part, as a monitor observes them. See `windows`."""
        before = 0
        for stream in self.streams:
            for part in stream.parts(self._reader.needed(stream)):
                yield stream, self._reader.read(stream, part)
                if progress is not None:
                    progress(before + part.bytes_read)
            before += stream.bytes

    def _whole_rows(self) -> WholeRows | None:
        """Return the reference's rows that whole rows are compared with; None if that is not asked for."""
        table, uses_kept = self.options.multivariate, self.options.whole_rows
        if table is None and not uses_kept:
            return None
        features = restrict(self.baseline, features_of(self.baseline))
        if not features.columns:
            raise CheckError(f"{'--multivariate' if table else '--whole-rows'}: no feature is left to compare")
        if table is not None:
            return WholeRows.read(table, self.baseline, features, self.options.bytes_at_once)
        if (sample := self._kept()) is None:
            raise CheckError(
                "--whole-rows: no rows of the reference are kept beside the baseline: build it again with --keep-rows "
                "2000, or name a table of the reference (--multivariate TABLE)"
            )
        return WholeRows.of_sample(sample, self.baseline, features)

    def _absent_scores(self, baseline: Baseline) -> tuple[str, ...]:
        scores = [name for name in RESERVED if name in baseline.names and name not in self.options.left_out]
        return tuple(name for name in scores if any(name not in stream.column_names for stream in self.streams))


class _Evaluator:
    """Evaluates windows of tables in order: what their rows say beside their counts too."""

    def __init__(
        self,
        baseline: Baseline,
        options: CheckOptions,
        evidence: EvidenceAccumulator,
        whole_rows: WholeRows | None,
        quality: TableChecker | None,
    ) -> None:
        self._quality = quality
        self._whole_rows = whole_rows
        self._evidence = evidence
        self._evaluator = Evaluator(baseline, options.policy, evidence.detector)

    def verdict(self, rows: WindowRows, now: float) -> WindowVerdict:
        """Return the verdict on the next window; `now` is its time if it has none."""
        window = rows.builder.window()
        at = now if window.end is None else window.end
        evidence = self._evidence.close_window(window, at)
        sample = rows.sample
        return replace(
            self._evaluator.verdict(window, evidence, at, rows.builder.tables, rows.builder.held),
            performance=None if sample is None else sample.performance(),
            unanswered_rows=0 if sample is None else sample.unanswered,
            multivariate=None if self._whole_rows is None else self._whole_rows.compare(window),
            quality=None
            if self._quality is None or rows.quality is None
            else self._quality.report(window, rows.quality),
        )


def require_fitting(options: CheckOptions, baseline: Baseline) -> None:
    """Raise CheckError for options that name columns which the baseline lacks, or statistics that it cannot have."""
    policy = options.policy
    unknown = [name for name in (*options.left_out, *policy.columns) if name not in baseline.names]
    if unknown:
        raise CheckError(f"the baseline has no column {', '.join(unknown)}; it has {listed(baseline.names)}")
    if why := unusable(policy, baseline):
        raise CheckError(f"--statistic: {why}")


def restrict(baseline: Baseline, names: Sequence[str]) -> Baseline:
    """Return a baseline with some of its columns and the correlations between them."""
    table = baseline.correlations
    kept = [index for index, name in enumerate(table.columns) if name in names]
    correlations = NO_CORRELATIONS
    if len(kept) > 1:
        whole = table.correlations()
        among = np.ix_(kept, kept)
        chosen = Correlations(whole.values[among], whole.rows[among])
        correlations = CorrelationTable.of(tuple(table.columns[index] for index in kept), chosen)
    columns = tuple(column for column in baseline.columns if column.name in names)
    return replace(baseline, columns=columns, correlations=correlations)
