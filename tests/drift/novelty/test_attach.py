"""A baseline tells outliers, and watches their share as a column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.novelty.attach import watching_outliers, with_novelty
from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.reference.baseline import Baseline, dumps, joined
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Table
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.sizes import range_notes
from driftgauge.errors import BaselineError

ROWS = 5_000


def table() -> Table:
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=ROWS), "prediction": rng.random(ROWS), "b": rng.normal(size=ROWS)}


def built(time: str | None = None) -> Baseline:
    baseline = build_baseline(table(), created="2026-01-01T00:00:00Z", ordered_by=time)
    return with_novelty(baseline, table())


def test_predictions_are_not_scored() -> None:
    baseline = built()
    assert baseline.novelty is not None
    assert baseline.novelty.features == ("a", "b")
    assert baseline.novelty.ratio == pytest.approx(0.001, abs=2e-4)
    assert baseline.novelty_scorer is not None
    scores = baseline.novelty_scorer.scores(np.array([[0.0, 99.0, 0.0], [9.0, 0.5, 0.0], [0.0, 0.5, 9.0]]))
    assert baseline.novelty_scorer.flags(scores).tolist() == [0.0, 1.0, 1.0]


def test_the_column_of_outliers_is_the_last_and_no_part_of_the_hash() -> None:
    baseline = built()
    watched = watching_outliers(joined(baseline, built_scores()))
    assert watched.names[-1] == OUTLIER
    assert watched.has_outliers
    assert not baseline.has_outliers
    assert watching_outliers(baseline).hash == baseline.hash
    assert dumps(watching_outliers(baseline)) == dumps(baseline)
    assert watched.columns[-1].counts[1] == pytest.approx(5, abs=1)


def built_scores() -> Baseline:
    scores = {"prediction_class": np.random.default_rng(1).random(100)}
    return build_baseline(scores, created="2026-01-01T00:00:00Z")


def test_a_reference_in_order_of_time_has_an_expected_range_of_outliers() -> None:
    novelty = built("at").novelty
    assert novelty is not None
    assert novelty.column.tau is not None
    assert novelty.column.expected_range


def test_the_column_of_outliers_has_the_expected_ranges_of_the_statistics_that_were_asked_for() -> None:
    asked = build_baseline(table(), created="2026-01-01T00:00:00Z", ordered_by="at", statistics=("js", "ks"))
    watched = watching_outliers(with_novelty(asked, table(), statistics=("js", "ks")))
    assert watched.columns[-1].expected_sizes["js"].keys() == watched.columns[0].expected_sizes["js"].keys()
    assert not list(range_notes(Policy(statistic="js"), watched))


def test_a_baseline_without_novelty_says_how_to_rebuild_it() -> None:
    with pytest.raises(BaselineError, match="build it again with `driftgauge bundle create`"):
        watching_outliers(replace(built(), novelty=None))


def test_a_column_of_the_reserved_name_cannot_be_watched() -> None:
    own = {**table(), OUTLIER: np.zeros(ROWS)}
    baseline = with_novelty(build_baseline(own, created="2026-01-01T00:00:00Z"), own)
    assert baseline.novelty is None
    with pytest.raises(BaselineError, match="which is reserved"):
        watching_outliers(baseline)


def test_a_table_of_predictions_alone_has_no_novelty() -> None:
    own: Table = {"prediction": np.random.default_rng(2).random(100)}
    assert with_novelty(build_baseline(own, created="2026-01-01T00:00:00Z"), own).novelty is None
