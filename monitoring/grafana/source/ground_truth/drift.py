"""Do the labels change, and the errors?"""

from __future__ import annotations

from ..panels import NUMBER, PLAIN, AnyPanel, Text, lines, timeline
from ..queries import MODEL_IS, Query, limits


def label_drift() -> list[AnyPanel]:
    """Return the panels on the distribution of labels and on concept drift."""
    return [
        lines(
            Text("PSI of the labels", "Noise-corrected PSI of the main window's labels against the target of the "
                 "reference, on the worst server. Bad: above a limit, if the severity below says warning or critical.",
                 NUMBER),
            Query(f"max(model_label_psi_debiased{{{MODEL_IS}}})", "noise-corrected"),
            limits("model_label_psi_threshold", MODEL_IS), width=12, empty="the bundle has no distribution of labels",
        ),
        lines(
            Text("Evidence of concept drift (log10)", "Evidence that the model's errors have changed, in the order of "
                 "prediction, on the worst server. Bad: at the limit and above: the relation of inputs and truth has "
                 "changed. Estimated performance cannot see that.", NUMBER),
            Query(f"max(model_error_evidence_log10{{{MODEL_IS}}})", "evidence"),
            Query(f"min(model_error_evidence_threshold_log10{{{MODEL_IS}}})", "limit"), width=12,
            empty="no matured prediction has ground truth yet",
        ),
        timeline(
            Text("Severity of the labels' change by server", "How the severity of the labels' change was on each "
                 "server. It has no alert. Bad: warning or critical for long: the model was trained for other rates.",
                 PLAIN),
            Query(f"max by (instance) (model_label_drift_severity{{{MODEL_IS}}})", "{{instance}}"), height=5,
        ),
    ]  # fmt: skip
