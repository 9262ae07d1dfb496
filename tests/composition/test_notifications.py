"""Notifications of a server whose database or receivers cannot be used."""

from __future__ import annotations

from pathlib import Path

from tests.examples import Example
from tests.served import served


def test_a_damaged_database_costs_no_prediction(binary: Example, tmp_path: Path) -> None:
    (tmp_path / "@notifications").mkdir(mode=0o700)
    (tmp_path / "@notifications" / "notifications.sqlite").write_bytes(b"no database" * 1_000)
    receiver = {"name": "log", "kind": "file", "path": str(tmp_path / "sent")}
    with served(binary, state_dir=tmp_path, notify=[receiver]) as own:
        assert own.predict({"features": binary.rows(1)[0]}).status_code == 200
        assert 'server_notifications_total{name="log",result="sent"} 0' in own.client.get("/metrics").text
        assert any("a restart sends alerts again" in problem for problem in own.problems(1))
