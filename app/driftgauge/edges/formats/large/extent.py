"""The largest possible request of a model; larger bodies are refused before they are parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from driftgauge.edges.formats.large.pieces import TOO_DEEP
from driftgauge.edges.formats.large.structure import Structure
from driftgauge.errors import Reason, Refused

BESIDE_FEATURES: Final = 3
"""Values of a row besides its features: id, time, index."""
OF_A_FEATURE: Final = 16
"""Values of one feature's tensor besides its data: name, shape, parameters."""
OF_A_REQUEST: Final = 1_000
"""Values of a request besides rows and tensors."""


@dataclass(frozen=True)
class Extent:
    """The largest number of rows and features of a request."""

    rows: int
    features: int

    @property
    def values(self) -> int:
        """Maximum number of values in lists and objects."""
        return self.rows * (self.features + BESIDE_FEATURES) + self.features * OF_A_FEATURE + OF_A_REQUEST

    @property
    def lists(self) -> int:
        """Maximum number of lists and objects."""
        return self.rows + self.features * OF_A_FEATURE + OF_A_REQUEST

    def refuse(self, structure: Structure) -> None:
        """Raise Refused for a body that is larger, or nested deeper, than any request."""
        if structure.is_too_deep:
            raise Refused(Reason.NOT_JSON, f"the body is refused: {TOO_DEEP}")
        if structure.commas > self.values:
            raise self._too_much(f"{self.values:,} values")
        if structure.openings > self.lists:
            raise self._too_much(f"{self.lists:,} lists and objects")

    def least_rows(self, structure: Structure) -> int:
        """Return the minimum number of rows of a valid request with this structure."""
        return max(1, min(self.rows, structure.commas // (self.features + BESIDE_FEATURES)))

    def _too_much(self, what: str) -> Refused:
        return Refused(
            Reason.TOO_MANY_ROWS,
            f"the body has more than {what}, which is more than {self.rows:,} rows of {self.features:,} features need; "
            "that is the limit: send several requests",
            {"limit": self.rows},
        )
