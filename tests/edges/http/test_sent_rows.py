"""Rows that violate a constraint as they are sent are in the status, the metrics and the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.edges.http.openapi.schemas_status import DriftStatus

from tests.examples import Example
from tests.served import Served, served

BROWSER = {"accept": "text/html"}


@pytest.fixture
def constrained(tolerant: Example) -> Any:
    """An example with constraints that all rows satisfy; its model accepts missing values."""
    rules = Constraints((), required=(tolerant.names[0],))
    return replace(tolerant, bundle=replace(tolerant.bundle, constraints=rules))


def send(running: Served, rows: list[dict[str, Any]], bad: int) -> None:
    """Send good rows, and as many bad ones in a request that is refused."""
    assert running.predict({"instances": rows}).status_code == 200
    name = next(iter(rows[0]))
    assert running.predict({"instances": [{**row, name: "wide"} for row in rows[:bad]]}).status_code == 422


def said(running: Served) -> Any:
    status = running.status()
    assert DriftStatus.model_validate(status)
    return status["quality"]["requests"]


def test_the_status_says_how_many_rows_were_refused_and_shows_the_last(constrained: Example) -> None:
    with served(constrained) as running:
        assert said(running)["reason"] == "no row of a request violates a constraint"
        send(running, constrained.rows(40), 10)
        found = said(running)
        assert (found["severity"], found["rows"]) == ("critical", 50)
        assert found["violations"] == {"type": 10, "required": 0, "extra_columns": 0, "domain": 0}
        (violated,) = found["violated"]
        assert (violated["constraint"], violated["ratio"]) == ("type", 0.2)
        (example,) = violated["examples"]
        name = constrained.names[0]
        assert example["field"] == name
        assert example["message"].startswith(f"{name}: expected a number or null, got the text 'wide'")
        assert violated["reason"].startswith("10 of the 50 rows of requests in the last minute had a value of a wrong")
        page = running.client.get("/", headers=BROWSER).text
        assert "(requests)" in page
        assert "10 of the 50 rows of requests" in page.replace("\N{NO-BREAK SPACE}", " ")
        assert running.metric("model_request_rows_refused_total") == 10
        assert running.metric("model_request_constraint_threshold_ratio", severity="critical") == 0.1


def test_an_accepted_row_without_a_required_column_is_counted(constrained: Example) -> None:
    name = constrained.names[0]
    with served(constrained) as running:
        rows = [{own: value for own, value in row.items() if own != name} for row in constrained.rows(12)]
        assert running.predict({"instances": rows}).status_code == 200
        found = said(running)
    assert (found["rows"], found["violations"]["required"], found["severity"]) == (12, 12, "critical")
    assert found["reason"] == (
        "12 of the 12 rows of requests in the last minute lacked a feature that is needed. "
        f"The last one: {name} is absent; the row was predicted without it."
    )


def test_with_the_checks_off_nothing_is_said(constrained: Example) -> None:
    with served(constrained, quality_enabled=False) as running:
        send(running, constrained.rows(40), 10)
        assert running.status()["quality"] is None
        assert "(requests)" not in running.client.get("/", headers=BROWSER).text
        assert not [name for name, _ in running.metrics() if name.startswith("model_request_")]
