"""What Alertmanager tells: a receiver of its webhooks."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Labels = dict[str, str]


@dataclass
class Inbox:
    """The bodies that came in, in their order."""

    address: str
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def alerts(self, name: str, status: str, first: int = 0) -> list[dict[str, Any]]:
        """Alerts of this name and status in the bodies from `first` on."""
        told = [alert for body in self.bodies[first:] for alert in body["alerts"]]
        return [alert for alert in told if alert["labels"]["alertname"] == name and alert["status"] == status]

    def __str__(self) -> str:
        return "\n".join(
            f"{body['status']} {body['groupLabels']}: "
            + ", ".join(
                f"{alert['labels']['alertname']}[{alert['labels'].get('feature_name', '')}"
                f" {alert['labels']['severity']}] {alert['status']}"
                for alert in body["alerts"]
            )
            for body in self.bodies
        )


@contextlib.contextmanager
def webhook() -> Iterator[Inbox]:
    """Receive webhooks on a free port while the block runs."""
    inbox = Inbox("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            inbox.bodies.append(json.loads(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        inbox.address = f"http://127.0.0.1:{server.server_port}/alerts"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield inbox
        finally:
            server.shutdown()
            thread.join()
