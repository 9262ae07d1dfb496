"""Keys of refused records: by their id or their place, so that a delivery that comes again is known."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.decoder import ModelReading
from driftgauge.edges.formats.ingest.formats import Format, decoder_of
from driftgauge.edges.formats.ingest.keys import KEY_BYTES
from driftgauge.ingestion.records import HalfEvent

from tests.monitors import small_baseline


def event(id_: str, kind: str = "request", **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": id_, "type": f"org.kubeflow.serving.inference.{kind}", **more}


KAFKA = {"topic": "t", "partition": 0, "offset": 7, "payload": {"input_array": [1]}}
REFUSED: list[tuple[Format, Any, bool]] = [
    ("jsonl", {"features": {}, "prediction_id": "a"}, True),
    ("jsonl", {"features": {}, "prediction_id": "a\n"}, False),
    ("jsonl", 7, False),
    ("bentoml", {"input_array": [1], "request_id": "a"}, True),
    ("bentoml", {"input_array": [1]}, False),
    ("fluent_bit", KAFKA, True),
    ("fluent_bit", {"log": "no JSON"}, False),
    ("sagemaker", {"captureData": {}, "eventMetadata": {"eventId": "a"}}, True),
    ("sagemaker", {"captureData": {}}, False),
    ("kserve", event("a"), True),
    ("azureml", {}, False),
]


@pytest.mark.parametrize(("kind", "record", "has_id"), REFUSED)
def test_a_refused_record_has_a_key_by_its_id_or_its_place(kind: Format, record: Any, has_id: bool) -> None:
    decoder = decoder_of(kind, small_baseline(), UTC)

    def keys(*records: Any) -> list[bytes]:
        found = decoder.decode(orjson.dumps(records)).refused
        assert len(found) == len(records)
        return [own.key for own in found]

    (key,) = keys(record)
    assert len(key) == KEY_BYTES
    assert keys(record, 8)[0] == key
    assert (keys(8, record)[1] == key) is has_id
    if type(record) is dict:
        assert keys({**record, "more": 1}) != [key]


def test_a_refused_record_has_another_key_than_its_row() -> None:
    decoder = decoder_of("jsonl", small_baseline(), UTC)
    record = {"features": [41.5, 1, "south"], "prediction": 0.25, "prediction_id": "a"}
    taken, refused = decoder.decode(orjson.dumps(record)), decoder.decode(orjson.dumps({**record, "features": []}))
    assert taken.rows is not None
    assert list(taken.rows.keys) != [own.key for own in refused.refused]


def test_refused_events_and_pairs_have_keys_by_their_id() -> None:
    decoder = CloudEventDecoder(ModelReading(small_baseline(), UTC))
    halves = [decoder.event({"ce-id": "a", "ce-type": kind}, b"{}").refused[0].key for kind in ("x", "y", "x")]
    assert halves[0] == halves[2] != halves[1]
    pair = (HalfEvent("a", True, 0.0, {}), HalfEvent("a", False, 0.0, {}))
    other = (HalfEvent("b", True, 0.0, {}), HalfEvent("b", False, 0.0, {}))
    assert decoder.joined([pair]).refused[0].key == decoder.joined([other, pair]).refused[1].key
