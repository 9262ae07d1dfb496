"""The page of several models."""

from __future__ import annotations

from driftgauge.edges.web.overview import MOST_NAMED, ModelFacts, overview
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.render import render_overview

from tests.html_pages import Tree, empty_report, many_report, report_of

BROKEN = ModelFacts("a & b", "", None, ["bundle.json <cannot> be used"])


def test_models_stand_worst_first_and_the_title_counts_those_that_need_attention() -> None:
    models = [
        ModelFacts("young", "1", empty_report("x")),
        ModelFacts("calm", "1", report_of(shift=0.0)),
        BROKEN,
        ModelFacts("moved", "2", report_of()),
    ]
    found = overview(models, Query(), 15.0, "system")
    assert [row.name for row in found.models] == ["a & b", "moved", "young", "calm"]
    assert (found.title, found.colour) == ("2 of 4 models need attention", "critical")
    quiet = overview([models[1]] * 2, Query(), 15.0, "system")
    assert (quiet.title, quiet.colour) == ("2 models, none needs attention", "normal")


def test_a_row_names_the_worst_columns_and_counts_the_others() -> None:
    (row,) = overview([ModelFacts("m", "1", many_report(8, moved=5))], Query(), 15.0, "system").models
    assert row.drifting.count(",") == MOST_NAMED - 1
    assert row.drifting.endswith(" and 2 more")
    assert (row.rows, row.address) == ("600", "?model=m")


def test_a_model_that_could_not_be_loaded_says_why_and_has_no_page() -> None:
    tree = Tree(render_overview(overview([BROKEN, ModelFacts("m", "1", report_of())], Query(), 15.0, "dark")))
    assert "a & b" in tree.words
    assert "not loaded" in tree.words
    assert "bundle.json <cannot> be used" in tree.words
    assert [own for own in tree.targets() if "model=" in own] == ["?model=m"]
