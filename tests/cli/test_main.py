from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import skops.io
import structlog
from driftgauge import __version__
from driftgauge.about import About
from driftgauge.cli import main as cli
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models.bundle import read_baseline, read_info
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.abouts import USUAL
from tests.examples import SHAPE_CODES, TARGET, Example, logistic
from tests.models.creation.test_feature_names import Plain
from tests.models.test_bundle import FOREIGN, Foreign


class Result:
    """What a run of the command left."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def says(self, *parts: str) -> bool:
        """Whether it failed as an expected error does: code 2 and one line that has all of these."""
        lines = self.err.strip().splitlines()
        assert self.code == 2, self.err
        assert len(lines) == 1, self.err
        assert lines[0].startswith("driftgauge: ")
        return all(part in lines[0] for part in parts)


class Driftgauge:
    """Runs the command in this process, as its entry point does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._captured = monkeypatch, capfd

    def __call__(self, *arguments: object) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["driftgauge", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Result(left.value.code or 0, *self._captured.readouterr())


@pytest.fixture
def driftgauge(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Driftgauge]:
    monkeypatch.setenv("COLUMNS", "200")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Driftgauge(monkeypatch, capfd)
    root.handlers[:] = handlers  # `serve` sends logs to a standard error that ends with the test
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def files(binary: Example, tmp_path: Path) -> Path:
    """A folder with an estimator and its tables."""
    skops.io.dump(binary.estimator, tmp_path / "model.skops")
    binary.reference.to_csv(tmp_path / "reference.csv", index=False)
    pyarrow.parquet.write_table(pa.table(binary.evaluation), tmp_path / "evaluation.parquet")
    return tmp_path


def create(files: Path, **options: object) -> list[object]:
    given: dict[str, object] = {
        "model": files / "model.skops",
        "reference": files / "reference.csv",
        "target": TARGET,
        "name": "m",
        "version": "7",
        "out": files / "bundle",
        **options,
    }
    flags = [[f"--{name.replace('_', '-')}", value] for name, value in given.items() if value is not None]
    return ["bundle", "create", *(part for flag in flags for part in flag)]


COMMANDS: list[Sequence[str]] = [
    (),
    ("serve",),
    ("demo",),
    ("check",),
    ("bundle",),
    ("bundle", "create"),
    ("bundle", "show"),
    ("bundle", "describe"),
    ("baseline",),
    ("baseline", "build"),
    ("baseline", "show"),
    ("baseline", "describe"),
    ("state",),
    ("state", "show"),
    ("state", "reset"),
    ("monitoring",),
    ("monitoring", "render"),
]


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: Sequence[str], option: str, driftgauge: Driftgauge) -> None:
    result = driftgauge(*command, option)
    assert result.code == 0
    assert "Usage: driftgauge" in result.out
    assert result.err == ""


def test_the_version_is_printed_alone(driftgauge: Driftgauge) -> None:
    assert driftgauge("--version").out == f"{__version__}\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "driftgauge", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
    failed = subprocess.run(
        [sys.executable, "-m", "driftgauge", "serve", "--port", "0"], capture_output=True, text=True, timeout=60
    )
    assert failed.returncode == 2
    assert failed.stderr.startswith("driftgauge: no model to serve")
    assert len(failed.stderr.splitlines()) == 1


# ---------------------------------------------------------------- bundles


def test_a_bundle_is_made_and_shown(files: Path, binary: Example, driftgauge: Driftgauge) -> None:
    made = driftgauge(*create(files, evaluation=files / "evaluation.parquet"))
    assert made.code == 0, made.err
    assert f"driftgauge serve --bundle {files / 'bundle'}" in " ".join(made.err.split())
    shown = driftgauge("bundle", "show", files / "bundle")
    assert shown.code == 0
    for part in ("m 7, binary", "on 190 held-out rows", "379 rows, without times", "refused", *binary.names):
        assert part in shown.out
        assert part in made.out
    listed = json.loads(driftgauge("bundle", "show", files / "bundle", "--json").out)
    assert listed == json.loads(read_info(files / "bundle").model_dump_json())
    assert [sample["score"] for sample in listed["samples"]] == [s.score for s in binary.bundle.info.samples]


