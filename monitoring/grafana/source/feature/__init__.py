"""The dashboard of one column: its difference from the reference, and its present values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..panels import AnyPanel
from .distribution import distribution, quality
from .replicas import replicas
from .statistics import other_statistics, psi
from .verdict import verdict

PARTS: Final[Sequence[tuple[str, Callable[[], list[AnyPanel]]]]] = (
    ("Verdict", verdict),
    ("PSI by window", psi),
    ("Other statistics by window", other_statistics),
    ("Distribution", distribution),
    ("Data quality", quality),
    ("Across replicas", replicas),
)
"""The rows of the dashboard, each with its panels."""
