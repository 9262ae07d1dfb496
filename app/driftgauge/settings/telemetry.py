"""Options of OpenTelemetry: where metrics and traces are sent, how often, and how many requests are traced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from driftgauge.common.comma_lists import comma_list
from driftgauge.common.webhook import check_url
from driftgauge.settings.values import LOWER_CASE

Signal = Literal["metrics", "traces"]
_ATTRIBUTE: Final = re.compile(r"[\w.\-/]{1,255}")
_EXAMPLE: Final = "deployment.environment.name=production,team=fraud"


def _split(value: object) -> object:
    return comma_list(value) if isinstance(value, str) else value


def _attributes(value: object) -> object:
    """Return attributes that were given as `name=value,name=value`."""
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in comma_list(value)]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError(f"give name=value, several with commas: {_EXAMPLE}")
    return {name.strip(): text.strip() for name, _, text in pairs}


class TelemetrySettings(BaseModel):
    """Metrics and traces for a collector of OpenTelemetry, sent by OTLP."""

    otlp_endpoint: str | None = Field(
        None,
        description="Address of a collector that takes OTLP, e.g. `http://localhost:4318`: metrics are sent to its "
        "`/v1/metrics` and traces to its `/v1/traces`. Needs `driftgauge[otlp]`. Default: nothing is sent.",
    )
    otlp_protocol: Annotated[Literal["http", "grpc"], LOWER_CASE] = Field(
        "http",
        description="How it is sent: `http` is protobuf over HTTP; `grpc` needs `driftgauge[otlp-grpc]`, and usually "
        "port 4317.",
    )
    otlp_headers_file: Path | None = Field(
        None,
        description="File with headers of each request, such as a token of the collector: a line `name: value` for "
        "each. Default: the headers in OTEL_EXPORTER_OTLP_HEADERS.",
    )
    otlp_signals: Annotated[tuple[Signal, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("metrics", "traces"), min_length=1, description="What is sent: `metrics`, `traces`, or both."
    )
    otlp_resource_attributes: Annotated[dict[str, str], NoDecode, BeforeValidator(_attributes)] = Field(
        {},
        description=f"Attributes of the server in all that is sent, e.g. `{_EXAMPLE}`. They take precedence over "
        "OTEL_RESOURCE_ATTRIBUTES.",
    )
    otlp_interval_seconds: float = Field(60.0, ge=1, le=3_600, description="Time between two transmissions of metrics.")
    otlp_timeout_seconds: float = Field(
        10.0, gt=0, le=60, description="Time for one transmission with its attempts; then its items have failed."
    )
    otlp_trace_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the requests without a `traceparent` header that are traced. With this header the "
        "caller decides: a request that it traces is traced here too.",
    )
    otlp_max_queued_spans: int = Field(
        2_048, ge=512, le=1_000_000, description="Spans of a worker that may wait to be sent; more are dropped."
    )
    otlp_lost_threshold_ratio: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of data points or spans that may be lost before `DriftgaugeTelemetryFailing` is raised.",
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
            if urlsplit(value).query:
                raise ValueError("the URL has a part after ?: give the address of the collector alone")
        return value

    @field_validator("otlp_resource_attributes")
    @classmethod
    def _have_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not _ATTRIBUTE.fullmatch(name):
                raise ValueError(f"{name!r} is no name of an attribute: give letters, digits, dots, dashes and _")
        return value

    @model_validator(mode="after")
    def _grpc_has_no_path(self) -> Self:
        if self.otlp_protocol == "grpc" and urlsplit(self.otlp_endpoint or "").path.strip("/"):
            raise ValueError("otlp_endpoint must have no path with otlp_protocol=grpc: give e.g. http://localhost:4317")
        return self
