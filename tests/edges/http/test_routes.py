from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from driftgauge.edges.http.fast_path import FastPathApp
from driftgauge.edges.http.request_metrics import handler
from driftgauge.edges.http.routes import DOCUMENT, ROUTES, measured
from driftgauge.main import create_app

from tests.conftest import ExampleOf
from tests.edges.http.test_fast_path import Through
from tests.examples import MAKERS, Example, quiet
from tests.json_schema import problems
from tests.served import Failing, Served, served
from tests.servers import serving


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        running.predict({"data": [list(row.values()) for row in binary.rows()]})
        yield running


def check(answer: httpx.Response, document: Any, method: str, path: str) -> None:
    """Hold an answer's status, content type and body against the OpenAPI document."""
    described = document["paths"][path][method.lower()]["responses"][str(answer.status_code)]
    content = described.get("content", {})
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in content, (path, answer.status_code, kind)
    schema = content[kind].get("schema")
    if kind == "application/json":
        assert schema, (path, answer.status_code)
        assert problems(answer.json(), schema, document) == []


GETS = [
    route.path
    for route in ROUTES
    if route.method == "GET"
    and route.is_documented
    and "{alert}" not in route.path
    and route.tag not in ("versions", "predictions")
]
"""Those of versions need a bundle in the settings, and those of predictions a log: they have tests of their own."""
INFERS = [route.path for route in ROUTES if route.path.endswith("/infer")]


@pytest.mark.parametrize("name", MAKERS)
def test_every_route_answers_what_the_documentation_says(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example) as running:
        document = running.client.get("/openapi.json").json()
        for rows in (0, len(example.evaluation)):  # before any row and after
            if rows:
                sent = running.predict({"instances": example.rows(rows)})
                assert sent.status_code == 200
                check(sent, document, "POST", "/predict")
            for path in GETS:
                answer = running.client.get(path.format(model_name=name, model_version="1.2"))
                has_answer = path != "/predict/test/label" or example.bundle.info.classes
                assert answer.status_code == (200 if has_answer else 404)
                check(answer, document, "GET", path)
        one = running.predict({"features": example.rows(1)[0]})
        assert one.status_code == 200
        check(one, document, "POST", "/predict")
        for path in INFERS:
            body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            assert body["examples"]
            for sent_body in body["examples"].values():
                assert problems(sent_body["value"], body["schema"], document) == []
                inferred = running.client.post(
                    path.format(model_name=name, model_version="1.2"), json=sent_body["value"]
                )
                assert inferred.status_code == 200
                check(inferred, document, "POST", path)


def test_every_error_is_documented_with_its_shape(binary: Example) -> None:
    model = Failing(binary.bundle.model)
    with served(binary, model=model, max_body_bytes=2000) as running:
        client, document = running.client, running.client.get("/openapi.json").json()
        for status, body in [
            (400, b"{"),
            (400, b"\xff"),
            (413, b" " * 2001),
            (422, b"{}"),
            (500, b'{"features": [1e7, 1, 1, 1, 1, 1]}'),
        ]:
            answer = client.post("/predict", content=body)
            assert answer.status_code == status
            check(answer, document, "POST", "/predict")
        unknown = client.get("/drift/status", params={"model": "nobody"})
        assert unknown.status_code == 404
        check(unknown, document, "GET", "/drift/status")
        running.context.ready = False
        starting = client.get("/health/ready")
        assert starting.status_code == 503
        check(starting, document, "GET", "/health/ready")
        model.broken = True
        broken = client.get("/predict/test")
        assert broken.status_code == 500
        check(broken, document, "GET", "/predict/test")


def test_the_documentation_has_every_route_and_no_other(server: Served) -> None:
    document = server.client.get("/openapi.json").json()
    found = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert found == {(route.method, route.path) for route in ROUTES if route.is_documented}


def test_the_documentation_is_what_fastapi_makes_and_is_written_once(server: Served, binary: Example) -> None:
    assert isinstance(server.app, FastPathApp)
    assert server.client.get("/openapi.json").json() == orjson.loads(orjson.dumps(server.app.openapi()))
    assert server.app.document("") is server.app.document("")
    assert server.client.head("/openapi.json").headers["content-length"] == str(len(server.app.document("")))


def test_the_documentation_says_every_code_of_a_route(server: Served) -> None:
    document = server.client.get("/openapi.json").json()
    for route in ROUTES:
        if route.is_documented:
            described = document["paths"][route.path][route.method.lower()]["responses"]
            assert set(described) == {str(code) for code in {*route.all_codes, 408, 414, 421, 431}}, route.path


