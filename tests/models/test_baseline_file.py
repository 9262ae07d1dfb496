from __future__ import annotations

import copy
import hashlib
import json
import math
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.about import NOTHING, About
from driftgauge.drift.bins import UNSEEN
from driftgauge.drift.novelty.attach import with_novelty
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.errors import BaselineError
from driftgauge.models.baseline_file import MOST_BRACKETS, loads
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.abouts import HOSTILE, USUAL
from tests.effort import examples
from tests.monitors import timed_baseline
from tests.references import CREATED, ordered_baseline

LOWEST = -float(np.finfo(float).max)


def content_of(baseline: Baseline) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dumps(baseline))
    return found


CONTENT = content_of(ordered_baseline())
HOURLY = content_of(timed_baseline())


def refusal(content: object) -> str:
    with pytest.raises(BaselineError) as caught:
        loads(json.dumps(content))
    return str(caught.value)


# ---------------------------------------------------------------- what is honest


@pytest.mark.parametrize(
    "values",
    [
        [LOWEST, -LOWEST, 0.0, 1.0] * 50,
        [5e-324, 0.0] * 100,
        [1e-200, 2e-200] * 100,
        [1e16, 1e16 + 2] * 100,
        [math.inf, -math.inf, math.nan, 1.0] * 50,
        [math.nan] * 200,
        [math.inf] * 200,
        [3.0] * 200,
        [LOWEST, *np.linspace(-1.0, 1.0, 199).tolist()],
    ],
)
def test_a_baseline_of_extreme_numbers_is_read_back(values: list[float]) -> None:
    built = build_baseline({"x": np.array(values), "y": np.arange(200.0)}, created=CREATED)
    assert loads(dumps(built)) == built


@pytest.mark.parametrize("names", [(), ("a",), ("", "missing", '"'), tuple(f"c{i}" for i in range(300))])
def test_a_baseline_of_any_categories_is_read_back(names: tuple[str, ...]) -> None:
    codes = np.arange(900) % (len(names) + 1) - 1
    built = build_baseline({"x": Categories(codes, names)}, created=CREATED)
    assert loads(dumps(built)) == built


@pytest.mark.parametrize("about", [USUAL, HOSTILE, About(owner="Fraud team")], ids=["usual", "hostile", "owner"])
def test_what_is_known_of_a_model_is_read_back_and_is_no_part_of_the_hash(about: About) -> None:
    plain = ordered_baseline()
    described = replace(plain, about=about)
    assert loads(dumps(described)) == described
    assert described.hash == plain.hash
    assert content_of(described) == {**content_of(plain), "about": about.stated}


def test_a_baseline_of_which_nothing_is_known_is_written_as_by_earlier_versions() -> None:
    assert "about" not in CONTENT
    assert loads(json.dumps(CONTENT)).about == NOTHING
    assert loads(json.dumps({**CONTENT, "about": {}})).about == NOTHING


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"owner": "a\nb"}, "about: owner holds a control character"),
        ({"owner": "\ud800"}, "about: owner holds half a surrogate pair"),
        ({"owner": 3}, "about.owner is 3, expected: a text"),
        ({"owner": "x" * 10_000}, "about: owner has 10,000 characters"),
        ({"docs_url": "javascript:alert(1)"}, "which is not http(s)"),
        ({"owners": "x"}, "about.owners is not a known key"),
        ("Fraud team", "about is Fraud team, expected: an object"),
        (None, "about is null, expected: an object"),
    ],
)
def test_forged_texts_about_a_model_are_refused(about: object, problem: str) -> None:
    assert problem in refusal({**CONTENT, "about": about})


# ---------------------------------------------------------------- what is forged