def test_making_a_bundle_tells_what_was_taken_and_what_a_prediction_takes(
    files: Path, binary: Example, text: Example, driftgauge: Driftgauge
) -> None:
    binary.reference.assign(id=range(379), note="x").to_csv(files / "more.csv", index=False)
    made = driftgauge(*create(files, reference=files / "more.csv", ignore="note"))
    assert made.code == 0, made.err
    assert f"6 features, by the estimator's own names: {', '.join(binary.names)}\n" in made.err
    assert f"not taken: {TARGET} (the target), id, note (ignored)\n" in made.err
    lines = made.out.splitlines()
    assert next(line for line in lines if "model input" in line).split("input")[1].strip() == "a matrix"
    taken = next(line for line in lines if "prediction time" in line)
    assert re.search(r"\d+ µs for one row, [\d.]+ [µm]s for 64, measured when the bundle was created", taken)
    skops.io.dump(text.estimator, files / "text.skops")
    text.reference.to_csv(files / "text.csv", index=False)
    made = driftgauge(*create(files, model=files / "text.skops", reference=files / "text.csv", out=files / "text"))
    said = " ".join(made.out.split())
    assert re.search(r"prediction time [\d.]+ [µm]s for one row, [\d.]+ [µm]s for 64, measured when", said)
    assert "A matrix is faster: fit the estimator on numbers instead of text (--category-codes)" in said


def test_a_bundle_of_an_earlier_version_is_shown_without_what_it_does_not_know(
    files: Path, binary: Example, driftgauge: Driftgauge
) -> None:
    shutil.copytree(binary.folder, files / "bundle")
    path = files / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    del content["timing"]
    path.write_text(json.dumps(content))
    shown = driftgauge("bundle", "show", files / "bundle")
    assert shown.code == 0
    given = next(line for line in shown.out.splitlines() if "model input" in line)
    assert given.split("input", 1)[1].strip() == "a matrix"
    assert "prediction time" not in shown.out


def test_a_likely_id_among_the_features_is_a_warning_with_the_option(
    files: Path, binary: Example, driftgauge: Driftgauge
) -> None:
    table = binary.reference.assign(**{"client, id": range(379)})
    skops.io.dump(logistic().fit(table.drop(columns=TARGET).to_numpy(), table[TARGET]), files / "id.skops")
    table.to_csv(files / "id.csv", index=False)
    names = [option for name in [*binary.names, "client, id"] for option in ("--features", name)]
    made = driftgauge(*create(files, model=files / "id.skops", reference=files / "id.csv"), *names)
    assert made.code == 0, made.err
    assert "warning: client, id is likely an id: it has almost as many distinct values as rows." in made.err
    assert "(and leave it out of the bundle with --ignore)" in made.err


def test_columns_of_an_estimator_that_keeps_no_names_are_named_by_the_option(
    files: Path, binary: Example, driftgauge: Driftgauge
) -> None:
    estimator = make_pipeline(Plain(), StandardScaler(), LogisticRegression())
    skops.io.dump(estimator.fit(binary.reference[binary.names].to_numpy(), binary.reference[TARGET]), files / "p.skops")
    options = create(files, model=files / "p.skops", trusted_types="tests.models.creation.test_feature_names.Plain")
    assert driftgauge(*options).says("does not know which columns it was fitted on", "--features 'mean radius,mean tex")
    assert not (files / "bundle").exists()
    unknown = driftgauge(*options, "--features", "mean radius,mean aera")
    assert unknown.says("--features: there is no column mean aera; the columns are mean radius")
    made = driftgauge(*options, "--features", ",".join(binary.names[:2]), "--features", ",".join(binary.names[2:]))
    assert made.code == 0, made.err
    assert [feature.name for feature in read_info(files / "bundle").features] == binary.names


def test_samples_are_shared_only_when_asked_for(files: Path, binary: Example, driftgauge: Driftgauge) -> None:
    rows = binary.rows()
    evaluation = files / "evaluation.parquet"
    assert driftgauge(*create(files, evaluation=evaluation)).code == 0
    assert not any(dict(sample.features) in rows for sample in read_info(files / "bundle").samples)
    assert driftgauge(*create(files, evaluation=evaluation), "--overwrite", "--share-samples").code == 0
    assert all(dict(sample.features) in rows for sample in read_info(files / "bundle").samples)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--task", "binary"), "--task goes with --baseline"),
        (("--model", "m"), "--model names the model of a --baseline"),
        (("--baseline", "b.json", "--model", "m", "--task", "foo"), "m cannot have the task foo: give binary,"),
        (("--baseline", "b.json", "--model", "m", "--task", "binary"), "b.json"),
    ],
)
def test_serve_takes_the_task_of_a_baseline(arguments: tuple[str, ...], said: str, driftgauge: Driftgauge) -> None:
    assert driftgauge("serve", *arguments, "--port", "22102").says(said)


