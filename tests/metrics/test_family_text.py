"""Families as they are written, read back by prometheus_client."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.metrics.facts import Exemplar
from driftgauge.metrics.family_text import family, stored
from driftgauge.metrics.series import CounterSpec, Labels
from prometheus_client.core import Metric as Family

from tests.expositions import families_of

ROUTES: tuple[Labels, ...] = (("/a", "200"), ("/a", "500"), ("/b", "200"), ('/c"\\\n', "200"))
REQUESTS = CounterSpec("requests_total", "counter", "Requests.", ("path", "code"), ROUTES)
SECONDS = CounterSpec("request_seconds", "histogram", "Time.", ("path",), (("/a",), ("/b",)), (0.1, 1.0))


def read(spec: CounterSpec, numbers: list[list[float]], *, openmetrics: bool = False) -> Family:
    """Return the family of one monitor, as a Prometheus reads it."""
    parts = [stored(spec, {"model": "m"}, {spec.name: np.array(numbers)})]
    text = "".join(family(spec, openmetrics, parts))
    (found,) = families_of(f"{text}# EOF\n" if openmetrics else text, openmetrics=openmetrics)
    return found


def test_a_family_without_parts_has_no_head() -> None:
    assert list(family(REQUESTS, False, [])) == []
    assert list(family(REQUESTS, True, [])) == []


def test_a_family_has_one_head_above_the_parts_of_all_monitors() -> None:
    parts = [stored(REQUESTS, {"model": name}, {REQUESTS.name: np.ones((4, 1))}) for name in ("m", "n")]
    text = "".join(family(REQUESTS, False, parts))
    assert text.count("# HELP requests_total Requests.\n# TYPE requests_total counter\n") == 1
    (found,) = families_of(text, openmetrics=False)
    assert [own.labels["model"] for own in found.samples] == ["m"] * 4 + ["n"] * 4


@pytest.mark.parametrize("openmetrics", [False, True])
def test_each_child_of_a_counter_has_its_number_and_its_labels(openmetrics: bool) -> None:
    found = read(REQUESTS, [[3.0], [0.0], [1e6], [2.5]], openmetrics=openmetrics)
    assert (found.type, found.documentation) == ("counter", "Requests.")
    assert [(own.labels["path"], own.labels["code"]) for own in found.samples] == list(ROUTES)
    assert [own.value for own in found.samples] == [3.0, 0.0, 1e6, 2.5]
    assert {own.labels["model"] for own in found.samples} == {"m"}


def test_a_group_is_listed_whole_from_its_first_count_on_or_from_the_start() -> None:
    grouped = CounterSpec(
        "requests_total", "counter", "Requests.", ("path", "code"), ROUTES, group_by=1, from_start=frozenset({("/b",)})
    )
    paths = [own.labels["path"] for own in read(grouped, [[0.0], [0.0], [0.0], [0.0]]).samples]
    assert paths == ["/b"]
    found = read(grouped, [[0.0], [7.0], [0.0], [0.0]])
    assert [(own.labels["path"], own.value) for own in found.samples] == [("/a", 0.0), ("/a", 7.0), ("/b", 0.0)]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_buckets_are_cumulative_and_end_with_the_count_and_the_sum(openmetrics: bool) -> None:
    found = read(SECONDS, [[2.0, 1.0, 4.0, 30.5], [0.0, 0.0, 0.0, 0.0]], openmetrics=openmetrics)
    own = [sample for sample in found.samples if sample.labels["path"] == "/a"]
    buckets = {sample.labels["le"]: sample.value for sample in own if sample.name == "request_seconds_bucket"}
    assert buckets == {"0.1": 2.0, "1.0": 3.0, "+Inf": 7.0}
    others = {sample.name: sample.value for sample in own if "le" not in sample.labels}
    assert others == {"request_seconds_count": 7.0, "request_seconds_sum": 30.5}
    assert sum(sample.labels["path"] == "/b" for sample in found.samples) == 5


def test_a_histogram_with_a_bound_below_zero_has_no_sum_because_that_could_fall() -> None:
    score = CounterSpec("score", "histogram", "Score.", buckets=(-1.0, 0.0))
    found = read(score, [[1.0, 1.0, 0.0, -1.5]])
    assert {own.name for own in found.samples} == {"score_bucket"}


def test_an_exemplar_stands_in_its_bucket_of_its_child_alone() -> None:
    exemplar = Exemplar("ab" * 16, "cd" * 8, 0.4, 1_700_000_000.25)
    numbers = {SECONDS.name: np.array([[1.0, 1.0, 0.0, 0.5], [1.0, 1.0, 0.0, 0.5]])}
    text = "".join(family(SECONDS, True, [stored(SECONDS, {}, numbers, {("/b",): {1: exemplar}})]))
    (found,) = families_of(text + "# EOF\n", openmetrics=True)
    traced = [(own.labels, own.value, own.exemplar) for own in found.samples if own.exemplar]
    expected = {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    assert [(labels, value, own.labels, own.value) for labels, value, own in traced] == [
        ({"path": "/b", "le": "1.0"}, 2.0, expected, 0.4)
    ]
    assert text.count("} 0.4 1700000000.25\n") == 1
