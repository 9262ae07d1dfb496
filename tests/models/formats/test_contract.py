"""The contract of all formats: a bundle answers as the library itself does on the same rows."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.errors import BundleError, Reason, Refused
from driftgauge.models.bundle import load_bundle
from driftgauge.models.formats.registry import format_of
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.models.predictor import Predictor, verify

from tests.models.formats.cases import MAKERS, ONE_OF_EACH, Case
from tests.served import served

CaseOf = Callable[[str], Case]
SINGLE = 1e-6
"""Relative rounding of single precision between batches of different sizes."""


@pytest.fixture(scope="module")
def case_of(tmp_path_factory: pytest.TempPathFactory) -> CaseOf:
    made: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in made:
            made[name] = MAKERS[name](tmp_path_factory.mktemp("formats") / name)
        return made[name]

    return case


def assert_same_answers(case: Case, frame: pd.DataFrame) -> None:
    """Assert that the bundle answers rows as the library does."""
    answer = case.predict(frame)
    labels, scores = case.own(frame)
    assert np.allclose(answer.scores, scores, rtol=SINGLE, atol=SINGLE)
    expected = scores.tolist() if case.bundle.info.task == "regression" else labels
    if case.bundle.info.task == "regression":
        assert np.allclose(answer.labels, expected, rtol=SINGLE)
    else:
        assert list(answer.labels) == expected
        assert len(set(expected)) > 1 or len(frame) == 1 or frame.isna().any(axis=None)


def is_refused(case: Case, frame: pd.DataFrame) -> bool:
    """Return whether a row is refused for its category."""
    try:
        case.predict(frame)
    except Refused as refused:
        return refused.reason is Reason.UNSEEN_CATEGORY
    return False


def with_gap(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the first rows with a missing value in every second one."""
    changed = frame.head(6).copy()
    if pd.api.types.is_numeric_dtype(changed[name]):
        changed[name] = changed[name].astype(float)
    changed.loc[::2, name] = None if changed[name].dtype == object else np.nan
    return changed


@pytest.mark.parametrize("name", MAKERS)
def test_predictions_are_the_librarys_own(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    assert_same_answers(case, case.rows)


@pytest.mark.parametrize("name", MAKERS)
def test_a_row_is_answered_alike_alone_and_among_others(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    together = case.predict(case.rows.head(20))
    alone = [case.predict(case.rows.iloc[row : row + 1]) for row in range(20)]
    assert np.allclose([one.scores[0] for one in alone], together.scores, rtol=SINGLE, atol=SINGLE)
    assert np.array_equal(together.columns[:, 0], [one.columns[0, 0] for one in alone], equal_nan=True)
    if case.bundle.info.task != "regression":
        assert [one.labels[0] for one in alone] == list(together.labels)


@pytest.mark.parametrize("name", MAKERS)
def test_a_missing_value_is_answered_as_the_library_does_or_not_accepted(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for feature in case.bundle.info.features:
        gapped = with_gap(case.rows, feature.name)
        if feature.accepts_missing:
            assert_same_answers(case, gapped)
            continue
        try:
            _, scores = case.own(gapped)
        except Exception:  # noqa: S112  # the library refuses it too
            continue
        # ONNX has no missing text: onnxruntime would answer the text "None".
        assert feature.name in case.texts or not np.isfinite(scores[0]), feature.name


@pytest.mark.parametrize("name", MAKERS)
def test_an_unseen_category_is_answered_as_the_library_does_or_refused(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for feature in case.texts:
        changed = case.rows.head(4).copy()
        changed[feature] = changed[feature].astype(object)
        changed.loc[1, feature] = "unheard-of"
        if not is_refused(case, changed):
            assert_same_answers(case, changed)
            continue
        with pytest.raises(Exception, match=r"categor|unheard|unknown"):
            case.own(changed)


@pytest.mark.parametrize("name", MAKERS)
def test_a_bundle_that_is_read_again_answers_alike(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    again = load_bundle(case.folder, case.trusted)
    assert again.info == case.bundle.info
    assert again.info.samples
    verify(Predictor(again), again.info)


@pytest.mark.parametrize("name", [name for name in ONE_OF_EACH if not name.startswith("python")])
def test_a_file_that_was_damaged_after_the_bundle_was_made_is_refused(
    name: str, case_of: CaseOf, tmp_path: Path
) -> None:
    case = case_of(name)
    shutil.copytree(case.folder, tmp_path / "bundle")
    path = tmp_path / "bundle" / str(case.bundle.info.model.file)
    content = path.read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], content.replace(b"\x00", b"\x01", 1) + b" ", b""):
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match="is not the file that the bundle was made with"):
            load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("name", [name for name in ONE_OF_EACH if not name.startswith("python")])
def test_a_truncated_file_makes_no_bundle(name: str, case_of: CaseOf, tmp_path: Path) -> None:
    case = case_of(name)
    spec = case.bundle.info.model
    content = (case.folder / str(spec.file)).read_bytes()
    for part in (0.1, 0.5, 0.9):
        path = tmp_path / str(spec.file)
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(BundleError, match="cannot read the model"):
            format_of(spec.format).load(path, ModelSpec(format=spec.format, file=spec.file), ())


@pytest.mark.parametrize("name", MAKERS)
def test_wrong_input_is_refused_with_its_reason(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    info = case.bundle.info
    row = dict(info.samples[0].features)
    first = info.features[0].name
    bad: list[tuple[Any, Reason]] = [
        ({**row, "no such feature": 1}, Reason.UNKNOWN_FEATURE),
        ({**row, first: [1]}, Reason.WRONG_TYPE),
        (list(row.values())[1:], Reason.WRONG_FEATURE_COUNT),
    ]
    strict = next((feature.name for feature in info.features if not feature.accepts_missing), None)
    if strict is not None:
        bad.append(({**row, strict: None}, Reason.MISSING_FEATURE))
    number = next(feature.name for feature in info.features if feature.kind == "numeric")
    with served(case) as server:
        good = server.predict({"features": row})
        assert good.status_code == 200
        assert math.isclose(good.json()["score"], info.samples[0].score, rel_tol=1e-5)
        for features, reason in bad:
            answer = server.predict({"features": features})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, reason), features
        huge = server.predict({"features": {**row, number: 1e300}})
        assert huge.status_code == 200 or huge.json()["error"]["code"] == Reason.NOT_FINITE


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_model_uses_one_thread(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    code = """if True:
        import importlib, os, sys
        from pathlib import Path
        import pandas, pyarrow, sklearn.linear_model
        from driftgauge.models.bundle import load_bundle, read_info
        from driftgauge.models.formats.registry import LIBRARIES
        from driftgauge.models.predictor import Predictor, batch_of, verify
        from threadpoolctl import threadpool_limits
        library = LIBRARIES.get(read_info(Path(sys.argv[1])).model.format)
        if library:
            importlib.import_module(library)
        before = len(os.listdir("/proc/self/task"))
        bundle = load_bundle(Path(sys.argv[1]), sys.argv[2:])
        with threadpool_limits(1):
            predictor = Predictor(bundle)
            verify(predictor, bundle.info)
            rows = [bundle.info.samples[0].features] * 5000
            predictor.predict(batch_of(bundle.info.features, rows))
            print(before, len(os.listdir("/proc/self/task")))
    """
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", code, str(case.folder), *case.trusted]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert after == before
