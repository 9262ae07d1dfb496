from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.access.caller import ANYONE, NOBODY, Caller, Scope
from driftgauge.access.tokens import Tokens
from driftgauge.edges.http.access import Access, caller_of
from driftgauge.edges.http.routes import DOCUMENT, ROUTES
from driftgauge.errors import SettingsError
from driftgauge.main import create_app
from starlette.routing import Route as StarletteRoute

from tests.examples import Example, quiet
from tests.served import Served, served
from tests.servers import serving

TOKENS = {scope: f"token-for-{scope.value}-only" for scope in Scope}
OPEN = {
    "/health",
    "/health/live",
    "/health/ready",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/{model_name}/ready",
    "/v2/models/{model_name}/versions/{model_version}/ready",
    "/static/{asset}",
    "/docs/{asset}",
}
"""Routes that need no token: probes, and files that are the same for everyone."""


def write(path: Path, tokens: dict[str, str]) -> Path:
    """Replace a file of tokens; the values are their scopes."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"own {scopes} token:{token}\n" for token, scopes in tokens.items()), encoding="utf-8")
    new.replace(path)
    return path


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    return write(tmp_path / "tokens", {token: scope.value for scope, token in TOKENS.items()})


@pytest.fixture
def server(binary: Example, tokens_file: Path) -> Iterator[Served]:
    with served(binary, tokens_file=tokens_file) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def path_of(template: str) -> str:
    asset = "swagger-ui.css" if template.startswith("/docs") else "page.css"
    return template.format(model_name="binary", model_version="1.2", asset=asset, alert="ModelDrift", name="binary")


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_table_has_every_route_of_the_application(binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    found = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, StarletteRoute)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    assert found == {*((route.method, route.path) for route in ROUTES), DOCUMENT[:2]}
    assert len(app.routes) == len(ROUTES) + 1


def test_routes_without_a_scope_are_probes_and_files_that_hold_no_data() -> None:
    assert {route.path for route in ROUTES if route.scope is None} == OPEN


def test_every_route_with_a_scope_refuses_requests_that_lack_it(server: Served) -> None:
    for route in [*ROUTES, None]:
        method, template = (route.method, route.path) if route else DOCUMENT[:2]
        needed = route.scope if route else Scope.READ
        url = path_of(template)

        def ask(headers: dict[str, str], method: str = method, url: str = url) -> httpx.Response:
            return server.client.request(method, url, headers=headers, json=None if method == "GET" else {})

        if needed is None:
            assert ask({}).status_code < 400
            assert ask(bearer("unknown")).status_code < 400
            continue
        answers = [ask({}), ask(bearer("unknown")), ask({"authorization": "Basic eDp5"})]
        assert [answer.status_code for answer in answers] == [401] * 3, url
        assert all(answer.headers["www-authenticate"].startswith("Bearer realm=") for answer in answers)
        lacking = bearer(TOKENS[Scope.ADMIN if needed is not Scope.ADMIN else Scope.READ])
        refused = ask(lacking)
        assert refused.status_code == 403, url
        assert f"the scope {needed}" in refused.text
        assert ask(bearer(TOKENS[needed])).status_code not in (401, 403), url


def test_refusals_have_the_shape_of_their_route(server: Served) -> None:
    row: dict[str, Any] = {"features": {}}
    own = server.client.post("/predict", json=row)
    assert own.json()["error"]["code"] == "missing_token"
    assert own.json()["error"]["detail"] == {"field": "authorization"}
    for path in ("/v2/models/binary/infer", "/v2/models/other/infer", "/v2"):
        method = "GET" if path == "/v2" else "POST"
        answer = server.client.request(method, path)
        assert answer.status_code == 401
        assert list(answer.json()) == ["error"]
        assert "this server needs a token" in answer.json()["error"]
    lacking = server.client.post("/v2/models/binary/infer", headers=bearer(TOKENS[Scope.READ]))
    assert lacking.status_code == 403
    assert "the scope predict" in lacking.json()["error"]


def test_predictions_take_their_token_and_refusals_are_counted(binary: Example, server: Served) -> None:
    body = {"features": binary.rows(1)[0]}
    assert server.client.post("/predict", json=body).status_code == 401
    assert server.client.post("/predict", json=body, headers=bearer("x")).status_code == 401
    assert server.client.post("/predict", json=body, headers=bearer(TOKENS[Scope.READ])).status_code == 403
    assert server.client.post("/predict", json=body, headers=bearer(TOKENS[Scope.PREDICT])).status_code == 200
    server.client.headers.update(bearer(TOKENS[Scope.READ]))
    for reason in ("missing_token", "invalid_token", "missing_scope"):
        assert server.metric("http_requests_denied_total", reason=reason) == 1
    for code, count in (("200", 1), ("401", 2), ("403", 1)):
        assert server.metric("http_requests_total", handler="/predict", code=code) == count
    assert server.metric("model_predictions_total") == 1
    assert server.metric("model_predictions_rejected_total") == 0


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer"])
def test_a_timestamp_needs_a_scope_of_its_own(binary: Example, tmp_path: Path, path: str) -> None:
    both = "predicts-with-a-timestamp"
    file = write(tmp_path / "both", {both: "predict,timestamps", TOKENS[Scope.PREDICT]: "predict", "r" * 20: "read"})
    with served(binary, tokens_file=file) as server:
        server.client.headers.update(bearer("r" * 20))
        if path == "/predict":
            body: dict[str, Any] = {"features": binary.rows(1)[0], "timestamp": "2026-01-01T00:00:00Z"}
        else:
            body = server.client.get("/openapi.json").json()["paths"]["/v2/models/{model_name}/infer"]["post"][
                "requestBody"
            ]["content"]["application/json"]["examples"]
            body = next(iter(body.values()))["value"]
            body["parameters"] = {"timestamp": "2026-01-01T00:00:00Z"}
        refused = server.client.post(path, json=body, headers=bearer(TOKENS[Scope.PREDICT]))
        assert (refused.status_code, "a timestamp needs the scope timestamps" in refused.text) == (403, True)
        assert server.client.post(path, json=body, headers=bearer(both)).status_code == 200
        assert server.metric("http_requests_denied_total", reason="missing_scope") == 1
        assert server.metric("model_predictions_rejected_total") == 0


def test_a_browser_is_asked_for_a_name_and_a_token(server: Served) -> None:
    asked = server.client.get("/", headers={"accept": "text/html"})
    assert (asked.status_code, 'Basic realm="driftgauge"' in asked.headers["www-authenticate"]) == (401, True)
    given = base64.b64encode(f"own:{TOKENS[Scope.READ]}".encode()).decode()
    answer = server.client.get("/", headers={"accept": "text/html", "authorization": f"Basic {given}"})
    assert answer.status_code == 200


def test_two_tokens_in_one_request_are_refused(server: Served) -> None:
    twice = [("authorization", f"Bearer {TOKENS[Scope.READ]}")] * 2
    assert server.client.get("/metrics", headers=twice).status_code == 401


@pytest.mark.parametrize("name", ["Metrics", "metrics/", "//metrics", "%2e/metrics", "metrics?x=1", "metrics%00"])
def test_no_other_spelling_of_a_path_opens_a_route(server: Served, name: str) -> None:
    assert server.client.get(f"/{name}").status_code in (401, 404)
    for method in ("HEAD", "OPTIONS", "PUT", "POST"):
        assert server.client.request(method, f"/{name}").status_code in (401, 404, 405)


def test_metrics_can_be_open_alone(binary: Example, tokens_file: Path) -> None:
    with served(binary, tokens_file=tokens_file, metrics_access="open") as running:
        assert running.client.get("/metrics").status_code == 200
        assert running.client.get("/drift/status").status_code == 401


def test_a_middleware_of_the_operator_does_not_open_predictions(binary: Example, tokens_file: Path) -> None:
    class Passing:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, *asgi: Any) -> None:
            await self.app(*asgi)

    app = create_app(quiet(tokens_file=tokens_file), bundle=binary.bundle)
    app.add_middleware(Passing)
    body = {"features": binary.rows(1)[0]}
    with serving(app) as client:
        assert client.post("/predict", json=body).status_code == 401
        assert client.post("/predict", json=body, headers=bearer(TOKENS[Scope.PREDICT])).status_code == 200


def test_a_running_server_reads_a_changed_file_and_keeps_a_broken_one_out(
    binary: Example, server: Served, tokens_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = bearer(TOKENS[Scope.READ]), bearer("another-token-to-read")
    write(tokens_file, {TOKENS[Scope.READ]: "read", "another-token-to-read": "read"})
    eventually(lambda: server.client.get("/drift/status", headers=new).status_code == 200)
    write(tokens_file, {"another-token-to-read": "read"})
    eventually(lambda: server.client.get("/drift/status", headers=old).status_code == 401)
    tokens_file.write_text("another read", encoding="utf-8")

    def problems() -> list[str]:
        found: list[str] = server.client.get("/drift/status", headers=new).json()["monitoring"]["problems"]
        return found

    eventually(lambda: problems() != [])
    assert "tokens_not_read: tokens_file" in problems()[0]
    assert server.client.get("/drift/status", headers=old).status_code == 401
    server.client.headers.update(new)
    assert server.metric("model_monitoring_healthy") == 0
    write(tokens_file, {"another-token-to-read": "read"})
    eventually(lambda: problems() == [])


@pytest.fixture
def ailing(binary: Example, tokens_file: Path, tmp_path: Path) -> Iterator[Served]:
    """A server with tokens and a model that cannot be loaded, whose file of tokens is broken after the start."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "bundle.json").write_text("{")
    models = {"binary": {"bundle": binary.folder}, "broken": {"bundle": broken}}
    app = create_app(quiet(models=models, tokens_file=tokens_file))
    with serving(app) as client:
        running = Served(client, app)
        tokens_file.write_text("another read", encoding="utf-8")
        eventually(lambda: not running.client.get("/health").json()["monitoring"]["healthy"])
        yield running


def test_without_the_scope_read_health_has_names_and_states_and_no_texts(ailing: Served, tmp_path: Path) -> None:
    paths = ("/health", "/health/ready", "/v2/models/broken/ready")
    for token in ({}, bearer("unknown"), bearer(TOKENS[Scope.PREDICT])):
        health = ailing.client.get("/health", headers=token).json()
        assert (health["unusable_models"], health["monitoring"]) == ({"broken": None}, {"healthy": False})
        assert [own["model_name"] for own in health["models"]] == ["binary"]
        assert health.keys() & {"version", "worker"} == set()
        assert not any(str(tmp_path) in ailing.client.get(path, headers=token).text for path in paths)
    health = ailing.client.get("/health", headers=bearer(TOKENS[Scope.READ])).json()
    assert str(tmp_path) in health["unusable_models"]["broken"]
    assert "tokens_not_read" in health["monitoring"]["problems"][0]
    assert health["worker"]["slot"] == 0
    body = {"instances": [[1.0]]}
    for path in ("/models/broken/predict", "/v2/models/broken/infer"):
        refused = ailing.client.post(path, json=body, headers=bearer(TOKENS[Scope.PREDICT]))
        assert (refused.status_code, "broken could not be loaded: GET /models says why" in refused.text) == (503, True)
    assert str(tmp_path) in ailing.client.get("/models", headers=bearer(TOKENS[Scope.READ])).text
    ailing.client.headers.update(bearer(TOKENS[Scope.READ]))
    assert ailing.metric("http_requests_denied_total", reason="invalid_token") == 2
    assert ailing.metric("http_requests_denied_total", reason="missing_token") == 0


def test_a_server_that_others_reach_needs_tokens_or_a_word(binary: Example, tokens_file: Path) -> None:
    anywhere = "0.0.0.0"  # noqa: S104  # nothing listens
    with pytest.raises(SettingsError, match=r"host 0\.0\.0\.0 can be reached by other machines.*tokens_file"):
        create_app(quiet(host=anywhere), bundle=binary.bundle)
    for enough in ({"tokens_file": tokens_file}, {"insecure": True}):
        create_app(quiet(host=anywhere, **enough), bundle=binary.bundle)


def test_without_tokens_anyone_may_do_anything() -> None:
    asgi: dict[str, Any] = {"type": "http", "headers": [(b"authorization", b"Bearer x")]}
    off = Access()
    off.enter(asgi)
    assert off.admit(asgi, Scope.ADMIN) is ANYONE is caller_of(asgi)
    assert set(Scope) == ANYONE.scopes
    assert not off.is_on


def test_a_request_keeps_its_caller(tokens_file: Path) -> None:
    on = Access(Tokens(tokens_file))
    asgi: dict[str, Any] = {"type": "http", "headers": [(b"authorization", f"Bearer {TOKENS[Scope.READ]}".encode())]}
    on.enter(asgi)
    assert caller_of(asgi) is NOBODY
    assert on.admit(asgi, Scope.READ) == Caller("own", frozenset({Scope.READ})) == caller_of(asgi)


def test_callers_have_their_shares_of_rows_and_the_reason_names_the_one_that_sent_most(
    binary: Example, tmp_path: Path
) -> None:
    file = tmp_path / "callers"
    file.write_text(
        f"shop predict token:{'s' * 20}\nbatch predict token:{'b' * 20}\nprom read token:{'r' * 20}\n", encoding="utf-8"
    )
    rows = binary.rows()
    with served(binary, tokens_file=file, windows=(len(rows),)) as running:
        client = running.client
        client.post("/predict", json={"instances": rows[: len(rows) // 4]}, headers=bearer("s" * 20))
        client.post("/predict", json={"instances": rows[len(rows) // 4 :]}, headers=bearer("b" * 20))
        client.post("/predict", json={"instances": [{}]}, headers=bearer("b" * 20))
        client.headers.update(bearer("r" * 20))
        shop = (len(rows) // 4) / len(rows)
        assert running.metric("model_client_rows_ratio", client="shop") == pytest.approx(shop)
        assert running.metric("model_client_rows_ratio", client="batch") == pytest.approx(1 - shop)
        assert running.status()["reason"].endswith(f"One caller sent {1 - shop:.0%} of these rows: batch.")


def test_without_tokens_no_caller_is_counted(binary: Example) -> None:
    with served(binary) as running:
        running.predict({"instances": binary.rows()})
        assert "model_client_rows_ratio{" not in running.client.get("/metrics").text
        assert "One caller" not in running.status()["reason"]


def test_the_document_says_which_routes_need_a_token(binary: Example, server: Served) -> None:
    document = server.client.get("/openapi.json", headers=bearer(TOKENS[Scope.READ])).json()
    assert {scheme["scheme"] for scheme in document["components"]["securitySchemes"].values()} == {"bearer", "basic"}
    for route in ROUTES:
        if route.is_documented:
            operation = document["paths"][route.path][route.method.lower()]
            needed: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]
            assert operation.get("security") == (None if route.scope is None else needed), route.path
    with served(binary) as running:
        assert "securitySchemes" not in running.client.get("/openapi.json").text
