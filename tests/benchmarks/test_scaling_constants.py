"""Each number that docs/scaling.md is computed from stands in benchmarks/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import scaling_constants
from benchmarks.scaling_constants import CONSTANTS, Constant

README = Path(scaling_constants.__file__).with_name("README.md").read_text()


def section(heading: str) -> str:
    """Return the text below a heading, up to the next of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", README, re.MULTILINE)
    assert found, heading
    after = README[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", after, re.MULTILINE)
    return after[: end.start()] if end else after


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda constant: constant.what)
def test_a_constant_is_a_cell_of_its_row(constant: Constant) -> None:
    rows = [line for line in section(constant.section).splitlines() if line.startswith(constant.row)]

    assert rows, f"{constant.section} has no row {constant.row}"
    assert constant.cell in [cell.strip(" *") for cell in rows[0].split("|")]


def test_a_link_leads_to_the_section() -> None:
    assert Constant("", "1,000.5", "µs", "Prediction log", "").link.endswith("README.md#prediction-log)")
    assert Constant("", "1,000.5", "µs", "Prediction log", "").value == 1_000.5
