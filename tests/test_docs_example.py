"""The example of docs/concepts.md and docs/check.md: what they show is what the program says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from driftgauge.drift.verdict.report import DriftReport

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example", ROOT / "docs" / "example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def report(example: ModuleType) -> DriftReport:
    report: DriftReport = example.example().worst.report
    return report


def test_the_pages_and_the_picture_hold_the_numbers_of_the_program(example: ModuleType) -> None:
    for path, text in example.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_the_picture_is_well_formed_and_shows_each_column_once(example: ModuleType) -> None:
    picture = ElementTree.parse(ROOT / "docs" / "concepts.svg")  # noqa: S314  # our own file
    words = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(word for word in words if word in example.CHANGES) == sorted(example.CHANGES)
    assert "](concepts.svg)" in PAGE


def test_what_the_page_says_of_its_example_is_so(report: DriftReport) -> None:
    names = list(report.baseline.names)
    main, evidence = report.main, report.evidence
    amount, queue, weather = (names.index(name) for name in ("amount", "queue", "temperature"))
    assert main.psi.debiased[amount] > 3 * 0.1
    assert main.thresholds["warning"][queue] == pytest.approx(main.expected_range[queue])
    assert 80 < main.rows / evidence.tau[queue] < 120
    assert main.psi.debiased[weather] > 0.2
    assert main.significance.p_value[weather] < 1e-100
    assert evidence.threshold_log10 == pytest.approx(6.7, abs=0.01)
