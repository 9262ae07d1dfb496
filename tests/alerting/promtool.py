"""What queries find in series that promtool makes up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

SERVER: Final = {"job": "driftgauge", "instance": "app-1:8000", "model_name": "delay", "model_version": "1"}
COLUMN: Final = {"feature_name": "prediction"}
FEATURES: Final = ("model_feature_", "model_reference_feature_", "model_long_window_feature_")
"""How series of a column begin."""
"""Labels of each series, and of those of a column, unless others are given."""


Given = Mapping[str, Sequence[tuple[dict[str, str], float | str]]]
"""Series by metric: their labels and their value, or their values as promtool writes them."""


def assert_answers(given: Given, expected: Sequence[tuple[str, str, float | None]], tmp_path: Path) -> None:
    """Hold what queries find of these series against labels and a value, None for nothing found.

    What is expected of one query, in several lines, is all that it may find.
    """
    samples: dict[str, list[dict[str, str | float]]] = {expr: [] for expr, _, _ in expected}
    for expr, labels, value in expected:
        if value is not None:
            samples[expr].append({"labels": labels, "value": value})
    checks = [{"expr": expr, "eval_time": "5m", "exp_samples": found} for expr, found in samples.items()]
    series = [
        {"series": series_of(name, labels), "values": value if isinstance(value, str) else f"{value}+0x10"}
        for name, children in given.items()
        for labels, value in children
    ]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": checks}]
    path = tmp_path / "dashboards.yml"
    path.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": tests}), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def series_of(name: str, labels: dict[str, str]) -> str:
    """Return a series with the labels that it needs; an empty one is left out."""
    known = SERVER | (COLUMN if name.startswith(FEATURES) else {}) | labels
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in known.items() if value) + "}"
