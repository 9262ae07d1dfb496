"""Verdicts of the past as arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.verdict.history import SEVERITY_LEVELS, STATISTICS, History, joined, severity_levels, summary
from driftgauge.drift.verdict.rule import RANK, VERDICTS

from tests.histories import NOON, verdicts


def some_history(count: int = 5) -> History:
    return joined([verdicts(NOON + 60.0 * step) for step in range(count)])


def test_each_rank_has_its_verdict_and_the_level_of_its_severity() -> None:
    assert [RANK[verdict] for verdict in VERDICTS] == [*range(8)]
    levels = severity_levels(np.arange(8, dtype=np.uint8))
    assert [SEVERITY_LEVELS[level] for level in levels] == [severity for _, severity in VERDICTS]


def test_columns_are_chosen_by_name_and_moments_by_place() -> None:
    history = some_history()
    found = history[np.array([1, 3])].of(["city", "age"])
    assert found.names == ("city", "age")
    assert len(found) == 2
    np.testing.assert_array_equal(found.psi, history.statistics[[1, 3]][:, 0, [2, 0]])
    np.testing.assert_array_equal(found.column("evidence_log10"), history.statistics[[1, 3]][:, 4, [2, 0]])
    np.testing.assert_array_equal(found.severity, severity_levels(history.ranks[[1, 3]][:, [2, 0]]))
    with pytest.raises(ValueError, match="not in tuple"):
        history.of(["size"])


def test_a_summary_has_means_of_known_numbers_the_worst_ranks_and_the_latest_rows() -> None:
    history = some_history(3)
    history.statistics[:, 0, 0] = [1.0, math.nan, 2.0]
    history.statistics[:, 1, 0] = math.nan
    one = summary(history, NOON, 900.0)
    assert (len(one), one.at[0], one.seconds[0]) == (1, NOON, 900.0)
    assert one.statistics.dtype == np.float32
    assert one.psi[0, 0] == 1.5
    assert np.isnan(one.statistics[0, 1, 0])
    assert one.ranks[0].tolist() == history.ranks.max(axis=0).tolist()
    assert one.rank[0] == history.rank.max()
    assert one.rows[0] == history.rows[-1]
    assert one.score_mean[0] == pytest.approx(history.score_mean.mean())


def test_the_last_verdict_until_a_moment_is_found() -> None:
    history = some_history()
    for moment, place in ((NOON - 1e9, 0), (NOON, 0), (NOON + 60.0, 1), (NOON + 119.0, 1), (math.inf, 4)):
        found = history.before(moment)
        assert found is not None
        assert found.at.tolist() == [history.at[place]]
    assert history[np.array([], np.int64)].before(NOON) is None
    assert len(STATISTICS) == history.statistics.shape[1]