def column(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(column for column in content["columns"] if column["name"] == name)


def with_column(of: str, /, **changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: column(content, of).update(changes)


def with_bins(of: str, /, **changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: column(content, of)["bins"].update(changes)


def with_correlations(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["correlations"].update(changes)


EDGES = column(CONTENT, "number")["bins"]["edges"]
COUNTS = column(CONTENT, "number")["counts"]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (with_bins("number", edges=EDGES[::-1]), "columns.0.bins: the edges do not ascend"),
        (with_bins("number", edges=[EDGES[0], *EDGES[:-1]]), "columns.0.bins: the edges do not ascend"),
        (with_bins("number", edges=[*EDGES[:-1], math.nan]), "columns.0.bins: the edges are not all finite"),
        (with_bins("number", edges=[*EDGES[:-1], math.inf]), "columns.0.bins: the edges are not all finite"),
        (with_bins("number", edges=EDGES[:1]), "an interval takes two edges"),
        (with_bins("number", edges=list(range(300))), "more than 256 bins"),
        (
            with_bins("number", rule="guess"),
            "rule is guess, expected: 'interval', 'value' or 'category'",
        ),
        (with_bins("number", rule="category"), "categories have no edges"),
        (with_bins("letter", categories=["a", "a"]), "a category is named twice"),
        (with_bins("letter", categories=["a\ud800"]), "categories.0: half a surrogate pair is not text"),
        (with_bins("letter", tail=[-1]), "tail.0 is -1, expected: at least 0"),
        (with_bins("letter", tail=[1 << 64]), "tail.0 is a huge number, expected: below"),
        (with_bins("letter", tail=list(range(10_001))), "expected: at most 10000 entries"),
        (with_bins("letter", tail_complete="yes"), "tail_complete is yes, expected: true or false"),
        (with_bins("letter", near_cut=-1), "near_cut is -1, expected: at least 0"),
        (with_column("number", tau=0.0), "columns.0.tau is 0.0, expected: at least 1"),
        (with_column("number", tau=-3.0), "columns.0.tau is -3.0, expected: at least 1"),
        (with_column("number", tau=math.inf), "columns.0.tau is inf, expected: a finite number"),
        (with_column("number", tau=math.nan), "columns.0.tau is nan, expected: a finite number"),
        (with_column("number", std=0.0), "std is 0, but the values differ"),
        (with_column("number", std=-1.0), "columns.0.std is -1.0, expected: at least 0"),
        (with_column("number", std=1e9), "std is larger than the range"),
        (with_column("number", std=math.inf), "expected: a finite number"),
        (with_column("number", mean=1e9), "the mean does not lie between min and max"),
        (with_column("number", mean=None), "only some of mean, std, min and max are known"),
        (with_column("number", min=5.0, max=-5.0), "min lies above max"),
        (with_column("number", quantiles=[0.0, -1.0]), "the quantiles do not ascend"),
        (with_column("number", quantiles=[-1e9, 0.0]), "the quantiles do not lie between min and max"),
        (with_column("number", quantiles=[]), "a column of numbers without quantiles"),
        (with_column("number", quantiles=[0.0] * 513), "expected: at most 512 entries"),
        (with_column("number", counts=[-1.0, *COUNTS[1:]]), "columns.0.counts.0 is -1.0, expected: at least 0"),
        (with_column("number", counts=[1e300, *COUNTS[1:]]), "columns.0.counts.0 is 1e+300, expected: at most"),
        (with_column("number", counts=[1e9, *COUNTS[1:]]), "the counts do not add up to its rows"),
        (with_column("number", counts=[0.0] * len(COUNTS)), "the counts do not add up to its rows"),
        (with_column("number", counts=COUNTS[1:]), "counts for"),
        (with_column("number", counts=[True, *COUNTS[1:]]), "columns.0.counts.0 is true, expected: a number"),
        (with_column("number", rows=0), "columns.0.rows is 0, expected: at least 1"),
        (with_column("number", rows=10**30), "columns.0.rows is a huge number, expected: at most"),
        (with_column("number", rows=800.0), "columns.0.rows is 800.0, expected: a whole number"),
        (with_column("number", kind="categorical"), "interval bins of categorical"),
        (with_column("letter", mean=1.0, std=1.0, min=0.0, max=2.0, quantiles=[1.0]), "of a categorical column"),
        (with_column("number", name="letter"), "two columns are named letter"),
        (with_column("number", natural_variation={"0": 1.0}), "windows without rows"),
        (with_column("number", natural_variation={"01": 1.0}), "natural_variation.01"),
        (with_column("number", natural_variation={"5": -1.0}), "natural_variation.5 is -1.0, expected: at least 0"),
        (with_column("number", natural_variation={"9" * 400: 1.0}), "natural_variation"),
        (with_column("number", by_hour={"24": COUNTS}), "hours of the day are 0 to 23, not 24"),
        (with_column("number", by_hour={"3": COUNTS[1:]}), "in the hour 3"),
        (with_column("number", by_hour={"3": [0.0] * len(COUNTS)}), "the counts of the hour 3 do not fit its rows"),
        (with_correlations(values=[7.0]), "correlations.values.0 is 7.0, expected: at most 1"),
        (with_correlations(values=[]), "0 values for 1 pairs"),
        (with_correlations(rows=[1, 2]), "2 numbers of rows for 1 pairs"),
        (with_correlations(columns=["flag", "number"]), "the correlations do not name the numeric columns"),
        (with_correlations(columns=["number", "number"]), "the correlations do not name the numeric columns"),
        (with_correlations(columns=["number", "letter"]), "the correlations do not name the numeric columns"),
        (lambda content: content.update(columns=[]), "columns is a list of 0, expected: at least 1 entries"),
        (lambda content: content.update(columns={"a": 1}), "columns is an object, expected: a list"),
        (lambda content: content.update(zero_bin="none"), "zero_bin is none, expected: 'jeffreys' or 'clip'"),
        (lambda content: content.update(extra=1), "extra is not a known key"),
        (lambda content: content.pop("rows"), "rows is absent"),
    ],
)
def test_a_forged_baseline_is_refused_in_words(damage: Callable[[dict[str, Any]], object], sentence: str) -> None:
    content = copy.deepcopy(CONTENT)
    damage(content)
    message = refusal(content)
    assert message.startswith("the baseline is malformed (")
    assert message.endswith("): build it again")
    assert sentence in message


def test_more_than_three_faults_are_counted() -> None:
    content = copy.deepcopy(CONTENT)
    column(content, "number")["counts"] = ["a"] * 9
    assert "; and 6 more" in refusal(content)


def test_a_name_given_twice_is_refused() -> None:
    text = dumps(ordered_baseline()).replace('"rows": 800,', '"rows": 800, "rows": 800,', 1)
    with pytest.raises(BaselineError, match="the baseline names rows twice"):
        loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_deep_json_is_refused(text: str) -> None:
    with pytest.raises(BaselineError, match="nested too deeply: build it again"):
        loads(text)


def test_a_flood_of_empty_lists_is_refused_before_memory_is_taken() -> None:
    text = "[" + "[]," * (10 * MOST_BRACKETS) + "[]]"
    tracemalloc.start()
    try:
        with pytest.raises(BaselineError, match="too many lists and objects"):
            loads(text)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", ["1" * 5000, "1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    text = dumps(ordered_baseline()).replace('"rows": 800', f'"rows": {number}', 1)
    with pytest.raises(BaselineError, match="build"):
        loads(text)


# ---------------------------------------------------------------- whatever is in it

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 30),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["number", "letter", "value", "category", "interval", "0", "24", 10**400, -1, 1e308]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return all containers in a content with each of their keys."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def test_a_content_that_is_signed_is_read() -> None:
    assert loads(_signed(CONTENT)) == ordered_baseline()


@settings(deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_baseline_is_valid_or_refused_and_never_anything_else(data: st.DataObject) -> None:
    content = copy.deepcopy(data.draw(st.sampled_from([CONTENT, HOURLY])))
    for _ in range(data.draw(st.integers(1, 4))):
        places = _places(content)
        holder, key = places[data.draw(st.integers(0, len(places) - 1))]
        what = data.draw(st.sampled_from(["replace", "remove", "repeat"]))
        if what == "replace":
            holder[key] = data.draw(anything)
        elif what == "remove":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[f"{key}0"] = copy.deepcopy(holder[key])
    try:
        baseline = loads(_signed(content))
    except BaselineError:
        return
    _use(baseline)


def _signed(content: dict[str, Any]) -> str:
    """Return the text of a content as a forger writes it: with the hash that belongs to it."""
    own = {key: value for key, value in content.items() if key != "hash"}
    text = json.dumps({**own, "created": None}, sort_keys=True)
    return json.dumps({**own, "hash": hashlib.sha256(text.encode()).hexdigest()})


def _use(baseline: Baseline) -> None:
    """Compute what a monitor computes of a baseline: with numpy's warnings as errors."""
    cells = np.zeros((300, len(baseline.columns)))
    codes = baseline.binner.codes(cells)
    counts = baseline.binner.counts(codes)
    hours = np.zeros(24, dtype=np.int64)
    hours[3] = 300
    assert np.isfinite(baseline.psi(counts).psi).all()
    assert np.isfinite(baseline.psi(counts, hours).psi).all()
    detector = baseline.detector()
    assert np.isfinite(detector.start().threshold)
    assert (baseline.scales.std > 0).all()
    assert baseline.sample_comparison
    assert baseline.correlation_comparison
    assert baseline.significance
    assert UNSEEN in baseline.special_codes


def scored_baseline() -> Baseline:
    table: Table = {"x": np.arange(200.0), "c": Categories(np.arange(200) % 3, ("a", "b", "c")), "y": np.arange(200.0)}
    return with_novelty(build_baseline(table, created=CREATED), table)


def test_what_tells_outliers_is_read_back() -> None:
    built = scored_baseline()
    assert built.novelty is not None
    read = loads(dumps(built))
    assert read == built
    assert read.novelty == built.novelty


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("covariance", [1.0], "1 covariances for 2 numeric columns"),
        ("features", ["y", "x", "c"], "not the baseline's columns, in order"),
        ("features", ["x", "x", "c"], "two columns are named x"),
        ("features", ["x", "nobody"], "not the baseline's columns, in order"),
        ("threshold", -1.0, "novelty.threshold"),
        ("threshold", None, "novelty.threshold"),
        ("quantile", 2, "novelty.quantile"),
        ("extra", 1, "novelty.extra is not a known key"),
    ],
)
def test_damaged_numbers_of_outliers_are_refused(key: str, value: Any, problem: str) -> None:
    content = content_of(scored_baseline())
    with pytest.raises(BaselineError, match=re.escape(problem)):
        loads(json.dumps({**content, "novelty": {**content["novelty"], key: value}}))


def test_a_column_of_outliers_has_its_name_and_bins() -> None:
    content = content_of(scored_baseline())
    column = content["novelty"]["column"]
    for wrong in ({**column, "name": "else"}, content["columns"][1]):
        with pytest.raises(BaselineError, match="the column of outliers"):
            loads(json.dumps({**content, "novelty": {**content["novelty"], "column": wrong}}))