def test_every_reference_of_the_documentation_leads_somewhere(server: Served) -> None:
    document = server.client.get("/openapi.json").json()

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_the_root_leads_to_the_documentation(server: Served) -> None:
    answer = server.client.get("/")
    assert answer.status_code == 307
    assert answer.headers["location"] == "/docs"
    page = server.client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


def test_every_route_is_measured() -> None:
    routes = {(method, path) for method, path, _ in measured()}
    declared = {(method, handler(route.path)) for route in ROUTES for method in route.methods}
    assert handler("/v2/models/{model_name}/versions/{model_version}/infer") == "/v2/models/{model_name}/infer"
    assert len(measured()) == len(routes)
    assert routes == declared | {DOCUMENT[:2]}


@pytest.mark.parametrize(
    "path", [*GETS, "/", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/nothing", "/runbooks/ModelFeatureDrift"]
)
def test_what_is_got_is_told_without_a_body_too(path: str, server: Served) -> None:
    path = path.format(model_name="binary", model_version="1.2")
    got, told = server.client.get(path), server.client.head(path)
    assert told.status_code == got.status_code
    assert told.content == b""
    assert abs(int(told.headers["content-length"]) - int(got.headers["content-length"])) < 200  # metrics count on
    unlike = {"date", "content-length"}
    assert {name: value for name, value in told.headers.items() if name not in unlike} == {
        name: value for name, value in got.headers.items() if name not in unlike
    }


def test_no_body_is_sent_where_none_is_asked_for(server: Served) -> None:
    address = server.client.base_url.host, server.client.base_url.port or 0
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"HEAD /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        sent = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer"])
def test_what_is_posted_is_not_told(path: str, server: Served) -> None:
    assert server.client.head(path).status_code == 405


def test_a_head_is_counted_where_its_get_is(binary: Example) -> None:
    with served(binary) as running:
        for path in ("/metadata", "/docs", "/health"):
            running.client.head(path)
        assert running.metric("http_requests_total", method="GET", handler="/metadata", code="200") == 1
        assert running.metric("http_requests_total", method="GET", handler="/docs", code="200") == 1
        assert running.metric("http_requests_total", method="HEAD", handler="/health", code="200") == 1
        assert running.metric("http_requests_total", method="other") == 0


# ---------------------------------------------------------------- behind a proxy that shows it under a path


@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("around", [False, True])
def test_a_path_of_a_proxy_is_one_that_it_passes_on_or_not(strips: bool, around: bool, binary: Example) -> None:
    app = create_app(quiet(root_path="/models/a"), bundle=binary.bundle)
    if around:
        app.add_middleware(Through)
    before = "" if strips else "/models/a"
    row = binary.rows(1)[0]
    tensor = {"name": "x", "shape": [1, 6], "datatype": "FP64", "data": list(row.values())}
    with serving(app) as client:
        assert client.post(f"{before}/predict", json={"features": row}).status_code == 200
        assert client.post(f"{before}/v2/models/binary/infer", json={"inputs": [tensor]}).status_code == 200
        assert client.get(f"{before}/v2/models/other").json()["error"].startswith("not_found: ")
        assert client.post(f"{before}/v2/models/binary/infer", content=b"{").json()["error"].startswith("not_json: ")
        assert client.get(f"{before}/").headers["location"] == "/models/a/docs"
        assert client.get(f"{before}/docs").status_code == 200
        document = client.get(f"{before}/openapi.json").json()
        assert document["servers"] == [{"url": "/models/a"}]
        assert "/predict" in document["paths"]
        nothing = client.get(f"{before}/nothing")
        assert (nothing.status_code, nothing.json()["error"]["message"]) == (
            404, "there is no /nothing; see /models/a/docs",
        )  # fmt: skip
        assert client.get(f"{before}/modelsa").status_code == 404
        counted = client.get(f"{before}/metrics").text
        for handler_, method in (("/predict", "POST"), ("/v2/models/{model_name}/infer", "POST"), ("/docs", "GET")):
            assert f'http_requests_total{{method="{method}",handler="{handler_}",code="200"}} 1.0' in counted


def test_the_path_alone_leads_to_the_documentation(binary: Example) -> None:
    with served(binary, root_path="/models/a") as running:
        answer = running.client.get("/models/a")
        assert (answer.status_code, answer.headers["location"]) == (307, "/models/a/docs")


@pytest.mark.parametrize("path", ["/health/", "/predict/", "/drift/status/", "//health"])
def test_a_path_with_another_slash_is_another_path(path: str, server: Served) -> None:
    assert server.client.get(str(server.client.base_url).rstrip("/") + path).status_code == 404
