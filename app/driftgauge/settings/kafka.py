"""Options of `driftgauge consume`: which messages of Kafka are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from driftgauge.common.quoting import shortened
from driftgauge.settings.features import LONGEST_VALUE
from driftgauge.settings.values import LOWER_CASE, Names

Properties = Annotated[dict[str, str], NoDecode]


class KafkaSettings(BaseModel):
    """Messages of Kafka, which `driftgauge consume` reads."""

    kafka_brokers: str | None = Field(
        None, min_length=1, description="Addresses of brokers to begin with, e.g. `kafka-1:9092,kafka-2:9092`."
    )
    kafka_topics: Names = Field((), description="Topics to read, separated by commas.")
    kafka_group: str = Field(
        "driftgauge",
        min_length=1,
        max_length=249,
        description="Consumer group. Processes of one group share the partitions.",
    )
    kafka_format: Annotated[Literal["jsonl", "bentoml", "fluent_bit", "sagemaker", "kserve", "azureml"], LOWER_CASE] = (
        Field("jsonl", description="Format of the messages; see docs/kafka.md.")
    )
    kafka_from_beginning: bool = Field(
        False,
        description="Read partitions that no state of the group has read yet from their first message, whatever other "
        "programs have committed. Otherwise a new group begins with the messages that come after its start.",
    )
    kafka_properties: Properties = Field(
        default_factory=dict,
        description="Further properties of librdkafka, such as `security.protocol`, as a table of the file; in the "
        "environment as JSON.",
    )
    kafka_profile_out: Path | None = Field(
        None,
        description="Folder for the profile of all rows that this process has counted, written when it stops.",
    )
    kafka_lag_threshold_warning_messages: float = Field(
        100_000,
        gt=0,
        description="Messages not yet counted, by all processes of the model together, above which `ModelIngestLag` is "
        "a warning.",
    )
    kafka_lag_threshold_critical_messages: float = Field(1_000_000, gt=0, description="The same as a critical alert.")

    @field_validator("kafka_properties", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        """Return the properties as librdkafka takes them: texts."""
        if isinstance(value, str):
            try:
                value = json.loads(value) if value.strip() else {}
            except (ValueError, RecursionError) as error:
                example = '{"security.protocol": "SSL"}'
                raise ValueError(f"{shortened(repr(value), LONGEST_VALUE)} is not JSON: give e.g. {example}") from error
        if not isinstance(value, dict):
            return value
        return {name: str(own).lower() if isinstance(own, bool) else str(own) for name, own in _flat(value)}


def _flat(table: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Return the properties of a table, in which TOML takes the points of a name for tables."""
    found: list[tuple[str, Any]] = []
    for name, own in table.items():
        path = f"{before}{name}"
        found += _flat(own, f"{path}.") if isinstance(own, dict) else [(path, own)]
    return found