def test_types_are_trusted_by_one_option_and_one_variable(
    files: Path, binary: Example, driftgauge: Driftgauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    skops.io.dump(Foreign().fit(binary.reference[binary.names], binary.reference[TARGET]), files / "f.skops")
    options = create(files, model=files / "f.skops")
    assert driftgauge(*options).says("contains types that are not trusted", f"name them: --trusted-types {FOREIGN}")
    monkeypatch.setenv("DRIFTGAUGE_TRUSTED_TYPES", FOREIGN)
    assert driftgauge(*options).code == 0
    monkeypatch.delenv("DRIFTGAUGE_TRUSTED_TYPES")
    assert driftgauge(*options, "--overwrite", "--trusted-types", FOREIGN).code == 0
    refused = driftgauge("serve", "--bundle", files / "bundle", "--port", "22101")
    assert refused.says(f"--trusted-types {FOREIGN}, or DRIFTGAUGE_TRUSTED_TYPES={FOREIGN}")


def test_a_joblib_file_is_named_with_the_lines_that_convert_it(
    files: Path, binary: Example, driftgauge: Driftgauge
) -> None:
    joblib.dump(binary.estimator, files / "model.joblib")
    refused = driftgauge(*create(files, model=files / "model.joblib"))
    assert refused.says("it is a pickle", f'skops.io.dump(joblib.load("{files}/model.joblib"), "{files}/model.skops")')


def test_options_of_create_reach_the_bundle(files: Path, binary: Example, driftgauge: Driftgauge) -> None:
    table = binary.reference.assign(at=range(379), note="x")
    table.to_csv(files / "timed.csv", index=False)
    result = driftgauge(*create(files, reference=files / "timed.csv", time="at", ignore="note, ", windows="20,30"))
    assert result.code == 0, result.err
    info, baseline = read_info(files / "bundle"), read_baseline(files / "bundle" / "baseline.json")
    assert info.performance is not None
    assert info.performance.in_sample
    assert baseline.time_column == "at"
    assert set(baseline.columns[0].expected_range) <= {20, 30}
    assert "(in-sample)" in result.out


def test_category_codes_are_read_of_a_file(files: Path, coded: Example, driftgauge: Driftgauge) -> None:
    skops.io.dump(coded.estimator, files / "coded.skops")
    coded.reference.to_csv(files / "coded.csv", index=False)
    (files / "codes.json").write_text('{"shape": {"flat": 0, "oval": 1, "round": 2}}')
    options = {"model": files / "coded.skops", "reference": files / "coded.csv"}
    result = driftgauge(*create(files, **options, category_codes=files / "codes.json"))
    assert result.code == 0, result.err
    assert read_info(files / "bundle").features == coded.bundle.info.features
    for content in ("[1]", "{", "[" * 100_000, '{"shape": 1}', '{"shape": {"flat": "x"}}', '{"shape": {"flat": null}}'):
        (files / "codes.json").write_text(content)
        failed = driftgauge(*create(files, **options, out=files / "other", category_codes=files / "codes.json"))
        assert failed.says("codes.json", "it must be JSON like")


def test_a_bundle_says_which_features_take_no_missing_value(
    files: Path, coded: Example, driftgauge: Driftgauge
) -> None:
    shutil.copytree(coded.folder, files / "bundle")
    path = files / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    for refusing, said in ((0, "accepted"), (2, "accepted, except in radius, shape"), (3, "refused")):
        for place, feature in enumerate(content["features"]):
            feature["accepts_missing"] = place >= refusing
        path.write_text(json.dumps(content))
        lines = driftgauge("bundle", "show", files / "bundle").out.splitlines()
        assert [line.split("values")[1].strip() for line in lines if "missing values" in line] == [said]


def test_a_server_without_pandas_says_in_one_line_what_to_install(
    text: Example, driftgauge: Driftgauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert driftgauge("serve", "--port", "0", "--bundle", text.folder).says("pip install 'driftgauge[pandas]'")


def test_a_boolean_column_can_be_stated_categorical(files: Path, coded: Example, driftgauge: Driftgauge) -> None:
    skops.io.dump(coded.estimator, files / "coded.skops")
    coded.reference.to_csv(files / "coded.csv", index=False)
    (files / "codes.json").write_text(json.dumps({"shape": SHAPE_CODES}))
    options = {"model": files / "coded.skops", "reference": files / "coded.csv", "kinds": "smooth=categorical"}
    result = driftgauge(*create(files, **options, category_codes=files / "codes.json"))
    assert result.code == 0, result.err
    smooth = read_info(files / "bundle").features[2]
    assert dict(zip(smooth.categories, smooth.codes or (), strict=True)) == {"false": 0.0, "true": 1.0}


REFUSED: list[tuple[dict[str, object], tuple[str, ...]]] = [
    ({"target": "income"}, ("the reference has no column income",)),
    ({"name": "a b"}, ("name: ",)),
    ({"model": "nowhere.skops"}, ("cannot read the model nowhere.skops",)),
    ({"reference": "nowhere.csv"}, ("cannot read the table nowhere.csv",)),
    ({"reference": "table.xlsx"}, (".csv, .parquet, .jsonl",)),
    ({"kinds": "mean area=words"}, ("--kinds mean area=words", "COLUMN=numeric")),
    ({"kinds": "shade=numeric"}, ("no column shade",)),
    ({"windows": "0"}, ("--windows 0", "at least one row", "500,1000")),
    ({"expected_range_quantile": "2"}, ("--expected-range-quantile 2", "a number from 0 to 1")),
    ({"category_codes": "nowhere.json"}, ("cannot read nowhere.json",)),
    ({"category_codes": "/dev/null"}, ("cannot read /dev/null: /dev/null is a device",)),
    ({"time": "at"}, ("no column at",)),
    ({"out": "/dev/null/bundle"}, ("cannot write /dev/null/bundle",)),
    ({"out": "/dev"}, ("/dev exists already", "--overwrite")),
]


@pytest.mark.parametrize(("options", "parts"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_be_made_is_one_line_and_code_2(
    options: dict[str, object], parts: tuple[str, ...], files: Path, driftgauge: Driftgauge
) -> None:
    before = sorted(files.iterdir())
    assert driftgauge(*create(files, **options)).says(*parts)
    assert sorted(files.iterdir()) == before


def test_missing_values_that_the_model_cannot_take_are_one_line(
    files: Path, binary: Example, driftgauge: Driftgauge
) -> None:
    binary.evaluation.assign(**{"mean area": None}).to_csv(files / "holes.csv", index=False)
    assert driftgauge(*create(files, evaluation=files / "holes.csv")).says(
        "cannot answer the evaluation table", "NaN", "try its predict() on the table"
    )


def test_names_with_brackets_and_colons_are_printed_as_they_are(tmp_path: Path, driftgauge: Driftgauge) -> None:
    columns = {"[bold]x[/bold]": ["[red]", "[/red]", ":smile:"] * 30, "a [m]": range(90)}
    pd.DataFrame(columns).to_csv(tmp_path / "t.csv", index=False)
    made = driftgauge("baseline", "build", tmp_path / "t.csv", "--out", tmp_path / "b.json")
    assert made.code == 0, made.err
    assert "[bold]x[/bold]" in made.out
    assert "a [m]" in made.out
    shown = driftgauge("baseline", "show", tmp_path / "b.json", "--column", "[bold]x[/bold]")
    assert all(f"{name} " in shown.out for name in ("[red]", "[/red]", ":smile:"))
    assert driftgauge("bundle", "show", tmp_path / "[red]").says(str(tmp_path / "[red]"))


def test_a_bundle_says_whose_it_is_and_the_owner_can_be_changed(files: Path, driftgauge: Driftgauge) -> None:
    folder = files / "bundle"
    made = driftgauge(*create(files, **USUAL.stated))
    assert made.code == 0, made.err
    shown = driftgauge("bundle", "show", folder)
    for name, text in USUAL.stated.items():
        label = "documentation" if name == "docs_url" else name.replace("_", " ")
        assert shown.out.count(f"{label.ljust(16)} {text}") == made.out.count(f"{label.ljust(16)} {text}") == 1
    assert read_info(folder).about == read_baseline(folder / "baseline.json").about == USUAL
    changed = driftgauge("bundle", "describe", folder, "--owner", "[bold]Risk team", "--contact", "")
    assert changed.code == 0, changed.err
    assert "[bold]Risk team" in changed.out
    assert read_info(folder).about == replace(USUAL, owner="[bold]Risk team", contact=None)
    assert driftgauge("bundle", "describe", folder, "--owner", "a\nb").says("owner holds a control character")
    assert driftgauge(*create(files, out=files / "b", docs_url="javascript:x")).says("docs_url", "give an address such")
    assert not (files / "b").exists()


# ---------------------------------------------------------------- baselines


def test_a_baseline_says_whose_it_is_and_the_owner_can_be_changed(files: Path, driftgauge: Driftgauge) -> None:
    out = files / "baseline.json"
    made = driftgauge("baseline", "build", files / "reference.csv", "--out", out, "--owner", "Fraud team")
    assert made.code == 0, made.err
    assert "Fraud team" in made.out
    assert "Fraud team" in driftgauge("baseline", "show", out).out
    assert read_baseline(out).about == About(owner="Fraud team")
    changed = driftgauge("baseline", "describe", out, "--owner", "", "--code-version", "3f9c2ab")
    assert changed.out.split() == ["code", "version", "3f9c2ab"]
    assert read_baseline(out).about == About(code_version="3f9c2ab")
    assert "nothing is stated" in driftgauge("baseline", "describe", out, "--code-version", "").out
    assert driftgauge("baseline", "describe", files, "--owner", "x").says("is a folder: give the file")


def test_a_baseline_is_built_and_shown(files: Path, binary: Example, driftgauge: Driftgauge) -> None:
    out = files / "baseline.json"
    made = driftgauge(
        "baseline", "build", files / "reference.csv", "--out", out, "--ignore", TARGET, "--kinds", "mean area=numeric"
    )
    assert made.code == 0, made.err
    baseline = read_baseline(out)
    assert list(baseline.names) == binary.names
    shown = driftgauge("baseline", "show", out)
    assert all(part in shown.out for part in (baseline.hash, *binary.names))
    bins = driftgauge("baseline", "show", out, "--column", "mean area").out
    assert all(name in bins for name in baseline.columns[3].bins.names)
    assert driftgauge("baseline", "show", out, "--column", "shade").says("no column shade", "mean area")


def test_the_folder_of_a_bundle_is_no_baseline_and_its_file_is_named(binary: Example, driftgauge: Driftgauge) -> None:
    result = driftgauge("baseline", "show", binary.folder)
    assert result.says("is a folder: give the file, such as", str(binary.folder / "baseline.json"))


def _timed_table(path: Path) -> Path:
    """Write a table of a daily cycle and of noise, a row a minute for twenty days."""
    generator = np.random.default_rng(1)
    at = np.arange(28_800) * 60.0
    cycle = np.sin(at / 86_400.0 * 2 * np.pi) + generator.normal(0.0, 0.5, len(at))
    frame = pd.DataFrame({"cycle": cycle, "noise": generator.normal(size=len(at)), "at": at})
    frame.sample(frac=1.0, random_state=2).to_csv(path, index=False)
    return path


def test_a_baseline_may_tell_hours_of_the_day_apart(tmp_path: Path, driftgauge: Driftgauge) -> None:
    table, out = _timed_table(tmp_path / "t.csv"), tmp_path / "b.json"
    made = driftgauge("baseline", "build", table, "--out", out, "--time", "at", "--by-hour")
    assert made.code == 0
    baseline = read_baseline(out)
    assert baseline.is_by_hour
    for column in baseline.columns:
        assert {hour: sum(counts) for hour, counts in column.by_hour.items()} == dict.fromkeys(range(24), 1_200.0)
        assert column.tau is not None
        assert column.tau < 2.0  # what the hours say is no dependence
    shown = driftgauge("baseline", "show", out).out
    assert "in order of at, by hour of the day" in " ".join(shown.split())
    assert "note" not in shown


def test_a_baseline_in_order_of_time_tells_how_dependent_rows_are(tmp_path: Path, driftgauge: Driftgauge) -> None:
    table, out = _timed_table(tmp_path / "t.csv"), tmp_path / "b.json"
    assert driftgauge("baseline", "build", table, "--out", out, "--time", "at").code == 0
    cycle, noise = read_baseline(out).columns
    assert cycle.tau is not None
    assert noise.tau is not None
    assert cycle.tau > 5 * noise.tau
    text = " ".join(driftgauge("baseline", "show", out).out.split())
    assert "in order of at" in text
    assert "by hour of the day" not in text.split("note")[0]
    assert "autocorrelation time: consecutive rows that carry as much information as one independent row" in text
    lines = {
        words[0]: words[-1] for line in driftgauge("baseline", "show", out).out.splitlines() if (words := line.split())
    }
    assert (lines["column"], lines["cycle"], lines["noise"]) == ("tau", f"{cycle.tau:.3g}", f"{noise.tau:.3g}")


def test_without_times_dependence_is_unknown_and_the_baseline_says_so(files: Path, driftgauge: Driftgauge) -> None:
    out = files / "b.json"
    assert driftgauge("baseline", "build", files / "reference.csv", "--out", out, "--ignore", TARGET).code == 0
    shown = driftgauge("baseline", "show", out).out
    assert "the reference has no times (--time): rows are assumed to be independent" in " ".join(shown.split())
    assert [line.split()[-1] for line in shown.splitlines() if "mean area" in line] == ["unknown"]


@pytest.mark.parametrize("command", ["baseline", "bundle"])
def test_hours_of_the_day_take_times(command: str, files: Path, driftgauge: Driftgauge) -> None:
    build = ["baseline", "build", files / "reference.csv", "--out", files / "b.json"]
    given = build if command == "baseline" else create(files)
    assert driftgauge(*given, "--by-hour").says("--time", "by hour of the day")


def test_a_bundle_may_tell_hours_of_the_day_apart(files: Path, binary: Example, driftgauge: Driftgauge) -> None:
    table = pd.concat([binary.reference] * 20).assign(at=lambda frame: np.arange(len(frame)) % 7_200)
    table.to_csv(files / "timed.csv", index=False)
    result = driftgauge(*create(files, reference=files / "timed.csv", time="at", evaluation=None), "--by-hour")
    assert result.code == 0, result.err
    baseline = read_baseline(files / "bundle" / "baseline.json")
    assert baseline.is_by_hour
    assert {tuple(column.by_hour) for column in baseline.columns} == {(0, 1)}


def test_the_zero_bin_formula_is_kept(files: Path, driftgauge: Driftgauge) -> None:
    out = files / "b.json"
    assert driftgauge("baseline", "build", files / "reference.csv", "--out", out, "--zero-bin", "clip").code == 0
    assert read_baseline(out).zero_bin == "clip"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("build", "nowhere.csv"), ("cannot read the table nowhere.csv",)),
        (("build", "{files}/reference.csv", "--out", "/dev/null/b.json"), ("cannot write /dev/null/b.json",)),
        (("build", "{files}/reference.csv", "--out", "/dev"), ("cannot write /dev",)),
        (("show", "nowhere.json"), ("cannot read nowhere.json",)),
        (("show", "{files}/reference.csv"), ("reference.csv", "not complete JSON")),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_baseline_that_cannot_be_is_one_line(
    arguments: tuple[str, ...], parts: tuple[str, ...], files: Path, driftgauge: Driftgauge
) -> None:
    assert driftgauge("baseline", *(argument.format(files=files) for argument in arguments)).says(*parts)


# ---------------------------------------------------------------- what is asked wrongly


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("predict",), "predict"),
        (("--bundel",), "--bundel"),
        (("serve", "--prot", "5"), "--prot"),
        (("version",), "version"),
        (("bundle", "create", "--name", "x"), "--model"),
        (("bundle", "show"), "FOLDER"),
        (("baseline", "build", "t.csv", "--expected-range-quantile", "all"), "--expected-range-quantile"),
        (
            ("baseline", "build", "t.csv", "--windows", "ten"),
            "'ten' is not a number of rows; give sizes such as 500,1000",
        ),
        (("demo", "--rows", "0"), "--rows"),
    ],
    ids=str,
)
def test_an_unknown_option_or_value_is_named_with_code_2(
    arguments: tuple[str, ...], part: str, driftgauge: Driftgauge
) -> None:
    result = driftgauge(*arguments)
    assert result.code == 2
    assert part in result.err
    assert "Traceback" not in result.err
    assert "Usage: driftgauge" in result.err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((), ("no model to serve", "--bundle")),
        (("--bundle", "nowhere"), ("there is no model bundle at nowhere",)),
        (("--port", "70000"), ("port: '70000' cannot be used: give a whole number, at least 0 and at most 65,535",)),
        (("--port", "many"), ("port: 'many' cannot be used: give a whole number, at least 0 and at most 65,535",)),
        (("--workers", "many"), ("workers: 'many' cannot be used: give a whole number, at least 1 and at most 60",)),
        (("--clock", "noon"), ("clock", "arrival")),
        (("--workers", "0"), ("workers", "give a whole number, at least 1")),
        (("--workers", "2", "--clock", "event"), ("workers must be 1", "clock=event")),
        (("--bundle", "nowhere", "--workers", "2"), ("there is no model bundle at nowhere",)),
        (("--bundle", "nowhere", "--fresh-state"), ("nowhere",)),
        (("--log-level", "loud"), ("log_level",)),
        (("--config", "nowhere.toml"), ("nowhere.toml",)),
    ],
    ids=str,
)
def test_a_server_that_cannot_start_says_why_in_one_line(
    arguments: tuple[str, ...], parts: tuple[str, ...], driftgauge: Driftgauge
) -> None:
    assert driftgauge("serve", "--port", "0", *arguments).says(*parts)


