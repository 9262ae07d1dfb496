from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import quote

import httpx
import pytest
from driftgauge.about import About
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.runbooks import runbooks
from driftgauge.edges.http.runbooks import page

from tests.abouts import HOSTILE, USUAL, of_owner
from tests.examples import Example
from tests.served import Served, served

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


@pytest.fixture(scope="module")
def open_server(binary: Example) -> Iterator[Served]:
    """Give a server that takes requests for any host."""
    with served(binary, allowed_hosts=("*",)) as running:
        yield running


def assert_not_found(answer: httpx.Response) -> None:
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("accept", ["*/*", "", "text/markdown", "text/plain", "text/html;q=0, */*"])
def test_a_runbook_is_markdown(accept: str, server: Served) -> None:
    answer = server.client.get("/runbooks/ModelFeatureDrift", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith("# ModelFeatureDrift\n")


def test_the_commands_name_this_server_and_its_model(server: Served) -> None:
    address = str(server.client.base_url).rstrip("/")
    name = server.context.model().info.name
    text = server.client.get("/runbooks/ModelFeatureDrift").text
    assert f"curl -s '{address}/drift/status?model={name}' | jq" in text
    assert f"curl -s '{address}/drift/status?model={name}&feature=NAME&windows=all'" in text
    assert text == runbooks(MonitoringOptions(base_url=address, model=name)).page("ModelFeatureDrift")


def test_the_commands_name_the_feature_that_the_query_names(server: Served) -> None:
    name = server.monitor.baseline.names[0]
    text = server.client.get("/runbooks/ModelFeatureDrift", params={"feature": name}).text
    assert f"feature={quote(name, safe='')}&windows=all'" in text
    assert f'{{feature_name="{name}", model_name=' in text
    assert "NAME" not in text.replace("DRIFTGAUGE_", "")


@pytest.mark.parametrize("query", ["'; reboot '", "nothing", ""])
def test_a_feature_that_the_model_does_not_have_is_in_no_command(query: str, server: Served) -> None:
    answers = [server.client.get("/runbooks/ModelFeatureDrift", params=asked) for asked in ({}, {"feature": query})]
    assert answers[0].text == answers[1].text


@pytest.mark.parametrize("host", ["$(reboot)", "a'b", "a;b", "a`b`"])
def test_a_host_that_a_shell_would_take_for_more_is_in_no_command(host: str, open_server: Served) -> None:
    answer = open_server.client.get("/runbooks/ModelFeatureDrift", headers={"host": host})
    assert answer.status_code == 200
    assert host not in answer.text
    named = open_server.client.get("/runbooks/ModelFeatureDrift", headers={"host": "model.example.org:81"})
    assert "curl -s 'http://model.example.org:81/drift/status" in named.text


def test_the_pages_state_the_servers_own_settings(binary: Example) -> None:
    with served(binary, psi_threshold_warning=0.17, evaluation_stale_seconds=777.0) as own:
        assert "DRIFTGAUGE_PSI_THRESHOLD_WARNING` 0.17 " in own.client.get("/runbooks/ModelFeatureDrift").text
        assert "DRIFTGAUGE_EVALUATION_STALE_SECONDS`, 777)" in own.client.get("/runbooks/ModelEvaluationStale").text


@pytest.mark.parametrize("alert", runbooks().names)
def test_a_runbook_is_a_page_for_browsers(alert: str, server: Served) -> None:
    answer = server.client.get(f"/runbooks/{alert}", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    assert f"<h1>{alert}</h1>" in answer.text
    assert f"<title>{alert} – Driftgauge</title>" in answer.text


def test_the_policy_lets_the_pages_style_through_and_no_script(server: Served) -> None:
    answer = server.client.get("/runbooks", headers=BROWSER)
    style = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "<script" not in answer.text
    assert "style=" not in answer.text


def test_html_in_markdown_is_shown_as_text() -> None:
    assert "<script>" not in page("<b>", "<script>alert(1)</script>")
    assert "<title>&lt;b&gt;" in page("<b>", "")


def test_the_list_leads_to_every_runbook(server: Served) -> None:
    html = server.client.get("/runbooks", headers=BROWSER)
    targets = re.findall('<a href="([^"]+)"', html.text)
    assert [target.removeprefix("runbooks/") for target in targets] == list(runbooks().names)
    for target in targets:
        assert server.client.get(html.url.join(target).path).status_code == 200
    assert server.client.get("/runbooks").text == runbooks().contents()


def test_links_between_runbooks_lead_on(server: Served) -> None:
    html = server.client.get("/runbooks/ModelPredictionDrift", headers=BROWSER)
    targets = re.findall('<a href="([^"]+)"', html.text)
    assert targets
    for target in targets:
        assert server.client.get(html.url.join(target).path).status_code == 200


def test_an_unknown_alert_is_not_found(server: Served) -> None:
    answer = server.client.get("/runbooks/Nothing", headers=BROWSER)
    assert_not_found(answer)
    assert "ModelFeatureDrift" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fpyproject.toml",
        "..%252f..%252fpyproject.toml",
        "%2e%2e%2fgrafana",
        "..%5c..%5cpyproject.toml",
        "%2fetc%2fpasswd",
        "ModelFeatureDrift%00",
        "ModelFeatureDrift%2f",
        "%2e%2e",
    ],
)
def test_no_path_leads_out_of_the_folder(path: str, server: Served) -> None:
    assert_not_found(server.client.get(f"/runbooks/{path}", headers=BROWSER))


def test_requests_are_counted_by_the_routes_template(server: Served) -> None:
    before = server.metric("http_requests_total", handler="/runbooks/{alert}", code="200")
    server.client.get("/runbooks/Watchdog")
    assert server.metric("http_requests_total", handler="/runbooks/{alert}", code="200") == before + 1


@pytest.mark.parametrize("about", [USUAL, HOSTILE, About(contact="#fraud")], ids=["usual", "hostile", "contact"])
def test_a_runbook_names_the_owner_below_its_heading(about: About, binary: Example) -> None:
    with served(replace(binary, bundle=of_owner(binary.bundle, about))) as running:
        plain = running.client.get("/runbooks/ModelFeatureDrift").text
        html = running.client.get("/runbooks/ModelFeatureDrift", headers=BROWSER).text
    heading, empty, line, *_ = plain.splitlines()
    assert (heading, empty) == ("# ModelFeatureDrift", "")
    assert line.startswith("Owner of binary 1.2: ")
    shown = html[html.index("<p>") + 3 : html.index("</p>")]
    texts = [text for text in (about.owner, about.contact, about.docs_url) if text]
    assert re.findall("<.*?>", shown) == (["<a href=" + _href(shown) + ">", "</a>"] if about.docs_url else [])
    assert unescape(re.sub("<.*?>", "", shown)) == f"Owner of binary 1.2: {', '.join(texts)}"


def _href(shown: str) -> str:
    found = re.search('<a href=("[^"]*")>', shown)
    return found[1] if found else ""
