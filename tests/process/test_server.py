"""The server with its options, on a real socket: who its client is, and what it tells browsers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from driftgauge.main import create_app
from driftgauge.process.server import Server
from fastapi import Request
from starlette.responses import JSONResponse, Response

from tests.examples import Example, quiet

FORWARDED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "models.example.com"}


async def seen(request: Request) -> Response:
    client = request.client.host if request.client else None
    return JSONResponse({"client": client, "url": str(request.url), "root": request.scope["root_path"]})


@contextlib.contextmanager
def running(example: Example, **settings: Any) -> Iterator[httpx.Client]:
    own = quiet(port=0, **settings)
    app = create_app(own, bundle=example.bundle)
    app.add_route("/seen", seen)
    ports: list[int] = []
    server = Server(app, own, ports.append)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60.0
    while not ports:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=30.0) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=30.0)


@pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.0/8", "10.0.0.1,127.0.0.1"])
def test_a_named_proxy_says_who_the_client_is(binary: Example, trusted: str) -> None:
    with running(binary, trusted_proxies=trusted.split(",")) as client:
        found = client.get("/seen", headers=FORWARDED).json()
        assert found["client"] == "203.0.113.9"
        assert found["url"].startswith("https://127.0.0.1:")
        chain = client.get("/seen", headers={"x-forwarded-for": "198.51.100.7, 203.0.113.9, 127.0.0.1"}).json()
        assert chain["client"] == "203.0.113.9"  # what the trusted proxy saw, not what its client claimed


@pytest.mark.parametrize("trusted", [[], ["10.0.0.1"]])
def test_nobody_else_does(binary: Example, trusted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # which uvicorn would read
    with running(binary, trusted_proxies=trusted) as client:
        found = client.get("/seen", headers={**FORWARDED, "x-forwarded-prefix": "/evil"}).json()
        assert found["client"] == "127.0.0.1"
        assert found["url"].startswith("http://127.0.0.1:")
        assert found["root"] == ""


PAGES = ("/", "/docs", "/drift/report", "/runbooks", "/runbooks/ModelFeatureDrift")


def test_pages_are_safe_in_browsers_and_no_answer_is_shared_with_other_sites(binary: Example) -> None:
    with running(binary) as client:
        for path in PAGES:
            answer = client.get(path, headers={"accept": "text/html", "origin": "https://evil.example"})
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors '" in policy
        for method, path in [("GET", "/"), ("GET", "/metrics"), ("POST", "/predict"), ("OPTIONS", "/predict")]:
            answer = client.request(
                method,
                path,
                headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
                json={"features": binary.rows(1)[0]},
            )
            assert not [name for name in answer.headers if name.startswith("access-control-")]
            assert "strict-transport-security" not in answer.headers


def test_answers_over_tls_tell_browsers_to_come_back_by_tls(binary: Example) -> None:
    with running(binary, trusted_proxies=["127.0.0.1"]) as client:
        for path in ("/", "/health", "/predict"):
            answer = client.get(path, headers={"x-forwarded-proto": "https"})
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
