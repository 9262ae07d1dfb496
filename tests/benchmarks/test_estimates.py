from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.estimates import CHUNK, Case, nothing, ours, simulated


def test_our_estimate_follows_a_regression_whose_inputs_drift() -> None:
    case = simulated(0)
    last = case.chunks()[-1]
    realised = case.realised(last)["mae"]
    assert ours(case)(last)["mae"] == pytest.approx(realised, rel=0.1)
    assert nothing(case)(last)["mae"] < 0.9 * realised


def test_our_estimate_follows_a_classification_with_categories_beside() -> None:
    rng = np.random.default_rng(0)

    def rows(count: int, mean: float) -> pd.DataFrame:
        odds = rng.normal(mean, 2.0, count)
        truth = rng.random(count) < 1.0 / (1.0 + np.exp(-odds))
        scores = 1.0 / (1.0 + np.exp(-odds))
        return pd.DataFrame({"score": scores, "answer": (scores > 0.5).astype(int), "truth": truth.astype(int)})

    case = Case("c", rows(10_000, 0.0), rows(2 * CHUNK + 5, 2.0), [], "answer", "truth", "score")
    assert [len(part) for part in case.chunks()] == [CHUNK, CHUNK]
    found, realised = ours(case)(case.live), case.realised(case.live)
    assert found["accuracy"] == pytest.approx(realised["accuracy"], abs=0.02)
    assert found["roc_auc"] == pytest.approx(realised["roc_auc"], abs=0.02)


def test_names_of_categories_are_taken() -> None:
    rng = np.random.default_rng(1)

    def rows(kind: str | None) -> pd.DataFrame:
        kinds = rng.choice(["a", "b"], CHUNK) if kind is None else np.full(CHUNK, kind)
        answer = rng.random(CHUNK)
        noise = rng.normal(size=CHUNK) * np.where(kinds == "b", 3.0, 1.0)
        return pd.DataFrame({"kind": pd.Series(kinds, dtype=object), "answer": answer, "truth": answer + noise})

    case = Case("r", rows(None), rows("b"), ["kind"], "answer", "truth")
    assert ours(case)(case.live)["mae"] == pytest.approx(case.realised(case.live)["mae"], rel=0.1)
