"""How much a request can hold that a model takes: what holds more is refused before it is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from driftgauge.edges.formats.large.pieces import TOO_DEEP
from driftgauge.edges.formats.large.structure import Structure
from driftgauge.errors import Reason, Refused

BESIDE_FEATURES: Final = 3
"""What a row may have beside its features: its id, its time, its place in an index."""
OF_A_FEATURE: Final = 16
"""What a tensor of one feature may have beside its values: its name, its shape, its parameters."""
OF_A_REQUEST: Final = 1_000
"""What a request may have beside all of them."""


@dataclass(frozen=True)
class Extent:
    """The most that a request may hold."""

    rows: int
    features: int

    @property
    def values(self) -> int:
        """Entries of lists and objects."""
        return self.rows * (self.features + BESIDE_FEATURES) + self.features * OF_A_FEATURE + OF_A_REQUEST

    @property
    def lists(self) -> int:
        """Lists and objects."""
        return self.rows + self.features * OF_A_FEATURE + OF_A_REQUEST

    def refuse(self, structure: Structure) -> None:
        """Raise Refused for a body that holds more, or deeper, than the largest request can."""
        if structure.is_too_deep:
            raise Refused(Reason.NOT_JSON, f"the body is not read: {TOO_DEEP}")
        if structure.commas > self.values:
            raise self._too_much(f"{self.values:,} values")
        if structure.openings > self.lists:
            raise self._too_much(f"{self.lists:,} lists and objects")

    def least_rows(self, structure: Structure) -> int:
        """Return how many rows a body must have at least, if it is a request that can be answered."""
        return max(1, min(self.rows, structure.commas // (self.features + BESIDE_FEATURES)))

    def _too_much(self, what: str) -> Refused:
        return Refused(
            Reason.TOO_MANY_ROWS,
            f"the body has more than {what}, which is more than {self.rows:,} rows of {self.features:,} features have, "
            "the most that are taken at once: send several requests",
            {"limit": self.rows},
        )
