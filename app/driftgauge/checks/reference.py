"""What tables are compared with: a baseline, and the model of a bundle if there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftgauge.checks.scoring import Scorer
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import CheckError
from driftgauge.models import constraints_file, sample_file
from driftgauge.models.bundle import BASELINE_FILE, BUNDLE_FILE, Bundle, load_bundle, read_baseline, read_info

Kept = Callable[[], RowSample | None]


def no_rows() -> RowSample | None:
    """Return what is kept of a reference without kept rows."""
    return None


@dataclass(frozen=True)
class Reference:
    """A baseline, and the model that predicts scores that a table lacks."""

    baseline: Baseline
    scorer: Scorer | None = None
    """None without a bundle."""
    kept: Kept = no_rows
    """Reads the rows that are kept of the reference."""
    constraints: Callable[[], Constraints | None] = lambda: None
    """Reads the constraints that are kept with the baseline; BundleError for a file that is wrong."""


def reference_of(source: Any, load: Callable[[Path], Bundle] = load_bundle, *, with_model: bool = True) -> Reference:
    """Return what a baseline, a bundle or a path stands for; BundleError if it cannot be read.

    A path is that of a `baseline.json`, or the folder of a bundle. `load` loads a bundle's model once it is needed;
    without `with_model` only the baseline is read.
    """
    if isinstance(source, Baseline):
        return Reference(source)
    if isinstance(source, Bundle):
        scorer = Scorer(source.info, lambda: source) if with_model else None
        return Reference(source.baseline, scorer, lambda: source.sample, lambda: source.constraints)
    if not isinstance(source, str | Path):
        raise CheckError(
            f"cannot compare with a {type(source).__name__}: give a Baseline, a Bundle, or the path of a baseline.json "
            "or of a bundle's folder"
        )
    path = Path(source)
    file = path / BASELINE_FILE if path.is_dir() else path
    baseline = read_baseline(file)
    uses_model = path.is_dir() and with_model and (path / BUNDLE_FILE).is_file()
    return Reference(
        baseline,
        Scorer(read_info(path), lambda: load(path)) if uses_model else None,
        lambda: sample_file.of_baseline(file, baseline),
        lambda: constraints_file.of_baseline(file, baseline),
    )
