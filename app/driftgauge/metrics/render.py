"""Writes `/metrics`: the server's own series, then those of every monitor, in pieces.

prometheus_client chooses the format by the `Accept` header and describes the interpreter; `text_format`
writes everything else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, PlatformCollector
from prometheus_client.exposition import choose_encoder

from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.multivariate.compared import RESULTS
from driftgauge.drift.reference.baseline import OUTPUTS
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.metrics.alias_gauges import alias_axes
from driftgauge.metrics.facts import Exposed as Exposed
from driftgauge.metrics.facts import MonitorFacts, ServerFacts
from driftgauge.metrics.family_text import family, stored
from driftgauge.metrics.gauges import (
    ORIGINS,
    REPORT_GAUGES,
    SHARE_GAUGES,
    STATS,
    Numbers,
    ReportGauge,
    ShareGauge,
    reference_shares,
)
from driftgauge.metrics.gradual_gauges import GRADUAL_GAUGES, WINDOW
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.monitor_gauges import MONITOR_GAUGES, OUTCOME, QUEUE_LIMIT, QUEUE_LIMITS
from driftgauge.metrics.performance_gauges import PERFORMANCE_GAUGES, PerformanceGauge
from driftgauge.metrics.quality_gauges import QUALITY_GAUGES, QualityGauge
from driftgauge.metrics.release_gauges import PERCENTILES
from driftgauge.metrics.rolling_gauges import REFERENCE, REFERENCES
from driftgauge.metrics.series import (
    ABOUT_LABELS,
    BINS,
    FEATURE,
    INFO,
    REFERENCE_RATIO,
    Declared,
)
from driftgauge.metrics.server_families import server_families
from driftgauge.metrics.text_format import Axis, labelled, sample, samples

EVERYTHING: Final = Exposed()
COLUMNS_AT_ONCE: Final = 64
"""Columns whose bins are written at once, in some tenths of a millisecond."""


def render(
    accept: str, monitors: Sequence[MonitorFacts], server: ServerFacts, exposed: Exposed = EVERYTHING
) -> tuple[bytes, str]:
    """Return the exposition and its content type, in the format that `accept` asks for."""
    pieces, content_type = render_chunks(accept, monitors, server, exposed)
    return b"".join(pieces), content_type


def render_chunks(
    accept: str, monitors: Sequence[MonitorFacts], server: ServerFacts, exposed: Exposed = EVERYTHING
) -> tuple[Iterator[bytes], str]:
    """Return the exposition in pieces, each written on demand, and its content type."""
    platform, content_type = _platform(accept)
    openmetrics = content_type.startswith("application/openmetrics-text")
    end = b"# EOF\n" if openmetrics else b""
    members = [_MonitorSeries(facts, facts.exposed or exposed) for facts in monitors]
    families = chain(server_families(server, openmetrics), _model_families(members, openmetrics))
    return chain([platform.removesuffix(end)], (text.encode() for text in families), [end]), content_type


def _platform(accept: str) -> tuple[bytes, str]:
    """Return prometheus_client's metrics of the interpreter, and the content type that it chooses."""
    try:
        encoder, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        encoder, content_type = choose_encoder("")
    if content_type.endswith(("escaping=dots", "escaping=values")):
        # These rewrite names that need it, and some of ours that do not: as they stand they are valid anywhere.
        encoder, content_type = choose_encoder(content_type.rpartition(";")[0])
    registry = CollectorRegistry(auto_describe=False)
    PlatformCollector(registry=registry)
    return encoder(registry), content_type


