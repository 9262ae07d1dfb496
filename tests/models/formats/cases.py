"""A model in each format, with its bundle and the library's own answers to compare with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from driftgauge.models.bundle import Bundle, load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.predictor import Batch, Predictions, Predictor, batch_of
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from tests.examples import TARGET, cells, flowers, json_rows, logistic, one_hot, patients, shapes
from tests.models.formats import own_code

Own = Callable[[pd.DataFrame], tuple[list[Any], Any]]
"""The library's own labels and scores for a table's rows."""


@dataclass(frozen=True)
class Case:
    """A bundle as read back from its folder, and what it must answer."""

    folder: Path
    bundle: Bundle
    evaluation: pd.DataFrame
    own: Own
    trusted: tuple[str, ...] = ()

    @property
    def rows(self) -> pd.DataFrame:
        """The evaluation table without its target."""
        return self.evaluation.drop(columns=TARGET)

    @property
    def texts(self) -> list[str]:
        """The features that are categories of text."""
        return [f.name for f in self.bundle.info.features if f.kind == "categorical" and f.values != "boolean"]

    def batch(self, frame: pd.DataFrame) -> Batch:
        return batch_of(self.bundle.info.features, json_rows(frame))

    def predict(self, frame: pd.DataFrame) -> Predictions:
        return Predictor(self.bundle).predict(self.batch(frame))


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two thirds for training, and the rest."""
    first = len(table) * 2 // 3
    return table.iloc[:first], table.iloc[first:].reset_index(drop=True)


def bundled(folder: Path, model: Any, table: pd.DataFrame, own: Own, **options: Any) -> Case:
    """Make a bundle of a model that was fitted on the first part of a table."""
    reference, evaluation = split(table)
    trusted = tuple(options.pop("trusted_types", ()))
    create_bundle(
        model,
        reference,
        TARGET,
        name=folder.name,
        version="1",
        out=folder,
        evaluation=evaluation,
        trusted_types=trusted,
        **options,
    )
    return Case(folder, load_bundle(folder, trusted), evaluation, own, trusted)


def binary_of(probabilities: Any, classes: tuple[Any, Any] = (0, 1)) -> tuple[list[Any], Any]:
    positive = np.asarray(probabilities, dtype=float)
    return [classes[int(p > 0.5)] for p in positive], positive


# ---------------------------------------------------------------- ONNX


def onnx_file(folder: Path, estimator: Any, inputs: list[tuple[str, Any]], **options: Any) -> Path:
    """Convert a fitted estimator."""
    from skl2onnx import convert_sklearn

    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f"{folder.name}.onnx"
    path.write_bytes(convert_sklearn(estimator, initial_types=inputs, **options).SerializeToString())
    return path


