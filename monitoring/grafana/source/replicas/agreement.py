"""Do the replicas come to the same verdict, and see the same values?"""

from __future__ import annotations

from ..panels import NUMBER, PLAIN, AnyPanel, Text, lines, timeline
from ..queries import COLUMN_IS, MODEL_IS, Query, relative_psi


def agreement() -> list[AnyPanel]:
    """Return the panels on severity, size and evidence, by replica."""
    limit = Query(f"min(model_feature_evidence_threshold_log10{{{COLUMN_IS}}})", "limit")
    mean = f'max by (instance) (model_feature_value{{{COLUMN_IS}, stat="mean"}})'
    return [
        timeline(
            Text("Drift severity by replica", "The severity of the whole model on each replica. Bad: one replica "
                 "differs from the others: it receives other traffic.", PLAIN),
            Query(f"max by (instance) (model_drift_severity{{{MODEL_IS}}})", "{{instance}}"), height=6,
        ),
        lines(
            Text("Largest PSI relative to its limit", "Noise-corrected PSI in units of its warning limit, of the "
                 "column where it is largest, on each replica. Bad: one line far above the others.", NUMBER),
            Query(relative_psi(MODEL_IS, " by (instance) "), "{{instance}}"), Query("vector(1)", "limit"),
            empty="too few rows for a PSI",
        ),
        lines(
            Text("Evidence on $feature_name (log10)", "Evidence that the chosen column differs from the reference, "
                 "from each replica's own rows. It does not add up: each has its own false-alarm budget. Bad: at the "
                 "limit and above: the change is significant there.", NUMBER),
            Query(f"max by (instance) (model_feature_evidence_log10{{{COLUMN_IS}}})", "{{instance}}"), limit,
        ),
        lines(
            Text("Mean of $feature_name", "Mean of the chosen column in each replica's main window, beside the "
                 "reference. Categorical columns have none. Bad: one replica away from the others.", NUMBER),
            Query(mean, "{{instance}}"), Query(f"max(model_feature_reference_mean{{{COLUMN_IS}}})", "reference mean"),
            empty="a categorical column has no mean",
        ),
    ]  # fmt: skip
