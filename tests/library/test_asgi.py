from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from html import unescape
from typing import Any

import httpx
import pytest
from driftgauge.about import About
from driftgauge.library.monitor import Monitor
from driftgauge.metrics.series import ABOUT_LABELS
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message

from tests.abouts import HOSTILE, USUAL
from tests.html_pages import BROWSER, Tree
from tests.library.watching import ROW, links, series_of, watching
from tests.monitors import small_baseline
from tests.served import total
from tests.servers import serving


def host(monitor: Monitor) -> FastAPI:
    app = FastAPI()

    @app.get("/own")
    async def own() -> str:
        return "own"

    app.mount("/monitoring", monitor.asgi())
    return app


def test_a_mounted_monitor_answers_beside_the_applications_own_routes() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        for _ in range(3):
            monitor.observe(ROW, prediction=0.25)
        assert client.get("/own").json() == "own"
        assert client.get("/monitoring/drift/status").json()["rows_observed"] == 3
        series = series_of(client.get("/monitoring/metrics").text)
        assert total(series, "model_observations_total", source="library", model_name="churn") == 3
        assert client.get("/monitoring/health").json()["monitoring"] == {"healthy": True, "problems": []}
        assert "ModelFeatureDrift" in client.get("/monitoring/runbooks").text


def test_a_runbook_names_the_address_under_which_the_monitor_is_mounted() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        text = client.get("/monitoring/runbooks/ModelFeatureDrift?feature=age").text
        assert f"{client.base_url}/monitoring/drift/status" in text


@pytest.mark.parametrize("about", [USUAL, HOSTILE], ids=["usual", "hostile"])
def test_the_monitor_says_whose_the_model_is(about: About) -> None:
    baseline = replace(small_baseline(), about=about)
    with Monitor.open(baseline, name="churn", state_dir="memory") as monitor, serving(host(monitor)) as client:
        status = client.get("/monitoring/drift/status").json()
        series = series_of(client.get("/monitoring/metrics").text)
        page = unescape(client.get("/monitoring/").text)
    assert status["about"] == about.stated
    assert total(series, "model_info", **{label: getattr(about, label) for label in ABOUT_LABELS}) == 1
    assert all(text in page for text in about.stated.values())


def test_the_page_works_under_the_path_where_it_is_mounted() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        monitor.observe(ROW, prediction=0.25)
        sent = client.get("/monitoring/drift/status?feature=age", headers=BROWSER)
        assert (
            str(sent.url.join(sent.headers["location"])).removeprefix(str(client.base_url))
            == "/monitoring/?feature=age"
        )
        for path in ("/monitoring/", "/monitoring/?feature=age"):
            page = client.get(path, headers=BROWSER)
            tree = Tree(page.text)
            targets = {target for target in tree.targets() if not target.startswith("#")}
            loaded = {str(a.get("src") or a["href"]) for tag, a in tree.elements if tag in ("script", "link")}
            for target in targets | {address for address in loaded if not address.startswith("data:")}:
                assert client.get(str(page.url.join(target)), headers=BROWSER).status_code == 200, target
            assert "docs" not in targets


def test_a_monitor_may_be_mounted_inside_a_mount() -> None:
    with watching() as monitor:
        app = Starlette(routes=[Mount("/a", routes=[Mount("/b", app=monitor.asgi())])])
        transport = httpx.ASGITransport(app=app)

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
                return await client.get("/a/b/nothing")

        answer = asyncio.run(ask())
        assert answer.status_code == 404
        assert "there is no /nothing; there is /a/b/, /a/b/drift/status, " in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/drift/status?feature=age", "/monitoring/runbooks"])
def test_every_link_of_a_page_leads_somewhere(path: str) -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        monitor.observe([ROW] * 300, prediction=[0.25] * 300)
        statuses = links(client, path)
        assert len(statuses) > 5
        assert set(statuses.values()) == {200}


def test_an_unknown_path_and_another_method_get_errors_of_the_servers_shape() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        missing, posted = client.get("/monitoring/predict"), client.post("/monitoring/metrics", json={})
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        assert (posted.status_code, posted.json()["error"]["code"]) == (405, "method_not_allowed")
        refused = client.get("/monitoring/drift/status", params={"windows": "year"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_window")


def test_a_head_request_has_the_headers_of_get_and_no_body() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        head = client.head("/monitoring/runbooks")
        assert head.status_code == 200
        assert head.content == b""
        assert int(head.headers["content-length"]) == len(client.get("/monitoring/runbooks").content)


def test_answers_are_compressed_on_request() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        with client.stream("GET", "/monitoring/metrics", headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
        assert b"model_info" in gzip.decompress(raw)
        assert "content-encoding" not in client.get("/monitoring/metrics", headers={"accept-encoding": ""}).headers


def test_a_monitor_serves_by_itself_with_the_life_of_its_server() -> None:
    with watching() as monitor:
        sent: list[Message] = []
        events = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            return {"type": next(events)}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(monitor.asgi()({"type": "lifespan"}, receive, send))
        assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        monitor.observe(ROW, prediction=0.5)
        assert monitor.report().rows_observed == 1


def test_a_websocket_is_closed() -> None:
    with watching() as monitor:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(monitor.asgi()({"type": "websocket"}, receive, send))
        assert [message["type"] for message in sent] == ["websocket.close"]


def test_what_the_application_keeps_in_its_scope_stays_outside() -> None:
    app: Any = FastAPI()

    with watching() as monitor:
        app.state.monitoring = "the application's own"
        app.mount("/monitoring", monitor.asgi())
        with serving(app) as client:
            assert client.get("/monitoring/health").status_code == 200


def test_a_closed_monitor_answers_503_and_leaves_the_application_alone() -> None:
    with watching() as monitor, serving(host(monitor)) as client:
        monitor.close()
        answer = client.get("/monitoring/metrics")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
        assert client.get("/own").json() == "own"


def test_a_failure_of_an_endpoint_answers_500_and_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise OSError("the disk is gone")

    with watching() as monitor, serving(host(monitor)) as client:
        with monkeypatch.context() as patch:
            patch.setattr("driftgauge.edges.http.monitoring.Monitoring.facts", broken)
            answer = client.get("/monitoring/metrics")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        assert "disk" not in answer.text
        assert client.get("/monitoring/health").json()["monitoring"]["problems"] == [
            "request_failed: OSError: the disk is gone"
        ]
        assert client.get("/own").json() == "own"
