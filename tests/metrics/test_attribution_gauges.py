"""What the metrics say of attributions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.drift.attribution.attributions import AttributionShift
from driftgauge.drift.attribution.known import KnownAttributions

from tests.drift.attribution.test_known import known
from tests.expositions import FORMATS, Exposition, facts_of
from tests.monitors import small_monitor


def shown(accept: str, found: KnownAttributions | None) -> Exposition:
    return Exposition(accept, [replace(facts_of(small_monitor()), attributions=found)])


def of_first_feature(is_stale: bool) -> KnownAttributions:
    name = small_monitor().baseline.names[0]
    found = known(is_stale=is_stale)
    assert found.last is not None
    report = replace(found.last.report, shifts=(AttributionShift(name, 0.25, 0.75, 0.03, True),))
    return replace(found, last=replace(found.last, report=report))


def values(exposition: Exposition, name: str) -> list[float]:
    return [sample.value for sample in exposition.family(name).samples] if name in exposition.families else []


@pytest.mark.parametrize("accept", FORMATS)
def test_the_ndcg_stands_beside_its_threshold_and_shares_beside_the_references(accept: str) -> None:
    exposition = shown(accept, of_first_feature(is_stale=False))
    assert values(exposition, "model_attribution_ndcg") == [0.5]
    assert values(exposition, "model_attribution_ndcg_threshold") == [0.9]
    assert [s.labels["severity"] for s in exposition.family("model_attribution_ndcg_threshold").samples] == ["warning"]
    assert values(exposition, "model_feature_attribution_ratio") == [0.25]
    assert values(exposition, "model_feature_attribution_reference_ratio") == [0.75]
    assert values(exposition, "model_attribution_rows") == [500.0]
    assert values(exposition, "model_attribution_duration_seconds") == [0.25]


@pytest.mark.parametrize("accept", FORMATS)
def test_a_stale_comparison_has_neither_ndcg_nor_shares(accept: str) -> None:
    exposition = shown(accept, of_first_feature(is_stale=True))
    assert values(exposition, "model_attribution_ndcg") == []
    assert values(exposition, "model_feature_attribution_ratio") == []
    assert values(exposition, "model_attribution_timestamp_seconds") == [1_700_000_000.0]


@pytest.mark.parametrize("accept", FORMATS)
def test_nothing_is_listed_where_attributions_are_not_compared(accept: str) -> None:
    assert not [name for name in shown(accept, None).families if "attribution" in name]
