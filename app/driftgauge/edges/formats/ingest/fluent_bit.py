"""Requests of Fluent Bit: log records of another format, in whatever it wraps round them."""

from __future__ import annotations

from typing import Any, Final

from driftgauge.edges.formats.ingest.bentoml import BentomlDecoder
from driftgauge.edges.formats.ingest.decoder import Decoder, ModelReading
from driftgauge.edges.formats.ingest.gather import Gathered
from driftgauge.edges.formats.ingest.keys import GivenKeys, Keys, key_of_message
from driftgauge.edges.formats.ingest.own import FEATURES, TIMESTAMP, OwnDecoder
from driftgauge.edges.formats.ingest.records import Unreadable, content_of
from driftgauge.edges.formats.ingest.uniform import Fields, UniformRows
from driftgauge.errors import Reason, Refused

LOG: Final = "log"
"""Field of a line that no parser has read."""
PAYLOAD: Final = "payload"
DATE: Final = "date"
"""When Fluent Bit read a record, or the time in it if its parser knows that."""
KAFKA_TIME: Final = "@timestamp"
_KAFKA: Final = ("topic", "partition", "offset")


class FluentBitDecoder(Decoder):
    """Decodes records of `out_http`: lines of BentoML or our own, parsed or as text, from a file or from Kafka."""

    def __init__(self, model: ModelReading) -> None:
        super().__init__(model)
        self._bentoml: Final = BentomlDecoder(model)
        self._own: Final = OwnDecoder(model)

    def add(self, content: Any, position: int, keys: Keys, batch: Gathered) -> None:
        """Add a record, unwrapped; its own time counts before that of the record around it."""
        inner = content
        if PAYLOAD in content and _KAFKA[0] in content:
            inner, keys = _object(content[PAYLOAD], PAYLOAD), _kafka_keys(content, position) or keys
        if LOG in inner and FEATURES not in inner and not self.model.order.are_in(inner):
            inner = _object(inner[LOG], LOG)
        if inner is not content and DATE not in inner and DATE in content:
            inner = {**inner, DATE: content[DATE]}
        if FEATURES not in inner or "input_array" in inner:
            self._bentoml.add(inner, position, keys, batch)
            return
        if TIMESTAMP not in inner:
            stamp = inner.get(KAFKA_TIME, inner.get(DATE))
            inner = {**inner, TIMESTAMP: stamp}
        self._own.add(inner, position, keys, batch)

    def uniform(self, fields: Fields) -> UniformRows | None:
        """Return records that a parser has read."""
        if LOG in fields or PAYLOAD in fields:
            return None
        if FEATURES not in fields or "input_array" in fields:
            return self._bentoml.uniform(fields)
        stamps = fields.get(TIMESTAMP, fields.get(KAFKA_TIME, fields.get(DATE)))
        return self._own.uniform(fields if stamps is None else {**fields, TIMESTAMP: stamps})

    def key(self, content: Any, position: int, keys: Keys) -> bytes:
        """Return the key of a record as the decoder of its content makes it, or where Kafka has it."""
        if PAYLOAD in content and _KAFKA[0] in content:
            keys = _kafka_keys(content, position) or keys
        own = self._bentoml if FEATURES not in content or "input_array" in content else self._own
        return own.key(content, position, keys)


def _object(value: Any, field: str) -> dict[str, Any]:
    """Return an object that is given as such or as text; raises Refused."""
    content = content_of(value.encode("utf-8", "surrogatepass")) if type(value) is str else value
    if type(content) is Unreadable:
        raise Refused(content.error.reason, f"{field}: {content.error.message}", {"field": field})
    if type(content) is not dict:
        message = f"{field} is no object and no JSON text of one: send the log lines as they are"
        raise Refused(Reason.UNKNOWN_SHAPE, message, {"field": field})
    return content


def _kafka_keys(content: dict[str, Any], position: int) -> Keys | None:
    """Return the keys of a record of Kafka, None if it does not say where it stood."""
    topic, partition, offset = (content.get(name) for name in _KAFKA)
    if not isinstance(topic, str) or not isinstance(partition, int) or not isinstance(offset, int):
        return None
    return GivenKeys({position: key_of_message(topic, partition, offset)})
