from __future__ import annotations

import pytest
from driftgauge.monitor.registry import Registry

from tests.monitors import small_monitor


def test_monitors_are_found_by_name_or_any() -> None:
    registry = Registry()
    assert registry.find() is None
    assert registry.find("churn") is None
    churn, fraud = small_monitor("churn"), small_monitor("fraud")
    registry.add(churn)
    registry.add(fraud)
    assert registry.find("churn") is churn
    assert registry.find("fraud") is fraud
    assert registry.find() is fraud
    assert registry.find("other") is None
    assert registry.find("") is None
    assert (len(registry), list(registry)) == (2, [churn, fraud])


def test_the_newest_version_of_a_model_is_found() -> None:
    registry = Registry()
    versions = [small_monitor("churn", version) for version in ("2", "10", "1")]
    for monitor in versions:
        registry.add(monitor)
    assert registry.find("churn") is versions[-1]


def test_a_model_and_version_is_monitored_once() -> None:
    registry = Registry()
    first = small_monitor("churn", "1")
    registry.add(first)
    with pytest.raises(ValueError, match="churn 1 is already monitored"):
        registry.add(small_monitor("churn", "1"))
    registry.add(small_monitor("churn", "2"))
    assert len(registry) == 2
    assert next(iter(registry)) is first
