"""Models in other formats than scikit-learn's, for the bundle and for the other servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from driftgauge.drift.bins import FloatArray


class OnnxClassifier:
    """An ONNX model with the interface of an estimator, for the servers that load it with joblib; one thread."""

    def __init__(self, content: bytes, features: int) -> None:
        self._content = content
        self.n_features_in_ = features
        self._start()

    def _start(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])

    def __getstate__(self) -> dict[str, Any]:
        return {"_content": self._content, "n_features_in_": self.n_features_in_}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def predict_proba(self, rows: FloatArray) -> Any:
        """Return the probabilities of the classes, shape [n, 2]."""
        return self._session.run(["probabilities"], {"X": rows.astype(np.float32)})[0]


def as_onnx(model: Any, features: int, path: Path) -> Any:
    """Write a fitted estimator as ONNX, and return it as the other servers load it."""
    from skl2onnx import to_onnx

    first = np.zeros((1, features), dtype=np.float32)
    content = to_onnx(model, first, options={"zipmap": False}).SerializeToString()
    path.write_bytes(content)
    return OnnxClassifier(content, features)


def as_ubj(model: Any, features: int, path: Path) -> Any:
    """Write a fitted estimator of XGBoost in its own format, and return it."""
    model.save_model(path)
    return model


def xgboost_classifier() -> Any:
    """Return an estimator of 100 trees that fits and predicts on one thread."""
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=100, max_depth=5, n_jobs=1, random_state=0)
