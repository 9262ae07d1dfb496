"""Constraints from their file to the status of a server."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.errors import BundleError
from driftgauge.models.bundle import BASELINE_FILE, load_bundle
from driftgauge.models.constraints_file import CONSTRAINTS_FILE, dumps

from tests.examples import Example
from tests.served import served

VALUE = 99_999.0
"""A value that the constraints of the first feature forbid."""


def _strict(binary: Example) -> Constraints:
    """Return a constraint that the reference satisfies and broken rows violate, on the first feature."""
    return Constraints((ColumnConstraints(binary.names[0], "fractional", maximum=VALUE - 1.0),))


class _Own:
    """An example's bundle with other constraints."""

    def __init__(self, folder: Path, binary: Example, constraints: str | None) -> None:
        self.folder = folder / "bundle"
        shutil.copytree(binary.folder, self.folder)
        if constraints is not None:
            (self.folder / CONSTRAINTS_FILE).write_text(constraints, encoding="utf-8")
        self.bundle = load_bundle(self.folder)


def _broken(binary: Example) -> list[dict[str, Any]]:
    return [{**row, binary.names[0]: VALUE} for row in binary.rows(100)]


def _quality(own: _Own, binary: Example, *, broken: bool = True, **settings: Any) -> Any:
    with served(own, **settings) as server:
        for _ in range(3):
            server.predict({"instances": _broken(binary) if broken else binary.rows(100)})
        return server.status()["quality"]


def test_a_bundle_has_constraints_that_its_own_rows_satisfy(binary: Example, tmp_path: Path) -> None:
    own = _Own(tmp_path, binary, None)
    assert own.bundle.constraints is not None
    assert own.bundle.constraints.names == tuple(binary.names)
    found = _quality(own, binary, broken=False)
    assert found["constraints"] > len(binary.names)
    assert {one["severity"] for one in found["violations"] if one["feature"]} <= {None}


def test_rows_that_violate_constraints_are_shown_with_examples(binary: Example, tmp_path: Path) -> None:
    found = _quality(_Own(tmp_path, binary, dumps(_strict(binary))), binary)
    [violation] = found["violations"]
    assert (violation["feature"], violation["constraint"]) == (binary.names[0], "range")
    assert (violation["ratio"], violation["severity"], found["severity"]) == (1.0, "critical", "critical")
    assert [one["value"] for one in violation["examples"]] == [VALUE]
    assert found["reason"] == f"{binary.names[0]}: 300 of the last 300 rows are above 99998. Examples: 99999."


def test_values_are_not_shown_of_columns_that_are_not_logged(binary: Example, tmp_path: Path) -> None:
    own = _Own(tmp_path, binary, dumps(_strict(binary)))
    for settings in ({"quality_examples": False}, {"prediction_log_drop": [binary.names[0]]}):
        found = _quality(own, binary, **settings)
        assert [one["examples"] for one in found["violations"]] == [[]]
        assert "99999" not in found["reason"]


def test_without_the_file_and_with_the_setting_off_nothing_is_checked(binary: Example, tmp_path: Path) -> None:
    own = _Own(tmp_path, binary, None)
    assert _quality(own, binary, quality_enabled=False) is None
    (own.folder / CONSTRAINTS_FILE).unlink()
    own.bundle = load_bundle(own.folder)
    assert own.bundle.constraints is None
    assert _quality(own, binary) is None


def test_violations_are_metrics(binary: Example, tmp_path: Path) -> None:
    with served(_Own(tmp_path, binary, dumps(_strict(binary)))) as server:
        server.predict({"instances": _broken(binary)})
        labels = {"feature_name": binary.names[0], "constraint": "range"}
        assert server.metric("model_feature_constraint_violation_ratio", window="1000", **labels) == 1.0
        assert server.metric("model_feature_constraint_violation_threshold_ratio", severity="warning", **labels) == 0.01


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns:\n  nobody: {type: string}", "there is no column nobody"),
        ("columns: 3", "line 1, column 10: columns: keys with values are needed"),
    ],
)
def test_a_bundle_with_a_wrong_file_is_refused(text: str, message: str, binary: Example, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=message):
        _Own(tmp_path, binary, text)


def test_constraints_are_no_part_of_the_baselines_hash(binary: Example, tmp_path: Path) -> None:
    own = _Own(tmp_path, binary, dumps(_strict(binary)))
    assert own.bundle.baseline.hash == binary.bundle.baseline.hash
    assert (own.folder / BASELINE_FILE).read_bytes() == (binary.folder / BASELINE_FILE).read_bytes()
