"""Boosters in LightGBM's own format, a text file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from threadpoolctl import threadpool_limits

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import BundleError
from driftgauge.models.formats.answer import Answer, answer_of
from driftgauge.models.formats.description import Description, ModelColumn, codes_of
from driftgauge.models.formats.explained import Explained, without_bias
from driftgauge.models.formats.files import content_of, reading, refuse_truncated
from driftgauge.models.formats.spec import ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo

_CLASSIFIERS: Final = ("binary", "multiclass", "multiclassova")
_END: Final = b"\npandas_categorical:"
"""The last line of a file."""
_DEFAULT_NAME: Final = "Column_"
"""What LightGBM calls the columns of a matrix."""


# ---------------------------------------------------------------- loading


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load a booster; BundleError for a file that LightGBM does not accept."""
    import lightgbm

    content = content_of(path, spec)
    refuse_truncated(path, is_whole=_END in content and b"\n" in content[content.index(_END) :])
    with reading(path, "lightgbm"), threadpool_limits(1):
        return lightgbm.Booster(model_str=content.decode("utf-8"))


# ---------------------------------------------------------------- description


def described(model: Any, spec: ModelSpec) -> Description:
    """Describe a booster; BundleError if its categories belong to unknown columns."""
    content = model.dump_model(num_iteration=1)
    objective = str(content.get("objective", "")).split(" ")[0]
    names = [str(name) for name in model.feature_name()]
    infos = content["feature_infos"]
    categorical = [bool(infos.get(name, {}).get("values")) for name in names]
    return Description(
        spec=spec,
        columns=tuple(_columns(categorical, model.pandas_categorical or [], model.params)),
        input="matrix",
        names=None if all(name.startswith(_DEFAULT_NAME) for name in names) else tuple(names),
        class_count=0 if objective not in _CLASSIFIERS else 2 if objective == "binary" else int(content["num_class"]),
    )


def _columns(used: Sequence[bool], saved: Sequence[Sequence[Any]], parameters: Any) -> Iterable[ModelColumn]:
    """Yield the columns; those of a DataFrame's categories have their numbers, and others count as missing.

    `used` are the columns that the booster has categories of, `saved` the categories of the DataFrame's columns.
    """
    stated = parameters.get("categorical_feature") or []
    chosen = set(stated if isinstance(stated, list) else []) | {index for index, is_used in enumerate(used) if is_used}
    if saved and len(chosen) != len(saved):
        raise BundleError(
            f"the model saved the categories of {len(saved)} columns of a DataFrame, and treats {len(chosen)} as "
            "categorical: give it unordered categories only, or save it with skops"
        )
    lists = iter(saved)
    for index in range(len(used)):
        if index not in chosen:
            yield ModelColumn()
        else:
            codes = codes_of(list(next(lists))) if saved else None
            yield ModelColumn(is_categorical=True, codes=codes, takes_unseen=True)


# ---------------------------------------------------------------- prediction


class LightgbmModel:
    """Asks a booster for probabilities or values of a matrix, on one thread."""

    def __init__(self, model: Any, info: BundleInfo) -> None:
        self._model = model
        self._classes: Final = info.classes

    def predict(self, inputs: Any) -> Answer:
        """Answer with the booster's own numbers."""
        return answer_of(self._model.predict(inputs, num_threads=1), self._classes, len(inputs))

    def explained(self) -> Explained:
        """Explain answers by TreeSHAP."""
        count = int(self._model.num_feature())

        def contributions(inputs: Any) -> FloatArray:
            return without_bias(self._model.predict(inputs, pred_contrib=True, num_threads=1), len(inputs), count)

        return Explained("tree_shap", contributions)


adapted = LightgbmModel
