"""Has this column drifted, and since when?"""

from __future__ import annotations

from typing import Final

from ..panels import DATE, NUMBER, PLAIN, SEVERITIES, WARNING, AnyPanel, Text, lines, number, timeline
from ..queries import COLUMN_IS, COLUMN_OF_REPLICAS_IS, SLIDING, Query, relative_psi, severity_or_none

SEVERITY: Final = f"max(model_feature_drift_severity{{{COLUMN_IS}}})"
EVIDENCE_LIMIT: Final = Query(f"min(model_feature_evidence_threshold_log10{{{COLUMN_IS}}})", "limit")


def verdict() -> list[AnyPanel]:
    """Return the numbers on severity, evidence and size."""
    return [*_verdict(), *_size()]


def history() -> list[AnyPanel]:
    """Return the panels on severity and evidence over time."""
    return [
        timeline(
            Text("Drift severity by server", "How this column's severity changed on each server. Bad: one server "
                 "differs from the others: it receives other traffic.", PLAIN),
            Query(f"max by (instance) (model_feature_drift_severity{{{COLUMN_IS}}})", "{{instance}}"), height=5,
        ),
        lines(
            Text("Evidence by server (log10)", "Evidence against the reference from each server's own rows. It does "
                 "not add up across servers: each has its own false-alarm budget. Bad: at the limit and above: the "
                 "change is significant. A slow rise towards the limit is a small change.", NUMBER),
            Query(f"max by (instance) (model_feature_evidence_log10{{{COLUMN_IS}}})", "{{instance}}"), EVIDENCE_LIMIT,
            width=24, height=7,
        ),
    ]  # fmt: skip


def _verdict() -> list[AnyPanel]:
    evaluated = f"(count(model_feature_psi{{{COLUMN_IS}}} {SLIDING}) or on () {SEVERITY})"
    since = f"min(model_feature_drift_since_timestamp_seconds{{{COLUMN_IS}}}) * 1000"
    return [
        number(
            Text("Drift severity", "This column's severity on the server where it is worst. Without evidence it needs "
                 "200 rows. Bad: warning (a significant change, large or of unknown size) or critical (significant, "
                 "and PSI is above its critical limit). Info is a significant but small change.", PLAIN),
            Query(severity_or_none(SEVERITY, evaluated), "severity"), names=SEVERITIES,
        ),
        number(
            Text("Drifted since", "Time at which the evidence reached its limit, by the monitor's clock (in a replay, "
                 "by the rows' own time). Bad: long ago, and still unexplained.", DATE),
            Query(since, "since"), empty="not drifted",
        ),
        number(
            Text("Evidence (log10)", "Evidence against the reference on the worst server, and its limit. Bad: at the "
                 "limit and above. Once raised, it clears at 1 below the limit.", NUMBER),
            Query(f"max(model_feature_evidence_log10{{{COLUMN_IS}}})", "evidence"), EVIDENCE_LIMIT,
        ),
    ]  # fmt: skip


def _size() -> list[AnyPanel]:
    tau = f"max(model_feature_autocorrelation_rows{{{COLUMN_IS}}}) or on () ({SEVERITY} * 0 + 1)"
    return [
        number(
            Text("PSI relative to its limit", "Noise-corrected PSI in units of its warning limit, in the worst window. "
                 "It measures the size of a change, not its significance. Bad: 1 and above, if the evidence is above "
                 "its limit too.", NUMBER),
            Query(relative_psi(COLUMN_IS, ""), "PSI / limit"), steps=[(1, WARNING)],
            empty="too few rows",
        ),
        number(
            Text("Autocorrelation time (tau)", "How many consecutive rows carry the information of one independent "
                 "row, in the reference or in live rows, whichever is more. Bad: above 50: drift takes tau times as "
                 "many rows to become significant.", NUMBER),
            Query(tau, "tau"),
        ),
        number(
            Text("PSI across replicas, 1 hour", "PSI of the rows of all servers in the last hour, with shares clipped "
                 "at 0.0001. Bad: above the limits that the dashboard Replicas shows.", NUMBER),
            Query(f"max(feature:model_feature_psi_clip:increase1h{{{COLUMN_OF_REPLICAS_IS}}})", "1 hour"),
            empty="too few rows",
        ),
    ]  # fmt: skip
