from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from driftgauge.models.bundle import read_baseline

from tests.cli.test_profile import Command, run

__all__ = ["run"]


def test_a_baseline_and_profiles_of_the_other_parts_are_the_baseline_of_the_table(run: Command) -> None:
    assert run("baseline", "build", "part-0.parquet", "--time", "at", "--out", "first.json").code == 0
    parts = ("part-1.parquet", "part-2.parquet")
    assert run("profile", "build", *parts, "--baseline", "first.json", "--out", "parts").code == 0
    done = run("baseline", "merge", "first.json", "parts", "--out", "whole.json")
    assert done.code == 0
    assert "note: rows and counts, also by hour of the day, are those of all parts" in done.err
    assert "note: quantiles (for Kolmogorov-Smirnov and Wasserstein) are exact to the bin" in done.err
    assert done.err.splitlines()[-1] == "wrote whole.json, of 3 parts"
    whole, first = read_baseline(Path("whole.json")), read_baseline(Path("first.json"))
    assert (whole.rows, first.rows) == (2_400, 800)
    assert whole.bins == first.bins
    found = run("check", "day.parquet", "--baseline", "whole.json", "--no-constraints")
    assert found.code == 0, found.out


def test_parts_are_read_from_and_written_to_object_storage(run: Command) -> None:
    storage = import_module("fsspec").filesystem("memory")
    storage.pipe_file("/baselines-cli/first.json", Path("baseline.json").read_bytes())
    there = "memory://baselines-cli"
    first = f"{there}/first.json"
    run("profile", "build", "day.parquet", "--baseline", first, "--out", f"{there}/day.profile")
    done = run("baseline", "merge", first, f"{there}/day.profile", "--out", f"{there}/whole.json")
    assert done.err.splitlines()[-1] == f"wrote {there}/whole.json, of 2 parts"
    Path("whole.json").write_bytes(storage.cat_file("/baselines-cli/whole.json"))
    assert read_baseline(Path("whole.json")).rows == read_baseline(Path("baseline.json")).rows + 2_400


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (("other.json",), "the bins of age differ"),
        (("other.profile",), "was made against another baseline than the first one"),
        (("none.json",), "none.json"),
    ],
    ids=["baseline", "profile", "absent"],
)
def test_what_does_not_add_up_is_one_line(run: Command, parts: tuple[str, ...], why: str) -> None:
    run("baseline", "build", "part-0.parquet", "--ignore", "at", "--out", "first.json")
    run("baseline", "build", "part-1.parquet", "--ignore", "at", "--out", "other.json")
    run("profile", "build", "part-0.parquet", "--baseline", "other.json", "--out", "other.profile")
    assert run("baseline", "merge", "first.json", *parts).refuses(why)
