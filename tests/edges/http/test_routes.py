from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.edges.http.measure import handler
from app.edges.http.routes import DOCUMENTATION, ROUTES, measured
from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.json_schema import problems
from tests.served import Failing, Served, served


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


GETS = [route.path for route in ROUTES if route.method == "GET" and route.path != "/" and "{alert}" not in route.path]
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
                assert answer.status_code == 200
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
        running.service.ready = False
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
    assert found == {(route.method, route.path) for route in ROUTES if route.path != "/"}


def test_the_documentation_says_every_code_of_a_route(server: Served) -> None:
    document = server.client.get("/openapi.json").json()
    for route in ROUTES:
        if route.path != "/":
            described = document["paths"][route.path][route.method.lower()]["responses"]
            assert set(described) == {str(code) for code in route.codes}, route.path


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
    assert routes == declared | {(method, path) for method, path, _ in DOCUMENTATION}


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_told_without_a_body_too(path: str, server: Served) -> None:
    answer = server.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/health/", "/predict/", "/drift/status/", "//health"])
def test_a_path_with_another_slash_is_another_path(path: str, server: Served) -> None:
    assert server.client.get(str(server.client.base_url).rstrip("/") + path).status_code == 404
