from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product
from typing import Literal

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.text_format import LOT, Axis, head, histogram, labelled, number, sample, samples
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from prometheus_client import CollectorRegistry, utils
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

EDGES = (0.0, 1e-5, 9.9e-5, 1e-4, 0.1, 99_999.5, 999_999.0, 999_999.9, 1e6, 1_000_000.5, 1e7, 123456789.0, 1e15, 1e16)
NUMBERS = [sign * edge for edge in (*EDGES, 1.5e300, 5e-324, math.inf) for sign in (1.0, -1.0)] + [math.nan]
FLOATS = st.floats() | st.integers(-(10**18), 10**18).map(float) | st.floats(-2e6, 2e6) | st.sampled_from(NUMBERS)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\"\n{},= '))
AWKWARD = '\\n "a"\n\\'
ENCODERS: dict[bool, Callable[[CollectorRegistry], bytes]] = {
    False: generate_latest,
    True: openmetrics_exposition.generate_latest,
}
"""By whether they write OpenMetrics."""
PARSERS: tuple[Callable[[str], Iterable[Family]], ...] = (text_families, openmetrics_families)


class Families(CollectorRegistry):
    """What prometheus_client's encoders write."""

    def __init__(self, *families: Family) -> None:
        super().__init__()
        self.families = families

    def collect(self) -> Iterable[Family]:
        return self.families


def _encoded(family: Family, *, openmetrics: bool) -> str:
    return ENCODERS[openmetrics](Families(family)).decode().removesuffix("# EOF\n")


def _in_go(value: float) -> str:
    text: str = utils.floatToGoString(value)  # type: ignore[no-untyped-call]  # it has no types
    return text


def _parsed(text: str, parse: Callable[[str], Iterable[Family]]) -> Family:
    (family,) = parse(text + ("# EOF\n" if parse is openmetrics_families else ""))
    return family


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("value", NUMBERS)
def test_edges_are_written_as_prometheus_client_writes_them(value: float) -> None:
    assert number(value) == _in_go(value)


@given(FLOATS)
def test_numbers_are_written_as_prometheus_client_writes_them(value: float) -> None:
    assert number(value) == _in_go(value)


@given(st.lists(FLOATS, max_size=60))
@example(NUMBERS)
@example([1.0, math.nan, 2.0])
def test_many_numbers_are_written_like_each_and_those_that_are_absent_are_not(values: list[float]) -> None:
    axis = Axis.of("x", map(str, range(len(values))))
    text = "".join(samples("m", "", [axis], np.array(values, dtype=np.float64)))
    known = [(place, value) for place, value in enumerate(values) if not math.isnan(value)]
    assert text == "".join(f'm{{x="{place}"}} {_in_go(value)}\n' for place, value in known)


def test_whole_numbers_of_an_array_are_written_as_floats() -> None:
    assert list(samples("m", "", [Axis.of("x", "ab")], np.array([1, 2_000_000]))) == ['m{x="a"} 1.0\nm{x="b"} 2e+06\n']


def test_one_sample_shows_every_number() -> None:
    assert sample("m", "", math.nan) == "m NaN\n"
    assert sample("m", 'a="b"', 2.5e6) == 'm{a="b"} 2.5e+06\n'


# ---------------------------------------------------------------- labels and heads


@given(TEXTS)
@example(AWKWARD)
@example("\\n")
def test_label_values_are_escaped_as_prometheus_client_does(value: str) -> None:
    family = GaugeMetricFamily("m", "M.", labels=["x"])
    family.add_metric([value], 1.0)
    ours = "".join(samples("m", "", [Axis.of("x", [value])], np.ones(1)))
    assert ours == sample("m", labelled({"x": value}), 1.0)
    for openmetrics in (False, True):
        above = head("m", "gauge", "M.", openmetrics=openmetrics)
        assert above + ours == _encoded(family, openmetrics=openmetrics)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("value", [AWKWARD, "", "}", '",y="', "\\\\n", "ü 💧", " "])
def test_label_values_are_read_back(value: str, parse: Callable[[str], Iterable[Family]]) -> None:
    openmetrics = parse is openmetrics_families
    labels = labelled({"a": value, "b": "1"})
    text = head("m", "gauge", "M.", openmetrics=openmetrics) + sample("m", labels, 1.0)
    assert _parsed(text, parse).samples[0].labels == {"a": value, "b": "1"}


@given(TEXTS, st.sampled_from(["counter", "gauge", "histogram"]), st.booleans())
@example(AWKWARD, "counter", True)
@example(AWKWARD, "gauge", False)
def test_heads_are_written_as_prometheus_client_writes_them(
    help: str, kind: Literal["counter", "gauge", "histogram"], openmetrics: bool
) -> None:
    name = "m_total" if kind == "counter" else "m"
    made = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}[kind]
    assert head(name, kind, help, openmetrics=openmetrics) == _encoded(made(name, help), openmetrics=openmetrics)


def test_only_a_counters_name_loses_its_ending() -> None:
    assert "# TYPE a_total gauge\n" in head("a_total", "gauge", "A.", openmetrics=True)


