from __future__ import annotations

import json
from typing import Any

import pytest
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.fields import ID_LENGTH
from driftgauge.edges.formats.predict_json import read_request
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.openapi.bodies import predict_body
from driftgauge.edges.http.openapi.schemas import ErrorAnswer, PredictAnswer
from driftgauge.edges.http.routes import install_routes
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ExampleOf
from tests.edges.formats.test_features import info
from tests.examples import MAKERS
from tests.json_schema import problems
from tests.schema_values import changed, fitting

ROW = [1.5, "round", True]
NAMED = {"size": 1.5, "shape": "round", "flag": True}


def schema_of(about: BundleInfo) -> Any:
    return predict_body(about, 100)["content"]["application/json"]["schema"]


def fits(body: Any, about: BundleInfo) -> bool:
    return problems(body, schema_of(about), {}) == []


def is_accepted(body: Any, about: BundleInfo) -> bool:
    try:
        read_request(json.dumps(body).encode(), FeatureDecoder(about), 100)
    except Refused:
        return False
    return True


ACCEPTED: list[Any] = [
    {"features": NAMED},
    {"features": ROW},
    {"features": {**NAMED, "size": True, "shape": 5, "flag": 0}},
    {"instances": [NAMED, ROW]},
    {"data": [ROW, NAMED]},
    {"features": ROW, "prediction_id": "a", "timestamp": "2026-01-31T12:00:00Z"},
    {"features": ROW, "prediction_id": None, "timestamp": None},
    {"features": ROW, "timestamp": 1.5},
    {"data": [ROW, ROW], "prediction_ids": ["a", "b"], "timestamps": [None, 5]},
    {"data": [ROW], "prediction_ids": None, "timestamps": None},
]
REFUSED: list[Any] = [
    {},
    [],
    {"features": {**NAMED, "colour": 1}},
    {"features": [1]},
    {"features": NAMED, "surprise": 1},
    {"features": {**NAMED, "size": "wide"}},
    {"features": {**NAMED, "shape": []}},
    {"features": NAMED, "prediction_id": 5},
    {"features": NAMED, "prediction_id": ""},
    {"features": NAMED, "prediction_id": "a" * (ID_LENGTH + 1)},
    {"features": NAMED, "timestamp": True},
    {"data": []},
    {"data": [ROW], "prediction_ids": [None]},
    {"data": [ROW], "timestamp": 5},
    {"features": ROW, "data": [ROW]},
]


@pytest.mark.parametrize("accepts_missing", [True, False])
@pytest.mark.parametrize("body", ACCEPTED, ids=json.dumps)
def test_an_accepted_body_is_documented(body: Any, accepts_missing: bool) -> None:
    about = info(accepts_missing=accepts_missing)
    assert is_accepted(body, about)
    assert fits(body, about)


@pytest.mark.parametrize("accepts_missing", [True, False])
@pytest.mark.parametrize("body", REFUSED, ids=lambda body: json.dumps(body)[:60])
def test_a_refused_body_is_not_documented(body: Any, accepts_missing: bool) -> None:
    about = info(accepts_missing=accepts_missing)
    assert not is_accepted(body, about)
    assert not fits(body, about)


@pytest.mark.parametrize("row", [{"shape": "round", "flag": 1}, {**NAMED, "size": None}])
def test_missing_values_are_documented_where_the_model_takes_them(row: Any) -> None:
    for accepts_missing in (True, False):
        about = info(accepts_missing=accepts_missing)
        assert is_accepted({"features": row}, about) is fits({"features": row}, about) is accepts_missing


@pytest.mark.parametrize("name", list(NAMED))
def test_a_missing_value_is_documented_for_the_features_that_take_it(name: str) -> None:
    about = info(accepts_missing=[feature == name for feature in NAMED])
    for feature in NAMED:
        absent = {other: value for other, value in NAMED.items() if other != feature}
        for row in (absent, {**NAMED, feature: None}):
            assert is_accepted({"features": row}, about) is fits({"features": row}, about) is (feature == name)


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
some_rows = st.lists(values, min_size=2, max_size=4) | st.dictionaries(
    st.sampled_from(["size", "shape", "flag", "other"]), values, max_size=4
)
some_bodies = st.fixed_dictionaries({"features": some_rows}) | st.fixed_dictionaries(
    {"data": st.lists(some_rows, max_size=3)},
    optional={"timestamps": st.none() | st.lists(st.none() | st.integers(0, 9))},
)


