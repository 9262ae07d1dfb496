"""The command that prints what a request executes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from benchmarks.contestants.catalogue import ROOT
from benchmarks.telemetry_executed import THIS, different, main, versions


def test_versions_have_names_and_this_one_comes_last(tmp_path: Path) -> None:
    assert versions([f"before={tmp_path}"]) == {"before": tmp_path, THIS: ROOT}
    with pytest.raises(typer.BadParameter, match="give NAME=FOLDER"):
        versions([str(tmp_path)])


def test_functions_that_are_called_more_or_less_often_are_named_the_largest_first() -> None:
    own, other = {"a": 20, "b": 10, "once": 1}, {"b": 10, "c": 50}
    assert different(own, other, 10) == ["c -5", "a +2"]


@pytest.mark.e2e
@pytest.mark.long
def test_a_version_beside_itself_executes_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    main(version=[f"itself={ROOT}"], requests=20)
    said = capsys.readouterr().out
    itself, this = (next(line for line in said.splitlines() if f"| {own} |" in line) for own in ("itself", THIS))
    assert itself.split("|")[2:] == this.split("|")[2:]
    assert float(this.split("|")[2].replace(",", "")) > 100.0
