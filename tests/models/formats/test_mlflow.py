from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from driftgauge.errors import BundleError
from driftgauge.models.bundle import load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.formats.mlflow import is_model
from driftgauge.models.model_file import UntrustedTypes

from tests.examples import TARGET, cells, logistic
from tests.models.formats.cases import split


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give an estimator that is registered as `cells@live`."""
    folder = tmp_path_factory.mktemp("registry") / "store"
    patch = pytest.MonkeyPatch()
    patch.setenv("MLFLOW_TRACKING_URI", folder.as_uri())
    patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    train, _ = split(cells())
    given = train.drop(columns=TARGET)
    with warnings.catch_warnings(action="ignore"):
        import mlflow.sklearn
        from mlflow.models import infer_signature

        model = logistic().fit(given, train[TARGET])
        signature = infer_signature(given)
        with mlflow.start_run():
            mlflow.sklearn.log_model(
                model, name="model", signature=signature, pip_requirements=[], registered_model_name="cells"
            )
        mlflow.MlflowClient().set_registered_model_alias("cells", "live", 1)
    yield model
    patch.undo()


def bundle(out: Path, place: str, **options: Any) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return create_bundle(place, split(cells())[0], TARGET, name="m", version="1", out=out, **options)


def test_a_model_of_a_registry_is_copied_into_the_bundle(registered: Any, tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", "models:/cells@live", trust_pickle=True)
    assert (made.info.model.format, made.info.model.file) == ("mlflow", "model")
    assert (tmp_path / "b" / "model" / "MLmodel").is_file()
    assert [feature.name for feature in made.info.features] == list(cells().drop(columns=TARGET))
    assert "mlflow-skinny" in made.info.libraries


def test_a_model_is_loaded_only_if_its_pickle_is_trusted(registered: Any, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"can run any code.*--trust-pickle"):
        bundle(tmp_path / "b", "models:/cells@live")
    bundle(tmp_path / "b", "models:/cells@live", trust_pickle=True)
    with pytest.raises(UntrustedTypes, match=r"not trusted: mlflow\.pyfunc"):
        load_bundle(tmp_path / "b")
    with warnings.catch_warnings(action="ignore"):
        assert load_bundle(tmp_path / "b", ["mlflow.pyfunc"]).info.task == "binary"


def test_a_model_that_the_registry_lacks_is_a_bundle_error(registered: Any, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot fetch the model models:/cells@other .*MLFLOW_TRACKING_URI"):
        bundle(tmp_path / "b", "models:/cells@other", trust_pickle=True)


def test_a_folder_is_a_model_if_it_holds_its_description(tmp_path: Path) -> None:
    assert not is_model(tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    assert is_model(tmp_path)
    assert is_model("models:/name/3")
    assert not is_model("model.onnx")
