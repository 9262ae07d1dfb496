"""What the page says about releases."""

from __future__ import annotations

import math
from dataclasses import replace

from driftgauge.edges.web.releases import (
    SHOWN,
    ReleaseEntry,
    ReleaseNumbers,
    ReleasesFacts,
    ShadowFacts,
    releases_view,
)

from tests.html_pages import Tree, empty_report, page_of

UNKNOWN = (math.nan, math.nan, math.nan)
FIRST = ReleaseEntry(0.0, "configured", "settings", "first start", "", "1", ReleaseNumbers(0.004, 0.01, 0.0, UNKNOWN))
SECOND = ReleaseEntry(
    86_400.0, "load", "ann", "trained on <May>", "1", "2", ReleaseNumbers(0.004, 0.016, 0.02, (0.0, 0.6, 20.0))
)
ENDED = ReleaseEntry(90_000.0, "unload", "bo", "seen enough", "2", "2", None)
FACTS = ReleasesFacts(
    live="2",
    live_since=86_400.0,
    others=[("1", "retired", 86_400.0)],
    shadow=None,
    history=[FIRST, SECOND, ENDED],
    thresholds=(0.5, 1.0),
)


def test_the_live_version_and_the_others_are_named_with_their_times() -> None:
    found = releases_view(FACTS, 172_800.0)
    assert found is not None
    assert found.live == "Version 2 answers since 1970-01-02 00:00 UTC, 24 h."
    assert found.others == "Also loaded: 1 (retired since 1970-01-02 00:00 UTC)."
    assert (found.shadow, found.left_out) == ("", 0)


def test_the_history_says_who_why_and_how_each_release_compares() -> None:
    found = releases_view(FACTS, 172_800.0)
    assert found is not None
    ended, second, first = found.rows
    assert (second.what, second.versions, second.who, second.reason) == ("loaded", "1 → 2", "ann", "trained on <May>")
    assert [(cell.text, cell.colour) for cell in second.cells] == [
        ("4 ms (+0 %)", ""),
        ("16 ms (+60 %)", "warning"),
        ("2 % (+2000 %)", "critical"),
    ]
    assert [cell.text for cell in first.cells] == ["4 ms", "10 ms", "0 %"]
    assert (first.what, first.versions) == ("named by the settings", "1")
    assert (ended.what, [cell.text for cell in ended.cells]) == ("shadow ended", ["–", "–", "–"])


def test_a_shadow_is_compared_with_the_live_version() -> None:
    shadow = ShadowFacts("3", 1_000.0, 0.985, -0.0123, 40.0)
    found = releases_view(replace(FACTS, shadow=shadow), 172_800.0)
    assert found is not None
    assert found.shadow == (
        "The shadow 3 has predicted 1,000 rows. It agrees with the live version on 98 % of them, and its score differs "
        "by −0.0123 on average. It did not predict 40 rows."
    )
    new = releases_view(replace(FACTS, shadow=ShadowFacts("3", 0.0, math.nan, math.nan, 0.0)), 172_800.0)
    assert new is not None
    assert new.shadow == "The shadow 3 has predicted no row yet."


def test_only_the_newest_changes_are_listed() -> None:
    found = releases_view(replace(FACTS, history=[FIRST] * SHOWN + [SECOND, ENDED]), 172_800.0)
    assert found is not None
    assert (len(found.rows), found.left_out, found.rows[0].what) == (SHOWN, 2, "shadow ended")


def test_the_page_has_a_section_where_versions_are_replaced() -> None:
    text = page_of(empty_report("x"), releases=FACTS)
    words = Tree(text).words
    assert "Version 2 answers since" in words
    assert "trained on <May>" in words
    assert "&lt;May&gt;" in text
    assert '<span class="badge critical">' in text
    assert 'id="releases"' not in page_of(empty_report("x"))
    assert releases_view(None, 0.0) is None
