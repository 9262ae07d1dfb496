"""Verdicts on profiles, computed by the code that judges tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from driftgauge.checks.check import require_fitting, restrict
from driftgauge.checks.evaluator import Evaluator
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.quality import TableChecker
from driftgauge.checks.report import CheckReport, WindowVerdict
from driftgauge.checks.report_json import UNKNOWN_OF_COUNTS
from driftgauge.checks.window_reader import period_name
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.profile.profile import Profile, ProfileTotals, require_same
from driftgauge.drift.profile.window import blocks_of, window_of
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.policy import OF_VALUES
from driftgauge.errors import CheckError, ProfileError


class ProfileCheck:
    """A comparison of profiles with their baseline: all of them as one window, or one for each period.

    A window's evidence is that of one block of rows, as of a table without times; against a baseline by hour, of one
    block for each hour of the day. So the report does not depend on how the rows were split into profiles.
    """

    def __init__(
        self,
        baseline: Baseline,
        profiles: Iterable[Profile],
        options: CheckOptions | None = None,
        constraints: Constraints | None = None,
    ) -> None:
        """Merge the profiles one by one; CheckError or ProfileError if they cannot be compared with the baseline.

        Of the constraints, those are checked of which the bins tell how many rows violate them.
        """
        self.options: Final = options or CheckOptions()
        self._whole: Final = baseline
        require_fitting(self.options, baseline)
        self._merged: Final = self._merge(profiles)
        counted = next(iter(self._merged.values())).columns
        left_out = {*self.options.left_out}
        self.not_compared: Final = tuple(name for name in baseline.names if name not in {*counted, *left_out})
        """Columns that the profiles do not count."""
        self.baseline: Final = restrict(baseline, [name for name in counted if name not in left_out])
        """The columns that are compared."""
        if not self.baseline.columns:
            raise CheckError("no column is left to compare: all that the profiles count are ignored")
        self._require_known_statistics()
        self._quality: Final = (
            None if constraints is None else TableChecker(constraints, baseline, self.baseline, self.options, ())
        )

    def _merge(self, profiles: Iterable[Profile]) -> dict[int, Profile]:
        """Return the profile of each period in order, or of all rows."""
        totals: dict[int, ProfileTotals] = {}
        for profile in profiles:
            require_same_bins(self._whole, profile)
            key = self._key(profile)
            if key in totals:
                totals[key].add(profile)
            else:
                totals[key] = ProfileTotals(profile)
        if not totals:
            raise ProfileError("there is no profile to compare: give at least one")
        found = {key: totals[key].profile() for key in sorted(totals)}
        filled = {key: own for key, own in found.items() if own.rows}
        if not filled:
            raise ProfileError("the profiles have no rows: there is nothing to compare")
        first, *others = filled.values()
        for other in others:
            require_same(first, other)
        return filled

    def _key(self, profile: Profile) -> int:
        """Return the period that the rows of a profile are in; always 0 if there are no periods."""
        period = self.options.period
        if period is None or profile.rows == 0:
            return 0
        name = profile.partitions[0]
        if not profile.has_times:
            raise CheckError(
                f"--every {period.name}: the profile of {name} has rows without times: make it with --time COLUMN"
            )
        first, last = (int(np.floor(at / period.seconds)) for at in (profile.start, profile.end))
        if first != last:
            raise CheckError(
                f"--every {period.name}: the profile of {name} has rows from {rfc3339(profile.start)} to "
                f"{rfc3339(profile.end)}, which is more than one period: give a longer one, or profile shorter ones"
            )
        return first

    def _require_known_statistics(self) -> None:
        """Raise CheckError for options that need the rows themselves."""
        options = self.options
        named = dict(zip(self.baseline.names, options.policy.statistics(self.baseline), strict=True))
        of_rows = {name: own for name, own in named.items() if own in OF_VALUES}
        if of_rows:
            name, statistic = next(iter(of_rows.items()))
            raise CheckError(
                f"--statistic: {name} is judged by {statistic}, which needs the rows themselves, and profiles and "
                "databases give counts: use psi, js, kl or chi2, or check a file without --engine"
            )
        if options.multivariate is not None or options.whole_rows:
            raise CheckError(
                "whole rows cannot be compared, because profiles and databases give counts: check a file "
                "without --engine"
            )

    @property
    def is_history(self) -> bool:
        """Whether there may be several windows, one after the other."""
        return self.options.every is not None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the reader of the report should know about it."""
        absent = f"not compared, because the profiles do not count it: {', '.join(self.not_compared)}"
        return (*([absent] if self.not_compared else []), UNKNOWN_OF_COUNTS)

    def report(self, now: float) -> CheckReport:
        """Return the verdict on each window; `now`, in seconds since 1970, is the time of a window without times."""
        policy = self.options.policy
        detector = policy.detector(self.baseline)
        evaluator, evidence = Evaluator(self.baseline, policy, detector), detector.start()
        verdicts: list[WindowVerdict] = []
        for key, profile in self._merged.items():
            at = profile.end if profile.has_times else now
            period = self.options.period
            name = "table" if period is None else period_name(key, period.seconds)
            window = window_of(profile, self.baseline, name)
            evidence = detector.advance(evidence, blocks_of(profile, self.baseline, at))
            verdict = evaluator.verdict(window, evidence, at, (), 0)
            quality = None if self._quality is None else self._quality.report_of_counts(window)
            verdicts.append(replace(verdict, partitions=profile.partitions, quality=quality))
        return CheckReport(tuple(verdicts), self._whole, self.is_history, remarks=self.remarks)


def require_same_bins(baseline: Baseline, profile: Profile) -> None:
    """Raise ProfileError unless a profile counts rows in the bins of a baseline."""
    name = profile.partitions[0]
    if profile.baseline_hash != baseline.hash:
        raise ProfileError(
            f"the profile of {name} is of another baseline ({profile.baseline_hash[:12]}) than this one "
            f"({baseline.hash[:12]}): name the one that it was made with, or profile the table again"
        )
    bins = {column.name: len(column.bins.names) for column in baseline.columns}
    own = [bins.get(column, 0) for column in profile.columns]
    order = [column for column in baseline.names if column in profile.columns]
    beyond = [not profile.counts[index, size:].any() for index, size in enumerate(own)]
    if order != list(profile.columns) or profile.counts.shape[1] != max(own) or not all(beyond):
        raise ProfileError(f"the profile of {name} does not have the columns and bins of the baseline: make it again")
    if baseline.is_by_hour and profile.rows and not profile.in_hour:
        raise ProfileError(f"the profile of {name} has no rows by hour of the day: make it again with --time COLUMN")
