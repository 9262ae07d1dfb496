from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from driftgauge.errors import BundleError
from driftgauge.models.bundle import load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.formats.imported import made
from driftgauge.models.formats.python import load
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.models.model_file import UntrustedTypes

from tests.examples import TARGET, cells, patients, shapes
from tests.models.formats import own_code
from tests.models.formats.cases import split

HERE = "tests.models.formats.own_code"


def loaded(name: str) -> Any:
    spec = ModelSpec(format="python", file=None, object=name)
    return load(Path(), spec, [f"python:{name}"])


def bundle(out: Path, name: str, table: Any, **options: Any) -> Any:
    return create_bundle(f"python:{name}", split(table)[0], TARGET, name="m", version="1", out=out, **options)


def test_a_bundle_cannot_make_a_server_import_what_its_operator_has_not_named(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", f"{HERE}:Doubling", patients())
    assert made.info.model.object == f"{HERE}:Doubling"
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        *("attributions.json", "baseline.json", "bundle.json", "constraints.yaml", "importances.json", "labels.json")
    ]
    with pytest.raises(UntrustedTypes, match=f"types that are not trusted: python:{HERE}:Doubling") as caught:
        load_bundle(tmp_path / "b")
    assert f"--trusted-types python:{HERE}:Doubling" in str(caught.value.phrased_for("setting"))
    assert load_bundle(tmp_path / "b", [f"python:{HERE}:Doubling"]).info == made.info


def test_an_estimator_with_a_transformer_of_ones_own_is_pointed_to_ones_own_code(tmp_path: Path) -> None:
    table, _ = split(cells())
    with pytest.raises(UntrustedTypes, match=r"own_code.WithRatio.*own code: the model python:MODULE:OBJECT"):
        create_bundle(own_code.pipeline(), table, TARGET, name="m", version="1", out=tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:model", "cannot import no_such_module:model: No module named 'no_such_module'"),
        (f"{HERE}:absent", f"cannot import {HERE}:absent: module .* has no attribute 'absent'"),
        (f"{HERE}:broken", rf"{HERE}:broken cannot be loaded \(RuntimeError: no such file\)"),
    ],
)
def test_an_object_that_cannot_be_loaded_is_a_bundle_error(name: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        loaded(name)


@pytest.mark.parametrize("name", ["os", "os:", ":system", "os:system()"])
def test_a_name_that_is_no_import_string_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="write python:MODULE:OBJECT"):
        bundle(tmp_path / "b", name, patients())


def test_an_object_that_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"own_code:NUMBER is a int: it must be callable, or have predict"):
        bundle(tmp_path / "b", f"{HERE}:NUMBER", patients())


def test_a_function_of_rows_is_kept_and_one_without_parameters_is_called() -> None:
    def of_rows(rows: Any) -> Any:
        return rows

    assert made(of_rows) is of_rows
    assert made(lambda: of_rows) is of_rows
    assert made(lambda folder="models": of_rows) is of_rows


def test_a_function_without_stated_classes_predicts_a_number(tmp_path: Path) -> None:
    numbers = bundle(tmp_path / "number", f"{HERE}:risk", shapes())
    assert numbers.info.task == "regression"
    classes = bundle(tmp_path / "classes", f"{HERE}:risk", shapes(), classes=["0", "1"])
    assert (classes.info.task, classes.info.classes) == ("binary", (0, 1))


def test_a_module_in_the_current_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "my_own_model.py").write_text("def predict(rows):\n    return rows\n")
    code = (
        "from pathlib import Path; from driftgauge.models.formats.python import load; "
        "from driftgauge.models.formats.spec import ModelSpec; "
        "spec = ModelSpec(format='python', file=None, object='my_own_model:predict'); "
        "print(load(Path(), spec, ['python:my_own_model:predict']).__name__)"
    )
    app = str(Path(__file__).parents[3] / "app")
    env = {**os.environ, "PYTHONPATH": app, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "predict", done.stderr
