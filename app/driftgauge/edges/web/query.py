"""What a visitor of the page asked for: a search, a page of the table, single features, a range of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

PER_PAGE: Final = 50
"""Rows of the table on one page."""
MOST_FEATURES: Final = 12
"""Features that one page shows in full."""
SORTS: Final = ("severity", "name", "psi", "evidence", "missing")
SHOWN: Final = ("all", "critical", "warning", "info", "normal")
"""Parts of the table, by severity; `normal` is everything without one."""
RANGES: Final = {"2h": 7_200.0, "24h": 86_400.0, "7d": 604_800.0, "60d": 5_184_000.0}
"""How much of the past the page shows, in seconds."""
USUAL_RANGE: Final = "24h"
THEMES: Final = ("system", "light", "dark")


@dataclass(frozen=True)
class Query:
    """The query of an address, with its defaults."""

    features: tuple[str, ...] = ()
    """Features to show in full; empty for the overview."""
    search: str = ""
    page: int = 1
    sort: str = SORTS[0]
    show: str = SHOWN[0]
    model: str | None = None
    """The model that the address names."""
    range: str = USUAL_RANGE
    theme: str = ""
    """One of `THEMES`; empty if the address names none."""

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]]) -> Query:
        """Return the query of an address. Values that mean nothing are as if they were not given."""
        given = dict(pairs)
        page, sort, show = given.get("page", ""), given.get("sort", ""), given.get("show", "")
        past, theme = given.get("range", ""), given.get("theme", "")
        return cls(
            features=tuple(dict.fromkeys(value for name, value in pairs if name == "feature" and value)),
            search=given.get("q", "").strip()[:200],
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
            sort=sort if sort in SORTS else SORTS[0],
            show=show if show in SHOWN else SHOWN[0],
            model=given.get("model"),
            range=past if past in RANGES else USUAL_RANGE,
            theme=theme if theme in THEMES else "",
        )

    @property
    def past_seconds(self) -> float:
        """How much of the past the page shows."""
        return RANGES[self.range]

    def elsewhere(self, **changes: Any) -> Query:
        """Return a query of its own, of the same model, range and theme."""
        return Query(model=self.model, range=self.range, theme=self.theme, **changes)

    def address(self, **changes: Any) -> str:
        """Return the address of this query with some changes, relative to the page."""
        new = replace(self, **changes)
        pairs = [
            *([("model", new.model)] if new.model is not None else []),
            *(("feature", name) for name in new.features),
            *([("q", new.search)] if new.search else []),
            *([("show", new.show)] if new.show != SHOWN[0] else []),
            *([("sort", new.sort)] if new.sort != SORTS[0] else []),
            *([("page", str(new.page))] if new.page != 1 else []),
            *([("range", new.range)] if new.range != USUAL_RANGE else []),
            *([("theme", new.theme)] if new.theme else []),
        ]
        return f"?{urlencode(pairs, errors='replace')}" if pairs else "./"
