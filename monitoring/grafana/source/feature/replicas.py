"""What do all replicas together show?"""

from __future__ import annotations

from typing import Final

from ..panels import NUMBER, ROWS, AnyPanel, Text, lines
from ..queries import COLUMN_IS, COLUMN_OF_REPLICAS_IS, Query

RANGES: Final = {"5m": "5 minutes", "1h": "1 hour", "24h": "24 hours"}
PSI: Final = "feature:model_feature_psi_clip:increase"
COUNTED: Final = "feature:model_feature_bin_rows:increase"


def replicas() -> list[AnyPanel]:
    """Return the panels on PSI and rows across replicas."""
    return [
        lines(
            Text("PSI across replicas", "PSI of the rows of all servers, with shares clipped at 0.0001, from 500 rows "
                 "(or 10 for each bin). The limits are the smallest of the windows'. Bad: above a limit.", NUMBER),
            *_of_each_range(PSI),
            Query(f"min by (severity) (model_feature_psi_threshold{{{COLUMN_IS}}})", "{{severity}} limit"), width=12,
        ),
        lines(
            Text("Rows across replicas", "Rows behind the PSI across replicas. Bad: below 500, or 10 for each bin: "
                 "there is no PSI then.", ROWS),
            *_of_each_range(COUNTED), width=12,
        ),
    ]  # fmt: skip


def _of_each_range(series: str) -> list[Query]:
    return [Query(f"max({series}{span}{{{COLUMN_OF_REPLICAS_IS}}})", legend) for span, legend in RANGES.items()]