def session_of(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def onnx_matrix(folder: Path) -> Case:
    """A pipeline that takes one tensor and answers tensors."""
    from skl2onnx.common.data_types import FloatTensorType

    train, _ = split(cells())
    model = logistic().fit(train.drop(columns=TARGET).to_numpy(), train[TARGET])
    path = onnx_file(folder, model, [("X", FloatTensorType([None, 6]))], options={id(model): {"zipmap": False}})
    session = session_of(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        labels, probabilities = session.run(None, {"X": frame.to_numpy(np.float32)})
        assert np.allclose(probabilities, model.predict_proba(frame.to_numpy()), atol=1e-5)
        return labels.tolist(), probabilities[:, 1]

    return bundled(folder, path, cells(), own)


def onnx_columns(folder: Path) -> Case:
    """A pipeline that takes one tensor for each feature, one of them of texts, and answers maps."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    table = shapes().assign(smooth=lambda frame: frame["smooth"].astype(float))
    table[TARGET] = np.where(table[TARGET] == 1, "yes", "no")
    train, _ = split(table)
    model = one_hot()
    model.steps[0][1].set_params(text__handle_unknown="ignore")
    model.fit(train.drop(columns=TARGET), train[TARGET])
    kinds = [("radius", FloatTensorType([None, 1])), ("shape", StringTensorType([None, 1]))]
    path = onnx_file(folder, model, [*kinds, ("smooth", FloatTensorType([None, 1]))])
    session = session_of(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        numbers = {name: frame[[name]].to_numpy(np.float32) for name in ("radius", "smooth")}
        labels, maps = session.run(None, {**numbers, "shape": frame[["shape"]].to_numpy(object)})
        return labels.tolist(), np.array([row["yes"] for row in maps])

    return bundled(folder, path, table, own)


def onnx_multiclass(folder: Path) -> Case:
    from skl2onnx.common.data_types import DoubleTensorType

    train, _ = split(flowers())
    model = LogisticRegression(max_iter=500).fit(train.drop(columns=TARGET).to_numpy(), train[TARGET])
    path = onnx_file(folder, model, [("X", DoubleTensorType([None, 4]))], options={id(model): {"zipmap": False}})
    session = session_of(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        labels, probabilities = session.run(None, {"X": frame.to_numpy(np.float64)})
        return labels.tolist(), probabilities.max(axis=1)

    return bundled(folder, path, flowers(), own)


def onnx_regression(folder: Path) -> Case:
    from skl2onnx.common.data_types import FloatTensorType

    train, _ = split(patients())
    model = Ridge().fit(train.drop(columns=TARGET).to_numpy(), train[TARGET])
    path = onnx_file(folder, model, [("X", FloatTensorType([None, 10]))])
    session = session_of(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        values = session.run(None, {"X": frame.to_numpy(np.float32)})[0].reshape(-1).astype(float)
        return values.tolist(), values

    return bundled(folder, path, patients(), own)


def onnx_raw(folder: Path, rows: str | int = "rows") -> Case:
    """A network as a deep-learning library exports it: one output, the probability of the positive class."""
    from onnx import TensorProto, checker, helper, numpy_helper

    train, _ = split(cells())
    model = LogisticRegression(max_iter=5000).fit(train.drop(columns=TARGET).to_numpy(), train[TARGET])
    weights = numpy_helper.from_array(model.coef_.T.astype(np.float32), "weights")
    bias = numpy_helper.from_array(model.intercept_.astype(np.float32), "bias")
    nodes = [
        helper.make_node("Gemm", ["x", "weights", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 6])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [rows, 1])],
        [weights, bias],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(network)
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f"{folder.name}.onnx"
    path.write_bytes(network.SerializeToString())
    session = session_of(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        table = frame.to_numpy(np.float32)
        parts = [table] if rows == "rows" else np.split(table, len(table))
        return binary_of(np.concatenate([session.run(None, {"x": part})[0].reshape(-1) for part in parts]))

    return bundled(folder, path, cells(), own, onnx_outputs={"p": "probabilities"})


def onnx_one_row(folder: Path) -> Case:
    """The same, exported for one row at a time."""
    return onnx_raw(folder, 1)


# ---------------------------------------------------------------- gradient boosting


def gappy(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with some missing numbers, for models that learn from gaps."""
    first = str(table.columns[0])
    return table.assign(**{first: table[first].where(table.index % 9 != 0)})


def as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts have the dtype category, with the categories that its rows hold."""
    return frame.assign(shape=frame["shape"].astype("category"), smooth=frame["smooth"].astype(float))


def saved(folder: Path, suffix: str) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.parent / f"{folder.name}.{suffix}"


def xgboost_binary(folder: Path) -> Case:
    """A classifier with early stopping and categories, saved as UBJSON."""
    import xgboost

    train, rest = split(gappy(shapes()))
    model = xgboost.XGBClassifier(
        n_estimators=30, max_depth=3, enable_categorical=True, early_stopping_rounds=2, n_jobs=1, learning_rate=0.6
    )
    given = as_categories(train.drop(columns=TARGET))
    checked = as_categories(rest.drop(columns=TARGET))
    model.fit(given, train[TARGET], eval_set=[(checked, rest[TARGET])], verbose=False)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    path = saved(folder, "ubj")
    model.save_model(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        rows = as_categories(frame)
        return model.predict(rows).tolist(), model.predict_proba(rows)[:, 1].astype(float)

    return bundled(folder, path, gappy(shapes()), own)


def xgboost_multiclass(folder: Path) -> Case:
    """A bare booster of three classes, saved as JSON, whose classes are numbers."""
    import xgboost

    names = sorted(flowers()[TARGET].unique())
    train, _ = split(gappy(flowers()))
    data = xgboost.DMatrix(train.drop(columns=TARGET), train[TARGET].map(names.index))
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 3}, data, num_boost_round=8)
    path = saved(folder, "json")
    booster.save_model(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        probabilities = booster.predict(xgboost.DMatrix(frame)).astype(float)
        return [names[index] for index in probabilities.argmax(axis=1)], probabilities.max(axis=1)

    return bundled(folder, path, gappy(flowers()), own)


def xgboost_regression(folder: Path) -> Case:
    """A booster that is handed over in memory."""
    import xgboost

    train, _ = split(gappy(patients()))
    data = xgboost.DMatrix(train.drop(columns=TARGET), train[TARGET])
    booster = xgboost.train({"max_depth": 3}, data, num_boost_round=8)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        values = booster.predict(xgboost.DMatrix(frame)).astype(float)
        return values.tolist(), values

    return bundled(folder, booster, gappy(patients()), own)


def xgboost_linear(folder: Path) -> Case:
    import xgboost

    train, _ = split(cells())
    data = xgboost.DMatrix(train.drop(columns=TARGET), train[TARGET])
    booster = xgboost.train({"booster": "gblinear", "objective": "binary:logistic"}, data, num_boost_round=8)
    path = saved(folder, "ubj")
    booster.save_model(path)
    return bundled(folder, path, cells(), lambda frame: binary_of(booster.predict(xgboost.DMatrix(frame))))


def lightgbm_binary(folder: Path) -> Case:
    """A classifier of texts, fitted on categories of texts."""
    import lightgbm

    table = gappy(shapes())
    table[TARGET] = np.where(table[TARGET] == 1, "yes", "no")
    train, _ = split(table)
    model = lightgbm.LGBMClassifier(n_estimators=8, num_leaves=6, verbose=-1, min_child_samples=5)
    model.fit(as_categories(train.drop(columns=TARGET)), train[TARGET])
    path = saved(folder, "txt")
    model.booster_.save_model(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        rows = as_categories(frame)
        return model.predict(rows).tolist(), model.predict_proba(rows)[:, 1]

    return bundled(folder, path, table, own)


def lightgbm_multiclass(folder: Path) -> Case:
    """A booster that was trained on a matrix, and names no columns."""
    import lightgbm

    train, _ = split(gappy(flowers()))
    model = lightgbm.LGBMClassifier(n_estimators=8, num_leaves=6, verbose=-1, min_child_samples=5)
    model.fit(train.drop(columns=TARGET).to_numpy(), train[TARGET])

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        found = model.booster_.predict(frame.to_numpy())
        return [model.classes_[index] for index in found.argmax(axis=1)], found.max(axis=1)

    return bundled(folder, model.booster_, gappy(flowers()), own)


def lightgbm_regression(folder: Path) -> Case:
    """A regression in which one column of whole numbers is categorical."""
    import lightgbm

    table = gappy(patients()).assign(clinic=lambda frame: (frame.index * 7 % 5) + 10)
    table = table[["age", "clinic", "bmi", TARGET]]
    train, _ = split(table)
    model = lightgbm.LGBMRegressor(n_estimators=8, num_leaves=6, verbose=-1, min_child_samples=5)
    model.fit(train.drop(columns=TARGET).to_numpy(), train[TARGET], categorical_feature=[1])
    path = saved(folder, "txt")
    model.booster_.save_model(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        values = model.booster_.predict(frame.to_numpy(float))
        return values.tolist(), values

    return bundled(folder, path, table, own)


def catboost_binary(folder: Path) -> Case:
    """A classifier of texts with categories of texts."""
    import catboost

    table = gappy(shapes()).assign(smooth=lambda frame: frame["smooth"].astype(float))
    table[TARGET] = np.where(table[TARGET] == 1, "yes", "no")
    train, _ = split(table)
    model = catboost.CatBoostClassifier(iterations=8, depth=3, verbose=False, allow_writing_files=False, thread_count=1)
    model.fit(
        train.drop(columns=TARGET).astype({"shape": object}), train[TARGET].to_numpy(object), cat_features=["shape"]
    )
    path = saved(folder, "cbm")
    model.save_model(str(path))

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        rows = frame.astype({"shape": object})
        return model.predict(rows).tolist(), model.predict_proba(rows)[:, 1]

    return bundled(folder, path, table, own)


def catboost_multiclass(folder: Path) -> Case:
    """A classifier that is handed over in memory, and takes numbers."""
    import catboost

    train, _ = split(gappy(flowers()))
    model = catboost.CatBoostClassifier(iterations=8, depth=3, verbose=False, allow_writing_files=False, thread_count=1)
    model.fit(train.drop(columns=TARGET), train[TARGET].to_numpy(object))

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        return model.predict(frame).reshape(-1).tolist(), model.predict_proba(frame).max(axis=1)

    return bundled(folder, model, gappy(flowers()), own)


def catboost_regression(folder: Path) -> Case:
    """A regression, exported as ONNX by CatBoost itself."""
    import catboost

    train, _ = split(patients())
    model = catboost.CatBoostRegressor(iterations=8, depth=3, verbose=False, allow_writing_files=False, thread_count=1)
    model.fit(train.drop(columns=TARGET).to_numpy(), train[TARGET])
    path = saved(folder, "onnx")
    model.save_model(str(path), format="onnx")
    session = session_of(path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        values = session.run(None, {"features": frame.to_numpy(np.float32)})[0].reshape(-1).astype(float)
        assert np.allclose(values, model.predict(frame.to_numpy()), rtol=1e-5)
        return values.tolist(), values

    return bundled(folder, path, patients(), own)


def estimator(folder: Path, model: Any) -> Case:
    """A pipeline that ends with an estimator of another library, in a skops file."""
    import skops.io

    table = gappy(cells())
    train, _ = split(table)
    pipeline = make_pipeline(SimpleImputer(), model).fit(train.drop(columns=TARGET), train[TARGET])
    path = saved(folder, "skops")
    skops.io.dump(pipeline, path)

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        return pipeline.predict(frame).tolist(), pipeline.predict_proba(frame)[:, 1].astype(float)

    return bundled(folder, path, table, own)


def sklearn_xgboost(folder: Path) -> Case:
    import xgboost

    return estimator(folder, xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1))


def sklearn_lightgbm(folder: Path) -> Case:
    import lightgbm

    return estimator(folder, lightgbm.LGBMClassifier(n_estimators=8, num_leaves=6, n_jobs=1, verbose=-1))


# ---------------------------------------------------------------- code


def imported(folder: Path, name: str, table: pd.DataFrame, own: Own, **options: Any) -> Case:
    """Make a bundle of an object of `own_code`."""
    named = f"python:tests.models.formats.own_code:{name}"
    return bundled(folder, named, table, own, trusted_types=[named], **options)


def python_pipeline(folder: Path) -> Case:
    """A pipeline with a transformer of one's own, made by a function."""
    model = own_code.pipeline()

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        return model.predict(frame).tolist(), model.predict_proba(frame)[:, 1]

    return imported(folder, "pipeline", cells(), own)


def python_function(folder: Path) -> Case:
    """A function of a DataFrame that returns the probability of the second class."""

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        return binary_of(own_code.risk(frame))

    return imported(folder, "risk", shapes(), own, classes=["0", "1"])


def python_object(folder: Path) -> Case:
    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        values = own_code.Doubling().predict(frame).to_numpy()
        return values.tolist(), values

    return imported(folder, "Doubling", patients(), own)


def mlflow_estimator(folder: Path) -> Case:
    """An estimator that MLflow saved, with its probabilities."""
    with warnings.catch_warnings(action="ignore"):
        import mlflow.sklearn
        from mlflow.models import infer_signature

    train, _ = split(cells())
    given = train.drop(columns=TARGET)
    model = logistic().fit(given, train[TARGET])
    path = saved(folder, "mlflow")
    with warnings.catch_warnings(action="ignore"):
        signature = infer_signature(given)
        mlflow.sklearn.save_model(
            model, str(path), signature=signature, pip_requirements=[], serialization_format="cloudpickle"
        )

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        return model.predict(frame).tolist(), model.predict_proba(frame)[:, 1]

    return bundled(folder, path, cells(), own, trust_pickle=True, trusted_types=["mlflow.pyfunc"])


def mlflow_function(folder: Path) -> Case:
    """A model of one's own code that MLflow saved, with whole numbers in its signature."""
    with warnings.catch_warnings(action="ignore"):
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        class Sum(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow's class is Any
            def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
                return model_input["bmi"] * model_input["clinic"]

    table = patients().assign(clinic=lambda frame: frame.index % 5)[["clinic", "bmi", TARGET]]
    signature = ModelSignature(inputs=Schema([ColSpec("long", "clinic"), ColSpec("double", "bmi")]))
    path = saved(folder, "mlflow")
    with warnings.catch_warnings(action="ignore"):
        mlflow.pyfunc.save_model(str(path), python_model=Sum(), signature=signature, pip_requirements=[])

    def own(frame: pd.DataFrame) -> tuple[list[Any], Any]:
        with warnings.catch_warnings(action="ignore"):
            values = mlflow.pyfunc.load_model(str(path)).predict(frame).to_numpy()
        return values.tolist(), values

    return bundled(folder, path, table, own, trust_pickle=True, trusted_types=["mlflow.pyfunc"])


MAKERS: dict[str, Callable[[Path], Case]] = {
    "onnx-matrix": onnx_matrix,
    "onnx-columns": onnx_columns,
    "onnx-multiclass": onnx_multiclass,
    "onnx-regression": onnx_regression,
    "onnx-raw": onnx_raw,
    "onnx-one-row": onnx_one_row,
    "onnx-of-catboost": catboost_regression,
    "xgboost-binary": xgboost_binary,
    "xgboost-multiclass": xgboost_multiclass,
    "xgboost-regression": xgboost_regression,
    "xgboost-linear": xgboost_linear,
    "lightgbm-binary": lightgbm_binary,
    "lightgbm-multiclass": lightgbm_multiclass,
    "lightgbm-regression": lightgbm_regression,
    "catboost-binary": catboost_binary,
    "catboost-multiclass": catboost_multiclass,
    "sklearn-xgboost": sklearn_xgboost,
    "sklearn-lightgbm": sklearn_lightgbm,
    "python-pipeline": python_pipeline,
    "python-function": python_function,
    "python-object": python_object,
    "mlflow-estimator": mlflow_estimator,
    "mlflow-function": mlflow_function,
}
ONE_OF_EACH = (
    "onnx-matrix",
    "xgboost-binary",
    "lightgbm-binary",
    "catboost-binary",
    "python-pipeline",
)
"""A case of each format."""
