from __future__ import annotations

from io import StringIO

import driftgauge
import numpy as np
import pytest
from driftgauge.cli.bundle_report import LAYOUTS, show_baseline, show_bundle
from driftgauge.drift.diagnosis.importances import Importances
from rich.console import Console

from tests.examples import Example

NAMES = ("mean concave points", "length")


@pytest.mark.parametrize("width", [132, 80, 60, 45])
def test_no_number_or_name_of_a_baseline_is_cut_in_a_narrow_terminal(width: int) -> None:
    random = np.random.default_rng(1)
    baseline = driftgauge.create_baseline({name: random.normal(1234.5, 0.01, 500) for name in NAMES})
    console = Console(width=width, markup=False, file=StringIO(), record=True)
    show_baseline(baseline, console)
    text = console.export_text()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    (head,) = [layout for layout in LAYOUTS if " ".join(layout) in lines]
    assert "…" not in text
    assert ("max" in head, "mean" in head, "missing" in head) == (width >= 132, width >= 80, width >= 60)
    assert baseline.hash in text.replace("\n", "").replace(" ", "")
    assert ("A wider terminal shows more statistics." in lines) == (width < 132)


def test_a_bundle_names_the_features_that_matter_most(binary: Example) -> None:
    console = Console(width=132, markup=False, file=StringIO(), record=True)
    names = [f"f{index}" for index in range(12)]
    shares = dict(zip(names, [0.45, *[0.05] * 11], strict=True))
    show_bundle(binary.bundle.info, binary.bundle.baseline, console, Importances("permutation", "brier", shares))
    text = " ".join(console.export_text().split())
    assert "importances f0 45%, f1 5%" in text
    assert "f9 5%, … (by permutation, brier)" in text
