from __future__ import annotations

import pytest
from driftgauge.settings.options import Settings
from pydantic import ValidationError

COLLECTOR = "http://localhost:4318"


def test_nothing_is_sent_by_default() -> None:
    assert Settings().otlp_endpoint is None


def test_grpc_has_an_address_without_a_path() -> None:
    assert Settings(otlp_endpoint="http://localhost:4317", otlp_protocol="grpc").otlp_protocol == "grpc"
    with pytest.raises(ValidationError, match=r"give e.g. http://localhost:4317"):
        Settings(otlp_endpoint="http://localhost:4317/otlp", otlp_protocol="grpc")


def test_several_workers_need_a_folder_or_each_would_send_metrics() -> None:
    with pytest.raises(ValidationError, match="otlp_endpoint needs state_dir"):
        Settings(otlp_endpoint=COLLECTOR, workers=2, state_dir="memory")
    assert Settings(otlp_endpoint=COLLECTOR, workers=2, state_dir="memory", otlp_signals=("traces",)).workers == 2


def test_a_wrong_address_is_named_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="otlp_endpoint") as raised:
        Settings(otlp_endpoint="https://me:secret@collector.example.org")
    assert "put" not in str(raised.value.errors(include_input=False))
    assert "a user or a password" in str(raised.value)
