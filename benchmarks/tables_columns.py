"""The columns of the tables of `benchmarks.tables`, for programs that need nothing but their names."""

from __future__ import annotations

from typing import Final

NORMAL: Final = tuple(f"normal_{index:02}" for index in range(12))
HEAVY: Final = ("lognormal", "pareto", "student", "cauchy")
COUNTS: Final = ("poisson", "geometric", "percent", "minutes", "year")
GAPS: Final = ("gaps_05", "gaps_20")
ROUNDED: Final = ("price", "ratio")
CATEGORIES: Final = {"kind": 5, "shop": 50, "product": 2_000}
"""Categories of each column of text; their shares fall as a power of their rank."""
NUMERIC: Final = (*NORMAL, *HEAVY, *COUNTS, *GAPS, *ROUNDED)
TEXT: Final = (*CATEGORIES, "paid")
"""With the booleans, which have categories too."""
COLUMNS: Final = ("time", *NUMERIC, *TEXT)
