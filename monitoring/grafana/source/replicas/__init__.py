"""The dashboard of replicas: is each one current, do they agree, and what do all of them show together?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..panels import AnyPanel
from .agreement import agreement
from .each import each
from .freshness import freshness
from .merged import merged

PARTS: Final[Sequence[tuple[str, Callable[[], list[AnyPanel]]]]] = (
    ("Replicas", each),
    ("Is each replica current?", freshness),
    ("Do the replicas agree?", agreement),
    ("All replicas together", merged),
)
"""The rows of the dashboard, each with its panels."""
