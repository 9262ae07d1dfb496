"""How large is the change, by PSI and by other statistics?"""

from __future__ import annotations

from typing import Final

from ..panels import NUMBER, RATIO, ROWS, AnyPanel, Text, lines
from ..queries import CHOSEN, COLUMN_IS, MODEL_IS, Query, limits

CATEGORICAL: Final = "a categorical column has none"
WHERE: Final = f"{COLUMN_IS}, {CHOSEN}"


def psi() -> list[AnyPanel]:
    """Return the panel on PSI, repeated for each chosen window."""
    where = f'{COLUMN_IS}, window="$window"'

    def largest(what: str, legend: str) -> Query:
        return Query(f"max(model_feature_psi{what}{{{where}}})", legend)

    panel = lines(
        Text("PSI, window $window", "PSI, its noise (the part that chance alone gives), and noise-corrected PSI, which "
             "is compared with the limits. The expected range is the largest PSI among the reference's own windows. "
             "Time windows have neither limits nor a verdict. Bad: noise-corrected PSI above a limit.", NUMBER),
        largest("_debiased", "noise-corrected"), largest("", "PSI"), largest("_noise", "noise"),
        largest("_expected_max", "reference: expected range"),
        limits("model_feature_psi_threshold", where),
        width=24, height=9, empty="this window has too few rows for a PSI",
    )  # fmt: skip
    return [panel.repeat("window").repeat_direction("h").max_per_row(2)]


def other_statistics() -> list[AnyPanel]:
    """Return the panels on distances, the p-value and the rows behind them."""
    return [
        _references(),
        *_distances(),
        lines(
            Text("p-value", "Probability of bins at least this different if nothing changed and rows are independent, "
                 "on the worst server. It holds for a single look; repeated looks find small p-values by chance. "
                 "Significance is evaluated by evidence instead. Bad: near 0 for long.", NUMBER),
            _of_window("min", "model_feature_drift_pvalue"), soft_max=1,
        ),
        lines(
            Text("Correlation with other columns", "Largest change of this column's correlation with another one, in "
                 "standard errors, in the main window, on the worst server. Categorical columns have none. Bad: a rise "
                 "that lasts; /drift/status names the pair that changed most.", NUMBER),
            Query(f"max(model_feature_correlation_change_z{{{COLUMN_IS}}})", "largest change"), empty=CATEGORICAL,
        ),
        _attribution(),
        lines(
            Text("Rows behind these statistics", "Rows of each window, and rows with a number in this column, on the "
                 "server with the fewest. Bad: few (a distance of 100 rows is mostly chance), or far fewer numbers "
                 "than rows.", ROWS),
            Query(f"min by (window) (model_window_rows{{{MODEL_IS}, {CHOSEN}}})", "{{window}}"),
            _of_window("min", "model_feature_value_rows", "{{window}} with a number"), width=24, log=True, many=True,
        ),
    ]  # fmt: skip


def _attribution() -> AnyPanel:
    def share(of: str, legend: str) -> Query:
        return Query(f"avg(model_feature_attribution_{of}{{{COLUMN_IS}}})", legend)

    return lines(
        Text("Share of contributions", "How much of what all features contribute to the scores comes from this one, of "
             "live rows and of the reference, averaged over the servers. Bad: it moves far from the reference's and "
             "stays there, so that the scores rest on other features.", RATIO),
        share("ratio", "live rows"), share("reference_ratio", "reference"), width=24,
        empty="attributions are not compared (DRIFTGAUGE_ATTRIBUTION_SECONDS), or this column is no feature",
    )  # fmt: skip


def _references() -> AnyPanel:
    where = f'{COLUMN_IS}, reference="rolling"'
    return lines(
        Text("PSI against both references", "Noise-corrected PSI of the main window against the baseline of the "
             "training, and against the rows of the last days (rolling), on the worst server. Bad: rolling above its "
             "limit for long: the column has changed within the last days.", NUMBER),
        Query(f"max by (reference) (model_reference_feature_psi_debiased{{{COLUMN_IS}}})", "{{reference}}"),
        limits("model_reference_feature_psi_threshold", where), width=24,
        empty="no rolling reference: set DRIFTGAUGE_REFERENCE=rolling, and wait until days are counted",
    )  # fmt: skip


def _distances() -> list[AnyPanel]:
    return [
        lines(
            Text("Kolmogorov-Smirnov", "Largest distance between the cumulative distributions of window and reference, "
                 "from 0 to 1, on the worst server. Categorical columns have none, nor have time windows longer than "
                 "the rows that are kept. Bad: a rise that lasts; few rows alone give about 1 / √rows.", NUMBER),
            _of_window("max", "model_feature_ks_statistic"), empty=CATEGORICAL,
        ),
        lines(
            Text("Wasserstein", "Average distance between the values of window and reference, in the reference's "
                 "standard deviations, on the worst server. Absent where Kolmogorov-Smirnov is. Bad: a rise that "
                 "lasts; 1 is a whole standard deviation.", NUMBER),
            _of_window("max", "model_feature_wasserstein_ratio"), empty=CATEGORICAL,
        ),
        lines(
            Text("Mean shift", "Mean minus the reference's mean, in the reference's standard deviations, averaged over "
                 "the servers. It shows the direction. Bad: it leaves 0 and stays away.", NUMBER),
            _of_window("avg", "model_feature_mean_shift_ratio"), empty=CATEGORICAL,
        ),
        lines(
            Text("Jensen-Shannon", "Distance between the bins' shares in window and reference, also of categorical "
                 "columns: 0 is equal, 1 is nothing in common; on the worst server. Bad: a rise that lasts. A window "
                 "of few rows is never at 0.", NUMBER),
            _of_window("max", "model_feature_js_distance"),
        ),
    ]  # fmt: skip


def _of_window(operation: str, metric: str, legend: str = "{{window}}") -> Query:
    return Query(f"{operation} by (window) ({metric}{{{WHERE}}})", legend)
