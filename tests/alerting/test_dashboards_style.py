"""One style over all dashboards: variables, colours, words, texts without data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.alerting.queries import load, panels

BOARDS: Final = load()
PANELS: Final = [
    pytest.param(panel, id=f"{uid}: {panel['title']}")
    for uid, board in BOARDS.items()
    for panel in panels(board)
    if panel["type"] != "row"
]
SHARED: Final = ["datasource", "job", "model_name", "model_version", "instance", "server", "runbooks"]
COLOURS: Final = {"red", "orange", "blue", "green", "gray", "yellow", "text"}
TERMS: Final = ("PSI", "evidence", "severity", "noise-corrected", "reference", "sliding window", "significant")


def test_all_dashboards_begin_with_the_same_variables() -> None:
    for uid, board in BOARDS.items():
        names = [variable["name"] for variable in board["templating"]["list"]]
        assert names[: len(SHARED)] == SHARED, uid
        assert set(names) - set(SHARED) <= {"feature_name", "window"}


def test_all_dashboards_link_to_the_others_verdict_diagnosis_and_runbooks() -> None:
    for uid, board in BOARDS.items():
        titles = [link["title"] for link in board["links"]]
        assert len(titles) == len(BOARDS) + 2, uid
        assert titles[-3:] == ["Verdict", "Diagnosis", "Runbooks"]
        assert all(link["includeVars"] and link["keepTime"] for link in board["links"][:-3])
        for path, link in zip(("/drift/status", "/diagnosis"), board["links"][-3:-1], strict=True):
            assert f"{path}?model=${{model_name:percentencode}}" in link["url"]


def test_all_dashboards_refresh_and_show_hours() -> None:
    for board in BOARDS.values():
        assert board["refresh"] == "30s"
        assert board["time"]["from"] in {"now-6h", "now-24h"}


@pytest.mark.parametrize("panel", PANELS)
def test_its_colours_are_those_of_severities_the_reference_and_live_rows(panel: dict[str, Any]) -> None:
    assert set(_colours(panel["fieldConfig"])) <= COLOURS


def _colours(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in {"color", "fixedColor"} and isinstance(value, str):
                yield value
            else:
                yield from _colours(value)
    elif isinstance(part, list):
        for each in part:
            yield from _colours(each)


def test_a_severity_has_one_name_and_one_colour_everywhere() -> None:
    named = {
        (value, shown["text"], shown["color"])
        for board in BOARDS.values()
        for panel in panels(board)
        for mappings in _mappings(panel.get("fieldConfig", {}))
        if "insufficient data" in str(mappings)
        for value, shown in mappings.items()
    }
    assert named == {
        ("-1", "insufficient data", "gray"),
        ("0", "normal", "green"),
        ("1", "info", "blue"),
        ("2", "warning", "orange"),
        ("3", "critical", "red"),
    }


def _mappings(part: Any) -> Iterator[dict[str, dict[str, str]]]:
    if isinstance(part, dict):
        if part.get("type") == "value" and "options" in part:
            yield part["options"]
        for value in part.values():
            yield from _mappings(value)
    elif isinstance(part, list):
        for each in part:
            yield from _mappings(each)


@pytest.mark.parametrize("panel", PANELS)
def test_its_description_explains_its_terms(panel: dict[str, Any]) -> None:
    said, _, explained = panel["description"].partition("\n\n")
    for term in TERMS:
        if re.search(rf"\b{re.escape(term)}s?\b", f"{panel['title']} {said}", re.IGNORECASE):
            assert f"- **{term}**: " in explained, term


@pytest.mark.parametrize("panel", PANELS)
def test_it_says_something_without_data(panel: dict[str, Any]) -> None:
    if panel["type"] in {"timeseries", "stat", "table", "barchart"}:
        assert panel["fieldConfig"]["defaults"].get("noValue"), "what does an empty panel mean?"


TABLES: Final = [
    pytest.param(panel, id=f"{uid}: {panel['title']}")
    for uid, board in BOARDS.items()
    for panel in panels(board)
    if panel["type"] == "table"
]


@pytest.mark.parametrize("panel", TABLES)
def test_a_label_in_a_table_is_text_also_if_it_reads_as_a_number(panel: dict[str, Any]) -> None:
    organize = next(step for step in panel["transformations"] if step["id"] == "organize")
    units = {
        override["matcher"]["options"]: each["value"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "unit"
    }
    labels = [shown for name, shown in organize["options"]["renameByName"].items() if not name.startswith("Value")]
    assert labels
    assert {units[name] for name in labels} == {"string"}