def test_an_unknown_variable_of_the_environment_stops_the_start(
    driftgauge: Driftgauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTGAUGE_BUNDEL", "x")
    assert driftgauge("serve").says("DRIFTGAUGE_BUNDEL")


def test_no_command_shows_the_help(driftgauge: Driftgauge) -> None:
    result = driftgauge()
    assert "Usage: driftgauge" in result.out + result.err


def test_a_baseline_written_by_hand_is_shown(binary: Example, tmp_path: Path, driftgauge: Driftgauge) -> None:
    path = tmp_path / "b.json"
    path.write_text(dumps(binary.bundle.baseline))
    os.chmod(path, 0o444)
    assert binary.bundle.baseline.hash in driftgauge("baseline", "show", path).out


# ---------------------------------------------------------------- columns of the table


def columns_of(path: Path) -> list[str]:
    return list(read_baseline(path).names)


def test_names_with_commas_are_left_out_and_stated(tmp_path: Path, driftgauge: Driftgauge) -> None:
    frame = pd.DataFrame({"Size, cm": [1, 2] * 50, "zip, code": [8001, 8002] * 50, "x": range(100), "y": 1})
    frame.to_parquet(tmp_path / "t.parquet")
    given = ["--ignore", "Size, cm", "--ignore", "y", "--kinds", "zip, code=categorical", "--kinds", "x=numeric"]
    assert driftgauge("baseline", "build", tmp_path / "t.parquet", "--out", tmp_path / "b.json", *given).code == 0
    found = read_baseline(tmp_path / "b.json")
    assert [(column.name, column.kind) for column in found.columns] == [("zip, code", "categorical"), ("x", "numeric")]


@pytest.mark.parametrize("option", [("--ignore", "nothing"), ("--kinds", "nothing=numeric")])
@pytest.mark.parametrize("command", ["baseline", "bundle"])
def test_an_unknown_column_is_an_error_everywhere(
    command: str, option: tuple[str, str], files: Path, driftgauge: Driftgauge
) -> None:
    given = ["baseline", "build", files / "reference.csv"] if command == "baseline" else create(files)
    out = ["--out", files / "b.json"] if command == "baseline" else []
    assert driftgauge(*given, *out, *option).says(
        f"{option[0]}: there is no column nothing; the columns are mean radius"
    )


INDEXED = {
    "csv": lambda frame, folder: frame.to_csv(folder / "t.csv"),
    "parquet": lambda frame, folder: frame.to_parquet(folder / "t.parquet"),
}


@pytest.mark.parametrize("form", INDEXED)
def test_the_index_of_a_dataframe_is_left_out_and_said(form: str, tmp_path: Path, driftgauge: Driftgauge) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0)}).sample(frac=1, random_state=0)
    INDEXED[form](frame, tmp_path)
    table, out = tmp_path / f"t.{form}", tmp_path / "b.json"
    result = driftgauge("baseline", "build", table, "--out", out)
    assert columns_of(out) == ["x"]
    assert "left out, because it is a DataFrame's index, not a feature: " in result.err
    assert driftgauge("baseline", "build", tmp_path / f"t.{form}", "--out", out, "--ignore", "x").code == 2