@pytest.mark.parametrize("parse", PARSERS)
def test_a_counters_samples_have_one_name_in_both_formats(parse: Callable[[str], Iterable[Family]]) -> None:
    above = head("m_total", "counter", "M.", openmetrics=parse is openmetrics_families)
    family = _parsed(above + sample("m_total", 'a="b"', 3.0), parse)
    assert (family.name, family.type, family.documentation) == ("m", "counter", "M.")
    assert [(s.name, s.labels, s.value) for s in family.samples] == [("m_total", {"a": "b"}, 3.0)]


# ---------------------------------------------------------------- children of several labels


@given(arrays(np.float64, array_shapes(min_dims=0, max_dims=3, max_side=4), elements=st.floats()))
def test_children_have_the_labels_of_their_places(numbers: FloatArray) -> None:
    values = [[f"{label}{place}" for place in range(size)] for label, size in zip("xyz", numbers.shape, strict=False)]
    axes = [Axis.of(label, known) for label, known in zip("xyz", values, strict=False)]
    text = "".join(samples("m", 'a="b"', axes, numbers))
    expected = {
        (("a", "b"), *((value[0], value) for value in child)): float(value_there)
        for child, value_there in zip(product(*values), numbers.ravel().tolist(), strict=True)
        if not math.isnan(value_there)
    }
    for parse in PARSERS:
        above = head("m", "gauge", "M.", openmetrics=parse is openmetrics_families)
        found = _parsed(above + text, parse).samples
        assert {tuple(sorted(s.labels.items())): s.value for s in found} == expected
        assert len(found) == len(expected)


def test_the_first_axis_runs_fastest() -> None:
    numbers = np.array([[1.0, 3.0], [2.0, 4.0]])
    text = "".join(samples("m", "", [Axis.of("x", "ab"), Axis.of("y", "cd")], numbers))
    assert [line.split()[1] for line in text.splitlines()] == ["1.0", "2.0", "3.0", "4.0"]


@pytest.mark.parametrize("shape", [(), (2,), (3,), (2, 3), (3, 2, 1), (6,)])
def test_numbers_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"m: numbers of shape .* for \[3, 2\] children"):
        list(samples("m", "", [Axis.of("x", "abc"), Axis.of("y", "de")], np.ones(shape)))


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0)])
def test_an_axis_without_values_has_no_children(shape: tuple[int, ...]) -> None:
    axes = [Axis.of(label, map(str, range(size))) for label, size in zip("xy", shape, strict=False)]
    assert list(samples("m", "", axes, np.ones(shape))) == []


def test_a_lone_number_may_be_absent() -> None:
    assert list(samples("m", "", [], np.array(math.nan))) == []
    assert list(samples("m", "", [], np.array(2.0))) == ["m 2.0\n"]


def test_labels_that_go_together_are_one_axis() -> None:
    pairs = Axis.of("x", "ab").with_each([Axis.of("y", "cd"), Axis.of("y", "")])
    assert pairs.texts == ('x="a",y="c"', 'x="a",y="d"')
    assert "".join(samples("m", "", [pairs], np.array([1.0, 2.0]))) == 'm{x="a",y="c"} 1.0\nm{x="a",y="d"} 2.0\n'
    with pytest.raises(ValueError, match="shorter"):
        Axis.of("x", "ab").with_each([Axis.of("y", "cd")])


@pytest.mark.parametrize("count", [LOT - 1, LOT, LOT + 1, 2 * LOT + 3])
def test_text_comes_in_lots(count: int) -> None:
    numbers = np.random.default_rng(count).normal(size=count)
    lots = list(samples("m", "", [Axis.of("x", map(str, range(count)))], numbers))
    assert [lot.count("\n") for lot in lots] == [min(LOT, count - begin) for begin in range(0, count, LOT)]
    lines = [f'm{{x="{place}"}} {_in_go(value)}\n' for place, value in enumerate(numbers.tolist())]
    assert "".join(lots) == "".join(lines)


# ---------------------------------------------------------------- histograms


@pytest.mark.parametrize("labels", [{}, {"a": AWKWARD}])
@pytest.mark.parametrize("total", [None, 12.5, math.nan])
@pytest.mark.parametrize("openmetrics", [False, True])
def test_histograms_are_written_as_prometheus_client_writes_them(
    labels: dict[str, str], total: float | None, openmetrics: bool
) -> None:
    bounds, counts = ["0.5", "1.0", "+Inf"], [0.0, 2.0, 3e6]
    family = HistogramMetricFamily("m", "M.", labels=list(labels))
    family.add_metric(list(labels.values()), list(zip(bounds, counts, strict=True)), total)
    ours = histogram("m", labelled(labels), Axis.of("le", bounds), counts, total)
    assert head("m", "histogram", "M.", openmetrics=openmetrics) + ours == _encoded(family, openmetrics=openmetrics)


def test_a_histogram_has_a_count_for_each_bound() -> None:
    with pytest.raises(ValueError, match="longer"):
        histogram("m", "", Axis.of("le", ["+Inf"]), [1.0, 2.0], 1.0)
