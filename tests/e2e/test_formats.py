"""Each format in real workers: answered by all of them, and again after a reload."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import httpx
import pytest
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.formats.python import PREFIX

from tests.e2e.workers import reload, service
from tests.examples import TARGET, cells
from tests.models.formats.cases import MAKERS, split

pytestmark = [
    pytest.mark.e2e,
    # mlflow-skinny's pickles warn where the test makes them
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.mark.parametrize(
    "name",
    [
        "onnx-columns",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("xgboost-binary", "lightgbm-binary", "catboost-binary", "python-pipeline", "mlflow-estimator")
        ),
    ],
)
def test_every_worker_answers_as_the_bundle_says_and_again_after_a_reload(name: str, tmp_path: Path) -> None:
    case = MAKERS[name](tmp_path / "bundle")
    settings = {"trusted_types": ",".join(case.trusted)} if case.trusted else {}
    info = case.bundle.info
    with service(case.folder, tmp_path / "state", 2, tmp_path / "log", **settings) as running:
        for _ in range(2):
            for client in running.clients(2, seconds=90.0).values():
                for sample in info.samples:
                    answer = client.post("/predict", json={"features": sample.features}).raise_for_status().json()
                    assert math.isclose(answer["score"], sample.score, rel_tol=1e-5)
                    assert answer["prediction"] == sample.prediction
            reload(running)
        with httpx.Client(base_url=running.address, timeout=60.0) as client:
            status = client.get("/drift/status").json()
        assert status["rows_observed"] == 2 * 2 * len(info.samples)


@pytest.mark.long
def test_a_reload_serves_a_bundle_of_another_format(tmp_path: Path) -> None:
    case = MAKERS["onnx-matrix"](tmp_path / "bundle")
    own = f"{PREFIX}tests.models.formats.own_code:pipeline"
    with service(case.folder, tmp_path / "state", 2, tmp_path / "log", trusted_types=own) as running:
        row = case.bundle.info.samples[0].features
        before = httpx.post(f"{running.address}/predict", json={"features": row}, timeout=60.0).json()
        assert before["model_version"] == "1"
        reference, evaluation = split(cells())
        create_bundle(
            own,
            reference,
            TARGET,
            name="bundle",
            version="2",
            out=tmp_path / "next",
            evaluation=evaluation,
            trusted_types=[own],
        )
        shutil.rmtree(case.folder)
        os.rename(tmp_path / "next", case.folder)
        reload(running)
        after = httpx.post(f"{running.address}/predict", json={"features": row}, timeout=60.0).json()
        assert after["model_version"] == "2", running.log.read_text()
        assert after["score"] == pytest.approx(before["score"], abs=0.05)  # the same pipeline, with one more column
