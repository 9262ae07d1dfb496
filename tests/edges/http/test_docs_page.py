from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest
from driftgauge import __version__
from driftgauge.edges.http.docs_page import ASSETS, FOLDER, page

from tests.examples import Example
from tests.served import Served, served


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def references(text: str) -> list[str]:
    """Every address that the page loads by itself, the one of its script included."""
    return [*re.findall(r'(?:href|src|url:)\s*=?"([^"]+)"', text), *re.findall(r'url:"([^"]+)"', text)]


def test_the_page_has_the_title_of_the_api(server: Served) -> None:
    answer = server.client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<title>{server.app.title}</title>" in answer.text
    assert "<title>&lt;script&gt;</title>" in page("<script>")


@pytest.mark.parametrize("root_path", ["", "/models/a"])
def test_everything_that_the_page_loads_is_here(root_path: str, binary: Example) -> None:
    with served(binary, root_path=root_path) as running:
        address = str(running.client.base_url).rstrip("/") + root_path
        loaded = {urljoin(f"{address}/docs", name) for name in references(running.client.get(f"{address}/docs").text)}
        loaded.remove("data:,")
        assert loaded == {
            f"{address}/openapi.json",
            *(f"{address}/docs/{name}?v={__version__}" for name in ASSETS),
        }
        assert {running.client.get(name).status_code for name in loaded} == {200}


@pytest.mark.parametrize(("name", "kind"), ASSETS.items())
def test_a_file_is_served_with_its_type_and_may_be_kept(name: str, kind: str, server: Served) -> None:
    answer = server.client.get(f"/docs/{name}")
    assert answer.content == (FOLDER / name).read_bytes()
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.client.get("/docs").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "nothing.js", "..%2Fdocs_page.py", "%2e%2e"])
def test_no_other_file_is_served(name: str, server: Served) -> None:
    answer = server.client.get(f"/docs/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_the_policy_lets_the_own_script_through_and_no_other_host(server: Served) -> None:
    answer = server.client.get("/docs")
    script = re.findall("<script>(.*?)</script>", answer.text)
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert len(script) == 1
    assert "default-src 'none'" in policy
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert not re.search(r"https?:|\*|unsafe-eval", policy)


def test_files_are_counted_under_one_template(binary: Example) -> None:
    with served(binary) as running:
        for name in (*ASSETS, "nothing.js"):
            running.client.get(f"/docs/{name}")
        of_assets = {"method": "GET", "handler": "/docs/{asset}"}
        deadline = time.monotonic() + 30.0  # a file is counted once it is sent, and its client may have it before
        while (counted := running.metric("http_requests_total", **of_assets)) < len(ASSETS) + 1:
            assert time.monotonic() < deadline, counted
            time.sleep(0.01)
        assert running.metric("http_requests_total", **of_assets, code="200") == len(ASSETS)
        assert running.metric("http_requests_total", **of_assets, code="404") == 1


def test_the_files_are_those_of_the_package_that_the_readme_names() -> None:
    sums = dict(
        re.findall(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    assert {path.name for path in FOLDER.iterdir()} == {*sums, "README.md"}
    assert set(ASSETS) | {"LICENSE", "NOTICE"} <= set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_the_page_is_told_without_a_body_too(server: Served) -> None:
    told: httpx.Response = server.client.head("/docs/swagger-ui-bundle.js")
    assert (told.status_code, told.content) == (200, b"")
    assert int(told.headers["content-length"]) == (FOLDER / "swagger-ui-bundle.js").stat().st_size
