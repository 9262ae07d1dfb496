"""Loads a model from a skops file of known or trusted types."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from driftgauge.common.safe_files import open_bounded
from driftgauge.errors import BundleError
from driftgauge.models.model_inspection import MAIN, MOST_BYTES, UnreadableModel, imported_names, inspect, unimportable

_METRICS: Final = {
    "_classification": (
        "accuracy_score, balanced_accuracy_score, brier_score_loss, d2_brier_score, d2_log_loss_score, f1_score, "
        "fbeta_score, jaccard_score, log_loss, matthews_corrcoef, precision_score, recall_score"
    ),
    "_ranking": "average_precision_score, roc_auc_score, top_k_accuracy_score",
    "_scorer": "negative_likelihood_ratio, positive_likelihood_ratio",
    "_regression": (
        "d2_absolute_error_score, explained_variance_score, max_error, mean_absolute_error, "
        "mean_absolute_percentage_error, mean_gamma_deviance, mean_poisson_deviance, mean_squared_error, "
        "mean_squared_log_error, median_absolute_error, r2_score, root_mean_squared_error, root_mean_squared_log_error"
    ),
}
"""The functions behind scikit-learn's scorers (`scoring="roc_auc"`); they only compute a number."""

TRUSTED_TYPES: Final = frozenset(
    {
        *(f"sklearn.metrics.{where}.{name}" for where, names in _METRICS.items() for name in names.split(", ")),
        "collections.OrderedDict",
        "functools.partial",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.impute._iterative.IterativeImputer",
        "sklearn.impute._iterative._ImputerTriplet",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._scorer._CurveScorer",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.model_selection._split.GroupKFold",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.RepeatedKFold",
        "sklearn.model_selection._split.RepeatedStratifiedKFold",
        "sklearn.model_selection._split.ShuffleSplit",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.model_selection._split.StratifiedShuffleSplit",
        "sklearn.model_selection._split.TimeSeriesSplit",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
        "sklearn.utils.validation.check_array",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""Types beyond skops' own list in estimators of scikit-learn, XGBoost and LightGBM.

None of them runs code that the file chooses. A forged tree can still crash the process: serve only files whose origin
you know.
"""

OWN_CODE: Final = "; or serve the estimator from your own code: the model python:MODULE:OBJECT"
"""Advice for an estimator that skops refuses."""
TRUSTED_VARIABLE: Final = "DRIFTGAUGE_TRUSTED_TYPES"
Way = Literal["argument", "option", "setting"]


class UntrustedTypes(BundleError):
    """A model file with types that are not trusted; the message says how to trust them."""

    def __init__(self, what: str, types: Iterable[str], way: Way = "argument", advice: str = "") -> None:
        self.types: Final = tuple(types)
        names = ",".join(self.types)
        how = {
            "argument": f"trusted_types={list(self.types)}",
            "option": f"--trusted-types {names}",
            "setting": f"the setting trusted_types: --trusted-types {names}, or {TRUSTED_VARIABLE}={names}",
        }[way]
        super().__init__(
            f"{what} contains types that are not trusted: {', '.join(self.types)}. Loading them can run code. "
            f"If you made it yourself, or trust who did, name them: {how}{advice}"
        )
        self._what = what
        self._advice = advice

    def phrased_for(self, way: Way) -> UntrustedTypes:
        """Return the same error with the advice for another way of starting."""
        return UntrustedTypes(self._what, self.types, way, self._advice)

    def about(self, what: str, advice: str = "") -> UntrustedTypes:
        """Return the same error about something other than the file, with further advice."""
        return UntrustedTypes(what, self.types, advice=advice)


def load_model(path: Path, trusted_types: Iterable[str] = ()) -> Any:
    """Load an estimator; BundleError for a file that is unreadable or holds untrusted types."""
    try:
        with open_bounded(path, MOST_BYTES) as file:
            inspect(file, path)
            return _loaded(file, path, trusted_types)
    except BundleError:
        raise
    except UnreadableModel as error:
        raise BundleError(f"cannot read the model {path}: {error}") from error
    except OSError as error:
        raise BundleError(f"cannot read the model {path}: {error.strerror or error}") from error
    except ImportError as error:
        raise BundleError(
            f"cannot read the model {path}: {error.name or error} cannot be imported; install the package that "
            "provides it, in the version that the model was made with"
        ) from error
    except MemoryError as error:
        raise BundleError(f"cannot read the model {path}: it needs more memory than there is") from error
    except Exception as error:  # skops, numpy and estimators raise anything on malformed content
        raise BundleError(
            f"cannot read the model {path} ({type(error).__name__}): it is damaged, or was made with other versions of "
            "its libraries; copy it again, or save the estimator again with skops.io.dump"
        ) from error


def refuse_unimportable(path: Path) -> None:
    """Raise BundleError if a saved file names objects that another process cannot import."""
    with path.open("rb") as file:
        named = imported_names(file)
    for kind in sorted(named):
        module = sys.modules.get(kind.module)
        # skops describes JSON texts as of type `str`, and operators by their class.
        if kind.module in MAIN or (module is not None and not hasattr(module, kind.name)):
            raise BundleError(f"the estimator cannot be served: {unimportable(kind)}{OWN_CODE}")


def _loaded(file: BinaryIO, path: Path, trusted_types: Iterable[str]) -> Any:
    import skops.io  # takes a second, and only a model needs it: a bundle's other files do not

    untrusted = skops.io.get_untrusted_types(file=file)
    unknown = sorted(set(untrusted) - TRUSTED_TYPES - set(trusted_types))
    if unknown:
        raise UntrustedTypes(str(path), unknown)
    file.seek(0)
    return skops.io.load(file, trusted=list(untrusted))
