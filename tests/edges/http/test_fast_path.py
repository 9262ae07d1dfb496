from __future__ import annotations

import asyncio
from typing import Any

import pytest
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.errors import INTERNAL
from driftgauge.edges.http.fast_path import FastPath
from driftgauge.edges.http.origins import OriginPolicy
from driftgauge.edges.http.served_models import ServedModels
from driftgauge.main import create_app
from driftgauge.models.predictor import Batch, Predictor
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.edges.http.test_request_metrics import counters_of_routes, requests_of
from tests.examples import Example, quiet
from tests.servers import serving

OPEN = OriginPolicy("localhost")


def answer_of(app: Any, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_an_application_that_raises_is_counted_as_500() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    counters = counters_of_routes()
    with pytest.raises(RuntimeError):
        answer_of(
            FastPath(broken, counters, ServedModels(), OPEN, Access()),
            {"type": "http", "method": "GET", "path": "/", "headers": []},
        )
    assert requests_of(counters) == {("other", "unmatched", "other"): 1}


def test_what_is_no_http_request_passes_uncounted() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": scope["type"]})

    counters = counters_of_routes()
    app = FastPath(echo, counters, ServedModels(), OPEN, Access())
    assert answer_of(app, {"type": "websocket"}) == [{"type": "websocket"}]
    assert requests_of(counters) == {}


# ---------------------------------------------------------------- the shortest way


class Guard:
    """An operator's own middleware: nobody gets past it without the word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"word", b"sesame") not in scope["headers"]:
            await Response(status_code=401)(scope, receive, send)
            return
        await self._app(scope, receive, send)


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer", "/metrics"])
def test_nobody_predicts_past_middleware_that_an_operator_added(path: str, binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    app.add_middleware(Guard)
    with serving(app) as client:
        assert client.request("GET" if path == "/metrics" else "POST", path).status_code == 401
        answer = client.post("/predict", json={"features": binary.rows(1)[0]}, headers={"word": "sesame"})
        assert (answer.status_code, set(answer.json())) == (200, EXPECTED)
        inferred = client.post("/v2/models/binary/infer", content=b"{", headers={"word": "sesame"})
        assert inferred.json()["error"].startswith("not_json: ")
        sent = client.get("/metrics", headers={"word": "sesame"}).text
    assert 'http_requests_total{method="POST",handler="/predict",code="200"} 1.0' in sent


EXPECTED = {"prediction_id", "prediction", "score", "model_name", "model_version", "latency_ms"}


def test_the_shortest_way_answers_as_the_documented_route_does(
    binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = binary.rows(1)[0]
    tensor = {"name": "x", "shape": [1, 6], "datatype": "FP64", "data": list(row.values())}
    asked: list[tuple[str, Any]] = [
        ("/predict", {"features": row, "prediction_id": "mine"}),
        ("/predict", {"instances": [row] * 3, "prediction_ids": ["a", "b", "c"]}),
        ("/predict", {}),
        ("/predict", {"features": [1]}),
        ("/v2/models/binary/infer", {"id": "mine", "inputs": [tensor]}),
        ("/v2/models/binary/infer", {}),
        ("/predict", {"features": {**row, "mean radius": POISON}}),
        ("/v2/models/binary/infer", {"inputs": [{**tensor, "data": [POISON] * 6}]}),
    ]
    monkeypatch.setattr(Predictor, "admit", _broken_by_poison)
    found = []
    for around in (False, True):
        app = create_app(quiet(), bundle=binary.bundle)
        if around:
            app.add_middleware(Through)
        with serving(app) as client:
            answers = [client.post(path, json=body) for path, body in asked]
        found.append([(a.status_code, dict(a.headers) | _UNLIKE, a.json() | _UNLIKE) for a in answers])
    assert found[0] == found[1]
    assert [code for code, *_ in found[0]] == [200, 200, 422, 422, 200, 422, 500, 500]
    assert found[0][-1][-1]["error"] == f"internal_error: {INTERNAL}"


POISON = 1e9
_UNLIKE = {"date": "", "content-length": "", "latency_ms": 0.0, "x": ""}
"""What differs from answer to answer."""


def _broken_by_poison(_: Predictor, batch: Batch) -> None:
    if (batch.cells == POISON).any():
        raise RuntimeError("a secret")


class Through:
    """Middleware that does nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def test_a_client_that_leaves_before_its_body_is_there_is_counted_as_its_own_fault(binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    sent = answer_of(app, {"type": "http", "method": "POST", "path": "/predict", "headers": [], "root_path": ""})
    assert sent == []
    counted = requests_of(app.state.context.http)
    assert counted == {("POST", "/predict", "400"): 1}
