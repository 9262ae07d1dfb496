"""The numbers of a consumer of messages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.metrics.facts import StreamFacts
from driftgauge.metrics.stream_gauges import STREAM_GAUGES

from tests.expositions import FORMATS, Exposition, facts_of, idle


@pytest.mark.parametrize("accept", FORMATS)
def test_a_consumer_has_a_sample_of_each(accept: str) -> None:
    counted = StreamFacts(messages=7, rebalances=2, errors=3, pauses=4, recovered=6, lost=8, lost_at=9.0)
    stream = replace(counted, partitions=5, lag=1_234.0, limits=(1_000.0, 1e6))
    shown = Exposition(accept, [replace(facts_of(idle()), stream=stream)])
    values = {own.name: [s.value for s in shown.family(own.name).samples] for own in STREAM_GAUGES}
    assert values == {
        "model_ingest_messages_total": [7.0],
        "model_ingest_rebalances_total": [2.0],
        "model_ingest_errors_total": [3.0],
        "model_ingest_pauses_total": [4.0],
        "model_ingest_recovered_rows_total": [6.0],
        "model_ingest_lost_messages_total": [8.0],
        "model_ingest_lost_timestamp_seconds": [9.0],
        "model_ingest_partitions": [5.0],
        "model_ingest_lag_messages": [1_234.0],
        "model_ingest_lag_threshold_messages": [1_000.0, 1e6],
    }


def test_a_consumer_that_lost_nothing_has_no_time_of_a_loss() -> None:
    shown = Exposition(FORMATS[0], [replace(facts_of(idle()), stream=StreamFacts())])
    assert "model_ingest_lost_timestamp_seconds{" not in shown.text


@pytest.mark.parametrize(("over_http", "newest"), [(None, 7.0), (5.0, 7.0), (9.0, 9.0)])
def test_rows_of_a_consumer_are_records_that_arrived_too(over_http: float | None, newest: float) -> None:
    facts = facts_of(idle())
    assert facts.ingest is not None
    found = replace(facts, ingest=replace(facts.ingest, last_received=over_http))
    shown = Exposition(FORMATS[0], [found.with_stream(StreamFacts(last_received=7.0))])
    assert [own.value for own in shown.family("model_ingest_timestamp_seconds").samples] == [newest]


def test_without_a_consumer_there_are_none() -> None:
    shown = Exposition(FORMATS[0], [facts_of(idle())])
    assert {own.name for own in STREAM_GAUGES}.isdisjoint(family.name for family in shown.list)
    assert "model_ingest_messages" not in shown.text
