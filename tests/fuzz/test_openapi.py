"""Requests made of the OpenAPI document: some that it allows, and some that it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.effort import examples
from tests.examples import MAKERS
from tests.fuzz.judging import faults
from tests.served import Served, served

CHECKED: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
)
"""Checks of schemathesis that hold whether the document allows a request or not.

What bodies are accepted is tested beside the schemas: schemathesis takes ids for allowed that their pattern excludes.
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fuzz")
    with served(MAKERS["tolerant"](folder / "tolerant"), state_dir=folder / "state", prediction_log=True) as running:
        yield running


def operations(server: Served) -> Mapping[str, APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_url(f"{server.client.base_url}/openapi.json")
    results = list(schema.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(results), "the document has an operation that cannot be read"
    return {operation.label: operation for operation in found}


def known_parameters(server: Served) -> dict[str, str]:
    """Values of path parameters that exist; others are hardly ever guessed."""
    info = server.context.model().info
    return {
        "model_name": info.name,
        "name": info.name,
        "model_version": info.version,
        "version": info.version,
        "alert": "ModelFeatureDrift",
    }


@st.composite
def _asked(draw: st.DrawFn, cases: st.SearchStrategy[Case[Any]], known: Mapping[str, str]) -> Case[Any]:
    case = draw(cases)
    for name in set(known).intersection(case.path_parameters or ()):
        if draw(st.booleans()):
            case.path_parameters[name] = known[name]
    return case


def problems(case: Case[Any]) -> list[str]:
    """Send a request, and return what is wrong with its answer."""
    answer = case.call()
    found = faults(b"HTTP/1.1 %d X\r\n\r\n%s" % (answer.status_code, answer.content))
    try:
        case.validate_response(answer, checks=list(CHECKED))
    except FailureGroup as group:
        found += [f"{type(failure).__name__}: {failure}" for failure in group.exceptions]
    return [f"{problem} <- {case.as_curl_command()}" for problem in found]


def can_be_wrong(operation: APIOperation[Any, Any, Any, Any]) -> bool:
    """Whether a request can contradict the document: every text is a name in a path; some bodies may be anything."""
    return bool(len(operation.query) or any(body.definition.get("schema") for body in operation.body))


def ask(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, known: Mapping[str, str]) -> None:
    """Send requests of one operation, as many as the profile says."""

    @settings(
        max_examples=examples(20),
        phases=set(Phase) - {Phase.explain, Phase.reuse},
        suppress_health_check=list(HealthCheck),
    )
    @given(_asked(operation.as_strategy(generation_mode=mode), known))
    def one(case: Case[Any]) -> None:
        assert problems(case) == []

    one()


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_operation_answers_as_documented(server: Served, mode: GenerationMode) -> None:
    known = known_parameters(server)
    for operation in operations(server).values():
        if mode is GenerationMode.POSITIVE or can_be_wrong(operation):
            ask(operation, mode, known)


def test_every_documented_operation_is_asked(server: Served) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    assert set(operations(server)) == {f"{method.upper()} {path}" for path, own in paths.items() for method in own}
