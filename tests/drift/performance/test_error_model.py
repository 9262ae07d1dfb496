from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.error_model import MOST_COLUMNS, MOST_ROWS, ErrorModel, Tree, fit_error_model
from driftgauge.drift.performance.estimated import FEWEST_HELD_OUT_ROWS, FEWEST_ROWS

NAN = np.nan


def _table(rows: int, seed: int, shift: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return columns of shape [3, n], and errors whose size follows from the first two together."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(shift, 1.0, (3, rows))
    scale = 1.0 + 0.5 * np.abs(columns[0]) + 0.8 * (columns[0] * columns[1] > 0.0)
    return columns, np.abs(scale * rng.standard_normal(rows))


def _fitted(columns: FloatArray, errors: FloatArray, widths: dict[int, int] | None = None) -> ErrorModel:
    model = fit_error_model(columns, errors, widths or {})
    assert model is not None
    return model


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_the_mean_error_of_rows_that_have_moved_is_estimated(shift: float) -> None:
    columns, errors = _table(20_000, 1)
    live, realised = _table(20_000, 2, shift)
    found = _fitted(columns, errors).estimate(live)["mae"]
    assert found == pytest.approx(realised.mean(), rel=0.02)
    assert shift == 0.0 or abs(errors.mean() - realised.mean()) > 0.05


def test_the_held_out_rows_have_their_own_mean_error() -> None:
    columns, errors = _table(2_000, 3)
    assert _fitted(columns, errors).estimate(columns)["mae"] == pytest.approx(errors.mean(), rel=1e-6)


def test_errors_that_follow_from_nothing_stay_near_their_mean() -> None:
    columns, _ = _table(2_000, 5)
    errors = np.random.default_rng(6).exponential(size=2_000)
    live, _ = _table(2_000, 7, 1.0)
    assert _fitted(columns, errors).estimate(live)["mae"] == pytest.approx(1.0, abs=0.1)


def test_missing_values_have_an_error_of_their_own() -> None:
    columns, errors = _table(4_000, 8)
    columns[2, ::4] = NAN
    errors[::4] += 3.0
    model = _fitted(columns, errors)
    assert model.errors(columns)[::4].mean() == pytest.approx(errors[::4].mean(), rel=0.05)
    columns[2] = NAN
    assert model.estimate(columns)["mae"] == pytest.approx(errors[::4].mean(), rel=0.05)


def test_categories_are_ordered_by_their_errors() -> None:
    rng = np.random.default_rng(9)
    codes = rng.integers(0, 8, 8_000).astype(np.float64)
    size = np.array([1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0])
    model = _fitted(np.stack([codes, rng.random(8_000)]), size[codes.astype(int)] * rng.random(8_000), {0: 10})
    for code in range(8):
        rows = np.stack([np.full(500, float(code)), rng.random(500)])
        assert model.estimate(rows)["mae"] == pytest.approx(size[code] / 2.0, rel=0.1)


def test_a_category_that_was_never_held_out_has_about_the_mean_error() -> None:
    rng = np.random.default_rng(10)
    codes = rng.integers(0, 4, 4_000).astype(np.float64)
    errors = (1.0 + codes) * rng.random(4_000)
    model = _fitted(codes[None], errors, {0: 6})
    assert 0.5 < model.estimate(np.full((1, 500), 5.0))["mae"] < 2.0
    assert np.isfinite(model.errors(np.full((1, 500), 17.0))).all()  # a code that the table has not


def test_infinite_values_are_the_largest_and_the_smallest() -> None:
    columns, errors = _table(2_000, 11)
    model = _fitted(columns, errors)
    extreme = np.array([[-np.inf, np.inf], [0.0, 0.0], [0.0, 0.0]])
    finite = np.array([[-1e9, 1e9], [0.0, 0.0], [0.0, 0.0]])
    assert model.errors(extreme).tolist() == model.errors(finite).tolist()


def test_a_row_above_a_threshold_has_the_bit_of_its_level() -> None:
    model = ErrorModel(1.0, (Tree((0, 1), (0.5, -np.inf), (0.0, 1.0, 2.0, 4.0)), Tree((0,), (2.0,), (0.0, -9.0))))
    rows = np.array([[0.5, 0.6, 0.5, 0.6, NAN, 3.0], [NAN, NAN, 1.0, 1.0, 1.0, NAN]])
    assert model.errors(rows).tolist() == [1.0, 2.0, 3.0, 5.0, 3.0, 0.0]


@pytest.mark.parametrize(
    "tree",
    [Tree((), (), (1.0,)), Tree((0,), (), (1.0, 2.0)), Tree((0,), (1.0,), (1.0,)), Tree((-1,), (1.0,), (1.0, 2.0))],
)
def test_an_impossible_tree_is_refused(tree: Tree) -> None:
    with pytest.raises(ValueError, match="a tree"):
        ErrorModel(0.0, (tree,))


def test_the_same_rows_give_the_same_model() -> None:
    columns, errors = _table(1_000, 12)
    assert _fitted(columns, errors) == _fitted(columns.copy(), errors.copy())


def test_columns_that_never_change_give_the_mean_error() -> None:
    errors = np.random.default_rng(13).random(500)
    model = _fitted(np.full((2, 500), NAN), errors)
    assert model.trees == ()
    assert model.estimate(np.zeros((2, 500)))["mae"] == pytest.approx(errors.mean())


def test_few_rows_have_no_model_and_no_estimate() -> None:
    columns, errors = _table(FEWEST_HELD_OUT_ROWS - 1, 14)
    assert fit_error_model(columns, errors, {}) is None
    columns, errors = _table(500, 15)
    model = _fitted(columns, errors)
    assert model.estimate(columns[:, : FEWEST_ROWS - 1]) == {}
    assert set(model.estimate(columns[:, :FEWEST_ROWS])) == {"mae"}


def test_of_many_columns_those_are_kept_that_tell_most() -> None:
    columns = np.random.default_rng(16).normal(size=(60, 2_000))
    model = _fitted(columns, np.abs(columns[47]))
    used = {column for tree in model.trees for column in tree.columns}
    assert 47 in used
    assert len(used) <= MOST_COLUMNS


def test_of_many_rows_evenly_spread_ones_are_taken() -> None:
    columns, errors = _table(MOST_ROWS + 10_000, 17)
    errors[: len(errors) // 2] += 1.0
    assert _fitted(columns, errors).estimate(columns)["mae"] == pytest.approx(errors.mean(), rel=0.02)
