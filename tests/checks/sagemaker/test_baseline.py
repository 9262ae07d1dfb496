"""A baseline of SageMaker's statistics, compared with one of the rows themselves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from driftgauge.checks.sagemaker.baseline import baseline_of
from driftgauge.checks.sagemaker.documents import document_bytes, parse_document
from driftgauge.checks.sagemaker.statistics import Statistics
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.statistics.psi import psi
from driftgauge.errors import BaselineError
from driftgauge.models.baseline_file import loads

FILES: Final = Path(__file__).parent / "files"
CREATED: Final = "2026-01-31T00:00:00Z"


def numeric(name: str, values: FloatArray, levels: list[list[float]] | None, **changed: Any) -> dict[str, Any]:
    """Return the statistics of a column, with a sketch of these levels."""
    bounds = np.linspace(values.min(), values.max(), 11)
    counts = np.histogram(values, bounds)[0].tolist()
    buckets = [
        {"lower_bound": low, "upper_bound": high, "count": count}
        for (low, high), count in zip(pairwise(bounds.tolist()), counts, strict=True)
    ]
    sketch = {} if levels is None else {"sketch": {"parameters": {"c": 0.64, "k": 2048.0}, "data": levels}}
    own = {
        "common": {"num_present": len(values), "num_missing": 0},
        "mean": float(values.mean()),
        "sum": float(values.sum()),
        "std_dev": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "distribution": {"kll": {"buckets": buckets, **sketch}},
        **changed,
    }
    return {"name": name, "inferred_type": "Fractional", "numerical_statistics": own}


def statistics(*features: dict[str, Any], rows: int = 1) -> Statistics:
    return Statistics.model_validate({"version": 0.0, "dataset": {"item_count": rows}, "features": features})


def test_a_file_is_read_with_its_sketch_its_buckets_and_its_unlisted_values() -> None:
    found = baseline_of(
        parse_document((FILES / "statistics.json").read_bytes(), Statistics, "statistics.json"), CREATED
    )
    age, balance, plan = found.baseline.columns
    assert (found.left_out, found.coarse) == (("note",), ("balance",))
    assert (age.rows, age.min, age.max, age.mean) == (20, 20.0, 60.0, 39.0)
    assert dict(zip(age.bins.names, age.counts, strict=True))["missing"] == 1.0
    by_value = dict(zip(age.bins.edges, np.array(age.counts)[age.bins.ordinary].tolist(), strict=True))
    assert by_value == {20: 1, 22: 2, 25: 1, 28: 2, 33: 2, 36: 2, 45: 4, 55: 4, 60: 1}
    # A bucket holds its lower bound and not its upper one.
    assert balance.counts[1:3] == (10.0, 10.0)
    assert found.baseline.binner.codes(np.array([[20.0, 1.5, 0.0]]))[0, 1] == 2
    assert 0.0 < balance.std <= 4.0
    assert dict(zip(plan.bins.names, plan.counts, strict=True)) == {"other": 20.0, "unseen": 0.0, "missing": 0.0}
    assert not plan.bins.tail_complete
    assert loads(dumps(found.baseline)) == found.baseline


def test_bins_from_a_whole_sketch_are_those_of_the_rows() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=2_000)
    found = baseline_of(statistics(numeric("x", values, [values.tolist()]), rows=2_000), CREATED).baseline
    own = build_baseline({"x": values}, created=CREATED)
    assert found.columns[0].bins == own.columns[0].bins
    assert found.columns[0].counts == own.columns[0].counts
    assert found.columns[0].quantiles == own.columns[0].quantiles


def test_the_psi_with_a_compacted_sketch_is_near_that_with_all_rows() -> None:
    random = np.random.default_rng(2)
    values = np.sort(random.normal(size=64_000))
    found = baseline_of(statistics(numeric("x", values, [[], [], [], [], values[16::32].tolist()])), CREATED).baseline
    live = random.normal(0.5, size=20_000)[:, None]
    counts = found.binner.counts(found.binner.codes(live))
    exact = found.binner.counts(found.binner.codes(values[:, None]))
    of_sketch, of_rows = found.psi(counts).psi[0], psi(counts.astype(float), exact.astype(float)).psi[0]
    assert of_rows > 0.15
    assert of_sketch == pytest.approx(of_rows, rel=0.01)


def test_buckets_alone_give_their_own_psi() -> None:
    values = np.random.default_rng(3).normal(size=5_000)
    found = baseline_of(statistics(numeric("x", values, None), rows=5_000), CREATED)
    assert found.coarse == ("x",)
    counts = found.baseline.binner.counts(found.baseline.binner.codes(values[:, None]))
    assert counts[0].tolist() == list(found.baseline.columns[0].counts)
    assert found.baseline.psi(counts).psi[0] == pytest.approx(0.0, abs=1e-12)


def test_whole_numbers_in_buckets_stay_whole() -> None:
    values = np.random.default_rng(4).integers(0, 5, size=4_000).astype(float)
    feature = {**numeric("x", values, None), "inferred_type": "Integral"}
    column = baseline_of(statistics(feature, rows=4_000), CREATED).baseline.columns[0]
    assert np.isin(column.quantiles, np.arange(5.0)).mean() > 0.99  # a few lie between two of them


def test_ends_that_the_sketch_lost_are_in_the_outer_bins() -> None:
    values = np.sort(np.random.default_rng(5).normal(size=1_024))
    column = baseline_of(statistics(numeric("x", values, [[], values[1::2].tolist()])), CREATED).baseline.columns[0]
    assert (column.min, column.max) == (values[0], values[-1])
    assert sum(column.counts) == pytest.approx(1_024)
    assert column.counts[column.bins.special["below"]] == 0.0


def test_a_constant_column_has_one_bin() -> None:
    column = baseline_of(statistics(numeric("x", np.full(10, 7.0), None)), CREATED).baseline.columns[0]
    assert (column.bins.edges, column.std) == ((7.0,), 0.0)


def test_values_of_text_are_counted_exactly() -> None:
    feature = {
        "name": "plan",
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": 199, "num_missing": 1},
            "distinct_count": 2.0,
            "distribution": {"categorical": {"buckets": [{"value": "a", "count": 120}, {"value": "b", "count": 79}]}},
        },
    }
    found = baseline_of(statistics(feature, rows=200), CREATED).baseline
    column = build_baseline({"plan": _categories(["a"] * 120 + ["b"] * 79 + [None])}, created=CREATED).columns[0]
    assert found.columns[0] == column


def _categories(cells: list[str | None]) -> Any:
    from driftgauge.drift.reference.columns import Categories

    names = ("a", "b")
    return Categories(np.array([-1 if cell is None else names.index(cell) for cell in cells]), names)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "x.json is not JSON"),
        (b'{"features": []}', "dataset is absent"),
        (b'{"dataset": {"item_count": -1}, "features": []}', "dataset.item_count is -1, expected: at least 0"),
        (b'{"dataset": {"item_count": 1}, "features": [{"name": "a"}, {"name": "a"}]}', "two features are named 'a'"),
    ],
)
def test_a_file_that_is_none_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(BaselineError, match=says):
        parse_document(content, Statistics, "x.json")


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        (numeric("x", np.arange(9.0), [[99.0]]), "x: the sketch has values outside min and max"),
        (
            numeric("x", np.arange(9.0), None, distribution={"kll": {"buckets": []}}),
            "x: the statistics have neither a sketch nor buckets",
        ),
        ({"name": "x"}, "no column with values"),
    ],
)
def test_statistics_that_cannot_be_compared_with_are_refused(feature: dict[str, Any], says: str) -> None:
    with pytest.raises(BaselineError, match=says):
        baseline_of(statistics(feature), CREATED)


def test_a_file_survives_reading_and_writing() -> None:
    first = parse_document((FILES / "statistics.json").read_bytes(), Statistics, "statistics.json")
    assert parse_document(document_bytes(first), Statistics, "again") == first
