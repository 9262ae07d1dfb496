"""What the page says about rows from the logs of other servers."""

from __future__ import annotations

from dataclasses import replace

from driftgauge.edges.web.facts import Ingestion, Reading
from driftgauge.edges.web.ingestion import ingestion_list

from tests.html_pages import empty_report, page_of

AT = 1_700_000_000.0
NONE = Ingestion({"taken": 0, "duplicate": 0}, {}, {"joined": 0, "expired": 0, "waiting": 0}, 0, None, 3_600.0)
INGESTION = Ingestion(
    rows={"taken": 12_345, "duplicate": 67},
    refused={"not_json": 1, "unknown_shape": 1_200},
    events={"joined": 400, "expired": 2, "dropped": 0, "waiting": 5},
    deferred=1,
    last_received=AT,
    stale_seconds=3_600.0,
    reading=Reading(partitions=3, messages=12_400, lag=250, pauses=1, errors=0),
)


def test_all_that_came_in_is_listed() -> None:
    assert ingestion_list(INGESTION, AT + 90.0) == {
        "Rows": "12,345 taken, 67 duplicates left out",
        "Refused records": "1,201 (1,200 unknown_shape, 1 not_json)",
        "Newest record": "2023-11-14 22:13:20 UTC, 90 s ago",
        "Requests and responses": "400 joined, 2 expired, 0 dropped, 5 waiting",
        "Back-pressure": "1 request asked to come again",
        "Kafka": "3 partitions, 12,400 messages read, 250 behind, paused 1 time, 0 errors (this process)",
    }


def test_a_source_that_has_stopped_is_said_to_have() -> None:
    assert ingestion_list(INGESTION, AT + 7_200.0)["Newest record"].endswith("UTC, 2 h ago; stopped from 60 min")


def test_before_the_first_record_there_is_little_to_say() -> None:
    assert ingestion_list(None, AT) == {}
    assert ingestion_list(NONE, AT) == {
        "Rows": "0 taken, 0 duplicates left out",
        "Refused records": "none",
        "Newest record": "none yet",
        "Back-pressure": "0 requests asked to come again",
    }


def test_events_that_cannot_be_counted_now_are_left_out() -> None:
    unknown = replace(INGESTION, events={**INGESTION.events, "waiting": None})
    assert ingestion_list(unknown, AT)["Requests and responses"] == "400 joined, 2 expired, 0 dropped"


def test_the_page_has_the_section_of_a_model_that_is_served_elsewhere_alone() -> None:
    assert 'id="ingestion"' in page_of(empty_report("x"), ingestion=INGESTION)
    assert 'id="ingestion"' not in page_of(empty_report("x"))
