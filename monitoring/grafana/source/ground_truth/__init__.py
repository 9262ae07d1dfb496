"""The dashboard of ground truth: is the model still right, and are its labels coming?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..panels import AnyPanel
from .coming import coming
from .drift import label_drift
from .outcomes import outcomes
from .performance import history, split, verdict

PARTS: Final[Sequence[tuple[str, Callable[[], list[AnyPanel]]]]] = (
    ("Is the model still right?", verdict),
    ("Performance over time", history),
    ("Labels", coming),
    ("Do the labels or the errors change?", label_drift),
    ("Performance by segment and class", split),
    ("Business outcomes", outcomes),
)
"""The rows of the dashboard, each with its panels."""
