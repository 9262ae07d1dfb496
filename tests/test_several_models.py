from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.composition.monitoring import compose_model
from driftgauge.composition.served import load_model
from driftgauge.composition.watched import WatchedModel
from driftgauge.errors import BundleError, SettingsError
from driftgauge.main import compose, create_app
from driftgauge.metrics.series import INGEST, INGESTED, OBSERVATIONS, PREDICTIONS, SOURCES
from driftgauge.state.source_positions import Partition, Position

from tests.conftest import ExampleOf
from tests.examples import Example, quiet
from tests.served import Served
from tests.servers import serving

BROKEN = "broken"


@pytest.fixture(scope="module")
def models(example_of: ExampleOf, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Two models that predict, one that is served elsewhere, and one whose bundle is damaged."""
    binary, multiclass = example_of("binary"), example_of("multiclass")
    damaged = Path(shutil.copytree(binary.folder, tmp_path_factory.mktemp("damaged") / "bundle"))
    (damaged / "bundle.json").write_text("{")
    return {
        "binary": {"bundle": binary.folder, "windows": [40, 500], "features": {"mean area": {"monitor": False}}},
        "flowers": {"bundle": multiclass.folder, "version": "9", "max_rows": 5, "metrics_bin_rows": False},
        "elsewhere": {"baseline": binary.folder / "baseline.json", "version": "7"},
        BROKEN: {"bundle": damaged},
    }


@pytest.fixture(scope="module")
def server(models: dict[str, dict[str, Any]]) -> Iterator[Served]:
    app = create_app(quiet(models=models))
    with serving(app) as client:
        yield Served(client, app)


@pytest.fixture(scope="module")
def flowers(example_of: ExampleOf) -> Example:
    return example_of("multiclass")


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_all_models_are_diagnosed_unless_one_is_named(server: Served) -> None:
    found = server.client.get("/diagnosis").json()
    assert [own["model_name"] for own in found["models"]] == ["binary", "flowers", "elsewhere"]
    assert list(found["unusable_models"]) == [BROKEN]
    assert found["state"] == "wrong"
    (own,) = server.client.get("/diagnosis", params={"model": "flowers"}).json()["models"]
    assert (own["model_name"], own["model_version"]) == ("flowers", "9")
    assert code_of(server.client.get("/diagnosis", params={"model": BROKEN})) == (503, "model_unusable")


def test_each_model_answers_on_its_own_routes(server: Served, binary: Example, flowers: Example) -> None:
    for name, version, example in (("binary", "1.2", binary), ("flowers", "9", flowers)):
        rows = example.rows(3)
        answer = server.client.post(f"/models/{name}/predict", json={"instances": rows})
        assert (answer.status_code, answer.json()["model_name"], answer.json()["model_version"]) == (200, name, version)
        expected = example.estimator.predict(example.inputs(example.held_out.iloc[:3])).tolist()
        assert [str(own["prediction"]) for own in answer.json()["predictions"]] == [str(own) for own in expected]
        for path in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}", f"/v2/models/{name}/ready"):
            assert server.client.get(path).status_code == 200
        assert server.client.get("/metadata", params={"model": name}).json()["model_version"] == version
        assert server.client.get("/predict/test", params={"model": name}).json()["ok"] is True
        assert server.client.get("/label", params={"model": name}).status_code == 200


def test_a_short_route_without_a_model_names_the_models(server: Served, binary: Example) -> None:
    answer = server.predict({"instances": binary.rows(1)})
    assert code_of(answer) == (400, "model_not_named")
    assert "POST /models/{model_name}/predict; there is binary, flowers" in answer.json()["error"]["message"]
    for path in ("/metadata", "/label", "/predict/test", "/drift/status", "/drift/history", "/drift/report"):
        answer = server.client.get(path)
        assert code_of(answer) == (400, "model_not_named"), path
        assert "?model=" in answer.json()["error"]["message"]


def test_an_unknown_model_is_not_found(server: Served, binary: Example) -> None:
    body = {"instances": binary.rows(1)}
    assert code_of(server.client.post("/models/nobody/predict", json=body)) == (404, "not_found")
    assert server.client.get("/v2/models/nobody").status_code == 404
    assert server.client.get("/v2/models/binary/versions/3").status_code == 404
    assert code_of(server.client.get("/metadata", params={"model": "nobody"})) == (404, "not_found")


def test_a_model_that_is_served_elsewhere_is_monitored_and_does_not_predict(server: Served, binary: Example) -> None:
    assert server.status(model="elsewhere")["model_version"] == "7"
    answer = server.client.post("/models/elsewhere/predict", json={"instances": binary.rows(1)})
    assert code_of(answer) == (404, "not_found")
    assert "served elsewhere" in answer.json()["error"]["message"]


def test_a_model_that_cannot_be_loaded_says_so_and_stops_no_other(server: Served, binary: Example) -> None:
    answer = server.client.post(f"/models/{BROKEN}/predict", json={"instances": binary.rows(1)})
    assert code_of(answer) == (503, "model_unusable")
    assert "bundle.json" in answer.json()["error"]["message"]
    assert server.client.get(f"/v2/models/{BROKEN}/ready").status_code == 503
    assert code_of(server.client.get("/drift/status", params={"model": BROKEN})) == (503, "model_unusable")
    ready = server.client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"health": "ok", "unusable_models": [BROKEN]})
    health = server.client.get("/health").json()
    assert list(health["unusable_models"]) == [BROKEN]
    assert [own["model_name"] for own in health["models"]] == ["binary", "flowers", "elsewhere"]


def test_the_models_are_listed(server: Served) -> None:
    found = {own["model_name"]: own for own in server.client.get("/models").json()["models"]}
    assert list(found) == ["binary", "flowers", "elsewhere", BROKEN]
    assert [own["predicts"] for own in found.values()] == [True, True, False, False]
    assert [own["healthy"] for own in found.values()] == [True, True, True, False]
    assert found["flowers"]["task"] == "multiclass"
    assert "bundle.json" in found[BROKEN]["problems"][0]


def test_each_model_has_its_own_state_and_settings(server: Served, binary: Example, flowers: Example) -> None:
    before = {name: server.status(model=name)["rows_observed"] for name in ("binary", "flowers", "elsewhere")}
    server.client.post("/models/binary/predict", json={"instances": binary.rows(5)})
    after = {name: server.status(model=name)["rows_observed"] for name in before}
    assert {name: after[name] - before[name] for name in before} == {"binary": 5, "flowers": 0, "elsewhere": 0}
    refused = server.client.post("/models/flowers/predict", json={"instances": flowers.rows(6)})
    assert code_of(refused) == (422, "too_many_rows")
    named = {"model_name": "binary"}
    assert server.metric("model_predictions_total", **named) == after["binary"]
    assert server.metric("model_predictions_rejected_total", reason="too_many_rows", **named) == 0
    assert server.metric("model_feature_bin_rows_total", **named) > 0
    assert server.metric("model_feature_bin_rows_total", model_name="flowers") == 0
    assert "mean area" not in {
        dict(labels).get("feature_name") for (_, labels) in server.metrics() if ("model_name", "binary") in labels
    }


def test_the_page_begins_with_an_overview(server: Served) -> None:
    page = server.client.get("/", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "1 of 4 models need attention" in page.text
    assert page.text.index(">not loaded<") < page.text.index('<a href="?model=binary">binary</a>')
    assert "bundle.json cannot be used" in page.text
    own = server.client.get("/", params={"model": "flowers"}, headers={"accept": "text/html"})
    assert (own.status_code, ">flowers</a>" in own.text) == (200, True)


def test_metrics_say_which_models_could_be_loaded(server: Served) -> None:
    found = {name: server.metric("model_available", model_name=name) for name in ("binary", "elsewhere", BROKEN)}
    assert found == {"binary": 1, "elsewhere": 1, BROKEN: 0}


def test_runbooks_name_the_model_that_is_asked_for(server: Served) -> None:
    of_one = server.client.get("/runbooks/ModelFeatureDrift", params={"model": "flowers"}).text
    assert "/drift/status?model=flowers" in of_one
    assert server.client.get("/runbooks/ModelFeatureDrift").status_code == 200
    assert "could not load one of them" in server.client.get("/runbooks/ModelUnavailable").text


def test_requests_are_counted_for_the_server(server: Served, binary: Example) -> None:
    template = "/models/{model_name}/predict"
    before = server.metric("http_requests_total", handler=template, code="200")
    server.client.post("/models/binary/predict", json={"instances": binary.rows(1)})
    assert server.metric("http_requests_total", handler=template, code="200") == before + 1


def test_a_short_route_needs_a_name_though_only_one_model_could_be_loaded(
    models: dict[str, dict[str, Any]], binary: Example
) -> None:
    app = create_app(quiet(models={"binary": models["binary"], BROKEN: models[BROKEN]}))
    with serving(app) as client:
        body = {"instances": binary.rows(1)}
        assert code_of(client.post("/predict", json=body)) == (400, "model_not_named")
        for path in ("/metadata", "/drift/status", "/drift/history"):
            assert code_of(client.get(path)) == (400, "model_not_named")
        assert client.post("/models/binary/predict", json=body).status_code == 200
        assert client.get("/runbooks/DriftgaugeDown", headers={"Accept": "text/html"}).status_code == 200
        page = client.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert BROKEN in page.text


def test_a_model_that_is_served_elsewhere_leaves_the_short_route_of_the_one_that_predicts(
    models: dict[str, dict[str, Any]], binary: Example
) -> None:
    app = create_app(quiet(models={"binary": models["binary"], "elsewhere": models["elsewhere"]}))
    with serving(app) as client:
        assert client.post("/predict", json={"instances": binary.rows(1)}).status_code == 200


def test_one_model_keeps_the_short_routes(binary: Example) -> None:
    app = create_app(quiet(models={"churn": {"bundle": binary.folder}}))
    with serving(app) as client:
        answer = client.post("/predict", json={"instances": binary.rows(2)})
        assert (answer.status_code, answer.json()["model_name"]) == (200, "churn")
        assert client.get("/drift/status").json()["model_name"] == "churn"


def test_bundles_are_served_under_their_own_names(binary: Example, flowers: Example) -> None:
    context = compose(quiet(bundles=(binary.folder, flowers.folder)), None, lambda: 5.0)
    assert context.models.names == ["binary", "multiclass"]
    with pytest.raises(SettingsError, match=r"both of the model binary: give one of them another name"):
        compose(quiet(bundles=(binary.folder, binary.folder)), None, lambda: 5.0)


def test_without_any_usable_model_there_is_no_server(models: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json"):
        compose(quiet(models={BROKEN: models[BROKEN], "too": models[BROKEN]}), None, lambda: 5.0)


def test_settings_that_do_not_fit_a_model_name_it(binary: Example, flowers: Example) -> None:
    table = {"bundle": binary.folder, "features": {"nothing": {"alert": False}}}
    with pytest.raises(SettingsError, match=r"models\.binary: features: the model has no column nothing"):
        compose(quiet(models={"binary": table, "flowers": {"bundle": flowers.folder}}), None, lambda: 5.0)


def test_more_versions_than_the_settings_allow_are_refused(binary: Example) -> None:
    settings = quiet(max_versions=3)
    context = compose(settings, binary.bundle, lambda: 5.0)

    def install(version: str) -> None:
        bundle = replace(binary.bundle, info=binary.bundle.info.model_copy(update={"version": version}))
        context.install(load_model(settings, bundle, context.access, lambda: 5.0))

    install("2")
    install("3")
    with pytest.raises(SettingsError, match="binary has 3 versions already: remove one, or raise max_versions"):
        install("4")
    assert [own.model_version for own in context.models] == ["1.2", "2", "3"]
    assert context.model().model_version == "1.2"


def test_more_models_than_the_settings_allow_are_refused_however_they_are_added(
    binary: Example, flowers: Example
) -> None:
    settings = quiet(max_models=1)
    context = compose(settings, binary.bundle, lambda: 5.0)
    elsewhere = WatchedModel(flowers.bundle.baseline, "elsewhere", "1", "unknown", None)
    said = r"^2 models are more than max_models = 1: leave out some, or raise it$"
    with pytest.raises(SettingsError, match=said):
        context.monitoring.add(compose_model(settings, elsewhere, lambda: 5.0))
    with pytest.raises(SettingsError, match=said):
        context.install(load_model(settings, flowers.bundle, context.access, lambda: 5.0))
    assert (context.models.names, context.monitoring.models.names) == (["binary"], ["binary"])
    tables = {"binary": {"bundle": binary.folder}, "elsewhere": {"baseline": binary.folder / "baseline.json"}}
    with pytest.raises(ValueError, match=said[1:-1]):
        quiet(models=tables, max_models=1)


def test_rows_that_a_killed_process_did_not_count_are_from_the_server_that_predicts(
    models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    settings = quiet(models={"elsewhere": models["elsewhere"]}, state_dir=tmp_path)
    killed = compose(settings, None, lambda: 5.0).monitoring.model("elsewhere").store
    columns = killed.shape.binner.columns
    killed.append(np.full((7, columns), 0.5), np.full(7, 5.0), np.full(7, 5.0))
    killed.disown()
    context = compose(settings, None, lambda: 6.0)
    own = context.monitoring.model("elsewhere").store.counted()[0].counted
    assert own[OBSERVATIONS.name].ravel().tolist() == [7.0 if source == INGEST else 0.0 for source in SOURCES]
    assert own[INGESTED.name].ravel().tolist() == [7.0, 0.0]
    assert own[PREDICTIONS.name].sum() == 7.0
    context.monitoring.leave()


def test_rows_that_a_killed_consumer_of_a_served_model_did_not_count_are_from_its_messages(
    models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    name = next(name for name, table in models.items() if "bundle" in table)
    settings = quiet(models={name: models[name]}, state_dir=tmp_path)
    killed = compose(settings, None, lambda: 5.0).monitoring.model(name).store
    killed.sources.start(Partition("topic", 0), Position(7))
    columns = killed.shape.binner.columns
    killed.append(np.full((7, columns), 0.5), np.full(7, 5.0), np.full(7, 5.0))
    killed.disown()
    context = compose(settings, None, lambda: 6.0)
    own = context.monitoring.model(name).store.counted()[0].counted
    assert own[OBSERVATIONS.name].ravel().tolist() == [7.0 if source == INGEST else 0.0 for source in SOURCES]
    assert own[INGESTED.name].ravel().tolist() == [7.0, 0.0]
    context.monitoring.leave()


def test_rows_of_a_killed_process_are_counted_where_another_slot_goes_on(
    models: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    settings = quiet(models={"elsewhere": models["elsewhere"]}, state_dir=tmp_path)
    killed, other = (compose(settings, None, lambda: 5.0).monitoring.model("elsewhere").store for _ in range(2))
    columns = killed.shape.binner.columns
    killed.append(np.full((7, columns), 0.5), np.full(7, 5.0), np.full(7, 5.0))
    killed.disown()
    for _ in range(2):
        assert other.sources.furthest(Partition("topic", 0)) is None  # looks at what the others have left
        found = sum(slot.counted[PREDICTIONS.name].sum() for slot in other.counted())
        assert found == sum(slot.counted[INGESTED.name].sum() for slot in other.counted()) == 7.0
    other.leave()


def test_files_of_each_model_are_beside_its_bundle(binary: Example, flowers: Example, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(binary.folder, first)
    shutil.copytree(flowers.folder, second)
    compose(quiet(bundles=(first, second), state_dir=None), None, lambda: 5.0).monitoring.leave()
    assert (tmp_path / "first.state" / "binary" / "1.2" / "0.log").is_file()
    assert (tmp_path / "first.state" / "@server" / "binary+multiclass" / "0.log").is_file()
    assert [path.name for path in (tmp_path / "second.state").iterdir()] == ["multiclass"]
