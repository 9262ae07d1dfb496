"""What a consumer of Kafka is told, and how the client library is told it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from driftgauge.errors import SettingsError

OWN: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,  # committed are the offsets of rows that are in the state
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a position that Kafka has deleted: reading begins again, and says what is lost
    "enable.partition.eof": False,
}
"""Properties that decide what is counted, which cannot be set."""
DEFAULTS: Final[Mapping[str, Any]] = {
    "client.id": "driftgauge",
    "queued.max.messages.kbytes": 65_536,  # in memory; the library's own default is 64 MiB per partition
    "socket.keepalive.enable": True,
    "session.timeout.ms": 45_000,
    "log_level": 2,  # its errors come to us too: it would write them a second time, in a format of its own
}
"""Properties that can be set."""


@dataclass(frozen=True)
class KafkaOptions:
    """Which messages are read; see the settings `kafka_…` of these names."""

    brokers: str
    topics: Sequence[str]
    group: str
    from_beginning: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    """Name of the model whose rows the messages are; commits say it."""

    def config(self) -> dict[str, Any]:
        """Return the properties of the client; SettingsError for one that cannot be set."""
        if fixed := [name for name in self.properties if name in OWN or name in {"bootstrap.servers", "group.id"}]:
            raise SettingsError(f"kafka_properties: {fixed[0]} cannot be set: it decides what is counted")
        if "cooperative" in self.properties.get("partition.assignment.strategy", ""):
            raise SettingsError(
                "kafka_properties: partition.assignment.strategy cannot be cooperative, because a process takes over "
                "all of its partitions at each rebalance: use range or roundrobin"
            )
        if self.properties.get("group.protocol", "classic").lower() != "classic":
            raise SettingsError("kafka_properties: group.protocol cannot be set: only classic is supported")
        own = {"bootstrap.servers": self.brokers, "group.id": self.group}
        return {**DEFAULTS, **self.properties, **own, **OWN}


def client_library() -> Any:
    """Return the module `confluent_kafka`; SettingsError if it is not installed."""
    try:
        return importlib.import_module("confluent_kafka")
    except ImportError as error:
        raise SettingsError(
            f"reading Kafka needs the extra kafka: pip install 'driftgauge[kafka]' ({error})"
        ) from error
