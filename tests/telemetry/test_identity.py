from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from driftgauge.telemetry.identity import FILE, Instance, instance_of, resource_of

ONE = Instance("one", 5.0)


def test_workers_that_start_at_once_are_one_instance_also_after_a_restart(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda at: instance_of(tmp_path, float(at)), range(8)))
    assert len(found) == 1
    assert {instance_of(tmp_path, 100.0)} == found
    assert [own.name for own in tmp_path.iterdir()] == [FILE]


def test_without_a_folder_each_start_is_another_instance() -> None:
    assert instance_of(None, 1.0).id != instance_of(None, 1.0).id


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]"])
def test_a_damaged_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert instance_of(tmp_path, 3.0).since == 3.0
    assert instance_of(tmp_path, 4.0) == instance_of(tmp_path, 5.0)


def test_settings_come_before_the_environment_and_that_before_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = resource_of(ONE, "1.0", {}).attributes
    assert own["service.name"] == "driftgauge"
    assert (own["service.version"], own["service.instance.id"]) == ("1.0", "one")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "scorer")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a,zone=b")
    given = resource_of(ONE, "1.0", {"team": "c"}).attributes
    assert (given["service.name"], given["team"], given["zone"]) == ("scorer", "c", "b")
    assert given["service.instance.id"] == "one"


def test_a_disk_without_hard_links_keeps_the_identity_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    first = instance_of(tmp_path, 1.0)
    assert instance_of(tmp_path, 2.0) == first


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"id": "a", "since": "soon"}', b'{"id": "a", "since": 1e999}'])
def test_an_identity_without_a_time_is_made_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert instance_of(tmp_path, 3.0).since == 3.0
