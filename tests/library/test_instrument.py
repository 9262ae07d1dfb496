from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from driftgauge.errors import Reason, SettingsError
from driftgauge.library.instrument import instrument
from driftgauge.library.monitor import Monitor
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tests.library.watching import ROW, counted, watching
from tests.served import Series, total
from tests.servers import serving


async def predict(request: Request) -> Any:
    """Answer by the first number of the rows: what the model is asked decides what happens."""
    body = await request.json()
    rows = body["rows"]
    age = rows[0]["age"]
    if age < 0:
        raise ArithmeticError("log of a negative number")
    if age == 0:
        return JSONResponse({"error": "age"}, status_code=422)
    if age > 100:
        return JSONResponse({"error": "overloaded"}, status_code=503)
    if age == 99:
        return PlainTextResponse("not JSON")
    return JSONResponse({"result": {"scores": [own["age"] / 100.0 for own in rows]}})


def host(path: str = "/predict") -> Starlette:
    return Starlette(routes=[Route(path, predict, methods=["POST", "GET"]), Route("/other", predict, methods=["POST"])])


class InProcess(httpx.BaseTransport):
    """Sends requests to an application in this process, and returns when the application has."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answer() -> httpx.Response:
            found = await self._transport.handle_async_request(request)
            return httpx.Response(
                found.status_code, headers=found.headers, content=b"".join([piece async for piece in found.aiter_raw()])
            )

        return asyncio.run(answer())


def client_of(app: ASGIApp) -> httpx.Client:
    return httpx.Client(transport=InProcess(app), base_url="http://host")


@contextmanager
def observing(app: Any = None, route: str = "/predict", **options: Any) -> Iterator[tuple[Monitor, httpx.Client]]:
    """Observe a route of an application while the block runs; its client returns when the application has."""
    app = app or host()
    with watching() as monitor:
        instrument(app, monitor, route=route, **{"features": "rows", "prediction": "result.scores", **options})
        with client_of(app) as client:
            yield monitor, client


def rejected(series: Series, reason: Reason) -> float:
    return total(series, "model_predictions_rejected_total", reason=reason)


def observed(series: Series) -> tuple[float, float]:
    """Rows observed, and requests timed."""
    return total(series, "model_observations_total"), total(series, "model_prediction_latency_seconds_count")


def body(*ages: float) -> dict[str, Any]:
    return {"rows": [{**ROW, "age": age} for age in ages]}


def test_rows_and_predictions_are_read_as_they_pass() -> None:
    with observing() as (monitor, client):
        assert client.post("/predict", json=body(25.0, 50.0)).json() == {"result": {"scores": [0.25, 0.5]}}
        series = counted(monitor)
        assert observed(series) == (2, 1)
        assert total(series, "model_prediction_score_sum") == 0.75
        assert total(series, "model_input_size_sum") == 2


def test_answers_are_the_same_byte_for_byte() -> None:
    own = host()
    with watching() as monitor:
        instrument(own, monitor, route="/predict", features="rows", prediction="result.scores")
        with serving(host()) as bare, serving(own) as client:
            for asked in (body(25.0), body(0.0), body(99.0), body(101.0)):
                one, other = bare.post("/predict", json=asked), client.post("/predict", json=asked)
                assert (one.status_code, one.content) == (other.status_code, other.content)
                assert one.headers.keys() == other.headers.keys()
        assert observed(counted(monitor)) == (1, 1)  # the server has stopped, so nothing is under way


def test_other_routes_and_methods_are_not_observed() -> None:
    with observing() as (monitor, client):
        client.post("/other", json=body(25.0))
        client.post("/nothing", json=body(25.0))
        client.request("GET", "/predict", json=body(25.0))
        assert observed(counted(monitor)) == (0, 0)


def test_a_path_with_parameters_is_matched_as_a_route_is() -> None:
    with observing(host("/models/{name}/predict"), "/models/{name}/predict") as (monitor, client):
        assert client.post("/models/churn/predict", json=body(25.0)).status_code == 200
        assert client.post("/models/churn/other/predict", json=body(25.0)).status_code == 404
        assert observed(counted(monitor)) == (1, 1)


def test_errors_of_the_client_are_no_predictions() -> None:
    with observing() as (monitor, client):
        assert client.post("/predict", json=body(0.0)).status_code == 422
        series = counted(monitor)
        assert observed(series) == (0, 0)
        assert total(series, "model_prediction_failures_total") == 0
        assert total(series, "model_predictions_rejected_total") == 0


def test_an_exception_and_an_answer_of_5xx_are_failures_of_the_model() -> None:
    with observing() as (monitor, client):
        assert client.post("/predict", json=body(101.0, 5.0)).status_code == 503
        assert total(counted(monitor), "model_prediction_failures_total") == 2
    app = host()
    with watching() as monitor:
        instrument(app, monitor, route="/predict", features="rows")

        async def ask(content: bytes) -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://host") as client:
                await client.post("/predict", content=content)

        with pytest.raises(ArithmeticError, match="log of a negative number"):
            asyncio.run(ask(json.dumps(body(-1.0, 5.0, 6.0)).encode()))
        with pytest.raises(json.JSONDecodeError):
            asyncio.run(ask(b"nothing"))
        assert total(counted(monitor), "model_prediction_failures_total") == 4


def test_what_cannot_be_read_is_counted_by_reason() -> None:
    with observing() as (monitor, client):
        assert client.post("/predict", json=body(99.0)).text == "not JSON"
        assert client.post("/predict", json={"rows": [{"age": 20.0}]}).status_code == 200
        series = counted(monitor)
        assert rejected(series, Reason.NOT_JSON) == 1
        assert rejected(series, Reason.MISSING_FEATURE) == 1
    with observing(prediction="score") as (monitor, client):
        assert client.post("/predict", json=body(25.0)).status_code == 200
        assert rejected(counted(monitor), Reason.UNKNOWN_SHAPE) == 1
    with observing(features=lambda given: given["nothing"]) as (monitor, client):
        assert client.post("/predict", json=body(25.0)).status_code == 200
        assert total(counted(monitor), "model_observations_dropped_total", reason="monitoring_failed") == 1


def test_bodies_above_the_limit_pass_unread() -> None:
    with observing(max_bytes=1_000) as (monitor, client):
        answer = client.post("/predict", json=body(*[25.0] * 100))
        assert len(answer.json()["result"]["scores"]) == 100
        assert rejected(counted(monitor), Reason.BODY_TOO_LARGE) == 1
        assert observed(counted(monitor)) == (0, 0)


def test_a_large_body_is_read_outside_the_event_loop() -> None:
    with observing() as (monitor, client):
        assert client.post("/predict", json=body(*[25.0] * 1_000)).status_code == 200
        assert observed(counted(monitor)) == (1_000, 1)


@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
def test_compressed_answers_are_read_on_both_sides_of_the_middleware_that_compresses(inside: bool) -> None:
    app = host()
    if inside:
        app.add_middleware(GZipMiddleware, minimum_size=10)
    with watching() as monitor:
        instrument(app, monitor, route="/predict", features="rows", prediction="result.scores")
        if not inside:
            app.add_middleware(GZipMiddleware, minimum_size=10)
        with client_of(app) as client:
            answer = client.post("/predict", json=body(*[25.0] * 50), headers={"accept-encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip"
        assert observed(counted(monitor)) == (50, 1)


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_requests_are_read_and_bombs_are_not(coding: str, compress: Any) -> None:
    app = Starlette(routes=[Route("/predict", compressed, methods=["POST"])])
    with observing(app, prediction=None) as (monitor, client):
        for rows in (2, 5_000):
            content = compress(json.dumps(body(*[25.0] * rows)).encode())
            headers = {"content-encoding": coding}
            assert client.post("/predict", content=content, headers=headers).json() == [0.5, 0.5]
        series = counted(monitor)
        assert observed(series)[0] == 2
        assert rejected(series, Reason.WRONG_FEATURE_COUNT) + rejected(series, Reason.BODY_TOO_LARGE) == 1


async def compressed(request: Request) -> Any:
    await request.body()
    return JSONResponse([0.5, 0.5])


def test_an_answer_in_pieces_passes_piece_by_piece() -> None:
    async def stream(request: Request) -> Any:
        await request.body()

        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b'{"score"', b": 0.5}"):
                yield piece
                await asyncio.sleep(0)

        return StreamingResponse(pieces(), media_type="application/json")

    app = Starlette(routes=[Route("/predict", stream, methods=["POST"])])
    with observing(app, features=None, prediction="score") as (monitor, client):
        assert client.post("/predict", json=ROW).json() == {"score": 0.5}
        assert observed(counted(monitor)) == (1, 1)


def test_a_task_that_fails_after_the_answer_is_no_failure_of_the_model() -> None:
    def broken() -> None:
        raise OSError("the queue is gone")

    async def answer(request: Request) -> Any:
        await request.body()
        return JSONResponse(0.5, background=BackgroundTask(broken))

    app = Starlette(routes=[Route("/predict", answer, methods=["POST"])])
    with observing(app, features=None, prediction=None) as (monitor, client):
        assert client.post("/predict", json=ROW).json() == 0.5
        series = counted(monitor)
        assert observed(series) == (1, 1)
        assert total(series, "model_prediction_failures_total") == 0


def test_a_route_of_a_router_or_a_mount_is_observed_too() -> None:
    router = APIRouter()
    router.add_api_route("/predict", predict, methods=["POST"])
    fast = FastAPI()
    fast.include_router(router, prefix="/v1")
    with observing(fast, "/v1/predict") as (monitor, client):
        assert client.post("/v1/predict", json=body(25.0)).status_code == 200
        assert observed(counted(monitor)) == (1, 1)
    mounted = Starlette(routes=[Mount("/v1", app=host())])
    with observing(mounted, "/v1/predict") as (monitor, client):
        assert client.post("/v1/predict", json=body(25.0)).status_code == 200
        assert observed(counted(monitor)) == (1, 1)


def test_an_application_below_a_proxys_path_is_observed() -> None:
    app = host()
    with watching() as monitor:
        instrument(app, monitor, route="/predict", features="rows", prediction="result.scores")

        async def ask(path: str) -> int:
            transport = httpx.ASGITransport(app=app, root_path="/models")
            async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
                return (await client.post(path, json=body(25.0))).status_code

        assert [asyncio.run(ask(path)) for path in ("/predict", "/models/predict", "/modelspredict")] == [200, 200, 404]
        assert observed(counted(monitor)) == (2, 2)


def test_a_closed_monitor_leaves_the_route_alone() -> None:
    with observing() as (monitor, client):
        monitor.close()
        assert client.post("/predict", json=body(25.0)).status_code == 200


def test_a_route_that_does_not_exist_is_refused() -> None:
    with watching() as monitor, pytest.raises(SettingsError, match=r"no such route; it has /predict, /other\. Call"):
        instrument(host(), monitor, route="/predictions")


def test_a_monitor_of_a_strict_program_raises_nothing_into_the_application() -> None:
    app = host()
    with watching(on_error="raise") as monitor:
        instrument(app, monitor, route="/predict", features="nothing")
        with client_of(app) as client:
            assert client.post("/predict", json=body(25.0)).status_code == 200
        assert rejected(counted(monitor), Reason.UNKNOWN_SHAPE) == 1