@pytest.mark.parametrize(("mark", "shown"), [(";", "';'"), ("\t", "'\\t'"), ("|", "'|'")])
def test_cells_without_commas_between_them_are_no_baseline(
    mark: str, shown: str, tmp_path: Path, driftgauge: Driftgauge
) -> None:
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}).to_csv(tmp_path / "t.csv", sep=mark, index=False)
    result = driftgauge("baseline", "build", tmp_path / "t.csv", "--out", tmp_path / "b.json")
    assert result.says("the table has one column", f"its separator seems to be {shown}: use commas")
    assert not (tmp_path / "b.json").exists()


def test_an_index_that_holds_times_or_has_a_name_is_used(tmp_path: Path, driftgauge: Driftgauge) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0)}, index=pd.date_range("2026-01-01", periods=100, freq="h"))
    frame.to_parquet(tmp_path / "t.parquet")
    given = ["--time", "__index_level_0__", "--out", tmp_path / "b.json"]
    result = driftgauge("baseline", "build", tmp_path / "t.parquet", *given)
    assert columns_of(tmp_path / "b.json") == ["x"]
    assert "left out" not in result.err
    frame.rename_axis("at").to_parquet(tmp_path / "named.parquet")
    assert driftgauge("baseline", "build", tmp_path / "named.parquet", *given).says("has no column __index_level_0__")
    assert driftgauge("baseline", "build", tmp_path / "named.parquet", *given[2:]).says(
        "at: it holds dates", "--time at"
    )


