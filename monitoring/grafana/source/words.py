"""One sentence on each term; a panel whose title or description has a term explains it."""

from __future__ import annotations

import re
from typing import Final

WORDS: Final[dict[str, str]] = {
    "PSI": "The population stability index says how far the bins' shares are from those of the reference; 0 is equal.",
    "noise-corrected": "The part of a PSI that sampling noise alone would give is subtracted.",
    "evidence": "Evidence grows while rows differ from the reference, and does not grow by looking more often.",
    "significant": "A change is significant when its evidence is above its limit.",
    "severity": "0 is normal, 1 info, 2 warning, 3 critical; alerts fire from 2.",
    "reference": "The training data that live rows are compared with.",
    "sliding window": "A sliding window holds the newest rows, for example 10,000 of them; verdicts rest on it.",
    "time window": "A time window holds the rows of the last minutes or hours; no verdict rests on it.",
    "main window": "The largest sliding window.",
    "unseen": "A value that the reference does not have.",
    "budget": "The share of requests that may fail because of the server.",
    "baseline": "The file with the reference's bins and statistics.",
    "across replicas": "Prometheus adds up the rows of all servers of one model version.",
    "merged": "Prometheus adds up the rows of all servers of one model version.",
}
"""Each term, and what it means."""


def with_words(title: str, description: str) -> str:
    """Return the description followed by a list of its terms."""
    text = f"{title} {description}"
    found = [term for term in WORDS if re.search(rf"\b{re.escape(term)}(?:s|ces)?\b", text, re.IGNORECASE)]
    meant = "\n".join(f"- **{term}**: {WORDS[term]}" for term in found)
    return f"{description}\n\n{meant}" if found else description