@given(some_bodies, st.lists(st.booleans(), min_size=3, max_size=3))
def test_every_accepted_body_fits_the_documentation(body: Any, accepts_missing: list[bool]) -> None:
    about = info(accepts_missing=accepts_missing)
    assert fits(body, about) or not is_accepted(body, about)


@pytest.mark.parametrize("name", MAKERS)
def test_the_documented_examples_are_accepted_and_fit(name: str, example_of: ExampleOf) -> None:
    about = example_of(name).bundle.info
    examples = predict_body(about, 100)["content"]["application/json"]["examples"]
    assert len(examples) == 7
    for example in examples.values():
        assert is_accepted(example["value"], about)
        assert fits(example["value"], about)


def test_a_model_without_samples_has_no_examples() -> None:
    assert predict_body(info(), 100)["content"]["application/json"]["examples"] == {}


def test_the_openapi_document_is_made_of_the_models_features() -> None:
    app = FastAPI(telemetry={"auto_configure": False})
    install_routes(app, [(info(accepts_missing=False), 100)], Access())
    body = app.openapi()["paths"]["/predict"]["post"]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == schema_of(info(accepts_missing=False))
    assert [parameter["name"] for parameter in app.openapi()["paths"]["/drift/status"]["get"]["parameters"]] == [
        "model",
        "feature",
        "windows",
        "since",
        "format",
    ]


def test_a_key_that_is_not_documented_does_not_pass_for_an_answer() -> None:
    good = {"model_name": "m", "model_version": "1", "latency_ms": 1.0, "prediction": 1, "score": 0.5}
    assert PredictAnswer.model_validate(good).prediction == 1
    with pytest.raises(ValueError, match="surprise"):
        PredictAnswer.model_validate({**good, "surprise": 1})
    with pytest.raises(ValueError, match="detail"):
        ErrorAnswer.model_validate({"error": {"code": "a", "message": "b"}})


# ---------------------------------------------------------------- the document refuses what the server refuses


def refusal(body: Any, about: BundleInfo) -> Refused | None:
    try:
        read_request(json.dumps(body).encode(), FeatureDecoder(about), 100)
    except Refused as error:
        return error
    return None


def is_unsaid(error: Refused, body: Any) -> bool:
    """Whether a refusal is of a kind that a JSON schema cannot say."""
    field = error.detail.get("field")
    return (
        # as many ids, times and values as rows and columns
        "one entry for each" in error.message
        or (field == "dataframe_split" and error.reason is Reason.WRONG_FEATURE_COUNT)
        # which cell of a split table belongs to which column
        or ("dataframe_split" in body and field in NAMED)
        # the 29th of February, and times that are of another year in UTC
        or (error.reason is Reason.INVALID_TIMESTAMP and any(day in str(body) for day in ("02-29", "0001-01-01")))
        or (error.reason is Reason.INVALID_TIMESTAMP and "9999-12-31" in str(body))
    )


ABOUTS = [info(accepts_missing=accepts) for accepts in (True, False, [True, False, True])]


@pytest.mark.parametrize("about", ABOUTS, ids=["missing", "whole", "mixed"])
@given(st.data())
def test_what_the_document_accepts_the_server_accepts(about: BundleInfo, data: st.DataObject) -> None:
    body = data.draw(fitting(schema_of(about)))
    assert fits(body, about)
    error = refusal(body, about)
    assert error is None or is_unsaid(error, body), error


@pytest.mark.parametrize("about", ABOUTS, ids=["missing", "whole", "mixed"])
@given(st.data())
def test_what_the_server_refuses_the_document_refuses(about: BundleInfo, data: st.DataObject) -> None:
    body = data.draw(changed(fitting(schema_of(about))))
    error = refusal(body, about)
    if fits(body, about):
        assert error is None or is_unsaid(error, body), error
    else:
        assert error is not None
