"""The dashboard of columns: which one differs from the reference, since when, and where its values are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..panels import AnyPanel
from .all_columns import all_columns
from .distribution import bins, quality, values
from .statistics import other_statistics, psi
from .verdict import history, verdict

PARTS: Final[Sequence[tuple[str, Callable[[], list[AnyPanel]]]]] = (
    ("Which column?", all_columns),
    ("$feature_name: verdict", verdict),
    ("$feature_name: distribution", bins),
    ("$feature_name: since when", history),
    ("$feature_name: PSI by window", psi),
    ("$feature_name: values", values),
    ("$feature_name: data quality", quality),
    ("$feature_name: other statistics by window", other_statistics),
)
"""The rows of the dashboard, each with its panels."""
