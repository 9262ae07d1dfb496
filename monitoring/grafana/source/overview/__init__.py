"""The overview: is the model served, and do its inputs still look like the reference?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..panels import AnyPanel
from .capture import capture
from .drift import drift
from .efficiency import efficiency
from .ingestion import ingestion
from .predictions import predictions
from .quality import quality
from .server import requests
from .status import status

PARTS: Final[Sequence[tuple[str, Callable[[], list[AnyPanel]]]]] = (
    ("Status", status),
    ("Rate, errors, duration", requests),
    ("Predictions", predictions),
    ("Capture and windows", capture),
    ("Rows from other servers", ingestion),
    ("Drift", drift),
    ("Data quality", quality),
    ("Efficiency", efficiency),
)
"""The rows of the dashboard, each with its panels."""
