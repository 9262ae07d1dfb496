"""The baseline of the target."""

from __future__ import annotations

import pyarrow as pa
from driftgauge.models.bundle import BundleInfo, Label, Task
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.label_baseline import label_baseline


def info_of(task: Task, classes: tuple[Label, ...] = (), target: str | None = "y") -> BundleInfo:
    return BundleInfo(
        name="m",
        version="1",
        task=task,
        features=(),
        classes=classes,
        input="matrix",
        created="2026-01-01T00:00:00Z",
        libraries={},
        target=target,
    )


def test_classes_are_counted_by_their_names() -> None:
    table = pa.table({"y": [0.0, 1.0, None, 1.0] * 50})
    found = label_baseline(info_of("binary", (0, 1)), table, BaselineOptions())
    assert found is not None
    assert (found.names, found.rows) == (("label",), 150)
    assert dict(zip(found.bins[0].names, found.counts[0], strict=False))["1"] == 100


def test_a_number_has_bins_and_its_autocorrelation() -> None:
    table = pa.table({"at": list(range(1_000)), "y": [float(i % 97) for i in range(1_000)]})
    found = label_baseline(info_of("regression"), table, BaselineOptions(time="at"))
    assert found is not None
    assert found.columns[0].kind == "numeric"
    assert found.columns[0].tau is not None


def test_without_known_labels_there_is_none() -> None:
    table = pa.table({"y": pa.array([None, None], pa.float64())})
    assert label_baseline(info_of("regression"), table, BaselineOptions()) is None
    assert label_baseline(info_of("regression", target=None), table, BaselineOptions()) is None
