"""Versions are loaded, rolled back and shadowed while a server runs."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.main import create_app

from tests.examples import Example, quiet
from tests.html_pages import BROWSER, Tree
from tests.json_schema import problems
from tests.served import Served
from tests.servers import serving
from tests.versions import break_bundle, drop_sample, versions_of


@pytest.fixture
def bundles(binary: Example, tmp_path: Path) -> Path:
    """A folder with versions 1 to 4 of a model."""
    versions_of(binary.folder, tmp_path / "bundles", "1234")
    return tmp_path / "bundles"


@contextlib.contextmanager
def running(bundles: Path, version: str = "1", **settings: Any) -> Iterator[Served]:
    """Serve a version, with its state in files."""
    given = {"bundle": bundles / version, "state_dir": bundles.parent / "state", **settings}
    app = create_app(quiet(**given))
    with serving(app) as client:
        yield Served(client, app)


def name_of(example: Example) -> str:
    return example.bundle.info.name


def load(own: Served, name: str, bundle: str, **more: str) -> httpx.Response:
    body = {"bundle": bundle, "reason": "a test", "who": "ann", **more}
    return own.client.post(f"/models/{name}/versions", json=body, timeout=60.0)


def versions(own: Served, name: str) -> dict[str, Any]:
    found: dict[str, Any] = own.client.get(f"/models/{name}/versions").json()
    return found


def roles(own: Served, name: str) -> dict[str, str]:
    return {version["version"]: version["role"] for version in versions(own, name)["versions"]}


def answering(own: Served, example: Example) -> str:
    answer = own.predict({"features": example.rows(1)[0]})
    assert answer.status_code == 200, answer.text
    version: str = answer.json()["model_version"]
    return version


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_loaded_version_answers_and_a_rollback_takes_it_back(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        assert answering(own, binary) == "1"
        changed = load(own, name, "2")
        assert changed.status_code == 200, changed.text
        assert changed.json() | {"at": ""} == {
            "at": "",
            "kind": "load",
            "who": "ann",
            "reason": "a test",
            "from_version": "1",
            "to_version": "2",
            "model_name": name,
            "all_workers": True,
        }
        assert answering(own, binary) == "2"
        assert own.metric("model_live", model_version="2") == 1.0
        assert own.metric("model_live", model_version="1") == 0.0
        assert own.metric("model_predictions_total", model_version="2") == 1.0
        assert own.metric("model_predictions_total", model_version="1") == 1.0
        back = own.client.post(f"/models/{name}/rollback", json={"reason": "it was wrong"}, timeout=60.0)
        assert (back.json()["to_version"], back.json()["who"]) == ("1", "unknown")
        assert answering(own, binary) == "1"
        history = versions(own, name)["history"]
        assert [(change["kind"], change["to_version"]) for change in history] == [
            ("rollback", "1"),
            ("load", "2"),
            ("configured", "1"),
        ]
        assert roles(own, name) == {"1": "live", "2": "retired"}


def test_answers_are_those_of_the_documentation(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        document = own.client.get("/openapi.json").json()
        listed = document["paths"]["/models/{model_name}/versions"]

        def schema(method: str, status: str) -> Any:
            return listed[method]["responses"][status]["content"]["application/json"]["schema"]

        assert problems(load(own, name, "2").json(), schema("post", "200"), document) == []
        assert problems(load(own, name, "2").json(), schema("post", "409"), document) == []
        assert problems(versions(own, name), schema("get", "200"), document) == []
        body = listed["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert problems({"bundle": "2", "reason": "r"}, body, document) == []


def test_each_version_is_watched_by_itself(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        answering(own, binary)
        load(own, name, "2")
        assert own.status()["model_version"] == "2"
        assert own.status()["rows_observed"] == 0
        answering(own, binary)
        until(lambda: own.status()["rows_observed"] == 1)
        since = own.metric("model_live_since_timestamp_seconds", model_version="2")
        assert since == pytest.approx(time.time(), abs=60.0)
        series = own.metrics()
        drift = {dict(labels)["model_version"] for sample, labels in series if sample == "model_drift_severity"}
        assert drift == {"2"}  # the retired version has counters, and raises no alert any more


def test_the_loaded_version_is_live_after_a_restart(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        load(own, name, "2")
        answering(own, binary)
    with running(bundles) as own:
        assert answering(own, binary) == "2"
        until(lambda: own.metric("model_predictions_total", model_version="2") == 2.0)
        until(lambda: all(version["is_loaded"] for version in versions(own, name)["versions"]))
        own.client.post(f"/models/{name}/rollback", json={"reason": "back"}, timeout=60.0)
        assert answering(own, binary) == "1"


def test_another_bundle_in_the_settings_wins_over_a_loaded_version(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        load(own, name, "2")
    with running(bundles, "3") as own:
        assert answering(own, binary) == "3"
        assert versions(own, name)["history"][0]["kind"] == "configured"


def test_a_bundle_that_fails_its_samples_changes_nothing(bundles: Path, binary: Example) -> None:
    break_bundle(bundles / "2")
    with running(bundles) as own:
        refused = load(own, name_of(binary), "2")
        assert refused.status_code == 422
        assert refused.json()["error"]["code"] == "version_not_loaded"
        assert "nothing has changed: the model scores a sample" in refused.json()["error"]["message"]
        assert answering(own, binary) == "1"
        assert roles(own, name_of(binary)) == {"1": "live"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"bundle": "../../etc", "reason": "r"}, 403, "bundle_not_allowed"),
        ({"bundle": "/etc", "reason": "r"}, 403, "bundle_not_allowed"),
        ({"bundle": "9", "reason": "r"}, 422, "version_not_loaded"),
        ({"bundle": "1", "reason": "r"}, 409, "version_conflict"),
        ({"bundle": "2"}, 422, "invalid_version"),
        ({"bundle": "2", "reason": ""}, 422, "invalid_version"),
        ({"bundle": "2", "reason": "r" * 501}, 422, "invalid_version"),
        ({"bundle": "2", "reason": "r", "mode": "half"}, 422, "invalid_version"),
        ({"bundle": "2", "reason": "r", "more": 1}, 422, "invalid_version"),
        ([], 422, "invalid_version"),
    ],
)
def test_wrong_requests_are_refused_by_field(body: Any, status: int, code: str, bundles: Path, binary: Example) -> None:
    with running(bundles) as own:
        refused = own.client.post(f"/models/{name_of(binary)}/versions", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


def test_an_unknown_model_has_no_versions(bundles: Path) -> None:
    with running(bundles) as own:
        for answer in (own.client.get("/models/other/versions"), load(own, "other", "2")):
            assert answer.status_code == 404


def test_there_is_nothing_to_go_back_to_at_first(bundles: Path, binary: Example) -> None:
    with running(bundles) as own:
        refused = own.client.post(f"/models/{name_of(binary)}/rollback", json={"reason": "r"})
        assert refused.status_code == 409
        assert "no earlier version to go back to" in refused.json()["error"]["message"]


def test_a_body_that_is_too_large_is_refused(bundles: Path, binary: Example) -> None:
    with running(bundles) as own:
        refused = own.client.post(f"/models/{name_of(binary)}/versions", content=b"[" * 70_000)
        assert refused.status_code == 413


def test_a_shadow_predicts_what_the_live_version_answers(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        assert load(own, name, "2", mode="shadow").status_code == 200
        assert roles(own, name) == {"1": "live", "2": "shadow"}
        for row in binary.rows(30):
            assert own.predict({"features": row}).json()["model_version"] == "1"
        until(lambda: own.metric("model_shadow_rows_total", outcome="agreed") == 30.0)
        assert own.metric("model_shadow_agreement_ratio", model_version="2") == 1.0
        assert own.metric("model_shadow_mean_score_difference", model_version="2") == pytest.approx(0.0, abs=1e-9)
        assert own.metric("model_observations_total", model_version="2", source="shadow") == 30.0
        assert own.metric("model_predictions_total", model_version="2") == 0.0
        ended = own.client.request("DELETE", f"/models/{name}/versions/2", json={"reason": "seen enough"}, timeout=60.0)
        assert ended.json()["kind"] == "unload"
        assert roles(own, name) == {"1": "live", "2": "retired"}
        answering(own, binary)
        assert own.metric("model_observations_total", model_version="2", source="shadow") == 30.0


def test_a_shadow_becomes_the_live_version(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        load(own, name, "2", mode="shadow")
        assert load(own, name, "2").status_code == 200
        assert answering(own, binary) == "2"
        assert roles(own, name) == {"1": "retired", "2": "live"}


def test_the_oldest_version_goes_when_there_are_more_than_three(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles, body_timeout_seconds=0.1) as own:
        for version in "234":
            assert load(own, name, version).status_code == 200
            answering(own, binary)
        assert roles(own, name)["1"] == "removed"
        shown = {dict(labels)["model_version"] for sample, labels in own.metrics() if sample == "model_live"}
        assert shown == {"2", "3", "4"}
        until(lambda: "1" not in roles(own, name))
        assert not (bundles.parent / "state" / name / "1").exists()
        refused = own.client.post(f"/models/{name}/rollback", json={"reason": "r", "version": "1"})
        assert refused.status_code == 409


def test_versions_that_are_not_live_go_with_their_state_after_a_time(bundles: Path, binary: Example) -> None:
    name, folder = name_of(binary), bundles.parent / "state" / name_of(binary)
    with running(bundles, body_timeout_seconds=0.1, retired_state_seconds=0.5) as own:
        answering(own, binary)
        load(own, name, "3", mode="shadow")
        own.client.request("DELETE", f"/models/{name}/versions/3", json={"reason": "seen enough"}, timeout=60.0)
        load(own, name, "2")
        until(lambda: roles(own, name) == {"2": "live"})
        assert [path.name for path in folder.iterdir()] == ["2"]
        assert answering(own, binary) == "2"
        shown = {dict(labels)["model_version"] for sample, labels in own.metrics() if sample == "model_live"}
        assert shown == {"2"}


def test_releases_are_compared_once_both_have_enough_requests(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        for _ in range(100):
            answering(own, binary)
        load(own, name, "2")
        for _ in range(100):
            answering(own, binary)
        release = versions(own, name)["releases"][0]
        assert release["version"] == "2"
        assert release["figures"]["requests"] == release["before"]["requests"] == 100
        assert release["change"]["error_ratio"] == 0.0
        assert release["change"]["p99_ratio"] == pytest.approx(
            release["figures"]["p99_seconds"] / release["before"]["p99_seconds"] - 1.0
        )
        assert own.metric("model_release_latency_change_ratio", percentile="99") == pytest.approx(
            release["change"]["p99_ratio"]
        )
        assert own.metric("model_release_change_threshold_ratio", severity="warning") == 0.5


def test_in_memory_versions_can_be_replaced_too(bundles: Path, binary: Example) -> None:
    with running(bundles, state_dir="memory") as own:
        assert load(own, name_of(binary), "2").status_code == 200
        assert answering(own, binary) == "2"


def test_several_workers_without_files_cannot_agree(bundles: Path, binary: Example) -> None:
    with running(bundles, state_dir="memory", workers=2) as own:
        refused = load(own, name_of(binary), "2")
        assert refused.status_code == 409
        assert "set state_dir to a folder" in refused.json()["error"]["message"]


def test_a_program_that_hands_over_a_bundle_has_no_versions(binary: Example) -> None:
    with serving(create_app(quiet(), bundle=binary.bundle)) as client:
        refused = client.get(f"/models/{name_of(binary)}/versions")
        assert refused.status_code == 409


def test_only_the_live_version_answers_under_its_own_path(bundles: Path, binary: Example) -> None:
    name = name_of(binary)

    def asked(version: str, more: str = "") -> httpx.Response:
        return own.client.get(f"/v2/models/{name}/versions/{version}{more}")

    with running(bundles) as own:
        load(own, name, "2")
        load(own, name, "3", mode="shadow")
        assert asked("2").status_code == 200
        for version, role in (("1", "retired"), ("3", "a shadow")):
            infer = own.client.post(f"/v2/models/{name}/versions/{version}/infer", json={"inputs": []})
            for answer in (infer, asked(version), asked(version, "/ready")):
                assert answer.status_code == 404
                message = f"version {version} of {name} answers no requests, it is {role}; the live version is 2"
                assert answer.json()["error"] == f"not_found: {message}"
        assert own.metric("model_predictions_total", model_version="1") == 0.0


def test_the_documentation_describes_the_live_version(bundles: Path, binary: Example) -> None:
    name, samples = name_of(binary), binary.bundle.info.shown_samples
    drop_sample(bundles / "2")
    with running(bundles) as own:

        def documented() -> tuple[str, Any]:
            document = own.client.get("/openapi.json").json()
            assert document["paths"]["/drift/status"]["get"]["parameters"]
            body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
            return document["info"]["title"], body["examples"]["one row by name"]["value"]["features"]

        assert documented() == (f"Driftgauge: {name} 1", samples[0].features)
        assert load(own, name, "2").status_code == 200
        assert documented() == (f"Driftgauge: {name} 2", samples[1].features)


def test_the_status_and_the_page_show_the_release_and_the_shadow(bundles: Path, binary: Example) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        load(own, name, "2")
        load(own, name, "3", mode="shadow")
        answering(own, binary)
        until(lambda: own.metric("model_shadow_rows_total", outcome="agreed") == 1.0)
        release = own.status()["release"]
        document = own.client.get("/openapi.json").json()
        schema = {"$ref": "#/components/schemas/ReleaseSummary"}
        assert problems(release, schema, document) == []
        began = release["began_with"]
        assert (began["kind"], began["who"], began["from_version"], began["to_version"]) == ("load", "ann", "1", "2")
        assert release["live_since"] == began["at"]
        assert release["figures"]["requests"] == 1
        assert release["change"] == {"p50_ratio": None, "p99_ratio": None, "error_ratio": None}
        shadow = release["shadow"]
        assert (shadow["version"], shadow["rows"], shadow["agreement_ratio"], shadow["rows_dropped"]) == (
            "3",
            1,
            1.0,
            0,
        )
        words = Tree(own.client.get("/", headers=BROWSER).text).words
        assert "Version 2 answers since" in words
        assert "The shadow 3 has predicted 1 row. It agrees with the live version on 100 % of them" in words
        assert "loaded 1 → 2 ann a test" in words


def test_a_program_that_hands_over_a_bundle_has_no_release(binary: Example) -> None:
    with serving(create_app(quiet(), bundle=binary.bundle)) as client:
        assert client.get("/drift/status").json()["release"] is None
        assert 'id="releases"' not in client.get("/", headers=BROWSER).text


def test_a_table_of_the_settings_does_not_let_in_another_model(bundles: Path, binary: Example, tmp_path: Path) -> None:
    other = tmp_path / "bundles" / "other"
    shutil.copytree(bundles / "2", other)
    described = json.loads((other / "bundle.json").read_text())
    (other / "bundle.json").write_text(json.dumps(described | {"name": "other"}))
    settings: dict[str, Any] = {"models": {"served": {"bundle": bundles / "1"}}, "bundle": None}
    with running(bundles, **settings) as own:
        refused = load(own, "served", "other")
        assert refused.status_code == 422
        assert refused.json()["error"]["message"] == f"bundle: it holds the model other, not {name_of(binary)}"
        assert load(own, "served", "2").json()["to_version"] == "2"


@pytest.mark.parametrize("text", ["", "   ", "two\nlines", "\x1b[2Jgone", "nul\0", "\u202e"])
def test_reasons_are_one_line_of_text(text: str, bundles: Path, binary: Example) -> None:
    with running(bundles) as own:
        refused = load(own, name_of(binary), "2", reason=text)
        assert (refused.status_code, refused.json()["error"]["detail"]) == (422, {"field": "reason"})


def test_a_body_that_is_no_json_is_called_a_body(bundles: Path, binary: Example) -> None:
    with running(bundles) as own:
        refused = own.client.post(f"/models/{name_of(binary)}/versions", content=b"{")
        assert refused.json()["error"]["message"] == "the body is not complete JSON"


def test_another_bundle_in_the_settings_becomes_live_though_there_are_as_many_versions_as_may_be(
    bundles: Path, binary: Example
) -> None:
    name = name_of(binary)
    with running(bundles) as own:
        for version in "23":
            assert load(own, name, version).status_code == 200
    with running(bundles, "4") as own:
        until(lambda: own.metric("model_live", model_version="4") == 1.0)
        until(lambda: "1" not in roles(own, name))
        assert roles(own, name) == {"2": "retired", "3": "retired", "4": "live"}
        back = own.client.post(f"/models/{name}/rollback", json={"reason": "back"}, timeout=60.0)
        assert (back.json()["to_version"], back.json()["all_workers"]) == ("3", True)
        assert answering(own, binary) == "3"
