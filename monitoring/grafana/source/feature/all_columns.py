"""All columns in one table: which one to look at?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common

from ..columns import EVIDENCE, EVIDENCE_LIMIT, RELATIVE, SEVERITY, SINCE, TAU, format_columns, share
from ..panels import NUMBER, AnyPanel, Text, rows
from ..queries import Query


def all_columns() -> list[AnyPanel]:
    """Return the table of columns, the worst first; a click on a name chooses the column."""
    values = [
        SEVERITY, SINCE, f"max by (feature_name) ({RELATIVE})", EVIDENCE, EVIDENCE_LIMIT, share("missing"),
        share("unseen"), TAU,
    ]  # fmt: skip
    names = ["severity", "since", "PSI / limit", "evidence", "evidence limit", "missing", "unseen", "tau"]
    panel = rows(
        Text("All columns", "Every column, by severity and then by the largest noise-corrected PSI relative to its "
             "warning limit. Since is when the change became significant. Evidence is log10. Missing and unseen are "
             "shares of rows in the worst sliding window. tau is the autocorrelation time: how many consecutive rows "
             "carry the information of one independent row. A click on a name chooses the column. Bad: severity "
             "warning or critical. PSI above its limit alone is not: it can be chance.", NUMBER),
        *(Query(value, shape="table") for value in values),
        columns={"feature_name": "feature"} | {
            f"Value #{letter}": name for letter, name in zip("ABCDEFGH", names, strict=True)
        },
        width=24, height=10, empty="no column: is the server scraped?",
    )  # fmt: skip
    by_severity, by_size = (common.TableSortByFieldState().display_name(name) for name in ("severity", "PSI / limit"))
    panel.sort_by([by_severity.desc(True), by_size.desc(True)])
    panel.footer(common.TableFooterOptions().show(False).enable_pagination(True))
    format_columns(panel)
    return [panel]
