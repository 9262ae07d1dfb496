"""What do all replicas together show?"""

from __future__ import annotations

from typing import Final

from ..panels import NUMBER, RATIO, ROWS, AnyPanel, Text, lines
from ..queries import COLUMN_IS, COLUMN_OF_REPLICAS_IS, MODEL_IS, REPLICAS_ARE, Query, largest, limits

RANGES: Final = {"5m": "5 minutes", "1h": "1 hour", "24h": "24 hours"}
PSI: Final = "feature:model_feature_psi_clip:increase"
MISSING: Final = "feature:model_feature_missing_ratio:increase"
COUNTED: Final = "feature:model_feature_bin_rows:increase"
TOO_FEW: Final = "too few rows, or the recording rules are not loaded"


def merged() -> list[AnyPanel]:
    """Return the panels on PSI, missing values and rows across replicas."""
    limit = f'min by (feature_name) (model_feature_psi_threshold{{{MODEL_IS}, severity="warning"}})'
    relative = f"max by (feature_name) ({PSI}1h{{{REPLICAS_ARE}}}) / on (feature_name) {limit}"
    return [
        lines(
            Text("PSI across replicas relative to its limit", "PSI of the rows of all replicas in the last hour, in "
                 "units of the smallest warning limit: the ten largest columns. It is not noise-corrected, so only "
                 "large values count. Bad: 1 and above, if the column is significant on a replica too.", NUMBER),
            Query(largest(relative), "{{feature_name}}"), Query("vector(1)", "limit"),
            width=12, height=9, many=True, empty=TOO_FEW,
        ),
        lines(
            Text("PSI of $feature_name across replicas", "PSI of the rows of all replicas, with shares clipped at "
                 "0.0001, from 500 rows (or 10 for each bin). The limits are the smallest of the windows'. Bad: above "
                 "a limit.", NUMBER),
            *_of_each_range(PSI),
            Query(f"min by (severity) (model_feature_psi_threshold{{{COLUMN_IS}}})", "{{severity}} limit"),
            width=12, height=9, empty=TOO_FEW,
        ),
        lines(
            Text("Missing values of $feature_name across replicas", "Share of rows of all replicas without a value. "
                 "Bad: above a limit: a source has failed.", RATIO),
            *_of_each_range(MISSING), limits("model_feature_missing_ratio_threshold", COLUMN_IS), width=12,
            empty=TOO_FEW,
        ),
        lines(
            Text("Rows across replicas", "Rows behind the PSI across replicas. Bad: below 500, or 10 for each bin: "
                 "there is no PSI then.", ROWS),
            *_of_each_range(COUNTED), width=12, log=True, empty=TOO_FEW,
        ),
    ]  # fmt: skip


def _of_each_range(series: str) -> list[Query]:
    return [Query(f"max({series}{span}{{{COLUMN_OF_REPLICAS_IS}}})", legend) for span, legend in RANGES.items()]