def test_a_bundle_says_what_of_its_table_is_an_index(files: Path, binary: Example, driftgauge: Driftgauge) -> None:
    binary.reference.sample(frac=1, random_state=0).to_csv(files / "indexed.csv")
    result = driftgauge(*create(files, reference=files / "indexed.csv"))
    assert result.code == 0
    assert "not taken: one without a name (a DataFrame's index), " in result.err
    assert [feature.name for feature in read_info(files / "bundle").features] == binary.names


@pytest.mark.parametrize(
    "spelling", [("True", "False"), ("TRUE", "FALSE"), ("02134", "1"), ("1.0", "2.0"), ("NA", "x")]
)
def test_a_target_of_text_is_read_as_the_classes_are_spelled(
    spelling: tuple[str, str], files: Path, binary: Example, driftgauge: Driftgauge
) -> None:
    truth = binary.reference[TARGET].map(dict(enumerate(spelling)))
    model = clone(binary.estimator).fit(binary.reference[binary.names], truth.to_numpy(dtype=object).astype(str))
    skops.io.dump(model, files / "text.skops")
    accuracy = float((model.predict(binary.reference[binary.names]) == truth).mean())
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        frame = binary.reference.assign(**{TARGET: truth})
        if name.endswith("csv"):
            frame.to_csv(files / name, index=False)
        elif name.endswith("parquet"):
            frame.to_parquet(files / name)
        else:
            frame.to_json(files / name, orient="records", lines=True)
        given = create(files, model=files / "text.skops", reference=files / name, out=files / f"of-{name}")
        assert driftgauge(*given).code == 0
        performance = read_info(files / f"of-{name}").performance
        assert performance is not None
        assert performance.metrics["accuracy"] == pytest.approx(accuracy)


def test_building_a_baseline_suggests_constraints_and_keeps_those_that_were_edited(
    files: Path, driftgauge: Driftgauge
) -> None:
    build = ["baseline", "build", files / "reference.csv", "--out", files / "loans.json"]
    made = driftgauge(*build)
    beside = files / "loans.constraints.yaml"
    assert f"wrote {beside}" in made.err
    assert beside.read_text("utf-8").startswith("# What the rows of this model have to satisfy")
    beside.write_text("columns: {}")
    assert f"kept {beside} as it is" in driftgauge(*build).err
    assert beside.read_text("utf-8") == "columns: {}"
