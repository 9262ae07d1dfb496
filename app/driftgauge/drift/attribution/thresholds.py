"""The threshold of attributions, apart from what needs scipy."""

from __future__ import annotations

from typing import Final

NDCG_THRESHOLD: Final = 0.90
"""NDCG below which attributions have drifted, as Amazon SageMaker Clarify has it."""