@dataclass(frozen=True)
class _MonitorSeries:
    """A monitor's part of the `model_*` families; they share the text of its labels."""

    facts: MonitorFacts
    exposed: Exposed

    @cached_property
    def report(self) -> DriftReport | None:
        """The report with the windows that are listed."""
        report, listed = self.facts.report, self.exposed.windows
        if report is None or listed is None:
            return report
        main = report.main.name
        windows = {name: window for name, window in report.windows.items() if name == main or name in listed}
        return replace(report, windows=windows)

    @cached_property
    def listed(self) -> MonitorFacts:
        """The facts with the windows that are listed."""
        return replace(self.facts, report=self.report)

    @property
    def base(self) -> Mapping[str, str]:
        """The labels of every series of the model."""
        return {"model_name": self.facts.model_name, "model_version": self.facts.model_version}

    @cached_property
    def positions(self) -> IntArray:
        """Positions of the columns that gauges list, in the baseline's order."""
        names, top = self.facts.baseline.names, self.exposed.top_features
        if top is None or self.facts.report is None:
            return np.flatnonzero(self.monitored)
        ranked = [index for index in self.facts.report.worst_first if self.monitored[index]]
        features = [index for index in ranked if names[index] not in OUTPUTS]
        predictions = [index for index in ranked if names[index] in OUTPUTS]
        return np.array(sorted(features[:top] + predictions), dtype=np.int64)

    @cached_property
    def monitored(self) -> BoolArray:
        """Which columns are monitored; the others have no series."""
        names, report = self.facts.baseline.names, self.facts.report
        return np.ones(len(names), np.bool_) if report is None else report.policy.monitored(names)

    @cached_property
    def axes(self) -> Mapping[str, Axis]:
        """The values of each label of the gauges."""
        names, report = self.facts.baseline.names, self.report
        values: Mapping[str, Iterable[str]] = {
            FEATURE: [names[index] for index in self.positions.tolist()],
            "window": report.windows if report else (),
            "severity": LIMITS,
            "stat": STATS,
            "origin": ORIGINS,
            OUTCOME: self.facts.labels.outcomes if self.facts.labels else (),
            "percentile": PERCENTILES,
            QUEUE_LIMIT: QUEUE_LIMITS,
            REFERENCE: REFERENCES,
            "result": RESULTS,
            "client": self.facts.clients,
            **alias_axes(self.facts.release.alias),
        }
        return {label: Axis.of(label, known) for label, known in values.items()}

    def gauge(self, spec: ReportGauge | MonitorGauge, numbers: Numbers) -> Iterator[str]:
        """Yield a gauge's children."""
        values = np.asarray(numbers, dtype=np.float64)
        listed = values[self.positions] if FEATURE in spec.labels else values
        axes = {**self.axes, WINDOW: self.long_windows} if spec in GRADUAL_GAUGES else self.axes
        return samples(spec.name, labelled(self.base), [axes[label] for label in spec.labels], listed)

    @cached_property
    def long_windows(self) -> Axis:
        """The time windows of a week or more."""
        found = self.facts.gradual
        return Axis.of(WINDOW, [] if found is None else [window.name for window in found.windows])

    def performance(self, spec: PerformanceGauge) -> list[str]:
        """Return the samples of a gauge of performance; none without a report."""
        report = self.facts.performance
        found = [] if report is None else spec.samples(report)
        return [
            sample(spec.name, labelled({**self.base, **dict(zip(spec.labels, values, strict=True))}), value)
            for values, value in found
            if not math.isnan(value)
        ]

    def quality(self, spec: QualityGauge) -> list[str]:
        """Return the samples of a gauge of constraints, of the listed columns and windows; none without a report."""
        report, drift = self.facts.quality, self.report
        if report is None or drift is None:
            return []
        listed = {self.facts.baseline.names[index] for index in self.positions.tolist()}
        return [
            sample(spec.name, labelled({**self.base, **labels}), value)
            for labels, value in spec.values(report, drift.windows)
            if not math.isnan(value) and (FEATURE not in labels or labels[FEATURE] in listed)
        ]

    def shares(self, spec: ShareGauge, report: DriftReport) -> Iterator[str]:
        """Yield one sample for each listed column that has such a share."""
        for index in self.positions.tolist():
            verdict = report.verdicts[index]
            if verdict.finding is not None and (share := verdict.finding.share) is not None:
                labels = labelled({**self.base, FEATURE: verdict.name, "rows": share.rows})
                yield sample(spec.name, labels, spec.value(share))

    def binned(self, spec: Declared, numbers: npt.NDArray[Any]) -> Iterator[str]:
        """Yield one sample for each bin, some columns at a time; `numbers` have shape [columns, K]."""
        baseline, base = self.facts.baseline, labelled(self.base)
        listed = np.flatnonzero(self.monitored)
        for first in range(0, len(listed), COLUMNS_AT_ONCE):
            part = listed[first : first + COLUMNS_AT_ONCE]
            own = [Axis.of("bin", baseline.bins[column].names) for column in part.tolist()]
            known = np.arange(baseline.binner.width) < np.array([len(axis.texts) for axis in own])[:, None]
            axis = Axis.of(FEATURE, [baseline.names[column] for column in part.tolist()]).with_each(own)
            yield from samples(spec.name, base, [axis], numbers[part][known].astype(np.float64))


def _model_families(members: Sequence[_MonitorSeries], openmetrics: bool) -> Iterator[str]:
    """Yield the `model_*` families, the children of all monitors under one name."""
    watched = [(member, report) for member in members if (report := member.report)]
    yield from family(INFO, openmetrics, [_info(member) for member in members])
    for same in zip(*(member.facts.series for member in members), strict=True):
        listed = [(spec, member) for spec, member in zip(same, members, strict=True) if member.facts.lists(spec)]
        parts = [stored(spec, member.base, member.facts.arrays) for spec, member in listed]
        yield from family(same[0], openmetrics, parts or [[]])
    yield from _bin_families([member for member, _ in watched], openmetrics)
    for reported in REPORT_GAUGES:
        yield from family(
            reported, openmetrics, [member.gauge(reported, reported.values(report)) for member, report in watched]
        )
    for shared in SHARE_GAUGES:
        yield from family(shared, openmetrics, [member.shares(shared, report) for member, report in watched])
    for judged in PERFORMANCE_GAUGES:
        measured = [own for member in members if (own := member.performance(judged))]
        yield from family(judged, openmetrics, measured)
    for checked in QUALITY_GAUGES:
        violated = [own for member in members if (own := member.quality(checked))]
        yield from family(checked, openmetrics, violated)
    for stated in MONITOR_GAUGES:
        known = [member for member in members if stated.applies_to(member.facts)]
        yield from family(stated, openmetrics, [member.gauge(stated, stated.values(member.listed)) for member in known])


def _bin_families(members: Sequence[_MonitorSeries], openmetrics: bool) -> Iterator[str]:
    """Yield the two families from which the PSI across replicas is computed: both or none."""
    known = [(m, m.facts.bin_rows) for m in members if m.exposed.bin_rows]
    counted = [(member, rows) for member, rows in known if rows is not None]
    yield from family(BINS, openmetrics, [member.binned(BINS, rows) for member, rows in counted])
    shares = [member.binned(REFERENCE_RATIO, reference_shares(member.facts.baseline)) for member, _ in counted]
    yield from family(REFERENCE_RATIO, openmetrics, shares)


def _info(member: _MonitorSeries) -> Iterator[str]:
    facts, stated = member.facts, member.facts.baseline.about.stated
    about = {label: stated.get(label, "") for label in ABOUT_LABELS}
    labels = {**member.base, "task": facts.task, "baseline_hash": facts.baseline.hash, **about}
    yield sample(INFO.name, labelled(labels), 1.0)
