"""Notes: what was found damaged while a worker serves."""

from __future__ import annotations

from typing import Final

LEFT_OUT: Final = "damaged rows were left out"
EMPTIED: Final = "damaged buckets of time windows were emptied"
MEASURED_AGAIN: Final = "the dependence between rows is measured again at scales whose pages were damaged"
_MOST: Final = 50


class Notes:
    """A bounded list of texts, each of them once."""

    def __init__(self) -> None:
        self.texts: Final[list[str]] = []

    def add(self, *texts: str) -> None:
        """Add the texts that are new and not empty."""
        new = [text for text in texts if text and text not in self.texts]
        self.texts.extend(new[: max(0, _MOST - len(self.texts))])
