from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator

import httpx
import pytest
from driftgauge.library.monitor import Monitor
from driftgauge.library.wsgi import scope_of
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.library.watching import ROW, links, series_of, watching
from tests.served import total


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextlib.contextmanager
def served(app: Any) -> Iterator[httpx.Client]:
    """Serve a WSGI application while the block runs."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", timeout=30.0) as client:
                yield client
        finally:
            server.shutdown()
            thread.join(timeout=30.0)


def flask_host(monitor: Monitor) -> Any:
    app = Flask("host")
    app.add_url_rule("/own", view_func=lambda: "own", endpoint="own")
    return DispatcherMiddleware(app.wsgi_app, {"/monitoring": validator(monitor.wsgi())})


def test_a_monitor_answers_beside_a_flask_application() -> None:
    with watching() as monitor, served(flask_host(monitor)) as client:
        monitor.observe([ROW, ROW], prediction=[0.25, 0.75])
        assert client.get("/own").text == "own"
        assert client.get("/monitoring/drift/status").json()["rows_observed"] == 2
        series = series_of(client.get("/monitoring/metrics").text)
        assert total(series, "model_observations_total", source="library") == 2
        assert client.get("/monitoring/health").json()["health"] == "ok"
        page = client.get("/monitoring/", headers={"accept": "text/html"})
        assert "Not enough data for a verdict yet" in page.text


def test_a_monitor_is_a_whole_application_of_plain_wsgiref() -> None:
    with watching() as monitor, served(validator(monitor.wsgi())) as client:
        assert client.get("/health").json()["model_name"] == "churn"
        assert client.get("/").status_code == 200
        assert client.get("/nothing").status_code == 404
        assert client.get("/drift/status?feature=age&windows=all").json()["features"].keys() == {"age"}
        posted = client.post("/metrics", content=b"")
        assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/drift/status?feature=age", "/monitoring/runbooks"])
def test_every_link_of_a_page_over_wsgi_leads_somewhere(path: str) -> None:
    with watching() as monitor, served(flask_host(monitor)) as client:
        monitor.observe([ROW] * 300, prediction=[0.25] * 300)
        statuses = links(client, path)
        assert len(statuses) > 5
        assert set(statuses.values()) == {200}


def test_links_begin_with_the_path_under_which_it_is_mounted() -> None:
    with watching() as monitor, served(flask_host(monitor)) as client:
        assert (
            "there is /monitoring/, /monitoring/drift/status, "
            in client.get("/monitoring/x").json()["error"]["message"]
        )
        runbook = client.get("/monitoring/runbooks/ModelFeatureDrift").text
        assert f"http://127.0.0.1:{client.base_url.port}/monitoring/" in runbook


def test_a_head_request_over_wsgi_has_no_body() -> None:
    with watching() as monitor, served(flask_host(monitor)) as client:
        head = client.head("/monitoring/runbooks")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 0


def test_answers_over_wsgi_are_compressed_on_request() -> None:
    with watching() as monitor, served(flask_host(monitor)) as client:
        with client.stream("GET", "/monitoring/metrics", headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
        assert b"model_info" in gzip.decompress(raw)
        assert "content-encoding" not in client.get("/monitoring/metrics", headers={"accept-encoding": ""}).headers


def test_a_closed_monitor_answers_503_over_wsgi() -> None:
    with watching() as monitor, served(flask_host(monitor)) as client:
        monitor.close()
        assert client.get("/monitoring/metrics").status_code == 503
        assert client.get("/own").text == "own"


def test_a_failure_over_wsgi_answers_500(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    with watching() as monitor, served(flask_host(monitor)) as client:
        monkeypatch.setattr("driftgauge.edges.http.monitoring.Monitoring.state", broken)
        assert client.get("/monitoring/drift/status").json()["error"]["code"] == "internal_error"
        assert client.get("/own").text == "own"


def test_a_path_of_other_letters_is_read_as_utf_8() -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/größe/".encode().decode("latin-1"),
        "PATH_INFO": "/runbooks/ä".encode().decode("latin-1"),
        "SERVER_PORT": "",
    }
    scope = scope_of(environ)
    assert (scope["root_path"], scope["path"], scope["server"]) == ("/größe", "/größe/runbooks/ä", ("", 80))
