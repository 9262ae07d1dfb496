from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from driftgauge.about import About
from driftgauge.edges.http.metadata import prediction_type
from driftgauge.edges.http.openapi.schemas import Metadata
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.metrics.series import ABOUT_LABELS
from driftgauge.models.bundle import BundleInfo, Label
from markupsafe import escape

from tests.abouts import HOSTILE, USUAL, of_owner
from tests.conftest import ExampleOf
from tests.examples import Example
from tests.served import served


@pytest.mark.parametrize(
    ("name", "type_", "classes"),
    [
        ("binary", "integer", {"0": "0", "1": "1"}),
        ("multiclass", "string", {"0": "setosa", "1": "versicolor", "2": "virginica"}),
        ("regression", "float", {}),
    ],
)
def test_metadata_and_labels_say_what_is_answered(
    name: str, type_: str, classes: dict[str, str], example_of: ExampleOf
) -> None:
    example = example_of(name)
    with served(example) as running:
        about = running.client.get("/metadata").json()
        assert running.client.get("/label").json() == classes
    info = example.bundle.info
    assert about["task"] == name
    assert about["prediction_type"] == type_
    assert about["data_structure"] == [None, len(info.features)]
    assert about["data_type"] == dict.fromkeys(example.names, "float")
    assert about["data_sample"] == [list(info.samples[0].features.values())]
    assert about["prediction_sample"] == [info.samples[0].prediction]
    assert about["accepts_missing"] is False
    assert info.performance is not None
    assert about["performance"] == info.performance.model_dump(mode="json")
    assert about["libraries"] == info.libraries


def test_metadata_names_the_categories_and_the_booleans(category: Example) -> None:
    with served(category) as running:
        about = running.client.get("/metadata").json()
        sample = {"data": about["data_sample"]}
        assert running.predict(sample).json()["predictions"][0]["prediction"] == about["prediction_sample"][0]
    assert about["features"] == [
        {"name": "radius", "kind": "numeric", "type": "float", "accepts_missing": True},
        {
            "name": "shape",
            "kind": "categorical",
            "type": "string",
            "accepts_missing": True,
            "categories": ["flat", "oval", "round"],
        },
        {"name": "smooth", "kind": "numeric", "type": "boolean", "accepts_missing": True},
    ]
    assert [type(value) for value in about["data_sample"][0]] == [float, str, bool]
    assert Metadata.model_validate(about).model_dump()["data_sample"] == about["data_sample"]
    assert about["accepts_missing"] is True


@pytest.mark.parametrize(
    ("classes", "name"),
    [((), "float"), ((0, 1), "integer"), ((False, True), "boolean"), (("a", "b"), "string"), ((0.0, 1.0), "float")],
)
def test_the_type_of_a_prediction_is_that_of_the_classes(
    classes: tuple[Label, ...], name: str, binary: Example
) -> None:
    changes = {"classes": classes, "task": "binary" if classes else "regression"}
    info = BundleInfo.model_validate_json(binary.bundle.info.model_copy(update=changes).model_dump_json())
    assert prediction_type(info) == name


def test_rows_that_an_older_bundle_kept_are_tested_and_not_shown(binary: Example) -> None:
    kept = tuple(sample.model_copy(update={"shown": False}) for sample in binary.bundle.info.samples)
    info = binary.bundle.info.model_copy(update={"samples": kept})
    with served(replace(binary, bundle=replace(binary.bundle, info=info))) as running:
        about = running.client.get("/metadata").json()
        tested = running.client.get("/predict/test").json()
        schema = running.client.get("/openapi.json").text
        assert running.client.get("/docs").status_code == 200
    assert (about["data_sample"], about["prediction_sample"]) == ([], [])
    assert tested == {"ok": True, "prediction": None, "samples": []}
    for sample in kept:
        assert not any(repr(value) in schema for value in sample.features.values())


@pytest.mark.parametrize("about", [USUAL, HOSTILE, About(owner="Fraud team")], ids=["usual", "hostile", "owner"])
def test_metadata_status_page_and_metrics_say_whose_the_model_is(about: About, binary: Example) -> None:
    with served(replace(binary, bundle=of_owner(binary.bundle, about))) as running:
        metadata = running.client.get("/metadata").json()
        status = running.status()
        page = running.client.get("/", headers={"accept": "text/html"}).text
        labels = [dict(has) for name, has in running.metrics() if name == "model_info"]
    assert metadata["about"] == status["about"] == {**dict.fromkeys(USUAL.stated), **about.stated}
    assert Metadata.model_validate(metadata)
    assert DriftStatus.model_validate(status)
    assert [text for text in about.stated.values() if escape(text) not in page] == []
    assert "<script>alert" not in page
    (info,) = labels
    assert {name: info[name] for name in ABOUT_LABELS} == {name: getattr(about, name) or "" for name in ABOUT_LABELS}


def test_of_a_model_of_which_nothing_is_known_metadata_and_status_say_null(binary: Example) -> None:
    with served(binary) as running:
        metadata, status = running.client.get("/metadata").json(), running.status()
        assert running.metric("model_info", owner="", contact="", docs_url="") == 1.0
    assert metadata["about"] is status["about"] is None
    assert Metadata.model_validate(metadata)


def test_the_state_goes_on_when_the_owner_changes(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as running:
        running.predict({"instances": binary.rows(5)})
        assert running.status()["rows_observed"] == 5
    with served(replace(binary, bundle=of_owner(binary.bundle, USUAL)), state_dir=tmp_path) as running:
        status = running.status()
    assert (status["rows_observed"], status["about"]) == (5, USUAL.stated)
    assert status["monitoring"]["state"]["kept"] == "files"
