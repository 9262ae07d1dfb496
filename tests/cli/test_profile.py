from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from driftgauge.checks.profile_files import read_profile
from driftgauge.cli import main as cli
from driftgauge.drift.reference.baseline import dumps

from tests.checks.test_profile_check import day_of
from tests.cli.test_check import Result
from tests.monitors import small_baseline

Command = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a folder with `baseline.json` and the rows of a day, as its entry point does."""
    monkeypatch.chdir(tmp_path)
    Path("baseline.json").write_text(dumps(small_baseline()), encoding="utf-8")
    day = day_of(2_400)
    day.to_parquet("day.parquet")
    for index in range(3):
        day.iloc[index::3].to_parquet(f"part-{index}.parquet")

    def called(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["driftgauge", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Result(left.value.code or 0, *capfd.readouterr())

    return called


BASELINE = ("--baseline", "baseline.json")


def without_clock(content: Any) -> Any:
    """Return a content of JSON without what depends on when it was made."""
    if isinstance(content, dict):
        return {key: without_clock(own) for key, own in content.items() if key not in {"since", "evaluated_at"}}
    return content


def test_a_profile_for_each_table_gives_the_report_of_the_whole_table(run: Command) -> None:
    parts = [f"part-{index}.parquet" for index in range(3)]
    done = run("profile", "build", *parts, *BASELINE, "--out", "parts")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [f"wrote parts/part-{index}.profile: 800 rows" for index in range(3)]
    assert run("profile", "build", "day.parquet", *BASELINE, "--out", "day.profile").code == 0
    found, whole, table = (
        run("check", path, *BASELINE, "--json", "--no-constraints") for path in ("parts", "day.profile", "day.parquet")
    )
    own, its, expected = (json.loads(done.out) for done in (found, whole, table))
    assert found.code == whole.code == table.code == 1
    assert own.pop("partitions") == parts
    assert its.pop("partitions") == ["day.parquet"]
    assert without_clock(own) == without_clock(its)
    assert (own["reason"], own["severity"]) == (expected["reason"], expected["severity"])


def test_a_profile_for_each_period_is_checked_by_longer_periods(run: Command) -> None:
    done = run("profile", "build", "day.parquet", *BASELINE, "--time", "at", "--every", "1h", "--out", "hours")
    assert done.err == "wrote 24 profiles to hours: 2,400 rows\n"
    assert len(list(Path("hours").iterdir())) == 24
    assert Path("hours/1970-01-01T070000Z.profile").is_file()
    shown = run("check", "hours/*.profile", *BASELINE, "--every", "12h")
    assert "not known from counts" in shown.err
    assert "1970-01-01T12:00:00Z" in shown.out
    assert "day.parquet#1970-01-01T" in shown.out
    assert " and 7 more" in shown.out


def test_profiles_are_merged_under_a_name_and_shown(run: Command) -> None:
    run("profile", "build", "day.parquet", *BASELINE, "--time", "at", "--every", "1h", "--out", "hours")
    done = run("profile", "merge", "hours", "--out", "day.profile", "--name", "1970-01-01")
    assert done.err == "wrote day.profile: 2,400 rows\n"
    assert read_profile("day.profile").partitions == ("1970-01-01",)
    shown = run("profile", "show", "day.profile").out
    assert "rows        2,400" in shown
    assert "times       1970-01-01T00:" in shown
    assert small_baseline().hash in shown
    content = json.loads(run("profile", "show", "day.profile", "--json").out)
    assert content["rows"] == 2_400
    assert [column["name"] for column in content["columns"]] == list(small_baseline().names)


def test_all_rows_are_one_profile_if_the_output_is_a_file(run: Command) -> None:
    run("profile", "build", "part-0.parquet", "part-1.parquet", *BASELINE, "--out", "both.profile")
    assert read_profile("both.profile").partitions == ("part-0.parquet", "part-1.parquet")
    run("profile", "build", "part-2.parquet", *BASELINE, "--out", "last.profile", "--name", "hour 3")
    assert read_profile("last.profile").partitions == ("hour 3",)


def test_tables_baselines_and_profiles_are_read_from_and_written_to_object_storage(run: Command) -> None:
    storage = import_module("fsspec").filesystem("memory")
    for name in ("baseline.json", "part-0.parquet", "part-1.parquet"):
        storage.pipe_file(f"/profiles-cli/in/{name}", Path(name).read_bytes())
    there = "memory://profiles-cli"
    baseline = ("--baseline", f"{there}/in/baseline.json")
    tables = [f"{there}/in/part-{index}.parquet" for index in range(2)]
    done = run("profile", "build", *tables, *baseline, "--out", f"{there}/out")
    assert done.code == 0, done.err
    assert run("profile", "merge", f"{there}/out", "--out", f"{there}/merged/both.profile").code == 0
    own = read_profile(storage.cat_file("/profiles-cli/merged/both.profile"))
    assert own.partitions == tuple(tables)
    for source in (f"{there}/out", f"{there}/out/*.profile", f"{there}/merged/both.profile"):
        found = run("check", source, *baseline, "--json")
        assert found.code == 1, found.err
        assert json.loads(found.out)["partitions"] == tables
    assert run("check", f"{there}/none.profile", *baseline).refuses("cannot read memory://profiles-cli/none.profile")


def test_the_report_of_profiles_is_a_page_too(run: Command) -> None:
    run("profile", "build", "day.parquet", *BASELINE, "--out", "day.profile", "--name", "the 3rd")
    assert run("check", "day.profile", *BASELINE, "--html", "report.html").code == 1
    assert "the 3rd" in Path("report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("profile", "merge", "day.parquet", "--out", "a.profile"), ("day.parquet: there is no profile",)),
        (("profile", "merge", "day.profile", "--out", "a"), ("--out a: the name of a profile ends in .profile",)),
        (("profile", "merge", "day.profile", "none.profile", "--out", "a.profile"), ("none.profile", "no such file")),
        (("profile", "merge", "day.profile", "twice.profile", "--out", "a.profile"), ("day.parquet is in two",)),
        (("profile", "build", "day.parquet", "--out", "a", "--every", "1h", *BASELINE), ("--every 1h needs times",)),
        (
            ("profile", "build", "day.parquet", "part-0.parquet", "--out", "a", "--name", "x", *BASELINE),
            ("--name names one partition",),
        ),
        (("profile", "build", "day.parquet", "--out", "memory://a.profile", *BASELINE), ("give a bucket or folder",)),
        (("profile", "show", "broken.profile"), ("broken.profile: the profile is truncated",)),
        (("check", "day.profile", "day.parquet", *BASELINE), ("give tables or profiles, not both",)),
        (("check", ".", *BASELINE), (". has profiles and tables, such as",)),
        (("check", "day.profile", *BASELINE, "--assert", "rows > 5"), ("profiles have no rows for --assert",)),
        (("check", "day.profile", *BASELINE, "--statistic", "ks"), ("age is judged by ks",)),
        (("check", "day.profile", *BASELINE, "--time", "at"), ("profiles have the times of", "leave out --time")),
        (("check", "day.profile", "--baseline", "other.json"), ("is of another baseline",)),
    ],
    ids=lambda given: " ".join(given)[:60],
)
def test_what_cannot_be_done_is_one_line(run: Command, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    run("profile", "build", "day.parquet", *BASELINE, "--out", "day.profile")
    content = Path("day.profile").read_bytes()
    Path("twice.profile").write_bytes(content)
    Path("broken.profile").write_bytes(content[:100])
    run("baseline", "build", "part-0.parquet", "--ignore", "at", "--out", "other.json")
    assert run(*arguments).refuses(*parts)


def test_no_profile_takes_the_place_of_one_of_other_rows(run: Command) -> None:
    for index in range(2):
        Path(f"h={index}").mkdir()
        Path(f"part-{index}.parquet").rename(f"h={index}/part.parquet")
    assert run("profile", "build", "h=0/part.parquet", *BASELINE, "--out", "parts").code == 0
    refused = run("profile", "build", "h=1/part.parquet", *BASELINE, "--out", "parts")
    assert refused.code == 2
    assert "parts/part.profile is the profile of h=0/part.parquet, which would be lost" in refused.err
    assert read_profile("parts/part.profile").partitions == ("h=0/part.parquet",)
    assert run("profile", "build", "h=0/part.parquet", *BASELINE, "--out", "parts").code == 0
    Path("parts/part.profile").write_bytes(b"damaged")
    assert run("profile", "build", "h=0/part.parquet", *BASELINE, "--out", "parts").code == 0


def test_tables_whose_names_make_one_file_name_have_a_profile_each(run: Command) -> None:
    Path("part-0.parquet").rename("part:2.parquet")
    Path("part-1.parquet").rename("part2.parquet")
    done = run("profile", "build", "part:2.parquet", "part2.parquet", *BASELINE, "--out", "parts")
    assert sorted(path.name for path in Path("parts").iterdir()) == ["part2-2.profile", "part2.profile"]
    assert done.err.splitlines() == [f"wrote parts/part2{own}.profile: 800 rows" for own in ("", "-2")]


def test_a_name_that_could_not_be_read_again_is_not_written(run: Command) -> None:
    refused = run("profile", "build", "day.parquet", *BASELINE, "--out", "day.profile", "--name", "x" * 1_001)
    assert refused.code == 2
    assert "the name of a partition is no text of 1 to 1000 characters: give another name" in refused.err
    assert not Path("day.profile").exists()
