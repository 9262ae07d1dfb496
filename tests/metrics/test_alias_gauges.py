from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.metrics.alias_gauges import ALIAS_GAUGES
from driftgauge.metrics.facts import AliasFacts, ReleaseFacts

from tests.expositions import FORMATS, Exposition, drifted, facts_of

ALIAS = AliasFacts("champion", "2", None, 7.0, (3.0, 0.0, 0.0, 1.0, 0.0), 1_000.0, 600.0)


def shown(alias: AliasFacts | None, version: str = "2") -> Exposition:
    facts = replace(facts_of(drifted()), model_version=version, release=ReleaseFacts(alias=alias))
    return Exposition(FORMATS[0], [facts])


def _followed(found: Exposition) -> list[float]:
    return [sample.value for sample in found.family("model_alias_followed").samples]


def test_an_alias_is_shown_with_its_version_polls_and_failures_by_reason() -> None:
    found = shown(ALIAS)
    (info,) = found.family("model_alias_info").samples
    assert (info.labels["alias"], info.labels["alias_version"], info.value) == ("champion", "2", 1.0)
    assert [own.value for own in found.family("model_alias_polls_total").samples] == [7.0]
    failures = {own.labels["reason"]: own.value for own in found.family("model_alias_failures_total").samples}
    assert failures["registry_unreachable"] == 3.0
    assert failures["version_not_loaded"] == 1.0
    assert [own.value for own in found.family("model_alias_answer_timestamp_seconds").samples] == [1_000.0]
    assert [own.value for own in found.family("model_alias_answer_age_threshold_seconds").samples] == [600.0]


@pytest.mark.parametrize(
    ("live", "alias", "followed"),
    [
        ("2", ALIAS, [1.0]),
        ("1", ALIAS, [0.0]),
        ("2", replace(ALIAS, refused="2"), [0.0]),
        ("2", replace(ALIAS, refused="1"), [1.0]),
    ],
)
def test_an_alias_is_followed_where_its_version_is_live(live: str, alias: AliasFacts, followed: list[float]) -> None:
    assert _followed(shown(alias, live)) == followed


def test_nothing_is_said_of_a_version_before_the_registry_has_answered() -> None:
    found = shown(replace(ALIAS, version=None, answered_at=None))
    assert _followed(found) == []
    assert found.family("model_alias_answer_timestamp_seconds").samples == []


def test_a_model_that_follows_none_has_no_such_series() -> None:
    assert {own.name for own in ALIAS_GAUGES}.isdisjoint(family.name for family in shown(None).list)
