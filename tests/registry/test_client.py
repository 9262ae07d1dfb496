"""MLflow's client where there is no server: the server itself is in tests/e2e/test_mlflow.py."""

from __future__ import annotations

import socket

import pytest
from driftgauge.errors import Reason, Refused, RegistryError
from driftgauge.registry.client import ADDRESS_VARIABLES, MlflowRegistry, require_mlflow


def test_a_server_that_does_not_run_is_unreachable_and_the_error_hides_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as taken:  # bound, and nothing listens
        taken.bind(("127.0.0.1", 0))
        registry = MlflowRegistry(f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Refused, match="MLflow does not answer as expected") as refused:
            registry.by_alias("m", "champion")
    assert refused.value.reason is Reason.REGISTRY_UNREACHABLE
    assert "secret" not in refused.value.message


def test_a_registry_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ADDRESS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RegistryError, match="set MLFLOW_TRACKING_URI, or the setting registry_uri"):
        require_mlflow("")
    require_mlflow("http://127.0.0.1:5000")
    monkeypatch.setenv(ADDRESS_VARIABLES[0], "http://127.0.0.1:5000")
    require_mlflow(None)
