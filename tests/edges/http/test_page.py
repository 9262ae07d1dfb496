from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from driftgauge.edges.web.render import SCRIPT, STYLE, asset

from tests.examples import Example
from tests.html_pages import BROWSER, Tree
from tests.served import Served, served

MOVED = "mean area"


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        running.predict({"instances": [{**row, MOVED: 3 * row[MOVED]} for row in binary.rows() * 3]})
        yield running


def words_of(server: Served, path: str = "/") -> str:
    return Tree(server.client.get(path, headers=BROWSER).text).words


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", "text/html;q=0.2, application/json"])
def test_programs_get_json(accept: str, server: Served) -> None:
    answer = server.client.get("/drift/status", headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.json()["status"] == "drift_detected"
    home = server.client.get("/", headers={"accept": accept})
    assert (home.status_code, home.headers["location"], home.headers["vary"]) == (307, "/docs", "Accept")


def test_browsers_get_a_page(server: Served) -> None:
    answer = server.client.get("/", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert server.monitor.last.report.reason in Tree(answer.text).words


def test_the_status_sends_browsers_to_the_page(server: Served) -> None:
    for query, target in (("", "../"), (f"?feature={MOVED}&model=binary", "../?model=binary&feature=mean+area")):
        answer = server.client.get(f"/drift/status{query}", headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (307, target)
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert server.client.get("/drift/status", params={"format": "html"}).status_code == 307
    unknown = server.client.get("/drift/status", params={"feature": "nothing"}, headers=BROWSER)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "unknown_feature")


def test_the_format_of_the_status_can_be_asked_for(server: Served) -> None:
    told = server.client.get("/drift/status", params={"format": "json"}, headers=BROWSER)
    assert told.json()["status"] == "drift_detected"
    wrong = server.client.get("/drift/status", params={"format": "xml"}, headers=BROWSER)
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "unknown_format"
    assert wrong.json()["error"]["detail"] == {"field": "format"}
    assert wrong.json()["error"]["message"] == "there is no format 'xml'; there is html, json"


def test_the_page_shows_the_features_that_the_query_names(server: Served) -> None:
    assert "All statistics by window" in words_of(server, f"/?feature={MOVED}")
    unknown = server.client.get("/?feature=nothing", headers=BROWSER)
    assert unknown.status_code == 404
    assert "There is no feature “nothing”" in Tree(unknown.text).words
    assert server.client.get("/?model=nothing", headers=BROWSER).status_code == 404


def test_the_page_counts_what_the_server_answered(server: Served, binary: Example) -> None:
    server.predict({"instances": [{}]})
    words = words_of(server)
    assert f"Predictions {server.metric('model_predictions_total'):,.0f}" in words
    assert "1 request rejected, most often" in words


def test_the_policy_lets_our_files_through_and_nothing_else(server: Served) -> None:
    answer = server.client.get("/", headers=BROWSER)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    elements = Tree(answer.text).elements
    loaded = [str(a.get("src") or a.get("href")) for tag, a in elements if tag in ("script", "link")]
    for address in (one for one in loaded if not one.startswith("data:")):
        file = server.client.get(f"/{address}")
        assert "immutable" in file.headers["cache-control"]
        assert file.text in (asset(STYLE).text, asset(SCRIPT).text)
    missing = server.client.get("/static/other.js")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_the_page_has_a_head_and_is_compressed(server: Served) -> None:
    got = server.client.get("/?feature=nothing", headers=BROWSER)
    head = server.client.head("/?feature=nothing", headers=BROWSER)
    assert (head.status_code, head.content) == (404, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    with server.client.stream("GET", "/", headers={**BROWSER, "accept-encoding": "gzip"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "What to do" in Tree(gzip.decompress(sent).decode()).words


@pytest.mark.parametrize("query", ["", "?feature=mean%20area", "?model=binary&feature=mean%20area", "?q=mean&sort=psi"])
def test_every_link_of_the_page_leads_somewhere(query: str, server: Served) -> None:
    answer = server.client.get(f"/{query}", headers=BROWSER)
    targets = {target for target in Tree(answer.text).targets() if not target.startswith("#")}
    assert len(targets) > 4
    for target in targets:
        found = server.client.get(str(answer.url.join(target)), headers=BROWSER)
        assert found.status_code == 200, target
    (json,) = [target for target in targets if "format=json" in target]
    report = server.client.get(str(answer.url.join(json)), headers=BROWSER).json()
    assert list(report["features"])[:1] == (["mean area"] if "feature" in query else ["mean radius"])
    assert ("model=binary" in json) == ("model" in query)


def test_the_status_of_every_column_is_on_the_page(server: Served) -> None:
    words = words_of(server)
    for name, column in server.status()["features"].items():
        assert name in words
        if column["severity"]:
            assert column["reason"].removeprefix(f"{name}: ").partition(". Significant")[0] in words


def test_a_report_is_one_file_to_save(server: Served) -> None:
    answer = server.client.get("/drift/report")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-disposition" not in answer.headers
    assert "script-src" not in answer.headers["content-security-policy"]
    assert server.monitor.last.report.reason in Tree(answer.text).words
    assert all(target.startswith("#") for target in Tree(answer.text).targets())
    saved = server.client.get("/drift/report?download").headers["content-disposition"]
    assert saved.startswith('attachment; filename="drift-binary-1.2-2')
    assert saved.endswith('Z.html"')
    unknown = server.client.get("/drift/report?feature=nothing")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "unknown_feature")


def test_without_monitoring_the_page_is_the_documentation(binary: Example) -> None:
    with served(binary, monitoring_enabled=False) as running:
        answer = running.client.get("/", headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
        assert running.client.get("/drift/report").json()["error"]["code"] == "monitoring_disabled"


def test_a_theme_is_of_the_address_or_else_the_one_chosen_before(server: Served) -> None:
    chosen = server.client.get("/?theme=dark", headers=BROWSER)
    cookie = chosen.headers["set-cookie"]
    assert cookie.startswith("driftgauge_theme=dark;")
    assert "SameSite=Strict" in cookie
    for path, kept, theme in (
        ("/?theme=dark", "light", "dark"),
        ("/", "light", "light"),
        ("/", "<b>", "system"),
        ("/drift/report?theme=dark", "light", "dark"),
        ("/drift/report", "light", "system"),
    ):
        answer = server.client.get(path, headers={**BROWSER, "cookie": f"driftgauge_theme={kept}"})
        assert f'<html lang="en" data-theme="{theme}">' in answer.text
    server.client.cookies.clear()
    assert "set-cookie" not in server.client.get("/", headers=BROWSER).headers
